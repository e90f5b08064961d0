//! Up to the end of the handshake: plain, simultaneous, split, Fast Open, or picked up in the middle.

use super::*;

impl TcpTracker {
    /// Nothing of the session is known yet.
    pub(super) fn unopened(
        &mut self,
        dir: Dir,
        tcp: &TcpFields,
        payload: u32,
        now: Time,
        settings: &TcpSettings,
        out: &mut Tracked,
    ) {
        let kind = tcp.flags & (SYN | ACK | RST | FIN);
        if kind & RST != 0 {
            out.complain(Anomaly::StreamRstButNoSession);
            out.fit = Fit::Untracked;
        } else if kind == SYN {
            self.set(TURNED, dir == Dir::ToClient);
            self.set(FAST_OPEN, tcp.fast_open);
            self.sides[dir].syn(tcp, payload);
            self.stamp(dir, tcp, payload, now);
            self.step(Event::ClientSyn);
        } else if !settings.midstream.allowed(now) {
            if kind & FIN != 0 {
                out.complain(Anomaly::StreamFinButNoSession);
            }
            out.fit = Fit::Untracked;
        } else if kind & SYN != 0 {
            out.picked_up = true;
            self.pick_up_at_syn_ack(dir, tcp, payload, now);
        } else {
            out.picked_up = true;
            self.pick_up(dir, tcp, payload, now, out);
        }
    }

    fn pick_up_at_syn_ack(&mut self, dir: Dir, tcp: &TcpFields, payload: u32, now: Time) {
        let peer = &mut self.sides[dir.reversed()];
        peer.isn = SeqNum(tcp.ack).minus(1);
        peer.next = SeqNum(tcp.ack);
        peer.offers(MAX_SCALE); // what its SYN offered is not known: believe much
        peer.marks |= KNOWN;
        self.set(TURNED, dir == Dir::ToServer);
        self.set(LENIENT, true);
        self.step(Event::ClientSyn);
        self.sides[dir].syn(tcp, payload);
        self.stamp(dir, tcp, payload, now);
        self.acknowledge(dir, tcp);
        self.step(Event::ServerSynAck);
    }

    fn pick_up(&mut self, dir: Dir, tcp: &TcpFields, payload: u32, now: Time, out: &mut Tracked) {
        let acked = SeqNum(tcp.ack);
        let side = &mut self.sides[dir];
        side.isn = SeqNum(tcp.seq).minus(1);
        side.next = SeqNum(tcp.seq);
        side.offers(MAX_SCALE);
        side.marks |= KNOWN;
        if tcp.flags & ACK != 0 {
            let peer = &mut self.sides[dir.reversed()];
            peer.isn = acked.minus(1);
            peer.next = acked;
            peer.offers(MAX_SCALE);
            peer.marks |= KNOWN;
        }
        self.set(LENIENT, true);
        self.step(Event::PickUp);
        self.running(dir, tcp, payload, now, out);
    }

    /// A SYN was seen, and no answer.
    pub(super) fn syn_sent(
        &mut self,
        dir: Dir,
        tcp: &TcpFields,
        payload: u32,
        now: Time,
        settings: &TcpSettings,
        out: &mut Tracked,
    ) {
        let client = self.is_client(dir);
        match tcp.flags & (SYN | ACK | RST) {
            kind if kind & RST != 0 => self.reset_of_syn(dir, tcp, out),
            SYN if client => {
                // The same SYN again, or another attempt from the same port: the latest holds.
                let again = self.sides[dir].isn == SeqNum(tcp.seq);
                if again && payload == 0 {
                    out.complain(Anomaly::StreamPktRetransmission);
                } else {
                    out.restarted = !again;
                    self.sides[dir].marks |= if again { 0 } else { CONTESTED };
                    self.sides[dir].syn(tcp, payload);
                    self.set(FAST_OPEN, tcp.fast_open);
                }
                self.stamp(dir, tcp, payload, now);
            }
            SYN => {
                self.set(SPLIT, true);
                self.sides[dir].syn(tcp, payload);
                self.stamp(dir, tcp, payload, now);
                self.step(Event::ServerSyn);
            }
            kind if kind == SYN | ACK && client => {
                out.invalid(Anomaly::Stream3whsSynackInWrongDirection);
            }
            kind if kind == SYN | ACK => self.syn_ack(dir, tcp, payload, now, out),
            _ if client && settings.async_one_side => self.one_side_only(dir, tcp, payload, now, out),
            // Fast Open: more data may follow the SYN before any answer (RFC 7413, section 4.2).
            0 | ACK if client && self.is(FAST_OPEN) => self.advance(dir, tcp, payload),
            _ => out.fit = Fit::Invalid,
        }
    }

    /// The server's answer to the SYN.
    fn syn_ack(&mut self, dir: Dir, tcp: &TcpFields, payload: u32, now: Time, out: &mut Tracked) {
        let client = &self.sides[dir.reversed()];
        let (first, last, ack) = (client.isn.plus(1), client.next, SeqNum(tcp.ack));
        // Without Fast Open a server may still take a SYN's data, or leave it.
        if ack.before(first) || ack.after(last) {
            return out.invalid(Anomaly::Stream3whsSynackWithWrongAck);
        }
        if self.is(FAST_OPEN) && ack != last {
            out.complain(Anomaly::Stream3whsSynackTfoDataIgnored);
        }
        self.sides[dir].syn(tcp, payload);
        self.agree_on_options();
        self.stamp(dir, tcp, payload, now);
        self.acknowledge(dir, tcp);
        out.acked = Some(ack);
        self.step(Event::ServerSynAck);
    }

    /// Scaling and timestamps hold only when both SYNs offered them (RFC 7323, sections 1.3 and 3.2).
    fn agree_on_options(&mut self) {
        let [a, b] = &mut self.sides.0;
        if a.shift().is_none() || b.shift().is_none() {
            a.offers(0);
            b.offers(0);
        }
        if !(a.has(STAMPS) && b.has(STAMPS)) {
            a.marks &= !STAMPS;
            b.marks &= !STAMPS;
        }
    }

    fn one_side_only(&mut self, dir: Dir, tcp: &TcpFields, payload: u32, now: Time, out: &mut Tracked) {
        if SeqNum(tcp.seq) != self.sides[dir].next {
            return out.invalid(Anomaly::Stream3whsAsyncWrongSeq);
        }
        let peer = &mut self.sides[dir.reversed()];
        peer.isn = SeqNum(tcp.ack).minus(1);
        peer.next = SeqNum(tcp.ack);
        peer.offers(MAX_SCALE);
        peer.marks |= KNOWN;
        self.set(LENIENT, true);
        self.step(Event::PickUp);
        self.running(dir, tcp, payload, now, out);
    }

    /// RFC 9293, section 3.10.7.3: a reset answers a SYN by acknowledging it.
    fn reset_of_syn(&mut self, dir: Dir, tcp: &TcpFields, out: &mut Tracked) {
        let client = self.sides[self.client()];
        let fits = if self.is_client(dir) {
            let seq = SeqNum(tcp.seq);
            seq == client.isn || (seq.after(client.isn) && seq.at_or_before(client.next))
        } else {
            let ack = SeqNum(tcp.ack);
            tcp.flags & ACK != 0 && ack.after(client.isn) && ack.at_or_before(client.next)
        };
        if fits { self.refuse(out) } else { out.invalid(Anomaly::StreamRstInvalidAck) }
    }

    /// Both sides' SYNs were seen, and no acknowledgement that ends the handshake.
    pub(super) fn syn_received(
        &mut self,
        dir: Dir,
        tcp: &TcpFields,
        payload: u32,
        now: Time,
        out: &mut Tracked,
    ) {
        let client = self.is_client(dir);
        match tcp.flags & (SYN | ACK | RST) {
            kind if kind & RST != 0 => {
                if self.reset_fits(dir, tcp) {
                    self.refuse(out);
                } else {
                    out.invalid(Anomaly::StreamRstInvalidAck);
                }
            }
            SYN => self.syn_again(dir, tcp, out),
            kind if kind == SYN | ACK && self.is(SPLIT) => self.split_syn_ack(dir, tcp, out),
            kind if kind == SYN | ACK && client => {
                out.invalid(Anomaly::Stream3whsSynackToserverOnSynRecv);
            }
            kind if kind == SYN | ACK => self.syn_ack_again(dir, tcp, out),
            ACK => self.handshake_ack(dir, tcp, payload, now, out),
            _ => out.fit = Fit::Invalid,
        }
    }

    fn syn_again(&mut self, dir: Dir, tcp: &TcpFields, out: &mut Tracked) {
        let same = self.sides[dir].isn == SeqNum(tcp.seq);
        match (self.is_client(dir), same) {
            (true, true) => out.complain(Anomaly::StreamPktRetransmission),
            (false, true) if self.is(SPLIT) => out.complain(Anomaly::StreamPktRetransmission),
            (true, false) => out.invalid(Anomaly::Stream3whsSynResendDiffSeqOnSynRecv),
            (false, _) => out.invalid(Anomaly::Stream3whsSynToclientOnSynRecv),
        }
    }

    fn syn_ack_again(&mut self, dir: Dir, tcp: &TcpFields, out: &mut Tracked) {
        let side = &mut self.sides[dir];
        if SeqNum(tcp.seq) != side.isn {
            side.marks |= CONTESTED; // which of them the client got is not known
            out.invalid(Anomaly::Stream3whsSynackResendWithDiffSeq);
        } else if SeqNum(tcp.ack) != side.acked {
            out.invalid(Anomaly::Stream3whsSynackResendWithDifferentAck);
        } else {
            out.complain(Anomaly::StreamPktRetransmission);
        }
    }

    /// After two SYNs, either side may answer the other's with SYN and ACK.
    fn split_syn_ack(&mut self, dir: Dir, tcp: &TcpFields, out: &mut Tracked) {
        let peer = self.sides[dir.reversed()];
        if SeqNum(tcp.seq) != self.sides[dir].isn {
            return out.invalid(Anomaly::Stream4whsSynackWithWrongSyn);
        }
        if SeqNum(tcp.ack).before(peer.isn.plus(1)) || SeqNum(tcp.ack).after(peer.next) {
            return out.invalid(Anomaly::Stream4whsSynackWithWrongAck);
        }
        self.agree_on_options();
        self.acknowledge(dir, tcp);
        out.acked = Some(SeqNum(tcp.ack));
        self.step(if self.is_client(dir) { Event::ClientSynAck } else { Event::ServerSynAck });
    }

    fn handshake_ack(&mut self, dir: Dir, tcp: &TcpFields, payload: u32, now: Time, out: &mut Tracked) {
        let (side, peer) = (self.sides[dir], self.sides[dir.reversed()]);
        let (seq, ack) = (SeqNum(tcp.seq), SeqNum(tcp.ack));
        // The server speaks first only when it took a SYN's data, or in a split handshake.
        if !self.is_client(dir) && !self.is(SPLIT) && !self.is(FAST_OPEN) && !self.is(LENIENT) {
            return out.invalid(Anomaly::Stream3whsAckInWrongDir);
        }
        // A client that lost its ACK may show itself by later data only: anywhere within the window.
        let low = side.isn.plus(1);
        let seq_fits =
            seq.at_or_after(low) && (seq.at_or_before(side.next) || self.in_window(dir, seq, payload));
        let ack_fits = ack.after(peer.isn) && ack.at_or_before(peer.next);
        match (seq_fits, ack_fits || (self.is(LENIENT) && ack.after(peer.isn))) {
            (true, true) => {}
            _ if self.is(SPLIT) && !seq_fits => return out.invalid(Anomaly::Stream4whsWrongSeq),
            _ if self.is(SPLIT) => return out.invalid(Anomaly::Stream4whsInvalidAck),
            (true, false) => return out.invalid(Anomaly::Stream3whsRightSeqWrongAckEvasion),
            (false, _) => return out.invalid(Anomaly::Stream3whsWrongSeqWrongAck),
        }
        if self.is_client(dir) || self.is(SPLIT) {
            self.agree_on_options_if_split();
            self.step(Event::HandshakeAck);
        }
        if self.state == State::Established {
            self.running(dir, tcp, payload, now, out);
        } else {
            // Fast Open: the server's first data may come before the client's acknowledgement.
            self.acknowledge(dir, tcp);
            self.advance(dir, tcp, payload);
            out.acked = Some(ack);
        }
    }

    fn agree_on_options_if_split(&mut self) {
        if self.is(SPLIT) {
            self.agree_on_options();
        }
    }
}
