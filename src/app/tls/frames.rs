//! Records as they stand on the wire, for rules that look into frames.

use super::record::{HEADER, HEADER2, content};
use super::session::Session;
use crate::app::limits::KEPT;
use crate::app::{Sink, Wanted};
use crate::base::Dir;
use crate::rules::context::{self, BufferId};

const PDU: BufferId = context::id("tls.pdu");
const HDR: BufferId = context::id("tls.hdr");
const DATA: BufferId = context::id("tls.data");
const ALERT: BufferId = context::id("tls.alert");
const HEARTBEAT: BufferId = context::id("tls.heartbeat");
const HDR2: BufferId = context::id("tls.ssl2.hdr");
const PDU2: BufferId = context::id("tls.ssl2.pdu");

const ALL: [BufferId; 7] = [PDU, HDR, DATA, ALERT, HEARTBEAT, HDR2, PDU2];

/// Whether any rule looks into them.
pub(super) fn are_wanted(wanted: &Wanted) -> bool {
    ALL.into_iter().any(|id| wanted.has(id))
}

/// The record at hand, gathered when it is wanted; no longer than a record may be.
#[derive(Debug, Default)]
pub(super) struct Frame {
    bytes: Vec<u8>,
    wanted: bool,
}

impl Frame {
    pub(super) fn reset(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
        self.wanted = false;
    }

    pub(super) fn begin(&mut self, wanted: &Wanted, header: &[u8; HEADER]) {
        self.wanted = are_wanted(wanted);
        if self.wanted {
            self.bytes.clear();
            self.bytes.extend_from_slice(header);
        }
    }

    pub(super) fn grow(&mut self, bytes: &[u8]) {
        if self.wanted {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// Bytes of it are lost.
    pub(super) fn spoil(&mut self) {
        self.wanted = false;
    }

    pub(super) fn put(&mut self, kind: u8, dir: Dir, session: &mut Session, sink: &mut Sink<'_>) {
        if !self.wanted {
            return;
        }
        let Some(tx) = session.tx(sink) else { return };
        let Some((header, body)) = self.bytes.split_at_checked(HEADER) else { return };
        tx.put(dir, PDU, &self.bytes);
        tx.put(dir, HDR, header);
        tx.put(dir, DATA, body);
        match kind {
            content::ALERT => tx.put(dir, ALERT, body),
            content::HEARTBEAT => tx.put(dir, HEARTBEAT, body),
            _ => {}
        }
    }

    pub(super) fn put_ssl2(&mut self, dir: Dir, session: &mut Session, sink: &mut Sink<'_>) {
        if !self.wanted {
            return;
        }
        let Some(tx) = session.tx(sink) else { return };
        tx.put(dir, PDU2, &self.bytes);
        tx.put(dir, HDR2, self.bytes.get(..HEADER2).unwrap_or_default());
    }
}
