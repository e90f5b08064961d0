//! Configurations that were committed, each a file under its number.
//!
//! Owes: what was committed when by whom and whether it was confirmed, whole after a power cut at any moment, and no more than
//! are to be kept. A file is a configuration as it was, under a first line that is a comment and tells of the commit; a damaged
//! one is named and never loaded, what is no such file is left alone.

pub mod file;
mod form;
#[cfg(test)]
mod tests;

use crate::base::Time;
use crate::mgmt::config::text;
use crate::mgmt::leftovers;
use crate::rules::source::read_bounded;
use file::Prepared;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::PathBuf;

/// Bytes of a file of it: of a configuration, and of what is said of the commit.
const MOST: u64 = text::MOST + (64 << 10);

/// What became of a commit.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Committed for good, or confirmed.
    #[default]
    Confirmed,
    /// To be confirmed; one that is not in force was cut off from that, as by a power cut.
    Unconfirmed,
    /// Not confirmed in time, or taken back.
    WentBack,
    /// The file cannot be read: is never written.
    #[serde(skip)]
    Damaged,
}

/// What is said of a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    pub number: u32,
    /// Microseconds since the Unix epoch.
    pub time: u64,
    pub who: String,
    /// What changed, or why.
    pub comment: String,
    pub state: State,
}

impl Revision {
    pub fn at(&self) -> Time {
        Time::from_micros(self.time)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum RevisionError {
    #[error(
        "{path}: {error}; {}",
        mend(error, "give weir a folder that it may write to as config.revisions")
    )]
    Folder { path: PathBuf, error: io::Error },
    #[error("there is no revision {number}; there are {there}")]
    Absent { number: u32, there: String },
    #[error(
        "{path} is damaged and is not used: {why}; take another revision, or put the file back from a copy"
    )]
    Damaged { path: PathBuf, why: String },
}

/// What helps where something cannot be written: room where there is none, else something else.
pub fn mend<'a>(error: &io::Error, other: &'a str) -> &'a str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room on its disk",
        _ => other,
    }
}

/// A folder of revisions.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
    keep: usize,
}

/// A revision that is written and not yet in its place.
#[derive(Debug)]
pub struct Coming {
    file: Prepared,
    store: Store,
}

impl Store {
    pub fn new(folder: PathBuf, keep: u32) -> Store {
        Store { folder, keep: keep as usize }
    }

    fn fault(&self, error: io::Error) -> RevisionError {
        RevisionError::Folder { path: self.folder.clone(), error }
    }

    fn path(&self, number: u32) -> PathBuf {
        self.folder.join(format!("{number:06}.toml"))
    }

    /// Their numbers, ascending.
    fn numbers(&self) -> Result<Vec<u32>, RevisionError> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| self.fault(error))?,
        };
        let mut numbers = Vec::new();
        for entry in entries {
            let name = entry.map_err(|error| self.fault(error))?.file_name();
            numbers.extend(name.to_str().and_then(number_of));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// All, the newest first. A damaged one is listed with what can be said of it.
    pub fn list(&self) -> Result<Vec<Revision>, RevisionError> {
        let numbers = self.numbers()?;
        let told = |number: &u32| match self.read(*number) {
            Ok((revision, _)) => revision,
            Err(error) => {
                let (state, comment) = (State::Damaged, error.to_string());
                Revision { number: *number, comment, state, ..Revision::default() }
            }
        };
        Ok(numbers.iter().rev().map(told).collect())
    }

    pub fn newest(&self) -> Result<Option<u32>, RevisionError> {
        Ok(self.numbers()?.last().copied())
    }

    /// The newest one that is as wanted, among those before a number or all. Damaged ones are passed over.
    pub fn find(
        &self,
        before: Option<u32>,
        wanted: impl Fn(&Revision, &str) -> bool,
    ) -> Result<Option<u32>, RevisionError> {
        let numbers = self.numbers()?;
        let candidates = numbers.iter().rev().filter(|number| before.is_none_or(|before| **number < before));
        let good = |number: &&u32| self.read(**number).is_ok_and(|(revision, text)| wanted(&revision, &text));
        Ok(candidates.into_iter().find(good).copied())
    }

    /// What was committed, and the configuration as it was then.
    pub fn read(&self, number: u32) -> Result<(Revision, String), RevisionError> {
        let path = self.path(number);
        let bytes = match read_bounded(&path, MOST) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(self.absent(number)),
            bytes => bytes.map_err(|error| RevisionError::Folder { path: path.clone(), error })?,
        };
        let (revision, text) =
            form::read(&bytes).map_err(|why| RevisionError::Damaged { path: path.clone(), why })?;
        if revision.number != number {
            let why = format!("it tells of revision {}", revision.number);
            return Err(RevisionError::Damaged { path, why });
        }
        Ok((revision, text))
    }

    fn absent(&self, number: u32) -> RevisionError {
        let numbers = self.numbers().unwrap_or_default();
        let there = match (numbers.first(), numbers.last()) {
            (Some(first), Some(last)) if first == last => first.to_string(),
            (Some(first), Some(last)) => format!("{first} to {last}"),
            _ => "none".into(),
        };
        RevisionError::Absent { number, there }
    }

    /// Writes a revision beside its place.
    pub fn prepare(&self, revision: &Revision, text: &str) -> Result<Coming, RevisionError> {
        let bytes = form::write(revision, text).map_err(|error| self.fault(error.into()))?;
        file::make_folder(&self.folder).map_err(|error| self.fault(error))?;
        // The folder is ours alone, and revisions that come have other numbers than those that did not.
        leftovers::remove(&self.folder, file::writer);
        let file = Prepared::write(&self.path(revision.number), &bytes);
        Ok(Coming { file: file.map_err(|error| self.fault(error))?, store: self.clone() })
    }

    /// The same revision in another state; none where it is not there (any more) or damaged.
    pub fn restate(&self, number: u32, state: State) -> Result<Option<Coming>, RevisionError> {
        match self.read(number) {
            Ok((revision, text)) => self.prepare(&Revision { state, ..revision }, &text).map(Some),
            Err(error @ RevisionError::Folder { .. }) => Err(error),
            Err(RevisionError::Absent { .. } | RevisionError::Damaged { .. }) => Ok(None),
        }
    }

    /// Deletes the oldest beyond those to be kept, but for the last one that was confirmed: unconfirmed ones go back to it.
    fn prune(&self) -> Result<(), RevisionError> {
        let mut newest_first = self.numbers()?;
        newest_first.reverse();
        let old = newest_first.split_off(self.keep.max(1).min(newest_first.len()));
        if old.is_empty() {
            return Ok(());
        }
        let confirmed = |number: &u32| self.read(*number).is_ok_and(|(r, _)| r.state == State::Confirmed);
        let last = newest_first.iter().chain(&old).copied().find(confirmed);
        for number in old.into_iter().filter(|number| Some(*number) != last) {
            fs::remove_file(self.path(number)).map_err(|error| self.fault(error))?;
        }
        Ok(())
    }
}

impl Coming {
    /// Into its place. Old ones that cannot be deleted are told of, and no reason to fail.
    pub fn keep(self) -> Result<(), RevisionError> {
        let Coming { file, store } = self;
        file.keep().map_err(|error| store.fault(error))?;
        if let Err(error) = store.prune() {
            tracing::warn!("configuration: the oldest revisions stay: {error}");
        }
        Ok(())
    }
}

fn number_of(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".toml")?;
    (digits.len() >= 6 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}
