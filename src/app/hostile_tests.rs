//! What never ends costs no decoder more than its bytes: heads of a megabyte, and a byte a packet, fed to each decoder whatever
//! its probe would say. `tests/hostile.rs` goes further, through detection.

use super::fixture::Bench;
use super::registry::TABLE;
use super::{AppProto, Next};
use crate::base::Dir;

/// Bytes of what never ends.
const MUCH: usize = 1 << 20;
/// Bytes that come one at a time.
const SINGLE: usize = 200 << 10;
/// Bytes that a decoder's transactions may hold of it.
const MOST: usize = 8 << 20;
const SEGMENT: usize = 1400;

/// First bytes that open something which may be long.
fn beginnings(proto: AppProto, dir: Dir) -> &'static [&'static [u8]] {
    match (proto, dir) {
        (AppProto::Http1, Dir::ToServer) => {
            &[b"GET /", b"POST / HTTP/1.1\r\nHost: a\r\nX: ", b"GET / HTTP/1.1\r\n"]
        }
        (AppProto::Http1, Dir::ToClient) => {
            &[b"HTTP/1.1 200 ok\r\nX: ", b"HTTP/1.1 200 ok\r\nTransfer-Encoding: chunked\r\n\r\n1;"]
        }
        (AppProto::Http2, Dir::ToServer) => {
            &[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\x01\0\0\0\0\x01"]
        }
        (AppProto::Http2, Dir::ToClient) => &[b"\0\0\0\x04\0\0\0\0\0\xff\xff\xff\x01\0\0\0\0\x01"],
        (AppProto::Tls, _) => &[b"\x16\x03\x01\x40\0\x01\xff\xff\xff"],
        (AppProto::Ssh, _) => &[b"SSH-2.0-", b"SSH-2.0-x\r\n\0\x03\xff\xff\x04\x14"],
        (AppProto::Smtp, Dir::ToServer) => {
            &[b"EHLO ", b"EHLO a\r\nMAIL FROM:<a>\r\nDATA\r\nSubject: ", b"BDAT 99999999\r\n"]
        }
        (AppProto::Smtp, Dir::ToClient) => &[b"220 ", b"220-x\r\n220-"],
        (AppProto::Ftp, _) => &[b"USER ", b"220 "],
        (AppProto::Sip, _) => &[b"INVITE sip:a SIP/2.0\r\nVia: "],
        (AppProto::Imap, _) => &[
            b"a1 APPEND x {99999999}\r\nSubject: ",
            b"a1 APPEND x {99999999}\r\n\r\n",
            b"* 1 FETCH (BODY[] {99999999}\r\nA: ",
        ],
        (AppProto::Pop3, _) => &[b"USER ", b"+OK "],
        (AppProto::Smb, _) => &[b"\0\xff\xff\xff\xfeSMB\x40\0\0\0", b"\0\xff\xff\xff\xffSMB\x72"],
        (AppProto::Mqtt, _) => &[b"\x10\xff\xff\xff\x7f\0\x04MQTT"],
        (AppProto::Websocket, _) => &[b"\x01\x7f\0\0\0\0\xff\xff\xff\xff"],
        (AppProto::Pgsql, _) => &[b"Q\x7f\xff\xff\xff"],
        (AppProto::Ldap, _) => &[b"\x30\x84\x7f\xff\xff\xff"],
        (AppProto::Dns, _) => &[b"\xff\xff\0\x01\x01\0\0\xff"],
        (AppProto::Krb5, _) => &[b"\x7f\xff\xff\xff\x6a"],
        (AppProto::Nfs, _) => &[b"\x7f\xff\xff\xff\0\0\0\x01"],
        (AppProto::Dcerpc, _) => &[b"\x05\0\0\0\x10\0\0\0\xff\xff\0\0"],
        (AppProto::Telnet, _) => &[b"\xff\xfa\x18"],
        (AppProto::Rfb, _) => &[b"RFB 003.008\n"],
        (AppProto::Rdp, _) => &[b"\x03\0\xff\xff\x06\xe0"],
        _ => &[b""],
    }
}

fn fed(proto: AppProto, dir: Dir, beginning: &[u8], filler: &[u8], times: usize) {
    let make = TABLE.iter().find(|entry| entry.proto == proto).and_then(|entry| entry.make);
    let mut bench = Bench::new(proto, make.unwrap()());
    bench.tuple.proto = crate::wire::ip_proto::TCP;
    let mut on = beginning.is_empty() || bench.data(dir, beginning) == Next::More;
    for _ in 0..times {
        on = on && bench.data(dir, filler) == Next::More;
    }
    let memory: usize = bench.transactions.iter().map(|tx| tx.memory()).sum();
    assert!(memory <= MOST, "{} {dir:?}: {memory} bytes", proto.name());
}

fn each(mut work: impl FnMut(AppProto, Dir, &[u8])) {
    for entry in TABLE.iter().filter(|entry| entry.make.is_some()) {
        for dir in Dir::BOTH {
            beginnings(entry.proto, dir).iter().for_each(|beginning| work(entry.proto, dir, beginning));
        }
    }
}

#[test]
fn lines_and_fields_without_end_stay_small() {
    let lines = b"a: b\r\n".repeat(SEGMENT / 6);
    each(|proto, dir, beginning| {
        fed(proto, dir, beginning, &lines, MUCH / SEGMENT);
        fed(proto, dir, beginning, &[0; SEGMENT], MUCH / SEGMENT);
    });
}

/// Were a byte's cost to grow with what came before it, this would take hours.
#[test]
fn a_byte_a_packet_costs_a_byte() {
    each(|proto, dir, beginning| fed(proto, dir, beginning, b"a", SINGLE));
}
