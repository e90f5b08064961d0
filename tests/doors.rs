//! The doors of a running appliance: who may come in by which, and that nobody who comes does harm.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use support::doors::{Appliance, Noise, Suricatasc, get};
use support::{Bench, weir};

/// A CA of this name; its certificate is NAME.ca in the folder.
fn ca(bench: &Bench, name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    bench.file(&format!("{name}.ca"), ca.pem());
    ca
}

/// Writes NAME.pem and NAME.key, of 127.0.0.1.
fn issue(bench: &Bench, ca: &CertifiedIssuer<'_, KeyPair>, name: &str) {
    issue_with(bench, ca, name, |_| {});
}

fn issue_with(
    bench: &Bench,
    ca: &CertifiedIssuer<'_, KeyPair>,
    name: &str,
    change: impl FnOnce(&mut CertificateParams),
) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    change(&mut params);
    bench.file(&format!("{name}.pem"), params.signed_by(&key, ca).unwrap().pem());
    bench.file(&format!("{name}.key"), key.serialize_pem());
}

fn text(path: PathBuf) -> String {
    path.to_str().unwrap().to_owned()
}

/// An appliance whose RPC is on TCP, for the clients of `clients.ca`; and where.
fn with_mutual_tls(bench: Bench) -> (Appliance, String) {
    let file = |key: &str, name: &str| format!("rpc.tls.{key}={}", bench.path(name).display());
    let sets = [
        "rpc.listen=127.0.0.1:0".to_owned(),
        file("certificate", "server.pem"),
        file("key", "server.key"),
        file("client-ca", "clients.ca"),
    ];
    let appliance = Appliance::start(bench, &sets.each_ref().map(String::as_str));
    let url = format!("https://{}", appliance.said_port("mutual TLS at ").unwrap());
    (appliance, url)
}

#[test]
fn a_client_without_the_right_certificate_is_refused_by_tcp() {
    let bench = Bench::new();
    let (servers, clients, strangers) =
        (ca(&bench, "servers"), ca(&bench, "clients"), ca(&bench, "strangers"));
    issue(&bench, &servers, "server");
    issue(&bench, &clients, "operator");
    issue(&bench, &strangers, "stranger");
    let (appliance, url) = with_mutual_tls(bench);
    let ask = |more: &[&str]| {
        let output =
            weir().args(["ctl", "version", "--json", "--address", &url]).args(more).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let path = |name: &str| text(appliance.bench.path(name));
    let by = |name: &str, ca: &str| {
        let (ca, certificate, key) = (path(ca), path(&format!("{name}.pem")), path(&format!("{name}.key")));
        ask(&["--ca", &ca, "--cert", &certificate, "--key", &key])
    };
    let (code, answer) = by("operator", "servers.ca");
    assert!(code == Some(0) && answer.contains("\"api\": 1"), "{answer}");
    let (code, refused) = by("stranger", "servers.ca");
    assert!(code == Some(1) && refused.contains("rpc.tls.client-ca"), "{refused}");
    let (code, refused) = by("operator", "strangers.ca");
    assert!(code == Some(1) && refused.contains("UnknownIssuer") && refused.contains("--ca"), "{refused}");
    let (code, refused) = ask(&[]);
    assert!(code == Some(2) && refused.contains("--ca, --cert and --key"), "{refused}");
    // Not by our own client: no handshake at all. What is wanted is told, and nothing else.
    let mut bare = TcpStream::connect(appliance.said_port("mutual TLS at ").unwrap()).unwrap();
    bare.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    bare.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = bare.read_to_end(&mut answer);
    let said = String::from_utf8_lossy(&answer);
    assert!(said.contains("and wants TLS") && answer.len() < 300, "{said}");
    appliance.end();
}

#[test]
fn operators_at_one_address_are_told_apart_by_their_certificates() {
    let bench = Bench::new();
    let (servers, clients) = (ca(&bench, "servers"), ca(&bench, "clients"));
    issue(&bench, &servers, "server");
    ["alice", "bob"].into_iter().for_each(|name| issue(&bench, &clients, name));
    let (appliance, url) = with_mutual_tls(bench);
    let path = |name: &str| text(appliance.bench.path(name));
    for (name, sid) in [("alice", "9900001"), ("bob", "9900002")] {
        let (ca, certificate, key) =
            (path("servers.ca"), path(&format!("{name}.pem")), path(&format!("{name}.key")));
        let who = ["--address", &url, "--ca", &ca, "--cert", &certificate, "--key", &key];
        let done = weir().args(["ctl", "rules", "set", sid, "alert"]).args(who).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    let told = appliance.json(&["rules", "overrides"]);
    let by: Vec<_> = told["overrides"].as_array().unwrap().iter().map(|rule| rule["by"].clone()).collect();
    assert_eq!(by, ["CN=alice", "CN=bob"]);
    appliance.end();
}

#[test]
fn doors_that_would_stand_open_or_cannot_be_opened_are_faults_of_the_start() {
    let bench = Bench::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    let refused = |sets: &[&str], said: &[&str]| {
        let mut command = weir();
        command.args(["run", "-c", "conf/demo.toml", "--set", "http.listen="]);
        for (key, name) in [("outputs.directory", "out"), ("rpc.socket", "weir.sock")] {
            command.arg("--set").arg(format!("{key}={}", bench.path(name).display()));
        }
        let output = command.args(sets.iter().flat_map(|set| ["--set", set])).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{sets:?}: {text}");
        for part in said {
            assert!(text.contains(part), "{sets:?} must say {part:?}: {text}");
        }
    };
    refused(&["rpc.listen=0.0.0.0:7000"], &["there is no [rpc.tls]", "listen at 127.0.0.1"]);
    refused(&["rpc.listen=127.0.0.1:0", "rpc.enabled=false"], &["rpc.enabled is false"]);
    refused(&["rpc.listen=127.0.0.1"], &["an address with its port"]);
    refused(&["rpc.tls.key=a.key"], &["[rpc.tls] has no certificate", "[rpc.tls] has no client-ca"]);
    let files = ["rpc.tls.key=/none/k", "rpc.tls.certificate=/none/c", "rpc.tls.client-ca=/none/a"];
    refused(&[&["rpc.listen=127.0.0.1:0"], &files[..]].concat(), &["/none/a", "PEM file"]);
    let mut check = weir();
    check.args(["check", "-c", "conf/demo.toml", "--set", "rpc.listen=127.0.0.1:0"]);
    let output = check.args(files.iter().flat_map(|set| ["--set", set])).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && text.contains("[rpc.tls]: cannot read /none/a"), "{text}");
    for key in ["rpc.listen", "http.listen"] {
        refused(
            &[&format!("{key}={taken}")],
            &[&format!("cannot listen at {taken}"), &format!("set {key} to")],
        );
    }
    refused(
        &["suricata-socket.path=/proc/none/x.sock"],
        &["set suricata-socket.path to a path you may write to"],
    );
}

/// By root: as nobody. Others cannot become somebody else.
#[test]
fn another_user_is_refused_by_both_sockets_and_told_why() {
    let identity = Command::new("id").arg("-u").output().unwrap();
    if identity.stdout.trim_ascii() != b"0" {
        println!("skipped: not root");
        return;
    }
    let bench = Bench::new();
    // A folder that everybody may enter: only the sockets themselves are guarded.
    let open = Command::new("chmod").arg("0755").arg(bench.path("")).status().unwrap();
    assert!(open.success());
    std::fs::copy(env!("CARGO_BIN_EXE_weir"), bench.path("weir")).unwrap();
    let appliance = Appliance::start(bench, &[]);
    let as_nobody = |words: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]).args(words);
        command.output().unwrap()
    };
    let binary = text(appliance.bench.path("weir"));
    for name in ["weir.sock", "suricata-command.socket"] {
        let output = as_nobody(&[&binary, "ctl", "stop", "--socket", &text(appliance.bench.path(name))]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && text.contains("permission denied"), "{text}");
        assert!(text.contains("rpc.group-access"), "{text}");
    }
    assert!(appliance.ctl(&["status"]).status.success());
    appliance.end();
}

/// What a connection begins with, to come past its first check.
const HELLOS: [&[u8]; 7] = [
    b"",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    b"{\"version\": \"0.2\"}\n",
    b"{\"version\": \"0.1\"}{\"command\": \"",
    b"GET /metrics HTTP/1.1\r\nX: ",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
];

#[test]
fn whatever_bytes_come_by_whichever_door_the_appliance_goes_on() {
    let appliance = Appliance::start(Bench::new(), &["rpc.listen=127.0.0.1:0"]);
    let tcp = [appliance.http(), appliance.said_port("rpc: ").unwrap()];
    let unix = ["weir.sock", "suricata-command.socket"].map(|name| appliance.bench.path(name));
    let patience = Some(Duration::from_millis(2));
    // Some say nothing more and stay, with an answer that they do not read.
    let mut lingering: Vec<Box<dyn Write>> = Vec::new();
    for round in 0..240_u64 {
        let hello = HELLOS[round as usize % HELLOS.len()];
        let bytes = [hello, &Noise::new(round).bytes((round as usize * 37) % 9000)].concat();
        for address in tcp {
            let mut io = TcpStream::connect(address).unwrap();
            io.set_read_timeout(patience).unwrap();
            let _ = io.write_all(&bytes); // it may have been turned away
            let _ = io.read(&mut [0; 64]);
            if round % 30 == 0 {
                lingering.push(Box::new(io));
            }
        }
        for path in &unix {
            let mut io = UnixStream::connect(path).unwrap();
            io.set_read_timeout(patience).unwrap();
            let _ = io.write_all(&bytes);
            let _ = io.read(&mut [0; 64]);
            if round % 30 == 0 {
                lingering.push(Box::new(io));
            }
        }
    }
    assert!(appliance.ctl(&["status"]).status.success(), "{}", appliance.running.stderr());
    let address = format!("http://{}", tcp[1]);
    let by_tcp = weir().args(["ctl", "status", "--address", &address]).output().unwrap();
    assert!(by_tcp.status.success(), "{}", String::from_utf8_lossy(&by_tcp.stderr));
    assert!(Suricatasc::new(&appliance).done("uptime").is_u64());
    assert_eq!(get(tcp[0], "/readyz").0, 200);
    let log = appliance.running.stderr();
    assert!(!log.contains("panicked") && !log.contains("answer no more"), "{log}");
    appliance.end();
}

#[test]
fn a_server_certificate_that_expired_is_warned_of_by_check_and_start_and_its_clients_hear_why() {
    let bench = Bench::new();
    let (servers, clients) = (ca(&bench, "servers"), ca(&bench, "clients"));
    issue_with(&bench, &servers, "server", |params| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    });
    issue(&bench, &clients, "operator");
    let path = |name: &str| text(bench.path(name));
    let file = bench.file(
        "weir.toml",
        format!(
            "[rpc]\nlisten = \"127.0.0.1:7071\"\n[rpc.tls]\ncertificate = {:?}\nkey = {:?}\nclient-ca = {:?}\n",
            path("server.pem"),
            path("server.key"),
            path("clients.ca")
        ),
    );
    let expired = "(CN=server) in";
    let checked = weir().args(["check", "-c"]).arg(file).output().unwrap();
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(
        checked.status.success() && said.contains(expired) && said.contains("expired at 2021-01-01"),
        "{said}"
    );

    let files = ["servers.ca", "operator.pem", "operator.key"].map(path);
    let (appliance, url) = with_mutual_tls(bench);
    let log = appliance.running.stderr();
    assert!(
        log.contains(expired) && log.contains("expired at 2021-01-01T00:00:00Z: clients refuse it"),
        "{log}"
    );
    let [ca, certificate, key] = &files;
    let asked = weir()
        .args(["ctl", "version", "--address", &url, "--ca", ca, "--cert", certificate, "--key", key])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&asked.stderr).into_owned();
    assert!(asked.status.code() == Some(1) && said.contains("certificate expired"), "{said}");
    appliance.end();
}
