//! What operators changed beyond the configuration, over a start anew by the watchdog.

use super::overrules::Overrules;
use super::{Operator, lock};
use crate::base::Time;
use crate::io::clock::wall;
use crate::mgmt::config::{Mode, Pair};
use crate::mgmt::control::PairStatus;
use crate::mgmt::kept::{self, Changes, Keeper};
use crate::mgmt::overrule::Overruled;
use crate::mgmt::passes::{self, PassRequest};
use crate::rules::lists::Overrule;
use std::time::Duration;

impl Operator {
    /// From now on a start anew finds what is changed.
    pub fn keep_with(&self, keeper: Keeper) {
        *lock(&self.keeper) = Some(keeper);
    }

    /// What has been done, when a start anew would find it.
    pub(super) fn kept<T>(&self, done: T) -> T {
        self.keep_changes();
        done
    }

    /// For a start anew: what is as it was kept before costs nothing.
    pub fn keep_changes(&self) {
        // Who keeps last keeps what is newest.
        let mut keeper = lock(&self.keeper);
        if let Some(keeper) = &mut *keeper
            && let Some(Err(error)) = self.changes().map(|changes| keeper.keep(changes))
        {
            tracing::debug!("a start anew would not know of the last changes: {error}");
        }
    }

    /// As it stands now; none while somebody commits, which may take long.
    fn changes(&self) -> Option<Changes> {
        let desk = self.desk.try_lock().ok()?;
        let (unconfirmed, configuration) = (desk.waiting(), desk.beyond_file());
        drop(desk);
        let rule = |rule: Overruled| kept::Rule {
            gid: rule.gid,
            sid: rule.sid,
            action: rule.what.word().to_owned(),
            who: rule.who,
            since: wall(rule.since).micros(),
            until: rule.until.map(|until| wall(until).micros()),
        };
        let pass = |info: passes::PassInfo| kept::Pass {
            network: passes::name(&info.passed),
            note: info.note,
            until: wall(info.until).micros(),
        };
        let config = &self.loaded().config;
        let changed = |(pair, status): (&Pair, PairStatus)| {
            let goes_back = status.goes_back.map(|(mode, until)| (mode, wall(until).micros()));
            let differs = status.mode != pair.mode.name() || goes_back.is_some();
            differs.then_some(kept::Mode { ports: status.ports, mode: status.mode, goes_back })
        };
        Some(Changes {
            rules: lock(&self.overrules).all().into_iter().map(rule).collect(),
            modes: config.pairs.iter().zip(self.modes()).filter_map(changed).collect(),
            passes: self.list_passes().into_iter().map(pass).collect(),
            unconfirmed,
            configuration,
        })
    }

    /// Takes up what the process before this one has kept, before traffic. Its rules have been compiled in.
    pub fn take_up(&self, changes: &Changes) {
        if let Some(configuration) = &changes.configuration {
            lock(&self.desk).on_disk.clone_from(&configuration.in_file);
            tracing::info!("configuration: what was committed and does not stand in the file holds on");
        }
        *lock(&self.overrules) = Overrules::of(overruled(changes));
        for kept::Mode { ports, mode, goes_back } in &changes.modes {
            let config = &self.loaded().config;
            let pair = config.pairs.iter().position(|pair| pair.ports == *ports);
            let (Some(pair), Some(mode)) = (pair, Mode::parse(mode)) else { continue };
            let back = goes_back.as_ref().and_then(|(mode, until)| Some((Mode::parse(mode)?, *until)));
            let mut unconfirmed = lock(&self.unconfirmed);
            self.switch(pair, mode);
            if let Some((before, until)) = back {
                unconfirmed.changed(pair, before, Some(Time::from_micros(until)));
            }
        }
        for kept::Pass { network, note, until } in &changes.passes {
            let span = Time::from_micros(*until).since(self.now()).max(Duration::from_secs(1));
            let Ok(passed) = passes::parse(network) else { continue };
            if let Err(error) = self.begin_pass(&PassRequest { passed, span, note: note.clone() }) {
                tracing::error!("{network} is no longer let pass: {error}");
            }
        }
        if let Some((number, who)) = &changes.unconfirmed {
            tracing::warn!(
                "configuration: revision {number} by {who} waited for a confirmation; the start anew has taken it back: \
                 `weir ctl config load --revision {number}` and `weir ctl config commit` put it in force again"
            );
        }
        let (rules, modes, passes) = (changes.rules.len(), changes.modes.len(), changes.passes.len());
        if rules + modes + passes > 0 {
            tracing::info!(
                "what operators had changed holds on: {rules} rules overruled, {modes} modes of pairs, {passes} networks let pass"
            );
        }
    }
}

/// Rules as they were overruled; what no longer means anything is left out.
fn overruled(changes: &Changes) -> Vec<Overruled> {
    let rule = |rule: &kept::Rule| {
        Some(Overruled {
            gid: rule.gid,
            sid: rule.sid,
            what: Overrule::parse(&rule.action)?,
            who: rule.who.clone(),
            since: Time::from_micros(rule.since),
            until: rule.until.map(Time::from_micros),
        })
    };
    changes.rules.iter().filter_map(rule).collect()
}

/// As the rules of the start are to be compiled.
pub fn overrules_in(changes: &Changes) -> Vec<((u32, u32), Overrule)> {
    overruled(changes).into_iter().map(|rule| ((rule.gid, rule.sid), rule.what)).collect()
}
