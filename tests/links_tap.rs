//! Links of ports that the kernel can take down: followed, and passed on to the pair's other port. Needs root.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use support::child::Running;
use support::line::may_run;
use support::netns::{attempt, tool};
use support::wait::until;
use support::{Bench, conserved, weir};

fn is_up(iface: &str) -> bool {
    let output = tool(&format!("ip link show {iface}"));
    String::from_utf8_lossy(&output.stdout)
        .split(['<', '>'])
        .nth(1)
        .is_some_and(|flags| flags.split(',').any(|f| f == "UP"))
}

#[test]
fn a_link_that_goes_down_takes_the_other_port_along_and_back() {
    if !may_run() || !std::path::Path::new("/dev/net/tun").exists() {
        println!("skipped: needs root and /dev/net/tun");
        return;
    }
    let bench = Bench::new();
    let ifaces = ['a', 'b'].map(|side| format!("wt{}{side}", std::process::id()));
    let folder = bench.path("").display().to_string();
    let port = |n: usize, name: &str| {
        format!("[[port]]\nname = \"{name}\"\ndevice = \"net_tap{n},iface={}\"\n\n", ifaces[n])
    };
    let config = port(0, "left")
        + &port(1, "right")
        + &format!(
            "[[pair]]\nports = [\"left\", \"right\"]\npass-link = true\n\n[eal]\nhugepages = false\nmemory = \"256MiB\"\n\n\
             [pools]\nframes = 8191\n\n[sessions]\nsize = 4096\n\n[outputs]\ndirectory = \"{folder}\"\n\n\
             [rpc]\nsocket = \"{folder}weir.sock\"\n"
        );
    let config = bench.file("weir.toml", config);
    let mut command = weir();
    command.args(["run", "-c"]).arg(config);
    let mut appliance = Running::start(command, &bench, "appliance");
    let down = || {
        let output = weir()
            .args(["ctl", "status", "--json", "--socket"])
            .arg(bench.path("weir.sock"))
            .output()
            .unwrap();
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
        Some(
            status["links_down"]
                .as_array()?
                .iter()
                .filter_map(|p| Some(p.as_str()?.to_owned()))
                .collect::<Vec<_>>(),
        )
    };
    until("the appliance to answer", || {
        assert!(appliance.ended().is_none(), "ended: {}", appliance.stderr());
        down().filter(Vec::is_empty)
    });
    tool(&format!("ip link set {} down", ifaces[0]));
    until("the other link to go down", || (!is_up(&ifaces[1])).then_some(()));
    until("both to be told", || down().filter(|down| *down == ["left", "right"]));
    tool(&format!("ip link set {} up", ifaces[0]));
    until("the other link to come back", || is_up(&ifaces[1]).then_some(()));
    until("both to be up", || down().filter(Vec::is_empty));
    let log = appliance.stderr();
    assert!(
        log.contains("port left: the link is down") && log.contains("port right: link taken down"),
        "{log}"
    );
    appliance.terminate();
    assert!(appliance.wait().success(), "{}", appliance.stderr());
    conserved(&appliance.stdout());
    ifaces.iter().for_each(|iface| assert!(!attempt(&format!("ip link show {iface}")).status.success()));
}
