//! Changes of what runs: a new layout, a plugin restarted or replaced, one taken out, a block of configuration, new rules.
//!
//! A change is made beside what runs and refused whole when anything is wrong with it; then it goes to each worker as one
//! [`Change`].

use super::desk::{self, Counter, HandedIn};
use super::draft::load;
use super::layout::{Layout, SetLayout};
use super::mail::Mail;
use super::manager::{Instance, Manager, OutNotice, SetState};
use super::room::{no_number, silent_fault};
use crate::base::{PluginId, SetId, WorkerId};
use crate::inspect::Engine;
use crate::mgmt::config::PluginEntry;
use crate::service::plugin::{BlobOp, ControlEvent, Plugin};
use crate::service::services::{Adoption, Change, Command};
use crate::service::set::OnFault;
use crate::service::table::{Arrival, PluginCounts};
use crate::service::watchdog;
use std::path::Path;
use std::sync::Arc;

/// What a change came to, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    pub lines: Vec<String>,
}

/// A change in the making.
struct Candidate {
    sets: Vec<Option<SetState>>,
    /// Sets whose chains are made anew.
    touched: Vec<SetId>,
    arrivals: Vec<PluginId>,
    /// Sets that there are no more, and those that come under the number of such a one.
    gone: Vec<SetId>,
    reborn: Vec<SetId>,
    handed_in: Vec<HandedIn>,
}

impl Candidate {
    fn of(sets: Vec<Option<SetState>>) -> Candidate {
        let (touched, arrivals, gone, reborn) = <(Vec<_>, Vec<_>, Vec<_>, Vec<_>)>::default();
        Candidate { sets, touched, arrivals, gone, reborn, handed_in: Vec::new() }
    }
}

impl Manager {
    /// Puts a layout in force: new sessions go by it, running ones keep their chains. All faults at once.
    pub fn apply(&mut self, layout: &Layout, mail: &mut dyn Mail) -> Result<Applied, Vec<String>> {
        let mut faults = Vec::new();
        let mut applied = Applied::default();
        let longest = layout.sets.iter().map(|set| set.members().len()).max().unwrap_or(0);
        if longest > self.chain_length {
            faults.push(format!(
                "a chain of {longest} plugins is longer than services.chain-length was at the start ({}): raise it and restart",
                self.chain_length
            ));
        }
        let replaced = self.changed_objects(layout);
        let came = self.make_missing(layout, &replaced, &mut faults);
        let mut candidate = Candidate { arrivals: came.clone(), ..Candidate::of(self.sets.clone()) };
        let order = self.lay_out(layout, &mut candidate, &mut faults, &mut applied, mail);
        faults.extend(self.no_room_for(candidate.touched.len(), mail));
        // Members of old that are about to go, and settings that have changed.
        let reconfigured = self.take_settings(layout);
        if faults.is_empty() {
            let fresh =
                |id: PluginId| came.contains(&id) || reconfigured.iter().any(|(other, _)| *other == id);
            self.introduce(&mut candidate, &fresh, &mut faults);
        }
        if !faults.is_empty() {
            came.iter().for_each(|id| self.instances[id.index()] = None);
            replaced.iter().for_each(|id| self.set_leaving(*id, false));
            for (id, entry) in reconfigured {
                if let Some(Some(instance)) = self.instances.get_mut(id.index()) {
                    instance.entry = entry;
                }
            }
            return Err(faults);
        }
        for id in &came {
            applied.lines.push(format!("plugin {} came", self.name_of(*id)));
        }
        self.order = order;
        self.generation_age = layout.generation_age;
        self.put_in_force(candidate, mail);
        for id in replaced {
            self.dismiss(id, mail);
        }
        self.drop_unwanted(layout, &mut applied);
        self.hold_by(layout.hold, &mut applied, mail);
        self.show();
        Ok(applied)
    }

    fn name_of(&self, id: PluginId) -> String {
        self.instance(id).map_or_else(String::new, |instance| instance.name().to_owned())
    }

    fn set_leaving(&mut self, id: PluginId, leaving: bool) {
        if let Some(Some(instance)) = self.instances.get_mut(id.index()) {
            instance.leaving = leaving;
        }
    }

    /// Shared objects that are loaded from elsewhere now: marked as leaving.
    fn changed_objects(&mut self, layout: &Layout) -> Vec<PluginId> {
        let object = |e: &PluginEntry| (e.path.clone(), e.entry.clone(), e.needs.clone());
        let mut changed = Vec::new();
        for entry in layout.plugins.iter().filter(|entry| entry.is_external()) {
            let Some(id) = self.named(entry.called()) else { continue };
            if self.instance(id).is_some_and(|instance| object(&instance.entry) != object(entry)) {
                self.set_leaving(id, true);
                changed.push(id);
            }
        }
        changed
    }

    /// Plugins of the layout that do not run yet.
    fn make_missing(
        &mut self,
        layout: &Layout,
        replaced: &[PluginId],
        faults: &mut Vec<String>,
    ) -> Vec<PluginId> {
        let mut came = Vec::new();
        for entry in &layout.plugins {
            if self.named(entry.called()).is_some() {
                continue;
            }
            match self.bring(entry, replaced) {
                Ok(id) => came.push(id),
                Err(fault) => faults.push(fault),
            }
        }
        came
    }

    /// A new instance under a new number, not yet known to workers. `instead`: plugins whose place it takes.
    fn bring(&mut self, entry: &PluginEntry, instead: &[PluginId]) -> Result<PluginId, String> {
        let id = self.free_plugin().ok_or("too many plugins: wait until those that leave are gone")?;
        let staying = |(index, i): (usize, &Option<Instance>)| {
            let staying = i.as_ref().filter(|i| !i.leaving && !instead.contains(&PluginId(index as u8)));
            staying.map(|i| Arc::clone(&i.about))
        };
        let abouts: Vec<_> = self.instances.iter().enumerate().filter_map(staying).collect();
        let control = load(&*self.makers, entry, abouts.iter().map(|about| about.name.as_str()))
            .map_err(|fault| fault.to_string())?;
        let own = control.about().counters.len();
        let counts = (0..self.workers).map(|_| Arc::new(PluginCounts::new(own))).collect();
        let instance = Instance::new(entry.clone(), control, counts);
        if self.instances.len() <= id.index() {
            self.instances.resize_with(id.index() + 1, || None);
        }
        self.instances[id.index()] = Some(instance);
        if entry.is_external() {
            watchdog::assign(id, entry.called());
        }
        Ok(id)
    }

    /// The candidate's sets: by name where there are such, else new ones. Their order.
    fn lay_out(
        &mut self,
        layout: &Layout,
        candidate: &mut Candidate,
        faults: &mut Vec<String>,
        applied: &mut Applied,
        mail: &mut dyn Mail,
    ) -> Vec<SetId> {
        let mut order = Vec::new();
        for wanted in &layout.sets {
            if let Some(id) = self.set_named(&wanted.name) {
                order.push(id);
                let Some(Some(state)) = candidate.sets.get_mut(id.index()) else { continue };
                let arrives = candidate.arrivals.iter().any(|id| wanted.has(&self.name_of(*id)));
                if !same_chain(&state.layout, wanted) || arrives {
                    candidate.touched.push(id);
                }
                if state.layout != *wanted || arrives {
                    applied.lines.push(format!("service set {} changed", wanted.name));
                }
                state.layout = wanted.clone();
                continue;
            }
            let Some(free) = self.free_set(&candidate.sets, mail) else {
                faults.push(no_number(&wanted.name));
                continue;
            };
            match candidate.sets.get_mut(free.index()) {
                Some(place) => {
                    *place = Some(SetState::new(wanted.clone()));
                    candidate.reborn.push(free);
                }
                None => candidate.sets.push(Some(SetState::new(wanted.clone()))),
            }
            candidate.touched.push(free);
            applied.lines.push(format!("service set {} came", wanted.name));
            order.push(free);
        }
        for id in self.order.iter().filter(|id| !order.contains(id)) {
            if let Some(state) = candidate.sets.get_mut(id.index()).and_then(Option::take) {
                applied.lines.push(format!("service set {} gone", state.layout.name));
                candidate.gone.push(*id);
            }
        }
        order
    }

    /// New settings of plugins that stay: (plugin, its old entry).
    fn take_settings(&mut self, layout: &Layout) -> Vec<(PluginId, PluginEntry)> {
        let mut changed = Vec::new();
        for entry in &layout.plugins {
            let Some(id) = self.named(entry.called()) else { continue };
            if let Some(Some(instance)) = self.instances.get_mut(id.index())
                && instance.entry.config != entry.config
            {
                changed.push((id, std::mem::replace(&mut instance.entry, entry.clone())));
            }
        }
        changed
    }

    /// Tells plugins of sets that they are new in, or whose settings have changed (`fresh`).
    fn introduce(
        &mut self,
        candidate: &mut Candidate,
        fresh: &dyn Fn(PluginId) -> bool,
        faults: &mut Vec<String>,
    ) {
        for index in 0..candidate.sets.len() {
            let set = SetId(index as u8);
            let Some(layout) = candidate.sets[index].as_ref().map(|state| state.layout.clone()) else {
                continue;
            };
            for name in layout.members() {
                let Some(id) = self.named(name) else { continue };
                let known = self.set(set).is_some_and(|old| old.layout.has(name));
                if known && !fresh(id) {
                    continue;
                }
                let Some(Some(instance)) = self.instances.get_mut(id.index()) else { continue };
                let mut desk = Counter {
                    plugin: id,
                    sets: &mut candidate.sets,
                    handed_in: Vec::new(),
                    queue: &self.queue,
                };
                let config = instance.entry.config.as_str();
                let told = instance
                    .control
                    .control(ControlEvent::Init { set, set_name: &layout.name, config }, &mut desk);
                candidate.handed_in.append(&mut desk.handed_in);
                if let Err(fault) = told {
                    faults.push(format!(
                        "the plugin \"{name}\" refuses its configuration for the service set \"{}\": {fault}",
                        layout.name
                    ));
                }
            }
        }
    }

    /// To all workers, as one change.
    fn put_in_force(&mut self, candidate: Candidate, mail: &mut dyn Mail) {
        let Candidate { sets, touched, arrivals, gone, reborn, handed_in } = candidate;
        self.forgive(&arrivals);
        self.sets = sets;
        self.note_bases(&reborn);
        self.stirred = true;
        let order = self.order.iter().filter_map(|id| Some((*id, &self.set(*id)?.layout)));
        let selection = Arc::new(self.ports.selection(order));
        let chains: Vec<_> = touched
            .iter()
            .filter_map(|id| {
                Some(self.set(*id)?.resolve(*id, |name| self.callable(*id, name), |p| self.flags(p)))
            })
            .collect();
        // With the chains go policies of whoever comes; those of members that stay follow as new generations.
        let (with, after): (Vec<_>, Vec<_>) =
            handed_in.into_iter().partition(|it| arrivals.contains(&it.plugin) || !self.active(it.set));
        let with = desk::newest(with);
        for worker in 0..self.workers {
            let id = WorkerId(worker as u8);
            let adoption = |it: &HandedIn| Adoption {
                set: it.set,
                plugin: it.plugin,
                policy: it.policy.clone(),
                prepared: self.instance(it.plugin).and_then(|i| i.control.prepare(&it.policy, id)),
            };
            let change = Change {
                arrivals: arrivals.iter().filter_map(|plugin| self.arrival(*plugin, id)).collect(),
                sets: chains.clone(),
                gone: gone.clone(),
                selection: Arc::clone(&selection),
                policies: with.iter().map(adoption).collect(),
            };
            self.chains[worker] += chains.len();
            self.tell(worker, Command::Change(Box::new(change)), mail);
        }
        self.publish(after, mail);
        for id in touched {
            self.activate(id, mail);
        }
    }

    /// Packages that were left out and are here again: the next process is to load them too.
    fn forgive(&mut self, arrivals: &[PluginId]) {
        let names: Vec<String> = arrivals.iter().map(|id| self.name_of(*id)).collect();
        let before = self.restarted.out.len();
        self.restarted.out.retain(|out| !names.contains(&out.package));
        if self.restarted.out.len() < before {
            self.restarted.hand_on();
        }
    }

    fn active(&self, set: SetId) -> bool {
        self.set(set).is_some_and(|state| state.active)
    }

    /// The instance that a set's chain calls: none for one that was taken out, where the set goes on without it.
    fn callable(&self, set: SetId, name: &str) -> Option<PluginId> {
        let id = self.named(name)?;
        let skipped = self.set(set).is_some_and(|state| state.layout.on_fault == OnFault::Skip);
        let out = self.instance(id).is_some_and(|instance| instance.out.is_some());
        (!(out && skipped)).then_some(id)
    }

    fn arrival(&self, id: PluginId, worker: WorkerId) -> Option<Arrival> {
        let instance = self.instance(id)?;
        let mut data = instance.control.data(worker);
        data.worker_init(worker);
        let counts = Arc::clone(instance.counts.get(usize::from(worker.0))?);
        Some(Arrival { id, about: Arc::clone(&instance.about), instance: data, counts })
    }

    /// Shared objects that the layout has no more, and built-in plugins that no set has: gone when their last session is.
    fn drop_unwanted(&mut self, layout: &Layout, applied: &mut Applied) {
        let wanted = |name: &str| layout.plugins.iter().any(|entry| entry.called() == name);
        let unwanted: Vec<PluginId> = (0..self.instances.len())
            .map(|index| PluginId(index as u8))
            .filter(|id| self.instance(*id).is_some_and(|i| !i.leaving && !wanted(i.name())))
            .collect();
        for id in unwanted {
            applied.lines.push(format!("plugin {} leaves when its last session ends", self.name_of(id)));
            self.set_leaving(id, true);
            self.unwanted.push(id);
        }
    }

    /// A new instance in the place of a plugin; its sessions are closed, others go on. `path`: of another shared object.
    pub fn restart(
        &mut self,
        name: &str,
        path: Option<&Path>,
        mail: &mut dyn Mail,
    ) -> Result<Applied, String> {
        let old = self.named(name).ok_or_else(|| format!("there is no plugin \"{name}\""))?;
        let mut entry = self.instance(old).map(|i| i.entry.clone()).unwrap_or_default();
        if let Some(path) = path {
            if !entry.is_external() {
                return Err(format!(
                    "\"{name}\" is built in and has no other file; use `plugin restart {name}`"
                ));
            }
            entry.path = path.to_owned();
        }
        let members = |id: &SetId| self.set(*id).is_some_and(|s| s.layout.has(name));
        let touched: Vec<SetId> = self.order.iter().copied().filter(members).collect();
        if let Some(fault) = self.no_room_for(touched.len(), mail) {
            return Err(fault);
        }
        let new = self.bring(&entry, &[old])?;
        self.set_leaving(old, true);
        let mut candidate = Candidate { touched, arrivals: vec![new], ..Candidate::of(self.sets.clone()) };
        let mut faults = Vec::new();
        self.introduce(&mut candidate, &|id| id == new, &mut faults);
        if !faults.is_empty() {
            self.instances[new.index()] = None;
            self.set_leaving(old, false);
            return Err(faults.join("\n"));
        }
        self.put_in_force(candidate, mail);
        self.dismiss(old, mail);
        self.show();
        tracing::info!("plugin {name} restarted as number {} (was {})", new.0, old.0);
        Ok(Applied {
            lines: vec![format!("plugin {name} restarted; sessions of the old instance are closed")],
        })
    }

    /// Of a replay that has ended: what is to be said of each plugin that was taken out, once.
    pub fn outs(&self, notices: &[OutNotice]) -> Vec<String> {
        let say = |(index, instance): (usize, &Option<Instance>)| {
            let (instance, plugin) = (instance.as_ref()?, PluginId(index as u8));
            let told = notices.iter().find(|notice| notice.plugin == plugin).copied();
            let OutNotice { fault, worker, .. } = told.or_else(|| silent_fault(plugin, instance))?;
            let (name, fault) = (instance.name(), fault.name());
            Some(format!("plugin {name} was taken out ({fault}, worker {worker}); mend it and replay again"))
        };
        self.instances.iter().enumerate().filter_map(say).collect()
    }

    /// A worker has taken a plugin out: all do, and sets that go on without it are made without it.
    pub fn taken_out(&mut self, notice: OutNotice, mail: &mut dyn Mail) {
        let OutNotice { plugin, fault, worker } = notice;
        let Some(Some(instance)) = self.instances.get_mut(plugin.index()) else { return };
        if instance.out.is_some() {
            return;
        }
        instance.out = Some(format!("{} on worker {}", fault.name(), worker.0));
        let name = instance.name().to_owned();
        tracing::error!(
            "plugin {name} is taken out of its service sets: {} on worker {}; see `weir ctl plugin show {name}`, \
             and `weir ctl plugin restart {name}` puts it back",
            fault.name(),
            worker.0
        );
        for worker in 0..self.workers {
            self.tell(worker, Command::TakeOut(plugin, fault), mail);
        }
        self.to_skip.push(plugin);
        self.skip_out(mail);
    }

    /// Makes sets anew without the plugins that were taken out, where they go on without; as soon as workers have room.
    pub(super) fn skip_out(&mut self, mail: &mut dyn Mail) {
        let names: Vec<String> = self.to_skip.iter().map(|id| self.name_of(*id)).collect();
        let goes_on = |id: &SetId| {
            let without =
                |s: &SetState| names.iter().any(|n| s.layout.has(n)) && s.layout.on_fault == OnFault::Skip;
            self.set(*id).is_some_and(without)
        };
        let touched: Vec<SetId> = self.order.iter().copied().filter(goes_on).collect();
        if self.no_room_for(touched.len(), mail).is_some() {
            return; // workers pass it over meanwhile
        }
        self.to_skip.clear();
        if !touched.is_empty() {
            self.put_in_force(Candidate { touched, ..Candidate::of(self.sets.clone()) }, mail);
        }
    }

    /// A block of configuration for a plugin in a set.
    pub fn blob(
        &mut self,
        name: &str,
        set_name: &str,
        op: BlobOp,
        generation: u32,
        bytes: &[u8],
        mail: &mut dyn Mail,
    ) -> Result<Applied, String> {
        let id = self.named(name).ok_or_else(|| format!("there is no plugin \"{name}\""))?;
        let set =
            self.set_named(set_name).ok_or_else(|| format!("there is no service set \"{set_name}\""))?;
        if !self.set(set).is_some_and(|state| state.layout.has(name)) {
            return Err(format!("the plugin \"{name}\" is no member of the service set \"{set_name}\""));
        }
        let Some(Some(instance)) = self.instances.get_mut(id.index()) else { return Ok(Applied::default()) };
        let mut desk =
            Counter { plugin: id, sets: &mut self.sets, handed_in: Vec::new(), queue: &self.queue };
        let event = ControlEvent::ConfigBlob { set, op, generation, bytes };
        let told = instance.control.control(event, &mut desk).map_err(|fault| fault.to_string());
        let handed_in = desk.handed_in;
        let lines = handed_in.iter().map(|it| format!("generation {}", it.policy.generation)).collect();
        // What it handed in before it found a fault is its own affair.
        self.publish(handed_in, mail);
        told.map(|()| Applied { lines })
    }

    /// New rules: a new generation of detection's policy in every set that has it.
    pub fn new_rules(&mut self, engine: &Arc<Engine>, mail: &mut dyn Mail) -> Result<(), String> {
        self.makers.set_rules(engine);
        self.renew(crate::service::idp::NAME, mail)
    }

    /// A new control half for the same instance, which attaches its policies anew. Nothing when no set has it.
    pub(super) fn renew(&mut self, name: &str, mail: &mut dyn Mail) -> Result<(), String> {
        let Some(id) = self.named(name) else { return Ok(()) };
        let entry = self.instance(id).map(|i| i.entry.clone()).unwrap_or_default();
        let mut control: Box<dyn Plugin> = self.makers.make(&entry)?;
        let mut handed_in = Vec::new();
        for index in 0..self.sets.len() {
            let Some(layout) = self.sets[index].as_ref().map(|s| s.layout.clone()).filter(|l| l.has(name))
            else {
                continue;
            };
            let mut desk =
                Counter { plugin: id, sets: &mut self.sets, handed_in: Vec::new(), queue: &self.queue };
            let event =
                ControlEvent::Init { set: SetId(index as u8), set_name: &layout.name, config: &entry.config };
            control.control(event, &mut desk).map_err(|fault| fault.to_string())?;
            handed_in.append(&mut desk.handed_in);
        }
        if let Some(Some(instance)) = self.instances.get_mut(id.index()) {
            instance.control = control;
        }
        self.publish(handed_in, mail);
        Ok(())
    }
}

/// What workers' chains are made of is the same.
fn same_chain(a: &SetLayout, b: &SetLayout) -> bool {
    (&a.orders, a.inactive, a.on_fault) == (&b.orders, b.inactive, b.on_fault)
}
