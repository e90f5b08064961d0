//! What an appliance's workers are built with: plugins, sets and the policies that are attached by then.

use super::hold::HoldSettings;
use super::ip_actions::IpActions;
use super::pass_list::PassList;
use super::plugin::{Flags, Plugin};
use super::policy::Policy;
use super::set::{Chain, InactiveAction, OnFault, Selection, ServiceSet};
use super::table::{Arrival, PluginCounts};
use crate::base::{PerDir, PluginId, SetId, WorkerId};
use crate::inspect::HostState;
use arrayvec::ArrayVec;
use std::sync::Arc;

/// A policy attached to a member of a set.
#[derive(Clone, Debug)]
pub struct Attached {
    pub set: SetId,
    pub plugin: PluginId,
    pub policy: Policy,
}

pub struct ServicePlan {
    /// By [`PluginId`].
    pub plugins: Vec<Box<dyn Plugin>>,
    pub sets: Vec<ServiceSet>,
    pub selection: Arc<Selection>,
    pub policies: Vec<Attached>,
    pub hold: HoldSettings,
    /// What the workers' detection shares, where there is detection.
    pub hosts: Option<Arc<HostState>>,
    /// What rules ask for beyond their packets, for all workers.
    pub ip_actions: Arc<IpActions>,
    /// What no verdict stops, for all workers.
    pub pass_list: Arc<PassList>,
    /// Members a chain may have, now and after a live change.
    pub chain_length: usize,
}

impl ServicePlan {
    /// One set of these plugins, in this order both ways, for all ports.
    pub fn of(plugins: Vec<Box<dyn Plugin>>, ports: usize) -> ServicePlan {
        let order: Vec<PluginId> = (0..plugins.len()).map(|n| PluginId(n as u8)).collect();
        let mut plan = ServicePlan {
            plugins,
            sets: Vec::new(),
            selection: Arc::new(Selection::all(ports, SetId(0))),
            policies: Vec::new(),
            hold: HoldSettings::default(),
            hosts: None,
            ip_actions: Arc::default(),
            pass_list: Arc::default(),
            chain_length: order.len().max(1),
        };
        let chain = plan.resolve(SetId(0), &PerDir([order.clone(), order]), OnFault::default());
        plan.sets.push(ServiceSet {
            id: SetId(0),
            name: "default".into(),
            chain,
            inactive_action: InactiveAction::default(),
            active: true,
        });
        plan
    }

    /// Two orders as arrays: [`resolve`] with the plan's plugins.
    pub fn resolve(&self, set: SetId, orders: &PerDir<Vec<PluginId>>, on_fault: OnFault) -> Chain {
        resolve(set, orders, on_fault, |plugin| {
            self.plugins.get(plugin.index()).map(|plugin| plugin.about().flags)
        })
    }

    /// A worker's instance of every plugin.
    pub fn arrivals(&self, worker: WorkerId) -> Vec<Arrival> {
        let arrival = |(index, plugin): (usize, &dyn Plugin)| Arrival {
            id: PluginId(index as u8),
            about: Arc::new(plugin.about().clone()),
            instance: plugin.data(worker),
            counts: Arc::new(PluginCounts::new(plugin.about().counters.len())),
        };
        self.plugins.iter().map(AsRef::as_ref).enumerate().map(arrival).collect()
    }
}

/// Two orders as arrays, with what the plugins' flags say of them. Who is in neither order is no member; what is beyond
/// [`MAX_CHAIN`](super::plugin::MAX_CHAIN) members is left out (configuration refuses it before).
pub fn resolve(
    set: SetId,
    orders: &PerDir<Vec<PluginId>>,
    on_fault: OnFault,
    flags: impl Fn(PluginId) -> Option<Flags>,
) -> Chain {
    let mut chain = Chain { set, on_fault, ..Chain::default() };
    for dir in crate::base::Dir::BOTH {
        let mut order = ArrayVec::new();
        for &plugin in &orders[dir] {
            let member = chain.member(plugin).or_else(|| {
                chain.members.try_push(plugin).ok()?;
                Some(chain.members.len() - 1)
            });
            if let Some(member) = member {
                let _ = order.try_push(member as u8); // as long as `members`, which had room
            }
        }
        chain.order[dir] = order;
    }
    for (member, plugin) in chain.members.iter().enumerate() {
        let Some(flags) = flags(*plugin) else { continue };
        chain.sessions |= !flags.packet_mode;
        chain.stateful |= u16::from(!flags.packet_mode && !flags.own_state) << member;
        chain.alone |= u16::from(flags.alone) << member;
        chain.packet_mode |= u16::from(flags.packet_mode) << member;
    }
    chain
}
