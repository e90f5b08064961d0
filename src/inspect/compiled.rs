//! Rules prepared for evaluation: their kinds, and their steps as programs.

use super::kind::Kind;
use super::steps::{Pcres, Program};
use crate::base::parallel;
use crate::rules::ruleset::PayloadScope;
use crate::rules::{Rule, RuleSet};

/// A rule's prepared parts, beside its [`Rule`].
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) kind: Kind,
    /// One for each of the rule's buffers.
    pub(crate) programs: Box<[Program]>,
}

impl Compiled {
    pub(super) fn reads_stream(&self) -> bool {
        matches!(self.kind, Kind::Payload(PayloadScope::Stream | PayloadScope::Both))
    }
}

/// Each rule's kind and steps, and the expressions of those that are evaluated: workers need memory for these only.
pub(super) fn compile_rules(set: &RuleSet) -> (Box<[Compiled]>, Pcres) {
    let size = parallel::share(set.rules.len());
    let parts: Vec<_> = set.rules.chunks(size).collect();
    let kinds = parallel::map(&parts, |rules| rules.iter().map(Kind::of).collect::<Vec<_>>());
    let kinds: Vec<Kind> = kinds.into_iter().flatten().collect();
    let mut pcres = Pcres::default();
    let evaluated = set.rules.iter().zip(&kinds).filter(|(_, kind)| **kind != Kind::Waiting);
    evaluated.flat_map(|(rule, _)| &rule.buffers).for_each(|buffer| pcres.add(&buffer.steps));
    let one = |(rule, &kind): (&Rule, &Kind)| Compiled {
        kind,
        programs: rule.buffers.iter().map(|b| Program::compile(&b.steps, &pcres)).collect(),
    };
    let parts: Vec<_> = parts.into_iter().zip(kinds.chunks(size)).collect();
    let some = |(rules, kinds): &(&[Rule], &[Kind])| rules.iter().zip(*kinds).map(one).collect::<Vec<_>>();
    (parallel::map(&parts, some).into_iter().flatten().collect(), pcres)
}
