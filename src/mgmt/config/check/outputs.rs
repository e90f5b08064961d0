//! What must hold between outputs: names of their own, and places of their own.

use super::Checker;
use crate::mgmt::config::sections::outputs::{EVE, FAST};
use crate::mgmt::config::{Config, Destination, SinkKind, SyslogServer};
use crate::mgmt::outputs::server_name;
use std::path::PathBuf;

pub(super) fn check(checker: &mut Checker<'_>) {
    names(checker);
    places(checker);
    for (key, destination) in all(checker.config) {
        tls(checker, &key, destination);
    }
}

/// Those that write, by their keys.
pub(super) fn all(config: &Config) -> Vec<(String, &Destination)> {
    let outputs = &config.outputs;
    let mut used: Vec<(String, &Destination)> = Vec::new();
    if outputs.eve.enabled {
        used.push(("outputs.eve".into(), &outputs.eve.destination));
    }
    let further = outputs.further_eve.iter().enumerate();
    used.extend(further.map(|(i, eve)| (format!("outputs.further-eve.{i}"), &eve.destination)));
    if outputs.fast.enabled {
        used.push(("outputs.fast".into(), &outputs.fast.destination));
    }
    used
}

/// What syslog over TLS needs.
fn tls(checker: &mut Checker<'_>, key: &str, to: &Destination) {
    if to.to != SinkKind::Syslog || !matches!(to.syslog_server, SyslogServer::Tls(_)) {
        return;
    }
    let given = |path: &PathBuf| !path.as_os_str().is_empty();
    let files = [
        ("syslog-ca", &to.syslog_ca),
        ("syslog-certificate", &to.syslog_certificate),
        ("syslog-key", &to.syslog_key),
    ];
    for (name, path) in files.into_iter().filter(|(_, path)| given(path) && !path.is_absolute()) {
        let message = format!("{} is no full path", path.display());
        checker.fault(&format!("{key}.{name}"), message, "write it from / on");
    }
    if !given(&to.syslog_ca) {
        let message = "syslog over TLS needs the CA of the server's certificate".into();
        checker.fault(&format!("{key}.syslog-ca"), message, "name a PEM file with it");
    }
    for (has, lacks) in [("syslog-certificate", "syslog-key"), ("syslog-key", "syslog-certificate")] {
        let is_given = |name| files.iter().any(|(known, path)| *known == name && given(path));
        if is_given(has) && !is_given(lacks) {
            checker.fault(
                &format!("{key}.{lacks}"),
                format!("there is {has} without {lacks}"),
                "name both or none",
            );
        }
    }
    if !to.syslog_server_name.is_empty() && server_name(to).is_none() {
        let message = format!("\"{}\" is no name of a host", to.syslog_server_name);
        checker.fault(
            &format!("{key}.syslog-server-name"),
            message,
            "write it as in the server's certificate",
        );
    }
}

fn names(checker: &mut Checker<'_>) {
    let further = &checker.config.outputs.further_eve;
    for (i, eve) in further.iter().enumerate() {
        let key = format!("outputs.further-eve.{i}.name");
        let name = eve.name.as_str();
        let taken = [EVE, FAST].contains(&name) || further.iter().take(i).any(|other| other.name == name);
        let word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || !name.chars().all(word) {
            let message = "this output has no name of letters, digits, - and _".into();
            checker.fault(&key, message, "add name = \"siem\"");
        } else if taken {
            let message = format!("two outputs are named \"{name}\"");
            checker.fault(&key, message, "give this one another name: counters go by it");
        }
    }
}

/// Two that write one file would mix their lines and set it aside under each other's hands. A server may have many clients.
fn places(checker: &mut Checker<'_>) {
    let outputs = &checker.config.outputs;
    let mut used = all(checker.config);
    used.retain(|(_, destination)| destination.to == SinkKind::File);
    for (n, (key, destination)) in used.iter().enumerate() {
        let path = outputs.directory.join(&destination.file);
        let same = |(_, other): &&(String, &Destination)| outputs.directory.join(&other.file) == path;
        if let Some((other, _)) = used.iter().take(n).find(same) {
            let message = format!("[{other}] writes {}, too", path.display());
            checker.fault(&format!("{key}.file"), message, "give this one another file");
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::mgmt::config::{Faults, Profile, Sources};

    /// The keys that are at fault.
    fn faults(sets: &[&str]) -> Vec<String> {
        let sets: Vec<String> = sets.iter().map(|set| format!("outputs.eve.{set}")).collect();
        let loaded = Sources { file: None, sets: &sets, profile: Profile::Inline }.load();
        let keys =
            |Faults(faults)| faults.into_iter().map(|fault| fault.key.replace("outputs.eve.", "")).collect();
        loaded.err().map(keys).unwrap_or_default()
    }

    #[test]
    fn syslog_over_tls_says_what_it_lacks() {
        let (to, tls, ca) = ("to=syslog", "syslog-server=tls:192.0.2.1:6514", "syslog-ca=/etc/weir/ca.pem");
        assert_eq!(faults(&[to, tls]), ["syslog-ca"]);
        assert_eq!(faults(&[to, tls, "syslog-ca=ca.pem"]), ["syslog-ca"]);
        assert_eq!(faults(&[to, tls, ca, "syslog-key=/k.pem"]), ["syslog-certificate"]);
        assert_eq!(faults(&[to, tls, ca, "syslog-server-name=log host"]), ["syslog-server-name"]);
        for good in [
            &[to, tls, ca][..],
            &[
                to,
                tls,
                ca,
                "syslog-server-name=log.example",
                "syslog-key=/k.pem",
                "syslog-certificate=/c.pem",
            ],
            &[to, "syslog-server=tcp:192.0.2.1:601"],
            &[tls],
        ] {
            assert!(faults(good).is_empty(), "{good:?}");
        }
    }
}
