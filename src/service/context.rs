//! What a plugin sees of the packet and the session it is called for, and what it can ask of its host.

use super::hold::HoldTable;
use super::outbox::{Decision, Edit, Outbox};
use super::plugin::{DataPlugin, PublicData};
use super::policy::Policy;
use super::report::Reporter;
use super::running::NOBODY;
use super::services::ChainState;
use super::states::StateSlab;
use super::table::{PluginCounts, PluginTable};
use crate::base::event::Cause;
use crate::base::{ClassId, Dir, PerDir, PluginId, PortId, SetId, Time};
use crate::decode::Decoded;
use crate::io::{Frame, FrameAllocator, FrameMeta};
use crate::session::{NO_HANDLE, Session, SessionId, Tracked};

/// The place of a subscriber that is no member of the chain: it has no bit.
pub(super) const NO_MEMBER: u8 = u8::MAX;

/// The session of an event.
pub struct SessionAt<'a> {
    pub id: SessionId,
    pub session: &'a mut Session,
}

/// The packet at hand, as the stages pass it on.
#[derive(Copy, Clone)]
pub struct Subject<'a> {
    pub bytes: &'a [u8],
    pub meta: &'a FrameMeta,
    /// Its number, of which `meta` has the lower half.
    pub number: u64,
    pub cause: Cause,
    /// Verdicts act.
    pub inline: bool,
    /// The frame that carries it; `None` for a packet within another, which can be neither changed nor held.
    pub frame: Option<&'a Frame>,
}

impl<'a> Subject<'a> {
    #[inline(always)] // made where it is used: moving it costs more than making it
    pub fn packet(&'a self, decoded: &'a mut Decoded, tracked: Option<&'a Tracked>) -> PacketAt<'a> {
        PacketAt { subject: self, decoded, tracked }
    }
}

/// The packet of an event: read-only, but for the anomalies that its stream adds to its layers.
pub struct PacketAt<'a> {
    pub subject: &'a Subject<'a>,
    pub decoded: &'a mut Decoded,
    /// What TCP tracking found, for a segment of a tracked session.
    pub tracked: Option<&'a Tracked>,
}

impl<'a> std::ops::Deref for PacketAt<'a> {
    type Target = Subject<'a>;

    #[inline]
    fn deref(&self) -> &Subject<'a> {
        self.subject
    }
}

/// An event on its way through a chain: made once for all members, and lent to each in turn.
pub struct Context<'a> {
    pub set: SetId,
    /// Forward (to the server) or reverse; forward where there is no session.
    pub dir: Dir,
    pub session: Option<SessionAt<'a>>,
    pub packet: Option<PacketAt<'a>>,
    pub host: Host<'a>,
    /// The place in the chain of the plugin that is called.
    pub(super) member: u8,
    pub(super) chain: &'a ChainState,
    /// Where the packet can wait; `None` where it cannot.
    pub(super) held: Option<&'a HoldTable>,
}

impl Context<'_> {
    /// The policy that the session took; the newest where there is no session. `None` when none is attached.
    #[inline]
    pub fn policy(&self) -> Option<&Policy> {
        let session = self.session.as_ref().map(|at| &*at.session);
        let kept = || self.host.states.get(self.handle(), self.member).generation;
        self.chain.policy_for(self.member, session, kept)
    }

    /// Keeps a number for the session's packets of a direction: what the policy says of them, found once. False where there
    /// is no session, or no room was left to keep anything of it.
    pub fn attach(&mut self, dir: Dir, action: u64) -> bool {
        let handle = self.handle();
        self.host.states.get_mut(handle, self.member).map(|state| state.action[dir] = action).is_some()
    }

    /// What was attached for this packet's direction; 0 for nothing.
    pub fn action(&self) -> u64 {
        self.actions().map_or(0, |actions| actions[self.dir])
    }

    /// Where actions are kept; `None` where nothing can be attached.
    #[inline]
    pub fn actions(&self) -> Option<&PerDir<u64>> {
        self.host.states.at(self.handle(), self.member).map(|state| &state.action)
    }

    #[inline]
    fn handle(&self) -> u32 {
        self.session.as_ref().map_or(NO_HANDLE, |at| at.session.services)
    }

    /// No more of this session's packets in that direction, please.
    pub fn ignore(&mut self, dir: Dir) {
        if let (Some(at), Some(bit)) = (&mut self.session, 1u16.checked_shl(u32::from(self.member))) {
            at.session.wanting[dir] &= !bit;
        }
    }

    pub fn ignore_both(&mut self) {
        Dir::BOTH.into_iter().for_each(|dir| self.ignore(dir));
    }

    /// Changes a header of the packet when it leaves. False where that cannot be: a packet within another, or too many
    /// changes.
    pub fn edit(&mut self, edit: Edit) -> bool {
        self.packet.as_ref().is_some_and(|packet| packet.frame.is_some())
            && self.host.outbox.edits.try_push(edit).is_ok()
    }

    /// The ticket that this packet will have if the reply is [`Reply::Hold`](super::Reply::Hold); `None` when no more can be held, of
    /// this session or at all.
    pub fn ticket(&self) -> Option<u64> {
        let table = self.held?;
        let room =
            self.host.states.held(self.handle()).is_none_or(|held| held < table.settings().session_frames);
        table.next_ticket().filter(|_| room).map(|ticket| ticket.0)
    }

    /// Lends the event to a member of the chain: what it said, and what it counts. `None` when it is out.
    #[inline(always)]
    pub(super) fn call<R>(
        &mut self,
        member: u8,
        plugin: PluginId,
        event: impl FnOnce(&mut dyn DataPlugin, &mut Context<'_>) -> R,
    ) -> Option<(R, &PluginCounts)> {
        let mut lent = self.host.plugins.take(plugin)?;
        self.member = member;
        self.host.me = plugin;
        let result = event(&mut *lent.instance, self);
        if self.host.misbehaved {
            self.host.misbehaved = false;
            self.host.plugins.put_back_asking(plugin, lent);
            return None;
        }
        Some((result, self.host.plugins.put_back(plugin, lent)?))
    }

    /// Tells every subscriber of the class on this worker, now; how many there were. A subscriber that is itself waiting for
    /// this call to return is passed over.
    pub fn dispatch(&mut self, class: ClassId, data: &[u8]) -> usize {
        let (me, member, mut told) = (self.host.me, self.member, 0);
        // A subscriber's reply holds nothing: it gets no ticket.
        let held = self.held.take();
        for index in 0..self.host.plugins.subscribers(class).len() {
            let Some(&plugin) = self.host.plugins.subscribers(class).get(index) else { break };
            let at = self.chain.chain.member(plugin).map_or(NO_MEMBER, |member| member as u8);
            told += usize::from(self.call(at, plugin, |p, context| p.user(context, class, data)).is_some());
        }
        self.held = held;
        (self.host.me, self.member) = (me, member);
        told
    }
}

/// What stands behind every call: the worker's services, as a plugin may use them.
pub struct Host<'a> {
    /// The plugin that is called.
    pub me: PluginId,
    /// The worker's clock.
    pub now: Time,
    /// The packet that an event of a session's end is dated by.
    pub closing_packet: u64,
    /// Of what is inspected, in a replay's order between workers.
    pub position: u64,
    /// The plugin that is called has a fault to tell ([`DataPlugin::fault`]): it sets this, so that nobody else need be asked.
    pub misbehaved: bool,
    pub report: &'a mut Reporter,
    pub(super) plugins: &'a mut PluginTable,
    pub(super) states: &'a mut StateSlab,
    pub(super) outbox: &'a mut Outbox,
    pub(super) allocator: &'a mut dyn FrameAllocator,
}

impl Host<'_> {
    /// Sends a frame of the plugin's own (a whole one, from its link header on) out of a port, after the packet at hand.
    /// False when no buffer is free or too many were emitted.
    pub fn emit(&mut self, bytes: &[u8], port: PortId) -> bool {
        if self.outbox.emissions.is_full() {
            return false;
        }
        let Some(frame) = self.allocator.allocate(bytes) else { return false };
        self.outbox.emissions.try_push((frame, port)).is_ok()
    }

    /// Decides about a held frame, after the packet at hand. False when too many were decided on.
    pub fn release(&mut self, ticket: u64, decision: Decision) -> bool {
        self.outbox.releases.try_push((super::hold::Ticket(ticket), decision)).is_ok()
    }

    /// Asks another plugin on this worker for public data; `to` sees it while the call lasts. False when there is no such
    /// plugin or data, or when it is itself waiting for this call to return.
    pub fn ask(
        &mut self,
        of: PluginId,
        kind: u32,
        argument: u64,
        to: &mut dyn FnMut(PublicData<'_>),
    ) -> bool {
        let asker = self.plugins.running().look().plugin.map_or(NOBODY, |plugin| plugin.0.into());
        let Some(mut lent) = self.plugins.take(of) else { return false };
        let running = self.plugins.running();
        let there = lent.instance.public_data(kind, argument, &mut |answer| {
            // The asker's own code: what it does is not the other's fault.
            let asked = running.mark(asker);
            to(answer);
            running.mark(asked);
        });
        self.plugins.put_back_asking(of, lent);
        there
    }

    /// A plugin or a class by its name, as it stands now: a plugin that is restarted comes back under another number, and then
    /// [`ask`](Self::ask) fails for the old one.
    pub fn plugin_named(&self, name: &str) -> Option<PluginId> {
        self.plugins.named(name)
    }

    pub fn class_named(&self, name: &str) -> Option<ClassId> {
        self.plugins.class_named(name)
    }

    /// Adds to one of the plugin's own counters in a set.
    #[inline]
    pub fn count(&self, set: SetId, counter: usize, n: u64) {
        self.plugins.count(self.me, set, counter, n);
    }
}
