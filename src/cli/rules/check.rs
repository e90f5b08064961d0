//! `weir rules check`.

use super::From;
use crate::cli::terminal::visible;
use crate::cli::{Failure, Outcome, print};
use crate::mgmt::rule_files::Loaded;
use crate::rules::lists::Touched;
use crate::rules::{Diagnostic, Origin, RuleSet};
use clap::Args;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::Write as _;

#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    from: From,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Print warnings too
    #[arg(long)]
    warnings: bool,
    /// Print every fault, however many there are
    #[arg(long)]
    all: bool,
}

/// What `--json` prints; scripts rely on these names.
#[derive(Serialize)]
struct Report<'a> {
    loaded: usize,
    refused: usize,
    /// Lines of lists, threshold.config and the like that are at fault.
    lines_refused: usize,
    /// Rules of the files that are commented out or disabled by a list.
    disabled: usize,
    /// Rules that require what this version has not.
    left_out: usize,
    /// Rules that are loaded and cannot match until a decoder arrives, by what they wait for.
    waiting: BTreeMap<&'static str, usize>,
    /// By keyword, how many faults of rules it has.
    refused_by_keyword: BTreeMap<&'a str, usize>,
    /// What each line of the lists came to.
    lists: &'a [Touched],
    faults: Vec<&'a Diagnostic>,
    warnings: Vec<&'a Diagnostic>,
}

pub fn run(args: Check) -> Result<Outcome, Failure> {
    let rules = args.from.load()?;
    if args.json {
        let (faults, warnings) = rules.diagnostics.iter().partition(|d| d.is_fault());
        let report = Report {
            loaded: rules.rules.rules.len(),
            refused: rules.refused().rules,
            lines_refused: rules.refused().lines,
            disabled: rules.switched_off(),
            left_out: rules.left_out(),
            waiting: rules.rules.waiting().into_iter().collect(),
            refused_by_keyword: by_keyword(&rules),
            lists: &rules.touched,
            faults,
            warnings,
        };
        print(&(serde_json::to_string_pretty(&report)? + "\n"))?;
    } else {
        write_faults(&rules, args.warnings, if args.all { usize::MAX } else { SHOWN });
        print(&summary(&rules))?;
    }
    Ok(super::outcome(&rules))
}

fn summary(rules: &Loaded) -> String {
    let mut text = format!("{} rules loaded, {}\n", rules.rules.rules.len(), rules.refused().beside());
    let keywords = by_keyword(rules);
    // With few faults the carets above say it all.
    if rules.refused().rules > MANY {
        let mut each: Vec<_> = keywords.into_iter().collect();
        each.sort_by_key(|&(name, count)| (std::cmp::Reverse(count), name));
        let each: Vec<String> = each.iter().map(|(name, count)| format!("{name} {count}")).collect();
        let _ = writeln!(text, "refused by keyword: {}", each.join(", "));
    }
    if let Some(note) = waiting_note(&rules.rules) {
        text += &note;
        text.push('\n');
    }
    if rules.switched_off() > 0 {
        let _ = writeln!(text, "{} more are disabled or commented out", rules.switched_off());
    }
    if rules.left_out() > 0 {
        let count = rules.left_out();
        let _ =
            writeln!(text, "{count} more are left out: they require what this version has not (--warnings)");
    }
    for touched in &rules.touched {
        let Touched { file, line, text: said, selected, changed, list } = touched;
        let done = list.done();
        let _ = writeln!(text, "{file}:{line}: {changed} rules {done}, {selected} selected by `{said}`");
    }
    text
}

/// Faults that people take in one by one.
const MANY: usize = 10;

fn by_keyword(rules: &Loaded) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for fault in rules.faults().filter(|fault| fault.origin == Origin::Rule) {
        *counts.entry(fault.keyword.as_deref().unwrap_or("other")).or_default() += 1;
    }
    counts
}

/// What the loaded rules cannot do yet, in a line.
pub fn waiting_note(rules: &RuleSet) -> Option<String> {
    let waiting = rules.waiting();
    let all: usize = waiting.iter().map(|(_, count)| count).sum();
    let each: Vec<String> = waiting.iter().map(|(name, count)| format!("{name} {count}")).collect();
    (all > 0).then(|| format!("{all} of them wait for decoders and cannot match yet: {}", each.join(", ")))
}

/// Faults that are printed where nothing asks for all.
const SHOWN: usize = 250;

/// The first faults with their carets, to stderr, and how many more there are.
pub fn print_faults(rules: &Loaded, warnings: bool) {
    write_faults(rules, warnings, SHOWN);
}

fn write_faults(rules: &Loaded, warnings: bool, most: usize) {
    let told = || rules.diagnostics.iter().filter(|d| warnings || d.is_fault());
    // Buffered: there can be tens of thousands. Standard error gone is no reason to fail.
    let mut out = std::io::BufWriter::new(std::io::stderr().lock());
    for diagnostic in told().take(most) {
        let _ = writeln!(out, "{}\n", visible(&diagnostic.to_string()));
    }
    let more = told().skip(most).count();
    if more > 0 {
        let _ =
            writeln!(out, "and {more} more: `weir rules check --all` prints them, `--json` counts them\n");
    }
    let _ = out.flush();
}
