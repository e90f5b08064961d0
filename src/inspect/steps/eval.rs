//! The chain itself: tries steps in order and goes back where a relative step failed.

use super::pcre::{MAX_DECODED, PcreOp};
use super::program::{Base64Op, ContentOp, Op, Program, Variables, operand};
use super::subject::Subject;
use super::{Budget, PcreCaches, bytes, measure};
use crate::inspect::base64;
use crate::rules::transform::Base64Mode;

/// What a chain says of a buffer.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Match,
    NoMatch,
    /// The budget ran out before either was known.
    OutOfBudget,
}

/// Why the rest of a chain did not hold.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Miss {
    /// Of a step that depends on nothing before it: going back cannot help.
    Hard,
    /// Of a relative step: an earlier match elsewhere may help.
    Soft,
    /// All held, in bytes that were inspected earlier.
    Stale,
    Spent,
}

pub(crate) fn evaluate(
    program: &Program,
    subject: Subject<'_>,
    budget: &mut Budget,
    caches: &mut PcreCaches,
) -> Verdict {
    let mut run = Run { program, subject, budget, caches, variables: Variables::default() };
    match run.run() {
        Ok(()) => Verdict::Match,
        Err(Miss::Spent) => Verdict::OutOfBudget,
        Err(_) => Verdict::NoMatch,
    }
}

struct Run<'r> {
    program: &'r Program,
    subject: Subject<'r>,
    budget: &'r mut Budget,
    caches: &'r mut PcreCaches,
    variables: Variables,
}

impl Run<'_> {
    fn run(&mut self) -> Result<(), Miss> {
        let fits = self.subject.length.is_none_or(|length| self.program.fits(length));
        if fits { self.step(0, 0, i64::MIN) } else { Err(Miss::Hard) }
    }

    /// Step `n` and all behind it; the step before ended at `last`, the furthest place of the chain is `reach`.
    fn step(&mut self, n: usize, last: i64, reach: i64) -> Result<(), Miss> {
        let program = self.program;
        let Some(op) = program.ops.get(n) else { return self.finish(reach) };
        if !self.budget.pay(0) {
            return Err(Miss::Spent);
        }
        let (subject, variables) = (&self.subject, &mut self.variables);
        let moved = match op {
            Op::Content(content) => return self.content(content, n, last, reach),
            Op::Pcre(pcre) => return self.pcre(pcre, n, last, reach),
            Op::Base64(base64) => return self.base64(base64, n, last, reach),
            Op::Entropy(_) | Op::Asn1(_) => return self.measured(op, n, last, reach),
            Op::ByteJump(jump) => bytes::jump(jump, subject, last, variables),
            Op::ByteExtract(extract) => bytes::extract(extract, subject, last, variables),
            Op::ByteMath(math) => bytes::math(math, subject, last, variables),
            Op::ByteTest(test) => {
                let end = bytes::test(test, subject, last, variables).ok_or(miss(op.is_relative()))?;
                return self.step(n + 1, last, reach.max(end));
            }
            Op::IsDataAt(is) => {
                let at = bytes::is_data_at(is, subject, last, variables).ok_or(miss(op.is_relative()))?;
                return self.step(n + 1, last, if is.negated { reach } else { reach.max(at) });
            }
        };
        let moved = moved.ok_or(miss(op.is_relative()))?;
        // What stands at an absolute place stands there whatever came before: going back past it cannot help.
        self.step(n + 1, moved, reach.max(moved)).map_err(|miss| match miss {
            Miss::Soft if !op.is_relative() => Miss::Hard,
            other => other,
        })
    }

    /// Entropy and ASN.1: what holds of a part as it is.
    fn measured(&mut self, op: &Op, n: usize, last: i64, reach: i64) -> Result<(), Miss> {
        let subject = self.subject;
        if !self.budget.pay(subject.bytes.len()) {
            return Err(Miss::Spent);
        }
        let holds = match op {
            Op::Entropy(test) => measure::entropy(test, subject.bytes),
            Op::Asn1(test) => measure::asn1(test, &subject, last),
            _ => false,
        };
        if holds { self.step(n + 1, last, reach) } else { Err(miss(op.is_relative())) }
    }

    /// Decodes the text at a place and tries what is asked of the result; the chain goes on behind the text's start.
    fn base64(&mut self, op: &Base64Op, n: usize, last: i64, reach: i64) -> Result<(), Miss> {
        let missed = miss(op.relative);
        let start = if op.relative { last } else { 0 };
        let text = self.subject.index(start.saturating_add(i64::from(op.offset)));
        let text = text.and_then(|at| self.subject.bytes.get(at..)).ok_or(missed)?;
        let most = op.bytes.map_or(MAX_DECODED, |n| n as usize);
        let text = text.get(..most).unwrap_or(text);
        if !self.budget.pay(text.len()) {
            return Err(Miss::Spent);
        }
        let mut decoded = std::mem::take(&mut self.caches.decoded);
        decoded.clear();
        // Without room (within another decoding) nothing is decoded.
        let room = decoded.capacity();
        let verdict = if base64::decode(text, Base64Mode::Rfc4648, room, &mut decoded) {
            let (program, subject) = (&op.program, Subject::whole(&decoded));
            let (budget, caches) = (&mut *self.budget, &mut *self.caches);
            Run { program, subject, budget, caches, variables: self.variables }.run()
        } else {
            Err(missed)
        };
        self.caches.decoded = decoded;
        match verdict {
            Ok(()) => {
                let end = self.subject.clamp(start.saturating_add(i64::from(op.offset))) + text.len();
                let end = self.subject.start().saturating_add(end as i64);
                self.step(n + 1, last, reach.max(end))
            }
            Err(Miss::Spent) => Err(Miss::Spent),
            Err(_) => Err(missed),
        }
    }

    fn finish(&self, reach: i64) -> Result<(), Miss> {
        let seen = self.subject.start().saturating_add(self.subject.fresh_from as i64);
        let fresh = self.subject.fresh_from == 0 || self.program.placeless || reach > seen;
        if fresh { Ok(()) } else { Err(Miss::Stale) }
    }

    fn content(&mut self, op: &ContentOp, n: usize, last: i64, reach: i64) -> Result<(), Miss> {
        let subject = self.subject;
        let (mut from, to) = self.region(op, last);
        if op.negated {
            let (found, looked) = find(op, subject.bytes, from, to);
            return match (self.budget.pay(looked), found) {
                (false, _) => Err(Miss::Spent),
                (true, Some(_)) => Err(miss(op.is_relative())),
                (true, None) => self.step(n + 1, last, reach),
            };
        }
        let mut exhausted = miss(op.is_relative());
        if self.program.ops.len() == 1 {
            // Nothing else can reach into the new bytes: do not search the old ones again.
            from = from.max((subject.fresh_from + 1).saturating_sub(op.needle.len()).min(subject.fresh_from));
        }
        loop {
            let (found, looked) = find(op, subject.bytes, from, to);
            if !self.budget.pay(looked) {
                return Err(Miss::Spent);
            }
            let Some(start) = found else { return Err(exhausted) };
            let end = subject.start().saturating_add((start + op.needle.len()) as i64);
            match self.step(n + 1, end, reach.max(end)) {
                Err(Miss::Soft) => {}
                // Whoever stands before may have a match that reaches the new bytes.
                Err(Miss::Stale) => exhausted = Miss::Stale,
                settled => return settled,
            }
            from = start + 1;
        }
    }

    /// The indices between which a content must lie.
    fn region(&self, op: &ContentOp, last: i64) -> (usize, usize) {
        let value = |o: Option<_>| o.map(|o| operand(o, &self.variables));
        let (mut from, mut to) = (0i64, i64::MAX);
        if let Some(offset) = value(op.offset) {
            from = offset.max(0);
        }
        if let Some(depth) = value(op.depth) {
            to = from.saturating_add(depth);
        }
        if op.is_relative() {
            let start = last.saturating_add(value(op.distance).unwrap_or(0));
            from = from.max(start);
            if let Some(within) = value(op.within) {
                to = to.min(start.saturating_add(within));
            }
        }
        if to < self.subject.start() {
            return (1, 0);
        }
        // A start behind the end of what can be seen must not be pulled back to it.
        let from = if from > self.subject.end() { usize::MAX } else { self.subject.clamp(from) };
        (from, self.subject.clamp(to))
    }

    fn pcre(&mut self, op: &PcreOp, n: usize, last: i64, reach: i64) -> Result<(), Miss> {
        let start = if op.relative { self.subject.clamp(last) } else { 0 };
        let text = self.subject.bytes.get(start..).unwrap_or_default();
        let mut exhausted = miss(op.relative);
        let mut from = 0;
        loop {
            if !self.budget.pay(text.len().saturating_sub(from)) {
                return Err(Miss::Spent);
            }
            let found = op.find(text, from, self.caches);
            let found = match (op.negated, found) {
                (true, Some(_)) => return Err(miss(op.relative)),
                (true, None) => return self.step(n + 1, last, reach),
                (false, None) => return Err(exhausted),
                (false, Some(found)) => found,
            };
            let place = self.subject.start().saturating_add((start + found.end) as i64);
            match self.step(n + 1, place, reach.max(place)) {
                Err(Miss::Soft) => {}
                Err(Miss::Stale) => exhausted = Miss::Stale,
                settled => return settled,
            }
            if op.begins_once() {
                return Err(exhausted);
            }
            if !self.budget.pay(found.end.saturating_sub(from)) {
                return Err(Miss::Spent);
            }
            from = op.begin(found, text, from, self.caches) + 1;
        }
    }
}

fn miss(relative: bool) -> Miss {
    if relative { Miss::Soft } else { Miss::Hard }
}

/// The first occurrence in `text[from..to]`, or the one at the text's end for `endswith`; and the bytes looked through.
fn find(op: &ContentOp, text: &[u8], from: usize, to: usize) -> (Option<usize>, usize) {
    if op.ends_with {
        return (op.needle.find_at_end(text, from, to), op.needle.len());
    }
    op.needle.find(text, from, to)
}
