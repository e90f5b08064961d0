//! What the rules in force came to, kept for those who ask later.

use crate::base::Time;
use crate::mgmt::rule_files::Loaded;

/// Refused rules that are remembered by name: all that anybody will mend, of a file that is none.
const REMEMBERED: usize = 1000;

/// One load of the rules.
#[derive(Clone, Debug, Default)]
pub struct Ruleset {
    pub at: Time,
    pub loaded: u64,
    pub refused: u64,
    /// Left out because they require what this version has not.
    pub skipped: u64,
    /// The first of those that were refused.
    pub failed: Vec<FailedRule>,
}

/// A rule or a line of a list that was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailedRule {
    pub file: String,
    pub line: u32,
    /// Of its text, what is around the fault.
    pub excerpt: String,
    pub message: String,
}

impl Ruleset {
    /// `rules`: how many are in force.
    pub fn of(loaded: &Loaded, rules: usize, at: Time) -> Ruleset {
        let failed = loaded.faults().take(REMEMBERED).map(|fault| FailedRule {
            file: fault.file.clone(),
            line: fault.line,
            excerpt: fault.excerpt().to_owned(),
            message: fault.message.clone(),
        });
        Ruleset {
            at,
            loaded: rules as u64,
            refused: loaded.refused().rules as u64,
            skipped: loaded.left_out() as u64,
            failed: failed.collect(),
        }
    }
}
