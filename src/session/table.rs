//! The session table: fixed slots, found by tuple, ended by packets, timers, eviction or command.

use super::entry::{ALIVE, NO_CHAIN, NO_HANDLE, Session, SessionId, Settled, Spoken};
use super::flags;
use super::index::Index;
use super::key::{KeyHasher, direction, flow_id};
use super::phase::Phase;
use super::settings::{Settings, WhenFull};
use super::timers::Wheel;
use super::tracker::{TcpTracker, Tracked};
use crate::base::event::CloseReason;
use crate::base::{Dir, DropReason, FlowTuple, Generation, LinkSet, PerDir, PortId, Time};
use crate::decode::{Decoded, L4, TcpFields};
use crate::io::{FrameMeta, cache};

/// What the table needs to know of a packet beside its layers.
#[derive(Copy, Clone, Debug, Default)]
pub struct Packet {
    /// Capture time: what records say.
    pub time: Time,
    /// The appliance's clock: what expiry goes by.
    pub clock: Time,
    pub number: u64,
    /// Of the whole frame, in bytes.
    pub length: u32,
    /// Where it came in.
    pub port: PortId,
    /// Where the other side of the line comes in; none where one port brings both. Asked of packets with a SYN only.
    pub across: Option<PortId>,
    /// Verdicts act on it.
    pub inline: bool,
}

impl Packet {
    pub fn new(meta: &FrameMeta, number: u64, length: usize) -> Packet {
        let (time, clock, port) = (meta.time, meta.clock, meta.port);
        Packet { time, clock, number, length: length as u32, port, across: None, inline: false }
    }
}

/// What became of a packet's search for its session.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    Found {
        id: SessionId,
        dir: Dir,
        /// This packet opened it.
        opened: bool,
        /// An ICMP error about one of the session's packets: counted there, but none of its payload or TCP state.
        related: bool,
    },
    Refused(DropReason),
    /// Not IP, not decodable, an ICMP error about nothing we know, or the policy `forward-untracked`.
    Untracked,
}

/// Is told of every session that ends, just before its slot is freed: sends the record, frees what the handles name.
pub trait Closer {
    fn closed(&mut self, id: SessionId, session: &mut Session, reason: CloseReason);

    /// Whether a session whose time is over is to stay until its next packet, or the end of all, ends it.
    fn holds(&self, _: &Session) -> bool {
        false
    }
}

impl<F: FnMut(SessionId, &mut Session, CloseReason)> Closer for F {
    fn closed(&mut self, id: SessionId, session: &mut Session, reason: CloseReason) {
        self(id, session, reason);
    }
}

/// Plain numbers of one worker; whoever publishes them copies them out.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub opened: u64,
    /// By `CloseReason as usize`.
    pub closed: [u64; CloseReason::COUNT],
    /// Packets refused or left untracked because the table was full.
    pub full: u64,
    pub untracked: u64,
    /// ICMP errors that found the session they speak of.
    pub related: u64,
    /// Sessions that a timer looked at.
    pub timer_looks: u64,
}

impl Counters {
    pub fn closed_by(&self, reason: CloseReason) -> u64 {
        self.closed[reason as usize]
    }
}

/// A session that is held is looked at again after so long.
const HELD: std::time::Duration = std::time::Duration::from_secs(60);

/// The one list of its [`LinkSet`]: sessions that are not established, in order of opening.
const UNESTABLISHED: u32 = 0;

pub struct SessionTable {
    settings: Settings,
    hasher: KeyHasher,
    index: Index,
    /// Touched as they come into use; the memory is reserved whole at start.
    slots: Vec<Session>,
    /// Slots that were in use before. The latest freed is the next used: it is the warmest.
    free: Vec<u32>,
    wheel: Wheel,
    unestablished: LinkSet,
    /// Given to sessions as they open.
    pub policy: Generation,
    pub counters: Counters,
}

impl SessionTable {
    /// At least one slot.
    pub fn new(settings: Settings) -> SessionTable {
        let capacity = settings.capacity.clamp(1, u32::MAX / 2);
        SessionTable {
            hasher: KeyHasher::new(settings.seed),
            index: Index::new(capacity as usize),
            slots: Vec::with_capacity(capacity as usize),
            free: Vec::with_capacity(capacity as usize),
            wheel: Wheel::new(capacity),
            unestablished: LinkSet::new(1, capacity),
            policy: Generation(0),
            counters: Counters::default(),
            settings: Settings { capacity, ..settings },
        }
    }

    /// Sessions alive now.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes over all but what memory was taken by: capacity and seed. A running session keeps its state; its next deadline goes
    /// by the new values.
    pub fn tune(&mut self, settings: &Settings) {
        let Settings { capacity, seed, .. } = self.settings;
        self.settings = Settings { capacity, seed, ..*settings };
    }

    /// Starts to bring what [`find`](Self::find) will read first into the cache; for a burst, ahead of its packets.
    #[inline]
    pub fn prefetch(&self, decoded: &mut Decoded) {
        decoded.session_hash = self.hasher.hash(lookup_tuple(decoded));
        self.index.prefetch(decoded.session_hash);
    }

    /// As [`prefetch`](Self::prefetch), a step later: the session itself.
    #[inline]
    pub fn prefetch_session(&self, decoded: &Decoded) {
        if let Some(session) = self.likely(decoded) {
            cache::prefetch_all(session);
        }
    }

    /// The session that [`find`](Self::find) will hardly find another than, for what is brought after it.
    #[inline]
    pub fn likely(&self, decoded: &Decoded) -> Option<&Session> {
        self.slots.get(self.index.candidate(decoded.session_hash)? as usize)
    }

    /// The packet's session, opened if need be; the packet is counted in it.
    pub fn find(&mut self, decoded: &Decoded, packet: &Packet, closer: &mut impl Closer) -> Lookup {
        if decoded.ip.is_none() || decoded.invalid.is_some() {
            self.counters.untracked += 1;
            return Lookup::Untracked;
        }
        let hash = match decoded.session_hash {
            0 => self.hasher.hash(lookup_tuple(decoded)),
            looked_ahead => looked_ahead,
        };
        if let Some((slot, dir)) = self.live(hash, decoded, packet, closer) {
            return match self.reused(slot, dir, decoded, packet) {
                None => self.found(slot, dir, decoded, packet),
                Some(begun) => self.open_in_place(slot, hash, begun, decoded, packet, closer),
            };
        }
        if is_icmp_error(&decoded.l4) {
            self.counters.untracked += 1;
            return Lookup::Untracked;
        }
        if self.slots.len() == self.slots.capacity() && self.free.is_empty() && !self.make_room(closer) {
            self.counters.full += 1;
            return match self.settings.when_full {
                WhenFull::ForwardUntracked => Lookup::Untracked,
                _ => Lookup::Refused(DropReason::SessionTableFull),
            };
        }
        self.open(hash, decoded, packet, None)
    }

    /// The slot of the packet's session, unless its time was over or the packet opens another in its place.
    fn live(
        &mut self,
        hash: u64,
        decoded: &Decoded,
        packet: &Packet,
        closer: &mut impl Closer,
    ) -> Option<(u32, Dir)> {
        let tuple = lookup_tuple(decoded);
        let slots = &self.slots;
        let mut dir = Dir::ToServer;
        let slot = self.index.find(hash, |slot| {
            let found = slots.get(slot as usize).and_then(|s| direction(&s.tuple, tuple));
            dir = found.unwrap_or(dir);
            found.is_some()
        })?;
        let session = self.slots.get(slot as usize)?;
        if packet.clock >= session.deadline(&self.settings.timeouts) && packet.clock > session.seen {
            let reason = session.natural_end();
            self.end(slot, reason, closer);
            return None;
        }
        let reopens = |tcp: &TcpFields| session.tcp.reopened_by(dir, tcp);
        if decoded.quoted.is_none() && decoded.tcp().is_some_and(reopens) {
            let reason = session.natural_end();
            self.end(slot, reason, closer);
            return None;
        }
        Some((slot, dir))
    }

    fn found(&mut self, slot: u32, dir: Dir, decoded: &Decoded, packet: &Packet) -> Lookup {
        let related = decoded.quoted.is_some();
        // An ICMP error goes to who sent the quoted packet.
        let dir = if related { dir.reversed() } else { dir };
        let session = &mut self.slots[slot as usize];
        session.count(dir, packet.length, decoded);
        session.last = session.last.max(packet.time);
        session.last_packet = packet.number;
        session.seen = session.seen.max(packet.clock);
        let id = SessionId { slot, generation: session.generation };
        let answered = !related && !session.is_tcp() && session.phase == Phase::New && dir == Dir::ToClient;
        if answered {
            session.phase = Phase::Established;
            self.unestablished.remove(slot);
        }
        self.counters.related += u64::from(related);
        Lookup::Found { id, dir, opened: false, related }
    }

    /// The connection that the packet opens, in the place of the slot's, as the answer to a SYN that came in its time.
    #[inline]
    fn reused(&self, slot: u32, dir: Dir, decoded: &Decoded, packet: &Packet) -> Option<TcpTracker> {
        let tcp = decoded.tcp().filter(|tcp| tcp.flags & flags::SYN != 0 && decoded.quoted.is_none())?;
        let session = self.slots.get(slot as usize)?;
        // Where a session is dropped its late SYN was, too: what answers it has not seen it.
        let dropped = packet.inline && matches!(session.settled, Settled::Drop(_));
        session.tcp.answered(dir, tcp, packet.across).filter(|_| !dropped)
    }

    #[cold]
    fn open_in_place(
        &mut self,
        slot: u32,
        hash: u64,
        begun: TcpTracker,
        decoded: &Decoded,
        packet: &Packet,
        closer: &mut impl Closer,
    ) -> Lookup {
        let reason = match self.slots.get(slot as usize).map(Session::natural_end) {
            None | Some(CloseReason::Timeout) => CloseReason::Reused,
            Some(over) => over,
        };
        self.end(slot, reason, closer);
        self.open(hash, decoded, packet, Some(begun))
    }

    /// `begun`: its SYN came before, from the packet's receiver.
    fn open(&mut self, hash: u64, decoded: &Decoded, packet: &Packet, begun: Option<TcpTracker>) -> Lookup {
        let turned = begun.is_some()
            || decoded.tcp().is_some_and(|tcp| {
                tcp.flags & (flags::SYN | flags::ACK | flags::RST) == flags::SYN | flags::ACK
                    && self.settings.tcp.midstream.allowed(packet.clock)
            });
        let dir = if turned { Dir::ToClient } else { Dir::ToServer };
        let tuple = if turned { decoded.tuple.reversed() } else { decoded.tuple };
        let mut session = Session {
            tuple,
            start: packet.time,
            last: packet.time,
            seen: packet.clock,
            packets: PerDir::default(),
            bytes: PerDir::default(),
            flow_id: flow_id(&tuple, packet.number as u32, packet.time.micros()),
            tcp: begun.unwrap_or_default(),
            policy: self.policy,
            generation: 0,
            opened_by: packet.number,
            last_packet: packet.number,
            inspection: NO_HANDLE,
            streams: PerDir([NO_HANDLE; 2]),
            app: NO_HANDLE,
            spoken: Spoken::default(),
            services: NO_HANDLE,
            wanting: PerDir::default(),
            chain: NO_CHAIN,
            phase: Phase::New,
            settled: Settled::None,
            depth: decoded.depth,
            ttl: PerDir::default(),
            exception: None,
            marks: ALIVE,
        };
        session.count(dir, packet.length, decoded);
        let deadline = session.deadline(&self.settings.timeouts);
        let slot = match self.free.pop() {
            Some(slot) => {
                let place = &mut self.slots[slot as usize];
                session.generation = place.generation.wrapping_add(1);
                *place = session;
                slot
            }
            None => {
                self.slots.push(session);
                (self.slots.len() - 1) as u32
            }
        };
        self.index.insert(hash, slot);
        self.wheel.arm(slot, packet.clock, deadline);
        self.unestablished.push_back(UNESTABLISHED, slot);
        self.counters.opened += 1;
        let id = SessionId { slot, generation: self.slots[slot as usize].generation };
        Lookup::Found { id, dir, opened: true, related: false }
    }

    /// Follows a TCP segment through its session's states. Not for ICMP errors ([`Lookup::Found`]'s `related`).
    /// `None` when the session or the packet is not TCP.
    pub fn track(&mut self, id: SessionId, dir: Dir, decoded: &Decoded, packet: &Packet) -> Option<Tracked> {
        let tcp = decoded.tcp()?;
        let (settings, timeouts) = (self.settings.tcp, self.settings.timeouts);
        let session = self.get_mut(id).filter(|s| s.is_tcp())?;
        let before = session.phase;
        session.tcp.note_syn(dir, tcp, packet.port, packet.across.is_some());
        let tracked = session.tcp.segment(dir, tcp, decoded.payload_len, packet.clock, &settings);
        session.phase = session.tcp.state.phase();
        if session.phase != before {
            // The new phase may end sooner than the wheel's entry says.
            let (phase, deadline) = (session.phase, session.deadline(&timeouts));
            if phase != Phase::New {
                self.unestablished.remove(id.slot);
            }
            if phase == Phase::Closed {
                self.wheel.arm(id.slot, packet.clock, deadline);
            }
        }
        Some(tracked)
    }

    pub fn get(&self, id: SessionId) -> Option<&Session> {
        self.slots.get(id.slot as usize).filter(|s| s.generation == id.generation && s.alive())
    }

    pub fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.slots.get_mut(id.slot as usize).filter(|s| s.generation == id.generation && s.alive())
    }

    /// The session of a tuple, in either direction; counts nothing. For commands.
    pub fn peek(&self, tuple: &FlowTuple) -> Option<(SessionId, &Session)> {
        let same =
            |slot: u32| self.slots.get(slot as usize).is_some_and(|s| direction(&s.tuple, tuple).is_some());
        let slot = self.index.find(self.hasher.hash(tuple), same)?;
        let session = self.slots.get(slot as usize)?;
        Some((SessionId { slot, generation: session.generation }, session))
    }

    /// Every living session, in no order. For dumps.
    pub fn iter(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        let id = |slot: usize, s: &Session| SessionId { slot: slot as u32, generation: s.generation };
        self.slots.iter().enumerate().filter(|(_, s)| s.alive()).map(move |(slot, s)| (id(slot, s), s))
    }

    /// Slots in use or free again: where [`at`](Self::at) finds something.
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// The living session of a slot. For who looks at all of them, a slice at a time.
    pub fn at(&self, slot: usize) -> Option<(SessionId, &Session)> {
        let session = self.slots.get(slot).filter(|session| session.alive())?;
        Some((SessionId { slot: slot as u32, generation: session.generation }, session))
    }

    /// Ends a session; false when it had already ended.
    pub fn close(&mut self, id: SessionId, reason: CloseReason, closer: &mut impl Closer) -> bool {
        let alive = self.get(id).is_some();
        if alive {
            self.end(id.slot, reason, closer);
        }
        alive
    }

    /// Ends every session, in the order in which they were opened: the appliance stops, or a replay is over. Those whose time is over at `now` end for their own
    /// reason, whether or not a timer has come to them.
    pub fn close_all(&mut self, reason: CloseReason, now: Time, closer: &mut impl Closer) {
        let alive = self.slots.iter().enumerate().filter(|(_, session)| session.alive());
        let mut order: Vec<_> = alive.map(|(slot, s)| (s.opened_by, s.flow_id, slot)).collect();
        order.sort_unstable();
        for (_, _, slot) in order {
            let session = &self.slots[slot];
            let over = now >= session.deadline(&self.settings.timeouts);
            let reason = if over { session.natural_end() } else { reason };
            self.end(slot as u32, reason, closer);
        }
    }

    /// Reclaims sessions whose time is over, looking at no more than `budget` timer entries and buckets; how many ended.
    pub fn expire(&mut self, now: Time, budget: usize, closer: &mut impl Closer) -> usize {
        let mut steps = budget;
        let mut ended = 0;
        while let Some(slot) = self.wheel.due(now, &mut steps) {
            self.counters.timer_looks += 1;
            let session = &self.slots[slot as usize];
            let deadline = session.deadline(&self.settings.timeouts);
            if now >= deadline && closer.holds(session) {
                self.wheel.arm(slot, now, now.plus(HELD));
            } else if now >= deadline {
                let reason = session.natural_end();
                self.end(slot, reason, closer);
                ended += 1;
            } else {
                self.wheel.arm(slot, now, deadline);
            }
        }
        ended
    }

    /// By the policy, one slot; never a scan.
    fn make_room(&mut self, closer: &mut impl Closer) -> bool {
        if self.settings.when_full != WhenFull::EvictOldestUnestablished {
            return false;
        }
        let Some(oldest) = self.unestablished.front(UNESTABLISHED) else { return false };
        self.end(oldest, CloseReason::Evicted, closer);
        true
    }

    fn end(&mut self, slot: u32, reason: CloseReason, closer: &mut impl Closer) {
        let session = &mut self.slots[slot as usize];
        let hash = self.hasher.hash(&session.tuple);
        let id = SessionId { slot, generation: session.generation };
        closer.closed(id, session, reason);
        session.bury();
        self.index.remove(hash, slot);
        self.wheel.disarm(slot);
        self.unestablished.remove(slot);
        self.free.push(slot);
        self.counters.closed[reason as usize] += 1;
    }
}

/// An ICMP error is looked up as the packet it quotes.
fn lookup_tuple(decoded: &Decoded) -> &FlowTuple {
    decoded.quoted.as_ref().unwrap_or(&decoded.tuple)
}

/// Messages that speak of another packet (RFC 792; RFC 4443: types below 128).
fn is_icmp_error(l4: &L4) -> bool {
    match *l4 {
        L4::Icmp4 { kind, .. } => matches!(kind, 3 | 4 | 5 | 11 | 12),
        L4::Icmp6 { kind, .. } => kind < 128,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
