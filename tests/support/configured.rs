//! An appliance whose configuration is changed while it runs.

use super::child::Running;
use super::wait::until;
use super::{Bench, weir};
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Output};

pub const RULES: &str = "alert tcp any any -> any any (msg:\"one\"; content:\"GET\"; sid:1;)\n";
pub const MORE: &str = "alert udp any any -> any any (msg:\"two\"; sid:2;)\nalert icmp any any -> any any (msg:\"three\"; sid:3;)\n";

/// An appliance of two idle ports, its configuration file and its socket in a folder of the test.
pub struct Appliance {
    pub appliance: Running,
    pub bench: Bench,
}

pub fn configuration(bench: &Bench) -> String {
    let path = |name: &str| bench.path(name).display().to_string();
    format!(
        "# The box at the door.\n[eal]\nhugepages = false\nmemory = \"128MiB\"\n\n\
         [[port]]\nname = \"outside\"\ndevice = \"net_null0,no-rx=1\"\n\n[[port]]\nname = \"inside\"\ndevice = \"net_null1,no-rx=1\"\n\n\
         [[pair]]\nports = [\"outside\", \"inside\"]\nmode = \"ips\" # at last\n\n[pools]\nframes = 8191\n\n[sessions]\nsize = 4096\n\n\
         [streams]\nmemory = \"8MiB\"\n\n[rules]\nfiles = [\"one.rules\"]\n\n[outputs]\ndirectory = {:?}\n\n[rpc]\nsocket = {:?}\n",
        path("out"),
        path("weir.sock")
    )
}

impl Appliance {
    pub fn new() -> Appliance {
        let bench = Bench::new();
        bench.file("one.rules", RULES);
        bench.file("more.rules", MORE);
        bench.file("weir.toml", configuration(&bench));
        Appliance::start(bench)
    }

    pub fn start(bench: Bench) -> Appliance {
        let mut command = weir();
        command.args(["run", "-c"]).arg(bench.path("weir.toml"));
        Appliance::start_by(command, bench)
    }

    pub fn start_by(command: Command, bench: Bench) -> Appliance {
        let appliance = Running::start(command, &bench, "appliance");
        let mut it = Appliance { appliance, bench };
        until("the appliance to answer", || {
            assert!(it.appliance.ended().is_none(), "ended: {}", it.appliance.stderr());
            it.ctl(&["status"]).status.success().then_some(())
        });
        it
    }

    pub fn again(mut self) -> Appliance {
        self.appliance.terminate();
        assert!(self.appliance.wait().success(), "{}", self.appliance.stderr());
        Appliance::start(self.bench)
    }

    pub fn file(&self) -> PathBuf {
        self.bench.path("weir.toml")
    }

    pub fn text(&self) -> String {
        std::fs::read_to_string(self.file()).unwrap()
    }

    pub fn ctl(&self, words: &[&str]) -> Output {
        weir().arg("ctl").args(words).arg("--socket").arg(self.bench.path("weir.sock")).output().unwrap()
    }

    #[track_caller]
    pub fn config(&self, words: &[&str]) -> String {
        let output = self.ctl(&[&["config"], words].concat());
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    pub fn json(&self, words: &[&str]) -> Value {
        let output = self.ctl(&[words, &["--json"]].concat());
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    #[track_caller]
    pub fn refused(&self, words: &[&str]) -> String {
        let output = self.ctl(&[&["config"], words].concat());
        assert!(!output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }

    pub fn value(&self, key: &str) -> Value {
        self.json(&["config", "get", key])[0]["value"].clone()
    }
}
