//! The rules over one session's transactions: which may match, which parts of them have held, which match now.
//!
//! A rule is taken up when its fast pattern occurs in a buffer (or with the transaction, where it has none) and stays with
//! the transaction until all its parts have held, or one never will. Parts that held are not looked at again.

use super::app_check::{self, Part};
use super::apps::{self, direction_of};
use super::buffers;
use super::candidates::Candidates;
use super::compiled::Compiled;
use super::cost::Meter;
use super::frames::is_frame;
use super::growing::Found;
use super::matcher::Seen;
use super::port_tests::Ends;
use super::set::Set;
use super::steps::{Program, Subject};
use super::turn::{Done, Turn, Where};
use crate::app::cursor::Order;
use crate::app::{Pending, Transaction, Transactions, View, registry};
use crate::base::{Dir, RuleIndex};
use crate::rules::Rule;
use crate::rules::app::AppProto;
use crate::rules::ruleset::{
    Absence, BitAction, BufferMatch, Check, Context, Endian, HostBitOp, HostBitTrack,
};

/// Parts of a rule whose state is kept; further ones are looked at each time.
const KEPT_PARTS: usize = 48;
/// Buffers of which is kept that all but their size has held, in the bits behind those.
const KEPT_SIZED: usize = 16;

/// What became of a rule for now.
enum Fate {
    /// More of the transaction may decide it.
    Waits,
    /// It will not match this transaction.
    Gone,
    Matches,
}

/// The order of those that wait: that of evaluation, and within a rule by direction.
fn filing(rule: RuleIndex, dir: Dir) -> (RuleIndex, usize) {
    (rule, dir.index())
}

/// Bits of the transaction itself (`xbits:..., track tx`) with which the rule does that.
fn own_bits(rule: &Rule, action: BitAction) -> impl Iterator<Item = u32> {
    let own = move |op: &&HostBitOp| op.track == HostBitTrack::Transaction && op.action == action;
    rule.host_bits.iter().filter(own).map(|op| op.bit)
}

fn bits_hold(rule: &Rule, tx: &Transaction) -> bool {
    own_bits(rule, BitAction::IsSet).all(|bit| tx.marks.has_bit(bit))
}

impl Turn<'_> {
    /// Looks at the transactions that changed in `dir`; `candidates` and `seen` are scratch memory.
    pub(super) fn transactions(
        &mut self,
        all: &mut Transactions,
        dir: Dir,
        candidates: &mut Candidates,
        seen: &mut Seen,
        meter: &mut impl Meter,
    ) {
        if !all.take_news(dir) {
            return;
        }
        'all: for tx in all.iter_mut() {
            // More than once only where a buffer has holes, each of which ends a look.
            while tx.changed[dir] {
                self.look_at(tx, dir, candidates, seen, meter);
                tx.looked_at(dir);
                if self.outcome.passed || self.outcome.out_of_budget {
                    break 'all;
                }
            }
        }
        if self.outcome.passed || self.outcome.out_of_budget {
            all.put_back_news(dir);
        }
    }

    fn look_at(
        &mut self,
        tx: &mut Transaction,
        dir: Dir,
        candidates: &mut Candidates,
        seen: &mut Seen,
        meter: &mut impl Meter,
    ) {
        if tx.marks.passed {
            return;
        }
        let fresh = tx.marks.scanned[dir];
        self.collect(tx, dir, candidates, seen);
        meter.searched();
        self.evaluate_pending(tx, dir, meter);
        self.frames(tx, dir, fresh, candidates, seen, meter);
        meter.transaction(tx.proto);
    }

    /// Rules that what is new in the transaction announces join those that wait.
    fn collect(&mut self, tx: &mut Transaction, dir: Dir, candidates: &mut Candidates, seen: &mut Seen) {
        candidates.begin();
        let apps = self.engine.apps();
        if !std::mem::replace(&mut tx.marks.begun[dir], true) {
            apps.bare(dir, tx.proto).iter().for_each(|&rule| candidates.add(rule));
        }
        self.announced_by_payload(dir, tx.proto, candidates, seen);
        let events = tx.events().len();
        if events > std::mem::replace(&mut tx.marks.events[dir], events) {
            apps.on_events(dir, tx.proto).iter().for_each(|&rule| candidates.add(rule));
        }
        let items = tx.items().len();
        let from = std::mem::replace(&mut tx.marks.scanned[dir], items);
        let fresh = tx.items().get(from..).unwrap_or_default();
        for item in fresh.iter().filter(|item| item.dir == dir && !is_frame(item.id)) {
            self.scan(apps.sets(dir, item.id), (tx.bytes(item), 0, 0), candidates, seen);
        }
        for streamed in tx.streamed().iter().filter(|s| s.dir == dir) {
            if let Some(view) = streamed.ready() {
                let (id, also) = streamed.names();
                let both = also.and_then(|also| apps.sets_of_both(dir, id, also));
                self.scan(both.unwrap_or(apps.sets(dir, id)), view, candidates, seen);
                if let Some(also) = also.filter(|_| both.is_none()) {
                    self.scan(apps.sets(dir, also), view, candidates, seen);
                }
            }
        }
        let marks = &mut tx.marks;
        let before = marks.pending.len();
        for &rule in candidates.found() {
            let way = self.way(rule, dir);
            let filed = marks.pending.get(..before).unwrap_or_default();
            let known = filed.binary_search_by_key(&filing(rule, way), |p| filing(p.rule, p.dir)).is_ok();
            if !known && !marks.matched.contains(&(rule, way)) {
                marks.pending.push(Pending { rule, dir: way, held: 0 });
            }
        }
        if marks.pending.len() > before {
            marks.pending.sort_unstable_by_key(|p| filing(p.rule, p.dir));
        }
    }

    /// Rules whose pattern stands in the bytes at hand, searched once a turn. Those that wait already are known by then.
    fn announced_by_payload(
        &mut self,
        dir: Dir,
        proto: AppProto,
        candidates: &mut Candidates,
        seen: &mut Seen,
    ) {
        let Some(set) = self.engine.apps().payload_set(dir, proto) else { return };
        let (of, mut found) = std::mem::take(&mut candidates.by_payload);
        if of != Some(proto) {
            found.clear();
            let mut scan = |bytes: &[u8]| set.scan(bytes, 0, Ends::default(), seen, |rule| found.push(rule));
            match self.payload.window() {
                Some(window) => scan(window.bytes),
                None if self.payload.is_sealed() => {}
                None => {
                    _ = buffers::any(Context::Payload, self.facts, |bytes| {
                        scan(bytes);
                        false
                    })
                }
            }
        }
        found.iter().for_each(|&rule| candidates.add(rule));
        candidates.by_payload = (Some(proto), found);
    }

    /// The direction that a rule is filed under: one over a request and its response is looked at in both as one.
    fn way(&self, rule: RuleIndex, dir: Dir) -> Dir {
        let whole = self.engine.rule(rule).is_some_and(|(rule, _)| rule.whole_transaction);
        if whole { Dir::ToServer } else { dir }
    }

    /// Looks for what of a buffer's sets stands in these bytes of it.
    pub(super) fn scan(
        &mut self,
        sets: &[(u16, Set)],
        (bytes, base, fresh): View<'_>,
        candidates: &mut Candidates,
        seen: &mut Seen,
    ) {
        let engine = self.engine;
        for (number, set) in sets {
            if *number == 0 {
                // What lies in bytes of earlier looks was found then.
                let from = fresh.saturating_sub(set.longest().saturating_sub(1));
                let bytes = bytes.get(from..).unwrap_or_default();
                set.scan(bytes, base + from as u64, Ends::default(), seen, |rule| candidates.add(rule));
                continue;
            }
            let chain = apps::chain(engine.rules(), *number);
            if !self.pay(bytes.len().saturating_mul(chain.len())) {
                return;
            }
            let made = self.bench.run(*number, chain, bytes);
            set.scan(&made, 0, Ends::default(), seen, |rule| candidates.add(rule));
            self.bench.put_back(made);
        }
    }

    fn evaluate_pending(&mut self, tx: &mut Transaction, dir: Dir, meter: &mut impl Meter) {
        let mut pending = std::mem::take(&mut tx.marks.pending);
        let mut ended = false;
        pending.retain_mut(|waiting| {
            if ended || self.outcome.out_of_budget {
                return true;
            }
            let Some((rule, compiled)) = self.engine.rule(waiting.rule) else { return false };
            if waiting.dir != dir && !rule.whole_transaction {
                return true;
            }
            if !self.pay(0) {
                return true;
            }
            self.forget();
            let fate = self.fate(rule, compiled, waiting, tx, dir);
            if let Fate::Matches = fate {
                ended = self.transaction_matched(waiting, rule, tx).is_err();
            }
            meter.evaluated(waiting.rule, matches!(fate, Fate::Matches));
            matches!(fate, Fate::Waits)
        });
        tx.marks.pending = pending;
    }

    fn transaction_matched(
        &mut self,
        found: &Pending,
        rule: &Rule,
        tx: &mut Transaction,
    ) -> Result<(), Done> {
        tx.marks.matched.push((found.rule, found.dir));
        tx.marks.unlogged |= rule.unlogged;
        for bit in own_bits(rule, BitAction::Set) {
            tx.marks.set_bit(bit);
        }
        let done = self.matched(found.rule, rule, Where::Transaction(tx.id));
        tx.marks.passed |= done.is_err();
        done
    }

    fn fate(
        &mut self,
        rule: &Rule,
        compiled: &Compiled,
        waiting: &mut Pending,
        tx: &Transaction,
        dir: Dir,
    ) -> Fate {
        if !rule.app.is_empty() && !rule.app.contains(tx.proto) {
            return Fate::Gone;
        }
        let own_way = rule.whole_transaction || rule.flow.dir.is_none_or(|only| only == dir);
        if !own_way || !bits_hold(rule, tx) || !self.cheap(rule) {
            return Fate::Waits;
        }
        let mut all = match self.buffer_parts(rule, compiled, waiting, tx, dir, false) {
            Part::Never => return Fate::Gone,
            part => part == Part::Holds,
        };
        let checks = rule.checks.iter().filter_map(|check| match check {
            Check::App(app) => Some(&**app),
            _ => None,
        });
        for (at, check) in checks.enumerate() {
            let part = |turn: &mut Turn<'_>| app_check::holds(check, tx, dir, rule.flow.dir, turn.facts);
            match self.part(waiting, rule.buffers.len() + at, part) {
                Part::Holds => {}
                Part::Open => all = false,
                Part::Never => return Fate::Gone,
            }
        }
        if !all {
            return Fate::Waits;
        }
        if !app_check::one_file_holds(rule, tx, dir) {
            // Each keyword of files held for one, but no file has them all.
            return if tx.is_complete(dir) { Fate::Gone } else { Fate::Waits };
        }
        match self.buffer_parts(rule, compiled, waiting, tx, dir, true) {
            Part::Holds => Fate::Matches,
            Part::Open => Fate::Waits,
            Part::Never => Fate::Gone,
        }
    }

    /// Whether all of the rule's buffers hold that change a dataset (`acts`), or all that do not.
    fn buffer_parts(
        &mut self,
        rule: &Rule,
        compiled: &Compiled,
        waiting: &mut Pending,
        tx: &Transaction,
        dir: Dir,
        acts: bool,
    ) -> Part {
        let mut all = Part::Holds;
        let buffers = rule.buffers.iter().zip(&compiled.programs).enumerate();
        for (at, (buffer, program)) in buffers.filter(|(_, (_, program))| program.acts() == acts) {
            let bit = if at < KEPT_SIZED { 1 << (KEPT_PARTS + at) } else { 0 };
            let mut but_for_size = waiting.held & bit != 0;
            // What goes with a value is noted anew at each look.
            let at = if program.notes() { KEPT_PARTS } else { at };
            let part = self.part(waiting, at, |turn| {
                turn.buffer_part(rule, buffer, program, tx, dir, &mut but_for_size)
            });
            waiting.held |= if but_for_size { bit } else { 0 };
            match part {
                Part::Holds => {}
                Part::Open => all = Part::Open,
                Part::Never => return Part::Never,
            }
        }
        all
    }

    /// A part that held before still does.
    fn part(&mut self, waiting: &mut Pending, at: usize, look: impl FnOnce(&mut Self) -> Part) -> Part {
        let bit = if at < KEPT_PARTS { 1 << at } else { 0 };
        if waiting.held & bit != 0 {
            return Part::Holds;
        }
        let part = look(self);
        if part == Part::Holds {
            waiting.held |= bit;
        }
        part
    }

    /// `but_for_size` is kept between two looks: all that is asked of the buffer held, but for its size.
    pub(super) fn buffer_part(
        &mut self,
        rule: &Rule,
        buffer: &BufferMatch,
        program: &Program,
        tx: &Transaction,
        dir: Dir,
        but_for_size: &mut bool,
    ) -> Part {
        let Context::App(id) = buffer.context else {
            return if self.packet_buffer_matches(rule, buffer, program) { Part::Holds } else { Part::Open };
        };
        let way = direction_of(rule, id, buffer.dir).unwrap_or(dir);
        // The response's turn looks at the request too: it was there before.
        if way != dir && !(rule.whole_transaction && dir == Dir::ToClient) {
            return Part::Open;
        }
        let mut found = Found { open: tx.stage(way) < registry::stage_of(tx.proto, id), ..Found::default() };
        let order = match tx.order() {
            Order::Big => Endian::Big,
            Order::Little => Endian::Little,
        };
        for (_, bytes) in tx.buffers(id).filter(|(found, _)| *found == way) {
            found.there = true;
            let subject = Subject::whole(bytes).in_order(order);
            found.holds = found.holds || self.transformed_matches(buffer, program, subject);
        }
        let growing = tx.streamed().iter().filter(|s| s.is(id) && s.dir == way);
        self.growing(growing, order, buffer, program, but_for_size, &mut found);
        let Found { there, open, holds } = found;
        match buffer.absence {
            Absence::Wanted if there => Part::Never,
            Absence::Wanted | Absence::Allowed if !there && !open => Part::Holds,
            Absence::Wanted => Part::Open,
            Absence::Fails | Absence::Allowed if holds => Part::Holds,
            _ if open => Part::Open,
            _ => Part::Never,
        }
    }
}
