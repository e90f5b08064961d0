//! Records that a worker hands to management: `Copy`, of fixed size, through a ring that may lose but counts.

mod dropped;
pub mod record;
mod ring;

pub use dropped::{DropEvent, Headers, IpHeader, UpperHeader};
pub use ring::{EventCounts, EventFeed, EventSender, event_ring, event_ring_with_records};

use crate::base::{
    Anomaly, Dir, ExceptionCause, ExceptionPolicy, FlowTuple, Generation, Outer, PerDir, PluginId, PortId,
    RuleIndex, Time, TunnelKind, WorkerId,
};

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
    /// Of a packet within another: how it is carried.
    pub tunnel: Option<TunnelKind>,
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

/// The least and the most that the time to live (of IPv6: the hop limit) of one direction's packets was.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct TtlRange {
    pub least: u8,
    pub most: u8,
}

impl Default for TtlRange {
    /// Of no packets.
    fn default() -> TtlRange {
        TtlRange { least: u8::MAX, most: 0 }
    }
}

impl TtlRange {
    #[inline]
    pub fn note(&mut self, ttl: u8) {
        (self.least, self.most) = (self.least.min(ttl), self.most.max(ttl));
    }
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

/// The end of a packet that has alerts, by all its rules so far.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct PacketVerdict {
    pub action: FinalAction,
    /// Which ends of the session are told that it was rejected.
    pub told: PerDir<bool>,
    /// Its rules drop it, and the mode lets it go on.
    pub spared: bool,
}

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum FinalAction {
    #[default]
    Alert,
    Pass,
    Drop,
}

/// A value that a rule found in a set of values: what is known of it goes with the alert.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// The set's number.
    pub set: u32,
    /// What is said of the value there.
    pub record: u32,
}

/// Sets whose records one alert has at most.
pub const MAX_NOTED: usize = 2;

#[derive(Copy, Clone, Debug)]
pub struct AlertEvent {
    pub rule: RuleIndex,
    pub generation: Generation,
    /// What became of the packet: a rule may say drop and the mode not allow it.
    pub blocked: bool,
    pub verdict: PacketVerdict,
    pub flow: Option<FlowStats>,
    pub app: AppNames,
    /// The transaction that it matched in.
    pub tx: Option<u64>,
    /// The packet around the one that it matched in.
    pub outer: Option<Outer>,
    pub notes: [Option<Noted>; MAX_NOTED],
    /// That transaction's protocol, as rules name it.
    pub tx_proto: Option<&'static str>,
    /// Bytes of what was noted of that transaction, in the ring of records; 0 for none.
    pub record: u16,
}

/// A session's application protocol, as eve.json names it.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct AppNames {
    /// `failed` when nobody knows its bytes.
    pub proto: Option<&'static str>,
    /// What each direction's bytes say by themselves.
    pub by_direction: PerDir<Option<&'static str>>,
    /// Before it changed.
    pub original: Option<&'static str>,
}

/// What became known of an application transaction or of its session's protocol.
#[derive(Copy, Clone, Debug)]
pub struct AppEvent {
    pub kind: AppKind,
    /// As rules name the protocol; empty when it is not known.
    pub proto: &'static str,
    pub tx: Option<u64>,
    /// Bytes of its record, in the ring of records.
    pub record: u16,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum AppKind {
    /// It is complete, or its session ended.
    Transaction,
    /// One of its files ended.
    File,
    /// An event of the decoder, or with no transaction of the protocol's detection, under its whole name.
    Anomaly(&'static str),
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
    /// Its ends are in another connection with the same addresses and ports; of this one's end nothing was seen.
    Reused,
}

impl CloseReason {
    pub const COUNT: usize = CloseReason::Reused as usize + 1;

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
            CloseReason::Reused => "reused",
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
    /// The first exception that a policy acted on.
    pub exception: Option<(ExceptionCause, ExceptionPolicy)>,
    /// What was settled for all of it, `drop` or `pass`, if anything was.
    pub action: Option<&'static str>,
    pub tcp: Option<TcpSummary>,
    pub ttl: PerDir<TtlRange>,
    /// Of ICMP: type and code of each direction's first packet.
    pub icmp: PerDir<Option<(u8, u8)>>,
    pub app: AppNames,
    /// The packet around those of a session in a tunnel.
    pub outer: Option<Outer>,
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
    Drop(DropEvent),
    Anomaly(Anomaly),
    App(AppEvent),
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

impl Event {
    /// Bytes of its record in the ring of records.
    pub fn record(&self) -> usize {
        match &self.body {
            EventBody::Alert(AlertEvent { record, .. }) | EventBody::App(AppEvent { record, .. }) => {
                usize::from(*record)
            }
            _ => 0,
        }
    }

    fn set_record(&mut self, bytes: u16) {
        match &mut self.body {
            EventBody::Alert(AlertEvent { record, .. }) | EventBody::App(AppEvent { record, .. }) => {
                *record = bytes;
            }
            _ => {}
        }
    }
}
