//! One worker's services: walks chains, keeps what plugins keep of sessions, and ends what must end.

use super::context::{Host, SessionAt};
use super::hold::HoldTable;
use super::outbox::Outbox;
use super::plan::{Attached, ServicePlan};
use super::plugin::Gauge;
use super::policy::{Policy, Versions};
use super::report::Reporter;
use super::running::Running;
use super::set::{Chain, InactiveAction, OnFault, Selection, ServiceSet};
use super::states::StateSlab;
use super::table::{PluginCounts, PluginTable};
use super::tuning::Tuning;
use crate::base::Order;
use crate::base::event::{CloseReason, PluginFault};
use crate::base::{Dir, DropReason, FlowTuple, Generation, PluginId, PortId, SetId, Time, WorkerId};
use crate::io::FrameAllocator;
use crate::session::{NO_CHAIN, NO_HANDLE, Session, SessionId, Settled};
use arrayvec::ArrayVec;
use std::sync::Arc;

mod change;
mod walk;

pub use change::{Adoption, Change, Command, InUse, Retired};

/// Chains one worker knows at once: of sets in force, and older ones that sessions still go by.
pub const MAX_CHAINS: usize = 64;

/// What the chain makes of a packet.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Passage {
    Forward,
    Drop(DropReason),
    /// The session's opening failed: it is to be closed.
    Refused(DropReason),
    /// A plugin holds it; the walk goes on at this place of the order.
    Hold {
        plugin: PluginId,
        next: u8,
    },
}

/// What the lane lends for a call.
pub struct Outside<'a> {
    pub report: &'a mut Reporter,
    pub allocator: &'a mut dyn FrameAllocator,
    pub now: Time,
    /// The packet that dates what a session's end reveals.
    pub closing_packet: u64,
    /// In a replay's order between workers ([`Order`]).
    pub position: u64,
}

impl Outside<'_> {
    /// What stands behind the calls to come; who is called is set for each.
    #[inline(always)] // made in its place, not moved there
    fn host<'a>(
        &'a mut self,
        plugins: &'a mut PluginTable,
        states: &'a mut StateSlab,
        outbox: &'a mut Outbox,
    ) -> Host<'a> {
        Host {
            me: PluginId(0),
            now: self.now,
            closing_packet: self.closing_packet,
            position: self.position,
            misbehaved: false,
            report: &mut *self.report,
            plugins,
            states,
            outbox,
            allocator: &mut *self.allocator,
        }
    }
}

/// A chain in force or on its way out, with its members' policies and how many sessions go by it.
pub struct ChainState {
    pub chain: Chain,
    versions: ArrayVec<Versions, { super::plugin::MAX_CHAIN }>,
    pub sessions: u64,
    pub active: bool,
    inactive_action: InactiveAction,
}

impl ChainState {
    fn new(set: ServiceSet) -> ChainState {
        let versions = set.chain.members.iter().map(|_| Versions::default()).collect();
        let ServiceSet { chain, inactive_action, active, .. } = set;
        ChainState { chain, versions, sessions: 0, active, inactive_action }
    }

    pub fn policy(&self, member: usize, generation: u32) -> Option<&Policy> {
        self.versions.get(member)?.find(generation)
    }

    /// What a call of a member goes by: the policy that the session took, where the member has sessions; else the newest.
    /// `kept` is the generation in the member's own state of the session.
    #[inline]
    pub(super) fn policy_for(
        &self,
        member: u8,
        session: Option<&Session>,
        kept: impl FnOnce() -> u32,
    ) -> Option<&Policy> {
        let versions = self.versions.get(usize::from(member)).filter(|versions| !versions.is_empty())?;
        match session {
            Some(_) if self.chain.stateful >> member & 1 == 1 => versions.held_by(kept()),
            Some(session) if self.chain.packet_mode >> member & 1 == 0 => versions.held_by(session.policy.0),
            _ => versions.newest(),
        }
    }
}

pub struct Services {
    pub(super) plugins: PluginTable,
    chains: Vec<Option<ChainState>>,
    /// The chain of each set that new sessions take.
    current: Vec<u8>,
    selection: Arc<Selection>,
    states: StateSlab,
    pub held: HoldTable,
    pub outbox: Outbox,
    running: Arc<Running>,
    /// Chains whose sessions are to be closed, and how far the sweep is.
    sweep: Option<change::Sweep>,
}

impl Services {
    /// `sessions`: how many the worker's table has.
    pub fn new(plan: &ServicePlan, worker: WorkerId, sessions: usize) -> Services {
        let running = Arc::<Running>::default();
        let mut plugins = PluginTable::new(Arc::clone(&running));
        for mut arrival in plan.arrivals(worker) {
            arrival.instance.worker_init(worker);
            drop(plugins.install(arrival));
        }
        let stateful = plan.sets.iter().any(|set| set.chain.stateful != 0) || plan.chain_length > 1;
        let mut services = Services {
            plugins,
            chains: (0..MAX_CHAINS).map(|_| None).collect(),
            current: Vec::with_capacity(super::table::MAX_SETS),
            selection: Arc::clone(&plan.selection),
            states: StateSlab::new(if stateful { sessions } else { 0 }, plan.chain_length),
            held: HoldTable::new(plan.hold),
            outbox: Outbox::default(),
            running,
            sweep: None,
        };
        for set in &plan.sets {
            services.install_set(set.clone());
        }
        for Attached { set, plugin, policy } in &plan.policies {
            let control = plan.plugins.get(plugin.index());
            let prepared = control.and_then(|control| control.prepare(policy, worker));
            let _first = services.adopt(*set, *plugin, policy.clone(), prepared);
        }
        services
    }

    /// From now on what the workers of a replay share is touched in their order.
    pub fn keep_order(&mut self, order: &dyn Fn() -> Box<dyn Order>) {
        self.plugins.keep_order(order);
    }

    /// The session's packet comes soon.
    #[inline]
    pub fn prefetch(&self, session: &Session) {
        self.plugins.prefetch(session);
    }

    /// Settings of plugins, from the next packet on.
    pub fn tune(&mut self, tuning: &mut Tuning) {
        self.plugins.tune(tuning);
    }

    /// A plugin has something left to look at that may touch what the workers of a replay share.
    pub fn holds(&self, session: &Session) -> bool {
        let chain = self.chains.get(usize::from(session.chain)).and_then(Option::as_ref);
        chain.is_some_and(|state| {
            state.chain.members.iter().any(|&plugin| self.plugins.holds(plugin, session))
        })
    }

    /// Numbers that plugins publish, once a turn.
    pub fn publish(&self, numbers: &mut dyn FnMut(Gauge, u64)) {
        self.plugins.publish(numbers);
    }

    /// What a watchdog reads.
    pub fn running(&self) -> &Arc<Running> {
        &self.running
    }

    pub fn all_counts(&self) -> Vec<(PluginId, Arc<PluginCounts>)> {
        self.plugins.all_counts()
    }

    pub fn counts(&self, plugin: PluginId) -> Option<&PluginCounts> {
        self.plugins.counts(plugin)
    }

    /// The set that takes a packet which has no session (yet).
    #[inline]
    pub fn select(&self, port: PortId, tuple: &FlowTuple) -> Option<SetId> {
        self.selection.select(port, tuple)
    }

    fn chain_of(&self, set: SetId) -> Option<(u8, &ChainState)> {
        let index = *self.current.get(set.index())?;
        Some((index, self.chains.get(usize::from(index))?.as_ref()?))
    }

    /// Some set makes no sessions or is not active: packets of no session must ask at the [`gate`](Self::gate).
    pub fn is_gated(&self) -> bool {
        let shut =
            |state: &ChainState| !state.active || !(state.chain.sessions || state.chain.members.is_empty());
        self.current.iter().filter_map(|&i| self.chains.get(usize::from(i))?.as_ref()).any(shut)
    }

    /// Whether packets of a set want sessions, and what becomes of them while it is inactive.
    pub fn gate(&self, set: SetId) -> Gate {
        match self.chain_of(set) {
            None => Gate::Open { sessions: true },
            Some((_, state)) if state.active => {
                Gate::Open { sessions: state.chain.sessions || state.chain.members.is_empty() }
            }
            Some((_, state)) => Gate::Shut(state.inactive_action),
        }
    }

    /// A session has been opened for this set: it takes the set's chain and the members' newest policies.
    pub fn enter(&mut self, session: &mut Session, set: SetId) {
        let Some(&index) = self.current.get(set.index()) else { return };
        let Some(state) = self.chains.get_mut(usize::from(index)).and_then(Option::as_mut) else { return };
        state.sessions += 1;
        session.chain = index;
        for dir in Dir::BOTH {
            session.wanting[dir] = state.chain.wanting(dir);
        }
        if state.chain.stateful != 0 {
            session.services = self.states.take();
        }
        let no_room = state.chain.stateful != 0 && session.services == NO_HANDLE;
        for (member, versions) in state.versions.iter_mut().enumerate() {
            let generation = versions.take();
            match state.chain.stateful >> member & 1 {
                1 if no_room => versions.give_back(generation),
                1 => {
                    // A place just taken is empty but for this.
                    if let Some(fresh) = self.states.get_mut(session.services, member as u8) {
                        fresh.generation = generation;
                    }
                }
                _ if state.chain.packet_mode >> member & 1 == 1 => versions.give_back(generation),
                // Who has none attached leaves alone what another goes by.
                _ if generation != 0 => session.policy = Generation(generation),
                _ => {}
            }
        }
        if no_room {
            pass_without(session, &state.chain);
        }
    }

    /// Packets of this direction have somebody to go to.
    #[inline]
    pub fn wants(session: &Session, dir: Dir) -> bool {
        session.wanting[dir] != 0
    }

    /// The session has ended: who saw it hears so, twice, and what was kept of it is freed.
    pub fn closed(
        &mut self,
        id: SessionId,
        session: &mut Session,
        reason: CloseReason,
        outside: &mut Outside<'_>,
    ) {
        let index = session.chain;
        if index == NO_CHAIN {
            return;
        }
        let told = if session.refused() { session.wanting[Dir::ToServer] } else { u16::MAX };
        let mut at = SessionAt { id, session };
        self.tell(&mut at, told, outside, |plugin, context| plugin.session_close(context, reason));
        self.tell(&mut at, told, outside, |plugin, context| plugin.session_destroy(context));
        self.leave(at.session);
    }

    /// Gives back what [`enter`](Self::enter) took.
    fn leave(&mut self, session: &mut Session) {
        let index = std::mem::replace(&mut session.chain, NO_CHAIN);
        let Some(state) = self.chains.get_mut(usize::from(index)).and_then(Option::as_mut) else { return };
        state.sessions = state.sessions.saturating_sub(1);
        for (member, versions) in state.versions.iter_mut().enumerate() {
            match state.chain.stateful >> member & 1 {
                1 => versions.give_back(self.states.get(session.services, member as u8).generation),
                _ if state.chain.packet_mode >> member & 1 == 1 => {}
                _ => versions.give_back(session.policy.0),
            }
        }
        if session.services != NO_HANDLE {
            self.states.release(&mut session.services);
        }
        session.wanting = crate::base::PerDir::default();
    }

    /// A plugin misbehaved: no chain calls it from now on.
    fn fault(&mut self, plugin: PluginId, fault: PluginFault) {
        self.plugins.take_out(plugin, fault);
    }

    /// A plugin that was just taken out, each once: to be told to management, and its held frames to be let go.
    pub fn taken_out(&mut self) -> Option<(PluginId, PluginFault)> {
        self.plugins.taken_out()
    }

    /// What becomes of a frame whose holder was taken out.
    pub fn on_fault(&self, session: &Session) -> OnFault {
        let chain = self.chains.get(usize::from(session.chain)).and_then(Option::as_ref);
        chain.map_or(OnFault::Skip, |state| state.chain.on_fault)
    }

    /// Plugins that asked for it are called once a turn.
    pub fn turn(&mut self, outside: &mut Outside<'_>) {
        let now = outside.now;
        for index in 0..self.plugins.turning().len() {
            let Some(&plugin) = self.plugins.turning().get(index) else { break };
            let Some(mut lent) = self.plugins.take(plugin) else { continue };
            let Services { plugins, states, outbox, .. } = self;
            let mut host = outside.host(plugins, states, outbox);
            host.me = plugin;
            lent.instance.turn(&mut host, now);
            self.plugins.put_back_asking(plugin, lent);
        }
    }

    /// Another frame of the session is held.
    pub fn count_held(&mut self, session: &Session) {
        if let Some(count) = self.states.held_mut(session.services) {
            *count = count.saturating_add(1);
        }
    }

    pub fn count_released(&mut self, session: &Session) {
        if let Some(count) = self.states.held_mut(session.services) {
            *count = count.saturating_sub(1);
        }
    }
}

/// A session that found no room for what plugins keep of it passes them by, or not at all, as the set's on-fault policy says.
#[cold]
fn pass_without(session: &mut Session, chain: &Chain) {
    match chain.on_fault {
        OnFault::Skip => session.wanting.0.iter_mut().for_each(|wanting| *wanting &= !chain.stateful),
        OnFault::Drop => {
            session.settled = Settled::Drop(DropReason::PluginOut);
            session.wanting = crate::base::PerDir::default();
            session.refuse();
        }
    }
}

/// What a set does with a packet that has no session.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Gate {
    Open {
        sessions: bool,
    },
    /// Inactive, and this is what the set says of its traffic until then.
    Shut(InactiveAction),
}
