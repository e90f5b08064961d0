//! Configurations that were committed, each a file under its number.
//!
//! Owes: what was committed when by whom, whole after a power cut at any moment, and no more than are to be kept. A file is a
//! configuration as it was, under a first line that is a comment and tells of the commit; what is no such file is left alone.

pub mod file;
#[cfg(test)]
mod tests;

use crate::base::Time;
use file::Prepared;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::PathBuf;

/// Begins the first line, before a JSON object.
const HEAD: &str = "#weir-revision ";

/// What is said of a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    pub number: u32,
    /// Microseconds since the Unix epoch.
    pub time: u64,
    pub who: String,
    /// What changed, or why.
    pub comment: String,
}

impl Revision {
    pub fn at(&self) -> Time {
        Time::from_micros(self.time)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum RevisionError {
    #[error("{path}: {error}; give weir a folder that it may write to as config.revisions")]
    Folder { path: PathBuf, error: io::Error },
    #[error("there is no revision {number}; there are {there}")]
    Absent { number: u32, there: String },
    #[error("{path} is no revision any more: its first line is not as weir wrote it")]
    Damaged { path: PathBuf },
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
            Err(error) => Revision { number: *number, comment: error.to_string(), ..Revision::default() },
        };
        Ok(numbers.iter().rev().map(told).collect())
    }

    pub fn newest(&self) -> Result<Option<u32>, RevisionError> {
        Ok(self.numbers()?.last().copied())
    }

    /// The newest before this one.
    pub fn before(&self, number: u32) -> Result<Option<u32>, RevisionError> {
        Ok(self.numbers()?.into_iter().rev().find(|other| *other < number))
    }

    /// What was committed, and the configuration as it was then.
    pub fn read(&self, number: u32) -> Result<(Revision, String), RevisionError> {
        let path = self.path(number);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(self.absent(number)),
            text => text.map_err(|error| RevisionError::Folder { path: path.clone(), error })?,
        };
        let (head, text) = text.split_once('\n').unwrap_or((&text, ""));
        let revision = head.strip_prefix(HEAD).and_then(|json| serde_json::from_str::<Revision>(json).ok());
        match revision {
            Some(revision) => Ok((Revision { number, ..revision }, text.to_owned())),
            None => Err(RevisionError::Damaged { path }),
        }
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
        let head = serde_json::to_string(revision).map_err(|error| self.fault(error.into()))?;
        file::make_folder(&self.folder).map_err(|error| self.fault(error))?;
        let bytes = format!("{HEAD}{head}\n{text}");
        let file = Prepared::write(&self.path(revision.number), bytes.as_bytes());
        Ok(Coming { file: file.map_err(|error| self.fault(error))?, store: self.clone() })
    }

    /// Deletes the oldest beyond those to be kept.
    fn prune(&self) -> Result<(), RevisionError> {
        let numbers = self.numbers()?;
        for number in numbers.iter().rev().skip(self.keep.max(1)) {
            fs::remove_file(self.path(*number)).map_err(|error| self.fault(error))?;
        }
        Ok(())
    }
}

impl Coming {
    pub fn keep(self) -> Result<(), RevisionError> {
        let Coming { file, store } = self;
        file.keep().map_err(|error| store.fault(error))?;
        store.prune()
    }
}

fn number_of(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".toml")?;
    (digits.len() >= 6 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}
