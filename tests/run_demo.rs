//! `weir run -c conf/demo.toml`: the appliance on vdevs, what `weir ctl` says of it, and its end.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use serde_json::Value;
use std::process::{Command, Output};
use support::child::Running;
use support::wait::until;
use support::{Bench, Events, conserved, weir};

/// conf/demo.pcap's.
const FRAMES: u64 = 22;

/// A running appliance with its files in a folder of the test.
struct Demo {
    appliance: Running,
    bench: Bench,
}

fn arguments(bench: &Bench, config: &str) -> Vec<String> {
    let folder = bench.path("out").display().to_string();
    let sets = [
        format!("outputs.directory={folder:?}"),
        format!("rpc.socket={:?}", bench.path("weir.sock").display().to_string()),
        "outputs.eve.stats-interval=\"200ms\"".into(),
        "outputs.eve.flush-interval=\"20ms\"".into(),
    ];
    let mut all = vec!["run".to_owned(), "-c".to_owned(), config.to_owned()];
    all.extend(sets.into_iter().flat_map(|set| ["--set".to_owned(), set]));
    all
}

impl Demo {
    fn start(bench: Bench, command: Command) -> Demo {
        let appliance = Running::start(command, &bench, "appliance");
        let mut demo = Demo { appliance, bench };
        until("the appliance to answer", || {
            assert!(demo.appliance.ended().is_none(), "ended: {}", demo.appliance.stderr());
            demo.ctl(&["status"]).status.success().then_some(())
        });
        demo
    }

    /// With the configuration that is shipped.
    fn new() -> Demo {
        let bench = Bench::new();
        let mut command = weir();
        command.args(arguments(&bench, "conf/demo.toml"));
        Demo::start(bench, command)
    }

    fn ctl(&self, words: &[&str]) -> Output {
        weir().arg("ctl").args(words).arg("--socket").arg(self.bench.path("weir.sock")).output().unwrap()
    }

    #[track_caller]
    fn json(&self, words: &[&str]) -> Value {
        let output = self.ctl(&[words, &["--json"]].concat());
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn wait_for_frames(&self) {
        until("all frames of the capture", || {
            (self.json(&["counters"])["decoder.pkts"].as_u64() == Some(FRAMES)).then_some(())
        });
    }

    #[track_caller]
    fn end(mut self) -> Events {
        self.appliance.terminate();
        self.ended()
    }

    #[track_caller]
    fn ended(&mut self) -> Events {
        let status = self.appliance.wait();
        assert!(status.success(), "{status}: {}", self.appliance.stderr());
        assert_eq!(conserved(&self.appliance.stdout()), FRAMES);
        assert!(!self.bench.path("weir.sock").exists(), "the socket is taken away");
        Events::read(&self.bench.path("out/eve.json"))
    }
}

#[test]
fn the_demo_inspects_its_capture_and_ends_in_order() {
    let demo = Demo::new();
    demo.wait_for_frames();
    until("a stats record", || {
        (!Events::read(&demo.bench.path("out/eve.json")).of("stats").is_empty()).then_some(())
    });
    let events = demo.end();
    let mut sids = events.sids();
    sids.sort_unstable();
    assert_eq!(sids, [9_900_001, 9_900_001, 9_900_001, 9_900_002]);
    for alert in events.of("alert") {
        let blocked = alert["alert"]["signature_id"] == 9_900_002;
        assert_eq!(alert["alert"]["action"], if blocked { "blocked" } else { "allowed" });
        assert_eq!(alert["in_iface"], "outside");
        assert!(alert.get("pcap_cnt").is_none(), "{alert}");
    }
    assert_eq!(events.of("flow").len(), 3);
    let drops = events.of("drop");
    assert!(drops.iter().any(|d| d["drop"]["reason"] == "rules"), "{drops:?}");
    let stats = events.of("stats");
    assert_eq!(stats.last().map(|s| &s["stats"]["decoder"]["pkts"]), Some(&Value::from(FRAMES)));
    assert_eq!(stats.last().map(|s| &s["stats"]["capture"]["dpdk"]["imissed"]), Some(&Value::from(0)));
}

#[test]
fn ctl_answers_while_it_runs() {
    let demo = Demo::new();
    demo.wait_for_frames();
    assert_eq!(demo.json(&["version"])["version"], env!("CARGO_PKG_VERSION"));
    let status = demo.json(&["status"]);
    assert_eq!((status["workers"].as_u64(), status["sessions"].as_u64()), (Some(1), Some(3)), "{status}");
    assert_eq!(status["rules"], serde_json::json!({ "loaded": 2, "refused": 0 }));
    assert_eq!(status["pairs"][0], serde_json::json!({ "ports": ["outside", "inside"], "mode": "ips" }));

    let drops = demo.json(&["drops"]);
    let line = |drops: &Value, key: &str, name: &str| {
        let lines = drops["drops"].as_array().unwrap();
        lines.iter().find(|line| line[key] == name).cloned().unwrap_or_else(|| panic!("no {name} in {drops}"))
    };
    let rules = line(&drops, "reason", "rules");
    assert_eq!(
        (&rules["frames"], &rules["new"]),
        (&1.into(), &1.into()),
        "the first look tells all: {drops}"
    );
    let dropped = drops["dropped_new"].as_u64();
    assert_eq!((drops["received"].as_u64(), drops["received_new"].as_u64()), (Some(FRAMES), Some(FRAMES)));
    let again = demo.json(&["drops"]);
    assert_eq!((&again["dropped_new"], &again["received_new"]), (&0.into(), &0.into()), "{again}");
    assert_eq!(line(&again, "reason", "rules")["frames"], 1, "{again}");
    assert_eq!(demo.json(&["drops", "--as", "other"])["dropped_new"].as_u64(), dropped);
    let parts = demo.json(&["drops", "--by", "port,lcore", "--over", "10ms"]);
    let part = line(&parts, "port", "outside");
    let facts = (&part["lcore"], part["frames"].as_u64(), &part["new"]);
    assert_eq!(facts, (&"worker 0".into(), dropped, &0.into()), "{parts}");
    let counters = demo.json(&["counters", "ips."]);
    assert_eq!(counters["ips.blocked"].as_u64(), dropped, "{counters}");
    assert!(counters.as_object().unwrap().keys().all(|name| name.starts_with("ips.")), "{counters}");

    let output = demo.json(&["counters", "output.eve."]);
    let counted = ["generated", "exported", "lost"].map(|what| output[format!("output.eve.{what}")].as_u64());
    assert!(counted[0] > Some(0) && counted[1] <= counted[0] && counted[2] == Some(0), "{output}");

    let port = demo.json(&["counters", "port.outside."]);
    let counted = (port["port.outside.rx_packets"].as_u64(), port["port.outside.rx_missed"].as_u64());
    assert_eq!(counted, (Some(FRAMES), Some(0)), "{port}");

    let sessions = demo.json(&["sessions"]);
    assert_eq!(sessions.as_array().map(Vec::len), Some(3), "{sessions}");
    let icmp = demo.json(&["sessions", "--proto", "1"]);
    assert_eq!(icmp.as_array().map(Vec::len), Some(1), "{icmp}");
    assert_eq!(
        (icmp[0]["packets_to_server"].as_u64(), icmp[0]["packets_to_client"].as_u64()),
        (Some(3), Some(3))
    );

    let lcores = demo.json(&["lcores"]);
    let roles: Vec<_> = lcores.as_array().unwrap().iter().map(|l| l["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["main", "worker 0"]);
    assert_eq!(lcores[1]["frames"].as_u64(), Some(FRAMES), "{lcores}");
    let ring = (lcores[1]["ring_used"].as_u64(), lcores[1]["ring_size"].as_u64());
    assert!(ring.0 == Some(0) && ring.1 >= Some(1024), "{lcores}");

    for words in [&["version"][..], &["status"], &["counters"], &["sessions"], &["drops"], &["lcores"]] {
        let table = demo.ctl(words);
        assert!(table.status.success() && !table.stdout.is_empty(), "{words:?}");
    }
    demo.end();
}

#[test]
fn ctl_tells_why_a_session_was_dropped() {
    let demo = Demo::new();
    demo.wait_for_frames();
    let dropped = until("the record of a drop", || {
        let events = Events::read(&demo.bench.path("out/eve.json"));
        events.of("alert").into_iter().find(|e| e["alert"]["action"] == "blocked").cloned()
    });
    let end = |side: &str| {
        format!("{}:{}", dropped[format!("{side}_ip")].as_str().unwrap(), dropped[format!("{side}_port")])
    };
    let proto = dropped["proto"].as_str().unwrap();
    // The other way round is the same question.
    let why = demo.json(&["why", proto, &end("dest"), &end("src")]);
    let drop = &why["drops"][0];
    assert_eq!(
        (&drop["reason"], &drop["plugin"], &drop["port"]),
        (&"rules".into(), &"idp".into(), &"outside".into())
    );
    assert_eq!((&drop["rule"]["sid"], &drop["rule"]["generation"]), (&9_900_002.into(), &1.into()), "{why}");
    assert_eq!(drop["flow_id"], dropped["flow_id"]);
    assert!((1..=FRAMES).contains(&drop["packet"].as_u64().unwrap()), "{why}");
    assert_eq!(why["sessions"][0]["verdict"], "drop", "{why}");
    let text = demo.ctl(&["why", &format!("{proto} {} -> {}", end("src"), end("dest"))]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("dropped: rules") && text.contains("rule         sid 9900002"), "{text}");
    let nothing = demo.ctl(&["why", "tcp", "192.0.2.1:1", "192.0.2.2:2"]);
    assert!(String::from_utf8_lossy(&nothing.stdout).contains("no drop between these ends is remembered"));
    let refused = demo.ctl(&["why", "tcp", "192.0.2.1:1", "[2001:db8::1]:2"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("the other of IPv6"));
    demo.end();
}

/// The capture once more, in the VLANs of a customer.
#[test]
fn why_names_the_vlans_that_packets_came_in() {
    let bench = Bench::new();
    let plain = std::fs::read("conf/demo.pcap").unwrap();
    let capture = bench.file("tagged.pcap", tagged(&plain, &[100, 7]));
    let shipped = std::fs::read_to_string("conf/demo.toml").unwrap();
    let rules = std::path::absolute("conf/demo.rules").unwrap().display().to_string();
    let config = shipped.replace("conf/demo.pcap", capture.to_str().unwrap()).replace("demo.rules", &rules);
    let config = bench.file("tagged.toml", config);
    let mut command = weir();
    command.args(arguments(&bench, config.to_str().unwrap()));
    let demo = Demo::start(bench, command);
    demo.wait_for_frames();
    let dropped = until("the record of a drop", || {
        let events = Events::read(&demo.bench.path("out/eve.json"));
        events.of("alert").into_iter().find(|e| e["alert"]["action"] == "blocked").cloned()
    });
    assert_eq!(dropped["vlan"], serde_json::json!([100, 7]));
    let end = |side: &str| {
        format!("{}:{}", dropped[format!("{side}_ip")].as_str().unwrap(), dropped[format!("{side}_port")])
    };
    let words = ["why", dropped["proto"].as_str().unwrap(), &end("src"), &end("dest")];
    let why = demo.json(&words);
    let vlans = serde_json::json!([100, 7]);
    assert_eq!((&why["drops"][0]["vlan"], &why["sessions"][0]["vlan"]), (&vlans, &vlans), "{why}");
    let text = String::from_utf8_lossy(&demo.ctl(&words).stdout).into_owned();
    assert_eq!(text.matches(" in VLAN 100.7").count(), 2, "{text}");
    demo.end();
}

/// The frames of a pcap file (pcap-savefile(5), little-endian) with these 802.1Q tags.
fn tagged(pcap: &[u8], ids: &[u16]) -> Vec<u8> {
    let tags: Vec<u8> = ids.iter().flat_map(|id| [&[0x81, 0][..], &id.to_be_bytes()].concat()).collect();
    let (head, mut rest) = pcap.split_at(24);
    let mut out = head.to_vec();
    while let Some(stamp) = rest.get(..8) {
        let length = u32::from_le_bytes(rest[8..12].try_into().unwrap());
        let (frame, behind) = rest[16..].split_at(length as usize);
        let longer = (length + tags.len() as u32).to_le_bytes();
        out.extend([stamp, &longer, &longer, &frame[..12], &tags, &frame[12..]].concat());
        rest = behind;
    }
    out
}

#[test]
fn modes_are_changed_confirmed_and_go_back_by_themselves() {
    let demo = Demo::new();
    let mode = |words: &[&str]| demo.json(&[&["mode"], words].concat())[0].clone();
    assert_eq!(
        mode(&[]),
        serde_json::json!({ "ports": ["outside", "inside"], "mode": "ips", "unless_confirmed": null })
    );
    let changed = mode(&["inside", "tap", "--confirm", "300"]);
    assert_eq!((&changed["mode"], &changed["unless_confirmed"]["mode"]), (&"tap".into(), &"ips".into()));
    assert_eq!(demo.json(&["status"])["pairs"][0]["mode"], "tap");
    assert_eq!(mode(&["confirm"])["unless_confirmed"], Value::Null);
    let nothing = demo.ctl(&["mode", "confirm"]);
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("waits for a confirmation"));
    assert_eq!(mode(&["ips", "--confirm", "100ms"])["unless_confirmed"]["mode"], "tap");
    until("the mode to go back", || (mode(&[])["mode"] == "tap").then_some(()));
    assert_eq!(mode(&["ids", "--confirm", "5m"])["mode"], "ids");
    assert_eq!(mode(&["revert"])["mode"], "tap");
    for (code, words, said) in [
        (2, &["mode", "tab"][..], "\"tab\" is no mode"),
        (1, &["mode", "elsewhere", "tap"], "there is no pair elsewhere; there are: outside,inside"),
        (2, &["mode", "confirm", "--confirm", "3"], "--confirm goes with a new mode"),
    ] {
        let refused = demo.ctl(words);
        let text = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(code) && text.contains(said), "{words:?}: {text}");
    }
    demo.wait_for_frames();
    demo.end();
}

#[test]
fn a_reload_puts_new_rules_in_force_and_a_broken_one_leaves_the_old() {
    let bench = Bench::new();
    let demo = std::fs::read_to_string("conf/demo.toml").unwrap();
    let config = bench.file("demo.toml", demo.replace("demo.rules", "mine.rules"));
    let rule = "alert icmp any any -> any any (msg:\"one\"; sid:1;)\n";
    let rules = bench.file("mine.rules", rule);
    let mut command = weir();
    command.args(arguments(&bench, config.to_str().unwrap()));
    let demo = Demo::start(bench, command);
    assert_eq!(demo.json(&["status"])["generation"], 1);

    std::fs::write(
        &rules,
        format!("{rule}alert tcp any any -> any any (msg:\"two\"; sid:2;)\nalert nonsense\n"),
    )
    .unwrap();
    let refused = demo.ctl(&["rules", "reload"]);
    assert_eq!(refused.status.code(), Some(1));
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(text.contains("mine.rules:3:") && text.contains("stay"), "{text}");
    assert_eq!(demo.json(&["status"])["generation"], 1);

    std::fs::write(&rules, format!("{rule}alert tcp any any -> any any (msg:\"two\"; sid:2;)\n")).unwrap();
    let reload = demo.json(&["rules", "reload"]);
    assert_eq!(reload, serde_json::json!({ "generation": 2, "loaded": 2, "refused": 0 }));
    let status = demo.json(&["status"]);
    assert_eq!((&status["generation"], &status["rules"]["loaded"]), (&2.into(), &2.into()));

    std::fs::remove_file(&rules).unwrap();
    let refused = demo.ctl(&["rules", "reload"]);
    assert_eq!(refused.status.code(), Some(1));
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(text.contains("mine.rules") && text.contains("stay"), "{text}");
    let status = demo.json(&["status"]);
    assert_eq!((&status["generation"], &status["rules"]["loaded"]), (&2.into(), &2.into()), "{status}");
    demo.wait_for_frames();
    demo.end();
}

#[test]
fn a_typo_in_a_list_holds_a_reload_back_and_is_not_called_a_rule() {
    let bench = Bench::new();
    let demo = std::fs::read_to_string("conf/demo.toml").unwrap();
    let listed = "files = [\"mine.rules\"]\nthreshold = [\"threshold.config\"]";
    let config = bench.file("demo.toml", demo.replace("files = [\"demo.rules\"]", listed));
    bench.file("mine.rules", "alert icmp any any -> any any (msg:\"one\"; sid:1;)\n");
    let thresholds = bench.file("threshold.config", "suppress gen_id 1, sig_id 1\n");
    let mut command = weir();
    command.args(arguments(&bench, config.to_str().unwrap()));
    let demo = Demo::start(bench, command);
    std::fs::write(&thresholds, "supress gen_id 1, sig_id 1\n").unwrap();
    let refused = demo.ctl(&["rules", "reload"]);
    let text = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(text.contains("1 lines of lists are refused, so the rules in force stay"), "{text}");
    assert!(text.contains("threshold.config:1:1") && !text.contains("rules are refused"), "{text}");
    assert_eq!(demo.json(&["status"])["generation"], 1);
    demo.wait_for_frames();
    demo.end();
}

#[test]
fn service_sets_and_plugins_are_shown_and_changed() {
    let bench = Bench::new();
    let demo = std::fs::read_to_string("conf/demo.toml").unwrap();
    let config = bench.file("demo.toml", &demo);
    bench.file("demo.rules", std::fs::read("conf/demo.rules").unwrap());
    let mut command = weir();
    command.args(arguments(&bench, config.to_str().unwrap()));
    let demo_text = demo;
    let demo = Demo::start(bench, command);
    demo.wait_for_frames();

    let sets = demo.json(&["service-set"]);
    let facts = |set: &Value| (set["name"].clone(), set["state"].clone(), set["forward_flow"].clone());
    assert_eq!(facts(&sets[0]), ("default".into(), "active".into(), serde_json::json!(["idp"])));
    let set = demo.json(&["service-set", "default"]);
    assert_eq!(set["members"][0]["generations"], serde_json::json!([{ "generation": 1, "sessions": 3 }]));
    assert_eq!(demo.json(&["rules", "reload"])["generation"], 2);
    let set = demo.json(&["service-set", "default"]);
    assert_eq!(set["members"][0]["generations"][1], serde_json::json!({ "generation": 2, "sessions": 0 }));

    let plugin = demo.json(&["plugin", "show", "idp"]);
    assert_eq!((&plugin["kind"], &plugin["external"]), (&"detection".into(), &false.into()));
    let counters = demo.json(&["counters", "plugin.idp."]);
    assert_eq!(counters["plugin.idp.packets"], plugin["workers"][0]["packets"], "{counters}");
    assert!(plugin["workers"][0]["packets"].as_u64().unwrap() > 0);

    // A change of the file: the old sessions stay, new ones have two sets.
    let more = "\n[[plugin]]\nname = \"cos\"\nconfig = \"\"\n\
                [[service-set]]\nname = \"web\"\nmatch = [\"tcp from any to any port 80-88\"]\nforward-flow = [\"passthru\", \"idp\"]\n\
                [[service-set]]\nname = \"default\"\nforward-flow = [\"idp\"]\n";
    std::fs::write(&config, format!("{demo_text}{more}")).unwrap();
    let changes = demo.json(&["services", "apply"])["changes"].to_string();
    assert!(
        changes.contains("service set web came") && changes.contains("plugin passthru came"),
        "{changes}"
    );
    let web = demo.json(&["service-set", "web"]);
    assert_eq!(web["state"], "active", "{web}");
    assert_eq!(web["reverse_flow"], serde_json::json!(["idp", "passthru"]), "the other order, reversed");
    assert_eq!(web["match"], serde_json::json!(["tcp from any to any port 80-88"]));
    assert_eq!(demo.json(&["service-set", "default"])["sessions"], 3);
    assert_eq!(demo.json(&["services", "apply"])["changes"], serde_json::json!([]), "the same once more");

    // A faulty one changes nothing and says all that is wrong.
    let other = demo
        .bench
        .file("other.toml", format!("{demo_text}{}", more.replace("idp", "ipd").replace("80-88", "88-80")));
    let refused = demo.ctl(&["services", "apply", "-c", other.to_str().unwrap()]);
    let text = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text.contains("no range of ports") && text.contains("the nearest is \"idp\""), "{text}");
    assert_eq!(demo.json(&["service-set", "web"]), web);

    let blob = demo.ctl(&["plugin", "blob", "idp", "--set", "default", "--delete"]);
    let text = String::from_utf8_lossy(&blob.stderr);
    assert!(blob.status.code() == Some(1) && text.contains("weir ctl rules reload"), "{text}");
    let unknown = demo.ctl(&["plugin", "show", "ipd"]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there is no plugin"));

    demo.json(&["plugin", "restart", "idp"]);
    until("the old instance to go", || {
        let plugins = demo.json(&["plugin", "list"]);
        let running = plugins.as_array().unwrap().iter().all(|plugin| plugin["state"] == "running");
        running.then_some(())
    });
    for words in
        [&["service-set"][..], &["service-set", "web"], &["plugin", "list"], &["plugin", "show", "idp"]]
    {
        let table = demo.ctl(words);
        assert!(table.status.success() && !table.stdout.is_empty(), "{words:?}");
    }
    let events = demo.end();
    let reasons: Vec<&Value> = events.of("flow").iter().map(|flow| &flow["flow"]["reason"]).collect();
    assert_eq!(reasons.len(), 3, "{reasons:?}");
}

#[test]
fn ctl_stop_ends_it_as_a_signal_does() {
    let mut demo = Demo::new();
    demo.wait_for_frames();
    assert_eq!(demo.json(&["stop"]), serde_json::json!({ "stopping": true }));
    demo.ended();
}

#[test]
fn ctl_says_what_to_do_when_nothing_runs() {
    let bench = Bench::new();
    let output = weir().args(["ctl", "status", "--socket"]).arg(bench.path("none.sock")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("none.sock") && text.contains("weir run -c"), "{text}");
}

#[test]
fn a_second_appliance_on_the_same_socket_is_refused_and_the_first_goes_on() {
    let demo = Demo::new();
    let mut second = weir();
    second.args(arguments(&demo.bench, "conf/demo.toml"));
    let output = second.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("weir.sock") && text.contains("rpc.socket"), "{text}");
    demo.wait_for_frames();
    demo.end();
}

/// As nobody, when the test itself is root; else the other tests have shown it.
#[test]
fn it_runs_without_root() {
    let identity = Command::new("id").arg("-u").output().unwrap();
    if identity.stdout.trim_ascii() != b"0" {
        println!("skipped: not root, so every other test has run without");
        return;
    }
    // Where nobody may read and write: neither the build's folder nor the test's is his.
    let bench = Bench::new();
    for name in ["demo.toml", "demo.rules", "demo.pcap"] {
        bench.file(&format!("conf/{name}"), std::fs::read(format!("conf/{name}")).unwrap());
    }
    std::fs::copy(env!("CARGO_BIN_EXE_weir"), bench.path("weir")).unwrap();
    let owned = Command::new("chown").args(["-R", "nobody"]).arg(bench.path("")).status().unwrap();
    assert!(owned.success());
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "--inh-caps=-all"]);
    command.arg("--bounding-set=-all").arg(bench.path("weir")).args(arguments(&bench, "conf/demo.toml"));
    command.current_dir(bench.path(""));
    let demo = Demo::start(bench, command);
    demo.wait_for_frames();
    let events = demo.end();
    assert_eq!(events.sids().len(), 4);
}

#[test]
fn the_balance_is_even_under_traffic_with_any_number_of_workers() {
    for workers in [0, 1, 3] {
        let bench = Bench::new();
        let demo = std::fs::read_to_string("conf/demo.toml").unwrap();
        let endless = "net_pcap0,rx_pcap=conf/demo.pcap,infinite_rx=1,tx_pcap=/dev/null";
        let demo = demo.replace("net_pcap0,rx_pcap=conf/demo.pcap,tx_pcap=/dev/null", endless);
        // No alerts: management, which answers, is busy with their flood.
        bench.file("demo.rules", "");
        let config = bench.file("demo.toml", demo.replace("workers = 1", &format!("workers = {workers}")));
        let mut command = weir();
        command
            .args(arguments(&bench, config.to_str().unwrap()))
            .args(["--set", "outputs.eve.enabled=false"]);
        let mut demo = Demo::start(bench, command);
        let mut before = 0;
        for _ in 0..3 {
            // On a busy machine an lcore may be off its CPU for longer than a pause may last.
            let balance = until("a pause in which all came to rest", || {
                let output = demo.ctl(&["balance", "--json"]);
                let balance = serde_json::from_slice::<Value>(&output.stdout).ok()?;
                assert!(output.status.success(), "{balance}");
                Some(balance)
            });
            let received = balance["received"].as_u64().unwrap();
            assert!(received > before && balance["even"] == true, "{workers} workers: {balance}");
            before = received;
        }
        let text = String::from_utf8_lossy(&demo.ctl(&["balance"]).stdout).into_owned();
        assert!(
            text.is_empty() || text.starts_with("received ") && text.contains(" = transmitted "),
            "{text}"
        );
        demo.appliance.terminate();
        let status = demo.appliance.wait();
        assert!(status.success(), "{status}: {}", demo.appliance.stderr());
        conserved(&demo.appliance.stdout());
    }
}
