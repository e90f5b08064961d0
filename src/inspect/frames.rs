//! The rules over frames: each frame is looked at by itself, once, and a rule matches as often as there are frames in
//! which it holds.

use super::app_check::{self, Part};
use super::candidates::Candidates;
use super::compiled::Compiled;
use super::cost::Meter;
use super::matcher::Seen;
use super::steps::Subject;
use super::turn::{Turn, Where};
use crate::app::{Item, Transaction};
use crate::base::Dir;
use crate::rules::Rule;
use crate::rules::context::Unit;
use crate::rules::ruleset::{Absence, BufferId, Check, Context};

pub(super) fn is_frame(buffer: BufferId) -> bool {
    buffer.get().unit == Unit::Frame
}

impl Turn<'_> {
    /// The frames among the transaction's items from `from` on.
    pub(super) fn frames(
        &mut self,
        tx: &mut Transaction,
        dir: Dir,
        from: usize,
        candidates: &mut Candidates,
        seen: &mut Seen,
        meter: &mut impl Meter,
    ) {
        let mut passed = false;
        let fresh = tx.items().get(from..).unwrap_or_default();
        for item in fresh.iter().filter(|item| item.dir == dir && is_frame(item.id)) {
            candidates.begin();
            let sets = self.engine.apps().sets(dir, item.id);
            self.scan(sets, (tx.bytes(item), 0, 0), candidates, seen);
            candidates.sort();
            meter.searched();
            for &index in candidates.found() {
                if passed || self.outcome.out_of_budget || !self.pay(0) {
                    break;
                }
                let Some((rule, compiled)) = self.engine.rule(index) else { continue };
                let holds = self.frame_holds(rule, compiled, tx, dir, item);
                passed = holds && self.matched(index, rule, Where::Transaction(tx.id)).is_err();
                meter.evaluated(index, holds);
            }
        }
        tx.marks.passed |= passed;
    }

    fn frame_holds(
        &mut self,
        rule: &Rule,
        compiled: &Compiled,
        tx: &Transaction,
        dir: Dir,
        item: &Item,
    ) -> bool {
        let fits = (rule.app.is_empty() || rule.app.contains(tx.proto))
            && rule.flow.dir.is_none_or(|only| only == dir);
        if !fits || !self.cheap(rule) {
            return false;
        }
        // What changes a dataset is looked at last.
        let buffers = || rule.buffers.iter().zip(&compiled.programs);
        let asking = buffers().filter(|(_, program)| !program.acts());
        for (buffer, program) in asking.chain(buffers().filter(|(_, program)| program.acts())) {
            let holds = match buffer.context {
                Context::App(id) if id == item.id && buffer.absence != Absence::Wanted => {
                    self.transformed_matches(buffer, program, Subject::whole(tx.bytes(item)))
                }
                _ => self.buffer_part(rule, buffer, program, tx, dir, &mut false) == Part::Holds,
            };
            if !holds {
                return false;
            }
        }
        rule.checks.iter().all(|check| match check {
            Check::App(app) => app_check::holds(app, tx, dir, rule.flow.dir, self.facts) == Part::Holds,
            _ => true,
        })
    }
}
