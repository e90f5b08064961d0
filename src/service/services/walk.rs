//! The walk of a chain: each member that wants the packet in its turn, until one says something that ends it.

use super::{Outside, Passage, Services};
use crate::base::event::PluginFault;
use crate::base::{Anomaly, Dir, DropReason, PluginId, SetId};
use crate::service::context::{PacketAt, SessionAt};
use crate::service::hold::WhenHeld;
use crate::service::plugin::Reply;
use crate::service::set::OnFault;
use crate::session::Session;

#[derive(Copy, Clone, PartialEq, Eq)]
enum Step {
    First,
    Later,
}

enum Weighed {
    On,
    Hold,
    Drop(DropReason),
    Refuse(DropReason),
}

impl Services {
    /// The packet that opened the session. After it was accepted by all, each is told that the session is open.
    pub fn first_packet(
        &mut self,
        at: &mut SessionAt<'_>,
        packet: &mut PacketAt<'_>,
        dir: Dir,
        outside: &mut Outside<'_>,
    ) -> Passage {
        let passage = self.walk(at, packet, dir, 0, Step::First, outside);
        if !matches!(passage, Passage::Refused(_)) {
            self.tell(at.id, at.session, u16::MAX, outside, |plugin, context| plugin.session_open(context));
        }
        passage
    }

    /// A later packet; `from` is where a held one goes on.
    #[inline]
    pub fn packet(
        &mut self,
        at: &mut SessionAt<'_>,
        packet: &mut PacketAt<'_>,
        dir: Dir,
        from: u8,
        outside: &mut Outside<'_>,
    ) -> Passage {
        self.walk(at, packet, dir, from, Step::Later, outside)
    }

    fn walk(
        &mut self,
        at: &mut SessionAt<'_>,
        packet: &mut PacketAt<'_>,
        dir: Dir,
        from: u8,
        step: Step,
        outside: &mut Outside<'_>,
    ) -> Passage {
        let index = at.session.chain;
        let Some(length) =
            self.chains.get(usize::from(index)).and_then(Option::as_ref).map(|s| s.chain.order[dir].len())
        else {
            return Passage::Forward;
        };
        for place in usize::from(from)..length {
            let Some(state) = self.chains.get(usize::from(index)).and_then(Option::as_ref) else { break };
            let Some(&member) = state.chain.order[dir].get(place) else { break };
            if at.session.wanting[dir] & 1 << member == 0 {
                continue;
            }
            let (plugin, on_fault) = (state.chain.members[usize::from(member)], state.chain.on_fault);
            let packet_mode = state.chain.packet_mode >> member & 1 == 1;
            // Where verdicts do not act, and within a tunnel, nothing can be held: the walk goes on.
            let holdable = packet.frame.is_some() && packet.inline;
            self.outbox.ticket = if holdable { self.held.next_ticket() } else { None };
            let reply =
                self.call(index, usize::from(member), Some(at), Some(packet), dir, outside, |p, context| {
                    match step {
                        Step::First if !packet_mode => p.first_packet(context),
                        _ => p.packet(context),
                    }
                });
            self.outbox.ticket = None;
            match self.weigh(plugin, reply, step, on_fault) {
                Weighed::On => {}
                Weighed::Hold if !holdable => {}
                Weighed::Hold if self.may_hold(at.session) => {
                    return Passage::Hold { plugin, next: place as u8 + 1 };
                }
                Weighed::Hold => match self.held.settings().on_cap {
                    WhenHeld::Drop => return Passage::Drop(DropReason::HoldCap),
                    WhenHeld::Forward => {}
                },
                Weighed::Drop(reason) => return Passage::Drop(reason),
                Weighed::Refuse(reason) if packet_mode => return Passage::Drop(reason),
                Weighed::Refuse(reason) => {
                    self.forget_unseen(at.session, dir, place);
                    return Passage::Refused(reason);
                }
            }
        }
        Passage::Forward
    }

    /// What a reply means at this step; counts it.
    #[inline]
    fn weigh(&mut self, plugin: PluginId, reply: Option<Reply>, step: Step, on_fault: OnFault) -> Weighed {
        let Some(reply) = reply else {
            return match (self.plugins.out(plugin), on_fault) {
                (Some(_), OnFault::Drop) => Weighed::Drop(DropReason::PluginOut),
                _ => Weighed::On,
            };
        };
        let Some(counts) = self.plugins.counts(plugin) else { return Weighed::On };
        counts.packets.add(1);
        match (reply, step) {
            (Reply::Ok | Reply::Forward, _) => Weighed::On,
            (Reply::Hold, Step::First) => {
                self.fault(plugin, PluginFault::HeldFirstPacket);
                Weighed::On
            }
            (Reply::Hold, Step::Later) => {
                counts.holds.add(1);
                Weighed::Hold
            }
            (Reply::Discard(reason), Step::First) => {
                counts.discards.add(1);
                Weighed::Refuse(reason)
            }
            (Reply::Discard(reason), Step::Later) | (Reply::DropPacket(reason), _) => {
                counts.discards.add(1);
                Weighed::Drop(reason)
            }
        }
    }

    /// Members behind the one that refused never saw the session: they hear nothing of its end.
    fn forget_unseen(&self, session: &mut Session, dir: Dir, place: usize) {
        let Some(state) = self.chains.get(usize::from(session.chain)).and_then(Option::as_ref) else {
            return;
        };
        let seen =
            state.chain.order[dir].iter().take(place + 1).fold(0u16, |bits, &member| bits | 1 << member);
        // No packet comes any more: from now on the bits say who is told of the end.
        session.wanting = crate::base::PerDir([seen, seen]);
        session.refused = true;
    }

    /// A packet without session: to the members that ask for such.
    pub fn alone(&mut self, set: SetId, packet: &mut PacketAt<'_>, outside: &mut Outside<'_>) -> Passage {
        let Some((index, state)) = self.chain_of(set) else { return Passage::Forward };
        let whole = packet.decoded.ip.is_some() && !packet.decoded.is_fragment();
        let wanting = state.chain.alone | if whole { state.chain.packet_mode } else { 0 };
        if wanting == 0 {
            return Passage::Forward;
        }
        let (dir, on_fault) = (Dir::ToServer, state.chain.on_fault);
        let order = state.chain.order[dir].clone();
        for member in order.into_iter().filter(|member| wanting >> member & 1 == 1) {
            let Some((_, state)) = self.chain_of(set) else { break };
            let plugin = state.chain.members[usize::from(member)];
            let per_packet = state.chain.packet_mode >> member & 1 == 1;
            let reply =
                self.call(index, usize::from(member), None, Some(packet), dir, outside, |p, context| {
                    if per_packet { p.packet(context) } else { p.alone(context) }
                });
            if let Weighed::Drop(reason) | Weighed::Refuse(reason) =
                self.weigh(plugin, reply, Step::Later, on_fault)
            {
                return Passage::Drop(reason);
            }
        }
        Passage::Forward
    }

    /// What reassembly found wrong with a fragment: to who asks for what has no session.
    pub fn raised(
        &mut self,
        set: SetId,
        packet: &mut PacketAt<'_>,
        anomalies: &[Anomaly],
        outside: &mut Outside<'_>,
    ) {
        let Some((index, state)) = self.chain_of(set) else { return };
        let (alone, count) = (state.chain.alone, state.chain.members.len());
        for member in (0..count).filter(|member| alone >> member & 1 == 1) {
            self.call(index, member, None, Some(packet), Dir::ToServer, outside, |plugin, context| {
                plugin.raised(context, anomalies);
            });
        }
    }
}
