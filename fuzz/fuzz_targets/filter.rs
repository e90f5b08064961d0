//! Any bytes as a filter's rules: read or refused with places in the text, never a panic; what is read decides as trying each rule.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run filter -- -max_total_time=30`

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir::base::{Addr, Family, FlowTuple};
use weir::service::cos::Marking;
use weir::service::filter::{Database, Rules};

fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input);
    let _ = Marking::parse(&text);
    let rules = match Rules::parse(&text) {
        Ok(rules) => rules,
        Err(faults) => {
            for fault in &faults {
                let line = text.lines().nth(fault.line - 1).expect("the line is there");
                assert!(
                    (1..=line.chars().count() + 1).contains(&fault.column) && !fault.help.is_empty(),
                    "{fault}"
                );
            }
            return;
        }
    };
    let database = Database::compile(rules.clone());
    // Tuples at the edges of what the rules say.
    for rule in rules.list.iter().take(8) {
        for (proto, port, off) in [(6, 0, 0u128), (17, u16::MAX, 1)] {
            let m = &rule.matches;
            let family = m.source.or(m.destination).map_or(Family::V6, |prefix| prefix.family);
            let end = |prefix: Option<weir::service::set::Prefix>| {
                Addr(prefix.map_or(0, |p| p.addr.0).wrapping_sub(off))
            };
            let tuple = FlowTuple {
                src: end(m.source),
                dst: end(m.destination),
                sport: m.source_ports.map_or(port, |range| range.0),
                dport: m.destination_ports.map_or(port, |range| range.1),
                proto: m.protocol.unwrap_or(proto),
                family,
                context: 0,
                ..FlowTuple::default()
            };
            let naive =
                rules.list.iter().position(|rule| rule.matches.takes(&tuple)).unwrap_or(rules.list.len());
            assert_eq!(database.decide(&tuple).rule as usize, naive, "{tuple:?}");
        }
    }
});
