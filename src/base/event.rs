//! Records that a worker hands to management: `Copy`, of fixed size, through a ring that may lose but counts.

use crate::base::counters::Counter;
use crate::base::{
    Anomaly, Dir, DropReason, FlowTuple, Generation, PerDir, PluginId, PortId, RuleIndex, Time, WorkerId,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where an event comes from. What a reader needs to tie it to a packet and a session.
#[derive(Copy, Clone, Debug, Default)]
pub struct Origin {
    pub time: Time,
    /// The packet's number in arrival order, from 1; 0 when no packet caused the event.
    pub packet: u64,
    pub port: PortId,
    pub tuple: FlowTuple,
    /// ICMP type and code, for ICMP.
    pub icmp: Option<(u8, u8)>,
    /// 0 when the packet has no session.
    pub flow_id: u64,
    pub dir: Dir,
    pub cause: Cause,
}

/// What made the appliance look, in the order in which one packet's events are written.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The packet itself.
    #[default]
    Packet,
    /// A datagram put together here: the number is that of its last piece.
    Rebuilt,
    /// A packet within another: the number is that of the outer one.
    Inner,
    /// The end of a session, which no packet of its own brought: the number is that of the last one seen.
    Ending,
}

/// How a session stood at the time of an event.
#[derive(Copy, Clone, Debug, Default)]
pub struct FlowStats {
    pub start: Time,
    pub last: Time,
    pub packets: PerDir<u64>,
    pub bytes: PerDir<u64>,
    /// The opener's tuple: source is the client.
    pub tuple: FlowTuple,
}

#[derive(Copy, Clone, Debug)]
pub struct AlertEvent {
    pub rule: RuleIndex,
    pub generation: Generation,
    /// What became of the packet: a rule may say drop and the mode not allow it.
    pub blocked: bool,
    pub flow: Option<FlowStats>,
    /// The session's application protocol, as eve.json names it.
    pub app_proto: Option<&'static str>,
    /// The transaction that it matched in.
    pub tx: Option<u64>,
}

/// Why a session ended (spec 30).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum CloseReason {
    Fin,
    Rst,
    Timeout,
    Evicted,
    OpenFailed,
    Policy,
    Killed,
    PluginRestart,
    Shutdown,
}

impl CloseReason {
    pub const fn name(self) -> &'static str {
        match self {
            CloseReason::Fin => "fin",
            CloseReason::Rst => "rst",
            CloseReason::Timeout => "timeout",
            CloseReason::Evicted => "evicted",
            CloseReason::OpenFailed => "open-failed",
            CloseReason::Policy => "policy",
            CloseReason::Killed => "killed",
            CloseReason::PluginRestart => "plugin-restart",
            CloseReason::Shutdown => "shutdown",
        }
    }
}

#[derive(Copy, Clone, Debug)]
pub struct FlowEvent {
    pub stats: FlowStats,
    pub reason: CloseReason,
    /// `new`, `established` or `closed`, as eve.json names the session's last state.
    pub state: &'static str,
    pub alerted: bool,
    pub tcp: Option<TcpSummary>,
}

/// The TCP part of a flow record.
#[derive(Copy, Clone, Debug, Default)]
pub struct TcpSummary {
    /// All flags seen, or-ed, by direction.
    pub flags: PerDir<u8>,
    pub state: &'static str,
}

/// Why a plugin was taken out of its chains.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum PluginFault {
    /// It panicked.
    Panicked,
    /// It replied with a number that means nothing, or with one that the event does not allow.
    BadReply,
    /// It asked to hold the first packet of a session.
    HeldFirstPacket,
    /// It keeps more references to frames than it may.
    LeakedFrames,
    /// It did not come back from a call.
    Stuck,
    /// It brought the process down.
    Crashed,
    /// Its worker counted a fault, but the event that says which was lost.
    Unreported,
}

impl PluginFault {
    pub const fn name(self) -> &'static str {
        match self {
            PluginFault::Panicked => "panicked",
            PluginFault::BadReply => "bad-reply",
            PluginFault::HeldFirstPacket => "held-first-packet",
            PluginFault::LeakedFrames => "leaked-frames",
            PluginFault::Stuck => "stuck",
            PluginFault::Crashed => "crashed",
            PluginFault::Unreported => "unreported",
        }
    }
}

#[derive(Copy, Clone, Debug)]
pub enum EventBody {
    Alert(AlertEvent),
    Flow(FlowEvent),
    Drop {
        reason: DropReason,
        length: u32,
        rule: Option<(Generation, RuleIndex)>,
    },
    Anomaly(Anomaly),
    /// A plugin misbehaved on this worker, which goes on without it.
    PluginOut {
        plugin: PluginId,
        fault: PluginFault,
        worker: WorkerId,
    },
}

#[derive(Copy, Clone, Debug)]
pub struct Event {
    pub origin: Origin,
    pub body: EventBody,
}

/// Counts of one worker's event ring.
#[derive(Debug, Default)]
pub struct EventCounts {
    pub sent: Counter,
    pub lost: Counter,
}

/// The worker's end of its event ring.
pub struct EventSender {
    ring: rtrb::Producer<Event>,
    counts: Arc<EventCounts>,
    watermark: Arc<AtomicU64>,
    /// A replay waits for room; the fast path never does.
    wait: bool,
}

/// Management's end of one worker's event ring.
pub struct EventFeed {
    pub events: rtrb::Consumer<Event>,
    pub counts: Arc<EventCounts>,
    /// All events of packets up to this number are in the ring. An idle worker raises it too; `u64::MAX` says that no more
    /// will come. Only kept in a replay.
    pub watermark: Arc<AtomicU64>,
}

/// A ring for so many events. `wait`: the sender waits for room instead of losing the event.
pub fn event_ring(capacity: usize, wait: bool) -> (EventSender, EventFeed) {
    let (ring, events) = rtrb::RingBuffer::new(capacity);
    let (counts, watermark) = (Arc::<EventCounts>::default(), Arc::<AtomicU64>::default());
    let feed = EventFeed { events, counts: Arc::clone(&counts), watermark: Arc::clone(&watermark) };
    (EventSender { ring, counts, watermark, wait }, feed)
}

impl EventSender {
    #[inline]
    pub fn send(&mut self, event: Event) {
        while self.wait && self.ring.is_full() && !self.ring.is_abandoned() {
            std::thread::yield_now();
        }
        match self.ring.push(event) {
            Ok(()) => self.counts.sent.add(1),
            Err(_) => self.counts.lost.add(1),
        }
    }

    /// Every event of packets up to this number has been sent.
    pub fn set_watermark(&self, packet: u64) {
        self.watermark.store(packet, Ordering::Release);
    }

    pub fn counts(&self) -> &EventCounts {
        &self.counts
    }
}
