//! The pass list in the words of the contract.

use super::fault::invalid;
use super::proto as p;
use crate::base::Time;
use crate::io::clock::wall;
use crate::mgmt::passes::{PassFault, PassInfo, PassRequest, name, parse};
use std::time::Duration;
use tonic::Status as Fault;

pub(super) fn request(asked: p::AddPassRequest) -> Result<PassRequest, Fault> {
    let wrong = |fault: PassFault| invalid(fault.to_string());
    let passed = parse(&asked.network).map_err(wrong)?;
    Ok(PassRequest { passed, span: Duration::from_secs(asked.seconds), note: asked.note })
}

pub(super) fn reply(passes: &[PassInfo], now: Time) -> p::PassesReply {
    p::PassesReply { passes: passes.iter().map(pass).collect(), now: wall(now).micros() }
}

pub(super) fn pass(info: &PassInfo) -> p::Pass {
    p::Pass {
        id: info.id,
        network: name(&info.passed),
        note: info.note.clone(),
        since: wall(info.since).micros(),
        until: wall(info.until).micros(),
        spared: info.spared,
        broad: info.passed.is_broad(),
    }
}
