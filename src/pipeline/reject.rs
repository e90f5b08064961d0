//! The answers to a packet that a rule or a policy rejects: TCP resets, ICMP "administratively prohibited" for all else, to the packet's
//! sender, to whom it was for, or to both. They leave by the port behind which that end is.

use super::lane::Lane;
use super::settings::PortPlan;
use crate::base::{Dir, PortId, SeqNum};
use crate::decode::{Decoded, Ip, TcpFields};
use crate::defrag::{IcmpError, Place, Towards, icmp_error};
use crate::io::{Frame, LinkType};
use crate::service::outbox::Reject;
use crate::session::TcpTracker;
use crate::wire::reset::{self, Reset};
use crate::wire::tcp::flag::{ACK, FIN, RST, SYN};
use crate::wire::{llc, pppoe};
use arrayvec::ArrayVec;

/// Link header before the packet that is rejected; a longer one gets no answer.
const MAX_LINK: usize = 64;

/// Sequence and acknowledgement number of a reset.
type Numbers = (u32, Option<u32>);
/// An end that may be in either of two places gets a reset for each: one that fits none is answered and forgotten (RFC 5961, 3.2).
type Places = ArrayVec<Numbers, 2>;

impl Lane {
    /// Tells those who are to hear it, before the packet is dropped.
    #[cold]
    pub(super) fn reject(&mut self, frame: &Frame, decoded: &Decoded, plan: &PortPlan) {
        let who = std::mem::take(&mut self.services.outbox.reject);
        let Some(ip) = decoded.ip.filter(|_| who.anyone()) else { return };
        self.tables.rejected.add(1);
        match decoded.tcp().copied() {
            Some(tcp) => self.reset(frame, decoded, &ip, &tcp, plan, who),
            None => self.prohibit(frame, &ip, plan, who),
        }
    }

    fn reset(
        &mut self,
        frame: &Frame,
        decoded: &Decoded,
        ip: &Ip,
        tcp: &TcpFields,
        plan: &PortPlan,
        who: Reject,
    ) {
        let tuple = &decoded.tuple;
        let session = self.sessions.peek(tuple).map(|(_, session)| session);
        let tracked = session.and_then(|session| {
            let dir = crate::session::direction(&session.tuple, tuple)?;
            Some((&session.tcp, dir))
        });
        let to_source =
            if who.source { places_of_source(tcp, decoded.payload_len, tracked) } else { Places::new() };
        let to_destination =
            if who.destination { places_of_destination(tcp, tracked) } else { Places::new() };
        let forth = Reset {
            family: ip.family,
            source: tuple.src,
            destination: tuple.dst,
            source_port: tuple.sport,
            destination_port: tuple.dport,
            seq: 0,
            ack: None,
        };
        let back = Reset {
            source: tuple.dst,
            destination: tuple.src,
            source_port: tuple.dport,
            destination_port: tuple.sport,
            ..forth
        };
        for (seq, ack) in to_source {
            self.send_reset(frame, ip, plan, &Reset { seq, ack, ..back }, Towards::Source);
        }
        for (seq, ack) in to_destination {
            self.send_reset(frame, ip, plan, &Reset { seq, ack, ..forth }, Towards::Destination);
        }
    }

    fn send_reset(&mut self, about: &Frame, ip: &Ip, plan: &PortPlan, reset: &Reset, towards: Towards) {
        let mut out = [0; MAX_LINK + reset::MAX_LEN];
        let at = ip.at as usize;
        let Some(head) = out.get_mut(..at).filter(|_| at <= MAX_LINK) else { return };
        about.copy_to(0, head);
        let Some(len) = out.get_mut(at..).and_then(|room| reset.write(room)) else { return };
        if let (Some(pppoe), Some(head)) = (ip.pppoe, out.get_mut(..at)) {
            // Longer than the reset it never is.
            let _ = pppoe::set_length(head, pppoe as usize, len);
        }
        // Ethernet's ends stand first; nothing else behind them changes with the direction.
        if let Some(ends) = out.get_mut(..12)
            && plan.link == LinkType::Ethernet
            && towards == Towards::Source
        {
            ends.rotate_left(6);
        }
        let Some(out) = out.get_mut(..at + len) else { return };
        let shorter = ip.llc.and_then(|llc| llc::take_out(out, llc as usize)).unwrap_or(0);
        let frame = out.get(..out.len() - shorter).and_then(|bytes| self.allocator.allocate(bytes));
        self.send_answer(frame, about, plan, towards);
    }

    /// As often as ICMP errors may be sent.
    fn prohibit(&mut self, frame: &Frame, ip: &Ip, plan: &PortPlan, who: Reject) {
        for (told, towards) in [(who.source, Towards::Source), (who.destination, Towards::Destination)] {
            if !told || !self.errors.take(self.clock) {
                continue;
            }
            let error = IcmpError::Prohibited;
            let error = icmp_error(frame, plan.link, Place::of(ip), error, towards, self.allocator.as_mut());
            self.send_answer(error, frame, plan, towards);
        }
    }

    fn send_answer(&mut self, answer: Option<Frame>, about: &Frame, plan: &PortPlan, towards: Towards) {
        let Some(mut answer) = answer else { return };
        answer.set_meta(about.meta());
        self.ledger.generated.add(1);
        self.tables.answers.add(1);
        let to = match towards {
            Towards::Source => self.back(about.meta().port, plan),
            Towards::Destination => plan.peer,
        };
        self.exits.send(answer, to);
    }

    /// The way back to where a frame came from. A capture has none: there the answer is beside what passes.
    fn back(&self, port: PortId, plan: &PortPlan) -> Option<PortId> {
        if self.exits.leads_to(port) { Some(port) } else { plan.peer }
    }
}

/// What the sender of a segment takes for a reset of its peer: the number that it expects next. It is known by what the peer
/// has sent, and by what the segment acknowledges; where they differ the peer's last bytes may not have come.
fn places_of_source(tcp: &TcpFields, payload: u32, tracked: Option<(&TcpTracker, Dir)>) -> Places {
    let mut places = Places::new();
    if tcp.flags & RST != 0 {
        return places;
    }
    let length = payload + u32::from(tcp.flags & SYN != 0) + u32::from(tcp.flags & FIN != 0);
    let ack = Some(tcp.seq.wrapping_add(length));
    if tcp.flags & ACK == 0 {
        places.push((0, ack));
        return places;
    }
    places.push((tcp.ack, ack));
    if let Some((tracker, dir)) = tracked {
        let (next, _) = tracker.position(dir.reversed());
        if next.after(SeqNum(tcp.ack)) {
            places.push((next.0, ack));
        }
    }
    places
}

/// The same for whom the segment was for, which never sees it: it expects the segment's own number, or what it acknowledged
/// last where segments before this one are lost, or this one is old.
fn places_of_destination(tcp: &TcpFields, tracked: Option<(&TcpTracker, Dir)>) -> Places {
    let mut places = Places::new();
    let acks = tcp.flags & ACK != 0;
    // Nobody knows of a SYN that did not come.
    if tcp.flags & (SYN | ACK) == SYN {
        return places;
    }
    let ack = acks.then_some(tcp.ack);
    places.push((tcp.seq, ack));
    if let Some((tracker, dir)) = tracked {
        let (_, acked) = tracker.position(dir.reversed());
        if acked != SeqNum(tcp.seq) && acked.before(tracker.position(dir).0) {
            places.push((acked.0, ack));
        }
    }
    places
}
