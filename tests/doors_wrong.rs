//! Clients at the wrong door, clients that say nothing, and more of them than there are places.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;
use support::doors::{Appliance, get};
use support::{Bench, weir};

/// Connections at once, of each listener but HTTP's and Suricata's.
const PLACES: usize = 64;

/// How HTTP/2 begins: preface and empty settings.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

fn appliance(sets: &[&str]) -> Appliance {
    let bench = Bench::new();
    let suricata = format!("suricata-socket.path={}", bench.path("suricata.sock").display());
    let sets: Vec<&str> = sets.iter().copied().chain([suricata.as_str()]).collect();
    Appliance::start(bench, &sets)
}

/// What comes back until the end, or until nothing comes any more.
fn answer(mut io: impl Read + Write, words: &[u8]) -> String {
    io.write_all(words).unwrap();
    let mut bytes = Vec::new();
    // A reset behind the answer is as good as an end.
    let _ = io.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn unix(path: &Path) -> UnixStream {
    let io = UnixStream::connect(path).unwrap();
    io.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    io
}

fn tcp(address: SocketAddr) -> TcpStream {
    let io = TcpStream::connect(address).unwrap();
    io.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    io
}

/// What `weir ctl` says of an address where it cannot be served.
fn ctl_error(words: &[&str]) -> String {
    let output = weir().args(["ctl", "status"]).args(words).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{words:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn connections_that_say_nothing_or_ask_nothing_lock_nobody_out() {
    let appliance = appliance(&[]);
    let socket = appliance.bench.path("weir.sock");
    let silent: Vec<UnixStream> = (0..PLACES).map(|_| unix(&socket)).collect();
    assert!(appliance.ctl(&["status"]).status.success());
    let mut idle: Vec<UnixStream> = (0..2 * PLACES).map(|_| unix(&socket)).collect();
    idle.iter_mut().for_each(|io| {
        // Those that came first have made room by now.
        let _ = io.write_all(PREFACE);
    });
    assert!(appliance.ctl(&["status"]).status.success());
    let suricata = appliance.bench.path("suricata.sock");
    let silent_there: Vec<UnixStream> = (0..PLACES).map(|_| unix(&suricata)).collect();
    assert!(answer_line(&suricata, b"{\"version\": \"0.2\"}\n").contains("OK"));
    let silent_web: Vec<TcpStream> = (0..PLACES).map(|_| tcp(appliance.http())).collect();
    assert_eq!(get(appliance.http(), "/healthz").0, 200);
    drop((silent, idle, silent_there, silent_web));
}

fn answer_line(path: &Path, words: &[u8]) -> String {
    let mut io = unix(path);
    io.write_all(words).unwrap();
    let mut bytes = [0; 200];
    let length = io.read(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

#[test]
fn who_is_busy_keeps_his_place_while_others_come_and_go() {
    let mut appliance = appliance(&[]);
    let socket = appliance.bench.path("weir.sock");
    let file = appliance.bench.path("busy.pcapng");
    let mut command = weir();
    command.args(["ctl", "capture", "--dropped", "--socket"]).arg(&socket).arg("--write").arg(&file);
    let mut busy = support::child::Running::start(command, &appliance.bench, "busy");
    support::wait::until("the capture to have begun", || {
        assert!(busy.ended().is_none(), "{}", busy.stderr());
        file.exists().then_some(())
    });
    let others: Vec<UnixStream> = (0..3 * PLACES).map(|_| unix(&socket)).collect();
    assert!(appliance.ctl(&["status"]).status.success());
    assert!(busy.ended().is_none(), "{}", busy.stderr());
    drop(others);
    assert!(appliance.running.ended().is_none());
}

#[test]
fn whoever_comes_to_the_wrong_socket_is_told_which_is_the_right_one() {
    let appliance = appliance(&["rpc.listen=127.0.0.1:0"]);
    let (rpc, suricata) = (appliance.bench.path("weir.sock"), appliance.bench.path("suricata.sock"));
    let said = answer(unix(&rpc), b"{\"version\": \"0.2\"}\n");
    assert!(said.contains("\"NOK\"") && said.contains("suricata-socket.path"), "{said}");
    let said = answer(unix(&rpc), b"GET /metrics HTTP/1.1\r\nHost: weir\r\n\r\n");
    assert!(said.starts_with("HTTP/1.1 400 ") && said.contains("http.listen"), "{said}");
    let said = ctl_error(&["--socket", suricata.to_str().unwrap()]);
    assert!(said.contains("suricata-socket.path") && said.contains("weir ctl wants rpc.socket"), "{said}");
    let said = ctl_error(&["--address", &format!("http://{}", appliance.http())]);
    assert!(said.contains("this is weir's HTTP (http.listen)"), "{said}");
    let said = answer(unix(&suricata), b"GET / HTTP/1.1\r\n\r\n");
    assert!(said.starts_with("HTTP/1.1 400 ") && said.contains("suricatasc"), "{said}");
    let said = answer(tcp(appliance.http()), b"{\"version\": \"0.2\"}\n");
    assert!(said.contains("\"NOK\"") && said.contains("http.listen"), "{said}");
}

/// As one that is stopped (SIGSTOP): the kernel takes connections for it.
#[test]
fn an_appliance_that_hangs_is_not_waited_for_without_an_end() {
    let bench = Bench::new();
    let path = bench.path("weir.sock");
    let _silent = UnixListener::bind(&path).unwrap();
    let error = ctl_error(&["--socket", path.to_str().unwrap()]);
    assert!(error.contains("does not answer, not even whether it lives"), "{error}");
}
