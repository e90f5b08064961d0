//! Faults in the line between two network namespaces: the appliance is killed, links flap, a worker stalls. Needs root.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use std::time::{Duration, Instant};
use support::line::{Line, Start, may_run};
use support::wait::until;
use support::{Bench, conserved};

/// Above what is owed, for debug builds on machines where others build and test too.
const SLACK: u32 = if cfg!(debug_assertions) { 5 } else { 2 };

fn answers(text: &str) -> usize {
    text.matches("bytes from").count()
}

#[test]
#[allow(clippy::disallowed_methods)] // it is the time that is tested
fn killed_under_traffic_it_forwards_again_from_the_saved_rules_and_sessions_go_on() {
    if !may_run() {
        return;
    }
    let bench = Bench::new();
    let rule =
        |n: u32| format!("alert udp any any -> any any (msg:\"r{n}\"; content:\"pattern-{n}\"; sid:{n};)\n");
    let drop = "drop tcp any any -> any 9000 (msg:\"attack\"; content:\"attack\"; sid:1;)\n";
    bench.file("line.rules", (2..500).map(rule).collect::<String>() + drop);
    let cache = format!("rules.cache={:?}", bench.path("rules.set").display().to_string());
    let mut line = Line::starting(bench, 1, Start::with(&[&cache]), |_| String::new());
    line.answers();
    assert!(line.can("open 4000") && line.can("say 4000 before"));
    let to = line.server_address().to_owned();
    let steady = line.client_side().start(&format!("ping -i 0.02 {to}"), &line.bench, "steady");
    until("answers", || (answers(&steady.stdout()) > 5).then_some(()));

    line.kill_and_restart();
    let began = Instant::now();
    let before = answers(&steady.stdout());
    until("answers after it", || (answers(&steady.stdout()) > before).then_some(()));
    let outage = began.elapsed();
    println!("forwarding again {outage:?} after the start");
    assert!(outage <= Duration::from_secs(2) * SLACK, "{outage:?}");
    line.answers();
    assert!(line.stderr().contains("the rules are those of the saved set"), "{}", line.stderr());
    assert!(line.can("say 4000 after"), "the session is picked up in its middle");
    assert!(line.cannot("say 4000 attack"), "and inspected");
    let sessions = line.json(&["sessions"]);
    let picked =
        sessions.as_array().unwrap().iter().find(|s| s["client_port"] == 4000 || s["src_port"] == 4000);
    assert!(picked.is_some(), "{sessions}");
    line.balances();
    line.end();
}

#[test]
fn a_link_that_flaps_costs_what_comes_meanwhile_and_every_frame_is_accounted_for() {
    if !may_run() {
        return;
    }
    for workers in [0, 1] {
        let mut line = Line::new(workers, |_| String::new());
        assert!(line.can("udp 4000 before"));
        let port = line.client_side().port.clone();
        let to = line.client_side().address.clone();
        support::netns::tool(&format!("ip link set {port} down"));
        let mac = "02:00:00:00:00:01";
        line.server_side().tool(&format!("ip neigh replace {to} lladdr {mac} dev eth0"));
        let lost = line.server_side().attempt(&format!("ping -q -c 20 -i 0.002 -W 1 {to}"));
        assert!(!lost.status.success(), "nothing can have come");
        until("a counter that names it", || {
            let losses = line.counter("port.client-side.tx_errors") + line.counter("ips.drop_reason.tx_full");
            (losses >= 20).then_some(())
        });
        line.balances();
        support::netns::tool(&format!("ip link set {port} up"));
        line.introduce();
        until("traffic to pass again", || (!line.cannot("udp 4001 after")).then_some(()));
        line.balances();
        println!("{workers} workers: {}", line.json(&["counters", "port.client-side."]));
        line.end();
    }
}

/// The worker does nothing for so long, in the middle of a burst of pings, with a small ring to it.
#[cfg(debug_assertions)] // release builds rehearse nothing
fn stalled(policy: &str) -> Line {
    let overload = format!("exception-policy.overload={policy:?}");
    let start = Start::with(&["lcores.ring-size=64", &overload]).variable("WEIR_REHEARSE_STALL", "1:40:1500");
    let mut line = Line::starting(Bench::new(), 1, start, |_| String::new());
    line.answers();
    line
}

#[cfg(debug_assertions)]
const BURST: u64 = 400;

#[cfg(debug_assertions)]
fn burst(line: &Line) -> String {
    let ping = format!("ping -q -c {BURST} -l {BURST} -i 0.002 -W 5 {}", line.server_address());
    String::from_utf8_lossy(&line.client_side().attempt(&ping).stdout).into_owned()
}

#[test]
#[cfg(debug_assertions)]
fn a_worker_that_stalls_is_named_and_what_its_ring_has_no_room_for_is_counted_and_shown() {
    if !may_run() {
        return;
    }
    let line = stalled("auto");
    let path = line.bench.path("drops.pcapng");
    let mut capture = support::weir();
    let count = (BURST / 4).to_string();
    capture.args(["ctl", "capture", "--dropped", "--seconds", "30", "--count", &count, "-w"]).arg(&path);
    capture.arg("--socket").arg(line.bench.path("weir.sock")).arg("icmp");
    let mut capture = support::child::Running::start(capture, &line.bench, "capture");
    until("the capture to begin", || {
        assert!(capture.ended().is_none(), "{}", capture.stderr());
        path.exists().then_some(())
    });
    let said = burst(&line);
    assert!(!said.contains(" 0% packet loss"), "{said}");
    until("the worker to be named", || {
        let log = line.stderr();
        (log.contains("lcore worker 0 has not turned for 1.") && log.contains("lcore worker 0 turns again"))
            .then_some(())
    });
    assert_eq!(line.counter("lcores.stalled"), 1);
    let lost = line.counter("ips.drop_reason.ring_full");
    assert!(lost > BURST / 4, "{lost}");
    let log = line.stderr();
    assert_eq!(log.matches("overload: workers do not keep up").count(), 1, "{log}");
    line.balances();
    assert!(capture.wait().success(), "{}", capture.stderr());
    let shown = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).matches("dropped: ring_full").count();
    assert_eq!(shown as u64, BURST / 4);
    line.end();
}

#[test]
#[cfg(debug_assertions)]
fn with_bypass_what_a_ring_has_no_room_for_goes_on_uninspected() {
    if !may_run() {
        return;
    }
    let line = stalled("bypass");
    burst(&line);
    // What the kernel has got: `ping` itself loses what its socket has no room for.
    // A frame that the kernel's ring has no room for at that moment has a counter of its own, and no policy.
    let answers = || line.client_side().icmp("InEchoReps");
    let kernel = || line.counter("ips.drop_reason.tx_full");
    until("every answer", || (answers() + kernel() >= BURST).then_some(()));
    assert!(kernel() < BURST / 4, "{}", kernel());
    let counts = ["overload.bypassed", "ips.drop_reason.ring_full"].map(|name| line.counter(name));
    assert!(counts[0] > BURST / 4 && counts[1] == 0, "{counts:?}");
    assert!(line.stderr().contains("frames go on uninspected"), "{}", line.stderr());
    line.balances();
    line.end();
}

#[test]
fn what_the_kernel_had_no_room_for_while_nobody_took_it_is_counted() {
    if !may_run() {
        return;
    }
    const SENT: u64 = 4000;
    let mut line = Line::new(0, |_| String::new());
    line.answers();
    assert_eq!(line.counter("capture.kernel_drops"), 0);
    let signal = |name: &str| support::netns::tool(&format!("kill -{name} {}", line.id()));
    let received = || line.counter("port.client-side.rx_packets");
    let before = received();
    signal("STOP");
    let ping = format!("ping -q -c {SENT} -l {SENT} -i 0.002 -W 1 {}", line.server_address());
    line.client_side().attempt(&ping);
    signal("CONT");
    until("the port to say what came and what was lost", || {
        (received() - before + line.counter("port.client-side.rx_missed") >= SENT).then_some(())
    });
    let lost = line.counter("port.client-side.rx_missed");
    assert!(lost > SENT / 4 && line.counter("capture.kernel_drops") >= lost, "{lost}");
    line.balances();
    line.end();
}

/// Fragments of datagrams that never become whole hold half of a tiny pool, and packets that a plugin holds the rest.
#[test]
fn a_pool_that_is_empty_loses_frames_by_a_counter_and_comes_back() {
    use support::{ethernet, services, v4, weir, with_id};
    use weir::wire::build::{fragments, udp_packet};
    const POOL: u64 = 1023;
    const PIECES: u32 = 600;
    const SESSIONS: u32 = 100;
    const EACH: u32 = 15;
    let bench = Bench::new();
    let piece = |n: u32| {
        let packet = udp_packet(v4(n + 1, 1000), v4(9999, 53), &with_id(n as u16), &[7; 300]);
        fragments(&packet, n, &[104]).swap_remove(0)
    };
    let talk = |n: u32| {
        let packet = move |m: u32| {
            let text: &[u8] = if m == 0 { b"good day" } else { b"stay here" };
            udp_packet(v4(2000 + n, 4000), v4(9999, 53), &with_id(m as u16), text)
        };
        (0..EACH).map(packet)
    };
    let packets = (0..PIECES).map(piece).chain((0..SESSIONS).flat_map(talk));
    let capture = bench.capture(&ethernet(packets));
    let folder = bench.path("").display().to_string();
    let few = "rx-descriptors = 32\ntx-descriptors = 32\n";
    let services = bench.probe("probe", "hold=stay") + &services::set("s", &["probe"], "");
    let config = format!(
        "[[port]]\nname = \"outside\"\ndevice = \"net_pcap0,rx_pcap={},tx_pcap=/dev/null\"\n{few}\n\
         [[port]]\nname = \"inside\"\ndevice = \"net_null0,no-rx=1\"\n{few}\n\
         [[pair]]\nports = [\"outside\", \"inside\"]\nmode = \"ips\"\n\n\
         [eal]\nhugepages = false\nmemory = \"256MiB\"\n\n[pools]\nframes = {POOL}\ncache = 0\n\n\
         [lcores]\nworkers = 0\n\n[fragments]\ntimeout = \"2s\"\n\n[sessions]\nsize = 4096\n\n\
         [outputs]\ndirectory = \"{folder}\"\n\n[rpc]\nsocket = \"{folder}weir.sock\"\n\n{services}",
        capture.display()
    );
    bench.file("weir.toml", config);
    let mut appliance = Start::default().run(&bench);
    let counter = |name: &str| {
        let mut command = weir();
        command.args(["ctl", "counters", name, "--json", "--socket"]).arg(bench.path("weir.sock"));
        let counters: serde_json::Value = serde_json::from_slice(&command.output().unwrap().stdout).ok()?;
        counters[name].as_u64()
    };
    let all = u64::from(PIECES + SESSIONS * EACH);
    let lost = until("the pool to be empty", || {
        assert!(appliance.ended().is_none(), "ended: {}", appliance.stderr());
        let lost = counter("port.outside.rx_no_buffer")?;
        (lost > 0 && counter("decoder.pkts")? + lost == all).then_some(lost)
    });
    until("the time of all that is held to be over", || (counter("frames.held")? == 0).then_some(()));
    let ended =
        ["frag_timeout", "hold_timeout"].map(|why| counter(&format!("ips.drop_reason.{why}")).unwrap());
    println!("{lost} lost, {ended:?} held until their time was over");
    assert!(ended.iter().all(|frames| *frames > POOL / 4) && ended[0] + ended[1] <= POOL, "{ended:?}");
    appliance.terminate();
    let status = appliance.wait();
    assert!(status.success(), "every buffer is back: {}", appliance.stderr());
    conserved(&appliance.stdout());
}
