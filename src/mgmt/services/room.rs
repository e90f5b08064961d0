//! What is bounded on the workers: chains, numbers of sets, held frames; and faults that no event told of.

use super::change::Applied;
use super::mail::Mail;
use super::manager::{Instance, Manager, OutNotice, SetState};
use crate::base::event::PluginFault;
use crate::base::{PluginId, SetId, WorkerId};
use crate::service::Tuning;
use crate::service::hold::{HoldSettings, HoldTable, MAX_HELD};
use crate::service::idp;
use crate::service::policy::MAX_GENERATIONS;
use crate::service::services::{Change, Command, MAX_CHAINS};
use crate::service::table::MAX_SETS;
use std::collections::BTreeSet;

/// Turns in which the event of a fault may still be on its way.
const PATIENCE: u8 = 8;

pub(super) fn no_number(set: &str) -> String {
    format!(
        "no number is free for the service set \"{set}\": there are {MAX_SETS}, and one that was taken away keeps its own until \
         its last session has ended; try again then"
    )
}

/// A fault that a worker has counted.
pub(super) fn silent_fault(plugin: PluginId, instance: &Instance) -> Option<OutNotice> {
    let worker = instance.counts.iter().position(|counts| counts.faults.get() > 0)?;
    Some(OutNotice { plugin, fault: PluginFault::Unreported, worker: WorkerId(worker as u8) })
}

impl Manager {
    /// Why so many more chains cannot be had now, if so.
    pub(super) fn no_room_for(&mut self, chains: usize, mail: &mut dyn Mail) -> Option<String> {
        let full = |manager: &Manager| manager.chains.iter().position(|alive| alive + chains > MAX_CHAINS);
        if let Some(worker) = full(self) {
            self.collect(worker, mail);
        }
        let fault = |worker: usize, alive: usize| {
            format!(
                "worker {worker} knows {alive} orders of plugins, of {MAX_CHAINS} that it can, because sessions still go by \
                 earlier ones: try again when some have ended"
            )
        };
        if let Some((worker, _)) = self.crowded.first() {
            return Some(fault(*worker, MAX_CHAINS));
        }
        full(self).map(|worker| fault(worker, self.chains[worker]))
    }

    /// A worker had less room than was counted on: what it has stays in force there until it has.
    pub(super) fn keep_for_later(&mut self, worker: usize, change: Box<Change>) {
        let names: Vec<&str> = change.sets.iter().map(|set| set.name.as_str()).collect();
        tracing::error!(
            "worker {worker} has no room for the service sets {}: they come when sessions of earlier ones have ended",
            names.join(", ")
        );
        self.crowded.push((worker, change));
    }

    /// Once more with what had no room.
    pub(super) fn make_room(&mut self, mail: &mut dyn Mail) {
        for (worker, change) in std::mem::take(&mut self.crowded) {
            self.tell(worker, Command::Change(change), mail);
        }
        if !self.to_skip.is_empty() {
            self.skip_out(mail);
        }
    }

    /// A number for a set that comes: one that no set has had, or else one whose set is gone from all workers.
    pub(super) fn free_set(&mut self, taken: &[Option<SetState>], mail: &mut dyn Mail) -> Option<SetId> {
        if taken.len() < MAX_SETS {
            return Some(SetId(taken.len() as u8));
        }
        let mut in_use = Vec::new();
        for worker in 0..self.workers {
            self.collect(worker, mail);
            in_use.append(&mut mail.in_use(worker).ok()?);
        }
        let free = |id: &SetId| {
            let there = |sets: &[Option<SetState>]| sets.get(id.index()).is_some_and(Option::is_some);
            !there(taken) && !there(&self.sets) && in_use.iter().all(|row| row.set != *id)
        };
        (0..MAX_SETS).map(|index| SetId(index as u8)).find(free)
    }

    /// Why detection could not take further rules on all workers now, if so. What no session uses is taken back first.
    pub fn no_room_for_rules(&mut self, mail: &mut dyn Mail) -> Option<String> {
        let plugin = self.named(idp::NAME)?;
        for worker in 0..self.workers {
            self.collect(worker, mail);
            let alive = mail.in_use(worker).ok()?;
            let of = |set: SetId| {
                let generations = alive.iter().filter(|row| row.set == set).filter_map(|row| row.member);
                generations
                    .filter(|(of, _)| *of == plugin)
                    .map(|(_, generation)| generation)
                    .collect::<BTreeSet<_>>()
            };
            if self.order.iter().any(|set| of(*set).len() >= MAX_GENERATIONS) {
                return Some(format!(
                    "worker {worker} has sessions of {MAX_GENERATIONS} generations of the rules and takes no more, so sessions to come \
                     would not go by new ones: `weir ctl rules generations` shows them. Wait until those of one have ended, or lower \
                     services.generation-age ({} s now): what was superseded so long ago goes, and its sessions go by the newest",
                    self.generation_age.as_secs()
                ));
            }
        }
        None
    }

    /// Counters go on where an earlier set of the same number left them: a new set begins at zero.
    pub(super) fn note_bases(&mut self, reborn: &[SetId]) {
        for instance in self.instances.iter_mut().flatten() {
            for (set, number) in
                reborn.iter().flat_map(|set| (0..instance.about.counters.len()).map(|n| (*set, n)))
            {
                instance.bases.insert((set, number), super::board::total(&instance.counts, set, number));
            }
        }
    }

    /// Settings of plugins that workers were told: instances to come go by them as well.
    pub fn tune(&mut self, tuning: &Tuning) {
        self.makers.tune(tuning);
    }

    /// Settings of holding are in force at once.
    pub(super) fn hold_by(&mut self, hold: HoldSettings, applied: &mut Applied, mail: &mut dyn Mail) {
        if hold == self.hold {
            return;
        }
        let places = hold.frames.min(MAX_HELD);
        for worker in 0..self.workers {
            let larger = (places > self.hold_places).then(|| Box::new(HoldTable::new(hold)));
            self.tell(worker, Command::Hold(hold, larger), mail);
        }
        self.hold_places = self.hold_places.max(places);
        self.hold = hold;
        applied.lines.push("settings of holding changed".into());
    }

    /// Workers count a fault beside telling of it: where the event was lost, the count speaks.
    pub(super) fn hear_the_silent(&mut self, mail: &mut dyn Mail) {
        let mut found = Vec::new();
        for (index, instance) in self.instances.iter_mut().enumerate() {
            let Some(instance) = instance.as_mut().filter(|i| i.out.is_none() && !i.leaving) else {
                continue;
            };
            let Some(notice) = silent_fault(PluginId(index as u8), instance) else { continue };
            instance.silent += 1;
            if instance.silent > PATIENCE {
                found.push(notice);
            }
        }
        for notice in found {
            self.taken_out(notice, mail);
        }
    }
}
