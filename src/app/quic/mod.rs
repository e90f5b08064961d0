//! QUIC (RFC 9000, 9001, 9369, and drafts): the hellos that its first packets carry, whose encryption anyone can undo.
//! And what Google's QUIC says in the clear before them.
//!
//! Owes: one transaction a session with version, server's name, and fingerprints; events of what cannot be read. After
//! both hellos nothing more is decoded.

mod crypto;
mod decoder;
mod extensions;
mod google;
mod header;
mod keys;
#[cfg(test)]
mod tests;

use super::entry::{Entry, NO_STATES};
use super::transaction::COMPLETE;
use super::{Probe, decoder::Decoder};
use crate::base::Dir;
use crate::rules::app::AppProto;
use crate::rules::context::BufferId;

pub const ENTRY: Entry = Entry {
    proto: AppProto::Quic,
    tcp: &[],
    udp: &[443, 80],
    anywhere_tcp: false,
    anywhere_udp: true,
    probe,
    make: Some(make),
    stage: |_: BufferId| COMPLETE,
    states: NO_STATES,
};

fn make() -> Box<dyn Decoder> {
    Box::<decoder::Quic>::default()
}

/// A long header of a version that is known, or Google's public header.
fn probe(_dir: Dir, bytes: &[u8]) -> Probe {
    if header::Long::read(bytes).is_some() || google::Public::read(bytes).is_some() {
        Probe::Yes
    } else {
        Probe::No
    }
}
