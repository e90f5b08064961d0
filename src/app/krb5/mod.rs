//! Kerberos 5 (RFC 4120) over TCP and UDP.
//!
//! Owes a transaction for each message of the key distribution centre's exchanges, in its own direction: its type, who asks
//! for what, how tickets are encrypted, errors. Owns nothing but an unfinished message.

mod decoder;
mod message;
mod names;
#[cfg(test)]
mod tests;

use super::decoder::Probe;
use super::entry::{Entry, NO_STATES, at_the_end};
use crate::base::Dir;
use crate::rules::app::AppProto;

pub const ENTRY: Entry = Entry {
    proto: AppProto::Krb5,
    tcp: &[88],
    udp: &[88],
    anywhere_tcp: false,
    anywhere_udp: false,
    probe,
    make: Some(|| Box::new(decoder::Krb5::default())),
    stage: at_the_end,
    states: NO_STATES,
};

/// A message's first bytes: an application's tag of Kerberos, behind a length where a stream carries it.
fn probe(_dir: Dir, bytes: &[u8]) -> Probe {
    match bytes {
        [0, ..] => decoder::begins(bytes.get(decoder::LENGTH..).unwrap_or_default()),
        _ => decoder::begins(bytes),
    }
}
