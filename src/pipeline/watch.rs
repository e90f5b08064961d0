//! Packets shown to an operator: copies of frames with their fate (`weir ctl capture`), and the steps that they take
//! (`weir ctl trace`). Each watch has a filter and a ring of its own on every worker; what finds no room in it is lost and counted,
//! and the packet path never waits. Memory of a watch comes with the command that begins it, and goes back the same way.

use super::lane::Lane;
use crate::base::bpf::Program;
use crate::base::counters::Counter;
use crate::base::{DropReason, FlowTuple, PluginId, PortId, RuleIndex, Time};
use crate::io::{Burst, Frame, FrameMeta};
use crate::service::outbox::Blame;
use crate::service::trace::{MAX_STEPS, Step};
use arrayvec::ArrayVec;
use std::sync::Arc;

/// Watches that a worker serves at once.
pub const MAX_WATCHES: usize = 8;

/// What became of a frame.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    Sent(Option<PortId>),
    Dropped(DropReason),
    /// Forwarded, though a verdict would have dropped it: the pair's mode lets none act.
    Spared(DropReason),
    Held,
    /// Mode `ids`: a copy that was looked at.
    Copied,
    /// A fragment on its way into reassembly.
    Piece,
    /// Of a pair without inspection.
    Passed(Option<PortId>),
}

impl Fate {
    const fn is_drop(self) -> bool {
        matches!(self, Fate::Dropped(_) | Fate::Spared(_))
    }

    /// Number, reason and port, for the ring.
    fn numbers(self) -> (u8, u8, u16) {
        let port = |to: Option<PortId>| to.map_or(u16::MAX, |port| port.0);
        match self {
            Fate::Sent(to) => (0, 0, port(to)),
            Fate::Dropped(reason) => (1, reason as u8, 0),
            Fate::Spared(reason) => (2, reason as u8, 0),
            Fate::Held => (3, 0, 0),
            Fate::Copied => (4, 0, 0),
            Fate::Piece => (5, 0, 0),
            Fate::Passed(to) => (6, 0, port(to)),
        }
    }

    fn of((number, reason, port): (u8, u8, u16)) -> Option<Fate> {
        let reason = || DropReason::ALL.get(usize::from(reason)).copied();
        let port = (port != u16::MAX).then_some(PortId(port));
        Some(match number {
            0 => Fate::Sent(port),
            1 => Fate::Dropped(reason()?),
            2 => Fate::Spared(reason()?),
            3 => Fate::Held,
            4 => Fate::Copied,
            5 => Fate::Piece,
            6 => Fate::Passed(port),
            _ => return None,
        })
    }
}

/// What stands before a frame's bytes in the ring.
#[derive(Copy, Clone, Debug)]
pub struct Head {
    pub time: Time,
    /// 0: of a pair without inspection, whose frames have no numbers.
    pub packet: u64,
    pub port: PortId,
    pub fate: Fate,
    pub blame: Blame,
    /// Bytes of the frame, and how many of them follow.
    pub length: u32,
    pub captured: u32,
}

const HEAD: usize = 44;

impl Head {
    fn to_bytes(self) -> [u8; HEAD] {
        let mut out = [0; HEAD];
        let (fate, reason, to) = self.fate.numbers();
        let (generation, rule) = self.blame.rule.map_or((0, u32::MAX), |(g, rule)| (g.0, rule.0));
        let plugin = self.blame.plugin.map_or(u16::MAX, |plugin| plugin.index() as u16);
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            if let Some(room) = out.get_mut(at..at + bytes.len()) {
                room.copy_from_slice(bytes);
            }
            at += bytes.len();
        };
        put(&self.time.micros().to_le_bytes());
        put(&self.packet.to_le_bytes());
        put(&self.length.to_le_bytes());
        put(&self.captured.to_le_bytes());
        put(&generation.to_le_bytes());
        put(&rule.to_le_bytes());
        put(&self.port.0.to_le_bytes());
        put(&to.to_le_bytes());
        put(&plugin.to_le_bytes());
        put(&[fate, reason]);
        out
    }

    fn of(bytes: &[u8; HEAD]) -> Option<Head> {
        let word = |at: usize| bytes.get(at..)?.first_chunk().map(|b| u32::from_le_bytes(*b));
        let long = |at: usize| bytes.get(at..)?.first_chunk().map(|b| u64::from_le_bytes(*b));
        let half = |at: usize| bytes.get(at..)?.first_chunk().map(|b| u16::from_le_bytes(*b));
        let rule = RuleIndex(word(28)?);
        let plugin = half(36)?;
        let blame = Blame {
            plugin: u8::try_from(plugin).ok().map(PluginId),
            rule: (rule.0 != u32::MAX).then_some((crate::base::Generation(word(24)?), rule)),
        };
        Some(Head {
            time: Time::from_micros(long(0)?),
            packet: long(8)?,
            length: word(16)?,
            captured: word(20)?,
            port: PortId(half(32)?),
            fate: Fate::of((*bytes.get(38)?, *bytes.get(39)?, half(34)?))?,
            blame,
        })
    }
}

/// The steps of one packet.
#[derive(Clone, Debug)]
pub struct Traced {
    pub time: Time,
    pub packet: u64,
    pub port: PortId,
    pub tuple: FlowTuple,
    /// Bytes of the frame.
    pub length: u32,
    pub steps: ArrayVec<Step, MAX_STEPS>,
}

/// Written by the worker.
#[derive(Debug, Default)]
pub struct WatchCounts {
    /// Packets that the filter took.
    pub seen: Counter,
    /// Of these, those for which the ring had no room.
    pub lost: Counter,
}

enum Into {
    Frames { ring: rtrb::Producer<u8>, dropped: bool, snaplen: u32 },
    Steps(rtrb::Producer<Traced>),
}

/// A worker's end of a watch.
pub struct Watch {
    id: u64,
    /// None takes every packet.
    filter: Option<Program>,
    into: Into,
    counts: Arc<WatchCounts>,
}

/// Management's end.
pub struct FrameFeed {
    ring: rtrb::Consumer<u8>,
    head: Option<Head>,
    pub counts: Arc<WatchCounts>,
}

/// Management's end.
pub struct StepFeed {
    pub ring: rtrb::Consumer<Traced>,
    pub counts: Arc<WatchCounts>,
}

/// Which frames are copied, and how much of each.
#[derive(Copy, Clone, Debug)]
pub struct FrameWatch {
    /// Only those that a verdict drops, or would.
    pub dropped: bool,
    pub snaplen: u32,
    /// Bytes of the ring.
    pub room: usize,
}

impl Watch {
    pub fn frames(id: u64, filter: Option<Program>, of: FrameWatch) -> (Box<Watch>, FrameFeed) {
        let (ring, feed) = rtrb::RingBuffer::new(of.room.max(HEAD));
        let counts = Arc::<WatchCounts>::default();
        let into = Into::Frames { ring, dropped: of.dropped, snaplen: of.snaplen };
        let watch = Watch { id, filter, into, counts: Arc::clone(&counts) };
        (Box::new(watch), FrameFeed { ring: feed, head: None, counts })
    }

    pub fn steps(id: u64, filter: Option<Program>, room: usize) -> (Box<Watch>, StepFeed) {
        let (ring, feed) = rtrb::RingBuffer::new(room);
        let counts = Arc::<WatchCounts>::default();
        let watch = Watch { id, filter, into: Into::Steps(ring), counts: Arc::clone(&counts) };
        (Box::new(watch), StepFeed { ring: feed, counts })
    }

    fn takes(&self, bytes: &[u8]) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.matches(bytes))
    }
}

impl FrameFeed {
    /// The next frame; its bytes go into `bytes`, whose former contents go.
    pub fn take(&mut self, bytes: &mut Vec<u8>) -> Option<Head> {
        if self.head.is_none() {
            let mut head = [0; HEAD];
            self.ring.pop_entire_slice(&mut head).ok()?;
            self.head = Head::of(&head);
        }
        let head = self.head?;
        bytes.clear();
        bytes.resize(head.captured as usize, 0);
        // Its bytes may be on their way.
        self.ring.pop_entire_slice(bytes).ok()?;
        self.head.take()
    }
}

/// An lcore's watches.
#[derive(Default)]
pub(super) struct Watches {
    list: ArrayVec<Box<Watch>, MAX_WATCHES>,
    /// Some watch the steps.
    traces: bool,
    /// A bit a watch that takes the packet at hand.
    tracing: u8,
}

impl Watches {
    fn settle(&mut self) {
        self.traces = self.list.iter().any(|watch| matches!(watch.into, Into::Steps(_)));
        self.tracing = 0;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// From the next packet on. Gives it back when there are as many as may be.
    pub(super) fn begin(&mut self, watch: Box<Watch>) -> Option<Box<Watch>> {
        let refused = self.list.try_push(watch).err().map(|full| full.element());
        self.settle();
        refused
    }

    pub(super) fn end(&mut self, id: u64) -> Option<Box<Watch>> {
        let at = self.list.iter().position(|watch| watch.id == id)?;
        let ended = self.list.pop_at(at);
        self.settle();
        ended
    }

    /// Copies the frame to whoever takes it.
    pub(super) fn copy(&mut self, frame: &Frame, scratch: &mut [u8], head: Head) {
        let bytes = frame.view(scratch);
        for watch in &mut self.list {
            let takes = watch.takes(bytes);
            let Into::Frames { ring, dropped, snaplen } = &mut watch.into else { continue };
            if !takes || *dropped && !head.fate.is_drop() {
                continue;
            }
            watch.counts.seen.add(1);
            let part = bytes.get(..*snaplen as usize).unwrap_or(bytes);
            let head = Head { captured: part.len() as u32, ..head };
            // Only this end adds to the ring: what has room now still has it below.
            let has_room = ring.slots() >= HEAD + part.len();
            if !has_room
                || ring.push_entire_slice(&head.to_bytes()).is_err()
                || ring.push_entire_slice(part).is_err()
            {
                watch.counts.lost.add(1);
            }
        }
    }
}

impl Lane {
    /// From the next packet on. Gives it back when there are as many as may be.
    pub fn begin_watch(&mut self, watch: Box<Watch>) -> Option<Box<Watch>> {
        let refused = self.watches.begin(watch);
        self.exits.watch_untaken(!self.watches.is_empty());
        refused
    }

    pub fn end_watch(&mut self, id: u64) -> Option<Box<Watch>> {
        let ended = self.watches.end(id);
        self.exits.watch_untaken(!self.watches.is_empty());
        ended
    }

    /// Frames that were on their way out, and that their ports did not take.
    #[inline]
    pub(super) fn witness_untaken(&mut self) {
        while let Some(frame) = self.exits.untaken() {
            self.blame = Blame::default();
            self.show(&frame, Fate::Dropped(DropReason::TransmitFull));
        }
    }

    /// A frame on its way to this fate.
    #[inline]
    pub(super) fn witness(&mut self, frame: &Frame, fate: Fate) {
        if !self.watches.list.is_empty() {
            self.show(frame, fate);
        }
    }

    #[cold]
    fn show(&mut self, frame: &Frame, fate: Fate) {
        let step = match fate {
            Fate::Sent(to) | Fate::Passed(to) => Step::Sent(to),
            Fate::Dropped(reason) => Step::Dropped(reason),
            Fate::Spared(reason) => Step::Spared(reason),
            Fate::Held => Step::Held,
            Fate::Copied => Step::Consumed,
            Fate::Piece => Step::Piece,
        };
        self.report.trace.step(step);
        let meta = frame.meta();
        let blame = if fate.is_drop() { self.blame } else { Blame::default() };
        let (packet, length) = (self.number(&meta), frame.len() as u32);
        let head = Head { time: meta.time, packet, port: meta.port, fate, blame, length, captured: 0 };
        self.watches.copy(frame, &mut self.scratch, head);
    }

    /// Frames of a pair without inspection: they bear no number and no time of their own.
    #[inline]
    pub(super) fn witness_passing(&mut self, burst: &Burst, port: PortId, to: Option<PortId>) {
        if self.watches.list.is_empty() {
            return;
        }
        for frame in burst {
            let (time, fate, length) = (self.clock, Fate::Passed(to), frame.len() as u32);
            let head = Head { time, packet: 0, port, fate, blame: Blame::default(), length, captured: 0 };
            self.watches.copy(frame, &mut self.scratch, head);
        }
    }

    /// A packet begins its way; `how` if it did not just come in.
    #[inline]
    pub(super) fn begin_trace(&mut self, frame: &Frame, how: Option<Step>) {
        if self.watches.traces {
            match how {
                // Of a datagram that this very packet made whole.
                Some(step) if self.report.trace.is_on() => self.report.trace.step(step),
                _ => self.trace(frame, how),
            }
        }
    }

    #[cold]
    fn trace(&mut self, frame: &Frame, how: Option<Step>) {
        let bytes = frame.view(&mut self.scratch);
        let takes = |watch: &Watch| matches!(watch.into, Into::Steps(_)) && watch.takes(bytes);
        let bits = (0u8..).zip(&self.watches.list).filter(|(_, watch)| takes(watch));
        self.watches.tracing = bits.fold(0, |bits, (n, _)| bits | 1 << n);
        if self.watches.tracing != 0 {
            self.report.trace.begin();
            how.into_iter().for_each(|step| self.report.trace.step(step));
        }
    }

    /// Its way ends, or it waits.
    #[inline]
    pub(super) fn end_trace(&mut self, meta: &FrameMeta, tuple: &FlowTuple, length: usize) {
        if self.report.trace.is_on() {
            self.send_trace(meta, tuple, length);
        }
    }

    #[cold]
    fn send_trace(&mut self, meta: &FrameMeta, tuple: &FlowTuple, length: usize) {
        let (packet, steps) = (self.number(meta), self.report.trace.end());
        let (time, port, tuple, length) = (meta.time, meta.port, *tuple, length as u32);
        let row = Traced { time, packet, port, tuple, length, steps };
        let bits = std::mem::take(&mut self.watches.tracing);
        for (n, watch) in (0u8..).zip(&mut self.watches.list) {
            if bits >> n & 1 == 1
                && let Into::Steps(ring) = &mut watch.into
            {
                watch.counts.seen.add(1);
                watch.counts.lost.add(u64::from(ring.push(row.clone()).is_err()));
            }
        }
    }
}
