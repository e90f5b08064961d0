//! A candidate of rules beside those in force, on all workers.

use super::mail::Mail;
use super::manager::Manager;
use crate::base::WorkerId;
use crate::service::idp::{Candidate, NAME};
use crate::service::services::Command;
use std::sync::Arc;

impl Manager {
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// Has the candidate judge what the rules in force judge, on all workers or on none.
    pub fn begin_shadow(&mut self, candidate: &Arc<Candidate>, mail: &mut dyn Mail) -> Result<(), String> {
        let Some(plugin) = self.named(NAME) else {
            return Err("no service set inspects, so nothing can run beside it".into());
        };
        for worker in 0..self.workers {
            let control = self.instance(plugin).map(|instance| &instance.control);
            let made = control.and_then(|control| control.shadow(&**candidate, WorkerId(worker as u8)));
            let Some(made) = made else { return Err("detection cannot try rules here".into()) };
            match mail.send(worker, Command::Shadow(plugin, Some(made))) {
                Ok(before) => self.absorb(worker, before),
                Err(error) => {
                    self.end_shadow(mail);
                    return Err(error.to_string());
                }
            }
        }
        Ok(())
    }

    /// Takes it back from all workers. One that does not answer in time gives it back at its next turn.
    pub fn end_shadow(&mut self, mail: &mut dyn Mail) {
        let Some(plugin) = self.named(NAME) else { return };
        for worker in 0..self.workers {
            self.tell(worker, Command::Shadow(plugin, None), mail);
        }
    }
}
