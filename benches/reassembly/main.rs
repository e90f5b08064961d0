//! Reassembly and cutting beside DPDK's `librte_ip_frag`, a flood of fragments beside whole packets, and what it costs that
//! frames of one session meet on one worker: cycles a packet of the processor's counter.
//!
//! `./scripts/bench reassembly`, or `cargo bench --features ip-frag --bench reassembly [-- --rounds N] [--only WORDS] [TABLE...]`;
//! tables are `librte`, `flood` and `affinity`, and `--only` picks rows of the first by a part of their name. The contestants take turns, round by round, over the same frames: a figure is the median
//! of the rounds, a ratio the median of the rounds' own. Frames are made and freed beside the clock. All contestants must give
//! the same bytes, or the bench fails.

#![allow(clippy::panic)] // a bench that fails should say where

mod affinity;
mod flood;
#[cfg(feature = "ip-frag")]
mod librte;
mod rows;
#[path = "../support/mod.rs"]
mod support;
mod traffic;

use rows::{Row, measure, output, rows};
use weir::io::dpdk::{Eal, EalConfig, Memory, Pool, PoolConfig};

/// Of 32 frames; all rows' datagrams are whole after so many.
const BURSTS: usize = 128;
const TABLES: [&str; 3] = ["librte", "flood", "affinity"];

fn main() {
    let Arguments { rounds, only, tables } = arguments();
    let huge = std::env::var_os("WEIR_BENCH_HUGE").is_some();
    let memory = if huge { Memory::HugePages } else { Memory::NoHuge { megabytes: 512 } };
    let eal = Eal::start(&EalConfig { memory, cpus: vec![1], ..EalConfig::default() }).expect("EAL starts");
    let config = PoolConfig { name: "bench".into(), segments: 65_535, ..PoolConfig::default() };
    let pool = Pool::new(&eal, &config).expect("a pool");
    println!("frames in {} pages, {rounds} rounds", if huge { "2 MiB" } else { "4 KiB" });
    for table in tables {
        println!();
        match table.as_str() {
            "librte" => beside_librte(&pool, rounds, &only),
            "flood" => flood::table(&pool, rounds),
            _ => affinity::table(&eal, &pool, rounds),
        }
    }
}

struct Arguments {
    rounds: usize,
    only: String,
    tables: Vec<String>,
}

fn arguments() -> Arguments {
    let (mut rounds, mut only, mut tables) = (21, String::new(), Vec::new());
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    while let Some(word) = words.next() {
        match word.as_str() {
            "--rounds" => rounds = words.next().and_then(|n| n.parse().ok()).expect("--rounds N"),
            "--only" => only = words.next().expect("--only WORDS"),
            table if TABLES.contains(&table) => tables.push(word),
            _ => panic!("{word}: the tables are {}", TABLES.join(", ")),
        }
    }
    if tables.is_empty() {
        tables = TABLES.map(str::to_owned).into();
    }
    Arguments { rounds, only, tables }
}

fn beside_librte(pool: &Pool, rounds: usize, only: &str) {
    let head = ["cycles/frame", "librte", "reassembler", "lane", "librte/reassembler", "librte/lane"];
    println!("{:<30} {:>8} {:>12} {:>8} {:>19} {:>12}", head[0], head[1], head[2], head[3], head[4], head[5]);
    for row in rows(pool).into_iter().filter(|row| row.name.contains(only)) {
        let Row { name, traffic, mut runs } = row;
        let mut traffics = runs.each_ref().map(|_| traffic.clone());
        let mut allocator = pool.allocator();
        let mut outputs = Vec::new();
        for (run, traffic) in runs.iter_mut().zip(&mut traffics) {
            outputs.extend(run.as_mut().map(|run| output(run, traffic, &mut allocator, 16)));
        }
        assert!(
            outputs.iter().all(|out| !out.is_empty() && out == &outputs[0]),
            "{name}: not the same bytes"
        );
        let mut found: [Vec<f64>; 3] = Default::default();
        for _ in 0..rounds {
            for ((run, traffic), found) in runs.iter_mut().zip(&mut traffics).zip(&mut found) {
                found.extend(run.as_mut().map(|run| measure(run, traffic, &mut allocator, BURSTS)));
            }
        }
        let figure = |of: &[f64]| median(of.iter().copied()).map_or("-".into(), |n| format!("{n:.0}"));
        let ratio = |of: usize| {
            let ratios = found[0].iter().zip(&found[of]).map(|(theirs, ours)| theirs / ours);
            median(ratios).map_or("-".into(), |n| format!("{n:.2}"))
        };
        let [theirs, ours, lane] = found.each_ref().map(|of| figure(of));
        println!("{name:<30} {theirs:>8} {ours:>12} {lane:>8} {:>19} {:>12}", ratio(1), ratio(2));
    }
}

/// `None` of nothing.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
