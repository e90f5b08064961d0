use super::*;
use crate::rules::Diagnostic;
use crate::rules::ruleset::{Context, FastPattern, PayloadScope, Regex, Rule, Step};
use std::collections::BTreeMap;

const CLASSES: &str = "config classification: bad,Very bad,1\nconfig classification: odd,Odd,3\n";
const SYSTEMS: &str = "config reference: url http://\n";

pub(super) fn load_text(text: &str) -> (RuleSet, Vec<Diagnostic>) {
    let (classes, _) = Classifications::parse(&SourceFile::new("c", CLASSES));
    let (systems, _) = References::parse(&SourceFile::new("r", SYSTEMS));
    load(&[SourceFile::new("test.rules", text)], &Vars::default(), &classes, &systems)
}

fn one(options: &str) -> Rule {
    one_of("tcp", options)
}

fn one_of(protocol: &str, options: &str) -> Rule {
    let (mut set, faults) = load_text(&format!("alert {protocol} any any -> any any ({options} sid:1;)"));
    assert_eq!(faults, [], "{options}");
    std::mem::take(&mut set.rules).into_iter().next().unwrap()
}

fn refusal(rule: &str) -> String {
    let (set, faults) = load_text(rule);
    assert_eq!((set.rules.len(), faults.len()), (0, 1), "{rule}: {faults:?}");
    faults[0].message.clone()
}

#[test]
fn a_rule_says_all_of_itself() {
    let rule = one(concat!(
        r#"msg:"a \"b\"\; \\c"; gid:7; rev:3; classtype:BAD; reference:url,example.com/a; "#,
        "metadata:k v w, x y; target:src_ip; tag:session,5,packets; bypass; alert;"
    ));
    assert_eq!((rule.gid, rule.sid, rule.rev, rule.priority), (7, 1, 3, 1));
    assert_eq!(rule.msg, r#"a "b"; \c"#);
    assert_eq!(&*rule.category, "Very bad");
    let pair = |a: &str, b: &str| (Arc::from(a), Arc::from(b));
    assert_eq!(*rule.references, [pair("url", "example.com/a")]);
    assert_eq!(*rule.metadata, [pair("k", "v w"), pair("x", "y")]);
    assert!(rule.bypass && rule.alert && rule.tags.len() == 1 && rule.target.is_some());
}

#[test]
fn rules_are_ordered_by_action_then_flowbits_then_priority_then_file() {
    let order = |text: &str| load_text(text).0.rules.iter().map(|r| r.sid).collect::<Vec<_>>();
    let rule = |action: &str, options: &str, sid: u32| {
        format!("{action} ip any any -> any any ({options} sid:{sid};)\n")
    };
    let text = [
        rule("alert", "", 1),
        rule("alert", "priority:1;", 2),
        rule("alert", "flowbits:isset,a;", 3),
        rule("alert", "flowbits:set,a; priority:9;", 4),
        rule("alert", "flowbits:isset,a; flowbits:set,b;", 5),
        rule("reject", "", 6),
        rule("rejectboth", "", 7),
        rule("drop", "", 8),
        rule("pass", "", 9),
        rule("alert", "", 10),
    ];
    assert_eq!(order(&text.concat()), [9, 8, 6, 7, 4, 5, 3, 2, 1, 10]);
}

#[test]
fn the_higher_revision_of_a_number_stays() {
    let text = "alert ip any any -> any any (sid:1; rev:2; msg:\"two\";)\n\
                alert ip any any -> any any (sid:1; rev:1;)\n\
                alert ip any any -> any any (sid:1; gid:3; rev:1;)\n\
                alert ip any any -> any any (sid:1; rev:3; msg:\"three\";)\n";
    let (set, diagnostics) = load_text(text);
    assert_eq!(set.rules.iter().map(|r| (r.gid, r.rev)).collect::<Vec<_>>(), [(3, 1), (1, 3)]);
    let told: Vec<_> = diagnostics.iter().map(|d| (d.line, d.is_fault(), d.message.as_str())).collect();
    assert_eq!(
        told,
        [
            (2, true, "sid 1 is taken by a rule of revision 2 in line 1"),
            (4, false, "revision 3 of sid 1 replaces revision 2 of line 1"),
        ]
    );
}

#[test]
fn payload_is_looked_for_where_suricata_looks() {
    let table = [
        ("tcp", r#"content:"a";"#, PayloadScope::Stream),
        ("tcp", r#"content:"a"; offset:1;"#, PayloadScope::Both),
        ("tcp", r#"content:"a"; startswith;"#, PayloadScope::Both),
        ("tcp", r#"content:"a"; content:"b"; distance:1;"#, PayloadScope::Stream),
        ("tcp", r#"pcre:"/a/";"#, PayloadScope::Stream),
        ("tcp", r#"content:"a"; dsize:>3;"#, PayloadScope::Packet),
        ("tcp", r#"content:"a"; flags:A;"#, PayloadScope::Packet),
        ("tcp", r#"content:"a"; stream_size:server,<,9;"#, PayloadScope::Packet),
        ("tcp", r#"content:"a"; flow:no_stream;"#, PayloadScope::Packet),
        ("tcp", r#"content:"a"; depth:1; flow:only_stream;"#, PayloadScope::Stream),
        ("tcp", "flags:S;", PayloadScope::Packet),
        ("tcp", "", PayloadScope::Packet),
        ("tcp-pkt", r#"content:"a";"#, PayloadScope::Packet),
        ("tcp-stream", r#"content:"a"; depth:1;"#, PayloadScope::Stream),
        ("udp", r#"content:"a"; depth:1;"#, PayloadScope::Packet),
        ("dns", r#"content:"a";"#, PayloadScope::Stream),
        ("dns", r#"content:"a"; depth:1;"#, PayloadScope::Both),
        ("ip", r#"content:"a";"#, PayloadScope::Stream),
        ("ip", r#"content:"a"; depth:1;"#, PayloadScope::Both),
        ("ip", r#"content:"a"; ttl:3;"#, PayloadScope::Packet),
        ("dcerpc", r#"content:"a";"#, PayloadScope::Stream),
        ("dcerpc", r#"content:"a"; offset:1;"#, PayloadScope::Both),
    ];
    for (protocol, options, scope) in table {
        assert_eq!(one_of(protocol, options).scope, scope, "{protocol} {options}");
    }
}

#[test]
fn the_fast_pattern_is_the_one_asked_for_or_the_strongest() {
    let pick = |options: &str| one(options).fast_pattern;
    let at = |step, chop, only| Some(FastPattern { buffer: 0, step, chop, only });
    assert_eq!(pick(r#"content:"ab"; content:"abcd"; content:!"abcdefgh";"#), at(1, None, false));
    assert_eq!(pick(r#"content:"abcd"; content:"|00 00 00 00 00|";"#), at(0, None, false));
    assert_eq!(pick(r#"content:"ab"; fast_pattern; content:"abcd";"#), at(0, None, false));
    assert_eq!(pick(r#"content:"abcd"; fast_pattern:1,2;"#), at(0, Some((1, 2)), false));
    assert_eq!(pick(r#"content:"abcd"; fast_pattern:only;"#), at(0, None, true));
    assert_eq!(pick(r#"content:!"abcd";"#), None);
    assert_eq!(pick(r#"tcp.hdr; content:"abcd";"#), None);
}

#[test]
fn a_sticky_buffer_gathers_its_steps_and_pkt_data_leads_back() {
    let rule = one(r#"content:"a"; tcp.hdr; content:"b"; pkt_data; content:"c"; tcp.hdr; bsize:20;"#);
    let seen: Vec<_> = rule.buffers.iter().map(|b| (b.context, b.steps.len())).collect();
    assert_eq!(seen, [(Context::Payload, 2), (Context::TcpHeader, 2)]);
}

#[test]
fn older_spellings_and_sticky_buffers_gather_the_same_steps() {
    let shape = |options: &str| -> Vec<(String, usize, u16)> {
        let rule = one_of("http", options);
        let name = |context| match context {
            Context::App(id) => id.get().name.to_owned(),
            other => format!("{other:?}"),
        };
        rule.buffers.iter().map(|b| (name(b.context), b.steps.len(), b.transforms)).collect()
    };
    let uri = |steps| ("http.uri".to_owned(), steps, 0);
    assert_eq!(shape(r#"content:"a"; http_uri; content:"b"; distance:1; http_uri;"#), [uri(2)]);
    assert_eq!(shape(r#"content:"a"; http_uri; isdataat:!1,relative; pcre:"/b/UR"; urilen:9;"#), [uri(4)]);
    // What counts from the content goes with it, unless another one is there that it may count from.
    assert_eq!(shape(r#"content:"a"; isdataat:!1,relative; http_uri;"#), [uri(2)]);
    let payload = |steps| ("Payload".to_owned(), steps, 0);
    let two = r#"content:"a"; content:"b"; isdataat:!1,relative; http_uri;"#;
    assert_eq!(shape(two), [payload(2), uri(1)]);
    assert_eq!(shape(r#"content:"a"; isdataat:9; http_uri;"#), [payload(1), uri(1)]);
    assert_eq!(shape(r#"uricontent:"a"; content:"b";"#), [("Payload".into(), 1, 0), uri(1)]);
    let data = |steps| ("file.data".to_owned(), steps, 0);
    assert_eq!(
        shape(r#"content:"a"; http_server_body; content:"b"; within:9; http_server_body;"#),
        [data(2)]
    );
    assert_eq!(shape(r#"file.data; content:"a"; file.data; content:"b";"#), [data(1), data(1)]);
    assert_eq!(shape(r#"http.uri; content:"a"; http.uri; content:"b";"#), [uri(2)]);
    let dotted = ("http.host".to_owned(), 1, 1);
    assert_eq!(
        shape(r#"http.host; dotprefix; content:".a"; http.uri; content:"b";"#),
        [dotted.clone(), uri(1)]
    );
    let plain = ("http.host".to_owned(), 1, 0);
    assert_eq!(shape(r#"http.host; content:"a"; dotprefix; content:".a";"#), [plain, dotted]);
    let decoded = r#"content:"arg"; http_uri; base64_decode:bytes 10, offset 1, relative; base64_data; content:"test";"#;
    assert_eq!(shape(decoded), [uri(2)]);
}

#[test]
fn the_protocols_of_a_rule_are_those_that_all_its_keywords_allow() {
    let protocols = |protocol: &str, options: &str| one_of(protocol, options).app.label();
    assert_eq!(protocols("http", ""), "http");
    assert_eq!(protocols("tcp", r#"http.uri; content:"a";"#), "http");
    assert_eq!(protocols("http2", r#"http.uri; content:"a";"#), "http2");
    assert_eq!(protocols("tcp", r#"file.data; content:"a";"#), "files");
    assert_eq!(protocols("smtp", r#"file.data; content:"a";"#), "smtp");
    assert_eq!(protocols("tls", r#"ja3.hash; content:"a";"#), "tls");
    assert_eq!(protocols("smb", r#"dce_stub_data; content:"a";"#), "smb");
    assert_eq!(one_of("tcp", r#"content:"a";"#).app, crate::rules::app::Protos::NONE);
}

#[test]
fn variables_keep_their_number_through_the_rule() {
    let rule = one_of(
        "udp",
        concat!(
            r#"byte_extract:1,0,len,relative; byte_math:bytes len, offset 1, oper *, rvalue len, result big; "#,
            r#"byte_test:2,=,big,len; content:"a"; offset:len; depth:big;"#
        ),
    );
    let Step::Content(content) = &rule.buffers[0].steps[3] else { panic!("a content") };
    use crate::rules::ruleset::Operand::Variable;
    assert_eq!((content.offset, content.depth), (Some(Variable(0)), Some(Variable(1))));
}

#[test]
fn contents_that_cannot_fit_are_refused() {
    let udp = |options: &str| format!("alert udp any any -> any any ({options} sid:1;)");
    for options in [
        r#"dsize:10; content:"boom"; content:"loom"; distance:10;"#,
        r#"dsize:6; content:"boom"; content:"loom"; distance:3;"#,
        r#"dsize:<7; content:"boom"; content:"loom"; distance:2;"#,
        r#"dsize:3; content:"boom";"#,
        r#"dsize:1<>8; content:"boom"; offset:4;"#,
        r#"udp.hdr; content:"boom"; bsize:3;"#,
    ] {
        assert!(refusal(&udp(options)).contains("at the earliest, but"), "{options}");
    }
    for options in [
        r#"dsize:10; content:"boom"; content:"loom"; distance:-10;"#,
        r#"dsize:8; content:"boom"; content:"loom"; distance:0;"#,
        r#"dsize:!3; content:"boom";"#,
        r#"dsize:>3; content:"boom"; offset:400;"#,
        r#"dsize:4; content:"boom"; content:!"loom"; distance:10;"#,
        r#"dsize:9; content:"boom"; pcre:"/x/R"; content:"looom"; distance:4;"#,
    ] {
        assert_eq!(load_text(&udp(options)).1, [], "{options}");
    }
}

#[test]
fn sets_that_read_alike_are_shared() {
    let text = "alert tcp $HOME_NET any -> any [80,81] (sid:1;)\n\
                alert tcp [192.168.0.0/16,10.0.0.0/8,172.16.0.0/12] any -> any 80:81 (sid:2;)\n";
    let (set, _) = load_text(text);
    let [a, b] = &set.rules[..] else { panic!("two rules") };
    assert!(Arc::ptr_eq(a.src.addresses.as_ref().unwrap(), b.src.addresses.as_ref().unwrap()));
    assert!(Arc::ptr_eq(a.dst.ports.as_ref().unwrap(), b.dst.ports.as_ref().unwrap()));
    assert!(a.dst.addresses.is_none() && a.src.ports.is_none());
}

#[test]
fn unknown_classes_and_systems_are_warned_of_once() {
    let text = "alert ip any any -> any any (classtype:bat; reference:ulr,x; sid:1;)\n\
                alert ip any any -> any any (classtype:bat; reference:ulr,x; sid:2;)\n";
    let (set, diagnostics) = load_text(text);
    assert_eq!(set.rules.len(), 2);
    let told: Vec<_> = diagnostics.iter().map(|d| (d.line, d.column, d.is_fault())).collect();
    assert_eq!(told, [(1, 40, false), (1, 55, false)]);
}

/// The folder of shared test data, if it is here.
fn shared(part: &str) -> Option<std::path::PathBuf> {
    let beside = || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let folder = std::env::var_os("WEIR_SHARED").map_or_else(beside, Into::into).join(part);
    if !folder.is_dir() {
        eprintln!("skipped: no cases ({} is not here)", folder.display());
        return None;
    }
    Some(folder)
}

fn classes(folder: &std::path::Path) -> Classifications {
    let file = SourceFile::read(&folder.join("classification.config")).unwrap();
    let (classes, no_faults) = Classifications::parse(&file);
    assert_eq!(no_faults, []);
    classes
}

/// All active Emerging Threats rules.
#[test]
fn every_real_rule_loads() {
    let Some(folder) = shared("rules") else { return };
    let file = SourceFile::read(&folder.join("et-open.rules")).unwrap();
    let systems = SourceFile::read(&folder.join("reference.config")).unwrap();
    let (systems, no_faults) = References::parse(&systems);
    assert_eq!(no_faults, []);
    let (set, diagnostics) = load(&[file], &Vars::default(), &classes(&folder), &systems);
    let faults: Vec<_> = diagnostics.iter().filter(|d| d.is_fault()).map(ToString::to_string).collect();
    assert_eq!(faults, Vec::<String>::new());
    assert_eq!(set.rules.len(), 32_893);
    let waiting = set.waiting();
    eprintln!("waiting: {waiting:?}");
    assert!(waiting.iter().all(|(name, count)| !name.is_empty() && *count > 0));
    for warning in diagnostics.iter().filter(|d| !d.is_fault()) {
        eprintln!("{warning}");
    }
    let pcres = set.rules.iter().flat_map(|rule| &rule.buffers).flat_map(|buffer| &buffer.steps);
    let pcres: Vec<_> = pcres
        .filter_map(|step| match step {
            Step::Pcre(pcre) => Some(&pcre.regex),
            _ => None,
        })
        .collect();
    let unique: BTreeMap<usize, bool> = pcres
        .iter()
        .map(|regex| (Arc::as_ptr(regex) as usize, matches!(&***regex, Regex::Linear(_))))
        .collect();
    let linear = unique.values().filter(|linear| **linear).count();
    eprintln!("{} expressions, {} different, {linear} of them linear", pcres.len(), unique.len());
    assert!(linear * 2 > unique.len() && unique.len() < pcres.len(), "shared, and mostly linear");
}

/// Cases whose rules Suricata loads and this version refuses: for what.
const REFUSED_CASES: &[(&str, &str)] = &[
    ("cond-log-dns-dig", "`config` rules change logging"),
    ("cond-log-http-testmyids", "`config` rules change logging"),
];

/// As many rules of each case as Suricata loaded.
#[test]
fn the_cases_rules_load_as_suricata_loads_them() {
    let (Some(folder), Some(rules)) = (shared("cases"), shared("rules")) else { return };
    let cases = std::fs::read_to_string(folder.join("cases.jsonl")).unwrap();
    let classes = classes(&rules);
    let mut different = Vec::new();
    for case in cases.lines() {
        let case: serde_json::Value = serde_json::from_str(case).unwrap();
        let file = SourceFile::read(&folder.join("rules").join(case["rules"].as_str().unwrap())).unwrap();
        let (set, diagnostics) = load(&[file], &Vars::default(), &classes, &References::default());
        if Some(set.rules.len() as u64) != case["rules_loaded"].as_u64() {
            let faults = diagnostics.iter().filter(|d| d.is_fault());
            let known = |d: &&Diagnostic| {
                !REFUSED_CASES.iter().any(|(name, why)| case["name"] == *name && d.message.contains(why))
            };
            let faults: Vec<_> = faults.filter(known).map(ToString::to_string).collect();
            if faults.is_empty() && REFUSED_CASES.iter().any(|(name, _)| case["name"] == *name) {
                continue;
            }
            let (name, wanted) = (&case["name"], &case["rules_loaded"]);
            different.push(format!(
                "{name}: {} loaded, not {wanted}\n{}",
                set.rules.len(),
                faults.join("\n")
            ));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn our_own_rules_load_without_a_word() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("signatures");
    let read = |name: &str| SourceFile::read(&folder.join(name)).unwrap();
    let (classes, faults) = Classifications::parse(&read("classification.config"));
    assert_eq!(faults, []);
    let (systems, faults) = References::parse(&read("reference.config"));
    assert_eq!(faults, []);
    let (set, diagnostics) = load(&[read("weir.rules")], &Vars::default(), &classes, &systems);
    assert_eq!(diagnostics, []);
    assert!((15..=25).contains(&set.rules.len()), "{}", set.rules.len());
    for rule in &set.rules {
        assert!((9_100_000..9_101_000).contains(&rule.sid) && rule.msg.starts_with("WEIR "), "{}", rule.sid);
        assert!(!rule.category.is_empty(), "{}", rule.sid);
    }
}

#[test]
fn states_that_no_protocol_of_the_rule_has_are_refused_with_the_nearest() {
    let told = |rule: &str| {
        let (_, faults) = load_text(rule);
        let fault = faults.first().unwrap_or_else(|| panic!("{rule}"));
        (fault.message.clone(), fault.help.clone().unwrap_or_default(), fault.column)
    };
    let table = [
        ("http1:request_lin", "http1 has no state `request_lin`", "did you mean `request_line`?", 13),
        (
            "tls:client_helo_done",
            "tls has no state `client_helo_done`",
            "did you mean `client_hello_done`?",
            11,
        ),
        (
            "ssh:Request_finished",
            "ssh has no state `Request_finished`",
            "did you mean `request_finished`?",
            11,
        ),
        ("tls:", "the name of a state is missing here", "one of: client_cert_done", 11),
        ("tls:<client_hello_done", "`<` in front of a state is of firewall rules", "take it out", 11),
        ("tcp:pre_flow", "`pre_flow` is of firewall rules", "the filters", 11),
        (
            "dns:request_line",
            "dns has no state `request_line`",
            "one of: request_complete, request_started",
            11,
        ),
    ];
    for (word, message, help, column) in table {
        let (said, helped, at) = told(&format!("alert {word} any any -> any any (sid:1;)"));
        assert_eq!((said.as_str(), at), (message, column), "{word}");
        assert!(helped.starts_with(help), "{word}: {helped}");
    }
    // Every protocol names its own, and none takes a nonsense.
    for word in crate::rules::app::words() {
        let rule = |state: &str| format!("alert {word}:{state} any any -> any any (sid:1;)");
        assert!(told(&rule("request_compleet")).1.contains("request_complete"), "{word}");
        let (set, faults) = load_text(&rule("response_started"));
        assert_eq!((set.rules.len(), faults), (1, vec![]), "{word}");
    }
    let option =
        |value: &str| told(&format!("alert tls any any -> any any (app-layer-state:{value}; sid:1;)"));
    assert_eq!(option("<client_helo_done").1, "did you mean `client_hello_done`?");
    assert_eq!(option(">nonsense").0, "tls has no state `nonsense`");
}

#[test]
fn a_state_of_the_other_direction_is_refused() {
    let told =
        |options: &str| refusal(&format!("alert http1:response_line any any -> any any ({options} sid:1;)"));
    let other = "this state is of what is sent to the client, but";
    assert_eq!(told("flow:to_server;"), format!("{other} `flow` asks for the other direction"));
    assert_eq!(told("http.uri; content:\"a\";"), format!("{other} `http.uri` asks for the other direction"));
    assert!(told("app-layer-state:request_line;").contains("a state"));
    one_of("http1:response_line", "flow:to_client; http.stat_code; content:\"200\";");
}

#[test]
fn an_action_config_says_what_it_configures() {
    let rule =
        |options: &str| format!("config dns any any -> any any (dns.query; content:\"a\"; {options} sid:1;)");
    assert_eq!(refusal(&rule("")), "the action is `config`, but the rule has no option `config`");
    let (set, faults) = load_text(&rule("config:logging disable, type tx, scope tx;"));
    assert_eq!((set.rules.len(), faults), (1, vec![]));
}

#[test]
fn lines_of_other_files_and_bytes_that_are_no_text_are_named() {
    let table = [
        ("include other.rules", "rule files have no lines of `include`"),
        ("ipvar HOME_NET any", "rule files have no lines of `ipvar`"),
        ("config classification: a,b,1", "rule files have no lines of `config`"),
        ("suppress gen_id 1, sig_id 2", "rule files have no lines of `suppress`"),
        ("alert tcp any any -> any any (msg:\"a\0b\"; sid:1;)", "a NUL byte stands here, and a rule is text"),
    ];
    for (line, message) in table {
        assert_eq!(refusal(line), message);
    }
    let utf16: Vec<u8> = "\u{feff}alert tcp any any -> any any (sid:1;)\nalert x\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let (set, faults) = load(
        &[SourceFile::new("w", utf16), SourceFile::new("g", "alert tcp any any -> any any (sid:2;)")],
        &Vars::default(),
        &Classifications::default(),
        &References::default(),
    );
    assert_eq!((set.rules.len(), faults.len()), (1, 1));
    assert_eq!(faults[0].message, "the file is UTF-16LE, and rules are ASCII or UTF-8: none of it is read");
}

#[test]
fn a_bit_of_a_transaction_is_for_rules_over_transactions() {
    let rule = "alert tcp any any -> any any (content:\"a\"; xbits:set,a,track tx; sid:1;)";
    assert_eq!(refusal(rule), "the rule matches packets, and `track tx` is of a transaction");
    one_of("http", "http.uri; content:\"a\"; xbits:isset,a,track tx;");
}

#[test]
fn who_sets_a_hosts_bit_comes_before_who_asks() {
    let (set, _) = load_text(
        "alert tcp any any -> any any (xbits:isset,a,track ip_src; sid:1;)\n\
         alert tcp any any -> any any (priority:9; xbits:set,a,track ip_src; sid:2;)\n",
    );
    assert_eq!(set.rules.iter().map(|rule| rule.sid).collect::<Vec<_>>(), [2, 1]);
}

#[test]
fn a_content_in_a_case_that_its_buffer_never_has_is_refused() {
    let told = |options: &str| refusal(&format!("alert http any any -> any any ({options} sid:1;)"));
    let lower = "this buffer is in lower case, so that the content is nowhere found";
    assert_eq!(told("http.host; content:\"Abc\";"), lower);
    assert_eq!(told("http.uri; to_lowercase; content:\"/A\";"), lower);
    assert_eq!(told("http.uri; to_uppercase; content:\"/a\";"), lower.replace("lower", "upper"));
    for options in [
        "http.host; content:\"Abc\"; nocase;",
        "http.host; content:!\"Abc\";",
        "http.host; content:\"a|2E|b\";",
        "http.uri; to_lowercase; xor:\"01\"; content:\"A\";",
    ] {
        one_of("http", options);
    }
}

#[test]
fn digits_may_be_written_in_either_case() {
    for (protocol, buffer, written, folded) in [
        ("tls", "ja3.hash", "E7D7", "e7d7"),
        ("tls", "ja3s.hash", "E7D7", "e7d7"),
        ("ssh", "ssh.hassh", "E7D7", "e7d7"),
        ("tls", "tls.cert_fingerprint", "AA|3a|0B", "aa:0b"),
        ("tls", "tls.cert_serial", "aa|3a|0b", "AA:0B"),
        ("tls", "tls.sni", "aA", "aA"),
        ("tls", "ja3.hash; to_uppercase", "E7", "E7"),
    ] {
        let rule = one_of(protocol, &format!("{buffer}; content:\"{written}\";"));
        let content = rule.buffers.iter().flat_map(|b| b.steps.iter()).find_map(|step| match step {
            Step::Content(content) => Some(content.pattern.to_vec()),
            _ => None,
        });
        assert_eq!(content.as_deref(), Some(folded.as_bytes()), "{buffer}");
    }
}

#[test]
fn a_threshold_that_suricata_refuses_is_refused() {
    let told = |protocol: &str, options: &str| {
        refusal(&format!("alert {protocol} any any -> any any ({options} sid:1;)"))
    };
    let backoff = |track: &str| format!("threshold:type backoff, track {track}, count 1, multiplier 10;");
    assert_eq!(told("tcp", &backoff("by_src")), "`type backoff` counts by flow only");
    one_of("tcp", &backoff("by_flow"));
    let distinct = "detection_filter:track by_src, count 3, seconds 60, unique_on dst_port;";
    for protocol in ["ip", "icmp"] {
        assert_eq!(told(protocol, distinct), "`unique_on` counts ports, which this protocol has not");
    }
    for protocol in ["tcp", "udp", "sctp", "http"] {
        one_of(protocol, distinct);
    }
}

#[test]
fn only_tcp_has_streams() {
    let rule = "alert udp any any -> any any (flow:only_stream; content:\"a\"; sid:1;)";
    assert!(refusal(rule).starts_with("`only_stream` is of TCP"));
    one_of("ip", "flow:only_stream; content:\"a\";");
}
