//! `Sessions.IpActions` in the words of the contract.

use super::fault;
use super::proto as p;
use crate::base::Time;
use crate::io::clock::wall;
use crate::mgmt::control::IpActionInfo;
use crate::mgmt::eve::proto_name;
use std::net::IpAddr;
use tonic::Status as Fault;

/// Of a request; none where it is empty.
pub(super) fn address(text: &str) -> Result<Option<IpAddr>, Fault> {
    let wrong = |_| fault::invalid(format!("{text:?} is no address"));
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(wrong) }
}

pub(super) fn reply(actions: Vec<IpActionInfo>, now: Time) -> p::IpActionsReply {
    p::IpActionsReply { actions: actions.into_iter().map(action).collect(), now: wall(now).micros() }
}

fn action(a: IpActionInfo) -> p::IpAction {
    let text = |address: Option<IpAddr>| address.map(|address| address.to_string()).unwrap_or_default();
    p::IpAction {
        deed: a.deed,
        target: a.target,
        source: text(a.source),
        destination: text(a.destination),
        proto: if a.proto == 0 { String::new() } else { proto_name(a.proto).into_owned() },
        port: a.port.into(),
        ingress: a.ingress,
        rule: a.rule.map(super::why::rule),
        since: wall(a.since).micros(),
        until: wall(a.until).micros(),
        packets: a.packets,
    }
}
