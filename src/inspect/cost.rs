//! What rules cost: how often each was evaluated, how often it matched, how long that took, and how many candidates packets
//! and transactions had.
//!
//! Gathered only where somebody asked for it ([`CostBook`]); otherwise a turn costs one look at an `Option`. A worker has one
//! [`Sheet`] a generation, allocated when that is made ready; only the worker writes it, anyone may read it. A reading of
//! the counter lies between two evaluations, so an evaluation's time holds one reading, and in a replay by several workers
//! what it waited for the others.

use super::engine::Engine;
use super::group::fast_pattern;
use super::kind::Class;
use crate::base::counters::Counter;
use crate::base::{Generation, RuleIndex};
use crate::io::clock::Ticks;
use crate::rules::app::AppProto;
use std::sync::{Arc, Mutex, PoisonError};

mod distribution;

use distribution::Distribution;
pub use distribution::Quantiles;

/// One rule's counts, of one worker.
#[derive(Debug, Default)]
struct Entry {
    checks: Counter,
    matches: Counter,
    ticks: Counter,
}

/// One worker's and one generation's.
#[derive(Debug)]
pub(super) struct Sheet {
    generation: Generation,
    ticks: Ticks,
    rules: Box<[Entry]>,
    packets: [Distribution; Class::ALL.len()],
    transactions: Box<[Distribution]>,
    /// Finding candidates: groups and fast patterns.
    search: Counter,
}

impl Sheet {
    fn new(engine: &Engine, ticks: Ticks) -> Sheet {
        Sheet {
            generation: engine.generation(),
            ticks,
            rules: engine.rules().rules.iter().map(|_| Entry::default()).collect(),
            packets: Default::default(),
            transactions: AppProto::ALL.iter().map(|_| Distribution::default()).collect(),
            search: Counter::new(),
        }
    }

    /// To be taken before candidates are searched, or rules evaluated.
    pub(super) fn meter(&self) -> Metering<'_> {
        Metering { sheet: self, at: (self.ticks.read)(), evaluated: 0 }
    }
}

/// Told what a turn does.
pub(super) trait Meter {
    /// Candidates have been searched since the last call.
    fn searched(&mut self);
    /// A rule has been evaluated since the last call.
    fn evaluated(&mut self, rule: RuleIndex, matched: bool);
    /// What was evaluated was all for this packet, or for this window of its stream.
    fn packet(&mut self, class: Class);
    /// What was evaluated was all for this look at a transaction.
    fn transaction(&mut self, proto: AppProto);
}

/// Nobody asked.
pub(super) struct Unmetered;

impl Meter for Unmetered {
    #[inline(always)]
    fn searched(&mut self) {}
    #[inline(always)]
    fn evaluated(&mut self, _: RuleIndex, _: bool) {}
    #[inline(always)]
    fn packet(&mut self, _: Class) {}
    #[inline(always)]
    fn transaction(&mut self, _: AppProto) {}
}

/// Writes a worker's sheet.
pub(super) struct Metering<'s> {
    sheet: &'s Sheet,
    /// The counter when it was read last.
    at: u64,
    evaluated: u64,
}

impl Metering<'_> {
    fn passed(&mut self) -> u64 {
        let now = (self.sheet.ticks.read)();
        now.saturating_sub(std::mem::replace(&mut self.at, now))
    }
}

impl Meter for Metering<'_> {
    fn searched(&mut self) {
        let passed = self.passed();
        self.sheet.search.add(passed);
    }

    fn evaluated(&mut self, rule: RuleIndex, matched: bool) {
        let passed = self.passed();
        self.evaluated += 1;
        if let Some(entry) = self.sheet.rules.get(rule.index()) {
            entry.checks.add(1);
            entry.matches.add(u64::from(matched));
            entry.ticks.add(passed);
        }
    }

    fn packet(&mut self, class: Class) {
        if let Some(distribution) = self.sheet.packets.get(class as usize) {
            distribution.add(std::mem::take(&mut self.evaluated));
        }
    }

    fn transaction(&mut self, proto: AppProto) {
        if let Some(distribution) = self.sheet.transactions.get(proto as usize) {
            distribution.add(std::mem::take(&mut self.evaluated));
        }
    }
}

/// The sheets of all workers; management's. Each generation that is made ready adds one a worker, about 24 bytes a rule,
/// which stays until the book goes: it is for replays, which have one generation.
#[derive(Debug)]
pub struct CostBook {
    ticks: Ticks,
    sheets: Mutex<Vec<Arc<Sheet>>>,
}

impl CostBook {
    /// `ticks` measures time.
    pub fn new(ticks: Ticks) -> CostBook {
        CostBook { ticks, sheets: Mutex::default() }
    }

    /// A worker's new sheet.
    pub(super) fn open(&self, engine: &Engine) -> Arc<Sheet> {
        let sheet = Arc::new(Sheet::new(engine, self.ticks));
        self.sheets.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&sheet));
        sheet
    }

    /// What the workers' sheets of that engine's generation come to.
    pub fn sum(&self, engine: &Engine) -> Costs {
        let sheets = self.sheets.lock().unwrap_or_else(PoisonError::into_inner);
        let sheets: Vec<&Sheet> =
            sheets.iter().map(|sheet| &**sheet).filter(|s| s.generation == engine.generation()).collect();
        let nanoseconds = |ticks: u64| {
            let nanoseconds = u128::from(ticks) * 1_000_000_000 / u128::from(self.ticks.per_second.max(1));
            u64::try_from(nanoseconds).unwrap_or(u64::MAX)
        };
        let total = |of: &dyn Fn(&Sheet) -> Option<&Counter>| {
            sheets.iter().filter_map(|sheet| of(sheet)).map(Counter::get).sum::<u64>()
        };
        let rule = |at: usize| RuleCost {
            rule: RuleIndex(at as u32),
            checks: total(&|sheet| Some(&sheet.rules.get(at)?.checks)),
            matches: total(&|sheet| Some(&sheet.rules.get(at)?.matches)),
            nanoseconds: nanoseconds(total(&|sheet| Some(&sheet.rules.get(at)?.ticks))),
            bare: engine.rules().rules.get(at).is_some_and(|rule| fast_pattern(rule).is_none()),
        };
        let packets =
            |class: Class| (class, Quantiles::of(sheets.iter().map(|s| &s.packets[class as usize])));
        let transactions = |proto: AppProto| {
            let of = sheets.iter().filter_map(|sheet| sheet.transactions.get(proto as usize));
            (proto, Quantiles::of(of))
        };
        Costs {
            rules: (0..engine.rules().rules.len()).map(rule).filter(|rule| rule.checks > 0).collect(),
            packets: Class::ALL.map(packets).into_iter().filter(|(_, q)| q.count > 0).collect(),
            transactions: AppProto::ALL
                .iter()
                .map(|&p| transactions(p))
                .filter(|(_, q)| q.count > 0)
                .collect(),
            search_nanoseconds: nanoseconds(total(&|sheet| Some(&sheet.search))),
        }
    }
}

/// One rule's, over all workers.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct RuleCost {
    pub rule: RuleIndex,
    /// Evaluations begun.
    pub checks: u64,
    pub matches: u64,
    pub nanoseconds: u64,
    /// No fast pattern announces it.
    pub bare: bool,
}

/// What a generation of rules has cost.
#[derive(Clone, Debug, Default)]
pub struct Costs {
    /// Those that were evaluated, in their order.
    pub rules: Vec<RuleCost>,
    /// Rules evaluated for a packet, or for a further window of its stream.
    pub packets: Vec<(Class, Quantiles)>,
    /// Rules evaluated at a look at a transaction, by its protocol: a transaction is looked at whenever it has changed.
    pub transactions: Vec<(AppProto, Quantiles)>,
    /// Finding the candidates, in nanoseconds.
    pub search_nanoseconds: u64,
}

#[cfg(test)]
mod tests;
