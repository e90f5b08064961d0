//! How the manager reaches the workers.

use crate::mgmt::control::ControlError;
use crate::service::services::{Command, InUse, Retired};
use std::time::Duration;

/// Rows that one look at a worker's chains and policies can bring.
pub const IN_USE_ROWS: usize = 4096;

/// Questions to workers, each with its answer. The operator has one over mailboxes; tests turn the workers themselves.
pub trait Mail {
    fn workers(&self) -> usize;
    fn send(&mut self, worker: usize, command: Command) -> Result<Retired, ControlError>;
    /// Something that the worker no longer uses, or a policy superseded so long ago.
    fn retire(&mut self, worker: usize, age: Duration) -> Result<Retired, ControlError>;
    fn in_use(&mut self, worker: usize) -> Result<Vec<InUse>, ControlError>;
    /// Answers that came after their question was given up.
    fn late(&mut self) -> Vec<(usize, Retired)>;
}
