//! The files that tell of what is in force: revisions and the configuration file, in two steps, so that what can fail comes
//! before the change.

use super::desk::{Desk, Past, Unconfirmed};
use super::{kept, plain, unchanged};
use crate::io::clock::wall;
use crate::mgmt::config::{Loaded, text};
use crate::mgmt::configure::Committed;
use crate::mgmt::control::ControlError;
use crate::mgmt::operator::Operator;
use crate::mgmt::revisions::file::Prepared;
use crate::mgmt::revisions::{Coming, Revision, RevisionError, State, mend};
use std::io;
use std::path::Path;

/// Files that are written and not yet in their places.
#[derive(Default)]
pub(super) struct Papers {
    /// What was in force before the first commit.
    pub first: Option<Coming>,
    pub coming: Option<Coming>,
    /// Revisions that waited for a confirmation, in their new state.
    pub settled: Vec<Coming>,
    pub file: Option<Prepared>,
}

/// What became of papers.
pub(super) struct Kept {
    pub faults: Vec<String>,
    /// The coming revision is in its place.
    pub revision: bool,
    pub file: bool,
}

impl Papers {
    /// Into their places, as many as can be.
    pub fn keep(self) -> Kept {
        let mut faults = Vec::new();
        let mut told = |kept: Result<(), String>| kept.map_err(|fault| faults.push(fault)).is_ok();
        let revisions = self.first.into_iter().chain(self.settled);
        revisions.for_each(|revision| _ = told(revision.keep().map_err(|error| error.to_string())));
        let revision =
            self.coming.is_some_and(|revision| told(revision.keep().map_err(|error| error.to_string())));
        let file = self.file.is_some_and(|file| {
            let name = file.place().display().to_string();
            told(file.keep().map_err(|error| format!("{name}: {error}")))
        });
        Kept { faults, revision, file }
    }
}

/// Of the configuration file.
fn unwritable(file: &Path, error: &io::Error) -> ControlError {
    let other = "let weir write to its folder and replace it there (it may be neither a mount point nor immutable), or set \
                 config.write-file = false (then a commit holds until weir ends)";
    unchanged(format!("cannot write {}: {error}; {}", file.display(), mend(error, other)))
}

/// Fails where the configuration file could not be put into its place.
pub(super) fn can_be_kept(file: Option<&Prepared>) -> Result<(), ControlError> {
    let Some(file) = file else { return Ok(()) };
    file.try_place().map_err(|error| unwritable(file.place(), &error))
}

impl Operator {
    /// What tells of what is in force: whether the configuration file was written, or what was not.
    pub(super) fn keep(&self, desk: &mut Desk, papers: Papers) -> Result<bool, String> {
        let Kept { faults, revision, file } = papers.keep();
        if !revision {
            desk.number = None;
        }
        if file {
            desk.on_disk.clone_from(&desk.committed);
        }
        if faults.is_empty() {
            desk.untold.clear();
            Ok(file)
        } else {
            Err(faults.join("; "))
        }
    }

    /// What went back while that could not be written, to be told with what comes.
    pub(super) fn untold(&self, running: &Loaded, desk: &Desk) -> Result<Vec<Coming>, RevisionError> {
        self.restate_all(running, &desk.untold, State::WentBack)
    }

    /// What was unconfirmed stays. Without room for what tells of that nothing is settled.
    pub(super) fn settle(&self, desk: &mut Desk, who: &str) -> Result<Committed, ControlError> {
        let Some(waiting) = desk.unconfirmed.clone() else {
            return Err(unchanged("no commit waits for a confirmation"));
        };
        let running = self.loaded();
        let file = self.file()?;
        let still = |error: ControlError| unchanged(format!("{waiting} still: {}", plain(&error)));
        let written = self.file_to_be(desk, &file, &running, &desk.committed).map_err(still)?;
        let settled =
            self.restated(&running, &waiting, State::Confirmed).map_err(unchanged).map_err(still)?;
        let in_file = written.is_some();
        if let Some(prepared) = written {
            prepared.keep().map_err(|error| still(unwritable(&file, &error)))?;
            desk.on_disk.clone_from(&desk.committed);
        }
        desk.unconfirmed = None;
        let number = desk.number.unwrap_or_default();
        tracing::info!("configuration: revision {number} is confirmed by {who}");
        for revision in settled {
            revision.keep().map_err(kept)?;
        }
        let deferred = self.deferred(&desk.committed);
        Ok(Committed { number, deferred, file: in_file.then_some(file), ..Committed::default() })
    }

    /// The revisions that wait, in another state.
    pub(super) fn restated(
        &self,
        running: &Loaded,
        waiting: &Unconfirmed,
        state: State,
    ) -> Result<Vec<Coming>, RevisionError> {
        self.restate_all(running, &waiting.numbers, state)
    }

    fn restate_all(
        &self,
        running: &Loaded,
        numbers: &[u32],
        state: State,
    ) -> Result<Vec<Coming>, RevisionError> {
        let Ok(store) = self.store(running) else { return Ok(Vec::new()) };
        let restated = numbers.iter().map(|number| store.restate(*number, state));
        restated.filter_map(Result::transpose).collect()
    }

    /// The configuration file as it will be, if it is to be written and says something else.
    pub(super) fn file_to_be(
        &self,
        desk: &Desk,
        file: &Path,
        wanted: &Loaded,
        text: &str,
    ) -> Result<Option<Prepared>, ControlError> {
        if !wanted.config.changes.write_file || text == desk.on_disk {
            return Ok(None);
        }
        let name = file.display();
        let now = text::read(file).map_err(|unread| unchanged(format!("{unread}; put it back")))?;
        // Who loaded what he had written there has nothing to lose.
        if now != desk.on_disk && now != text {
            return Err(unchanged(format!(
                "{name} was changed by somebody else since weir read it, and would be written over; \
                 `weir ctl config load` without a file makes it the candidate"
            )));
        }
        Prepared::write(file, text.as_bytes()).map(Some).map_err(|error| unwritable(file, &error))
    }

    /// The revision to come among the papers, with its number and what it follows; before the first one of a
    /// folder, that of what was in force.
    pub(super) fn revision(
        &self,
        desk: &Desk,
        wanted: &Loaded,
        text: &str,
        revision: Revision,
        papers: &mut Papers,
    ) -> Result<(u32, Past), ControlError> {
        let store = self.store(wanted)?;
        let newest = store.newest().map_err(unchanged)?;
        // In another folder they go on from where they are.
        let mut number = newest.max(desk.number).unwrap_or(0);
        let mut before = desk.number_in(&store).map_err(unchanged)?;
        if before.is_none() {
            number += 1;
            let comment = match (desk.number, newest) {
                (Some(_), _) => "as it was before the commit into this folder",
                (None, None) => "as it was before the first commit",
                (None, Some(_)) => "as the configuration file had it",
            };
            let (time, who, comment) = (wall(self.started).micros(), "weir".into(), comment.to_owned());
            // What waits for a confirmation is not confirmed by being kept.
            let state = desk.unconfirmed.as_ref().map_or(State::Confirmed, |_| State::Unconfirmed);
            let first = Revision { number, time, who, comment, state };
            papers.first = Some(store.prepare(&first, &desk.committed).map_err(unchanged)?);
            before = Some(number);
        }
        number += 1;
        let revision = Revision { number, time: wall(self.now()).micros(), ..revision };
        papers.coming = Some(store.prepare(&revision, text).map_err(unchanged)?);
        Ok((number, Past { number: before, text: desk.committed.clone() }))
    }
}
