//! One session: what is known of a conversation, in at most 256 bytes.

use super::phase::Phase;
use super::settings::Timeouts;
use super::tcp::State;
use super::tracker::TcpTracker;
use crate::base::event::{AppNames, CloseReason, FlowEvent, FlowStats, TcpSummary, TtlRange};
use crate::base::{Dir, DropReason, ExceptionCause, ExceptionPolicy, FlowTuple, Generation, PerDir, Time};
use crate::decode::{Decoded, L4};
use crate::rules::app::AppProto;

/// A session's slot and the number of its use: an id of a session that has ended finds nothing.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionId {
    pub slot: u32,
    pub generation: u32,
}

/// What later packets need no more inspection for.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Settled {
    #[default]
    None,
    Pass,
    Drop(DropReason),
    /// Nothing but the lookup: not even TCP is followed.
    Bypass,
}

/// Which application protocol a session speaks, as far as anyone looked.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Spoken {
    pub proto: Option<AppProto>,
    /// What each direction's bytes say by themselves.
    pub by_direction: PerDir<Option<AppProto>>,
    /// Before it changed.
    pub original: Option<AppProto>,
    /// Nobody knows its bytes, nor will.
    pub failed: bool,
}

impl Spoken {
    pub fn names(&self) -> AppNames {
        let name = |proto: Option<AppProto>| proto.map(AppProto::log_name);
        AppNames {
            proto: name(self.proto).or(self.failed.then_some("failed")),
            by_direction: PerDir(self.by_direction.0.map(name)),
            original: name(self.original),
        }
    }
}

/// No inspection state, no stream.
pub const NO_HANDLE: u32 = u32::MAX;

/// No service set takes it.
pub const NO_CHAIN: u8 = u8::MAX;

#[derive(Clone, Debug)]
pub struct Session {
    /// The opener's: source is the client.
    pub tuple: FlowTuple,
    /// Capture time of the first and last packet.
    pub start: Time,
    pub last: Time,
    /// The appliance's clock at the last packet: what expiry goes by.
    pub(super) seen: Time,
    pub packets: PerDir<u64>,
    /// Of whole frames.
    pub bytes: PerDir<u64>,
    pub flow_id: u64,
    pub tcp: TcpTracker,
    /// The policy it was opened under; verdicts settled under another do not hold.
    pub policy: Generation,
    pub(super) generation: u32,
    /// Numbers of the packet that opened it, and of its last.
    pub opened_by: u64,
    pub last_packet: u64,
    /// The inspection's state of this session, or [`NO_HANDLE`]. Whoever sets it frees it in the closer.
    pub inspection: u32,
    /// Each direction's stream, or [`NO_HANDLE`]; as `inspection`.
    pub streams: PerDir<u32>,
    /// Its application state (protocol, decoder, transactions), or [`NO_HANDLE`]; as `inspection`.
    pub app: u32,
    /// Kept up by whoever decodes it; it outlives that state.
    pub spoken: Spoken,
    /// What plugins keep of it, or [`NO_HANDLE`].
    pub services: u32,
    /// Plugins of its chain that still want packets of a direction, one bit a member.
    pub wanting: PerDir<u16>,
    /// Its worker's number of its service set's chain, or [`NO_CHAIN`].
    pub chain: u8,
    pub phase: Phase,
    pub settled: Settled,
    pub(super) marks: u8,
    /// Tunnels around it.
    pub depth: u8,
    pub ttl: PerDir<TtlRange>,
    /// The first exception of it that a policy acted on.
    pub exception: Option<(ExceptionCause, ExceptionPolicy)>,
}

/// Marks of a session: flags that share a byte, for it has no more to spare.
pub(super) const ALIVE: u8 = 1;
const ALERTED: u8 = 2;
const REFUSED: u8 = 4;

const _: () = assert!(size_of::<Session>() <= 256);

impl Session {
    pub fn stats(&self) -> FlowStats {
        FlowStats {
            start: self.start,
            last: self.last,
            packets: self.packets,
            bytes: self.bytes,
            tuple: self.tuple,
        }
    }

    pub(super) fn alive(&self) -> bool {
        self.marks & ALIVE != 0
    }

    pub fn alerted(&self) -> bool {
        self.marks & ALERTED != 0
    }

    pub fn set_alerted(&mut self, alerted: bool) {
        self.marks = self.marks & !ALERTED | if alerted { ALERTED } else { 0 };
    }

    /// An alert is about it, if there was one.
    pub fn note_alert(&mut self, alerted: bool) {
        self.set_alerted(self.alerted() || alerted);
    }

    /// A plugin refused its first packet: only those with a bit in `wanting` saw it.
    pub fn refused(&self) -> bool {
        self.marks & REFUSED != 0
    }

    pub fn refuse(&mut self) {
        self.marks |= REFUSED;
    }

    /// Its slot is free; ids of it find nothing from now on.
    pub(super) fn bury(&mut self) {
        self.marks &= !ALIVE;
    }

    /// Type and code of the direction's first packet, of an ICMP session.
    fn icmp(&self, dir: Dir) -> Option<(u8, u8)> {
        let is_icmp = matches!(self.tuple.proto, super::ICMP | super::ICMPV6);
        (is_icmp && self.packets[dir] > 0).then(|| self.tcp.icmp(dir))
    }

    /// A packet of its, or an ICMP error about one.
    pub(super) fn count(&mut self, dir: Dir, length: u32, decoded: &Decoded) {
        if let L4::Icmp4 { kind, code, .. } | L4::Icmp6 { kind, code, .. } = decoded.l4
            && self.packets[dir] == 0
            && !self.is_tcp()
        {
            self.tcp.keep_icmp(dir, (kind, code));
        }
        self.packets[dir] += 1;
        self.bytes[dir] += u64::from(length);
        if let Some(ip) = decoded.ip {
            self.ttl[dir].note(ip.ttl);
        }
    }

    pub fn is_tcp(&self) -> bool {
        self.tuple.proto == super::TCP
    }

    /// What `flow:established` asks: TCP's handshake is done, or both directions were seen.
    pub fn established(&self) -> bool {
        if self.is_tcp() { self.tcp.state.handshake_done() } else { self.phase != Phase::New }
    }

    /// The moment from which on the session is no more, unless a packet comes before.
    pub fn deadline(&self, timeouts: &Timeouts) -> Time {
        let limits = timeouts.of(self.tuple.proto);
        self.seen.plus(match self.phase {
            Phase::New => limits.new,
            Phase::Established => limits.established,
            Phase::Closed => limits.closed,
        })
    }

    /// Why it ends when its time is over.
    pub fn natural_end(&self) -> CloseReason {
        match (self.tcp.state, self.tcp.was_refused()) {
            (State::Closed, true) => CloseReason::OpenFailed,
            (State::Closed, false) if self.tcp.was_reset() => CloseReason::Rst,
            (State::Closed | State::TimeWait | State::LastAck, _) => CloseReason::Fin,
            _ => CloseReason::Timeout,
        }
    }

    pub fn flow_event(&self, reason: CloseReason) -> FlowEvent {
        let tcp = self.is_tcp().then(|| TcpSummary {
            flags: PerDir([self.tcp.flags(Dir::ToServer), self.tcp.flags(Dir::ToClient)]),
            state: self.tcp.state.name(),
        });
        FlowEvent {
            stats: self.stats(),
            reason,
            state: self.phase.name(),
            alerted: self.alerted(),
            exception: self.exception,
            action: match self.settled {
                Settled::Drop(_) => Some("drop"),
                Settled::Pass | Settled::Bypass => Some("pass"),
                Settled::None => None,
            },
            tcp,
            ttl: self.ttl,
            icmp: PerDir(Dir::BOTH.map(|dir| self.icmp(dir))),
            app: self.spoken.names(),
            outer: None,
        }
    }
}
