//! From the handshake to the end: windows, acknowledgements, timestamps, FIN and RST.

use super::*;

/// How far behind the other side's acknowledgement a segment may begin and still be an honest retransmission:
/// the largest window there is (RFC 7323, section 2.3).
pub(super) const MAX_WINDOW: u32 = 1 << 30;

/// Timestamps older than this prove nothing (RFC 7323, section 5.5: 24 days).
const STAMP_AGE: u32 = 24 * 24 * 3600;

/// Which of a state's names for the same fault.
enum Fault {
    Sequence,
    Ack,
    Fin,
}

impl TcpTracker {
    /// A segment after the handshake.
    pub(super) fn running(&mut self, dir: Dir, tcp: &TcpFields, payload: u32, now: Time, out: &mut Tracked) {
        if tcp.flags & SYN != 0 && tcp.flags & RST == 0 {
            return self.late_syn(dir, tcp, out);
        }
        if tcp.flags & RST != 0 {
            if self.reset_fits(dir, tcp) {
                self.reset(out);
            } else {
                out.invalid(Anomaly::StreamRstInvalidAck);
            }
            return;
        }
        if tcp.flags & ACK == 0 {
            // Nobody takes it (RFC 9293, section 3.10.7.4).
            out.fit = Fit::Invalid;
            return;
        }
        let seq = SeqNum(tcp.seq);
        if !self.sides[dir].has(KNOWN) {
            let side = &mut self.sides[dir];
            (side.isn, side.next) = (seq.minus(1), seq);
            side.offers(MAX_SCALE);
            side.marks |= KNOWN;
        }
        if !self.stamp_fits(dir, tcp, now) {
            return out.invalid(Anomaly::StreamPktInvalidTimestamp);
        }
        let fin = tcp.flags & FIN != 0;
        if !self.in_window(dir, seq, payload) {
            let fault = self.name(if fin { Fault::Fin } else { Fault::Sequence });
            if !self.begins_in_window(dir, seq) {
                return out.invalid(fault);
            }
            out.complain(fault);
        }
        if self.beyond_fin(dir, seq.plus(payload), payload, fin) {
            return out.invalid(self.name(if fin { Fault::Fin } else { Fault::Sequence }));
        }
        let ack = SeqNum(tcp.ack);
        if !self.ack_fits(dir, ack) || ((payload > 0 || fin) && self.is_of_long_ago(dir, ack)) {
            return out.invalid(self.name(Fault::Ack));
        }
        self.accept(dir, tcp, payload, now, out);
    }

    fn accept(&mut self, dir: Dir, tcp: &TcpFields, payload: u32, now: Time, out: &mut Tracked) {
        let (seq, end) = (SeqNum(tcp.seq), SeqNum(tcp.seq).plus(payload));
        if payload > 0 && end.at_or_before(self.sides[dir].next) {
            out.complain(Anomaly::StreamPktRetransmission);
        }
        if payload > 0 && self.is(WAS_RESET) && !self.is(RESET_SUSPECTED) && end.after(self.sides[dir].next) {
            self.set(RESET_SUSPECTED, true);
            // Whoever sent the reset, the ends do not believe it.
            out.complain(Anomaly::StreamSuspectedRstInject);
        }
        self.stamp(dir, tcp, payload, now);
        let ack = SeqNum(tcp.ack);
        self.acknowledge(dir, tcp);
        out.acked = Some(ack);
        if self.sides[dir.reversed()].fin().is_some_and(|fin| ack.at_or_after(fin)) {
            self.step(if self.is_client(dir) { Event::ClientAcksFin } else { Event::ServerAcksFin });
        }
        self.advance(dir, tcp, payload);
        self.outgrow_old();
        if tcp.flags & FIN != 0 {
            out.fin = Some(seq.plus(payload));
            let side = &mut self.sides[dir];
            let first = !side.has(SEEN_FIN);
            side.fin_or_widest = end.plus(1).0;
            side.marks |= SEEN_FIN;
            if first {
                self.step(if self.is_client(dir) { Event::ClientFin } else { Event::ServerFin });
            }
        }
    }

    /// What a side has sent reaches to here.
    pub(super) fn advance(&mut self, dir: Dir, tcp: &TcpFields, payload: u32) {
        let end = SeqNum(tcp.seq).plus(payload).plus(u32::from(tcp.flags & FIN != 0));
        let side = &mut self.sides[dir];
        side.next = side.next.max(end);
    }

    /// Takes over an acknowledgement and the window offered with it. A SYN's window is not scaled.
    pub(super) fn acknowledge(&mut self, dir: Dir, tcp: &TcpFields) {
        let side = &mut self.sides[dir];
        let shift = side.shift().filter(|_| tcp.flags & SYN == 0).unwrap_or(0);
        let ack = SeqNum(tcp.ack);
        let window = u32::from(tcp.window) << shift;
        let edge = ack.plus(window);
        if !side.has(SEEN_FIN) {
            side.fin_or_widest = side.fin_or_widest.max(window);
        }
        if side.has(ACKED) {
            side.acked = side.acked.max(ack);
            side.edge = side.edge.max(edge);
        } else {
            (side.acked, side.edge) = (ack, edge);
            side.marks |= ACKED;
        }
        // Data that went past unseen is acknowledged all the same: it was sent.
        let peer = &mut self.sides[dir.reversed()];
        if peer.has(KNOWN) {
            peer.next = peer.next.max(ack);
        }
    }

    /// Whether `payload` bytes at `seq` lie where the other side takes them, or took them before.
    pub(super) fn in_window(&self, dir: Dir, seq: SeqNum, payload: u32) -> bool {
        let (side, peer) = (&self.sides[dir], &self.sides[dir.reversed()]);
        let end = seq.plus(payload);
        if self.is_of_old(dir, seq) {
            return false;
        }
        if self.is(LENIENT) || !peer.has(ACKED) {
            let base = side.next;
            return seq.at_or_after(base.minus(MAX_WINDOW)) && end.at_or_before(base.plus(MAX_WINDOW));
        }
        // One byte past the edge: a probe of a closed window (RFC 9293, section 3.8.6.1).
        end.at_or_before(peer.edge.plus(1)) && seq.at_or_after(peer.acked.minus(MAX_WINDOW))
    }

    /// Whether bytes from `seq` on lie in the window and more of them reach past its edge: Linux takes all of a segment that is next,
    /// others what lies within. What they leave comes again.
    fn begins_in_window(&self, dir: Dir, seq: SeqNum) -> bool {
        let peer = &self.sides[dir.reversed()];
        !self.is_of_old(dir, seq)
            && peer.has(ACKED)
            && seq.before(peer.edge)
            && seq.at_or_after(peer.acked.minus(MAX_WINDOW))
    }

    /// Nothing comes behind a FIN, and a FIN does not move.
    fn beyond_fin(&self, dir: Dir, end: SeqNum, payload: u32, fin: bool) -> bool {
        let behind = end.plus(u32::from(payload > 0 || fin));
        self.sides[dir].fin().is_some_and(|last| behind.after(last) || (fin && behind != last))
    }

    /// An acknowledgement may be old, but not of what the other side was never allowed to send.
    fn ack_fits(&self, dir: Dir, ack: SeqNum) -> bool {
        let (side, peer) = (&self.sides[dir], &self.sides[dir.reversed()]);
        if !peer.has(KNOWN) || self.is(LENIENT) {
            return true;
        }
        let limit = if side.has(ACKED) { side.edge.plus(1).max(peer.next) } else { peer.next };
        ack.at_or_before(limit) && ack.at_or_after(peer.next.minus(MAX_WINDOW))
    }

    /// An acknowledgement further back than its sender's window ever reached: what comes with it is not taken (RFC 5961, section 5.2).
    fn is_of_long_ago(&self, dir: Dir, ack: SeqNum) -> bool {
        let side = &self.sides[dir];
        !self.is(LENIENT) && side.has(ACKED) && ack.before(side.acked.minus(side.widest()))
    }

    /// A signature that its sender's SYN did not have, or lacks what both sides' had: who goes by that throws the segment away. A
    /// reset is taken all the same: the session that goes on behind it shows that nobody believed it.
    pub(super) fn signature_fits(&self, dir: Dir, tcp: &TcpFields) -> bool {
        let signs = |dir: Dir| self.sides[dir].offer & SIGNED != 0;
        // Of a session picked up or begun in another's time the SYN is not known so well.
        let known = !self.is(LENIENT) && !self.is(REUSED);
        !known
            || tcp.flags & RST != 0
            || if tcp.signed { signs(dir) } else { !(signs(dir) && signs(dir.reversed())) }
    }

    /// A reset within the window of who gets it (RFC 5961, section 3.2, less its challenge), or exactly where it sends.
    pub(super) fn reset_fits(&self, dir: Dir, tcp: &TcpFields) -> bool {
        let (side, peer) = (&self.sides[dir], &self.sides[dir.reversed()]);
        let seq = SeqNum(tcp.seq);
        if !side.has(KNOWN) {
            return tcp.flags & ACK != 0 && peer.has(KNOWN) && SeqNum(tcp.ack).at_or_before(peer.next);
        }
        let low = if peer.has(ACKED) { peer.acked } else { side.next };
        let seq_fits = seq == side.next
            || (seq.at_or_after(low)
                && (!peer.has(ACKED) || self.is(LENIENT) || seq.at_or_before(peer.edge)));
        let ack_fits = tcp.flags & ACK == 0 || tcp.ack == 0 || self.ack_fits(dir, SeqNum(tcp.ack));
        seq_fits && ack_fits
    }

    fn late_syn(&mut self, dir: Dir, tcp: &TcpFields, out: &mut Tracked) {
        if self.state != State::Established {
            return out.invalid(Anomaly::StreamShutdownSynResend);
        }
        let side = &self.sides[dir];
        let same = side.isn == SeqNum(tcp.seq);
        match (tcp.flags & ACK != 0, self.is_client(dir)) {
            (false, true) if same => out.invalid(Anomaly::StreamEstSynResend),
            (false, true) => out.invalid(Anomaly::StreamEstSynResendDiffSeq),
            (false, false) => out.invalid(Anomaly::StreamEstSynToclient),
            (true, true) if self.is(SPLIT) && same => out.complain(Anomaly::StreamEstSynackResend),
            (true, true) => out.invalid(Anomaly::StreamEstSynackToserver),
            (true, false) if !same => out.invalid(Anomaly::StreamEstSynackResendWithDiffSeq),
            (true, false) if SeqNum(tcp.ack).after(self.sides[dir.reversed()].next) => {
                out.invalid(Anomaly::StreamEstSynackResendWithDifferentAck);
            }
            // The client's acknowledgement was lost behind us.
            (true, false) => out.complain(Anomaly::StreamEstSynackResend),
        }
    }

    /// PAWS (RFC 7323, section 5), one tick less strict: Linux takes a segment whose stamp is one too old.
    fn stamp_fits(&self, dir: Dir, tcp: &TcpFields, now: Time) -> bool {
        let side = &self.sides[dir];
        let Some((value, _)) = tcp.timestamps.filter(|_| side.has(STAMPS)) else { return true };
        let age = (now.secs() as u32).wrapping_sub(side.stamped_at);
        !side.has(STAMPED) || value.wrapping_sub(side.stamp) as i32 >= -1 || age > STAMP_AGE
    }

    /// Remembers the latest timestamp of a side, of segments that its peer takes it from (RFC 7323, section 4.3): those that
    /// reach from what came before to here. One that is older, and only repeats, would have us refuse what the peer takes.
    pub(super) fn stamp(&mut self, dir: Dir, tcp: &TcpFields, payload: u32, now: Time) {
        let side = &mut self.sides[dir];
        let seq = SeqNum(tcp.seq);
        let Some((value, _)) = tcp.timestamps else { return };
        let reaches = seq.at_or_before(side.next) && seq.plus(payload).at_or_after(side.next);
        let newer = !side.has(STAMPED) || value.wrapping_sub(side.stamp) as i32 >= 0;
        let age = (now.secs() as u32).wrapping_sub(side.stamped_at);
        if tcp.flags & SYN != 0 || (reaches && (newer || age > STAMP_AGE)) {
            (side.stamp, side.stamped_at) = (value, now.secs() as u32);
            side.marks |= STAMPED;
        }
    }

    fn name(&self, fault: Fault) -> Anomaly {
        use Anomaly as A;
        match (self.state, fault) {
            (State::FinWait1, Fault::Sequence) => A::StreamFin1AckWrongSeq,
            (State::FinWait1, Fault::Ack) => A::StreamFin1InvalidAck,
            (State::FinWait1, Fault::Fin) => A::StreamFin1FinWrongSeq,
            (State::FinWait2, Fault::Sequence) => A::StreamFin2AckWrongSeq,
            (State::FinWait2, Fault::Ack) => A::StreamFin2InvalidAck,
            (State::FinWait2, Fault::Fin) => A::StreamFin2FinWrongSeq,
            (State::Closing, Fault::Sequence | Fault::Fin) => A::StreamClosingAckWrongSeq,
            (State::Closing, Fault::Ack) => A::StreamClosingInvalidAck,
            (State::CloseWait, Fault::Sequence) => A::StreamClosewaitAckOutOfWindow,
            (State::CloseWait, Fault::Ack) => A::StreamClosewaitInvalidAck,
            (State::CloseWait, Fault::Fin) => A::StreamClosewaitFinOutOfWindow,
            (State::LastAck, Fault::Sequence | Fault::Fin) => A::StreamLastackAckWrongSeq,
            (State::LastAck, Fault::Ack) => A::StreamLastackInvalidAck,
            (State::TimeWait, Fault::Sequence | Fault::Fin) => A::StreamTimewaitAckWrongSeq,
            (State::TimeWait, Fault::Ack) => A::StreamTimewaitInvalidAck,
            (State::Closed, Fault::Ack) => A::StreamPktInvalidAck,
            (_, Fault::Sequence) => A::StreamEstPacketOutOfWindow,
            (_, Fault::Ack) => A::StreamEstInvalidAck,
            (_, Fault::Fin) => A::StreamFinOutOfWindow,
        }
    }
}
