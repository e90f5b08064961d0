//! Chains of steps: Suricata's documented cases, and content chains against a slow, obviously right model.

use super::*;
use crate::inspect::fixture::content;
use crate::rules::ruleset::*;
use proptest::prelude::*;
use std::sync::Arc;

fn verdict_on(steps: &[Step], subject: Subject<'_>, budget: u32) -> Verdict {
    let mut pcres = Pcres::default();
    pcres.add(steps);
    let program = Program::compile(steps, &pcres);
    let mut caches = PcreCaches::new(&pcres);
    evaluate(&program, subject, &mut Budget(budget), &mut caches)
}

fn matches(steps: &[Step], bytes: &[u8]) -> bool {
    verdict_on(steps, Subject::whole(bytes), 1_000_000) == Verdict::Match
}

fn value(v: i64) -> Option<Operand> {
    Some(Operand::Value(v))
}

fn find(pattern: &[u8]) -> Step {
    Step::Content(content(pattern))
}

fn after(pattern: &[u8], distance: i64) -> Step {
    Step::Content(Content { distance: value(distance), ..content(pattern) })
}

fn within(pattern: &[u8], distance: i64, within: i64) -> Step {
    Step::Content(Content { distance: value(distance), within: value(within), ..content(pattern) })
}

fn at(pattern: &[u8], offset: i64, depth: i64) -> Step {
    Step::Content(Content { offset: value(offset), depth: value(depth), ..content(pattern) })
}

fn not(step: Step) -> Step {
    match step {
        Step::Content(c) => Step::Content(Content { negated: true, ..c }),
        other => other,
    }
}

fn pcre(expression: &str, relative: bool, negated: bool) -> Step {
    let flags = PcreFlags { dollar_end_only: true, ..PcreFlags::default() };
    let regex = Arc::new(crate::rules::pcre::compile(expression, flags, false).unwrap());
    let (expression, captures) = (expression.into(), Box::default());
    Step::Pcre(Pcre { flags, negated, relative, expression, unlimited: false, regex, captures })
}

fn is_data_at(at: i64, relative: bool, negated: bool) -> Step {
    Step::IsDataAt(IsDataAt { at: Operand::Value(at), relative, negated })
}

const BINARY: NumberForm = NumberForm::Binary(Endian::Big);
const DECIMAL: NumberForm = NumberForm::Text { base: 10 };

fn byte_test(
    bytes: i64,
    compare: Compare,
    v: Operand,
    offset: i64,
    relative: bool,
    form: NumberForm,
) -> Step {
    let (bytes, offset) = (Operand::Value(bytes), Operand::Value(offset));
    Step::ByteTest(ByteTest { bytes, compare, negated: false, value: v, offset, relative, form, mask: None })
}

fn jump(bytes: i64, offset: i64, relative: bool, form: NumberForm) -> ByteJump {
    ByteJump {
        bytes: Operand::Value(bytes),
        offset: Operand::Value(offset),
        relative,
        form,
        multiplier: 1,
        align: false,
        from_beginning: false,
        from_end: false,
        post_offset: Operand::Value(0),
        mask: None,
    }
}

fn extract(bytes: u8, offset: i64, relative: bool, form: NumberForm, into: u8) -> Step {
    let offset = Operand::Value(offset);
    Step::ByteExtract(ByteExtract {
        bytes,
        offset,
        relative,
        form,
        multiplier: 1,
        align: None,
        mask: None,
        into,
    })
}

#[test]
fn absolute_places_count_from_the_start() {
    let cases: [(&str, Step, bool); 9] = [
        ("offset 3 depth 3", at(b"def", 3, 3), true),
        ("offset 3 depth 2 is too short", at(b"def", 3, 2), false),
        ("offset 4 is past it", at(b"def", 4, 10), false),
        ("depth past the end", at(b"h", 0, 1000), true),
        ("offset past the end", at(b"h", 1000, 10), false),
        ("negated where it is not", not(at(b"def", 4, 10)), true),
        ("negated where it is", not(find(b"def")), false),
        ("negated past the end", not(at(b"h", 1000, 10)), true),
        ("an empty pattern is nowhere", find(b""), false),
    ];
    for (name, step, expected) in cases {
        assert_eq!(matches(&[step], b"abcdefgh"), expected, "{name}");
    }
}

#[test]
fn relative_places_count_from_the_last_match() {
    let cases: [(&str, Vec<Step>, bool); 9] = [
        ("right behind", vec![find(b"ab"), after(b"cd", 0)], true),
        ("one further", vec![find(b"ab"), after(b"cd", 1)], false),
        ("within exactly", vec![find(b"ab"), within(b"ef", 2, 2)], true),
        ("within too little", vec![find(b"ab"), within(b"ef", 0, 3)], false),
        ("backwards", vec![find(b"cd"), after(b"ab", -4)], true),
        ("further back than the start", vec![find(b"cd"), after(b"ab", -40)], true),
        ("negated within", vec![find(b"ab"), not(within(b"gh", 0, 4))], true),
        ("negated within, there", vec![find(b"ab"), not(within(b"ef", 0, 4))], false),
        ("relative to nothing is the start", vec![within(b"cd", 2, 2)], true),
    ];
    for (name, steps, expected) in cases {
        assert_eq!(matches(&steps, b"abcdefgh"), expected, "{name}");
    }
}

#[test]
fn a_failing_relative_step_sends_the_one_before_it_on() {
    assert!(matches(&[find(b"ab"), within(b"X", 0, 1)], b"ab-ab-abX"));
    assert!(matches(&[find(b"a"), within(b"b", 0, 1), within(b"X", 0, 1)], b"ab-aab-abX"));
    assert!(matches(&[find(b"ab"), not(within(b"-", 0, 1))], b"ab-ab-abX"));
    assert!(!matches(&[find(b"ab"), not(within(b"-", 0, 1))], b"ab-ab-"));
    assert!(matches(&[pcre("a[bc]", false, false), within(b"X", 0, 1)], b"ab-ac-abX"));
    assert!(matches(&[find(b"ab"), pcre("^X", true, false)], b"ab-ab-abX"));
    assert!(matches(&[find(b"ab"), pcre("^-", true, true)], b"ab-ab-abX"));
    assert!(matches(&[find(b"ab"), is_data_at(1, true, true)], b"ab-ab-ab"));
}

#[test]
fn ends_with_is_at_the_buffers_end() {
    let ends = |pattern: &[u8]| Step::Content(Content { ends_with: true, ..content(pattern) });
    assert!(matches(&[ends(b"gh")], b"ghefgh") && !matches(&[ends(b"ef")], b"abefgh"));
    assert!(matches(&[not(ends(b"ef"))], b"abefgh") && !matches(&[not(ends(b"gh"))], b"abefgh"));
    let dotted =
        Step::Content(Content { ends_with: true, within: value(29), distance: value(9), ..content(b"yY") });
    assert!(matches(std::slice::from_ref(&dotted), b"123456789..yY") && !matches(&[dotted], b"12345yY"));
}

#[test]
fn isdataat_is_one_byte_more_generous_when_relative() {
    let buffer = b"abcdefgh";
    let c = || at(b"c", 0, 8);
    let cases = [
        (vec![is_data_at(7, false, false)], true),
        (vec![is_data_at(8, false, false)], false),
        (vec![is_data_at(8, true, false)], true),
        (vec![is_data_at(9, true, false)], false),
        (vec![c(), is_data_at(5, true, false)], true),
        (vec![c(), is_data_at(6, true, false)], false),
        (vec![c(), is_data_at(6, true, true)], true),
    ];
    for (n, (steps, expected)) in cases.into_iter().enumerate() {
        assert_eq!(matches(&steps, buffer), expected, "case {n}");
    }
}

#[test]
fn byte_steps_read_jump_and_compute() {
    let v = Operand::Value;
    assert!(matches(&[byte_test(2, Compare::Equal, v(0x0102), 1, false, BINARY)], b"\0\x01\x02"));
    assert!(!matches(&[byte_test(2, Compare::Equal, v(2), 2, false, BINARY)], b"\0\x01\x02"), "past the end");
    assert!(matches(&[find(b"len="), byte_test(2, Compare::Greater, v(41), 0, true, DECIMAL)], b"len=42"));
    assert!(matches(&[find(b"v"), byte_test(1, Compare::And, v(4), 0, true, BINARY)], b"v\x06"));
    let over = Step::ByteJump(jump(1, 0, false, BINARY));
    assert!(matches(&[over.clone(), within(b"X", 0, 1)], b"\x02..X") && !matches(&[over], b"\x02.."));
    let back =
        ByteJump { from_end: true, post_offset: v(-26), mask: Some(0xfe), ..jump(2, 0, true, DECIMAL) };
    let payload = b"Question?13When will the pandemic end?";
    assert!(matches(&[find(b"Question?"), Step::ByteJump(back), after(b"ll the pandemic end", 0)], payload));
    let aligned = Step::ByteJump(ByteJump { align: true, from_beginning: true, ..jump(1, 0, false, BINARY) });
    assert!(matches(&[aligned, within(b"X", 0, 1)], b"\x01...X"));
    let math = ByteMath {
        bytes: v(1),
        offset: v(1),
        relative: false,
        form: BINARY,
        op: MathOp::Subtract,
        value: Operand::Variable(0),
        mask: None,
        into: 1,
    };
    let wraps = byte_test(1, Compare::Less, Operand::Variable(1), 2, false, BINARY);
    assert!(matches(&[extract(1, 0, true, BINARY, 0), Step::ByteMath(math.clone()), wraps], b"\x45\x00\x06"));
    let by_zero = ByteMath { op: MathOp::Divide, ..math };
    assert!(!matches(&[extract(1, 1, false, BINARY, 0), Step::ByteMath(by_zero)], b"\x45\x00\x06"));
}

#[test]
fn variables_stand_for_offset_depth_distance_and_within() {
    let variable = |n| Some(Operand::Variable(n));
    let placed = Step::Content(Content { distance: variable(0), within: variable(1), ..content(b"Z") });
    let steps = [extract(1, 0, false, DECIMAL, 0), extract(1, 1, false, DECIMAL, 1), find(b"A"), placed];
    assert!(matches(&steps, b"21A..Z") && !matches(&steps, b"11A..Z") && !matches(&steps, b"22A...."));
}

#[test]
fn a_search_that_explodes_stops_at_its_budget() {
    let steps: Vec<Step> = (0..12).map(|_| after(b"a", 0)).chain([after(b"X", 0)]).collect();
    assert_eq!(verdict_on(&steps, Subject::whole(&[b'a'; 200]), 10_000), Verdict::OutOfBudget);
}

#[test]
fn a_chain_on_a_stream_must_reach_into_its_new_bytes() {
    let on = |steps: &[Step], bytes: &[u8], fresh_from, base| {
        verdict_on(steps, Subject::window(bytes, base, fresh_from), 10_000) == Verdict::Match
    };
    assert!(!on(&[find(b"evil")], b"evil....", 4, 0), "all old");
    assert!(on(&[find(b"evil")], b"evil....", 3, 0), "the last byte is new");
    assert!(on(&[find(b"evil")], b"evil.evil", 4, 0), "an old one hides a new one");
    assert!(on(&[find(b"A"), find(b"B")], b"AB..A", 4, 0) && on(&[find(b"A"), find(b"B")], b"AB..B", 4, 0));
    assert!(!on(&[find(b"A"), find(b"B")], b"AB..x", 4, 0));
    assert!(on(&[find(b"A"), is_data_at(3, true, false)], b"A...", 3, 0), "the byte asked for is new");
    assert!(!on(&[find(b"A"), is_data_at(1, true, false)], b"A...", 3, 0));
    assert!(!on(&[at(b"evil", 0, 4)], b"evil", 0, 100), "not the stream's start");
    assert!(on(&[at(b"evil", 100, 4)], b"evil", 0, 100));
    assert!(on(&[not(find(b"evil"))], b"good", 2, 0), "says something of the whole");
}

/// A content in the model's eyes, with the ranges it may take.
fn any_content() -> impl Strategy<Value = Content> {
    let place = || prop::option::of(0i64..6);
    let pattern = prop::collection::vec(prop::sample::select(&b"abA"[..]), 1..3);
    (
        pattern,
        any::<bool>(),
        any::<bool>(),
        0u8..3,
        place(),
        place(),
        prop::option::of(-3i64..6),
        any::<bool>(),
    )
        .prop_map(|(pattern, nocase, negated, relative, one, two, three, ends_with)| {
            let operand = |v: Option<i64>| v.map(Operand::Value);
            let base = Content { nocase, negated, ends_with: ends_with && negated, ..content(&pattern) };
            let pattern = if nocase { pattern.to_ascii_lowercase() } else { pattern }.into();
            match relative {
                0 => Content { pattern, offset: operand(one), depth: operand(two), ..base },
                1 => Content { pattern, distance: operand(three), within: operand(two), ..base },
                _ => Content { pattern, distance: value(three.unwrap_or(0)), ..base },
            }
        })
}

/// Every place at which a content may match after a match that ended at `last`, by trying all.
fn model_places(c: &Content, text: &[u8], last: i64) -> Vec<i64> {
    let number = |o: Option<Operand>| match o {
        Some(Operand::Value(v)) => Some(v),
        _ => None,
    };
    let len = c.pattern.len() as i64;
    let fits = |start: i64| {
        let here = &text[start as usize..(start + len) as usize];
        let same = if c.nocase { here.eq_ignore_ascii_case(&c.pattern) } else { *here == *c.pattern };
        let from = last + number(c.distance).unwrap_or(0);
        let relative = c.distance.is_some() || c.within.is_some();
        same && start >= number(c.offset).unwrap_or(0)
            && number(c.depth).is_none_or(|d| start + len <= number(c.offset).unwrap_or(0) + d)
            && (!relative || start >= from)
            && (!relative || number(c.within).is_none_or(|w| start + len <= from + w))
            && (!c.ends_with || start + len == text.len() as i64)
    };
    (0..=text.len() as i64 - len).filter(|&start| fits(start)).map(|start| start + len).collect()
}

/// Whether the contents hold, by trying every place for every one. A content that depends on nothing before it must
/// hold whatever was chosen before, so trying all choices gives what going back only for relative ones gives.
fn model(contents: &[Content], text: &[u8], last: i64) -> bool {
    let Some((first, rest)) = contents.split_first() else { return true };
    let places = model_places(first, text, last);
    if first.negated {
        return places.is_empty() && model(rest, text, last);
    }
    places.into_iter().any(|end| model(rest, text, end))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]
    #[test]
    fn chains_of_contents_match_what_trying_everything_matches(
        contents in prop::collection::vec(any_content(), 1..5),
        text in prop::collection::vec(prop::sample::select(&b"abAB"[..]), 0..14),
    ) {
        let steps: Vec<Step> = contents.iter().cloned().map(Step::Content).collect();
        prop_assert_eq!(matches(&steps, &text), model(&contents, &text, 0));
    }

    #[test]
    fn no_numbers_in_a_rule_and_no_bytes_make_a_chain_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..40), base: u64, fresh: usize,
        a: i64, b: i64, width: i64, form in prop::sample::select(vec![BINARY, DECIMAL, NumberForm::Text { base: 0 }]),
        multiplier: u32, relative: bool, from_end: bool,
    ) {
        let fresh_from = fresh % (bytes.len() + 1);
        let (va, vb) = (Operand::Value(a), Operand::Value(b));
        let wild = Content { offset: Some(va), depth: Some(vb), distance: Some(vb), within: Some(va), ..content(b"x") };
        let leap = ByteJump { bytes: Operand::Value(width % 9), offset: va, post_offset: vb, multiplier, from_end,
            align: true, ..jump(0, 0, relative, form) };
        for step in [
            Step::Content(wild), Step::ByteJump(leap), byte_test(width, Compare::Xor, vb, a, relative, form),
            extract(width as u8, a, relative, form, 200), is_data_at(a, relative, from_end),
        ] {
            let steps = [extract(1, 0, false, BINARY, 0), step, after(b"y", b)];
            verdict_on(&steps, Subject::window(&bytes, base, fresh_from), 1000);
        }
    }
}
