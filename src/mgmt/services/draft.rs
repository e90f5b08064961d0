//! The start: plugins made, told of their sets, and the plan that the workers are built with.

use super::absent::{self, Absent};
use super::desk::{self, Counter, HandedIn, Queue};
use super::layout::{Layout, Ports};
use super::makers::Makers;
use super::manager::{Attachment, Instance, Manager, SetState};
use crate::base::{PluginId, SetId};
use crate::mgmt::config::PluginEntry;
use crate::pipeline::Handle;
use crate::service::ServicePlan;
use crate::service::plan::Attached;
use crate::service::plugin::{ControlEvent, MAX_PLUGINS, Plugin};
use crate::service::set::OnFault;
use crate::service::table::PluginCounts;
use crate::service::watchdog::{self, LeftOut, Restarted};
use std::sync::Arc;

/// Why services cannot be had; names the plugin.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum StartFault {
    #[error("the plugin \"{plugin}\" cannot be loaded: {fault}")]
    Load { plugin: String, fault: String },
    #[error("the plugin \"{plugin}\" refuses its configuration for the service set \"{set}\": {fault}")]
    Refused { plugin: String, set: String, fault: String },
    #[error("{0}")]
    Bound(String),
}

/// What workers are to be built with; becomes the [`Manager`] when they are.
pub struct Draft {
    pub plan: ServicePlan,
    layout: Layout,
    ports: Ports,
    makers: Box<dyn Makers>,
    sets: Vec<Option<SetState>>,
    queue: Queue,
    restarted: Restarted,
}

/// Why the watchdog has left an entry's package out.
fn left_out<'a>(restarted: &'a Restarted, entry: &PluginEntry) -> Option<&'a LeftOut> {
    restarted.out.iter().find(|out| entry.is_external() && out.package == entry.package)
}

/// A plugin of its entry; refuses one whose name another one bears, or that is not the one it is configured by: what asks for
/// a plugin by name, the configuration or another plugin, must mean the same one.
pub(super) fn load<'a>(
    makers: &dyn Makers,
    entry: &PluginEntry,
    mut names: impl Iterator<Item = &'a str>,
) -> Result<Box<dyn Plugin>, StartFault> {
    let fault = |fault| StartFault::Load { plugin: entry.called().to_owned(), fault };
    let plugin = makers.make(entry).map_err(fault)?;
    let name = &plugin.about().name;
    if names.any(|other| other == name) {
        return Err(fault(format!(
            "it registers as \"{name}\", and another plugin has done so; leave one out"
        )));
    }
    if name != entry.called() {
        return Err(fault(format!(
            "it registers as \"{name}\": write package = \"{name}\", and that name in the service sets"
        )));
    }
    Ok(plugin)
}

impl Draft {
    /// `restarted`: what the watchdog has left out is not loaded; who misses it goes by its on-fault policy.
    pub fn new(
        layout: Layout,
        makers: Box<dyn Makers>,
        ports: Ports,
        restarted: Restarted,
    ) -> Result<Draft, StartFault> {
        let mut plugins: Vec<Box<dyn Plugin>> = Vec::new();
        for (number, entry) in layout.plugins.iter().enumerate() {
            if let Some(left_out) = left_out(&restarted, entry) {
                plugins.push(Box::new(Absent::new(entry, left_out)));
                continue;
            }
            let names = plugins.iter().map(|plugin| plugin.about().name.as_str());
            let plugin = load(&*makers, entry, names)?;
            plugins.push(plugin);
            if entry.is_external() {
                watchdog::assign(PluginId(number as u8), entry.called());
            }
        }
        if plugins.len() > MAX_PLUGINS {
            return Err(StartFault::Bound(format!("more than {MAX_PLUGINS} plugins; leave some out")));
        }
        let sets: Vec<Option<SetState>> =
            layout.sets.iter().map(|set| Some(SetState::new(set.clone()))).collect();
        let plan = ServicePlan {
            plugins,
            sets: Vec::new(),
            selection: Arc::default(),
            policies: Vec::new(),
            hold: layout.hold,
            hosts: None,
            ip_actions: Arc::default(),
            pass_list: Arc::default(),
            chain_length: layout.chain_length,
        };
        let mut draft = Draft { plan, layout, ports, makers, sets, queue: Queue::default(), restarted };
        draft.introduce()?;
        draft.resolve();
        Ok(draft)
    }

    /// Tells each plugin of each of its sets.
    fn introduce(&mut self) -> Result<(), StartFault> {
        for (index, layout) in self.layout.sets.iter().enumerate() {
            let set = SetId(index as u8);
            for name in layout.members() {
                let Some(at) = self.layout.plugins.iter().position(|entry| entry.called() == name) else {
                    continue;
                };
                let mut desk = Counter {
                    plugin: PluginId(at as u8),
                    sets: &mut self.sets,
                    handed_in: Vec::new(),
                    queue: &self.queue,
                };
                let config = self.layout.plugins[at].config.as_str();
                let event = ControlEvent::Init { set, set_name: &layout.name, config };
                let told = self.plan.plugins[at].control(event, &mut desk);
                let handed_in = desk.handed_in;
                told.map_err(|fault| StartFault::Refused {
                    plugin: name.to_owned(),
                    set: layout.name.clone(),
                    fault: fault.0,
                })?;
                let attached = |HandedIn { set, plugin, policy }| Attached { set, plugin, policy };
                self.plan.policies.extend(desk::newest(handed_in).into_iter().map(attached));
            }
        }
        Ok(())
    }

    fn resolve(&mut self) {
        let entries = &self.layout.plugins;
        let id = |name: &str| entries.iter().position(|e| e.called() == name).map(|n| PluginId(n as u8));
        let is_out = |id: &PluginId| left_out(&self.restarted, &entries[id.index()]).is_some();
        let flags = |id: PluginId| self.plan.plugins.get(id.index()).map(|plugin| plugin.about().flags);
        for (index, state) in self.sets.iter_mut().enumerate() {
            let Some(state) = state else { continue };
            let goes_on = state.layout.on_fault == OnFault::Skip;
            let callable = |name: &str| id(name).filter(|id| !(goes_on && is_out(id)));
            let set = state.resolve(SetId(index as u8), callable, flags);
            let waits = |member: &PluginId| {
                flags(*member).is_some_and(|flags| flags.policy) && !state.attachments[member.index()].there
            };
            state.active = !set.chain.members.iter().any(waits);
            self.plan.sets.push(crate::service::ServiceSet { active: state.active, ..set });
        }
        let sets = self.layout.sets.iter().enumerate().map(|(index, set)| (SetId(index as u8), set));
        self.plan.selection = Arc::new(self.ports.selection(sets));
    }

    /// The workers stand: from now on the manager speaks for the services.
    pub fn manage(self, handle: &Handle) -> Manager {
        let workers = handle.plugins.len();
        let counts = |id: PluginId| {
            let of = |worker: &Vec<(PluginId, Arc<_>)>| {
                worker.iter().find(|(plugin, _)| *plugin == id).map(|(_, counts)| Arc::clone(counts))
            };
            handle.plugins.iter().filter_map(of).collect()
        };
        let instance = |(index, (control, entry)): (usize, (Box<dyn Plugin>, PluginEntry))| {
            let counts: Vec<Arc<PluginCounts>> = counts(PluginId(index as u8));
            let out = left_out(&self.restarted, &entry).map(absent::reason);
            if let (Some(_), Some(first)) = (&out, counts.first()) {
                first.faults.set(1);
            }
            Some(Instance { out, ..Instance::new(entry, control, counts) })
        };
        let Draft { plan, layout, ports, makers, sets, queue, restarted: _ } = self;
        let entries = layout.plugins.clone();
        let instances = plan.plugins.into_iter().zip(entries).enumerate().map(instance).collect();
        let mut manager = Manager::new(instances, sets, ports, makers, queue, workers, &layout);
        manager.restarted = self.restarted;
        manager.show();
        manager
    }
}

impl SetState {
    pub(super) fn new(layout: super::SetLayout) -> SetState {
        SetState {
            layout,
            active: false,
            attachments: [Attachment::default(); MAX_PLUGINS],
            rules: Vec::new(),
        }
    }
}
