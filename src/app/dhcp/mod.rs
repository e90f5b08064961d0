//! DHCP (RFC 2131, 2132): a transaction a message.

mod options;
#[cfg(test)]
mod tests;

use super::decoder::{Decoder, Next, Probe};
use super::entry::{Entry, NO_STATES, at_the_end};
use super::sink::Sink;
use super::transaction::Transaction;
use crate::base::Dir;
use crate::rules::app::AppProto;
use crate::rules::context::{self, BufferId};
use std::io::Write;
use std::net::Ipv4Addr;

pub const ENTRY: Entry = Entry {
    proto: AppProto::Dhcp,
    tcp: &[],
    udp: &[67, 68],
    anywhere_tcp: false,
    anywhere_udp: false,
    probe: |_, bytes| if Header::read(bytes).is_some() { Probe::Yes } else { Probe::No },
    make: Some(|| Box::new(Dhcp)),
    stage: at_the_end,
    states: NO_STATES,
};

const FRAME: BufferId = context::id("dhcp.pdu");
/// Before the options: the fixed part and what tells that options follow.
const COOKIE: usize = 236;
const MAGIC: [u8; 4] = [0x63, 0x82, 0x53, 0x63];

struct Header<'a> {
    is_request: bool,
    id: u32,
    /// The client's, as long as it says, and as the field has room for.
    hardware: &'a [u8],
    /// Client's own, assigned to it, of the next server, of the relay.
    addresses: [[u8; 4]; 4],
    options: &'a [u8],
}

impl Header<'_> {
    fn read(bytes: &[u8]) -> Option<Header<'_>> {
        let [opcode @ (1 | 2), _kind, len, ..] = *bytes else { return None };
        let options = bytes.get(COOKIE..)?.strip_prefix(&MAGIC)?;
        let address = |at: usize| bytes.get(at..at + 4)?.try_into().ok();
        Some(Header {
            is_request: opcode == 1,
            id: u32::from_be_bytes(address(4)?),
            hardware: bytes.get(28..28 + usize::from(len.min(16)))?,
            addresses: [address(12)?, address(16)?, address(20)?, address(24)?],
            options,
        })
    }
}

struct Dhcp;

impl Decoder for Dhcp {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        let Some(id) = sink.open() else { return Next::More };
        let Some(tx) = sink.tx(id) else { return Next::More };
        tx.put(dir, FRAME, bytes);
        match Header::read(bytes) {
            Some(header) => {
                notes(tx, &header);
                options::report(tx, dir, header.options);
            }
            None => tx.event(dir, "dhcp.malformed_options"),
        }
        tx.complete_one_way(dir);
        Next::More
    }

    fn reset(&mut self) {}
}

fn notes(tx: &mut Transaction, header: &Header<'_>) {
    if !tx.wants_notes() {
        return;
    }
    tx.note("type", if header.is_request { b"request" } else { b"reply" });
    tx.note_number("id", header.id.into());
    tx.note_with("client_mac", |out| hex(header.hardware, out));
    let [client, assigned, next_server, relay] = header.addresses;
    address(tx, "assigned_ip", assigned);
    address(tx, "client_ip", client);
    if !header.is_request {
        address(tx, "relay_ip", relay);
        address(tx, "next_server_ip", next_server);
    }
}

fn address(tx: &mut Transaction, name: &'static str, address: [u8; 4]) {
    tx.note_with(name, |out| drop(write!(out, "{}", Ipv4Addr::from(address))));
}

/// Bytes in hexadecimal with colons between.
fn hex(bytes: &[u8], out: &mut Vec<u8>) {
    for (at, byte) in bytes.iter().enumerate() {
        let colon = if at == 0 { "" } else { ":" };
        drop(write!(out, "{colon}{byte:02x}"));
    }
}
