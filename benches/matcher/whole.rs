//! All groups of a rule set, as the engine compiles them: what they take to build, to hold and to scan with.

use crate::cpu_time;
use crate::load::Payload;
use std::path::Path;
use std::sync::Arc;
use weir::inspect::Engine;
use weir::inspect::matcher::Seen;
use weir::rules::{Classifications, References, SourceFile, Vars, load};

/// Every so many blocks one is scanned: a rule set has hundreds of groups.
const ONE_IN: usize = 16;

pub fn run(path: &str, payload: &Payload, rounds: usize) {
    let text = std::fs::read_to_string(Path::new(path)).expect("the rule file can be read");
    let file = SourceFile::new(path, text.as_str());
    let (rules, _) = load(&[file], &Vars::default(), &Classifications::default(), &References::default());
    let count = rules.rules.len();
    let begin = cpu_time();
    let engine = Engine::compile(Arc::new(rules)).expect("the rules compile");
    let built_in = cpu_time() - begin;
    let matchers: Vec<_> = engine.matchers().collect();
    let patterns: usize = matchers.iter().map(|m| m.len()).sum();
    let bytes: usize = matchers.iter().map(|m| m.bytes()).sum();
    println!(
        "{count} rules: {} groups' sets, {patterns} patterns, {:.1} MiB; the engine compiled in {:.0} ms",
        matchers.len(),
        bytes as f64 / 1048576.0,
        built_in.as_secs_f64() * 1e3
    );
    let largest = matchers.iter().map(|m| m.len()).max().unwrap_or(0);
    let mut seen = Seen::with_capacity(largest);
    let mut rates = Vec::new();
    let mut pairs = 0u64;
    for _ in 0..rounds {
        let begin = cpu_time();
        let mut scanned = 0;
        pairs = 0;
        for block in payload.blocks().step_by(ONE_IN) {
            for matcher in &matchers {
                matcher.scan(block, &mut seen, |_| pairs += 1);
                scanned += block.len();
            }
        }
        rates.push(scanned as f64 / (cpu_time() - begin).as_secs_f64() / 1e9);
    }
    let rate = crate::median(rates);
    println!("every set over one block in {ONE_IN}: {rate:.3} GB/s a set on average, {pairs} pairs");
}
