//! What must hold of the doors that others come in by.

use super::Checker;
use crate::mgmt::config::SinkKind;
use crate::mgmt::config::value::Auto;
use crate::mgmt::rpc::socket;
use crate::mgmt::suricata_socket;
use std::net::SocketAddr;
use std::path::PathBuf;

pub(super) fn check(checker: &mut Checker<'_>) {
    sockets(checker);
    addresses(checker);
    let rpc = &checker.config.rpc;
    if let Some(address) = rpc.listen.0.filter(|_| !rpc.enabled) {
        let message = format!("nobody listens at {address}: rpc.enabled is false");
        checker.fault("rpc.listen", message, "write rpc.enabled = true, or leave rpc.listen out");
    }
    if rpc.tls.is_set() {
        for (name, path) in rpc.tls.files() {
            if path.as_os_str().is_empty() {
                let mend = "name certificate, key and client-ca, PEM files, or none of them";
                checker.fault(&format!("rpc.tls.{name}"), format!("[rpc.tls] has no {name}"), mend);
            }
        }
    } else if let Some(address) = rpc.listen.0.filter(|address| !address.ip().is_loopback()) {
        let message = format!("{address} is not this machine alone, and there is no [rpc.tls]");
        let mend = "name certificate, key and client-ca in [rpc.tls], or listen at 127.0.0.1";
        checker.fault("rpc.listen", message, mend);
    }
}

/// Two that want one path: the second would be refused at the start, or take the first one's clients.
fn sockets(checker: &mut Checker<'_>) {
    let config = checker.config;
    let mut wanted: Vec<(String, PathBuf)> = Vec::new();
    let rpc = socket::path(&config.rpc);
    if config.suricata_socket.enabled {
        let path = match &config.suricata_socket.path {
            Auto::Set(path) => path.clone(),
            Auto::Auto => rpc.with_file_name(suricata_socket::FILE),
        };
        wanted.push((suricata_socket::KEY.into(), path));
    }
    if config.rpc.enabled {
        wanted.insert(0, (socket::KEY.into(), rpc));
    }
    // Somebody else's sockets, which an output writes to.
    for (key, to) in super::outputs::all(config) {
        if matches!(to.to, SinkKind::UnixStream | SinkKind::UnixDatagram) {
            wanted.push((format!("{key}.socket"), config.outputs.directory.join(&to.socket)));
        }
    }
    for (n, (key, path)) in wanted.iter().enumerate() {
        let doors = wanted.iter().take(n).filter(|(other, _)| !other.starts_with("outputs."));
        if let Some((other, _)) = doors.into_iter().find(|(_, other)| plain(other) == plain(path)) {
            let message = format!("{other} is {}, too", path.display());
            checker.fault(key, message, "give this one another path");
        }
    }
}

/// Without `.` and doubled slashes.
fn plain(path: &std::path::Path) -> PathBuf {
    path.components().collect()
}

fn addresses(checker: &mut Checker<'_>) {
    let config = checker.config;
    let (Some(rpc), Some(http)) = (config.rpc.listen.0.filter(|_| config.rpc.enabled), config.http.listen.0)
    else {
        return;
    };
    if !meet(rpc, http) {
        return;
    }
    // At the one that was written.
    let (key, other, address) = match checker.places.contains_key("http.listen") {
        true => ("http.listen", "rpc.listen", rpc),
        false => ("rpc.listen", "http.listen", http),
    };
    let message = format!("{other} is {address}: both cannot listen there");
    checker.fault(key, message, "give this one another port");
}

/// Whether two listeners want the same: `0.0.0.0` and `[::]` are all addresses. Port 0 is one of the system's choice.
fn meet(a: SocketAddr, b: SocketAddr) -> bool {
    let all = a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() != 0 && a.port() == b.port() && (a.ip() == b.ip() || all)
}
