//! Follows one TCP session: which segments are its own, what they acknowledge, and which state they lead to.
//!
//! RFC 9293 (states, windows), RFC 7323 (window scaling, timestamps), RFC 5961 (resets and SYNs in the middle),
//! RFC 7413 (Fast Open). What does not fit is an anomaly under Suricata's name; the caller decides whether it is dropped.

use super::flags::{ACK, FIN, RST, SYN, URG};
use super::settings::TcpSettings;
use super::tcp::{Event, State, next};
use crate::base::{Anomaly, Dir, PerDir, PortId, SeqNum, Time};
use crate::decode::TcpFields;
use arrayvec::ArrayVec;

mod handshake;
mod reuse;
mod window;

/// Anomalies kept of one segment.
const MAX_ANOMALIES: usize = 3;

/// Whether a segment belongs to its session as it stands.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Fit {
    #[default]
    Valid,
    /// Wrong by sequence, acknowledgement, timestamp or state: no byte of it reaches a stream, nothing changed.
    Invalid,
    /// The session is not followed: no handshake was seen, and midstream pickup is off.
    Untracked,
}

impl Fit {
    pub const fn name(self) -> &'static str {
        match self {
            Fit::Valid => "valid",
            Fit::Invalid => "invalid",
            Fit::Untracked => "untracked",
        }
    }
}

/// What a segment was to its session.
#[derive(Clone, Debug, Default)]
pub struct Tracked {
    pub fit: Fit,
    /// Where its payload stands in its direction's stream. `None` when it has none, or is not valid.
    pub data: Option<SeqNum>,
    /// The byte that its urgent pointer names (RFC 6093: the last urgent one), in its payload or behind.
    pub urgent: Option<SeqNum>,
    /// Its payload came with a SYN and without Fast Open: some receivers take it, most ask for it again.
    pub early: bool,
    /// A SYN that names another initial number than the one before: what was of the stream belongs to no session.
    pub restarted: bool,
    /// The other direction's stream is acknowledged up to here.
    pub acked: Option<SeqNum>,
    /// Its direction's stream ends here (FIN).
    pub fin: Option<SeqNum>,
    /// A valid reset: both streams end.
    pub reset: bool,
    /// The handshake was completed by this segment, or the session picked up.
    pub established: bool,
    /// The session was picked up in its middle by this segment.
    pub picked_up: bool,
    pub anomalies: ArrayVec<Anomaly, MAX_ANOMALIES>,
}

impl Tracked {
    fn complain(&mut self, anomaly: Anomaly) {
        let _ = self.anomalies.try_push(anomaly); // the first few say it all
    }

    fn invalid(&mut self, anomaly: Anomaly) {
        self.complain(anomaly);
        self.fit = Fit::Invalid;
    }
}

/// What one side has sent and allows.
#[derive(Copy, Clone, Debug, Default)]
pub(super) struct Side {
    /// Its initial sequence number; the stream begins one behind.
    isn: SeqNum,
    /// Behind the last it has sent, by sequence.
    next: SeqNum,
    /// The latest it has acknowledged.
    acked: SeqNum,
    /// Right edge of the window it has offered: the other side sends up to here.
    edge: SeqNum,
    /// Behind its FIN, once it has sent one; before that the widest window it has offered.
    fin_or_widest: u32,
    /// Its latest timestamp, and the second (low 32 bits) in which it was seen.
    stamp: u32,
    stamped_at: u32,
    /// Of its SYN: the shift of its window, [`NO_SCALE`] when it offered none; with [`SIGNED`].
    offer: u8,
    /// All TCP flags it has sent, or-ed.
    flags: u8,
    marks: u8,
    /// What its late SYN offers ([`reuse`]); 0 when none came.
    late: u8,
}

/// Marks of a side.
const SEEN_SYN: u8 = 1;
const SEEN_FIN: u8 = 2;
const STAMPS: u8 = 4;
/// Its sequence numbers are known.
const KNOWN: u8 = 8;
/// It has acknowledged something: `acked` and `edge` mean something.
const ACKED: u8 = 16;
/// `stamp` and `stamped_at` mean something.
const STAMPED: u8 = 32;
/// Its SYNs named several initial numbers.
const CONTESTED: u8 = 64;
/// So many bytes from its initial number that what stands before that may be its own ([`REUSED`]).
const OUTGROWN: u8 = 128;

const NO_SCALE: u8 = 0x0f;
/// RFC 7323, section 2.3.
const MAX_SCALE: u8 = 14;
/// Bits that hold a shift, or [`NO_SCALE`].
const SCALE: u8 = 0x0f;
/// A SYN with a signature (RFC 2385).
const SIGNED: u8 = 0x10;

/// What a SYN offers of window scaling, within [`SCALE`].
fn scale_of(syn: &TcpFields) -> u8 {
    syn.window_scale.map_or(NO_SCALE, |shift| shift.min(MAX_SCALE))
}

impl Side {
    fn has(&self, mark: u8) -> bool {
        self.marks & mark != 0
    }

    fn shift(&self) -> Option<u8> {
        Some(self.offer & SCALE).filter(|&shift| shift != NO_SCALE)
    }

    fn offers(&mut self, shift: u8) {
        self.offer = self.offer & SIGNED | shift;
    }

    /// Behind its FIN.
    fn fin(&self) -> Option<SeqNum> {
        self.has(SEEN_FIN).then_some(SeqNum(self.fin_or_widest))
    }

    /// The widest window it has offered, as far as that is known.
    fn widest(&self) -> u32 {
        if self.has(SEEN_FIN) { window::MAX_WINDOW } else { self.fin_or_widest }
    }

    /// Its SYN, with what it offers.
    fn syn(&mut self, tcp: &TcpFields, payload: u32) {
        self.isn = SeqNum(tcp.seq);
        self.next = self.isn.plus(1).plus(payload);
        self.offer = scale_of(tcp) | if tcp.signed { SIGNED } else { 0 };
        self.marks |= SEEN_SYN | KNOWN;
        self.marks &= !(STAMPS | STAMPED);
        self.marks |= if tcp.timestamps.is_some() { STAMPS } else { 0 };
    }
}

/// The TCP part of a session.
#[derive(Clone, Debug, Default)]
pub struct TcpTracker {
    sides: PerDir<Side>,
    /// Of the latest SYN that came after those of the handshake: its number, and the port it came by.
    late: SeqNum,
    late_port: PortId,
    pub state: State,
    traits: u8,
}

/// Traits of a session.
/// The "client" of the [state table](super::tcp), who sent the first SYN, is not the opener of the session.
const TURNED: u8 = 1;
/// Both sides sent a SYN without ACK: simultaneous open or split handshake.
const SPLIT: u8 = 2;
const FAST_OPEN: u8 = 4;
/// Only one side is seen, or the handshake was not: windows are not known well enough to judge by.
const LENIENT: u8 = 8;
const WAS_RESET: u8 = 16;
/// The reset was named as suspect, once.
const RESET_SUSPECTED: u8 = 32;
/// A reset before the handshake was done.
const REFUSED: u8 = 64;
/// It began with a SYN that came while another session had its place.
const REUSED: u8 = 128;

impl TcpTracker {
    /// All flags a direction has sent, or-ed.
    pub fn flags(&self, dir: Dir) -> u8 {
        self.sides[dir].flags
    }

    /// Of an ICMP session, which has no use for the rest: type and code of a direction's first packet.
    pub(super) fn keep_icmp(&mut self, dir: Dir, (kind, code): (u8, u8)) {
        let side = &mut self.sides[dir];
        (side.flags, side.marks) = (kind, code);
    }

    pub(super) fn icmp(&self, dir: Dir) -> (u8, u8) {
        (self.sides[dir].flags, self.sides[dir].marks)
    }

    /// Both sides have ended it, or one has reset it.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// The handshake was seen: who opened the session is known.
    pub fn opening_seen(&self) -> bool {
        !self.is(LENIENT)
    }

    /// Which of several SYNs the other end took is not known before the handshake is done: what does not fit may be its stream.
    pub fn is_contested(&self) -> bool {
        self.sides.0.iter().any(|side| side.has(CONTESTED))
    }

    /// The first sequence number of a direction's stream; `None` before anything of it was seen.
    pub fn stream_start(&self, dir: Dir) -> Option<SeqNum> {
        let side = &self.sides[dir];
        side.has(KNOWN).then(|| side.isn.plus(1))
    }

    /// The next sequence number a direction will send and what it has acknowledged: what a generated reset must carry.
    pub fn position(&self, dir: Dir) -> (SeqNum, SeqNum) {
        let side = &self.sides[dir];
        let acked = if side.has(ACKED) { side.acked } else { self.sides[dir.reversed()].next };
        (side.next, acked)
    }

    /// Whether this segment opens a new session between the same ends: a SYN with another initial number after the end.
    pub fn reopened_by(&self, dir: Dir, tcp: &TcpFields) -> bool {
        let over = matches!(self.state, State::Closed | State::TimeWait | State::LastAck);
        let syn = tcp.flags & (SYN | ACK | RST | FIN) == SYN;
        over && syn && (self.sides[dir].isn != SeqNum(tcp.seq) || !self.sides[dir].has(SEEN_SYN))
    }

    pub fn was_reset(&self) -> bool {
        self.is(WAS_RESET)
    }

    /// A reset came before the handshake was done.
    pub fn was_refused(&self) -> bool {
        self.is(REFUSED)
    }

    fn is(&self, which: u8) -> bool {
        self.traits & which != 0
    }

    fn set(&mut self, which: u8, to: bool) {
        self.traits = if to { self.traits | which } else { self.traits & !which };
    }

    fn client(&self) -> Dir {
        if self.is(TURNED) { Dir::ToClient } else { Dir::ToServer }
    }

    fn is_client(&self, dir: Dir) -> bool {
        dir == self.client()
    }

    fn step(&mut self, event: Event) {
        if let Some(state) = next(self.state, event) {
            self.state = state;
        }
    }

    /// One segment in direction `dir` with `payload` bytes.
    pub fn segment(
        &mut self,
        dir: Dir,
        tcp: &TcpFields,
        payload: u32,
        now: Time,
        settings: &TcpSettings,
    ) -> Tracked {
        let mut out = Tracked::default();
        self.sides[dir].flags |= tcp.flags;
        if tcp.flags & (ACK | RST) == 0 && tcp.ack != 0 {
            out.complain(Anomaly::StreamPktBrokenAck);
        }
        if tcp.flags & (FIN | SYN) == FIN | SYN {
            out.complain(Anomaly::StreamFinSyn);
        }
        let before = self.state.handshake_done();
        match self.state {
            State::None => self.unopened(dir, tcp, payload, now, settings, &mut out),
            State::SynSent => self.syn_sent(dir, tcp, payload, now, settings, &mut out),
            _ if !self.signature_fits(dir, tcp) => out.fit = Fit::Invalid,
            State::SynReceived => self.syn_received(dir, tcp, payload, now, &mut out),
            _ => self.running(dir, tcp, payload, now, &mut out),
        }
        out.established = !before && self.state.handshake_done() && !self.was_reset();
        let brings = out.fit == Fit::Valid && payload > 0 && tcp.flags & RST == 0;
        out.early = brings && tcp.flags & SYN != 0 && !self.is(FAST_OPEN);
        if brings {
            let data = SeqNum(tcp.seq).plus(u32::from(tcp.flags & SYN != 0));
            out.data = Some(data);
            let last = u32::from(tcp.urgent).checked_sub(1).filter(|_| tcp.flags & URG != 0);
            out.urgent = last.map(|last| data.plus(last));
        }
        out
    }

    /// A reset before the handshake was done.
    fn refuse(&mut self, out: &mut Tracked) {
        self.set(REFUSED, true);
        self.reset(out);
    }

    fn reset(&mut self, out: &mut Tracked) {
        self.set(WAS_RESET, true);
        out.reset = true;
        self.step(Event::Reset);
    }
}

#[cfg(test)]
mod tests;
