//! Putting a configuration in force: everything that can fail first, then the change, then what tells of it.

use super::desk::{Desk, Past};
use super::{faulty, name_of, unchanged};
use crate::mgmt::areas::{Area, area};
use crate::mgmt::config::entries::{Difference, differences, take_live};
use crate::mgmt::config::visit::Change;
use crate::mgmt::config::{Config, Loaded, check};
use crate::mgmt::configure::{Commit, Committed, Which};
use crate::mgmt::control::ControlError;
use crate::mgmt::operator::{Operator, Post, lock};
use crate::mgmt::outputs::{self, Renewed};
use crate::mgmt::revisions::file::Prepared;
use crate::mgmt::revisions::{Coming, Revision};
use crate::mgmt::services::Layout;
use crate::mgmt::{convert, daemon_log, start};
use std::path::PathBuf;
use std::sync::Arc;

/// Most differences that a sentence names.
const NAMED: usize = 20;

fn kept(error: impl std::fmt::Display) -> ControlError {
    ControlError::Unkept(error.to_string())
}

fn paths(differences: &[Difference]) -> String {
    let named: Vec<&str> = differences.iter().take(NAMED).map(|d| d.path.as_str()).collect();
    let more = differences.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    named.join(", ") + &more
}

fn restart(old: &Config, new: &Config) -> Vec<Difference> {
    differences(old, new).into_iter().filter(|d| d.change == Change::Restart).collect()
}

impl Operator {
    /// A text as the new configuration.
    pub(super) fn put(
        &self,
        desk: &mut Desk,
        text: String,
        commit: &Commit,
        who: &str,
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
        let written = self.file_to_be(desk, &file, &wanted, &text)?;
        let (first, coming, number) = self.revision(desk, &wanted, &text, commit, who)?;
        let past = Past { number: number - 1, text: desk.committed.clone() };
        let lines = self.put_in_force(&running, &wanted, commit.accept_refused)?;
        tracing::info!("configuration: revision {number} by {who} is in force: {}", lines.join("; "));
        let back_at = commit.confirm.map(|span| self.now().plus(span));
        desk.put(number, text, past, back_at);
        first.map_or(Ok(()), Coming::keep).map_err(kept)?;
        coming.keep().map_err(kept)?;
        // What waits for a confirmation must not be what a power cut starts with.
        let written = written.filter(|_| back_at.is_none());
        let in_file = written.is_some();
        if let Some(prepared) = written {
            prepared.keep().map_err(|error| kept(format!("{}: {error}", file.display())))?;
            desk.on_disk.clone_from(&desk.committed);
        }
        let deferred = self.deferred(&desk.committed);
        Ok(Committed { number, lines, deferred, file: in_file.then_some(file), back_at })
    }

    /// What was unconfirmed stays.
    pub(super) fn settle(&self, desk: &mut Desk, who: &str) -> Result<Committed, ControlError> {
        let file = self.file()?;
        let written = self.file_to_be(desk, &file, &self.loaded(), &desk.committed)?;
        let in_file = written.is_some();
        if let Some(prepared) = written {
            prepared.keep().map_err(|error| kept(format!("{}: {error}", file.display())))?;
            desk.on_disk.clone_from(&desk.committed);
        }
        desk.unconfirmed = None;
        let number = desk.number.unwrap_or_default();
        tracing::info!("configuration: revision {number} is confirmed by {who}");
        let deferred = self.deferred(&desk.committed);
        Ok(Committed { number, deferred, file: in_file.then_some(file), ..Committed::default() })
    }

    /// What was committed and waits for a restart.
    pub(super) fn deferred(&self, committed: &str) -> Vec<Difference> {
        let running = self.loaded();
        restart(&running.config, &running.with_text("", committed).loaded.config)
    }

    /// The configuration file as it will be, if it is to be written and says something else.
    fn file_to_be(
        &self,
        desk: &Desk,
        file: &PathBuf,
        wanted: &Loaded,
        text: &str,
    ) -> Result<Option<Prepared>, ControlError> {
        if !wanted.config.changes.write_file || text == desk.on_disk {
            return Ok(None);
        }
        let name = file.display();
        let now = std::fs::read_to_string(file);
        let now = now.map_err(|error| unchanged(format!("cannot read {name}: {error}; put it back")))?;
        if now != desk.on_disk {
            return Err(unchanged(format!(
                "{name} was changed by somebody else since weir read it, and would be written over; \
                 `weir ctl config load` makes it the candidate"
            )));
        }
        Prepared::write(file, text.as_bytes()).map(Some).map_err(|error| {
            unchanged(format!(
                "cannot write {name}: {error}; let weir write to its folder, or set config.write-file = false (then a commit \
                 holds until weir ends)"
            ))
        })
    }

    /// The revision to come and its number; before the first one, that of what was in force.
    fn revision(
        &self,
        desk: &mut Desk,
        wanted: &Loaded,
        text: &str,
        commit: &Commit,
        who: &str,
    ) -> Result<(Option<Coming>, Coming, u32), ControlError> {
        let store = self.store(wanted)?;
        desk.recognise(&store).map_err(unchanged)?;
        let newest = store.newest().map_err(unchanged)?;
        let mut number = newest.unwrap_or(0);
        let mut first = None;
        if desk.number.is_none() || desk.number != newest {
            number += 1;
            let comment = "as it was before the first commit".to_owned();
            let revision = Revision { number, time: self.started.micros(), who: "weir".into(), comment };
            first = Some(store.prepare(&revision, &desk.committed).map_err(unchanged)?);
        }
        number += 1;
        let (time, comment) = (self.now().micros(), commit.comment.clone());
        let revision = Revision { number, time, who: who.to_owned(), comment };
        let coming = store.prepare(&revision, text).map_err(unchanged)?;
        Ok((first, coming, number))
    }

    /// The live differences, all or none. What was done, in words.
    fn put_in_force(
        &self,
        running: &Loaded,
        wanted: &Loaded,
        accept_refused: bool,
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
        let rules = match touched(Area::Rules) {
            true => Some(self.compile(&next, accept_refused)?),
            false => None,
        };
        let renewed = match touched(Area::Outputs) {
            true => Some(self.new_outputs(running, &next)?),
            false => None,
        };
        let mut lines = Vec::new();
        if touched(Area::Services) {
            lines.extend(self.new_services(&next)?);
        }
        if let Some(rules) = rules {
            match self.publish(rules) {
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
    fn new_outputs(&self, running: &Loaded, next: &Loaded) -> Result<Vec<Renewed>, ControlError> {
        let (before, after) = (convert::wanted(&self.at_start), convert::wanted(&next.config));
        if after.decodes() && !before.decodes() {
            return Err(unchanged(
                "records of transactions or files need memory that is taken at the start: restart weir for the first of their types",
            ));
        }
        outputs::renew(&running.config, &next.config, &self.rules).map_err(unchanged)
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
