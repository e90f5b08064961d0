//! What a plugin sees of the packet and the session it is called for, and what it can ask of its host.

use super::outbox::{Decision, Edit, Outbox};
use super::plugin::{PublicData, Reply};
use super::policy::Policy;
use super::report::Reporter;
use super::services::ChainState;
use super::states::{MemberState, StateSlab};
use super::table::PluginTable;
use crate::base::event::Cause;
use crate::base::{ClassId, Dir, PluginId, PortId, SetId, Time};
use crate::decode::Decoded;
use crate::io::{Frame, FrameAllocator, FrameMeta};
use crate::session::{Session, SessionId, Tracked};

/// The place of a subscriber that is no member of the chain: it has no bit.
const NO_MEMBER: u8 = u8::MAX;

/// The session of an event.
pub struct SessionAt<'a> {
    pub id: SessionId,
    pub session: &'a mut Session,
}

/// The packet of an event: read-only, but for the anomalies that its stream adds to its layers.
pub struct PacketAt<'a> {
    pub bytes: &'a [u8],
    pub meta: &'a FrameMeta,
    pub decoded: &'a mut Decoded,
    /// What TCP tracking found, for a segment of a tracked session.
    pub tracked: Option<&'a Tracked>,
    pub cause: Cause,
    /// Verdicts act.
    pub inline: bool,
    /// The frame that carries it; `None` for a packet within another, which can be neither changed nor held.
    pub frame: Option<&'a Frame>,
}

impl PacketAt<'_> {
    fn reborrow(&mut self) -> PacketAt<'_> {
        PacketAt { decoded: &mut *self.decoded, ..*self }
    }
}

/// One call of a plugin.
pub struct Context<'a> {
    pub set: SetId,
    /// Forward (to the server) or reverse; forward where there is no session.
    pub dir: Dir,
    pub session: Option<SessionAt<'a>>,
    pub packet: Option<PacketAt<'a>>,
    /// The policy that the session took; the newest where there is no session. `None` when none is attached.
    pub policy: Option<&'a Policy>,
    pub host: Host<'a>,
    pub(super) state: MemberState,
    /// The plugin's place in the chain.
    pub(super) member: u8,
    pub(super) chain: &'a ChainState,
}

impl Context<'_> {
    /// Keeps a number for the session's packets of a direction: what the policy says of them, found once.
    pub fn attach(&mut self, dir: Dir, action: u64) {
        self.state.action[dir] = action;
    }

    /// What was attached for this packet's direction; 0 for nothing.
    pub fn action(&self) -> u64 {
        self.state.action[self.dir]
    }

    pub fn action_of(&self, dir: Dir) -> u64 {
        self.state.action[dir]
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

    /// The ticket that this packet will have if the reply is [`Reply::Hold`]; `None` when no more can be held.
    pub fn ticket(&mut self) -> Option<u64> {
        self.host.outbox.ticket.map(|ticket| ticket.0)
    }

    /// Tells every subscriber of the class on this worker, now; how many there were. A subscriber that is itself waiting for
    /// this call to return is passed over.
    pub fn dispatch(&mut self, class: ClassId, data: &[u8]) -> usize {
        let mut told = 0;
        for index in 0..self.host.plugins.subscribers(class).len() {
            let Some(&plugin) = self.host.plugins.subscribers(class).get(index) else { break };
            told += usize::from(self.tell(plugin, class, data).is_some());
        }
        told
    }

    fn tell(&mut self, plugin: PluginId, class: ClassId, data: &[u8]) -> Option<Reply> {
        let mut instance = self.host.plugins.take(plugin)?;
        let member = self.chain.chain.member(plugin);
        let handle = self.session.as_ref().map_or(crate::session::NO_HANDLE, |at| at.session.services);
        let state = member.map_or_else(MemberState::default, |m| self.host.states.get(handle, m));
        let session = self.session.as_ref().map(|at| &*at.session);
        let policy = member.and_then(|m| self.chain.policy_for(m, session, state.generation));
        let mut context = Context {
            set: self.set,
            dir: self.dir,
            session: self.session.as_mut().map(|at| SessionAt { id: at.id, session: &mut *at.session }),
            packet: self.packet.as_mut().map(PacketAt::reborrow),
            policy,
            state,
            member: member.map_or(NO_MEMBER, |m| m as u8),
            chain: self.chain,
            host: self.host.reborrow(plugin),
        };
        let reply = instance.user(&mut context, class, data);
        let state = context.state;
        if let Some(member) = member {
            self.host.states.set(handle, member, state);
        }
        self.host.plugins.put_back(plugin, instance);
        self.host.plugins.resumed(self.host.me);
        Some(reply)
    }
}

/// What stands behind every call: the worker's services, as a plugin may use them.
pub struct Host<'a> {
    /// The plugin that is called.
    pub me: PluginId,
    /// The worker's clock.
    pub now: Time,
    /// The packet that an event of a session's end is dated by.
    pub closing_packet: u32,
    pub report: &'a mut Reporter,
    pub(super) plugins: &'a mut PluginTable,
    pub(super) states: &'a mut StateSlab,
    pub(super) outbox: &'a mut Outbox,
    pub(super) allocator: &'a mut dyn FrameAllocator,
}

impl Host<'_> {
    fn reborrow(&mut self, me: PluginId) -> Host<'_> {
        Host {
            me,
            now: self.now,
            closing_packet: self.closing_packet,
            report: &mut *self.report,
            plugins: &mut *self.plugins,
            states: &mut *self.states,
            outbox: &mut *self.outbox,
            allocator: &mut *self.allocator,
        }
    }

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
        let Some(mut instance) = self.plugins.take(of) else { return false };
        let there = instance.public_data(kind, argument, to);
        self.plugins.put_back(of, instance);
        self.plugins.resumed(self.me);
        there
    }

    /// A plugin or a class by its name, for `worker_init` and `init`; names do not change while a worker runs.
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
