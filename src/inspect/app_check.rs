//! What rules ask of a transaction beside its buffers: numbers, texts, events, how far it is.

use super::facts::PacketFacts;
use crate::app::dcerpc::Interface;
use crate::app::{Known, Transaction, registry};
use crate::base::Dir;
use crate::rules::app::Protos;
use crate::rules::field::{FieldId, FieldTest, Occurrence};
use crate::rules::ruleset::{AppCheck, ProtocolSide, ProtocolWord};
use std::cmp::Ordering;

/// Whether a part of a rule holds for a transaction.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Holds,
    /// Not by what is there; more may come.
    Open,
    Never,
}

pub(super) fn holds(check: &AppCheck, tx: &Transaction, dir: Dir, facts: &PacketFacts<'_>) -> Part {
    let open = if tx.is_complete(dir) { Part::Never } else { Part::Open };
    let holds = match check {
        AppCheck::Field { field, test, which } => field_holds(*field, test, which, tx, dir),
        AppCheck::Event(name) if name.contains('.') => tx.events().iter().any(|(_, event)| **event == **name),
        AppCheck::Event(_) | AppCheck::Protocol { .. } => holds_for_packet(check, facts, dir),
        AppCheck::State { name, order } => state_holds(name, *order, tx),
        AppCheck::Facility(_) => false,
    };
    if holds { Part::Holds } else { open }
}

fn field_holds(id: FieldId, test: &FieldTest, which: &Occurrence, tx: &Transaction, dir: Dir) -> bool {
    let numbers = || tx.numbers(id).filter(|(way, _)| *way == dir).map(|(_, number)| number);
    match (test, which) {
        (FieldTest::Text { text, negated }, _) => {
            let mut texts = tx.texts(id).filter(|(way, _)| *way == dir).peekable();
            texts.peek().is_some() && texts.any(|(_, found)| contains(found, text)) != *negated
        }
        (FieldTest::Interface { uuid, version, any_fragment }, _) => {
            let texts = tx.texts(id).filter(|(way, _)| *way == dir);
            let mut interfaces = texts.filter_map(|(_, text)| Interface::from_bytes(text));
            interfaces.any(|found| found.is(uuid, version.as_ref(), *any_fragment))
        }
        (test, Occurrence::Any) => numbers().any(|n| test.holds_for(n)),
        (test, Occurrence::All) => tx.is_complete(dir) && numbers().all(|n| test.holds_for(n)),
        (test, Occurrence::AllOfSome) => {
            tx.is_complete(dir) && numbers().next().is_some() && numbers().all(|n| test.holds_for(n))
        }
        (test, Occurrence::At(at)) => {
            let number = match usize::try_from(*at) {
                Ok(at) => numbers().nth(at),
                Err(_) => numbers().rev().nth(at.unsigned_abs() as usize - 1),
            };
            number.is_some_and(|n| test.holds_for(n))
        }
        (test, Occurrence::Count(range)) => {
            tx.is_complete(dir) && range.contains(numbers().filter(|&n| test.holds_for(n)).count() as u64)
        }
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(text, part).is_some()
}

/// `app-layer-state` and hooks: where either direction's stages have that name.
fn state_holds(name: &str, order: Ordering, tx: &Transaction) -> bool {
    let Some(entry) = registry::of(tx.proto) else { return false };
    Dir::BOTH.into_iter().any(|dir| {
        let states = entry.states.get(dir.index()).copied().unwrap_or_default();
        let found = states.iter().find(|(state, _)| *state == name);
        found.is_some_and(|(_, stage)| tx.stage(dir).cmp(stage) == order)
    })
}

/// What is asked of a packet's session, not of a transaction.
pub(super) fn holds_for_packet(check: &AppCheck, facts: &PacketFacts<'_>, dir: Dir) -> bool {
    match check {
        AppCheck::Protocol { protos, negated, side } => {
            facts.flow.as_ref().is_some_and(|flow| protocol_holds(&flow.app, *protos, *negated, *side, dir))
        }
        AppCheck::Event(name) => facts.app_events.iter().any(|(_, event)| **event == **name),
        AppCheck::Field { .. } | AppCheck::State { .. } | AppCheck::Facility(_) => false,
    }
}

fn protocol_holds(known: &Known, word: ProtocolWord, negated: bool, side: ProtocolSide, dir: Dir) -> bool {
    let is = |found: Option<_>, failed: bool| match (word, found) {
        (ProtocolWord::Named(protos), Some(proto)) => Some(Protos::contains(protos, proto) != negated),
        // What is not known yet is neither.
        (ProtocolWord::Named(_), None) if !failed => None,
        (ProtocolWord::Named(_), None) => Some(negated),
        (ProtocolWord::Unknown, found) => Some((found.is_none() && !failed) != negated),
        (ProtocolWord::Failed, found) => Some((found.is_none() && failed) != negated),
    };
    let at =
        |dir: Dir| is(known.by_direction[dir].or(known.proto), known.failed_direction[dir]) == Some(true);
    match side {
        ProtocolSide::Direction => at(dir),
        ProtocolSide::ToServer => at(Dir::ToServer),
        ProtocolSide::ToClient => at(Dir::ToClient),
        ProtocolSide::Either => at(Dir::ToServer) || at(Dir::ToClient),
        ProtocolSide::Both => at(Dir::ToServer) && at(Dir::ToClient),
        ProtocolSide::Final => is(known.proto, known.failed) == Some(true),
        ProtocolSide::Original => is(known.original.or(known.proto), known.failed) == Some(true),
    }
}
