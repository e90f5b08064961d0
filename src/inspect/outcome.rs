//! What the rules say of one packet, and what they were given to look at.

use super::state::MAX_FLOWBITS;
use crate::base::event::{MAX_NOTED, Noted};
use crate::base::{Dir, RuleIndex, Verdict};
use crate::rules::ruleset::RejectTo;
use crate::stream::Memo;
use arrayvec::ArrayVec;
use std::cell::Cell;

/// Alerts kept of one packet at most, whatever the setting `packet-alert-max` says.
pub const MAX_ALERTS: usize = 255;

/// The part of a stream that one packet lets be inspected: contiguous bytes of the packet's direction.
#[derive(Copy, Clone, Debug)]
pub struct StreamWindow<'a> {
    pub dir: Dir,
    pub bytes: &'a [u8],
    /// Index in `bytes` of the first one not inspected before; what stands before is there so that a pattern over two
    /// segments is found.
    pub fresh_from: usize,
    /// Place of `bytes[0]` in the stream, counted from its first payload byte.
    pub offset: u64,
    /// No more bytes will come.
    pub end: bool,
    /// A further window of a packet that was inspected already, or one that no packet brought: only rules over streams
    /// look.
    pub rest: bool,
    /// Where what was found in the bytes before the fresh ones is remembered, so that they are not searched again.
    pub memo: Option<&'a Cell<Memo>>,
}

/// Where the payload of a packet is to be looked for.
#[derive(Copy, Clone, Debug, Default)]
pub enum Payload<'a> {
    /// Not TCP, or a segment that no tracked stream accepted: rules over streams see the packet itself.
    #[default]
    Packet,
    /// The segment is part of a stream, but has no bytes ready for inspection (out of order, not yet acknowledged).
    Queued,
    /// It is of an encrypted session: no rule looks into it.
    Sealed,
    /// The segment makes these bytes of its stream ready.
    Stream(StreamWindow<'a>),
}

impl<'a> Payload<'a> {
    pub fn window(&self) -> Option<&StreamWindow<'a>> {
        match self {
            Payload::Stream(window) => Some(window),
            Payload::Packet | Payload::Queued | Payload::Sealed => None,
        }
    }

    pub(in crate::inspect) fn is_sealed(&self) -> bool {
        matches!(self, Payload::Sealed)
    }

    pub(in crate::inspect) fn is_rest(&self) -> bool {
        self.window().is_some_and(|window| window.rest)
    }
}

/// What goes with an alert beside the packet: records of datasets.
pub type Notes = [Option<Noted>; MAX_NOTED];

/// A rule that matched and is to be written.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    pub rule: RuleIndex,
    /// Matched in the stream, not in the packet alone.
    pub on_stream: bool,
    /// The action taken stops the packet, where stopping is allowed.
    pub blocks: bool,
    /// The transaction that it matched in.
    pub tx: Option<u64>,
    pub notes: Notes,
}

/// How a match settles the session: its later packets are not inspected.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// A `pass` rule whose scope is the session: later packets go through.
    Pass,
    /// A `drop` or `reject` rule whose scope is the session: later packets are dropped.
    Drop,
    /// The keyword `bypass`.
    Bypass,
}

/// The result for one packet. Reused: valid until the next packet.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// In order of evaluation, at most `packet-alert-max`.
    pub alerts: ArrayVec<Alert, MAX_ALERTS>,
    /// The session's flowbits after all of them, by their numbers; where there are no alerts, none.
    pub flowbits: ArrayVec<u32, MAX_FLOWBITS>,
    /// Alerts beyond the maximum: lost.
    pub lost: u32,
    /// What the rules ask; the mode of the interface pair may not grant it.
    pub verdict: Verdict,
    /// The rule behind the verdict, or the `pass` rule that ended the evaluation.
    pub decided_by: Option<RuleIndex>,
    /// A `pass` rule matched.
    pub passed: bool,
    /// To whom a reset or unreachable is to be sent.
    pub reject: Option<RejectTo>,
    /// The code point that the packet is to leave with, of the first rule that marks.
    pub mark_dscp: Option<u8>,
    pub settled: Option<Settlement>,
    /// The work a packet may cost was spent before all rules were evaluated.
    pub out_of_budget: bool,
}

impl Outcome {
    /// Whether anything follows from it.
    pub fn acts(&self) -> bool {
        !self.alerts.is_empty()
            || self.verdict != Verdict::Forward
            || self.settled.is_some()
            || self.mark_dscp.is_some()
    }

    pub(super) fn clear(&mut self) {
        *self = Outcome::default();
    }
}
