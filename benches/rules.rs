//! How long a rule set takes from files to the engine that packets meet: from its text, and from a saved set.
//!
//! `cargo bench --bench rules [-- FILE]`: by default et-open.rules of $WEIR_SHARED (../shared). Each figure is of a process of its
//! own, as a start is; the least of five.

#![allow(clippy::disallowed_methods)] // a bench reads a clock

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;
use weir::inspect::Engine;
use weir::rules::lists::Lists;
use weir::rules::saved::{self, Digest, Printer};
use weir::rules::{Classifications, Loading, References, SourceFile, Vars, load_listed};

/// As in the `weir` command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 5;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match &words[..] {
        [how, file] if how == "once" => return timed(|| text(Path::new(file))),
        [how, file, set] if how == "once" => return timed(|| saved_set(Path::new(file), Path::new(set))),
        _ => {}
    }
    let shared = std::env::var_os("WEIR_SHARED").map_or_else(|| PathBuf::from("../shared"), PathBuf::from);
    let file = words.first().map_or_else(|| shared.join("rules/et-open.rules"), PathBuf::from);
    if !file.is_file() {
        return eprintln!(
            "skipped: no rules at {}; name a file, or the folder of the test data in WEIR_SHARED",
            file.display()
        );
    }
    let set = std::env::temp_dir().join(format!("weir-bench-{}.set", std::process::id()));
    let mut loading = text(&file);
    Engine::add_windows(&mut loading.rules).expect("the rules compile");
    let bytes = saved::write(&loading, Printer::default().finish()).expect("the set can be saved");
    std::fs::write(&set, &bytes).expect("a temporary file can be written");
    println!("{} rules, a saved set of {:.1} MB", loading.rules.rules.len(), bytes.len() as f64 / 1e6);
    drop(loading);
    let itself = std::env::current_exe().expect("this program has a path");
    for (name, set) in [("from text", None), ("from the saved set", Some(&set))] {
        let least = (0..ROUNDS).map(|_| {
            let output = Command::new(&itself).arg("once").arg(&file).args(set).output().expect("it starts");
            String::from_utf8_lossy(&output.stdout).trim().parse::<f64>().expect("it prints a number")
        });
        println!("{name:<20} {:>8.1} ms", least.fold(f64::INFINITY, f64::min));
    }
    let _ = std::fs::remove_file(&set);
}

/// Prints the milliseconds that it takes to load and to make the engine.
fn timed(load: impl FnOnce() -> Loading) {
    let begun = Instant::now();
    let engine = Engine::compile(Arc::new(load().rules)).expect("the rules compile");
    println!("{}", begun.elapsed().as_secs_f64() * 1e3);
    // A start does not take it down again.
    std::mem::forget(engine);
}

fn text(file: &Path) -> Loading {
    let file = SourceFile::read(file).expect("the rule file can be read");
    let (classes, references) = (Classifications::default(), References::default());
    load_listed(&[file], &Vars::default(), &classes, &references, Lists::default())
}

/// With the look at the rule file that says whether the set fits.
fn saved_set(file: &Path, set: &Path) -> Loading {
    let digest = Digest::of_file(file).expect("the rule file can be read");
    let bytes = std::fs::read(set).expect("the set can be read");
    let loading = saved::read(&bytes).and_then(|set| set.load()).expect("the set is good");
    std::hint::black_box(digest);
    loading
}
