//! The manager's state, and its turn: late policies, refused ones, what workers give back, plugins on their way out.

use super::board::CounterBoard;
use super::desk::{Counter, HandedIn, Later, Queue};
use super::layout::{Layout, Ports, SetLayout};
use super::mail::Mail;
use super::makers::Makers;
use crate::base::event::PluginFault;
use crate::base::{Dir, PerDir, PluginId, SetId, WorkerId};
use crate::io::heap;
use crate::mgmt::config::PluginEntry;
use crate::service::ServiceSet;
use crate::service::external::{LogLevel, LogLine};
use crate::service::hold::HoldSettings;
use crate::service::plan;
use crate::service::plugin::{About, Flags, MAX_PLUGINS, Plugin};
use crate::service::policy::{MAX_GENERATIONS, Policy};
use crate::service::services::{Change, Command, Retired};
use crate::service::table::PluginCounts;
use crate::service::watchdog::Restarted;
use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// A plugin that runs.
pub(super) struct Instance {
    pub entry: PluginEntry,
    pub control: Box<dyn Plugin>,
    pub about: Arc<About>,
    /// By worker.
    pub counts: Vec<Arc<PluginCounts>>,
    /// Taken out by what, and where; in words.
    pub out: Option<String>,
    /// Another has taken its place, or nobody wants it any more.
    pub leaving: bool,
    /// By set and counter: what an earlier set of that number had counted.
    pub bases: HashMap<(SetId, usize), u64>,
    /// Turns in which a worker counted a fault that no event told of.
    pub silent: u8,
}

impl Instance {
    pub fn new(entry: PluginEntry, control: Box<dyn Plugin>, counts: Vec<Arc<PluginCounts>>) -> Instance {
        let about = Arc::new(control.about().clone());
        let bases = HashMap::new();
        Instance { entry, control, about, counts, out: None, leaving: false, bases, silent: 0 }
    }

    pub fn name(&self) -> &str {
        self.entry.called()
    }
}

/// A member's policy in a set: how many there were, and whether there is one.
#[derive(Copy, Clone, Debug, Default)]
pub(super) struct Attachment {
    pub generation: u32,
    pub there: bool,
}

#[derive(Clone)]
pub(super) struct SetState {
    pub layout: SetLayout,
    pub active: bool,
    /// By [`PluginId`].
    pub attachments: [Attachment; MAX_PLUGINS],
    /// Of policies that are rules: whose, which number, of which generation of the rules; the newest last.
    pub rules: Vec<RulesBehind>,
}

/// A member's policy, and the generation of the rules that it is.
#[derive(Copy, Clone, Debug)]
pub(super) struct RulesBehind {
    pub plugin: PluginId,
    pub policy: u32,
    pub rules: u32,
}

/// Policies whose rules are remembered: more than workers hold.
pub(super) const RULES_BEHIND: usize = 64;

impl SetState {
    /// The set as workers know it.
    pub fn resolve(
        &self,
        id: SetId,
        plugin: impl Fn(&str) -> Option<PluginId>,
        flags: impl Fn(PluginId) -> Option<Flags>,
    ) -> ServiceSet {
        let order = |dir: Dir| self.layout.orders[dir].iter().filter_map(|name| plugin(name)).collect();
        let orders = PerDir(Dir::BOTH.map(order));
        ServiceSet {
            id,
            name: self.layout.name.clone(),
            chain: plan::resolve(id, &orders, self.layout.on_fault, flags),
            inactive_action: self.layout.inactive,
            active: self.active,
        }
    }
}

/// A policy that a worker had no place for.
struct Waiting {
    worker: usize,
    set: SetId,
    plugin: PluginId,
    policy: Policy,
    prepared: Option<Box<dyn Any + Send>>,
}

/// A plugin whose sessions are being closed, and the workers that still have it.
pub(super) struct Leaving {
    plugin: PluginId,
    workers: Vec<usize>,
}

/// A worker says that a plugin misbehaved.
#[derive(Copy, Clone, Debug)]
pub struct OutNotice {
    pub plugin: PluginId,
    pub fault: PluginFault,
    pub worker: WorkerId,
}

pub struct Manager {
    /// By [`PluginId`].
    pub(super) instances: Vec<Option<Instance>>,
    /// By [`SetId`]; a set that was taken away leaves its place empty, for another when no worker has sessions of it.
    pub(super) sets: Vec<Option<SetState>>,
    /// The configuration's order of the sets.
    pub(super) order: Vec<SetId>,
    pub(super) ports: Ports,
    pub(super) makers: Box<dyn Makers>,
    pub(super) queue: Queue,
    pub(super) workers: usize,
    pub(super) chain_length: usize,
    /// How long a superseded policy may have sessions.
    pub(super) generation_age: Duration,
    /// Chains alive on each worker.
    pub(super) chains: Vec<usize>,
    /// What workers hold frames by, and for how many they have places.
    pub(super) hold: HoldSettings,
    pub(super) hold_places: usize,
    /// Changes that a worker had no room for.
    pub(super) crowded: Vec<(usize, Box<Change>)>,
    /// Plugins taken out that sets are yet to be made without.
    pub(super) to_skip: Vec<PluginId>,
    pub(super) board: CounterBoard,
    waiting: Vec<Waiting>,
    pub(super) leaving: VecDeque<Leaving>,
    /// Plugins of no set, with sessions on earlier chains.
    pub(super) unwanted: Vec<PluginId>,
    /// Something was replaced: workers may have what they no longer use.
    pub(super) stirred: bool,
    /// What the watchdog has left out, and how often it had to start anew.
    pub(super) restarted: Restarted,
}

impl Manager {
    pub(super) fn new(
        instances: Vec<Option<Instance>>,
        sets: Vec<Option<SetState>>,
        ports: Ports,
        makers: Box<dyn Makers>,
        queue: Queue,
        workers: usize,
        layout: &Layout,
    ) -> Manager {
        let manager = Manager {
            instances,
            order: (0..sets.len()).map(|n| SetId(n as u8)).collect(),
            chains: vec![sets.len(); workers],
            sets,
            ports,
            makers,
            queue,
            workers,
            chain_length: layout.chain_length,
            generation_age: layout.generation_age,
            hold: layout.hold,
            hold_places: layout.hold.frames,
            crowded: Vec::new(),
            to_skip: Vec::new(),
            board: CounterBoard::default(),
            waiting: Vec::new(),
            leaving: VecDeque::new(),
            unwanted: Vec::new(),
            stirred: false,
            restarted: Restarted::default(),
        };
        manager.show();
        manager
    }

    /// The instance that sets mean by a name.
    pub(super) fn named(&self, name: &str) -> Option<PluginId> {
        let means = |i: &Option<Instance>| i.as_ref().is_some_and(|i| !i.leaving && i.name() == name);
        self.instances.iter().position(means).map(|index| PluginId(index as u8))
    }

    pub(super) fn instance(&self, id: PluginId) -> Option<&Instance> {
        self.instances.get(id.index())?.as_ref()
    }

    pub(super) fn flags(&self, id: PluginId) -> Option<Flags> {
        self.instance(id).map(|instance| instance.about.flags)
    }

    pub(super) fn set(&self, id: SetId) -> Option<&SetState> {
        self.sets.get(id.index())?.as_ref()
    }

    /// Names of the sets that wait for a policy.
    pub fn inactive(&self) -> Vec<String> {
        let sets = self.order.iter().filter_map(|id| self.set(*id));
        sets.filter(|set| !set.active).map(|set| set.layout.name.clone()).collect()
    }

    pub(super) fn set_named(&self, name: &str) -> Option<SetId> {
        self.order.iter().copied().find(|id| self.set(*id).is_some_and(|set| set.layout.name == name))
    }

    /// What waits to be done, a step further. Never waits for traffic; each question to a worker may take a turn of it.
    pub fn turn(&mut self, mail: &mut dyn Mail) {
        for (worker, retired) in mail.late() {
            self.absorb(worker, retired);
        }
        for Later { set, plugin, data } in self.queue.take() {
            let mut counter =
                Counter { plugin, sets: &mut self.sets, handed_in: Vec::new(), queue: &self.queue };
            counter.hand_in(set, data);
            let handed_in = counter.handed_in;
            self.publish(handed_in, mail);
        }
        self.poll(mail);
        if self.stirred {
            for worker in 0..self.workers {
                self.collect(worker, mail);
            }
        }
        self.make_room(mail);
        self.hear_the_silent(mail);
        self.retry(mail);
        self.dismiss_unused(mail);
        self.see_off(mail);
    }

    /// What plugins want outside of control events: policies from threads of their own, lines for the log.
    fn poll(&mut self, mail: &mut dyn Mail) {
        for index in 0..self.instances.len() {
            let Some(Some(instance)) = self.instances.get_mut(index) else { continue };
            let plugin = PluginId(index as u8);
            let mut counter =
                Counter { plugin, sets: &mut self.sets, handed_in: Vec::new(), queue: &self.queue };
            instance.control.poll(&mut counter);
            let handed_in = counter.handed_in;
            let name = instance.entry.called();
            instance.control.log_lines(&mut |line| log(name, &line));
            self.publish(handed_in, mail);
        }
    }

    /// Plugins that nobody wants any more go when no session uses them.
    fn dismiss_unused(&mut self, mail: &mut dyn Mail) {
        if self.unwanted.is_empty() {
            return;
        }
        let mut in_use = Vec::new();
        for worker in 0..self.workers {
            match mail.in_use(worker) {
                Ok(mut rows) => in_use.append(&mut rows),
                Err(_) => return, // at a later turn
            }
        }
        let used =
            |id: &PluginId| in_use.iter().any(|row| row.member.is_some_and(|(plugin, _)| plugin == *id));
        let (stay, go): (Vec<_>, Vec<_>) = std::mem::take(&mut self.unwanted).into_iter().partition(used);
        self.unwanted = stay;
        for plugin in go {
            self.dismiss(plugin, mail);
        }
    }

    /// Policies to all workers; then sets that waited for them may go.
    pub(super) fn publish(&mut self, handed_in: Vec<HandedIn>, mail: &mut dyn Mail) {
        for HandedIn { set, plugin, policy } in handed_in {
            // Who is no member by now has nothing to attach to.
            let member = |i: &Instance| !i.leaving && self.set(set).is_some_and(|s| s.layout.has(i.name()));
            if !self.instance(plugin).is_some_and(member) {
                continue;
            }
            self.stirred |= policy.generation > 1;
            for worker in 0..self.workers {
                let prepared =
                    self.instance(plugin).and_then(|i| i.control.prepare(&policy, WorkerId(worker as u8)));
                let policy = policy.clone();
                if !self.deliver(Waiting { worker, set, plugin, policy, prepared }, mail) {
                    self.tell_crowd(worker, plugin);
                }
            }
            self.activate(set, mail);
        }
    }

    fn tell_crowd(&self, worker: usize, plugin: PluginId) {
        let name = self.instance(plugin).map_or("", Instance::name);
        let longest = self.generation_age.as_secs();
        tracing::warn!(
            "worker {worker} has sessions of {MAX_GENERATIONS} generations of {name} and takes no more: its new sessions go by the last \
             that it took until those of one have ended, {longest} s at the longest (services.generation-age; `weir ctl rules generations`)"
        );
    }

    /// One policy to one worker; a newer one overtakes those that wait. False if it waits for a place there.
    fn deliver(&mut self, it: Waiting, mail: &mut dyn Mail) -> bool {
        let same = |w: &Waiting| (w.worker, w.set, w.plugin) == (it.worker, it.set, it.plugin);
        let waited = self.waiting.iter().position(same);
        if let Some(at) = waited {
            self.waiting[at] = it;
            return false;
        }
        let Waiting { worker, set, plugin, policy, prepared } = it;
        match mail.send(worker, Command::Policy { set, plugin, policy, prepared }) {
            Ok(Retired::Refused(policy, prepared)) => {
                self.waiting.push(Waiting { worker, set, plugin, policy, prepared });
                return false;
            }
            Ok(retired) => self.absorb(worker, retired),
            // It lies in the mailbox and is taken when the worker comes back.
            Err(error) => tracing::warn!("a policy is late: {error}"),
        }
        true
    }

    fn retry(&mut self, mail: &mut dyn Mail) {
        for it in std::mem::take(&mut self.waiting) {
            let set = it.set;
            let name = self.instance(it.plugin).filter(|i| !i.leaving).map(|i| i.name().to_owned());
            let member = name.is_some_and(|name| self.set(set).is_some_and(|s| s.layout.has(&name)));
            if member {
                let worker = it.worker;
                if self.deliver(it, mail) {
                    tracing::info!("worker {worker} has a place again, and takes the newest generation");
                }
                self.activate(set, mail);
            }
        }
    }

    /// Policies that wait for a place on a worker.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The barrier: a set goes active when all its members have their policies on all workers.
    pub(super) fn activate(&mut self, set: SetId, mail: &mut dyn Mail) {
        let Some(state) = self.set(set).filter(|state| !state.active) else { return };
        let lacks = |name: &&str| {
            let Some(id) = self.named(name) else { return false };
            self.flags(id).is_some_and(|f| f.policy) && !state.attachments[id.index()].there
        };
        if state.layout.members().iter().any(lacks) || self.waiting.iter().any(|w| w.set == set) {
            return;
        }
        tracing::info!("service set {} is active", state.layout.name);
        if let Some(Some(state)) = self.sets.get_mut(set.index()) {
            state.active = true;
        }
        for worker in 0..self.workers {
            self.tell(worker, Command::Activate(set), mail);
        }
    }

    pub(super) fn tell(&mut self, worker: usize, command: Command, mail: &mut dyn Mail) {
        match mail.send(worker, command) {
            Ok(retired) => self.absorb(worker, retired),
            Err(error) => tracing::warn!("a change of services is late: {error}"),
        }
    }

    /// Takes from a worker what it no longer uses.
    pub(super) fn collect(&mut self, worker: usize, mail: &mut dyn Mail) {
        let mut freed = false;
        loop {
            match mail.retire(worker, self.generation_age) {
                Ok(Retired::Nothing) => break,
                Ok(retired) => self.absorb(worker, retired),
                Err(error) => {
                    tracing::debug!("nothing collected: {error}");
                    break;
                }
            }
            freed = true;
        }
        if freed {
            heap::give_back();
        }
    }

    /// What comes back is freed here.
    pub(super) fn absorb(&mut self, worker: usize, retired: Retired) {
        match retired {
            Retired::Nothing
            | Retired::Policy { .. }
            | Retired::Change(..)
            | Retired::Hold(_)
            | Retired::Shadow(_) => {}
            Retired::Crowded(change) => self.keep_for_later(worker, change),
            Retired::Refused(policy, _) => tracing::error!("worker {worker} lost {policy:?}; reload it"),
            Retired::Chain(_) => {
                if let Some(alive) = self.chains.get_mut(worker) {
                    *alive = alive.saturating_sub(1);
                }
            }
            Retired::Plugin(plugin, _) => {
                if let Some(leaving) = self.leaving.front_mut().filter(|leaving| leaving.plugin == plugin) {
                    leaving.workers.retain(|other| *other != worker);
                }
            }
        }
    }

    /// Plugins on their way out, one at a time: a worker sweeps for one.
    fn see_off(&mut self, mail: &mut dyn Mail) {
        let Some(leaving) = self.leaving.front() else { return };
        if !leaving.workers.is_empty() {
            return;
        }
        let plugin = leaving.plugin;
        self.leaving.pop_front();
        if let Some(gone) = self.instances.get_mut(plugin.index()).and_then(Option::take) {
            tracing::info!("plugin {} (number {}) is gone from all workers", gone.name(), plugin.0);
        }
        for set in self.sets.iter_mut().flatten() {
            set.attachments[plugin.index()] = Attachment::default();
            set.rules.retain(|behind| behind.plugin != plugin);
        }
        self.show();
        self.dismiss_next(mail);
    }

    /// Has a plugin's sessions closed, and then the plugin out of the workers. No set has it by now.
    pub(super) fn dismiss(&mut self, plugin: PluginId, mail: &mut dyn Mail) {
        if let Some(Some(instance)) = self.instances.get_mut(plugin.index()) {
            instance.leaving = true;
        }
        self.stirred = true;
        self.leaving.push_back(Leaving { plugin, workers: (0..self.workers).collect() });
        if self.leaving.len() == 1 {
            self.dismiss_next(mail);
        }
    }

    fn dismiss_next(&mut self, mail: &mut dyn Mail) {
        let Some(plugin) = self.leaving.front().map(|leaving| leaving.plugin) else { return };
        for worker in 0..self.workers {
            self.tell(worker, Command::Remove(plugin), mail);
        }
    }

    /// A number for a plugin that comes.
    pub(super) fn free_plugin(&self) -> Option<PluginId> {
        let free = self.instances.iter().position(Option::is_none).unwrap_or(self.instances.len());
        (free < MAX_PLUGINS).then_some(PluginId(free as u8))
    }
}

fn log(plugin: &str, line: &LogLine<'_>) {
    let text = line.text;
    match line.level {
        LogLevel::Error => tracing::error!("plugin {plugin}: {text}"),
        LogLevel::Warn => tracing::warn!("plugin {plugin}: {text}"),
        LogLevel::Info => tracing::info!("plugin {plugin}: {text}"),
        LogLevel::Debug => tracing::debug!("plugin {plugin}: {text}"),
    }
}
