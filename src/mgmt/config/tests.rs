use super::key_table::{Row, table};
use super::print::{Notes, print};
use super::*;

fn load(text: &str) -> Result<Loaded, Faults> {
    let text = SourceText { name: "weir.toml".into(), text: text.into() };
    load_texts(&[Arc::new(text)], Profile::Inline, PathBuf::new())
}

fn faults(text: &str) -> Vec<String> {
    load(text).err().map(|f| f.0.iter().map(ToString::to_string).collect()).unwrap_or_default()
}

#[test]
fn an_unknown_key_names_the_nearest_with_line_column_and_caret() {
    assert_eq!(
        faults("[lcores]\nwrokers = 2\n"),
        [
            "error: unknown key `lcores.wrokers`\n --> weir.toml:2:1\n  |\n2 | wrokers = 2\n  | ^^^^^^^ the nearest key is `workers`"
        ]
    );
}

#[test]
fn all_faults_are_reported_at_once_in_the_order_of_the_keys() {
    let text = "profile = \"snort\"\n[sessions]\nsize = \"many\"\nfull = \"evict\"\n[timeouts]\ntcp-new = 30\n[sesions]\n";
    insta::assert_snapshot!(faults(text).join("\n\n"));
}

#[test]
fn what_does_not_hold_together_is_reported_at_its_key() {
    let text = r#"
[[port]]
name = "a"
device = "net_null0"
[[port]]
name = "a"
[[pair]]
ports = ["a", "outsde"]
kind = "routed"
[[pair]]
ports = ["a"]
[lcores]
workers = 2
worker-cpus = [1]
ring-size = 1000
[pools]
frames = 2047
[host-os-policy]
"10.0.0.0/33" = "linucks"
"#;
    insta::assert_snapshot!(faults(text).join("\n\n"));
}

#[test]
fn what_is_not_toml_is_said_with_its_place() {
    let found = faults("[lcores\nworkers = 2\n[sessions]\nsize = \n");
    assert!(found.len() >= 2, "{found:?}");
    assert!(found[0].contains("this is not TOML") && found[0].contains("weir.toml:1:"), "{}", found[0]);
}

#[test]
fn a_section_written_as_a_value_is_said_so() {
    let found = faults("lcores = 3\nport = \"eth0\"\nvars = { address = 1 }\n");
    assert_eq!(found.len(), 3);
    assert!(found[0].contains("write it as [[port]]"), "{found:?}");
    assert!(found[1].contains("write it as [lcores]"), "{found:?}");
    assert!(found[2].contains("write it as [vars.address]"), "{found:?}");
}

#[test]
fn sets_win_over_the_file_and_text_needs_no_quotes() {
    let file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    std::fs::write(file.path(), "[lcores]\nworkers = 2\n[timeouts]\ntcp-new = \"5s\"\n").unwrap();
    let sets = ["lcores.workers=4".into(), "timeouts.tcp-new=7s".into(), "vars.address.HOME_NET=any".into()];
    let sources = Sources { file: Some(file.path()), sets: &sets, profile: Profile::Inline };
    let loaded = sources.load().unwrap();
    assert_eq!(loaded.config.lcores.workers, 4);
    assert_eq!(loaded.config.timeouts.tcp_new.as_secs(), 7);
    assert_eq!(loaded.config.vars.address["HOME_NET"], "any");
    assert_eq!(loaded.config.vars.address["EXTERNAL_NET"], "!$HOME_NET", "names not given stay");
    assert_eq!(loaded.places["lcores.workers"].source.name, "--set lcores.workers=4");
}

#[test]
fn a_wrong_set_is_shown_as_it_was_given() {
    let sets = ["lcores.workers=many".into(), "nonsense".into()];
    let sources = Sources { file: None, sets: &sets, profile: Profile::Inline };
    let text = sources.load().unwrap_err().to_string();
    assert!(text.contains("--> --set lcores.workers=many:1:"), "{text}");
    assert!(text.contains("unknown key `nonsense`"), "{text}");
}

#[test]
fn a_profile_changes_the_defaults_wherever_it_is_written() {
    let loaded = load("[sessions]\nsize = 100\n").unwrap().config;
    assert_eq!((loaded.timeouts.tcp_established.as_secs(), loaded.sessions.size), (3600, 100));
    let loaded = load("profile = \"suricata\"\n[sessions]\nsize = 100\n").unwrap().config;
    assert_eq!((loaded.timeouts.tcp_established.as_secs(), loaded.sessions.size), (600, 100));
    assert_eq!(loaded.host_os_policy["0.0.0.0/0"], "windows");
}

const SHIPPED: &str = include_str!("../../../conf/weir.toml");

#[test]
fn the_shipped_file_parses_and_equals_the_defaults() {
    let mut shipped = load(SHIPPED).unwrap_or_else(|f| panic!("{f}")).config;
    let mut defaults = Config::defaults(Profile::Inline);
    let (shipped, defaults) = (print(&mut shipped, &Notes::About), print(&mut defaults, &Notes::About));
    assert_eq!(shipped, defaults);
    let written = documented_defaults(Profile::Inline);
    assert!(SHIPPED == written, "run: weir config show --defaults > conf/weir.toml");
}

#[test]
fn every_key_appears_in_the_shipped_file() {
    let rows = table(Profile::Inline);
    assert!(rows.len() > 60, "{}", rows.len());
    for row in rows {
        let last = row.key().rsplit('.').next().unwrap_or_default();
        let wanted = match row {
            Row::Key(_) => format!("{last} = "),
            Row::Section(_) => format!("{last}]"),
        };
        let found = SHIPPED.lines().any(|line| match row {
            Row::Key(_) => line.trim_start_matches('#').starts_with(&wanted),
            Row::Section(_) => line.trim_end_matches(']').ends_with(wanted.trim_end_matches(']')),
        });
        assert!(found, "{} is not in conf/weir.toml", row.key());
    }
}

#[test]
fn the_reference_page_is_what_the_table_says() {
    let written = include_str!("../../../docs/configuration.md") == explain::reference();
    assert!(written, "run: weir config reference > docs/configuration.md");
}

#[test]
fn a_key_is_explained_by_its_name_with_or_without_numbers_and_a_slip_names_the_nearest() {
    let text = |key: &str| explain::explain(key).map(|explained| explained.text(None));
    let tcp = text("timeouts.tcp-established").unwrap();
    for part in
        ["TCP after it.", "time", "ms, s, m, h or d", "\"3600s\" (profile \"suricata\": \"600s\")", "live"]
    {
        assert!(tcp.contains(part), "{part}: {tcp}");
    }
    assert_eq!(text("port.0.mtu"), text("port.mtu"));
    assert!(
        text("port.mtu").unwrap().contains("68 to 9216") && text("port.mtu").unwrap().contains("restart")
    );
    let lcores = text("lcores").unwrap();
    assert!(
        lcores.starts_with("[lcores]")
            && lcores.contains("lcores.worker-cpus ")
            && lcores.contains("  CPUs of the workers, one each"),
        "{lcores}"
    );
    assert!(text("vars.address.MINE").unwrap().contains("names come and go live"));
    assert!(text("lcores.wrokers").unwrap_err().contains("the nearest is `lcores.workers`"));
    assert!(text("wrokers").unwrap_err().contains("the nearest is `lcores.workers`"));
    assert!(text("ring-size").unwrap_err().contains("there is lcores.ring-size"));
    assert!(explain::overview().iter().any(|(key, _)| key == "host-os-policy"));
}

#[test]
fn every_key_is_explained_as_the_table_has_it() {
    for row in table(Profile::Suricata) {
        let explained = explain::explain(row.key()).unwrap().text(None);
        assert!(explained.contains(row.key()), "{explained}");
    }
}

#[test]
fn what_is_printed_reads_back_as_the_same() {
    let text = "[[port]]\nname = \"a\"\ndevice = \"net_null0\"\n[[port]]\nname = \"b\"\ndevice = \"net_null1\"\nmtu = 9000\n\
                [[pair]]\nports = [\"a\", \"b\"]\nmode = \"ips\"\n[host-os-policy]\n\"10.0.0.0/8\" = \"linux\"\n";
    let mut once = load(text).unwrap();
    let printed = print(&mut once.config, &Notes::Origins(&once.places));
    assert!(printed.contains("mtu = 9000  # weir.toml:7\n"), "{printed}");
    assert!(printed.contains("mtu = 1500  # default\n"), "{printed}");
    let mut twice = load(&printed).unwrap_or_else(|f| panic!("{f}"));
    assert_eq!(print(&mut twice.config, &Notes::About), print(&mut once.config, &Notes::About));
}

#[test]
fn cpus_that_are_not_there_or_serve_two_are_reported_at_their_keys() {
    let machine = Machine { present: vec![0, 1, 2, 3], allowed: vec![0, 1, 2], ..Machine::default() };
    let faults = |text: &str| {
        let faults = load(&format!("[lcores]\n{text}")).unwrap().check_cpus(&machine);
        faults.err().map(|f| f.0.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap_or_default()
    };
    let absent = faults("main-cpu = 9\nworkers = 2\nworker-cpus = [1, 3]\n");
    assert_eq!(absent.len(), 2, "{absent:?}");
    let (not_there, not_ours) = (&absent[0], &absent[1]);
    assert!(
        not_there.contains("CPU 9 for the main lcore is not there") && not_there.contains("2 | main-cpu")
    );
    assert!(not_there.contains("this machine has 0, 1, 2, 3"), "{not_there}");
    assert!(not_ours.contains("CPU 3 for worker 1 is not one that this process may use"), "{not_ours}");
    let same = faults("main-cpu = 1\nworkers = 2\nworker-cpus = [1, 2]\nmanagement-cpu = 2\n");
    assert_eq!(same.len(), 2, "{same:?}");
    assert!(same[0].contains("CPU 1 is to serve worker 0 and the main lcore"), "{}", same[0]);
    assert!(same[1].contains("CPU 2 is to serve management and worker 1") && same[1].contains("share-cpus"));
    assert!(faults("share-cpus = true\nmain-cpu = 1\nworker-cpus = [1]\n").is_empty());
    assert!(faults("workers = 9\n").is_empty(), "auto shares when there are too few");
    let crowded = faults("main-cpu = 1\nworkers = 3\n");
    assert!(crowded.len() == 1 && crowded[0].contains("worker 2 and worker 0"), "{crowded:?}");
    assert!(faults("worker-cpus = [0]\nmanagement-cpu = 1\n").is_empty(), "the main lcore takes another");
}

#[test]
fn service_sets_and_plugins_are_held_to_each_other() {
    let plugin = |name: &str, needs: &str| {
        format!("[[plugin]]\npackage = \"{name}\"\npath = \"/opt/{name}.so\"\nneeds = [{needs}]\n")
    };
    let text = [
        "[[port]]\nname = \"outside\"\ndevice = \"net_null0\"\n[services]\nchain-length = 2\ncall-limit = \"50ms\"\n".to_owned(),
        plugin("one", "\"two\""),
        plugin("two", "\"one\""),
        plugin("three", ""),
        plugin("idp", ""),
        "[[plugin]]\nname = \"fliter\"\n[[plugin]]\n[[plugin]]\npackage = \"rel\"\npath = \"rel.so\"\n".into(),
        "[[service-set]]\nname = \"a\"\nports = [\"outsde\"]\nforward-flow = [\"ipd\", \"idp\", \"idp\"]\n".into(),
        "[[service-set]]\nname = \"a\"\nforward-flow = [\"one\", \"cos\", \"idp\"]\nmatch = [\"tcp from 10.0.0.0/99\"]\n".into(),
    ]
    .concat();
    let found = faults(&text);
    let expected = [
        "is no network",
        "\"three\" is external plugin number 3, and 2 may be loaded",
        "\"idp\" is the name of a built-in plugin",
        "there is no built-in plugin \"fliter\"",
        "the nearest is \"filter\"",
        "this plugin has no name",
        "\"rel\" needs the full path",
        "\"one\" needs a plugin that needs it in turn",
        "there is no port named \"outsde\"",
        "the nearest port is \"outside\"",
        "there is no plugin \"ipd\"",
        "the nearest is \"idp\"",
        "\"idp\" stands twice in this order",
        "two service sets are named \"a\"",
        "has 3 plugins, and a chain has at most 2",
        "has the external plugin \"one\" and no reverse-flow",
        "50ms is too short for the watchdog",
    ];
    for part in expected {
        assert!(found.iter().any(|fault| fault.contains(part)), "{part}: {}", found.join("\n\n"));
    }
    assert!(found.iter().all(|fault| fault.contains("--> weir.toml:")), "{found:?}");
}

#[test]
fn outputs_have_names_and_files_of_their_own() {
    let text = "[outputs]\ndirectory = \"/var/log\"\n[[outputs.further-eve]]\nname = \"eve\"\nfile = \"a\"\n\
                [[outputs.further-eve]]\nname = \"\"\nfile = \"/var/log/a\"\n\
                [[outputs.further-eve]]\nname = \"b\"\nto = \"syslog\"\n[[outputs.further-eve]]\nname = \"b\"\nto = \"syslog\"\n\
                [outputs.fast]\nenabled = true\nfile = \"eve.json\"\nrotate-size = \"64MiB\"\nrotate-interval = \"1d\"\n";
    let found = faults(text);
    let expected = [
        "two outputs are named \"eve\"",
        "this output has no name",
        "two outputs are named \"b\"",
        "[outputs.further-eve.0] writes /var/log/a, too",
        "[outputs.eve] writes /var/log/eve.json, too",
    ];
    assert_eq!(found.len(), expected.len(), "{}", found.join("\n\n"));
    for (fault, part) in found.iter().zip(expected) {
        assert!(fault.contains(part) && fault.contains("--> weir.toml:"), "{part}: {fault}");
    }
}

#[test]
fn what_some_output_wants_is_wanted() {
    let text = "[outputs.eve]\ntypes = [\"alert\"]\n[[outputs.further-eve]]\nname = \"dns\"\ntypes = [\"dns\", \"flow\"]\n";
    let outputs = load(text).unwrap().config.outputs;
    let dns = EventType::all().find(|kind| kind.name() == "dns").unwrap();
    let wants = |kind| outputs.want(kind);
    assert!(wants(EventType::Alert) && wants(EventType::Flow) && wants(dns));
    assert!(!wants(EventType::Drop) && !wants(EventType::Stats));
    let off = load(
        &format!("{text}[outputs.fast]\nenabled = true\n")
            .replace("[outputs.eve]", "[outputs.eve]\nenabled = false"),
    );
    assert!(!off.unwrap().config.outputs.want(EventType::Alert));
}

/// Each fault is at the key, and only the named one.
#[test]
fn two_doors_at_one_place_and_devices_that_cannot_be_are_faults_at_their_keys() {
    let port = |device: &str| format!("[[port]]\nname = \"a\"\ndevice = \"{device}\"\n");
    let doors = "[rpc]\nsocket = \"/run/weir/a.sock\"\nlisten = \"127.0.0.1:7071\"\n";
    for (text, key, said) in [
        (
            format!("{doors}[suricata-socket]\npath = \"/run/weir/./a.sock\"\n"),
            "suricata-socket.path",
            "rpc.socket",
        ),
        (format!("{doors}[http]\nlisten = \"127.0.0.1:7071\"\n"), "http.listen", "rpc.listen"),
        (format!("{doors}[http]\nlisten = \"0.0.0.0:7071\"\n"), "http.listen", "rpc.listen"),
        (format!("{doors}[http]\nlisten = \"[::]:7071\"\n"), "http.listen", "rpc.listen"),
        ("[rpc]\nlisten = \"127.0.0.1:9690\"\n".into(), "rpc.listen", "http.listen"),
        (
            "[outputs.eve]\nto = \"unix-stream\"\nsocket = \"/a.sock\"\n[rpc]\nsocket = \"/a.sock\"\n".into(),
            "outputs.eve.socket",
            "rpc.socket",
        ),
        (port("net_nulx0"), "port.0.device", "the nearest is \"net_null0\""),
        (port("eth1"), "port.0.device", "net_af_packet0,iface=eth1"),
        (port("net_af_packet0"), "port.0.device", "none is named"),
        (port("net_null0") + &port("net_null0,copy=1").replace("\"a\"", "\"b\""), "port.1.device", "as well"),
    ] {
        let Faults(faults) = load(&text).unwrap_err();
        let keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
        assert_eq!(keys, [key], "{text}");
        assert!(faults[0].to_string().contains(said) && faults[0].place.is_some(), "{}", faults[0]);
    }
    for text in [
        format!("{doors}[http]\nlisten = \"127.0.0.2:7071\"\n"),
        "[rpc]\nlisten = \"127.0.0.1:0\"\n[http]\nlisten = \"127.0.0.1:0\"\n".into(),
        port("0000:03:00.0") + &port("net_tap1,iface=new").replace("\"a\"", "\"b\""),
        port("vmbus:635a7ae3-091e-4410-ad59-667c4f8c04c3"),
    ] {
        load(&text).unwrap_or_else(|faults| panic!("{faults}"));
    }
}

#[test]
fn interfaces_that_are_not_there_are_named_with_those_that_are() {
    let machine = Machine { interfaces: vec!["lo".into(), "eth0".into()], ..Machine::default() };
    let said = |device: &str| {
        let loaded = load(&format!("[[port]]\nname = \"a\"\ndevice = \"{device}\"\n")).unwrap();
        loaded.check_interfaces(&machine).err().map(|faults| faults.to_string()).unwrap_or_default()
    };
    assert_eq!(
        (said("net_af_packet0,iface=eth0"), said("net_tap0,iface=new"), said("net_null0")),
        Default::default()
    );
    let missing = said("net_af_packet0,iface=eth9");
    assert!(missing.contains("there is no interface eth9 (iface) for port \"a\""), "{missing}");
    assert!(
        missing.contains("weir.toml:3") && missing.contains("this machine has lo, eth0; the nearest is eth0"),
        "{missing}"
    );
    assert!(said("net_pcap0,rx_iface=eth1,tx_iface=eth0").contains("eth1 (rx_iface)"));
    assert!(said("net_tap0,remote=eth1").contains("eth1 (remote)"));
}

/// A key of a megabyte cost an hour.
#[test]
fn for_a_very_long_key_nothing_near_is_looked_for() {
    let long = "x".repeat(1 << 20);
    let Faults(faults) = load(&format!("{long} = 1\n[lcores]\n{long} = 1\n")).unwrap_err();
    assert_eq!(faults.len(), 2);
    assert!(explain::explain(&long).is_err());
    assert_eq!(fault::nearest(&"workers".repeat(20), ["workers"]), None);
}

#[test]
fn names_with_control_characters_and_memory_beyond_any_machine_are_faults_at_their_keys() {
    let told = faults(
        "[[port]]\nname = \"a\\nb\"\ndevice = \"net_null0\"\n[[service-set]]\nname = \"\\u001b[31m\"\n",
    )
    .join("\n");
    assert!(
        told.contains("the name \"a\\nb\" has characters that no terminal shows\n --> weir.toml:2:8"),
        "{told}"
    );
    assert!(told.contains("weir.toml:5:8"), "{told}");
    let told = faults("[eal]\nmemory = 0x7fffffffffffffff\n").join("\n");
    assert!(told.contains("more than any machine has\n --> weir.toml:2:10"), "{told}");
}
