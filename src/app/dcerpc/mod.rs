//! DCE/RPC (C706, [MS-RPCE]) over TCP and UDP; SMB carries it in named pipes.
//!
//! Owes a transaction for each call and each bind: the interface that the client bound, the operation, the stub of both
//! directions. Owns what is bound, and the calls under way.
//!
//! The field `dcerpc.iface` is the text that [`Interface::to_bytes`] makes, and [`Interface::is`] compares. It is put only
//! for a context that the server accepted.

mod association;
mod interface;
mod names;
mod pdu;
mod tcp;
#[cfg(test)]
mod tests;
mod udp;

pub use association::{Association, Carrier};
pub use interface::Interface;
pub use names::IN_SMB;
pub use pdu::HEADER_LEN;
pub use tcp::frame;

use super::decoder::{Decoder, Next, Probe};
use super::entry::{Entry, NO_STATES, at_the_end};
use super::sink::Sink;
use crate::base::Dir;
use crate::rules::app::AppProto;
use crate::wire::ip_proto;
use pdu::{header, may_begin};
use tcp::Tcp;
use udp::Udp;

pub const ENTRY: Entry = Entry {
    proto: AppProto::Dcerpc,
    tcp: &[135],
    udp: &[135],
    anywhere_tcp: true,
    anywhere_udp: true,
    probe,
    make: Some(|| Box::new(Dcerpc::default())),
    stage: at_the_end,
    states: NO_STATES,
};

/// A connection's header begins with its version, 5; a datagram's with 4.
fn probe(_dir: Dir, bytes: &[u8]) -> Probe {
    if udp::is_unit(bytes) {
        return Probe::Yes;
    }
    match (may_begin(bytes), bytes.len() < HEADER_LEN) {
        (false, _) => Probe::No,
        (true, true) => Probe::More,
        (true, false) if header(bytes).is_some() => Probe::Yes,
        (true, false) => Probe::No,
    }
}

/// Which of the two it is, the session's transport says.
#[derive(Debug, Default)]
struct Dcerpc {
    tcp: Tcp,
    udp: Udp,
}

impl Decoder for Dcerpc {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        if sink.tuple.proto == ip_proto::UDP {
            self.udp.data(dir, bytes, sink)
        } else {
            self.tcp.data(dir, bytes, sink)
        }
    }

    fn gap(&mut self, dir: Dir, missing: u64, sink: &mut Sink<'_>) -> Next {
        self.tcp.gap(dir, missing, sink)
    }

    fn reset(&mut self) {
        self.tcp.reset();
        self.udp.reset();
    }
}
