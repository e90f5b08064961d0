//! No bytes may stop the reader: whatever a file holds, every line is a rule or a fault.

use super::super::lists::Kind;
use super::super::ruleset::Step;
use super::super::{Diagnostic, keyword, saved};
use super::*;
use proptest::prelude::*;

const REAL: &[&str] = &[
    r#"alert tcp $HOME_NET any -> [1.2.3.4,!10.0.0.0/8] [80,1024:] (msg:"a\;b"; flow:established,to_server; content:"|00 01|ab"; offset:2; depth:9; content:!"x"; within:3; pcre:"/a(b|c)+\s/Ri"; byte_test:2,>,4,0,relative; sid:1; rev:2;)"#,
    r#"drop udp any 53 <> $EXTERNAL_NET !$HTTP_PORTS (byte_extract:1,0,n,string,dec; content:"q"; depth:n; threshold:type limit, track by_src, seconds 60, count 1; flowbits:isset,a|b; classtype:bad; sid:2;)"#,
    r#"alert ip any any -> any any (ip_proto:!17; ttl:<5; fragbits:+M; tos:x10; ipopts:rr; metadata:a b, c d; reference:url,x.y; tag:host,5,packets,src; sid:3;)"#,
    r#"pass tcp-pkt any any -> any any (tcp.hdr; content:"|02 04|"; offset:20; byte_jump:2,0,little,post_offset -1; isdataat:!1,relative; flags:S,12; dsize:1<>9; sid:4;)"#,
    r#"alert http any any => any any (http.uri; content:"a"; from_base64:offset 2, mode strict; content:"b"; http.host; dotprefix; bsize:>2; content:".c"; file.data:to_client; absent:or_else; entropy:value > 4.5; urilen:3<>9,raw; sid:5;)"#,
    r#"alert tcp any any -> any any (content:"a"; http_uri; nocase; pcre:"/b(.)/UR,flow:x"; uricontent:!"c"; base64_decode:bytes 9, offset 1, relative; base64_data; content:"d"; flowint:n,+,1; sid:6;)"#,
    r#"alert tls any any -> any any (tls.certs; content:"a"; xor:"0d0a"; content:"b"; ssl_state:client_hello|!unknown; tls.cert_chain_len:&0x4=0x4; app-layer-event:tls.invalid_certificate; requires:version >= 8 < 10; sid:7;)"#,
    r#"alert tcp-pkt any any -> any any (dcerpc.iface:afa8bd80-7d8a-11c9-bef4-08002b102989,>1,any_frag; dce_opnum:1,3-4; asn1:double_overflow, relative_offset -2; byte_math:bytes 2, offset 0, oper +, rvalue 1, result v, dce; sid:8;)"#,
];

fn read(bytes: Vec<u8>) -> (RuleSet, Vec<Diagnostic>) {
    load(
        &[SourceFile::new("p", bytes)],
        &Vars::default(),
        &Classifications::default(),
        &References::default(),
    )
}

/// A place in a rule and what to do there.
fn mutation() -> impl Strategy<Value = (usize, u8, Vec<u8>)> {
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..4),
        prop::sample::select(vec![
            "\\", "\"", ";", ":", ",", "|", "!", "[", "]", "(", ")", "$", "/", "-", "\n", "\\\n", "0", " "
        ])
        .prop_map(|s| s.as_bytes().to_vec()),
    ];
    (0usize..400, 0u8..3, piece)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn random_bytes_are_read_to_the_end(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let (set, diagnostics) = read(bytes);
        diagnostics.iter().for_each(|d| drop(d.to_string()));
        prop_assert!(set.rules.is_empty() || !diagnostics.is_empty() || set.rules.len() == 1);
    }

    #[test]
    fn a_spoilt_rule_is_loaded_or_told_of(which in 0..REAL.len(), changes in prop::collection::vec(mutation(), 1..4)) {
        let mut bytes = REAL[which].as_bytes().to_vec();
        for (at, how, piece) in changes {
            let at = at.min(bytes.len());
            let end = if how == 0 { at } else { (at + usize::from(how) * 3).min(bytes.len()) };
            bytes.splice(at..end, piece);
        }
        let comment = bytes.trim_ascii().is_empty() || bytes.trim_ascii_start().starts_with(b"#");
        let (set, diagnostics) = read(bytes);
        // A rule that requires another version is left out with a warning.
        prop_assert!(comment || !set.rules.is_empty() || !diagnostics.is_empty());
        for diagnostic in &diagnostics {
            prop_assert!(diagnostic.line >= 1 && diagnostic.column >= 1 && !diagnostic.to_string().is_empty());
        }
    }
}

/// Values that some keyword or other takes.
const VALUES: &[&str] = &[
    "",
    "1",
    "\"a\"",
    "!\"ab\"",
    "relative",
    "1,relative",
    "offset 1",
    "<9",
    "1<>9",
    "\"/a(b)/\"",
    "\"/a/U\"",
    "tls",
    "a,+,1",
    "http.x",
    "2,=,3,0",
    "2,0,relative",
    "1,0,v",
    "v",
    "or_else",
    "to_client",
    "isset,a",
    "version >= 9",
    "extract 1 0",
    "pdu",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Any keywords in any order: a rule or a fault with a place, and no step is lost on the way.
    #[test]
    fn any_keywords_in_any_order_are_loaded_or_told_of(
        protocol in prop::sample::select(vec!["tcp", "udp", "ip", "http", "tls", "dns", "smb", "icmp", "tcp-stream"]),
        words in prop::collection::vec((any::<prop::sample::Index>(), 0..VALUES.len()), 1..7),
        contents in 0usize..3,
    ) {
        let mut names: Vec<&str> = keyword::names().filter(|name| *name != "sid").collect();
        names.sort_unstable();
        let option = |(name, value): &(prop::sample::Index, usize)| match (name.get(&names), VALUES[*value]) {
            (name, "") => format!("{name}; "),
            (name, value) => format!("{name}:{value}; "),
        };
        let mut options: Vec<String> = words.iter().map(option).collect();
        (0..contents).for_each(|n| options.insert(n * 2 % (options.len() + 1), "content:\"xyz\"; ".into()));
        let line = format!("alert {protocol} any any -> any any ({}sid:1;)", options.concat());
        let (set, diagnostics) = read(line.clone().into_bytes());
        prop_assert!(!set.rules.is_empty() || !diagnostics.is_empty(), "{line}");
        let written = line.matches("xyz").count();
        for rule in &set.rules {
            fn count(steps: &[Step]) -> usize {
                steps.iter().map(|step| match step {
                    Step::Content(content) => usize::from(&*content.pattern == b"xyz"),
                    Step::Base64(base64) => count(&base64.steps),
                    _ => 0,
                }).sum()
            }
            let kept: usize = rule.buffers.iter().map(|buffer| count(&buffer.steps)).sum();
            prop_assert_eq!(kept, written, "{}", line);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// However many lines are read together, and by whom: the same set, faults and all, down to what rules share.
    #[test]
    fn parts_read_side_by_side_come_to_the_same(
        picked in prop::collection::vec((0..REAL.len(), 1u32..3, 0usize..4), 1..24),
        with_lists: bool,
    ) {
        let line = |(rule, rev, how): &(usize, u32, usize)| {
            let text = REAL[*rule].replace("sid:", &format!("classtype:none; flowbits:set,f{rule}{rev}; rev:{rev}; sid:"));
            let text = text.replace("rev:2;)", ")");
            match how {
                0 => format!("# {text}"),
                1 => text.replace("any", "anny"),
                _ => text,
            }
        };
        let text: Vec<String> = picked.iter().map(line).collect();
        let files = [SourceFile::new("a", text.join("\n")), SourceFile::new("b", REAL[0])];
        let load = |share: usize| {
            let mut lists = Lists::default();
            if with_lists {
                lists.add(Kind::Enable, &SourceFile::new("on", "1\n2\n"));
                lists.add(Kind::Drop, &SourceFile::new("drop", "re:content"));
            }
            let (classes, references) = (Classifications::default(), References::default());
            let loading = load_in_parts(&files, &Vars::default(), &classes, &references, lists, |_| share);
            saved::write(&loading, saved::Fingerprint([0; 16])).unwrap()
        };
        let whole = load(usize::MAX);
        for share in [1, 2, 7] {
            prop_assert!(load(share) == whole, "{share} lines a part");
        }
    }
}

#[test]
fn the_rules_that_are_spoilt_are_good_to_begin_with() {
    let (set, diagnostics) = read(REAL.join("\n").into_bytes());
    assert_eq!(diagnostics.iter().filter(|d| d.is_fault()).count(), 0, "{diagnostics:?}");
    assert_eq!(set.rules.len(), REAL.len());
}
