//! SSH (RFC 4253): both sides' banners, and the algorithms they offer.
//!
//! Owes: one transaction a session, with protocol and software versions, the fingerprints of the offers (HASSH), events,
//! and frames of the records before encryption. After both sides' new keys nothing more is decoded.

mod banner;
mod decoder;
mod offer;
mod records;
#[cfg(test)]
mod tests;

use super::entry::{Entry, States};
use super::transaction::COMPLETE;
use super::{Probe, decoder::Decoder};
use crate::base::Dir;
use crate::rules::app::AppProto;
use crate::rules::context::BufferId;

/// How far a direction has come.
mod stage {
    /// The banner says who speaks, and its line goes on.
    pub(super) const WAIT_EOL: u8 = 1;
    pub(super) const BANNER: u8 = 2;
}

const REQUEST_STATES: States = &[
    ("request_in_progress", 0),
    ("request_banner_wait_eol", stage::WAIT_EOL),
    ("request_banner_done", stage::BANNER),
    ("request_finished", COMPLETE),
];

const RESPONSE_STATES: States = &[
    ("response_in_progress", 0),
    ("response_banner_wait_eol", stage::WAIT_EOL),
    ("response_banner_done", stage::BANNER),
    ("response_finished", COMPLETE),
];

pub const ENTRY: Entry = Entry {
    proto: AppProto::Ssh,
    tcp: &[22],
    udp: &[],
    anywhere_tcp: true,
    anywhere_udp: false,
    probe,
    make: Some(make),
    stage: stage_of,
    states: [REQUEST_STATES, RESPONSE_STATES],
};

fn make() -> Box<dyn Decoder> {
    Box::<decoder::Ssh>::default()
}

fn probe(_dir: Dir, bytes: &[u8]) -> Probe {
    let len = bytes.len().min(banner::START.len());
    match (bytes.get(..len) == banner::START.get(..len), len == banner::START.len()) {
        (true, true) => Probe::Yes,
        (true, false) => Probe::More,
        (false, _) => Probe::No,
    }
}

fn stage_of(buffer: BufferId) -> u8 {
    match buffer.get().name {
        "ssh.proto" | "ssh.software" => stage::BANNER,
        _ => COMPLETE,
    }
}
