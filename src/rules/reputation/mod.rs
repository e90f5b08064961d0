//! IP reputation: scores of addresses by category, read from files, and what `iprep` asks of them (docs.suricata.io, "IP
//! Reputation").
//!
//! Owned here: the lists as they are looked into, one a category, immutable and shared. A rule keeps the category's name; what
//! it means is found out at each start and reload.

pub mod attach;
pub mod file;
pub mod scores;

use super::dataset::Compare;
use super::keyword::choice;
use super::number;
use super::text::{Fault, Text};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

pub use scores::Scores;

/// The highest score.
pub const MAX_SCORE: u64 = 127;

/// Whose reputation.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Who {
    /// One of the two.
    Any,
    Source,
    Destination,
    Both,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// Does not hold for an address without a score.
    Score(Compare, u8),
    IsSet,
    IsNotSet,
}

/// `iprep:`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReputationTest {
    pub who: Who,
    /// The short name of the categories file.
    pub category: Box<str>,
    pub ask: Ask,
    /// None where no categories are configured: the rule waits.
    #[serde(skip)]
    pub scores: Option<Arc<Scores>>,
}

const SIDES: &[(&str, Who)] =
    &[("any", Who::Any), ("src", Who::Source), ("dst", Who::Destination), ("both", Who::Both)];

impl ReputationTest {
    /// `any|src|dst|both, category, operator, score` or `..., category, isset|isnotset`.
    pub fn parse(value: Text<'_>) -> Result<ReputationTest, Fault> {
        let parts: Vec<Text<'_>> = value.split(b',').collect();
        let (who, category, ask) = match parts[..] {
            [who, category, ask] => {
                (who, category, choice(ask, &[("isset", Ask::IsSet), ("isnotset", Ask::IsNotSet)])?)
            }
            [who, category, compare, score] => {
                let compare = choice(compare, Compare::WORDS)?;
                (who, category, Ask::Score(compare, number::small(score, MAX_SCORE)?))
            }
            _ => {
                let fault = value.fault("expected `side, category, operator, score`");
                return Err(fault.help("for example `src,CnC,>,30`, or `src,CnC,isset`"));
            }
        };
        let who = choice(who, SIDES)?;
        if category.is_empty() {
            return Err(value.fault("the category's name is missing"));
        }
        Ok(ReputationTest { who, category: category.lossy().into(), ask, scores: None })
    }

    /// Of a packet between two addresses, IPv4 ones as [`scores::of_v4`] makes them.
    pub fn holds(&self, source: u128, destination: u128) -> bool {
        let Some(scores) = &self.scores else { return false };
        let one = |address| match (self.ask, scores.of(address)) {
            (Ask::Score(compare, with), Some(score)) => compare.holds(score, with),
            (Ask::Score(..), None) => false,
            (Ask::IsSet, score) => score.is_some(),
            (Ask::IsNotSet, score) => score.is_none(),
        };
        match self.who {
            Who::Any => one(source) || one(destination),
            Who::Source => one(source),
            Who::Destination => one(destination),
            Who::Both => one(source) && one(destination),
        }
    }
}

#[cfg(test)]
mod tests;
