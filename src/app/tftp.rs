//! TFTP (RFC 1350, 2347): requests to read or write a file, a transaction each. The transfer itself runs between other
//! ports.

use super::decoder::{Decoder, Next, Probe};
use super::entry::{Entry, NO_STATES, at_the_end};
use super::sink::Sink;
use crate::base::Dir;
use crate::rules::app::AppProto;

pub const ENTRY: Entry = Entry {
    proto: AppProto::Tftp,
    tcp: &[],
    udp: &[69],
    anywhere_tcp: false,
    anywhere_udp: false,
    probe: |_, bytes| if Request::read(bytes).is_some() { Probe::Yes } else { Probe::No },
    make: Some(|| Box::new(Tftp)),
    stage: at_the_end,
    states: NO_STATES,
};

const MODES: [&[u8]; 3] = [b"octet", b"netascii", b"mail"];

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
struct Request<'a> {
    write: bool,
    file: &'a [u8],
    mode: &'a [u8],
}

impl Request<'_> {
    fn read(bytes: &[u8]) -> Option<Request<'_>> {
        let [0, opcode @ (1 | 2), rest @ ..] = bytes else { return None };
        let mut strings = rest.split(|byte| *byte == 0);
        let (file, mode) = (strings.next()?, strings.next()?);
        // The mode's NUL must be there.
        strings.next()?;
        let known = MODES.iter().any(|known| known.eq_ignore_ascii_case(mode));
        (known && !file.is_empty()).then_some(Request { write: *opcode == 2, file, mode })
    }
}

struct Tftp;

impl Decoder for Tftp {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        let Some(request) = Request::read(bytes) else { return Next::More };
        let Some(id) = sink.open() else { return Next::More };
        let Some(tx) = sink.tx(id) else { return Next::More };
        tx.note("packet", if request.write { b"write" } else { b"read" });
        tx.note("file", request.file);
        tx.note("mode", request.mode);
        tx.complete_one_way(dir);
        Next::More
    }

    fn reset(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::fixture::Bench;

    #[test]
    fn requests_are_transactions_and_the_rest_is_not() {
        let mut bench = Bench::new(AppProto::Tftp, Box::new(Tftp));
        bench.data(Dir::ToServer, b"\0\x01rfc1350.txt\0octet\0");
        bench.data(Dir::ToServer, b"\0\x04\0\x01");
        bench.data(Dir::ToServer, b"\0\x02a\0NetASCII\0blksize\x001428\0");
        assert_eq!(bench.transactions.len(), 2);
        assert!(bench.complete(1, Dir::ToServer));
    }

    #[test]
    fn a_request_has_a_file_and_a_mode() {
        let read = Request::read(b"\0\x02a\0OCTET\0").unwrap();
        assert!(read.write && read.file == b"a" && read.mode == b"OCTET");
        for no in [
            &b"\0\x01a\0octet"[..],
            b"\0\x01\0octet\0",
            b"\0\x03a\0octet\0",
            b"\x01\x01a\0octet\0",
            b"\0\x01a\0other\0",
        ] {
            assert_eq!(Request::read(no), None);
        }
    }
}
