//! What the manager tells the RPC and the counters.

use super::board::{CounterBoard, Own, Source, total};
use super::mail::Mail;
use super::manager::{Instance, Manager};
use crate::base::{Dir, PluginId, SetId};
use crate::mgmt::config::MatchRule;
use crate::mgmt::config::visit::Value;
use crate::mgmt::control::{
    ControlError, MemberInfo, NamedCount, PluginInfo, PluginSetCount, SetInfo, WorkerCounts,
};
use crate::service::plugin::Flags;
use crate::service::services::InUse;
use crate::service::set::{InactiveAction, OnFault};
use std::collections::BTreeMap;

impl Manager {
    /// All sets in the configuration's order, or the one of this name.
    pub fn list_sets(&self, name: Option<&str>, mail: &mut dyn Mail) -> Result<Vec<SetInfo>, ControlError> {
        let mut in_use = Vec::new();
        for worker in 0..self.workers {
            in_use.append(&mut mail.in_use(worker)?);
        }
        let found = self.order.iter().filter_map(|id| self.set_info(*id, &in_use));
        Ok(found.filter(|set| name.is_none_or(|name| set.name == name)).collect())
    }

    fn set_info(&self, id: SetId, in_use: &[InUse]) -> Option<SetInfo> {
        let state = self.set(id)?;
        let layout = &state.layout;
        let of_set = || in_use.iter().filter(|row| row.set == id);
        let member = |name: &str| {
            let plugin = self.named(name)?;
            let attachment = state.attachments[plugin.index()];
            let mut generations: Vec<(u32, u64)> = Vec::new();
            for row in of_set() {
                let Some((_, generation)) =
                    row.member.filter(|(other, generation)| *other == plugin && *generation > 0)
                else {
                    continue;
                };
                match generations.iter_mut().find(|(known, _)| *known == generation) {
                    Some((_, sessions)) => *sessions += row.sessions,
                    None => generations.push((generation, row.sessions)),
                }
            }
            generations.sort_unstable();
            let needs = self.flags(plugin).is_some_and(|flags| flags.policy);
            Some(MemberInfo { plugin: name.to_owned(), attached: attachment.there || !needs, generations })
        };
        let written =
            |rule: &crate::service::set::Match| MatchRule(rule.clone()).write().trim_matches('"').to_owned();
        Some(SetInfo {
            name: layout.name.clone(),
            id: id.0.into(),
            active: state.active,
            ports: layout.ports.clone(),
            matches: layout.matches.iter().map(written).collect(),
            forward: layout.orders[Dir::ToServer].clone(),
            reverse: layout.orders[Dir::ToClient].clone(),
            inactive_action: match layout.inactive {
                InactiveAction::Drop => "drop".into(),
                InactiveAction::Forward => "forward".into(),
            },
            on_fault: match layout.on_fault {
                OnFault::Skip => "skip".into(),
                OnFault::Drop => "drop".into(),
            },
            sessions: of_set().filter(|row| row.member.is_none()).map(|row| row.sessions).sum(),
            members: layout.members().into_iter().filter_map(member).collect(),
        })
    }

    /// Sessions by the generation of the rules that they go by, over all sets and workers.
    pub fn rule_generations(&self, mail: &mut dyn Mail) -> Result<BTreeMap<u32, u64>, ControlError> {
        let mut sessions = BTreeMap::new();
        for worker in 0..self.workers {
            for row in mail.in_use(worker)? {
                let Some((plugin, policy)) = row.member else { continue };
                let of_set = self.set(row.set).map_or(&[][..], |state| &state.rules);
                let behind = of_set.iter().find(|b| (b.plugin, b.policy) == (plugin, policy));
                if let Some(behind) = behind {
                    *sessions.entry(behind.rules).or_default() += row.sessions;
                }
            }
        }
        Ok(sessions)
    }

    pub fn list_plugins(&self) -> Vec<PluginInfo> {
        let info = |(index, i): (usize, &Option<Instance>)| {
            Some(self.plugin_info(PluginId(index as u8), i.as_ref()?))
        };
        self.instances.iter().enumerate().filter_map(info).collect()
    }

    fn sets_of<'a>(&'a self, instance: &'a Instance) -> impl Iterator<Item = (SetId, &'a str)> {
        let set = |id: &SetId| {
            let layout = &self.set(*id)?.layout;
            (!instance.leaving && layout.has(instance.name())).then_some((*id, layout.name.as_str()))
        };
        self.order.iter().filter_map(set)
    }

    fn plugin_info(&self, id: PluginId, instance: &Instance) -> PluginInfo {
        let worker =
            |(worker, c): (usize, &std::sync::Arc<crate::service::table::PluginCounts>)| WorkerCounts {
                worker: worker as u32,
                packets: c.packets.get(),
                discards: c.discards.get(),
                holds: c.holds.get(),
                faults: c.faults.get(),
            };
        let state = match (instance.leaving, &instance.out) {
            (true, _) => "leaving".to_owned(),
            (false, Some(why)) => format!("out: {why}"),
            (false, None) => "running".to_owned(),
        };
        PluginInfo {
            name: instance.name().to_owned(),
            id: id.0.into(),
            kind: instance.about.kind.clone(),
            external: instance.about.external,
            path: instance.entry.path.display().to_string(),
            state,
            flags: flag_words(instance.about.flags),
            sets: self.sets_of(instance).map(|(_, name)| name.to_owned()).collect(),
            workers: instance.counts.iter().enumerate().map(worker).collect(),
            counters: self.own_counters(instance),
            tables: instance.control.tables(),
        }
    }

    /// A plugin's own counters in its sets: (set, its name, the counter's place, its name, what an earlier set left).
    fn own<'a>(&'a self, i: &'a Instance) -> impl Iterator<Item = (SetId, &'a str, usize, &'a str, u64)> {
        let names = i.about.counters.iter().map(String::as_str).enumerate();
        self.sets_of(i).flat_map(move |(set, set_name)| {
            let base = move |number| i.bases.get(&(set, number)).copied().unwrap_or(0);
            names.clone().map(move |(number, name)| (set, set_name, number, name, base(number)))
        })
    }

    /// The same, summed over workers.
    fn own_counters(&self, instance: &Instance) -> Vec<PluginSetCount> {
        let count = |(set, set_name, number, name, base): (SetId, &str, usize, &str, u64)| PluginSetCount {
            set: set_name.to_owned(),
            name: name.to_owned(),
            value: total(&instance.counts, set, number).saturating_sub(base),
        };
        self.own(instance).map(count).collect()
    }

    /// Who counts sees what runs now.
    pub(super) fn show(&self) {
        let own = |(set, set_name, number, name, base): (SetId, &str, usize, &str, u64)| Own {
            name: format!("{set_name}.{name}"),
            set,
            number,
            base,
        };
        let source = |i: &Instance| Source {
            name: i.name().to_owned(),
            counts: i.counts.clone(),
            own: self.own(i).map(own).collect(),
        };
        let running = self.instances.iter().flatten().filter(|instance| !instance.leaving);
        let watchdog = vec![
            ("watchdog.restarts_stuck", self.restarted.stuck),
            ("watchdog.restarts_crashed", self.restarted.crashed),
            ("watchdog.plugins_left_out", self.restarted.out.len() as u64),
        ];
        self.board.show(running.map(source).collect(), watchdog);
    }

    /// What `plugin.*` counters are read from, also while this is busy with a change.
    pub fn board(&self) -> CounterBoard {
        self.board.clone()
    }

    /// `plugin.NAME.packets` and so on, of the instances that run; and what the watchdog had to do.
    pub fn counters(&self) -> Vec<NamedCount> {
        self.board.counters()
    }
}

fn flag_words(flags: Flags) -> Vec<String> {
    let words = [
        (flags.packet_mode, "packet-mode"),
        (flags.alone, "alone"),
        (flags.policy, "policy"),
        (flags.own_state, "own-state"),
        (flags.turns, "turns"),
    ];
    words.into_iter().filter(|(set, _)| *set).map(|(_, word)| word.to_owned()).collect()
}
