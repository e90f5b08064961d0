//! Changes of a running worker's services: policies, sets, plugins. Sent by management between two bursts; whatever needs
//! memory comes along, and what is no longer used goes back to be freed there.

use super::{ChainState, Services};
use crate::base::event::PluginFault;
use crate::base::{PluginId, SetId, Time};
use crate::service::hold::{HoldSettings, HoldTable};
use crate::service::plugin::{DataPlugin, MAX_PLUGINS};
use crate::service::policy::{MAX_GENERATIONS, Policy, Versions};
use crate::service::set::{Selection, ServiceSet};
use crate::service::table::Arrival;
use crate::session::Session;
use arrayvec::ArrayVec;
use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

/// Session slots that one turn of a sweep looks at.
const SWEEP_SLICE: usize = 1024;

/// What management tells a worker's services.
pub enum Command {
    /// New sessions of the set take this policy for the plugin.
    Policy { set: SetId, plugin: PluginId, policy: Policy, prepared: Option<Box<dyn Any + Send>> },
    /// Every member has its policy: traffic may pass.
    Activate(SetId),
    /// Plugins, sets and selection at once, as one change.
    Change(Box<Change>),
    /// Sessions that go by a chain with this plugin are closed (reason `plugin-restart`), a slice a turn; then the plugin
    /// comes back. No set in force has it by then.
    Remove(PluginId),
    /// The plugin misbehaved on another worker: no chain calls it here either.
    TakeOut(PluginId, PluginFault),
    /// Settings of holding, with a larger table where they want one.
    Hold(HoldSettings, Option<Box<HoldTable>>),
    /// A plugin has a candidate judge beside its policies, or none any more.
    Shadow(PluginId, Option<Box<dyn Any + Send>>),
}

/// A policy on its way to a worker.
pub struct Adoption {
    pub set: SetId,
    pub plugin: PluginId,
    pub policy: Policy,
    pub prepared: Option<Box<dyn Any + Send>>,
}

/// How many sessions of a worker use something.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct InUse {
    pub set: SetId,
    /// A member and a generation of its policy; `None` for a chain of the set as a whole.
    pub member: Option<(PluginId, u32)>,
    pub sessions: u64,
}

/// A new set of sets. Sets that are not named keep their chains.
pub struct Change {
    pub arrivals: Vec<Arrival>,
    pub sets: Vec<ServiceSet>,
    /// Sets that there are no more: new sessions find none, running ones keep their chains.
    pub gone: Vec<SetId>,
    pub selection: Arc<Selection>,
    /// Of members that are new in these sets: there from their first session on.
    pub policies: Vec<Adoption>,
}

/// What comes back to management.
pub enum Retired {
    Nothing,
    Policy {
        policy: Policy,
        kept: Option<Box<dyn Any + Send>>,
    },
    /// Too many policies of that member are alive on this worker: to be sent again later.
    Refused(Policy, Option<Box<dyn Any + Send>>),
    Change(Box<Change>, Vec<Box<dyn DataPlugin>>),
    /// There is no room for so many chains: nothing of it was done, and it is to be sent again later.
    Crowded(Box<Change>),
    Plugin(PluginId, Option<Box<dyn DataPlugin>>),
    Chain(Box<ChainState>),
    Hold(Box<HoldTable>),
    /// A candidate that no longer judges.
    Shadow(Option<Box<dyn Any + Send>>),
}

/// The closing of removed plugins' sessions.
#[derive(Default)]
pub(super) struct Sweep {
    /// One bit each.
    plugins: u32,
    next_slot: usize,
}

const _: () = assert!(MAX_PLUGINS <= 32);

impl Services {
    /// The set's chain for sessions from now on. Its members keep the policies they had.
    pub(super) fn install_set(&mut self, set: ServiceSet) -> Option<()> {
        let id = set.id;
        let mut state = ChainState::new(set);
        if let Some((_, old)) = self.chain_of(id) {
            for (member, plugin) in state.chain.members.iter().enumerate() {
                let newest =
                    old.chain.member(*plugin).and_then(|m| old.versions.get(m)).and_then(Versions::newest);
                if let (Some(policy), Some(versions)) = (newest, state.versions.get_mut(member)) {
                    let _ = versions.publish(policy.clone()); // empty until now
                }
            }
            // Once active, always active.
            state.active |= old.active;
        }
        let index = self.chains.iter().position(Option::is_none)?;
        for &plugin in &state.chain.members {
            if let Some(mut lent) = self.plugins.take(plugin) {
                lent.instance.init(id);
                self.plugins.put_back_asking(plugin, lent);
            }
        }
        *self.chains.get_mut(index)? = Some(state);
        if self.current.len() <= id.index() {
            self.current.resize(id.index() + 1, crate::session::NO_CHAIN);
        }
        *self.current.get_mut(id.index())? = index as u8;
        Some(())
    }

    pub(super) fn adopt(
        &mut self,
        set: SetId,
        plugin: PluginId,
        policy: Policy,
        prepared: Option<Box<dyn Any + Send>>,
    ) -> Retired {
        if self.generations_alive(set, plugin) >= MAX_GENERATIONS {
            return Retired::Refused(policy, prepared);
        }
        let Some((index, state)) = self.chain_of(set) else { return Retired::Refused(policy, prepared) };
        let Some(member) = state.chain.member(plugin) else { return Retired::Refused(policy, prepared) };
        let Some(Some(state)) = self.chains.get_mut(usize::from(index)) else {
            return Retired::Refused(policy, prepared);
        };
        let Some(versions) = state.versions.get_mut(member) else {
            return Retired::Refused(policy, prepared);
        };
        if let Err(policy) = versions.publish(policy.clone()) {
            return Retired::Refused(policy, prepared);
        }
        if let Some(mut lent) = self.plugins.take(plugin) {
            lent.instance.adopt(set, &policy, prepared);
            self.plugins.put_back_asking(plugin, lent);
        }
        Retired::Nothing
    }

    /// Of a member's policy, in the set's chain in force and in older ones that sessions still go by.
    fn generations_alive(&self, set: SetId, plugin: PluginId) -> usize {
        let mut alive = ArrayVec::<u32, MAX_GENERATIONS>::new();
        for state in self.chains.iter().flatten().filter(|state| state.chain.set == set) {
            let versions = state.chain.member(plugin).and_then(|member| state.versions.get(member));
            for (generation, _) in versions.into_iter().flat_map(Versions::counts) {
                if !alive.contains(&generation) && alive.try_push(generation).is_err() {
                    return MAX_GENERATIONS;
                }
            }
        }
        alive.len()
    }

    /// Does what management asks; what is left over goes back to it.
    pub fn command(&mut self, command: Command) -> Retired {
        match command {
            Command::Policy { set, plugin, policy, prepared } => self.adopt(set, plugin, policy, prepared),
            Command::Activate(set) => {
                let index = self.current.get(set.index()).copied().unwrap_or(crate::session::NO_CHAIN);
                if let Some(Some(state)) = self.chains.get_mut(usize::from(index)) {
                    state.active = true;
                }
                Retired::Nothing
            }
            Command::Change(change) if change.sets.len() > self.room() => Retired::Crowded(change),
            Command::Change(mut change) => {
                let mut replaced = Vec::new();
                for arrival in change.arrivals.drain(..) {
                    replaced.extend(self.plugins.install(arrival));
                }
                for set in change.sets.drain(..) {
                    self.install_set(set);
                }
                for set in &change.gone {
                    if let Some(current) = self.current.get_mut(set.index()) {
                        *current = crate::session::NO_CHAIN;
                    }
                }
                for Adoption { set, plugin, policy, prepared } in change.policies.drain(..) {
                    let _first = self.adopt(set, plugin, policy, prepared);
                }
                std::mem::swap(&mut self.selection, &mut change.selection);
                Retired::Change(change, replaced)
            }
            Command::Remove(plugin) => {
                // One that comes while others are being swept begins anew with them.
                let plugins = self.sweep.take().unwrap_or_default().plugins;
                let bit = 1u32.checked_shl(u32::from(plugin.0)).unwrap_or(0);
                self.sweep = Some(Sweep { plugins: plugins | bit, next_slot: 0 });
                Retired::Nothing
            }
            Command::TakeOut(plugin, fault) => {
                if self.plugins.out(plugin).is_none() {
                    self.fault(plugin, fault);
                }
                Retired::Nothing
            }
            Command::Hold(settings, larger) => {
                self.held.change(settings, larger).map_or(Retired::Nothing, Retired::Hold)
            }
            Command::Shadow(plugin, candidate) => {
                let Some(mut lent) = self.plugins.take(plugin) else { return Retired::Shadow(candidate) };
                let before = lent.instance.shadow(candidate);
                self.plugins.put_back_asking(plugin, lent);
                Retired::Shadow(before)
            }
        }
    }

    /// Chains that may come.
    fn room(&self) -> usize {
        self.chains.iter().filter(|chain| chain.is_none()).count()
    }

    /// The part of a sweep that is due: (first slot, slots) to look at.
    pub fn sweep_slice(&mut self, slots: usize) -> Option<(usize, usize)> {
        let sweep = self.sweep.as_mut()?;
        if sweep.next_slot >= slots {
            return None;
        }
        let first = sweep.next_slot;
        sweep.next_slot += SWEEP_SLICE;
        Some((first, SWEEP_SLICE.min(slots - first)))
    }

    /// Whether a session is one that the sweep closes.
    pub fn is_swept(&self, session: &Session) -> bool {
        let Some(sweep) = &self.sweep else { return false };
        let chain = self.chains.get(usize::from(session.chain)).and_then(Option::as_ref);
        let leaves =
            |plugin: &PluginId| 1u32.checked_shl(u32::from(plugin.0)).is_some_and(|b| b & sweep.plugins != 0);
        chain.is_some_and(|state| state.chain.members.iter().any(leaves))
    }

    /// Something that no session uses any more, if there is: asked for once a turn, when nothing else is to be done.
    ///
    /// A policy goes also when it was superseded `age` ago.
    pub fn retire(&mut self, slots: usize, now: Time, age: Duration) -> Retired {
        if let Some(plugin) = self.swept(slots) {
            return Retired::Plugin(plugin, self.plugins.remove(plugin));
        }
        for index in 0..self.chains.len() {
            let Some(Some(state)) = self.chains.get_mut(index) else { continue };
            let over = state.sessions == 0 && !self.current.contains(&(index as u8));
            let set = state.chain.set;
            let mut members = state.chain.members.iter().zip(&mut state.versions);
            let unused = members.find_map(|(&plugin, versions)| {
                let policy = if over { versions.pop() } else { versions.retire(now, age) };
                Some((plugin, policy?))
            });
            if let Some((plugin, policy)) = unused {
                let kept = self.no_longer_used(set, plugin, policy.generation);
                return Retired::Policy { policy, kept };
            }
            if over {
                return self.chains[index].take().map_or(Retired::Nothing, |s| Retired::Chain(Box::new(s)));
            }
        }
        Retired::Nothing
    }

    /// A removed plugin whose sessions are all closed.
    fn swept(&mut self, slots: usize) -> Option<PluginId> {
        let sweep = self.sweep.as_mut().filter(|sweep| sweep.next_slot >= slots)?;
        let plugin = PluginId(sweep.plugins.trailing_zeros() as u8);
        sweep.plugins &= sweep.plugins.wrapping_sub(1);
        if sweep.plugins == 0 {
            self.sweep = None;
        }
        Some(plugin)
    }

    /// Tells a plugin that no session goes by a policy any more, unless another chain of the set still has it.
    fn no_longer_used(
        &mut self,
        set: SetId,
        plugin: PluginId,
        generation: u32,
    ) -> Option<Box<dyn Any + Send>> {
        let elsewhere = self.chains.iter().flatten().filter(|state| state.chain.set == set).any(|state| {
            state.chain.member(plugin).is_some_and(|member| state.policy(member, generation).is_some())
        });
        if elsewhere {
            return None;
        }
        let mut lent = self.plugins.take(plugin)?;
        let kept = lent.instance.retire(set, generation);
        self.plugins.put_back_asking(plugin, lent);
        kept
    }

    /// Chains and policies alive on this worker with their sessions, as many as the list has room for. A member without any
    /// policy stands there with generation 0.
    pub fn in_use(&self, rows: &mut Vec<InUse>) {
        let chains = self.chains.iter().flatten().flat_map(|state| {
            let set = state.chain.set;
            let row = move |plugin, generation, sessions| InUse {
                set,
                member: Some((plugin, generation)),
                sessions,
            };
            let bare = move |(&plugin, versions): (&PluginId, &Versions)| {
                versions.newest().is_none().then(|| row(plugin, 0, state.sessions))
            };
            let members = || state.chain.members.iter().zip(&state.versions);
            let policies = members().flat_map(move |(&plugin, versions)| {
                versions.counts().map(move |(generation, sessions)| row(plugin, generation, sessions))
            });
            let whole = InUse { set, member: None, sessions: state.sessions };
            std::iter::once(whole).chain(members().filter_map(bare)).chain(policies)
        });
        let room = rows.capacity() - rows.len();
        rows.extend(chains.take(room));
    }
}
