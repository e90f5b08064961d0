//! One generation of the rules in a worker's hands: the compiled rules, shared, and the memory to evaluate them with, the
//! worker's own. Management makes it; the worker only takes it into use and gives it back.

use super::Candidates;
use crate::app::Transactions;
use crate::inspect::cost::{CostBook, Sheet};
use crate::inspect::engine::Engine;
use crate::inspect::file_type::FileTypes;
use crate::inspect::matcher::Seen;
use crate::inspect::steps::PcreCaches;
use crate::inspect::transform::Bench;
use std::sync::Arc;

pub struct InForce {
    pub(super) engine: Arc<Engine>,
    pub(super) candidates: Candidates,
    pub(super) seen: Seen,
    pub(super) caches: PcreCaches,
    /// Where transformed buffers are made.
    pub(super) bench: Bench,
    /// Where somebody asked what the rules cost.
    pub(super) cost: Option<Arc<Sheet>>,
    /// Where a rule or a record asks what files are.
    types: Option<FileTypes>,
}

impl InForce {
    /// Allocates: about eight bytes a rule, four a pattern of the largest group.
    pub fn new(engine: Arc<Engine>) -> InForce {
        InForce {
            candidates: Candidates::new(engine.rules().rules.len(), engine.apps().most_by_payload()),
            seen: Seen::with_capacity(engine.max_patterns()),
            caches: PcreCaches::new(engine.pcres()),
            bench: Bench::new(&engine.rules().transforms),
            cost: None,
            types: None,
            engine,
        }
    }

    /// Has what its rules cost written into the book, with about 24 bytes a rule more.
    pub fn measured(self, book: &CostBook) -> InForce {
        InForce { cost: Some(book.open(&self.engine)), ..self }
    }

    /// With what tells the types of files.
    pub fn with_types(self, types: FileTypes) -> InForce {
        InForce { types: Some(types), ..self }
    }

    /// Says of the transactions' files what they are, as far as enough of them came.
    pub fn name_types(&self, transactions: &mut Transactions) {
        let Some(types) = self.types.as_ref().filter(|_| transactions.is_unswept()) else { return };
        for tx in transactions.iter_mut() {
            tx.name_types(|first, out| types.tell(first, out));
        }
    }

    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }
}
