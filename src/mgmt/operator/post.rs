//! Questions to the workers: through their mailboxes, each with its answer.

use super::{Operator, lock};
use crate::mgmt::control::ControlError;
use crate::mgmt::services::mail::{IN_USE_ROWS, Mail};
use crate::pipeline::mailbox::{Answer, Command};
use crate::service::services::{self, InUse, Retired};
use std::time::Duration;

/// How long a worker may take to answer: a turn takes microseconds, a preempted one milliseconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// Between two looks into a mailbox.
pub(super) const LOOK: Duration = Duration::from_millis(1);

/// Answers that questions were too impatient for: each worker answers every command once, in order.
#[derive(Default)]
pub(super) struct Answers {
    /// By worker: how many are to come that nobody waits for.
    owed: Vec<usize>,
    late: Vec<(usize, Retired)>,
}

impl Answers {
    /// By worker: as many as were promised before anybody asked.
    pub(super) fn owing(owed: Vec<usize>) -> Answers {
        Answers { owed, late: Vec::new() }
    }
}

impl Operator {
    /// Sends a command to a worker and waits for its answer, of which `wanted` picks the kind.
    pub(super) fn ask<T>(
        &self,
        worker: usize,
        command: Command,
        wanted: impl Fn(Answer) -> Option<T>,
    ) -> Result<T, ControlError> {
        let mut answers = lock(&self.answers);
        let (mut command, mut waited) = (Some(command), Duration::ZERO);
        while waited < PATIENCE {
            let mut handle = self.handle();
            if handle.board.is_stopped() {
                return Err(ControlError::Stopping);
            }
            if let Some(unsent) = command.take() {
                command = handle.command(worker, unsent).err();
            }
            while let Some(answer) = handle.answer(worker) {
                match answers.owed.get_mut(worker) {
                    Some(owed) if *owed > 0 => {
                        *owed -= 1;
                        answers.late.extend(retired(answer).map(|retired| (worker, retired)));
                    }
                    _ => return wanted(answer).ok_or(ControlError::Busy { worker: worker as u32 }),
                }
            }
            drop(handle);
            std::thread::park_timeout(LOOK);
            waited += LOOK;
        }
        if let Some(owed) = answers.owed.get_mut(worker).filter(|_| command.is_none()) {
            *owed += 1;
        }
        Err(ControlError::Busy { worker: worker as u32 })
    }
}

fn retired(answer: Answer) -> Option<Retired> {
    match answer {
        Answer::Retired(retired) => Some(retired),
        _ => None,
    }
}

/// The workers' mailboxes, for the manager of services.
pub(super) struct Post<'a>(pub(super) &'a Operator);

impl Mail for Post<'_> {
    fn workers(&self) -> usize {
        self.0.handle().workers()
    }

    fn send(&mut self, worker: usize, command: services::Command) -> Result<Retired, ControlError> {
        self.0.ask(worker, Command::Services(command), retired)
    }

    fn retire(&mut self, worker: usize, age: Duration) -> Result<Retired, ControlError> {
        self.0.ask(worker, Command::Retire { age }, retired)
    }

    fn in_use(&mut self, worker: usize) -> Result<Vec<InUse>, ControlError> {
        self.0.ask(worker, Command::InUse(Vec::with_capacity(IN_USE_ROWS)), |answer| match answer {
            Answer::InUse(rows) => Some(rows),
            _ => None,
        })
    }

    fn late(&mut self) -> Vec<(usize, Retired)> {
        std::mem::take(&mut lock(&self.0.answers).late)
    }
}
