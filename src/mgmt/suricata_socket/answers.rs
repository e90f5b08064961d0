//! What commands answer, in the shapes that Suricata's documentation and scripts have.

use crate::base::Dir::{ToClient, ToServer};
use crate::mgmt::control::{Control, NamedCount, SessionFilter, Status};
use crate::mgmt::eve::{Stamp, nested};
use crate::mgmt::ruleset::{FailedRule, Ruleset};
use serde_json::{Value, json};

/// Seconds.
pub(super) fn uptime(status: &Status) -> u64 {
    status.now.since(status.started).as_secs()
}

/// Packets of a port, and those that it lost before anybody saw them. Checksums are not counted by port here.
pub(super) fn iface(control: &dyn Control, name: &str) -> Result<Value, String> {
    let ports = control.ports();
    if !ports.iter().any(|port| port == name) {
        return Err(format!("there is no interface {name}; there are: {}", ports.join(", ")));
    }
    let counters = control.counters();
    let count = |what: &str| {
        let name = format!("port.{name}.{what}");
        counters.iter().find(|counter| counter.name == name).map_or(0, |counter| counter.value)
    };
    Ok(json!({ "pkts": count("rx_packets"), "drop": count("rx_missed") + count("rx_no_buffer") }))
}

/// As eve's stats nest them.
pub(super) fn counters(status: &Status, counters: &[NamedCount]) -> Value {
    nested(uptime(status), counters)
}

pub(super) fn reload_time(rules: &Ruleset) -> Value {
    json!([{ "id": 0, "last_reload": Stamp(rules.at).to_string() }])
}

pub(super) fn ruleset(rules: &Ruleset) -> Value {
    json!([{
        "id": 0,
        "rules_loaded": rules.loaded,
        "rules_failed": rules.refused,
        "rules_skipped": rules.skipped,
    }])
}

pub(super) fn failed(rules: &Ruleset) -> Value {
    let one = |FailedRule { file, line, excerpt, message }: &FailedRule| json!({ "tenant_id": 0, "rule": excerpt, "filename": file, "line": line, "error": message });
    rules.failed.iter().map(one).collect()
}

pub(super) fn flow(control: &dyn Control, id: u64) -> Result<Value, String> {
    let one = SessionFilter { limit: 1, flow_id: Some(id), ..SessionFilter::default() };
    let sessions = control.sessions(&one).map_err(|error| error.to_string())?;
    let found = sessions.iter().find(|session| session.flow_id == id);
    let session = found.ok_or_else(|| format!("no live session has the flow_id {id}"))?;
    let age = control.status().now.since(session.start).as_secs();
    Ok(json!({
        "pkts_toserver": session.packets[ToServer],
        "pkts_toclient": session.packets[ToClient],
        "bytes_toserver": session.bytes[ToServer],
        "bytes_toclient": session.bytes[ToClient],
        "age": age,
    }))
}
