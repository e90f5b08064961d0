//! Rules that are to be tried beside those in force: what workers share of them, and what management reads.

use crate::app::Announced;
use crate::base::WorkerId;
use crate::inspect::{Engine, HostState, Settings};
use crate::rules::RuleSet;
use crate::service::comparison::Comparison;
use std::sync::{Arc, OnceLock};

pub struct Candidate {
    pub engine: Arc<Engine>,
    /// Slots of a worker's session table.
    pub sessions: usize,
    comparisons: Box<[Arc<Comparison>]>,
    /// Keyed by host, and sessions that others announced: not those of the rules in force.
    shared: OnceLock<(Arc<HostState>, Arc<Announced>)>,
}

impl Candidate {
    pub fn new(engine: Arc<Engine>, in_force: &RuleSet, workers: usize, sessions: usize) -> Candidate {
        let ids = Comparison::ids([in_force, engine.rules()]);
        let comparisons = (0..workers).map(|_| Arc::new(Comparison::new(Arc::clone(&ids)))).collect();
        Candidate { engine, sessions, comparisons, shared: OnceLock::new() }
    }

    /// By worker.
    pub fn comparisons(&self) -> &[Arc<Comparison>] {
        &self.comparisons
    }

    pub fn comparison(&self, worker: WorkerId) -> Option<&Arc<Comparison>> {
        self.comparisons.get(worker.index())
    }

    pub(super) fn shared(&self, settings: &Settings) -> (Arc<HostState>, Arc<Announced>) {
        let (hosts, announced) =
            self.shared.get_or_init(|| (Arc::new(HostState::new(settings)), Arc::default()));
        (Arc::clone(hosts), Arc::clone(announced))
    }
}
