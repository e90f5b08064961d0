//! Putting a configuration in force: everything that can fail first, then the change, then what tells of it.

use super::desk::{Desk, Unconfirmed};
use super::papers::{Papers, can_be_kept};
use super::{faulty, kept, name_of, unchanged};
use crate::mgmt::areas::{Area, area};
use crate::mgmt::config::entries::{Difference, differences, take_live};
use crate::mgmt::config::visit::Change;
use crate::mgmt::config::{Config, Loaded, check};
use crate::mgmt::configure::{Commit, Committed, Which};
use crate::mgmt::control::ControlError;
use crate::mgmt::operator::{Operator, Post, lock};
use crate::mgmt::outputs::{self, Opening, Renewed};
use crate::mgmt::revisions::{Revision, State};
use crate::mgmt::services::Layout;
use crate::mgmt::{convert, daemon_log, start};
use std::sync::Arc;

/// Most differences that a sentence names.
const NAMED: usize = 20;

fn paths(differences: &[Difference]) -> String {
    let named: Vec<&str> = differences.iter().take(NAMED).map(|d| d.path.as_str()).collect();
    let more = differences.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    named.join(", ") + &more
}

fn restart(old: &Config, new: &Config) -> Vec<Difference> {
    differences(old, new).into_iter().filter(|d| d.change == Change::Restart).collect()
}

/// What may be passed over.
#[derive(Copy, Clone, Debug)]
pub(super) struct Lenience {
    /// Rules that are refused.
    pub refused_rules: bool,
    /// Workers that have no room for further rules: these wait until they have; and the cap of rules' memory.
    pub no_room: bool,
    /// Output files that cannot be opened now.
    pub outputs: Opening,
}

/// What becomes of what waited, in words.
fn settled_line(waiting: &Unconfirmed, state: State) -> String {
    let numbers: Vec<String> = waiting.numbers.iter().map(u32::to_string).collect();
    let numbers = numbers.join(", ");
    match state {
        State::Confirmed => {
            format!("revision {numbers}, which waited for a confirmation, is confirmed with it")
        }
        _ => format!("revision {numbers}, which waited for a confirmation, is taken back"),
    }
}

/// What was done, behind a sentence of the log; much acts without anything to be done.
pub(super) fn told(lines: &[String]) -> String {
    if lines.is_empty() { String::new() } else { format!(": {}", lines.join("; ")) }
}

impl Operator {
    /// A text as the new configuration. `settles`: what that makes of revisions which wait for a confirmation, where this one
    /// does not wait itself.
    pub(super) fn put(
        &self,
        desk: &mut Desk,
        text: String,
        commit: &Commit,
        who: &str,
        settles: State,
    ) -> Result<Committed, ControlError> {
        let running = self.loaded();
        let file = self.file()?;
        let candidate = running.with_text(&name_of(Which::Candidate), &text);
        let faults: Vec<_> = candidate.unreadable.into_iter().chain(candidate.uneven).collect();
        if !faults.is_empty() {
            return Err(faulty(faults));
        }
        candidate.loaded.check_cpus(&start::machine()).map_err(|faults| faulty(faults.0))?;
        let wanted = running.with_text(&file.display().to_string(), &text).loaded;
        // What waits already is no reason to refuse.
        let waiting = self.deferred(&desk.committed);
        let mut new = restart(&running.config, &wanted.config);
        new.retain(|difference| !waiting.contains(difference));
        if !new.is_empty() && !commit.defer_restart {
            return Err(unchanged(format!(
                "these keys need a restart: {}. With --defer-restart the others act now, and these when weir is started again",
                paths(&new)
            )));
        }
        let folder = |loaded: &Loaded| loaded.config.changes.folder(&file);
        if let Some(waiting) = &desk.unconfirmed
            && folder(&running) != folder(&wanted)
        {
            return Err(unchanged(format!(
                "{waiting}, and its way back lies in {}: confirm it or take it back before config.revisions changes",
                folder(&running).display()
            )));
        }
        let mut papers = Papers { file: self.file_to_be(desk, &file, &wanted, &text)?, ..Papers::default() };
        let state = if commit.confirm.is_some() { State::Unconfirmed } else { State::Confirmed };
        let revision =
            Revision { who: who.to_owned(), comment: commit.comment.clone(), state, ..Revision::default() };
        let (number, before) = self.revision(desk, &wanted, &text, revision, &mut papers)?;
        let settled = desk.unconfirmed.as_ref().filter(|_| commit.confirm.is_none());
        let mut lines: Vec<String> =
            settled.map(|waiting| settled_line(waiting, settles)).into_iter().collect();
        if let Some(waiting) = settled {
            papers.settled = self.restated(&running, waiting, settles).map_err(unchanged)?;
        }
        papers.settled.extend(self.untold(&running, desk).map_err(unchanged)?);
        let lenience =
            Lenience { refused_rules: commit.accept_refused, no_room: false, outputs: Opening::Now };
        // One that waits for a confirmation could not be confirmed either.
        let last = || can_be_kept(papers.file.as_ref());
        lines.extend(self.put_in_force(&running, &wanted, lenience, last)?);
        // What waits for a confirmation must not be what a power cut starts with.
        papers.file = papers.file.filter(|_| commit.confirm.is_none());
        tracing::info!("configuration: revision {number} by {who} is in force{}", told(&lines));
        let back_at = commit.confirm.map(|span| self.now().plus(span));
        desk.put(Some(number), text, before, back_at.map(|until| (until, who)));
        let in_file = self.keep(desk, papers).map_err(kept)?;
        let deferred = self.deferred(&desk.committed);
        Ok(Committed { number, lines, deferred, file: in_file.then_some(file), back_at })
    }

    /// What was committed and waits for a restart.
    pub(super) fn deferred(&self, committed: &str) -> Vec<Difference> {
        let running = self.loaded();
        restart(&running.config, &running.with_text("", committed).loaded.config)
    }

    /// The live differences, all or none. `last`: what else may refuse them, asked when all is ready. What was done, in words.
    pub(super) fn put_in_force(
        &self,
        running: &Loaded,
        wanted: &Loaded,
        lenience: Lenience,
        last: impl FnOnce() -> Result<(), ControlError>,
    ) -> Result<Vec<String>, ControlError> {
        let config = take_live(&running.config, &wanted.config);
        let next = Loaded { config, ..wanted.clone() };
        let mut faults = Vec::new();
        check::check(&next.config, &next.places, &mut faults);
        if !faults.is_empty() {
            let text = crate::mgmt::config::Faults(faults);
            return Err(unchanged(format!("what acts now needs what waits for a restart\n\n{text}")));
        }
        let changed = differences(&running.config, &next.config);
        let touched = |wanted: Area| changed.iter().any(|d| area(&d.path) == Some(wanted));
        // From here on: the number of the rules to come must be nobody else's.
        let _one = lock(&self.asking);
        if !lenience.no_room {
            self.too_low(&running.config, &next.config).map_or(Ok(()), |why| Err(unchanged(why)))?;
            if touched(Area::Rules) {
                self.has_room()?;
            }
        }
        let rules = match touched(Area::Rules) {
            true if lenience.no_room => Some(self.compile(&next, lenience.refused_rules)?),
            true => Some(self.with_room(self.compile(&next, lenience.refused_rules)?, &next.config)?),
            false => None,
        };
        let renewed = match touched(Area::Outputs) {
            true => Some(self.new_outputs(running, &next, lenience.outputs)?),
            false => None,
        };
        last()?;
        let mut lines = Vec::new();
        if touched(Area::Services) {
            lines.extend(self.new_services(&next)?);
        }
        if let Some(rules) = rules {
            match self.publish_compiled(rules) {
                Ok(done) => lines.push(format!(
                    "rules: generation {}, {} loaded, {} refused",
                    done.generation, done.loaded, done.refused
                )),
                Err(error) => {
                    if touched(Area::Services) {
                        self.new_services(running)?;
                    }
                    return Err(error);
                }
            }
        }
        // Nothing fails from here on.
        *lock(&self.loaded) = Arc::new(next.clone());
        lines.extend(self.new_modes(&running.config, &next.config));
        if touched(Area::Workers) || touched(Area::Outputs) {
            self.tune_workers(&next.config);
        }
        if touched(Area::Workers) {
            lines.push("workers go by the new settings".into());
        }
        if let Some(renewed) = renewed {
            self.hand_over(renewed);
            lines.push("outputs changed".into());
        }
        if touched(Area::LogLevel) {
            let level = next.config.log.level;
            lines.push(match daemon_log::set_level(level) {
                true => format!("log: level {}", level.name()),
                false => "log: WEIR_LOG in the environment says the level".into(),
            });
        }
        Ok(lines)
    }

    fn new_services(&self, next: &Loaded) -> Result<Vec<String>, ControlError> {
        let applied = lock(&self.services).apply(&Layout::of(&next.config), &mut Post(self));
        applied.map(|applied| applied.lines).map_err(|faults| unchanged(faults.join("\n")))
    }

    /// Opened, but not in use yet.
    fn new_outputs(
        &self,
        running: &Loaded,
        next: &Loaded,
        opening: Opening,
    ) -> Result<Vec<Renewed>, ControlError> {
        let (before, after) = (convert::wanted(&self.at_start), convert::wanted(&next.config));
        if after.decodes() && !before.decodes() {
            return Err(unchanged(
                "records of transactions or files need memory that is taken at the start: restart weir for the first of their types",
            ));
        }
        outputs::renew(&running.config, &next.config, &self.rules, opening).map_err(unchanged)
    }

    fn new_modes(&self, running: &Config, next: &Config) -> Vec<String> {
        let mut lines = Vec::new();
        for (pair, (old, new)) in running.pairs.iter().zip(&next.pairs).enumerate() {
            if old.mode != new.mode {
                self.change_mode(pair, new.mode);
                lines.push(format!("pair {}: mode {}", new.ports.join(","), new.mode.name()));
            }
        }
        lines
    }
}
