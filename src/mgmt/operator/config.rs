//! The candidate, commits and revisions of a running appliance.

mod back;
mod desk;
mod force;
mod papers;

pub(super) use desk::Desk;

use super::{Operator, lock};
use crate::mgmt::config::edit::{self, Edit};
use crate::mgmt::config::entries::{differences, entries};
use crate::mgmt::config::explain::plain_key;
use crate::mgmt::config::print::{Notes, print};
use crate::mgmt::config::{Fault, Faults, Loaded, items};
use crate::mgmt::configure::*;
use crate::mgmt::control::ControlError;
use crate::mgmt::revisions::{State, Store};
use desk::Draft;
use std::path::PathBuf;

/// Bytes of a candidate; a request has at most four times that.
const LONGEST: usize = 1 << 20;

fn unchanged(why: impl ToString) -> ControlError {
    ControlError::Unchanged(why.to_string())
}

fn kept(error: impl ToString) -> ControlError {
    ControlError::Unkept(error.to_string())
}

/// Without what stands before the fault itself.
fn plain(error: &ControlError) -> String {
    match error {
        ControlError::Unchanged(why) => why.clone(),
        other => other.to_string(),
    }
}

/// Below a sentence of its own.
fn faulty(faults: Vec<Fault>) -> ControlError {
    ControlError::Unchanged(format!("the candidate has faults\n\n{}", Faults(faults)))
}

impl Operator {
    fn file(&self) -> Result<PathBuf, ControlError> {
        let file = self.loaded().file.clone();
        file.ok_or_else(|| unchanged("weir was started without a configuration file"))
    }

    fn store(&self, loaded: &Loaded) -> Result<Store, ControlError> {
        let changes = &loaded.config.changes;
        Ok(Store::new(changes.folder(&self.file()?), changes.keep))
    }

    /// The text of a configuration that is asked for, and what it says.
    fn asked_for(&self, which: Which) -> Result<(String, Loaded), ControlError> {
        let running = self.loaded();
        let text = match which {
            Which::Running => {
                let loaded = Loaded::clone(&running);
                let text = print(&mut loaded.config.clone(), &Notes::Origins(&loaded.places));
                return Ok((text, loaded));
            }
            Which::Candidate => lock(&self.desk).text().to_owned(),
            Which::Revision(number) => self.store(&running)?.read(number).map_err(unchanged)?.1,
        };
        let loaded = running.with_text(&name_of(which), &text).loaded;
        Ok((text, loaded))
    }

    /// Takes a text for the candidate, if every key of it can be read.
    fn adopt(&self, desk: &mut Desk, text: String, who: &str) -> Result<Compared, ControlError> {
        if text.len() > LONGEST {
            return Err(unchanged(format!(
                "a configuration of {} bytes is longer than {LONGEST}",
                text.len()
            )));
        }
        let candidate = self.loaded().with_text(&name_of(Which::Candidate), &text);
        if !candidate.unreadable.is_empty() {
            return Err(faulty(candidate.unreadable));
        }
        let draft = Draft { text, who: who.to_owned() };
        desk.draft = Some(draft).filter(|draft| draft.text != desk.committed);
        Ok(self.compared(desk, &desk.committed))
    }

    /// A change of what is committed, which a start anew by the watchdog is to find.
    fn at_desk<T>(
        &self,
        change: impl FnOnce(&mut Desk) -> Result<T, ControlError>,
    ) -> Result<T, ControlError> {
        let done = change(&mut lock(&self.desk));
        self.kept(done)
    }

    /// The candidate beside a text.
    fn compared(&self, desk: &Desk, with: &str) -> Compared {
        let running = self.loaded();
        let candidate = running.with_text(&name_of(Which::Candidate), desk.text());
        let before = running.with_text("", with).loaded.config;
        let faults = candidate.uneven.iter().map(ToString::to_string);
        Compared {
            differences: differences(&before, &candidate.loaded.config),
            faults: faults.chain(self.too_low(&running.config, &candidate.loaded.config)).collect(),
            by: desk.draft.as_ref().map(|draft| draft.who.clone()).unwrap_or_default(),
        }
    }

    /// An earlier revision in force again: without a number, the confirmed one before.
    fn roll_back(
        &self,
        desk: &mut Desk,
        to: Option<u32>,
        commit: &Commit,
        who: &str,
    ) -> Result<Committed, ControlError> {
        let store = self.store(&self.loaded())?;
        desk.recognise(&store).map_err(unchanged)?;
        // What waits goes back anyway: whoever wants that may have it at once, whatever the disk says.
        let back = desk.unconfirmed.as_ref().map(|waiting| waiting.back.number);
        if back.is_some_and(|back| to.is_none() || to == back) && commit.confirm.is_none() {
            return self.take_back(desk, who, &commit.comment);
        }
        desk.admit(who).map_err(unchanged)?;
        if let Some(draft) = &desk.draft {
            let by = &draft.who;
            return Err(unchanged(format!(
                "the candidate has changes by {by}: commit them, or drop them with `weir ctl config discard`"
            )));
        }
        let to = match to {
            Some(number) => number,
            None => desk
                .earlier(&store)
                .map_err(unchanged)?
                .ok_or_else(|| unchanged("there is no earlier revision that was confirmed and is another"))?,
        };
        let (_, text) = store.read(to).map_err(unchanged)?;
        if text == desk.committed && desk.unconfirmed.is_none() {
            return Err(unchanged(format!(
                "revision {to} is what is in force: there is nothing to roll back"
            )));
        }
        let comment = match commit.comment.as_str() {
            "" => format!("rollback to {to}"),
            own => format!("rollback to {to}: {own}"),
        };
        self.put(desk, text, &Commit { comment, ..commit.clone() }, who, State::WentBack)
    }

    /// What nobody confirmed in time goes back. Compiles rules, perhaps: for a blocking thread.
    pub fn turn_config(&self) {
        let mut desk = lock(&self.desk);
        let Some(unconfirmed) = desk.take_due(self.now()) else { return };
        let number = desk.number.unwrap_or_default();
        let comment = format!("revision {number} was not confirmed: {}", back::back_to(&unconfirmed));
        match self.go_back(&mut desk, &unconfirmed, "weir", comment) {
            Ok(back) => back::tell(&unconfirmed, &back.done, &back.unwritten),
            Err(error) => {
                tracing::error!(
                    "configuration: revision {number} stays in force, going back failed and is tried again: {error}"
                );
                desk.try_again(unconfirmed, self.now());
            }
        }
    }

    /// Whether [`turn_config`](Self::turn_config) has something to do.
    pub fn config_is_due(&self) -> bool {
        self.desk.try_lock().is_ok_and(|desk| desk.is_due(self.now()))
    }
}

/// As faults and origins call a text.
fn name_of(which: Which) -> String {
    match which {
        Which::Running => "running".into(),
        Which::Candidate => "candidate".into(),
        Which::Revision(number) => format!("revision {number}"),
    }
}

impl Configure for Operator {
    fn show(&self, which: Which) -> Result<String, ControlError> {
        self.asked_for(which).map(|(text, _)| text)
    }

    fn values(&self, which: Which, key: &str) -> Result<Vec<Setting>, ControlError> {
        let (_, loaded) = self.asked_for(which)?;
        let (plain, within) = (plain_key(key), format!("{}.", plain_key(key)));
        let numbered = plain != key;
        let meant = |path: &str| {
            let other = plain_key(path);
            let same = other == plain || other.starts_with(&within);
            same && (!numbered || path == key || path.starts_with(&format!("{key}.")))
        };
        let from = |path: &str| {
            let place = loaded.places.get(&path.replace('"', ""));
            place.map_or_else(|| "default".into(), |p| format!("{}:{}", p.source.name, p.line_column().0))
        };
        let all = entries(&loaded.config).into_iter().filter(|entry| key.is_empty() || meant(&entry.path));
        let found: Vec<Setting> = all
            .map(|entry| Setting { from: from(&entry.path), path: entry.path, value: entry.value })
            .collect();
        if found.is_empty() {
            crate::mgmt::config::explain::explain(key).map_err(ControlError::Unanswerable)?;
            if let Some(why) = items::absent(&loaded.config, key) {
                return Err(ControlError::Unanswerable(why));
            }
        }
        Ok(found)
    }

    fn edit(&self, edits: &[Edit], who: &str) -> Result<Compared, ControlError> {
        let running = self.loaded();
        for edit in edits {
            if let Some(set) = running.overridden(edit.key()) {
                return Err(unchanged(format!(
                    "`{}` has its value from `{set}` of weir's command line, which wins: start weir without that",
                    edit.key()
                )));
            }
        }
        let mut desk = lock(&self.desk);
        let text = edit::edit(desk.text(), edits).map_err(unchanged)?;
        self.adopt(&mut desk, text, who)
    }

    fn load(&self, text: Option<&str>, who: &str) -> Result<Compared, ControlError> {
        let mut desk = lock(&self.desk);
        let Some(text) = text else {
            let file = self.file()?;
            let text = crate::mgmt::config::text::read(&file).map_err(unchanged)?;
            let compared = self.adopt(&mut desk, text.clone(), who)?;
            desk.on_disk = text;
            return Ok(compared);
        };
        self.adopt(&mut desk, text.to_owned(), who)
    }

    fn compare(&self, with: Option<u32>) -> Result<Compared, ControlError> {
        let desk = lock(&self.desk);
        match with {
            None => Ok(self.compared(&desk, &desk.committed)),
            Some(number) => {
                let (_, text) = self.store(&self.loaded())?.read(number).map_err(unchanged)?;
                Ok(self.compared(&desk, &text))
            }
        }
    }

    fn commit(&self, commit: &Commit, who: &str) -> Result<Committed, ControlError> {
        self.at_desk(|desk| {
            desk.admit(who).map_err(unchanged)?;
            match desk.draft.as_ref().map(|draft| draft.text.clone()) {
                Some(text) => self.put(desk, text, commit, who, State::Confirmed),
                None if desk.unconfirmed.is_some() && commit.confirm.is_none() => self.settle(desk, who),
                None => {
                    Err(unchanged("the candidate is what was committed last: set something, or load a file"))
                }
            }
        })
    }

    fn confirm(&self, who: &str) -> Result<Committed, ControlError> {
        self.at_desk(|desk| self.settle(desk, who))
    }

    fn discard(&self) -> bool {
        lock(&self.desk).draft.take().is_some()
    }

    fn rollback(&self, to: Option<u32>, commit: &Commit, who: &str) -> Result<Committed, ControlError> {
        self.at_desk(|desk| self.roll_back(desk, to, commit, who))
    }

    fn take_up(&self, revision: u32, who: &str) -> Result<Compared, ControlError> {
        let (_, text) = self.store(&self.loaded())?.read(revision).map_err(unchanged)?;
        self.adopt(&mut lock(&self.desk), text, who)
    }

    fn history(&self) -> Result<History, ControlError> {
        let running = self.loaded();
        let store = self.store(&running)?;
        // Before the files are read: else one could be in force that is not among them yet.
        let mut desk = lock(&self.desk);
        desk.recognise(&store).map_err(unchanged)?;
        let mut revisions = store.list().map_err(unchanged)?;
        for revision in revisions.iter_mut().filter(|revision| desk.untold.contains(&revision.number)) {
            revision.state = State::WentBack;
        }
        Ok(History {
            revisions,
            current: desk.number,
            goes_back: desk.unconfirmed.as_ref().map(|waiting| GoesBack {
                at: waiting.until,
                to: waiting.back.number,
                who: waiting.who.clone(),
            }),
            deferred: self.deferred(&desk.committed),
        })
    }
}
