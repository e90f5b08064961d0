//! What rules ask of a transaction beside its buffers: numbers, texts, events, how far it is.

use super::facts::PacketFacts;
use crate::app::dcerpc::Interface;
use crate::app::{File, Known, SumKind, Transaction, modbus, registry};
use crate::base::Dir;
use crate::rules::Rule;
use crate::rules::app::AppProto;
use crate::rules::field::{self, FieldId, FieldTest, Occurrence};
use crate::rules::ruleset::{AppCheck, Check, ProtocolSide, ProtocolWords};
use crate::rules::state::StateTest;

/// Whether a part of a rule holds for a transaction.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Holds,
    /// Not by what is there; more may come.
    Open,
    Never,
}

/// `only` is the direction that the rule names.
pub(super) fn holds(
    check: &AppCheck,
    tx: &Transaction,
    dir: Dir,
    only: Option<Dir>,
    facts: &PacketFacts<'_>,
) -> Part {
    let later = matches!(check, AppCheck::State { .. }) || !tx.is_complete(dir);
    let open = if later { Part::Open } else { Part::Never };
    let holds = match check {
        AppCheck::Field { field, test, .. } if is_of_file(*field) => {
            tx.files().iter().any(|file| file.dir == dir && file_holds(*field, test, file, tx))
        }
        AppCheck::Field { field, test, which } => field_holds(*field, test, which, tx, dir),
        // An event is the transaction's: a rule that names a direction finds it there, whichever it came with.
        AppCheck::Event(name) if name.contains('.') => {
            tx.events().iter().any(|(way, event)| (*way == dir || only == Some(dir)) && **event == **name)
        }
        AppCheck::Event(_) | AppCheck::Protocol { .. } => holds_for_packet(check, facts, dir),
        AppCheck::State { name, test } => state_holds(name, *test, tx, dir),
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
        (FieldTest::Modbus(test), _) => {
            let mut requests = tx.texts(id).filter(|(way, _)| *way == dir);
            requests.any(|(_, request)| modbus::holds(test, request))
        }
        (test, Occurrence::Any) => numbers().any(|n| test.holds_for(n)),
        (_, Occurrence::At(at)) if *at >= 0 => numbers_hold(test, which, numbers()),
        // What there is in all is known at the end.
        _ => tx.is_complete(dir) && numbers_hold(test, which, numbers()),
    }
}

/// Of all numbers that a transaction has.
fn numbers_hold(test: &FieldTest, which: &Occurrence, all: impl Iterator<Item = u64> + Clone) -> bool {
    let place = |at: i32| match usize::try_from(at) {
        Ok(at) => Some(at),
        Err(_) => all.clone().count().checked_sub(at.unsigned_abs() as usize),
    };
    let at = |at| place(at).and_then(|at| all.clone().nth(at));
    let mut rest = all.clone();
    match which {
        Occurrence::Any => rest.any(|n| test.holds_for(n)),
        Occurrence::AnyOrNone => rest.clone().next().is_none() || rest.any(|n| test.holds_for(n)),
        Occurrence::All => rest.all(|n| test.holds_for(n)),
        Occurrence::AllOfSome => rest.clone().next().is_some() && rest.all(|n| test.holds_for(n)),
        Occurrence::At(number) => at(*number).is_some_and(|n| test.holds_for(n)),
        Occurrence::AtOrBeyond(number) => at(*number).is_none_or(|n| test.holds_for(n)),
        Occurrence::Count(range) => range.contains(rest.filter(|&n| test.holds_for(n)).count() as u64),
        Occurrence::Part(from, to, which) => {
            let count = all.clone().count();
            let ends = place(*from).zip(place(*to)).filter(|(from, to)| from <= to && *to <= count);
            let (from, to) = ends.unwrap_or_default();
            part_holds(test, which, &mut all.skip(from).take(to - from))
        }
    }
}

/// Numbers of a part that are looked at: a transaction has fewer.
const MAX_PART: usize = 256;

/// A part has no part of its own, so the numbers go into one array.
fn part_holds(test: &FieldTest, which: &Occurrence, part: &mut dyn Iterator<Item = u64>) -> bool {
    let numbers: arrayvec::ArrayVec<u64, MAX_PART> = part.take(MAX_PART).collect();
    match which {
        Occurrence::Part(..) => false,
        which => numbers_hold(test, which, numbers.iter().copied()),
    }
}

const FILE_NAME: FieldId = field::id("filename");
const FILE_EXTENSION: FieldId = field::id("fileext");
const FILE_TYPE: FieldId = field::id("filemagic");
const FILE_SIZE: FieldId = field::id("filesize");
const FILE_SUMS: [(FieldId, SumKind); 3] = [
    (field::id("filemd5"), SumKind::Md5),
    (field::id("filesha1"), SumKind::Sha1),
    (field::id("filesha256"), SumKind::Sha256),
];

fn is_of_file(id: FieldId) -> bool {
    [FILE_NAME, FILE_EXTENSION, FILE_TYPE, FILE_SIZE].contains(&id)
        || FILE_SUMS.iter().any(|(sum, _)| *sum == id)
}

/// Names and types are compared whatever their case; a size and sums when they are known.
fn file_holds(id: FieldId, test: &FieldTest, file: &File, tx: &Transaction) -> bool {
    match test {
        FieldTest::Text { text, negated } => {
            let subject = if id == FILE_TYPE { tx.file_type(file) } else { tx.file_name(file) };
            let found = match id {
                FILE_EXTENSION => has_extension(subject, text),
                _ => subject.windows(text.len().max(1)).any(|part| part.eq_ignore_ascii_case(text)),
            };
            !subject.is_empty() && found != *negated
        }
        FieldTest::Sums(list) => {
            let kind = FILE_SUMS.iter().find(|(sum, _)| *sum == id).map(|(_, kind)| *kind);
            let sum = kind.and_then(|kind| file.sum(kind));
            sum.is_some_and(|sum| list.contains(sum) != list.negated)
        }
        // Of a file that is not whole it is known that it is larger than what came.
        FieldTest::Number { range, .. } if id == FILE_SIZE && file.closed && !file.is_whole() => {
            !range.negated && range.high == u64::MAX && file.size >= range.low
        }
        test if id == FILE_SIZE && file.closed => test.holds_for(file.size),
        _ => false,
    }
}

/// All that the rule asks of files holds for one of them. (True where it asks nothing of them.)
pub(super) fn one_file_holds(rule: &Rule, tx: &Transaction, dir: Dir) -> bool {
    let asked = || {
        rule.checks.iter().filter_map(|check| match check {
            Check::App(app) => match &**app {
                AppCheck::Field { field, test, .. } if is_of_file(*field) => Some((*field, test)),
                _ => None,
            },
            _ => None,
        })
    };
    let mut files = tx.files().iter().filter(|file| file.dir == dir);
    asked().next().is_none()
        || files.any(|file| asked().all(|(field, test)| file_holds(field, test, file, tx)))
}

fn has_extension(name: &[u8], extension: &[u8]) -> bool {
    let Some((start, end)) = name.len().checked_sub(extension.len()).and_then(|at| name.split_at_checked(at))
    else {
        return false;
    };
    start.ends_with(b".") && end.eq_ignore_ascii_case(extension)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(text, part).is_some()
}

/// `app-layer-state` and hooks: a stage of the direction at work. One packet may bring the transaction past several.
fn state_holds(name: &str, test: StateTest, tx: &Transaction, dir: Dir) -> bool {
    let (Some(asked), stage) = (registry::stage_named(tx.proto, dir, name), tx.stage(dir)) else {
        return false;
    };
    match test {
        StateTest::Reached => stage >= asked,
        StateTest::Before => stage < asked,
        StateTest::In => stage == asked,
        StateTest::Past => stage > asked,
    }
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

fn protocol_holds(known: &Known, words: ProtocolWords, negated: bool, side: ProtocolSide, dir: Dir) -> bool {
    let of = |dir: Dir| (known.by_direction[dir], known.failed_direction[dir]);
    let (client, server) = (of(Dir::ToServer), of(Dir::ToClient));
    let is = |found| says(words, found);
    // What is not known yet neither is the protocol nor is it not.
    let holds = match side {
        ProtocolSide::Direction => is(of(dir)),
        ProtocolSide::ToServer => is(client),
        ProtocolSide::ToClient => is(server),
        ProtocolSide::Final => is((known.proto, known.failed)),
        ProtocolSide::Original => is((known.original.or(known.proto), known.failed)),
        ProtocolSide::Both => is(client).zip(is(server)).map(|(a, b)| a && b),
        ProtocolSide::Either => match (is(client), is(server)) {
            (Some(a), Some(b)) => Some(a || b),
            (one, other) => one.or(other),
        },
    };
    holds.is_some_and(|holds| holds != negated)
}

/// Whether a protocol that was found, or not (`failed`: and will not be), is what the words say.
fn says(words: ProtocolWords, (found, failed): (Option<AppProto>, bool)) -> Option<bool> {
    match found {
        Some(proto) => Some(words.named.contains(proto)),
        None if failed => Some(words.failed),
        None if words.unknown => Some(true),
        // It may become one of those that are named.
        None => words.named.is_empty().then_some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::app::Protos;
    use crate::rules::ruleset::NumRange;

    #[test]
    fn a_session_is_what_any_of_the_words_says() {
        let tls = Protos::of(&[AppProto::Tls]);
        let words = |named, unknown, failed| ProtocolWords { named, unknown, failed };
        let states =
            [(Some(AppProto::Tls), false), (Some(AppProto::Ssh), false), (None, true), (None, false)];
        let table = [
            (words(tls, false, false), [Some(true), Some(false), Some(false), None]),
            (words(Protos::NONE, true, false), [Some(false), Some(false), Some(false), Some(true)]),
            (words(Protos::NONE, false, true), [Some(false), Some(false), Some(true), Some(false)]),
            (words(tls, true, false), [Some(true), Some(false), Some(false), Some(true)]),
            (words(tls, false, true), [Some(true), Some(false), Some(true), None]),
        ];
        for (words, expected) in table {
            assert_eq!(states.map(|state| says(words, state)), expected, "{words:?}");
        }
    }

    #[test]
    fn which_of_several_numbers_must_hold() {
        let five = FieldTest::Number { mask: u64::MAX, range: NumRange::new(5, 5, false) };
        let holds = |which: &Occurrence, numbers: &[u64]| numbers_hold(&five, which, numbers.iter().copied());
        let part = |from, to, which| Occurrence::Part(from, to, Box::new(which));
        use Occurrence::*;
        let two = || Count(NumRange::new(2, 2, false));
        let table: [(Occurrence, [bool; 5]); 16] = [
            // Of none, 5, 5 4, 4 5 5, 4 4.
            (Any, [false, true, true, true, false]),
            (AnyOrNone, [true, true, true, true, false]),
            (All, [true, true, false, false, false]),
            (AllOfSome, [false, true, false, false, false]),
            (At(0), [false, true, true, false, false]),
            (At(1), [false, false, false, true, false]),
            (At(-1), [false, true, false, true, false]),
            (At(-3), [false, false, false, false, false]),
            (AtOrBeyond(1), [true, true, false, true, false]),
            (AtOrBeyond(-3), [true, true, true, false, true]),
            (two(), [false, false, false, true, false]),
            (part(1, 3, AllOfSome), [false, false, false, true, false]),
            (part(-2, -1, Any), [false, false, true, true, false]),
            (part(0, 9, All), [true, true, true, true, true]),
            (part(0, 1, two()), [false; 5]),
            (part(1, 3, two()), [false, false, false, true, false]),
        ];
        for (which, expected) in table {
            let found = [&[][..], &[5], &[5, 4], &[4, 5, 5], &[4, 4]].map(|numbers| holds(&which, numbers));
            assert_eq!(found, expected, "{which:?}");
        }
    }
}
