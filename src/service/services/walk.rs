//! The walk of a chain: each member that wants the packet in its turn, until one says something that ends it.

use super::{ChainState, Outside, Passage, Services};
use crate::base::event::PluginFault;
use crate::base::{Anomaly, Dir, DropReason, PerDir, PluginId, SetId};
use crate::service::context::{Context, NO_MEMBER, PacketAt, SessionAt};
use crate::service::hold::WhenHeld;
use crate::service::plugin::{DataPlugin, Reply};
use crate::service::set::OnFault;
use crate::service::table::PluginCounts;
use crate::service::trace::{Said, Step as TraceStep};
use crate::session::NO_HANDLE;

#[derive(Copy, Clone, PartialEq, Eq)]
enum Step {
    First,
    Later,
}

enum Weighed {
    On,
    /// There is no reply: it is out, or not there.
    Out,
    Hold,
    /// It may not hold a first packet.
    HeldFirst,
    Drop(DropReason),
    Refuse(DropReason),
}

impl Weighed {
    #[inline]
    fn said(&self) -> Said {
        match self {
            Weighed::On => Said::Forward,
            Weighed::Out => Said::Nothing,
            Weighed::Hold | Weighed::HeldFirst => Said::Hold,
            Weighed::Drop(reason) | Weighed::Refuse(reason) => Said::Drop(*reason),
        }
    }
}

impl Services {
    /// The packet that opened the session. After it was accepted by all, each is told that the session is open.
    #[inline(never)]
    pub fn first_packet(
        &mut self,
        mut at: SessionAt<'_>,
        packet: PacketAt<'_>,
        dir: Dir,
        mut outside: Outside<'_>,
    ) -> Passage {
        let again = SessionAt { id: at.id, session: &mut *at.session };
        let passage = self.walk(again, packet, dir, 0, Step::First, &mut outside);
        if !matches!(passage, Passage::Refused(_)) {
            self.tell(&mut at, u16::MAX, &mut outside, |plugin, context| plugin.session_open(context));
        }
        passage
    }

    /// A later packet; `from` is where a held one goes on.
    #[inline(always)]
    pub fn packet(
        &mut self,
        at: SessionAt<'_>,
        packet: PacketAt<'_>,
        dir: Dir,
        from: u8,
        mut outside: Outside<'_>,
    ) -> Passage {
        self.walk(at, packet, dir, from, Step::Later, &mut outside)
    }

    // Into its two callers, so that the context is made once, where it stays.
    #[inline(always)]
    fn walk(
        &mut self,
        at: SessionAt<'_>,
        packet: PacketAt<'_>,
        dir: Dir,
        from: u8,
        step: Step,
        outside: &mut Outside<'_>,
    ) -> Passage {
        let Services { plugins, chains, states, outbox, held, .. } = self;
        let Some(state) = chains.get(usize::from(at.session.chain)).and_then(Option::as_ref) else {
            return Passage::Forward;
        };
        let order = &*state.chain.order[dir];
        // Where verdicts do not act, and within a tunnel, nothing can be held: the walk goes on.
        let holdable = packet.frame.is_some() && packet.inline;
        let mut wanting = at.session.wanting[dir];
        let mut context = Context {
            set: state.chain.set,
            dir,
            session: Some(at),
            packet: Some(packet),
            host: outside.host(plugins, states, outbox),
            member: NO_MEMBER,
            chain: state,
            held: holdable.then_some(&*held),
        };
        for (place, &member) in order.iter().enumerate().skip(usize::from(from)) {
            if wanting >> member & 1 == 0 {
                continue;
            }
            let Some(&plugin) = state.chain.members.get(usize::from(member)) else { break };
            let packet_mode = state.chain.packet_mode >> member & 1 == 1;
            let reply = context.call(member, plugin, |p, context| match step {
                Step::First if !packet_mode => p.first_packet(context),
                _ => p.packet(context),
            });
            let weighed = weigh(reply, step);
            context.host.report.trace.step(TraceStep::Plugin { plugin, said: weighed.said() });
            match weighed {
                Weighed::On => {}
                Weighed::Out if context.is_missed(plugin) => return Passage::Drop(DropReason::PluginOut),
                Weighed::Out => {}
                Weighed::HeldFirst => context.host.plugins.take_out(plugin, PluginFault::HeldFirstPacket),
                Weighed::Hold if !holdable => {}
                Weighed::Hold if context.may_hold() => {
                    return Passage::Hold { plugin, next: place as u8 + 1 };
                }
                Weighed::Hold => match held.settings().on_cap {
                    WhenHeld::Drop => return Passage::Drop(DropReason::HoldCap),
                    WhenHeld::Forward => {}
                },
                Weighed::Drop(reason) => {
                    context.blame(plugin);
                    return Passage::Drop(reason);
                }
                Weighed::Refuse(reason) if packet_mode => return Passage::Drop(reason),
                Weighed::Refuse(reason) => {
                    context.blame(plugin);
                    context.forget_unseen(place);
                    return Passage::Refused(reason);
                }
            }
            wanting = context.session.as_ref().map_or(0, |at| at.session.wanting[dir]);
        }
        Passage::Forward
    }

    /// A session event, to members by their bits; those that work per packet hear none.
    pub(super) fn tell(
        &mut self,
        at: &mut SessionAt<'_>,
        told: u16,
        outside: &mut Outside<'_>,
        event: impl Fn(&mut dyn DataPlugin, &mut Context<'_>),
    ) {
        let Services { plugins, chains, states, outbox, .. } = self;
        let session = &mut *at.session;
        let Some(state) = chains.get(usize::from(session.chain)).and_then(Option::as_ref) else { return };
        let roomless = if session.services == NO_HANDLE { state.chain.stateful } else { 0 };
        let told = told & !state.chain.packet_mode & !roomless;
        let mut context = Context {
            set: state.chain.set,
            dir: Dir::ToServer,
            session: Some(SessionAt { id: at.id, session }),
            packet: None,
            host: outside.host(plugins, states, outbox),
            member: NO_MEMBER,
            chain: state,
            held: None,
        };
        for (member, &plugin) in (0u8..).zip(&state.chain.members) {
            if told >> member & 1 == 1 {
                context.call(member, plugin, &event);
            }
        }
    }

    /// A packet without session: to the members that ask for such.
    pub fn alone(&mut self, set: SetId, packet: PacketAt<'_>, outside: &mut Outside<'_>) -> Passage {
        let whole = packet.decoded.ip.is_some() && !packet.decoded.is_fragment();
        let Some((_, state)) = self.chain_of(set) else { return Passage::Forward };
        let wanting = state.chain.alone | if whole { state.chain.packet_mode } else { 0 };
        if wanting == 0 {
            return Passage::Forward;
        }
        let Some((mut context, state)) = self.without_session(set, packet, outside) else {
            return Passage::Forward;
        };
        for &member in &state.chain.order[Dir::ToServer] {
            let Some(&plugin) = state.chain.members.get(usize::from(member)) else { break };
            if wanting >> member & 1 == 0 {
                continue;
            }
            let per_packet = state.chain.packet_mode >> member & 1 == 1;
            let reply =
                context.call(
                    member,
                    plugin,
                    |p, context| {
                        if per_packet { p.packet(context) } else { p.alone(context) }
                    },
                );
            let weighed = weigh(reply, Step::Later);
            context.host.report.trace.step(TraceStep::Plugin { plugin, said: weighed.said() });
            match weighed {
                Weighed::Drop(reason) | Weighed::Refuse(reason) => {
                    context.blame(plugin);
                    return Passage::Drop(reason);
                }
                Weighed::Out if context.is_missed(plugin) => return Passage::Drop(DropReason::PluginOut),
                _ => {}
            }
        }
        Passage::Forward
    }

    /// What reassembly found wrong with a fragment: to who asks for what has no session.
    pub fn raised(
        &mut self,
        set: SetId,
        packet: PacketAt<'_>,
        anomalies: &[Anomaly],
        outside: &mut Outside<'_>,
    ) {
        let Some((mut context, state)) = self.without_session(set, packet, outside) else { return };
        for (member, &plugin) in (0u8..).zip(&state.chain.members) {
            if state.chain.alone >> member & 1 == 1 {
                context.call(member, plugin, |p, context| p.raised(context, anomalies));
            }
        }
    }

    fn without_session<'a>(
        &'a mut self,
        set: SetId,
        packet: PacketAt<'a>,
        outside: &'a mut Outside<'_>,
    ) -> Option<(Context<'a>, &'a ChainState)> {
        let Services { plugins, chains, current, states, outbox, .. } = self;
        let index = *current.get(set.index())?;
        let state = chains.get(usize::from(index))?.as_ref()?;
        let context = Context {
            set,
            dir: Dir::ToServer,
            session: None,
            packet: Some(packet),
            host: outside.host(plugins, states, outbox),
            member: NO_MEMBER,
            chain: state,
            held: None,
        };
        Some((context, state))
    }
}

/// What a reply means at this step; counts it.
#[inline]
fn weigh(reply: Option<(Reply, &PluginCounts)>, step: Step) -> Weighed {
    let Some((reply, counts)) = reply else { return Weighed::Out };
    counts.packets.add(1);
    match (reply, step) {
        (Reply::Ok | Reply::Forward, _) => Weighed::On,
        (Reply::Hold, Step::First) => Weighed::HeldFirst,
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

impl Context<'_> {
    /// It wants the packet dropped. The first that does is remembered: of what a tunnel carries, or of the tunnel.
    #[cold]
    fn blame(&mut self, plugin: PluginId) {
        self.host.outbox.blame.plugin.get_or_insert(plugin);
    }

    /// A plugin was taken out, and nothing may pass without it.
    #[cold]
    fn is_missed(&self, plugin: PluginId) -> bool {
        self.chain.chain.on_fault == OnFault::Drop && self.host.plugins.out(plugin).is_some()
    }

    /// Whether one more frame of the session may be held: neither it nor the worker has as many as may be. Where no plugin keeps
    /// anything of sessions they are not counted here: who holds counts its own.
    fn may_hold(&mut self) -> bool {
        let (Some(held), Some(at)) = (self.held, &self.session) else { return false };
        let most = held.settings().session_frames;
        held.next_ticket().is_some()
            && self.host.states.held_mut(at.session.services).is_none_or(|count| *count < most)
    }

    /// Members behind the one that refused never saw the session: they hear nothing of its end.
    fn forget_unseen(&mut self, place: usize) {
        let order = &self.chain.chain.order[self.dir];
        let seen = order.iter().take(place + 1).fold(0u16, |bits, &member| bits | 1 << member);
        if let Some(at) = &mut self.session {
            // No packet comes any more: from now on the bits say who is told of the end.
            at.session.wanting = PerDir([seen, seen]);
            at.session.refuse();
        }
    }
}
