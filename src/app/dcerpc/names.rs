//! What eve.json says of calls: by themselves under `dcerpc`, within SMB under `smb.dcerpc`.

use super::pdu::{Header, kind};
use crate::app::Transaction;
use crate::app::digits::{push_number, push_uuid};

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
        uuid: &[u8; 16],
        (major, minor): (u16, u16),
        result: u16,
    ) {
        tx.note_begin(self.interface);
        tx.note_with(self.uuid, |out| push_uuid(out, uuid));
        tx.note_with(self.version, |out| {
            push_number(out, u64::from(major));
            out.push(b'.');
            push_number(out, u64::from(minor));
        });
        tx.note_number(self.ack_result, u64::from(result));
    }
}
