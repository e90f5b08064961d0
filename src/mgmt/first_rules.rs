//! The rules of the start, compiled while frames go by what their pairs say (`pair.inactive-action`).

use crate::mgmt::operator::Operator;
use crate::mgmt::patience::Patience;
use crate::mgmt::start::{RulesAtStart, StartError};
use std::sync::{Arc, Mutex, PoisonError};

/// Reads and compiles them, and tells what was refused.
pub type Prepare = Box<dyn FnOnce() -> Result<RulesAtStart, StartError> + Send>;

/// Rules that are to come.
pub struct Awaited {
    prepare: Prepare,
    failed: Failed,
}

/// Why they did not come.
#[derive(Clone, Default)]
pub struct Failed(Arc<Mutex<Option<StartError>>>);

impl Failed {
    pub fn take(&self) -> Option<StartError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, error: StartError) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

impl Awaited {
    pub fn new(prepare: Prepare) -> Awaited {
        Awaited { prepare, failed: Failed::default() }
    }

    pub fn failed(&self) -> Failed {
        self.failed.clone()
    }

    /// Compiles them and gives them to the workers. If that cannot be, the appliance stops: a line that was to be inspected is
    /// not to go on without.
    pub fn bring(self, operator: &Operator) {
        let _patience = Patience::ask();
        let brought = (self.prepare)().and_then(|rules| {
            operator.take_first(&rules).map_err(|error| StartError::FirstRules(error.to_string()))
        });
        match brought {
            Ok(rules) => tracing::info!("the first policy is active: generation 1, {rules} rules"),
            // It ends before they came, which is no fault of theirs.
            Err(_) if operator.is_stopping() => {}
            Err(error) => {
                self.failed.set(error);
                operator.end();
            }
        }
    }
}
