//! What a verdict does to the frame, by the mode of its pair: forward, drop with a reason, or consume the copy.
//!
//! What is too large for the port it leaves by is cut: rebuilt datagrams, and whole IPv4 packets that allow it (another
//! MTU on that side; or `net_af_packet`, for which the kernel has put IPv4 fragments together before we see them). What came
//! whole and must not be cut is dropped, and its sender told (RFC 1191, RFC 8201).

use super::lane::{Give, Lane};
use super::settings::{Mode, OnOverload, PortPlan};
use super::watch::Fate;
use crate::base::event::DropEvent;
use crate::base::{DropReason, ExceptionCause, ExceptionPolicy, Family, PerDir, Verdict};
use crate::decode::{Decoded, Ip};
use crate::defrag::{Cut, IcmpError, Place, Towards, icmp_error, refragment};
use crate::io::{Frame, FrameMeta, LinkType};
use crate::service::outbox::Reject;
use crate::service::{headers, origin};
use crate::session::direction;
use crate::wire::ethernet;

impl Lane {
    /// The end of a frame that came in by a port.
    pub(super) fn settle(&mut self, frame: Frame, decoded: &Decoded, plan: &PortPlan, verdict: Verdict) {
        let verdict = match verdict {
            Verdict::Forward if decoded.ip.is_none() && !plan.non_ip => Verdict::Drop(DropReason::NonIp),
            other => other,
        };
        if let Verdict::Drop(reason) = verdict {
            self.remember_drop(&frame.meta(), decoded, reason, !plan.mode.acts());
        }
        match (verdict, plan.mode) {
            (Verdict::Drop(reason), Mode::Ips | Mode::Reassemble) => {
                let told = self.services.outbox.reject;
                if told.anyone() {
                    self.reject(&frame, decoded, plan);
                }
                self.drop_frame(frame, decoded, reason, told);
            }
            (Verdict::Drop(reason), Mode::Tap) => {
                self.ledger.count_spared(reason, Some(frame.meta().port));
                self.forward(frame, decoded, plan, Fate::Spared(reason));
            }
            (Verdict::Hold, Mode::Ips) => self.hold(frame, decoded, plan),
            (Verdict::Forward | Verdict::Hold, Mode::Ips | Mode::Tap | Mode::Reassemble) => {
                self.forward(frame, decoded, plan, Fate::Sent(plan.peer));
            }
            (verdict, Mode::Ids) => {
                let fate = match verdict {
                    Verdict::Drop(reason) => Fate::Spared(reason),
                    _ => Fate::Copied,
                };
                self.witness(&frame, fate);
                self.ledger.consumed.add(1);
            }
        }
    }

    #[inline]
    fn forward(&mut self, frame: Frame, decoded: &Decoded, plan: &PortPlan, fate: Fate) {
        match decoded.ip {
            Some(ip) if ip.total_len > u32::from(plan.peer_mtu) => {
                self.forward_large(frame, decoded, &ip, plan, fate)
            }
            // Nobody can say how to cut it.
            None if plan.mode.acts() && decoded.broken_ip() && exceeds(&frame, decoded, plan) => {
                self.remember_drop(&frame.meta(), decoded, DropReason::Malformed, false);
                self.drop_frame(frame, decoded, DropReason::Malformed, Reject::default());
            }
            _ => {
                self.witness(&frame, fate);
                self.exits.send(frame, plan.peer);
            }
        }
    }

    /// A packet that came whole, and is larger than the other port takes.
    #[cold]
    fn forward_large(&mut self, frame: Frame, decoded: &Decoded, ip: &Ip, plan: &PortPlan, fate: Fate) {
        let damaged = self.fragments.refuses_checksum(&frame, ip);
        if damaged && plan.mode.acts() {
            self.remember_drop(&frame.meta(), decoded, DropReason::IpChecksum, false);
            self.drop_frame(frame, decoded, DropReason::IpChecksum, Reject::default());
        } else if may_be_cut(ip) && !damaged {
            self.witness(&frame, fate);
            self.cut(frame, decoded, plan);
        } else if plan.mode.acts() && ip.fragment.is_none() {
            self.too_big(frame, decoded, ip, plan);
        } else {
            self.witness(&frame, fate);
            self.exits.send(frame, plan.peer);
        }
    }

    /// The end of a rebuilt datagram in the line: whole if it fits the other port, else cut again.
    pub(super) fn settle_datagram(
        &mut self,
        frame: Frame,
        decoded: &Decoded,
        plan: &PortPlan,
        verdict: Verdict,
    ) {
        let fits = decoded.ip.is_none_or(|ip| ip.total_len <= u32::from(room(decoded, &ip, plan)));
        if verdict != Verdict::Forward || fits {
            return self.settle(frame, decoded, plan, verdict);
        }
        self.witness(&frame, Fate::Sent(plan.peer));
        self.cut(frame, decoded, plan);
    }

    /// Sends a packet in pieces that the other port can take.
    #[cold]
    fn cut(&mut self, frame: Frame, decoded: &Decoded, plan: &PortPlan) {
        let (exits, ledger) = (&mut self.exits, &self.ledger);
        let mtu = decoded.ip.map_or(plan.peer_mtu, |ip| room(decoded, &ip, plan));
        let how = Cut { mtu, port_sums: plan.peer_checksums };
        let cut = refragment(frame, decoded, how, self.allocator.as_mut(), &mut |piece| {
            ledger.generated.add(1);
            exits.send(piece, plan.peer);
        });
        match (cut, decoded.ip) {
            (Ok(()), _) => self.ledger.merged.add(1),
            (Err((DropReason::PacketTooBig, frame)), Some(ip)) => self.too_big(frame, decoded, &ip, plan),
            (Err((reason, frame)), _) => self.drop_frame(frame, decoded, reason, Reject::default()),
        }
    }

    /// Drops a packet that must not be cut, and tells its sender how large one may be.
    fn too_big(&mut self, frame: Frame, decoded: &Decoded, ip: &Ip, plan: &PortPlan) {
        self.remember_drop(&frame.meta(), decoded, DropReason::PacketTooBig, false);
        let mtu = if frame.rebuilt().is_some() { room(decoded, ip, plan) } else { plan.peer_mtu };
        self.tell(&frame, Place::of(ip), plan, IcmpError::TooBig { mtu });
        self.drop_frame(frame, decoded, DropReason::PacketTooBig, Reject::default());
    }

    /// Sends an ICMP error about a packet back to where that came in, unless many were sent just now.
    pub(super) fn tell(&mut self, about: &Frame, at: Place, plan: &PortPlan, error: IcmpError) {
        if !self.errors.take(self.clock) {
            return;
        }
        let port = about.meta().port;
        let (link, back) = (plan.link, Towards::Source);
        if let Some(error) = icmp_error(about, link, at, error, back, self.allocator.as_mut()) {
            self.ledger.generated.add(1);
            self.exits.send(error, Some(port));
        }
    }

    /// A whole datagram: to the lane that owns its session.
    pub(super) fn rebuilt(&mut self, datagram: Frame, plan: &PortPlan, give: Give<'_>) {
        // Nobody asks for its session where nothing is inspected.
        let stays = self.owners.workers() == 1 || plan.mode == Mode::Reassemble;
        let worker = if stays { self.me } else { self.owners.owner(&datagram, plan) };
        if worker == self.me {
            return self.datagram(datagram);
        }
        if let Err(datagram) = give(worker, datagram) {
            self.datagram_not_handed_over(datagram, plan);
        }
    }

    /// A frame as it was received, for which the ring to its worker has no room: dropped, or sent on uninspected.
    #[cold]
    pub fn not_handed_over(&mut self, frame: Frame) {
        let port = frame.meta().port;
        let plan = self.plan(port).unwrap_or_default();
        let bypasses = plan.on_overload == OnOverload::Bypass && plan.mode != Mode::Ids;
        if let Some(to) = plan.peer.filter(|to| bypasses && self.exits.leads_to(*to)) {
            self.ledger.bypassed.add(1);
            self.witness(&frame, Fate::Passed(Some(to)));
            return self.exits.send(frame, Some(to));
        }
        self.witness(&frame, Fate::Dropped(DropReason::HandoverFull));
        self.ledger.count_drop(DropReason::HandoverFull, Some(port), 1);
    }

    /// The same of a rebuilt datagram.
    #[cold]
    fn datagram_not_handed_over(&mut self, datagram: Frame, plan: &PortPlan) {
        let port = Some(datagram.meta().port);
        match (plan.mode, plan.on_overload) {
            (Mode::Ips | Mode::Reassemble, OnOverload::Bypass) => {
                self.ledger.bypassed.add(1);
                self.rebuilt_of_old(datagram, plan);
            }
            (Mode::Ips | Mode::Reassemble, OnOverload::Drop) => {
                self.witness(&datagram, Fate::Dropped(DropReason::HandoverFull));
                self.ledger.count_drop(DropReason::HandoverFull, port, 1);
            }
            // Its pieces have gone on.
            (Mode::Tap | Mode::Ids, _) => {
                self.ledger.count_spared(DropReason::HandoverFull, port);
                self.ledger.consumed.add(1);
            }
        }
    }

    /// A fragment that reassembly would not take.
    pub(super) fn drop_piece(
        &mut self,
        piece: Frame,
        decoded: &Decoded,
        plan: &PortPlan,
        reason: DropReason,
    ) {
        self.remember_drop(&piece.meta(), decoded, reason, !plan.mode.acts());
        match plan.mode {
            Mode::Ips if reason == DropReason::FragmentMemoryCap => self.without_memory(piece, decoded, plan),
            Mode::Ips | Mode::Reassemble => self.drop_frame(piece, decoded, reason, Reject::default()),
            // A copy: the fragment itself has gone on.
            Mode::Tap | Mode::Ids => {
                self.witness(&piece, Fate::Spared(reason));
                self.ledger.count_spared(reason, Some(piece.meta().port));
                self.ledger.consumed.add(1);
            }
        }
    }

    /// A fragment for which reassembly has no memory: dropped, or sent on uninspected.
    #[cold]
    fn without_memory(&mut self, piece: Frame, decoded: &Decoded, plan: &PortPlan) {
        let cause = ExceptionCause::DefragMemcap;
        let policy = self.sessions.settings().exceptions.of(cause, true);
        if policy != ExceptionPolicy::Ignore {
            self.count_exception(cause, policy);
        }
        let told = Reject { source: policy == ExceptionPolicy::Reject, destination: false };
        if told.anyone() {
            self.services.outbox.reject = told;
            self.reject(&piece, decoded, plan);
        }
        if policy.drops() {
            self.drop_frame(piece, decoded, cause.drop_reason(), told);
        } else {
            self.forward(piece, decoded, plan, Fate::Sent(plan.peer));
        }
    }

    /// `told`: who hears of it.
    fn drop_frame(&mut self, frame: Frame, decoded: &Decoded, reason: DropReason, told: Reject) {
        self.witness(&frame, Fate::Dropped(reason));
        self.ledger.count_drop(reason, Some(frame.meta().port), 1);
        if self.report.wants().drop {
            self.report_drop(&frame, decoded, reason, told);
        }
    }

    #[cold]
    fn report_drop(&mut self, frame: &Frame, decoded: &Decoded, reason: DropReason, reject: Reject) {
        let meta: FrameMeta = frame.meta();
        let session = self.sessions.peek(&decoded.tuple).map(|(_, session)| session);
        let dir = session.and_then(|session| direction(&session.tuple, &decoded.tuple)).unwrap_or_default();
        let origin = origin(self.number(&meta), &meta, decoded, session, dir);
        let mut told = PerDir::default();
        (told[dir.reversed()], told[dir]) = (reject.source, reject.destination);
        let length = decoded.ip.map_or(frame.len() as u32, |ip| ip.total_len);
        let headers = headers(frame.view(&mut self.scratch), decoded);
        let rule = self.blame.rule;
        self.report.dropped(&origin, DropEvent { reason, length, rule, told, headers });
    }
}

/// Whether a frame is too long for the other port, whatever is in it.
fn exceeds(frame: &Frame, decoded: &Decoded, plan: &PortPlan) -> bool {
    frame.len() > link_header(decoded, plan) + usize::from(plan.peer_mtu)
}

/// Bytes of the link's header with its VLAN tags, which do not count for an MTU.
fn link_header(decoded: &Decoded, plan: &PortPlan) -> usize {
    match plan.link {
        LinkType::Ethernet => ethernet::HEADER_LEN + decoded.vlans.len() * ethernet::VLAN_TAG_LEN,
        _ => 0,
    }
}

/// Bytes of IP packet that a frame of the other port takes where we make it: labels, PPPoE and whatever else stands between link
/// header, VLAN tags and IP take their part of its MTU. What came whole is not measured by that: it did fit a frame.
fn room(decoded: &Decoded, ip: &Ip, plan: &PortPlan) -> u16 {
    if plan.link != LinkType::Ethernet {
        return plan.peer_mtu;
    }
    let between = ip.at.saturating_sub(link_header(decoded, plan) as u32);
    plan.peer_mtu.saturating_sub(u16::try_from(between).unwrap_or(u16::MAX))
}

/// Routers cut neither a piece again where they need not, nor IPv6 (RFC 8200, section 5), nor what forbids it.
fn may_be_cut(ip: &Ip) -> bool {
    ip.family == Family::V4 && !ip.dont_fragment && ip.fragment.is_none()
}
