//! The same ends and ports once more: a SYN that comes while a session between them goes on, and the answer to it.
//!
//! Anybody can send a SYN, so it ends nothing; who still has the old connection answers it with an acknowledgement (RFC 5961,
//! section 4). Only a SYN and ACK of exactly that SYN says that both ends are in another connection. The latest SYN is
//! remembered: it is what its sender will take an answer to, and a flood of them costs no room. What a SYN brings
//! beside its number is that of the handshake as ever; of its payload nothing is kept, so an answer that takes it is none here.

use super::*;

/// Of what a side keeps of its late SYN: there is one.
const WAITING: u8 = 0x80;
const OFFERS_STAMPS: u8 = 0x40;
const OFFERS_FAST_OPEN: u8 = 0x20;
/// The shift of its window, [`NO_SHIFT`] for none.
const SHIFT: u8 = 0x0f;
const NO_SHIFT: u8 = 0x0f;

impl TcpTracker {
    /// Remembers a SYN that is not the handshake's own. `port`: where it came in.
    pub fn note_syn(&mut self, dir: Dir, tcp: &TcpFields, port: PortId) {
        if tcp.flags & (SYN | ACK | RST | FIN) != SYN {
            return;
        }
        // Before the handshake is done the same SYN again only asks for the same answer.
        let late = match self.state {
            State::None | State::SynSent => false,
            State::SynReceived => self.sides[dir].isn != SeqNum(tcp.seq),
            _ => true,
        };
        if late {
            let shift = tcp.window_scale.map_or(NO_SHIFT, |shift| shift.min(MAX_SCALE));
            let stamps = if tcp.timestamps.is_some() { OFFERS_STAMPS } else { 0 };
            let fast_open = if tcp.fast_open { OFFERS_FAST_OPEN } else { 0 };
            (self.late, self.late_port) = (SeqNum(tcp.seq), port);
            self.sides[dir].late = WAITING | stamps | fast_open | shift;
            self.sides[dir.reversed()].late = 0;
        }
    }

    /// The connection that a segment opens by answering the remembered SYN, as it stands before that answer. Its client, to
    /// the server, is who sent the SYN. `apart`: the two sides of the line come by different ports, so that an answer by the port
    /// that the SYN came by is its sender's own.
    pub fn answered(&self, dir: Dir, tcp: &TcpFields, port: PortId, apart: bool) -> Option<TcpTracker> {
        if tcp.flags & (SYN | ACK | RST | FIN) != SYN | ACK {
            return None;
        }
        let client = dir.reversed();
        let answers = self.sides[client].late & WAITING != 0 && SeqNum(tcp.ack) == self.late.plus(1);
        let forged = apart && port == self.late_port;
        // The answer of the handshake that was, once more.
        let old = self.late == self.sides[client].isn && SeqNum(tcp.seq) == self.sides[dir].isn;
        (answers && !forged && !old).then(|| self.next_session(client))
    }

    /// The port that the client's SYN came by, of a session that began in another's time.
    pub fn begun_by(&self) -> Option<PortId> {
        self.is(REUSED).then_some(self.late_port)
    }

    fn next_session(&self, client: Dir) -> TcpTracker {
        let late = self.sides[client].late;
        let shift = late & SHIFT;
        let syn = TcpFields {
            seq: self.late.0,
            flags: SYN,
            window_scale: (shift != NO_SHIFT).then_some(shift),
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
