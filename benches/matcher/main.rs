//! The attack matcher beside the `aho-corasick` crate and Hyperscan: the same patterns, the same payload, one run.
//!
//! `./scripts/bench matcher`, or `cargo bench --features hyperscan --bench matcher -- [--rounds N] [--megabytes N] [SET...]`.
//! Every engine scans in turn, round by round; a figure is the median of the rounds, a ratio the median of the rounds' own
//! ratios, and time is CPU time of the thread, so that a busy machine disturbs little. All engines must report the same
//! (pattern, block) pairs: otherwise the bench fails.
//! `-- --rules FILE`: the payload before all groups of a rule set, as the engine compiles them.

#[cfg(feature = "hyperscan")]
mod hyperscan;
mod load;
mod whole;

use load::{Payload, SETS, STREAM};
use std::time::Duration;
use weir::inspect::matcher::{Kind, Matcher, Patterns, Seen, StreamState};

/// CPU time of this thread.
#[allow(unsafe_code)] // one call of the C library
pub fn cpu_time() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a place for the answer; the clock exists on every Linux.
    let code = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut now) };
    assert_eq!(code, 0);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Something that scans: block number, whether a stream begins here, the bytes, a report.
type Scan<'a> = Box<dyn FnMut(bool, &[u8], &mut dyn FnMut(u32)) + 'a>;

struct Entrant<'a> {
    name: &'static str,
    built_in: Duration,
    bytes: usize,
    scan: Scan<'a>,
    /// GB/s, round by round.
    rates: Vec<f64>,
}

fn ours<'a>(name: &'static str, kind: Kind, patterns: &[Vec<u8>], streaming: bool) -> Entrant<'a> {
    let mut set = Patterns::default();
    patterns.iter().for_each(|pattern| _ = set.add(pattern));
    let begin = cpu_time();
    let matcher = Matcher::build_as(kind, &set).expect("the set fits");
    let built_in = cpu_time() - begin;
    let mut seen = Seen::with_capacity(matcher.len());
    let bytes = matcher.bytes();
    let mut state = StreamState::default();
    let scan: Scan<'a> = if streaming {
        Box::new(move |fresh, chunk, report| {
            if fresh {
                state = StreamState::default();
            }
            matcher.scan_stream(&mut state, chunk, &mut seen, |id| report(id.0));
        })
    } else {
        Box::new(move |_, block, report| matcher.scan(block, &mut seen, |id| report(id.0)))
    };
    Entrant { name, built_in, bytes, scan, rates: Vec::new() }
}

#[cfg(feature = "hyperscan")]
fn theirs<'a>(patterns: &[Vec<u8>], streaming: bool) -> Option<Entrant<'a>> {
    let begin = cpu_time();
    let mut hyperscan = hyperscan::Hyperscan::build(patterns, streaming);
    let built_in = cpu_time() - begin;
    let bytes = hyperscan.bytes();
    let scan: Scan<'a> = if streaming {
        Box::new(move |fresh, chunk, mut report| hyperscan.scan_stream(fresh, chunk, &mut report))
    } else {
        Box::new(move |_, block, mut report| hyperscan.scan(block, &mut report))
    };
    Some(Entrant { name: "hyperscan", built_in, bytes, scan, rates: Vec::new() })
}

#[cfg(not(feature = "hyperscan"))]
fn theirs<'a>(_: &[Vec<u8>], _: bool) -> Option<Entrant<'a>> {
    None
}

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Scans the whole payload once; the pairs reported, in order.
fn round(entrant: &mut Entrant<'_>, payload: &Payload, pairs: Option<&mut Vec<(u32, u32)>>) -> u64 {
    let mut count = 0;
    match pairs {
        Some(pairs) => {
            for (n, block) in payload.blocks().enumerate() {
                (entrant.scan)(n % STREAM == 0, block, &mut |id| pairs.push((n as u32, id)));
            }
            pairs.sort_unstable();
            count = pairs.len() as u64;
        }
        None => {
            let begin = cpu_time();
            for (n, block) in payload.blocks().enumerate() {
                (entrant.scan)(n % STREAM == 0, block, &mut |_| count += 1);
            }
            entrant.rates.push(payload.len() as f64 / (cpu_time() - begin).as_secs_f64() / 1e9);
        }
    }
    count
}

fn compare(set: &str, patterns: &[Vec<u8>], payload: &Payload, streaming: bool, rounds: usize) {
    let mut entrants = vec![
        ours("weir", Kind::Simd, patterns, streaming),
        ours("weir, AVX2", Kind::Avx2, patterns, streaming),
        ours("weir, scalar", Kind::Scalar, patterns, streaming),
        ours("aho-corasick, DFA", Kind::AhoCorasickDfa, patterns, streaming),
        ours("aho-corasick, NFA", Kind::AhoCorasick, patterns, streaming),
    ];
    entrants.extend(theirs(patterns, streaming));
    let mut expected = Vec::new();
    let pairs = round(&mut entrants[0], payload, Some(&mut expected));
    for entrant in &mut entrants[1..] {
        let mut found = Vec::new();
        round(entrant, payload, Some(&mut found));
        assert!(found == expected, "{set}: {} reports {} pairs, weir {pairs}", entrant.name, found.len());
    }
    for _ in 0..rounds {
        for entrant in &mut entrants {
            assert_eq!(round(entrant, payload, None), pairs, "{set}: {}", entrant.name);
        }
    }
    let mode = if streaming { "stream" } else { "block" };
    println!("\n{set}, {mode}: {} patterns, {pairs} pairs, the same from all", patterns.len());
    for entrant in &entrants {
        let ratio = median(entrants[0].rates.iter().zip(&entrant.rates).map(|(ours, theirs)| ours / theirs));
        println!(
            "  {:<18} {:>6.3} GB/s   weir / it {:>6.2}   built in {:>8.2} ms   {:>7} KiB",
            entrant.name,
            median(entrant.rates.iter().copied()),
            ratio,
            entrant.built_in.as_secs_f64() * 1e3,
            entrant.bytes / 1024
        );
    }
}

struct Options {
    rounds: usize,
    bytes: Option<usize>,
    rules: Option<String>,
    sets: Vec<String>,
}

fn options() -> Options {
    let mut options = Options { rounds: 5, bytes: None, rules: None, sets: Vec::new() };
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|n| n.parse::<usize>().ok());
        match argument.as_str() {
            "--rounds" => options.rounds = number().filter(|&n| n > 0).expect("--rounds wants a number"),
            "--megabytes" => {
                options.bytes =
                    Some(number().filter(|&n| n > 0).expect("--megabytes wants a number") * 1_000_000)
            }
            "--rules" => options.rules = Some(arguments.next().expect("--rules wants a file")),
            set if SETS.contains(&set) => options.sets.push(set.to_owned()),
            other => {
                eprintln!("{other}: not one of {SETS:?}, --rounds, --megabytes, --rules");
                std::process::exit(2);
            }
        }
    }
    if options.sets.is_empty() {
        options.sets = SETS.map(str::to_owned).to_vec();
    }
    options
}

fn main() {
    let options = options();
    let Some(shared) = load::shared() else {
        println!("skipped: no cases (set WEIR_SHARED)");
        return;
    };
    let payload = Payload::load(&shared, options.bytes);
    println!(
        "{:.1} MB of TCP payload ({:.1} MB of it distinct) in blocks of {} bytes, streams of {STREAM} blocks; {} rounds, CPU time",
        payload.len() as f64 / 1e6,
        payload.distinct as f64 / 1e6,
        load::BLOCK,
        options.rounds
    );
    if cfg!(not(feature = "hyperscan")) {
        println!("without Hyperscan: build with --features hyperscan");
    }
    if let Some(rules) = &options.rules {
        return whole::run(rules, &payload, options.rounds);
    }
    for set in &options.sets {
        let patterns = load::patterns(&shared, set);
        for streaming in [false, true] {
            compare(set, &patterns, &payload, streaming, options.rounds);
        }
    }
}
