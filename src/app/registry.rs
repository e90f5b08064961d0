//! All decoders and probes, a line each. **To add a decoder: its module, and one line in [`TABLE`]**; that it is there
//! `rules` learns by the list [`DECODED`](crate::rules::app::DECODED), which a test holds to this table.

use super::entry::Entry;
use super::transaction::{COMPLETE, START};
use crate::base::Dir;
use crate::rules::app::AppProto;
use crate::rules::context::BufferId;
use crate::rules::state;

/// Probed in this order: those that prove themselves by more come first.
#[rustfmt::skip]
pub static TABLE: &[Entry] = &[
    super::tls::ENTRY,
    super::http2::ENTRY,
    super::http2::DOH_ENTRY,
    super::ssh::ENTRY,
    super::quic::ENTRY,
    super::http1::ENTRY,
    super::sip::ENTRY,
    super::smb::ENTRY,
    super::dns::ENTRY,
    super::dns::TCP_ENTRY,
    super::dns::MDNS_ENTRY,
    super::dns::LLMNR_ENTRY,
    super::snmp::ENTRY,
    super::ike::ENTRY,
    super::dhcp::ENTRY,
    super::ntp::ENTRY,
    super::tftp::ENTRY,
    super::dcerpc::ENTRY,
    super::smtp::ENTRY,
    super::ftp::ENTRY,
    super::ftp::DATA_ENTRY,
    super::mqtt::ENTRY,
    super::websocket::ENTRY,
    super::rfb::ENTRY,
    super::rdp::ENTRY,
    super::rdp::PORT_ENTRY,
    super::pgsql::ENTRY,
    super::pgsql::PORT_ENTRY,
    super::telnet::ENTRY,
    super::ldap::ENTRY,
    super::pop3::ENTRY,
    super::imap::ENTRY,
    super::dnp3::ENTRY,
    super::modbus::ENTRY,
    super::enip::ENTRY,
    super::krb5::ENTRY,
    super::nfs::ENTRY,
];

pub fn of(proto: AppProto) -> Option<&'static Entry> {
    TABLE.iter().find(|entry| entry.proto == proto)
}

/// Whether its first bytes prove nothing: it is only found where another protocol says that it comes.
pub fn is_only_told(proto: AppProto) -> bool {
    of(proto).is_some_and(|entry| {
        !(entry.anywhere_tcp || entry.anywhere_udp) && entry.tcp.is_empty() && entry.udp.is_empty()
    })
}

/// The stage from which on a buffer of that protocol that was not put will not come.
pub fn stage_of(proto: AppProto, buffer: BufferId) -> u8 {
    of(proto).map_or(COMPLETE, |entry| (entry.stage)(buffer))
}

/// The stage of the direction that rules call by that name.
pub fn stage_named(proto: AppProto, dir: Dir, name: &str) -> Option<u8> {
    let is = |names: [&str; 2]| names.get(dir.index()).is_some_and(|known| *known == name);
    if is(state::STARTED) {
        return Some(START);
    }
    if is(state::COMPLETED) {
        return Some(COMPLETE);
    }
    let own = of(proto)?.states.get(dir.index())?;
    own.iter().find(|(known, _)| *known == name).map(|(_, stage)| *stage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_know_the_names_of_every_decoders_states() {
        for entry in TABLE {
            let named = entry.states.map(|states| states.iter().map(|(name, _)| *name).collect::<Vec<_>>());
            assert_eq!(named, state::own(entry.proto).map(<[_]>::to_vec), "{}", entry.proto.name());
        }
    }
    use crate::rules::app::DECODED;

    #[test]
    fn rules_know_of_every_decoder() {
        for &proto in AppProto::ALL {
            let decoder = of(proto).is_some_and(|entry| entry.make.is_some());
            assert_eq!(DECODED.contains(proto), decoder, "{}", proto.name());
        }
    }
}
