//! What a sheet says after evaluations whose time is known: each reading of the counter is 10 ticks after the last.

use super::*;
use crate::inspect::fixture;
use crate::rules::ruleset::{Action, PayloadScope};
use std::sync::atomic::{AtomicU64, Ordering};

fn engine() -> Engine {
    let rule = |sid| fixture::payload_rule(sid, Action::Alert, PayloadScope::Packet, b"x");
    let bare = fixture::rule(3, Action::Alert);
    Engine::compile(fixture::set(vec![rule(1), rule(2), bare])).unwrap()
}

/// A microsecond a tick.
fn steps_of_ten() -> Ticks {
    static NOW: AtomicU64 = AtomicU64::new(0);
    Ticks { read: || NOW.fetch_add(10, Ordering::Relaxed), per_second: 1_000_000 }
}

/// A counter that runs backwards.
fn backwards() -> Ticks {
    static NOW: AtomicU64 = AtomicU64::new(u64::MAX);
    Ticks { read: || NOW.fetch_sub(1000, Ordering::Relaxed), per_second: 1_000_000 }
}

#[test]
fn a_book_sums_what_its_workers_wrote() {
    let (engine, book) = (engine(), CostBook::new(backwards()));
    for _ in 0..2 {
        let sheet = book.open(&engine);
        let mut meter = sheet.meter();
        meter.searched();
        meter.evaluated(RuleIndex(1), false);
        meter.evaluated(RuleIndex(2), true);
        meter.packet(Class::Udp);
        meter.packet(Class::Udp);
        meter.evaluated(RuleIndex(1), true);
        meter.transaction(AppProto::Dns);
    }
    let costs = book.sum(&engine);
    let counts: Vec<_> = costs.rules.iter().map(|r| (r.rule.0, r.checks, r.matches, r.bare)).collect();
    assert_eq!(counts, [(1, 4, 2, false), (2, 2, 2, true)], "a rule that was not evaluated is left out");
    assert!(costs.rules.iter().all(|rule| rule.nanoseconds == 0), "a counter that runs back counts as still");
    let [(Class::Udp, packets)] = costs.packets[..] else { panic!("{:?}", costs.packets) };
    assert_eq!((packets.count, packets.mean, packets.p50, packets.max), (4, 1.0, 0, 2));
    let [(AppProto::Dns, transactions)] = costs.transactions[..] else { panic!("{:?}", costs.transactions) };
    assert_eq!((transactions.count, transactions.p99), (2, 1));
}

#[test]
fn an_evaluation_takes_what_passed_since_the_one_before() {
    let (engine, book) = (engine(), CostBook::new(steps_of_ten()));
    let sheet = book.open(&engine);
    let mut meter = sheet.meter();
    meter.searched();
    meter.evaluated(RuleIndex(0), false);
    meter.evaluated(RuleIndex(0), false);
    meter.evaluated(RuleIndex(1), false);
    let costs = book.sum(&engine);
    let times: Vec<u64> = costs.rules.iter().map(|rule| rule.nanoseconds).collect();
    assert_eq!((times, costs.search_nanoseconds), (vec![20_000, 10_000], 10_000));
}

#[test]
fn another_generations_sheets_are_not_summed_and_rules_it_has_not_are_not_counted() {
    let (engine, book) = (engine(), CostBook::new(Ticks::monotonic()));
    let sheet = book.open(&engine);
    sheet.meter().evaluated(RuleIndex(99), true);
    sheet.meter().evaluated(RuleIndex(0), true);
    assert_eq!(book.sum(&engine).rules.len(), 1);
    let mut next = (**engine.rules()).clone();
    next.generation = Generation(engine.generation().0 + 1);
    let next = Engine::compile(Arc::new(next)).unwrap();
    assert_eq!(book.sum(&next).rules, []);
}

#[test]
fn the_census_tells_rules_with_a_pattern_from_those_without() {
    let engine = engine();
    let figures = engine.group_figures();
    let [tcp] = &figures[..] else { panic!("{figures:?}") };
    assert_eq!((tcp.class, tcp.groups, tcp.rules_max, tcp.bare_max), (Class::Tcp, 2, 2, 0));
    assert_eq!(engine.protocol_figures(), [], "rule 3 is of headers only: in no group");
}
