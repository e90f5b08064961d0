//! `weir rules`.

use super::{ConfigArgs, Failure, Outcome};
use crate::mgmt::Profile;
use crate::mgmt::config::Sources;
use crate::mgmt::rule_files::{self, Loaded, Selection};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Compile rule files and report every fault; exit code 1 if there is one
    Check(Check),
}

#[derive(Debug, Args)]
pub struct Check {
    /// Rule files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    source: ConfigArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Print warnings too
    #[arg(long)]
    warnings: bool,
}

/// What `--json` prints; scripts rely on these names.
#[derive(Serialize)]
struct Report<'a> {
    loaded: usize,
    refused: usize,
    /// Rules that are loaded and cannot match until a decoder arrives, by what they wait for.
    waiting: BTreeMap<&'static str, usize>,
    faults: Vec<&'a crate::rules::Diagnostic>,
    warnings: Vec<&'a crate::rules::Diagnostic>,
}

pub fn run(command: Command) -> Result<Outcome, Failure> {
    let Command::Check(args) = command;
    let source = &args.source;
    let sources = Sources { file: source.config.as_deref(), sets: &source.sets, profile: Profile::Suricata };
    let loaded = sources.load()?;
    let selection = Selection { only: args.files, also: Vec::new() };
    let rules = rule_files::load(&loaded.config, &loaded.base, &selection)?;
    if args.json {
        let (faults, warnings) = rules.diagnostics.iter().partition(|d| d.is_fault());
        let report = Report {
            loaded: rules.rules.rules.len(),
            refused: rules.refused(),
            waiting: rules.rules.waiting().into_iter().collect(),
            faults,
            warnings,
        };
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print_faults(&rules, args.warnings);
        println!("{} rules loaded, {} refused", rules.rules.rules.len(), rules.refused());
        if let Some(note) = waiting_note(&rules.rules) {
            println!("{note}");
        }
    }
    Ok(if rules.refused() > 0 { Outcome::Flawed } else { Outcome::Clean })
}

/// What the loaded rules cannot do yet, in a line.
pub fn waiting_note(rules: &crate::rules::RuleSet) -> Option<String> {
    let waiting = rules.waiting();
    let all: usize = waiting.iter().map(|(_, count)| count).sum();
    let each: Vec<String> = waiting.iter().map(|(name, count)| format!("{name} {count}")).collect();
    (all > 0).then(|| format!("{all} of them wait for decoders and cannot match yet: {}", each.join(", ")))
}

/// Every fault with its caret, to stderr.
pub fn print_faults(rules: &Loaded, warnings: bool) {
    // Buffered: there can be tens of thousands. Standard error gone is no reason to fail.
    let mut out = std::io::BufWriter::new(std::io::stderr().lock());
    for diagnostic in rules.diagnostics.iter().filter(|d| warnings || d.is_fault()) {
        let _ = writeln!(out, "{diagnostic}\n");
    }
    let _ = out.flush();
}
