//! The same ends and ports once more: a SYN that comes while a session between them goes on, and the answer to it.
//!
//! Anybody can send a SYN, so it ends nothing; who still has the old connection answers it with an acknowledgement (RFC 5961,
//! section 4). Only a SYN and ACK of exactly that SYN says that both ends are in another connection. The latest SYN is
//! remembered: it is what its sender will take an answer to, and a flood of them costs no room. What a SYN brings
//! beside its number is that of the handshake as ever; of its payload nothing is kept, so an answer that takes it is none here.
//!
//! Who opens a connection is its client, and rules go by that. A server must not become it by a SYN of its own in answer to a
//! client's, which the client would answer (a simultaneous open): where SYNs cross, no answer opens anything.

use super::window::MAX_WINDOW;
use super::*;

/// Of what a side keeps of its late SYN, beside its [`SCALE`]: there is one.
const WAITING: u8 = 0x80;
const OFFERS_STAMPS: u8 = 0x40;
const OFFERS_FAST_OPEN: u8 = 0x20;
/// It came by a port of a line, whose other side comes by another port.
const IN_LINE: u8 = 0x10;
/// Both sides' late SYNs came: for the rest of the session nobody waits.
const CROSSED: u8 = 0x01;

impl TcpTracker {
    /// Remembers a SYN that is not the handshake's own. `port`: where it came in; `in_line`: the other side comes by another.
    pub fn note_syn(&mut self, dir: Dir, tcp: &TcpFields, port: PortId, in_line: bool) {
        if tcp.flags & (SYN | ACK | RST | FIN) != SYN {
            return;
        }
        // Before the handshake is done the same SYN again only asks for the same answer.
        let late = match self.state {
            State::None | State::SynSent => false,
            State::SynReceived => self.sides[dir].isn != SeqNum(tcp.seq),
            _ => true,
        };
        if !late {
            return;
        }
        // The other end may answer this one, and not the handshake's: what does not fit may be of that.
        self.sides[dir].marks |= if self.state == State::SynReceived { CONTESTED } else { 0 };
        let other = self.sides[dir.reversed()].late;
        if other & WAITING != 0 || other == CROSSED {
            self.sides.0.iter_mut().for_each(|side| side.late = CROSSED);
            return;
        }
        let shift = scale_of(tcp);
        let with = |has: bool, mark| if has { mark } else { 0 };
        let stamps = with(tcp.timestamps.is_some(), OFFERS_STAMPS);
        let rest = with(tcp.fast_open, OFFERS_FAST_OPEN) | with(in_line, IN_LINE);
        (self.late, self.late_port) = (SeqNum(tcp.seq), port);
        self.sides[dir].late = WAITING | stamps | rest | shift;
    }

    /// The connection that a segment opens by answering the remembered SYN, as it stands before that answer. Its client, to
    /// the server, is who sent the SYN. `across`: where the other side of the segment's line comes in. The SYN must have come
    /// there: an answer by any other port may be its sender's own.
    pub fn answered(&self, dir: Dir, tcp: &TcpFields, across: Option<PortId>) -> Option<TcpTracker> {
        if tcp.flags & (SYN | ACK | RST | FIN) != SYN | ACK {
            return None;
        }
        let client = dir.reversed();
        let late = self.sides[client].late;
        let answers = late & WAITING != 0 && SeqNum(tcp.ack) == self.late.plus(1);
        let from_across = across == (late & IN_LINE != 0).then_some(self.late_port);
        (answers && from_across && !self.is_of_handshake(dir, tcp)).then(|| self.next_session(client))
    }

    /// Whether a SYN and ACK is of the handshake that was: its answer once more, or of one who sent his SYN in it and answers
    /// another's now.
    fn is_of_handshake(&self, dir: Dir, tcp: &TcpFields) -> bool {
        let by_caller = self.is_client(dir) || self.is(SPLIT);
        SeqNum(tcp.seq) == self.sides[dir].isn && (by_caller || self.late == self.sides[dir.reversed()].isn)
    }

    /// The port that the client's SYN came by, of a session that began in another's time.
    pub fn begun_by(&self) -> Option<PortId> {
        self.is(REUSED).then_some(self.late_port)
    }

    /// Whether a segment begins before its direction's stream: it is of the connection that was there before, and should the
    /// other end be in that all the same, it would be taken unseen.
    pub(super) fn is_of_old(&self, dir: Dir, seq: SeqNum) -> bool {
        let side = &self.sides[dir];
        self.is(REUSED) && !side.has(OUTGROWN) && seq.before(side.isn)
    }

    /// Behind so many bytes of a direction numbers come round, and what stands before its first is no more of old.
    pub(super) fn outgrow_old(&mut self) {
        if self.is(REUSED) {
            for side in &mut self.sides.0 {
                let far = i64::from(side.next.distance_from(side.isn)) > i64::from(MAX_WINDOW);
                side.marks |= if far { OUTGROWN } else { 0 };
            }
        }
    }

    fn next_session(&self, client: Dir) -> TcpTracker {
        let late = self.sides[client].late;
        let shift = late & SCALE;
        let syn = TcpFields {
            seq: self.late.0,
            flags: SYN,
            window_scale: (shift != NO_SCALE).then_some(shift),
            // Its first segment behind this says at which time it is.
            timestamps: (late & OFFERS_STAMPS != 0).then_some((0, 0)),
            ..TcpFields::default()
        };
        let mut next = TcpTracker { late_port: self.late_port, ..TcpTracker::default() };
        let side = &mut next.sides[Dir::ToServer];
        side.syn(&syn, 0);
        side.flags = SYN;
        // Should an end be in the old connection all the same, what does not fit here is of that.
        side.marks |= CONTESTED;
        next.set(REUSED, true);
        next.set(FAST_OPEN, late & OFFERS_FAST_OPEN != 0);
        next.step(Event::ClientSyn);
        next
    }
}
