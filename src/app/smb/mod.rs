//! SMB 1, 2 and 3 over TCP, with and without NetBIOS ([MS-SMB], [MS-SMB2], RFC 1002), and DCE/RPC in their named pipes.
//!
//! Owes a transaction for each request and its answer; for each file that is read or written one a direction, with its
//! bytes; for each DCE/RPC call in a pipe one of its own. What is encrypted is passed over. Owns the session's state
//! ([`session`]): shares, open files and pipes, requests without an answer.

mod command;
mod decoder;
mod dialects;
mod files;
mod frames;
mod header;
mod ntlmssp;
mod record;
mod session;
mod sizes;
mod smb1;
mod smb2;
#[cfg(test)]
mod tests;
pub(super) mod text;

use super::decoder::Probe;
use super::entry::{Entry, NO_STATES, at_the_end};
use crate::base::Dir;
use crate::rules::app::AppProto;

pub const ENTRY: Entry = Entry {
    proto: AppProto::Smb,
    tcp: &[139, 445],
    udp: &[],
    anywhere_tcp: true,
    anywhere_udp: false,
    probe,
    make: Some(|| Box::new(decoder::Smb::default())),
    stage: at_the_end,
    states: NO_STATES,
};

/// A NetBIOS message with an SMB message in it, or NetBIOS's own greeting.
fn probe(_dir: Dir, bytes: &[u8]) -> Probe {
    const SESSION_REQUEST: [u8; 4] = [0x81, 0, 0, 0x44];
    const SESSION_ANSWER: [u8; 4] = [0x82, 0, 0, 0];
    match *bytes {
        [] => Probe::More,
        [0, _, _, _, ref rest @ ..] => magic(rest),
        [0x81, ..] if bytes.starts_with(&SESSION_REQUEST) => Probe::Yes,
        [0x82, ..] if bytes.starts_with(&SESSION_ANSWER) => Probe::Yes,
        [0, ..] => Probe::More,
        [0x81, ..] if SESSION_REQUEST.starts_with(bytes) => Probe::More,
        [0x82, ..] if SESSION_ANSWER.starts_with(bytes) => Probe::More,
        _ => Probe::No,
    }
}

fn magic(bytes: &[u8]) -> Probe {
    let first = bytes.first().is_none_or(|byte| (0xfc..=0xff).contains(byte));
    let rest = bytes.get(1..4.min(bytes.len())).unwrap_or_default();
    match first && b"SMB".starts_with(rest) {
        false => Probe::No,
        true if rest.len() == 3 => Probe::Yes,
        true => Probe::More,
    }
}
