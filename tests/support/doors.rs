//! A running appliance as others reach it: by gRPC, Suricata's socket and HTTP.

use super::child::Running;
use super::wait::until;
use super::{Bench, conserved, weir};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::Output;
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// `conf/demo.toml` with its files in a folder of the test.
pub struct Appliance {
    pub running: Running,
    pub bench: Bench,
}

impl Appliance {
    /// Starts; `sets` are further settings. HTTP is at a port that the system chooses.
    pub fn start(bench: Bench, sets: &[&str]) -> Appliance {
        let mut command = weir();
        command.args(["run", "-c", "conf/demo.toml", "--set", "http.listen=127.0.0.1:0"]);
        for (key, name) in [("outputs.directory", "out"), ("rpc.socket", "weir.sock")] {
            command.arg("--set").arg(format!("{key}={}", bench.path(name).display()));
        }
        command.args(sets.iter().flat_map(|set| ["--set", set]));
        let running = Running::start(command, &bench, "appliance");
        let mut appliance = Appliance { running, bench };
        until("the appliance to be ready", || {
            assert!(appliance.running.ended().is_none(), "ended: {}", appliance.running.stderr());
            let http = appliance.said_port("metrics and health at ")?;
            (get(http, "/readyz").0 == 200).then_some(())
        });
        appliance
    }

    /// The address after these words of its log.
    pub fn said_port(&self, words: &str) -> Option<SocketAddr> {
        let log = self.running.stderr();
        let (_, rest) = log.split_once(words)?;
        rest.split_whitespace().next()?.parse().ok()
    }

    pub fn http(&self) -> SocketAddr {
        self.said_port("metrics and health at ").unwrap()
    }

    pub fn ctl(&self, words: &[&str]) -> Output {
        weir().arg("ctl").args(words).arg("--socket").arg(self.bench.path("weir.sock")).output().unwrap()
    }

    #[track_caller]
    pub fn json(&self, words: &[&str]) -> Value {
        let output = self.ctl(&[words, &["--json"]].concat());
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Asks it to end; it must do so in order, and every door is shut.
    pub fn end(mut self) {
        self.running.terminate();
        self.ended();
    }

    pub fn ended(&mut self) {
        let status = self.running.wait();
        assert!(status.success(), "{status}: {}", self.running.stderr());
        conserved(&self.running.stdout());
        for name in ["weir.sock", "suricata-command.socket"] {
            assert!(!self.bench.path(name).exists(), "{name} is taken away");
        }
    }
}

/// Status and body.
#[track_caller]
pub fn get(to: SocketAddr, path: &str) -> (u16, String) {
    let mut io = TcpStream::connect(to).unwrap();
    io.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(io, "GET {path} HTTP/1.1\r\nHost: weir\r\n\r\n").unwrap();
    let mut answer = String::new();
    io.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

/// Who speaks Suricata's protocol, 0.2.
pub struct Suricatasc(BufReader<UnixStream>);

impl Suricatasc {
    pub fn new(appliance: &Appliance) -> Suricatasc {
        let io = UnixStream::connect(appliance.bench.path("suricata-command.socket")).unwrap();
        io.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut client = Suricatasc(BufReader::new(io));
        assert_eq!(client.say(&serde_json::json!({ "version": "0.2" }))["return"], "OK");
        client
    }

    pub fn say(&mut self, message: &Value) -> Value {
        writeln!(self.0.get_mut(), "{message}").unwrap();
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    #[track_caller]
    pub fn done(&mut self, command: &str) -> Value {
        let mut answer = self.say(&serde_json::json!({ "command": command }));
        assert_eq!(answer["return"], "OK", "{command}: {answer}");
        answer["message"].take()
    }
}

/// Numbers and bytes like any: xorshift, so that a failure comes again.
pub struct Noise(u64);

impl Noise {
    pub fn new(seed: u64) -> Noise {
        Noise(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 8
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.next() as usize % end
    }

    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}
