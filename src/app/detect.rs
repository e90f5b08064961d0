//! Which protocol the first bytes of a direction speak.

use super::decoder::Probe;
use super::entry::Entry;
use super::registry::TABLE;
use crate::base::Dir;
use crate::rules::app::AppProto;

/// How a session is carried: which probes may say something of it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    Tcp,
    Udp,
}

/// What is known of a direction's protocol.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Found {
    /// More bytes may tell.
    #[default]
    Open,
    Is(AppProto),
    Reversed(AppProto),
    /// No probe knows them, and none will.
    Nothing,
}

/// Asks the probes. `ports` are the session's: client's, server's; `last` that no more bytes will be kept for probing.
pub(super) fn detect(carrier: Carrier, dir: Dir, bytes: &[u8], ports: (u16, u16), last: bool) -> Found {
    let mut open = false;
    for entry in TABLE.iter().filter(|entry| applies(entry, carrier, ports)) {
        match (entry.probe)(dir, bytes) {
            Probe::Yes => return Found::Is(entry.proto),
            Probe::Reversed => return Found::Reversed(entry.proto),
            Probe::More => open = true,
            Probe::No => {}
        }
    }
    if open && !last { Found::Open } else { Found::Nothing }
}

fn applies(entry: &Entry, carrier: Carrier, (client, server): (u16, u16)) -> bool {
    let (anywhere, ports) = match carrier {
        Carrier::Tcp => (entry.anywhere_tcp, entry.tcp),
        Carrier::Udp => (entry.anywhere_udp, entry.udp),
    };
    anywhere || ports.contains(&server) || ports.contains(&client)
}
