//! What management asks of the configuration of a running appliance: the candidate, what is in force, revisions.
//!
//! There is one candidate for everybody. Calls may compile rules and ask workers, so they belong on a blocking thread.

use crate::base::Time;
use crate::mgmt::config::edit::Edit;
use crate::mgmt::config::entries::Difference;
use crate::mgmt::control::ControlError;
use crate::mgmt::revisions::Revision;
use std::path::PathBuf;
use std::time::Duration;

/// A configuration that is asked for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// What the appliance goes by now.
    Running,
    /// The text that edits change; without edits, what was committed last.
    Candidate,
    Revision(u32),
}

/// A value with the place it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub path: String,
    /// As TOML.
    pub value: String,
    pub from: String,
}

/// The candidate, compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    pub differences: Vec<Difference>,
    /// What does not hold together yet: a commit refuses it.
    pub faults: Vec<String>,
    /// Who changed the candidate last; empty without one.
    pub by: String,
}

/// How a configuration is put in force.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// It goes back by itself after so long, unless confirmed.
    pub confirm: Option<Duration>,
    /// What needs a restart is written and waits for one; otherwise nothing is changed.
    pub defer_restart: bool,
    /// Rules that are refused are left out, as at a start; otherwise nothing is changed.
    pub accept_refused: bool,
    pub comment: String,
}

/// What a commit came to.
#[derive(Clone, Debug, Default)]
pub struct Committed {
    pub number: u32,
    /// What was changed, in words.
    pub lines: Vec<String>,
    /// What waits for a restart.
    pub deferred: Vec<Difference>,
    /// The configuration file, where it was written.
    pub file: Option<PathBuf>,
    /// It goes back at this time, unless confirmed.
    pub back_at: Option<Time>,
}

/// What happens unless what is in force is confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoesBack {
    pub at: Time,
    /// None where no revision tells of what was before.
    pub to: Option<u32>,
    /// Whose commit waits: nobody else's confirms it.
    pub who: String,
}

/// The revisions there are.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The newest first.
    pub revisions: Vec<Revision>,
    /// The one in force; none before the first commit.
    pub current: Option<u32>,
    pub goes_back: Option<GoesBack>,
    /// What waits for a restart.
    pub deferred: Vec<Difference>,
}

/// The configuration of a running appliance. `who`: as revisions tell it.
pub trait Configure: Send + Sync {
    fn show(&self, which: Which) -> Result<String, ControlError>;
    /// What a key has, or all keys of a section.
    fn values(&self, which: Which, key: &str) -> Result<Vec<Setting>, ControlError>;
    fn edit(&self, edits: &[Edit], who: &str) -> Result<Compared, ControlError>;
    /// Another candidate; without a text, the configuration file as it is now.
    fn load(&self, text: Option<&str>, who: &str) -> Result<Compared, ControlError>;
    /// What the candidate changes of what was committed last, or of a revision.
    fn compare(&self, with: Option<u32>) -> Result<Compared, ControlError>;
    /// Without edits it confirms what waits for that, as a further commit does; who waits is nobody else's to confirm so.
    fn commit(&self, commit: &Commit, who: &str) -> Result<Committed, ControlError>;
    /// Anybody's.
    fn confirm(&self, who: &str) -> Result<Committed, ControlError>;
    /// The candidate is what was committed last again; whether it was another.
    fn discard(&self) -> bool;
    /// Puts a revision in force as a new one; without a number, the newest confirmed one that is another. What waits for a
    /// confirmation goes back at once, whoever asks.
    fn rollback(&self, to: Option<u32>, commit: &Commit, who: &str) -> Result<Committed, ControlError>;
    /// Makes a revision the candidate.
    fn take_up(&self, revision: u32, who: &str) -> Result<Compared, ControlError>;
    fn history(&self) -> Result<History, ControlError>;
}
