//! What eve.json says of calls: by themselves under `dcerpc`, within SMB under `smb.dcerpc`.

use super::pdu::{Header, kind};
use crate::app::Transaction;

/// Names of the notes.
#[derive(Debug)]
pub struct Names {
    request: &'static str,
    response: &'static str,
    call_id: &'static str,
    opnum: &'static str,
    request_fragments: &'static str,
    request_size: &'static str,
    response_fragments: &'static str,
    response_size: &'static str,
    interface: &'static str,
    uuid: &'static str,
    version: &'static str,
    ack_result: &'static str,
    /// Only where calls stand by themselves.
    rpc_version: Option<&'static str>,
}

pub static OWN: Names = Names {
    request: "request",
    response: "response",
    call_id: "call_id",
    opnum: "req.opnum",
    request_fragments: "req.frag_cnt",
    request_size: "req.stub_data_size",
    response_fragments: "res.frag_cnt",
    response_size: "res.stub_data_size",
    interface: "interfaces[]",
    uuid: "interfaces[].uuid",
    version: "interfaces[].version",
    ack_result: "interfaces[].ack_result",
    rpc_version: Some("rpc_version"),
};

pub static IN_SMB: Names = Names {
    request: "dcerpc.request",
    response: "dcerpc.response",
    call_id: "dcerpc.call_id",
    opnum: "dcerpc.opnum",
    request_fragments: "dcerpc.req.frag_cnt",
    request_size: "dcerpc.req.stub_data_size",
    response_fragments: "dcerpc.res.frag_cnt",
    response_size: "dcerpc.res.stub_data_size",
    interface: "dcerpc.interfaces[]",
    uuid: "dcerpc.interfaces[].uuid",
    version: "dcerpc.interfaces[].version",
    ack_result: "dcerpc.interfaces[].ack_result",
    rpc_version: None,
};

impl Names {
    pub(super) fn opened(&self, tx: &mut Transaction, header: &Header) {
        tx.note_number(self.call_id, u64::from(header.call_id));
        if let Some(name) = self.rpc_version {
            tx.note(name, if header.minor == 0 { b"5.0" } else { b"5.1" });
        }
    }

    pub(super) fn request(&self, tx: &mut Transaction, opnum: u16, fragments: u64, size: u64) {
        tx.note(self.request, b"REQUEST");
        tx.note_number(self.opnum, u64::from(opnum));
        tx.note_number(self.request_fragments, fragments);
        tx.note_number(self.request_size, size);
    }

    pub(super) fn response(&self, tx: &mut Transaction, fragments: u64, size: u64) {
        tx.note(self.response, b"RESPONSE");
        tx.note_number(self.response_fragments, fragments);
        tx.note_number(self.response_size, size);
    }

    pub(super) fn bind(&self, tx: &mut Transaction, of: u8) {
        tx.note(self.request, if of == kind::BIND { b"BIND" } else { b"ALTER_CONTEXT" });
    }

    pub(super) fn bind_ack(&self, tx: &mut Transaction, of: u8) {
        tx.note(self.response, if of == kind::BIND_ACK { b"BINDACK" } else { b"ALTER_CONTEXT_RESP" });
    }

    pub(super) fn refusal(&self, tx: &mut Transaction, of: u8) {
        tx.note(self.response, if of == kind::FAULT { b"FAULT" } else { b"BINDNAK" });
    }

    /// An interface that was offered, and the server's answer.
    pub(super) fn interface(
        &self,
        tx: &mut Transaction,
        uuid: &[u8],
        (major, minor): (u16, u16),
        result: u16,
    ) {
        tx.note_begin(self.interface);
        tx.note(self.uuid, uuid);
        let (text, len) = version(major, minor);
        tx.note(self.version, text.get(..len).unwrap_or_default());
        tx.note_number(self.ack_result, u64::from(result));
    }
}

/// `3.0`, and how many bytes of it there are.
fn version(major: u16, minor: u16) -> ([u8; 11], usize) {
    let (mut text, mut len) = ([0; 11], 0);
    let mut push = |byte| {
        if let Some(place) = text.get_mut(len) {
            (*place, len) = (byte, len + 1);
        }
    };
    for (at, number) in [major, minor].into_iter().enumerate() {
        if at > 0 {
            push(b'.');
        }
        let mut leading = true;
        for unit in [10_000, 1_000, 100, 10, 1] {
            let digit = number / unit % 10;
            leading &= digit == 0 && unit > 1;
            if !leading {
                push(b'0' + digit as u8);
            }
        }
    }
    (text, len)
}

/// A UUID as text: `367abb81-9844-35f1-ad32-98f038001003`.
pub fn write_uuid(uuid: &[u8; 16]) -> [u8; 36] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let digit = |n: u8| HEX.get(usize::from(n & 15)).copied().unwrap_or(b'?');
    let mut text = [b'-'; 36];
    let groups = [0..8, 9..13, 14..18, 19..23, 24..36];
    let mut digits = uuid.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]);
    for place in groups.into_iter().flatten() {
        if let (Some(place), Some(digit)) = (text.get_mut(place), digits.next()) {
            *place = digit;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_and_a_version_as_text() {
        let uuid = [0x36, 0x7a, 0xbb, 0x81, 0x98, 0x44, 0x35, 0xf1, 0xad, 0x32, 0x98, 0xf0, 0x38, 0, 0x10, 3];
        assert_eq!(&write_uuid(&uuid), b"367abb81-9844-35f1-ad32-98f038001003");
        for (major, minor, expected) in [(3, 0, "3.0"), (65_535, 100, "65535.100"), (0, 65_535, "0.65535")] {
            let (text, len) = version(major, minor);
            assert_eq!(std::str::from_utf8(&text[..len]).unwrap(), expected);
        }
    }
}
