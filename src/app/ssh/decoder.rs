//! The decoder: a banner, then records up to the new keys, in each direction.

use super::banner::{Event, Lines};
use super::offer::{self, KEXINIT, NEWKEYS};
use super::records::{HEADER, Records, Step};
use super::stage;
use crate::app::limits::KEPT;
use crate::app::tls::fingerprint::with_md5;
use crate::app::{Decoder, Next, Sink, Transaction, TxId};
use crate::base::{Dir, PerDir};
use crate::rules::context::{self, BufferId};
use crate::rules::field::{self, FieldId};

const PROTO: BufferId = context::id("ssh.proto");
const SOFTWARE: BufferId = context::id("ssh.software");
const HASSH: [BufferId; 2] = [context::id("ssh.hassh"), context::id("ssh.hassh.server")];
const HASSH_STRING: [BufferId; 2] = [context::id("ssh.hassh.string"), context::id("ssh.hassh.server.string")];
const HDR: BufferId = context::id("ssh.record.hdr");
const DATA: BufferId = context::id("ssh.record.data");
const PDU: BufferId = context::id("ssh.record.pdu");
const PROTO_TEXT: FieldId = field::id("ssh.protoversion");
const SOFTWARE_TEXT: FieldId = field::id("ssh.softwareversion");

/// What `ssh.protoversion` calls the versions that can speak version 2.
const COMPATIBLE: &[u8] = b"2_compat";

/// Names of a side's notes.
struct Notes {
    proto: &'static str,
    software: &'static str,
    hash: &'static str,
    string: &'static str,
}

const NOTES: [Notes; 2] = [
    Notes {
        proto: "client.proto_version",
        software: "client.software_version",
        hash: "client.hassh.hash",
        string: "client.hassh.string",
    },
    Notes {
        proto: "server.proto_version",
        software: "server.software_version",
        hash: "server.hassh.hash",
        string: "server.hassh.string",
    },
];

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Banner,
    Records,
    /// Encrypted, or not understood.
    Over,
}

#[derive(Debug, Default)]
struct Side {
    phase: Phase,
    lines: Lines,
    records: Records,
    /// The banner was told.
    named: bool,
    /// The banner's version has the records of version 2.
    second: bool,
    offered: bool,
    /// What follows is encrypted.
    keyed: bool,
}

#[derive(Debug, Default)]
pub(super) struct Ssh {
    sides: PerDir<Side>,
    tx: Option<TxId>,
    opened: bool,
    /// A banner or a record is none.
    broken: bool,
    text: Vec<u8>,
}

impl Ssh {
    fn tx<'s>(&mut self, sink: &'s mut Sink<'_>) -> Option<&'s mut Transaction> {
        if !std::mem::replace(&mut self.opened, true) {
            self.tx = sink.open();
        }
        sink.tx(self.tx?)
    }

    fn event(&mut self, dir: Dir, name: &'static str, sink: &mut Sink<'_>) {
        if let Some(tx) = self.tx(sink) {
            tx.event(dir, name);
        }
    }

    /// Nothing more of that direction will be understood.
    fn finish(&mut self, dir: Dir, sink: &mut Sink<'_>) {
        self.sides[dir].phase = Phase::Over;
        if let Some(tx) = self.tx(sink) {
            tx.complete(dir);
        }
    }

    fn banner(&mut self, dir: Dir, rest: &mut &[u8], sink: &mut Sink<'_>) {
        while let Some((byte, later)) = rest.split_first() {
            *rest = later;
            let Some(event) = self.sides[dir].lines.push(*byte, dir == Dir::ToClient) else { continue };
            if event == Event::Invalid || !self.name(dir, sink) {
                self.event(dir, "ssh.invalid_banner", sink);
                self.broken = true;
                return self.finish(dir, sink);
            }
            if event == Event::TooLong {
                self.event(dir, "ssh.long_banner", sink);
            }
            if event == Event::Ended {
                self.sides[dir].phase = Phase::Records;
                if let Some(tx) = self.tx(sink) {
                    tx.advance(dir, stage::BANNER);
                }
                if !self.sides[dir].second {
                    self.finish(dir, sink);
                }
                return;
            }
        }
    }

    /// Tells who speaks, once. False when the line does not say.
    fn name(&mut self, dir: Dir, sink: &mut Sink<'_>) -> bool {
        if self.sides[dir].named {
            return true;
        }
        self.tx(sink);
        let Ssh { sides, tx, .. } = self;
        let side = &mut sides[dir];
        let Some(banner) = side.lines.banner() else { return false };
        side.named = true;
        side.second = banner.protocol.starts_with(b"2") || banner.protocol == b"1.99";
        let Some(notes) = NOTES.get(dir.index()) else { return true };
        if let Some(tx) = tx.and_then(|id| sink.tx(id)) {
            tx.put(dir, PROTO, banner.protocol);
            tx.put(dir, SOFTWARE, banner.software);
            tx.text_field(dir, PROTO_TEXT, banner.protocol);
            if side.second {
                tx.text_field(dir, PROTO_TEXT, COMPATIBLE);
            }
            tx.text_field(dir, SOFTWARE_TEXT, banner.software);
            tx.note(notes.proto, banner.protocol);
            tx.note(notes.software, banner.software);
            tx.advance(dir, stage::WAIT_EOL);
        }
        true
    }

    fn records(&mut self, dir: Dir, rest: &mut &[u8], sink: &mut Sink<'_>) {
        let frames = [HDR, DATA, PDU].into_iter().any(|id| sink.wanted().has(id));
        while !rest.is_empty() {
            match self.sides[dir].records.step(rest, frames) {
                Step::More => return,
                Step::Invalid => {
                    self.event(dir, "ssh.invalid_record", sink);
                    self.broken = true;
                    return self.finish(dir, sink);
                }
                Step::Whole { message } => {
                    if frames {
                        self.put_frames(dir, sink);
                    }
                    if message == KEXINIT {
                        self.put_offer(dir, sink);
                        self.sides[dir].records.let_go();
                    }
                    if message == NEWKEYS {
                        self.sides[dir].keyed = true;
                        self.sides[dir].records.let_go();
                        return self.finish(dir, sink);
                    }
                }
            }
        }
    }

    fn put_frames(&mut self, dir: Dir, sink: &mut Sink<'_>) {
        let Ssh { sides, tx, .. } = self;
        let record = sides[dir].records.record();
        let Some((header, data)) = record.split_at_checked(HEADER) else { return };
        if let Some(tx) = tx.and_then(|id| sink.tx(id)) {
            tx.put(dir, PDU, record);
            tx.put(dir, HDR, header);
            tx.put(dir, DATA, data);
        }
    }

    /// The first offer of a side.
    fn put_offer(&mut self, dir: Dir, sink: &mut Sink<'_>) {
        let Ssh { sides, tx, text, .. } = self;
        let side = &mut sides[dir];
        let Some(tx) = tx.and_then(|id| sink.tx(id)) else { return };
        if std::mem::replace(&mut side.offered, true) {
            return;
        }
        text.clear();
        let message = side.records.record().get(HEADER..).unwrap_or_default();
        if !offer::write(dir, message, text) {
            tx.event(dir, "ssh.invalid_record");
            return;
        }
        let (string, hash) = with_md5(text);
        let at = dir.index();
        if let (Some(&hash_id), Some(&string_id), Some(notes)) =
            (HASSH.get(at), HASSH_STRING.get(at), NOTES.get(at))
        {
            tx.put(dir, string_id, string);
            tx.put(dir, hash_id, hash);
            tx.note(notes.hash, hash);
            tx.note(notes.string, string);
        }
        *text = Vec::new();
    }

    fn next(&self) -> Next {
        let over = Dir::BOTH.into_iter().all(|dir| self.sides[dir].phase == Phase::Over);
        match () {
            () if self.broken => Next::Broken,
            () if over => Next::Stop,
            () => Next::More,
        }
    }
}

impl Decoder for Ssh {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        let mut rest = bytes;
        if self.sides[dir].phase == Phase::Banner {
            self.banner(dir, &mut rest, sink);
        }
        if self.sides[dir].phase == Phase::Records {
            self.records(dir, &mut rest, sink);
        }
        if Dir::BOTH.into_iter().all(|dir| self.sides[dir].keyed) {
            sink.seal();
        }
        self.next()
    }

    fn gap(&mut self, dir: Dir, missing: u64, sink: &mut Sink<'_>) -> Next {
        let side = &mut self.sides[dir];
        if side.phase != Phase::Records || !side.records.skip(missing) {
            self.finish(dir, sink);
        }
        self.next()
    }

    fn end(&mut self, dir: Dir, sink: &mut Sink<'_>) {
        // A banner whose line never ends is what there is of it.
        if self.sides[dir].phase == Phase::Banner {
            self.name(dir, sink);
        }
        self.finish(dir, sink);
    }

    fn reset(&mut self) {
        for dir in Dir::BOTH {
            let mut records = std::mem::take(&mut self.sides[dir].records);
            records.reset();
            self.sides[dir] = Side { records, ..Side::default() };
        }
        (self.tx, self.opened, self.broken) = (None, false, false);
        self.text.clear();
        self.text.shrink_to(KEPT);
    }
}
