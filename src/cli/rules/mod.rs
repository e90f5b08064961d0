//! `weir rules`: what rule files hold, what becomes of them, and why. Exit code 1 where something is refused.

mod check;
mod compile;
mod cost;
mod diff;
mod explain;
mod keywords;
mod list;
mod show;
mod steps;

pub use check::{print_faults, waiting_note};

use super::{ConfigArgs, Failure, Outcome, misuse};
use crate::mgmt::Profile;
use crate::mgmt::config::{self, Sources};
use crate::mgmt::rule_files::{self, Loaded, Selection};
use crate::rules::lists::Kind;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Compile rule files and report every fault; exit code 1 if there is one
    Check(check::Check),
    /// Compile rule files into a file that `weir run --load` and `weir replay --load` take
    Compile(compile::Compile),
    /// List rules and what becomes of them: active, waiting for a decoder, disabled
    List(list::List),
    /// Explain a rule as it is compiled: group, fast pattern, order of checks
    Show(show::Show),
    /// List every keyword, and what waits for a decoder
    Keywords(keywords::Keywords),
    /// Show what rules cost in a replay: weir replay --rule-cost
    Cost(cost::Cost),
    /// Compare two rule files or folders: rules added, removed, changed
    Diff(diff::Diff),
}

/// Files that change what rules do, beside those of the configuration.
#[derive(Debug, Default, Args)]
pub struct ListArgs {
    /// Thresholds and suppressions (threshold.config); may be repeated
    #[arg(long = "threshold-file", value_name = "FILE")]
    threshold: Vec<PathBuf>,
    /// Rules not to load, as suricata-update lists them; may be repeated
    #[arg(long = "disable-conf", value_name = "FILE")]
    disable: Vec<PathBuf>,
    /// Rules to load though they are disabled or commented out; may be repeated
    #[arg(long = "enable-conf", value_name = "FILE")]
    enable: Vec<PathBuf>,
    /// Rules to make drop rules; may be repeated
    #[arg(long = "drop-conf", value_name = "FILE")]
    drop: Vec<PathBuf>,
    /// Rules to change by search and replacement; may be repeated
    #[arg(long = "modify-conf", value_name = "FILE")]
    modify: Vec<PathBuf>,
}

impl ListArgs {
    pub fn selection(self, only: Vec<PathBuf>, also: Vec<PathBuf>) -> Selection {
        let of = |kind, files: Vec<PathBuf>| files.into_iter().map(move |file| (kind, file));
        let lists = of(Kind::Disable, self.disable)
            .chain(of(Kind::Enable, self.enable))
            .chain(of(Kind::Drop, self.drop))
            .chain(of(Kind::Modify, self.modify));
        Selection { only, also, threshold: self.threshold, lists: lists.collect(), ..Selection::default() }
    }
}

/// Where rules come from, for the commands that read them.
#[derive(Debug, Args)]
struct From {
    /// Rule files, or folders of *.rules; without any, those of the configuration (-c)
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    source: ConfigArgs,
    #[command(flatten)]
    lists: ListArgs,
}

impl From {
    fn load(self) -> Result<Loaded, Failure> {
        let (loaded, selection) = self.find()?;
        Ok(rule_files::load(&loaded.config, &loaded.base, &selection)?)
    }

    /// The configuration, and which files.
    fn find(self) -> Result<(config::Loaded, Selection), Failure> {
        let sources = Sources {
            file: self.source.config.as_deref(),
            sets: &self.source.sets,
            profile: Profile::Suricata,
        };
        let loaded = sources.load()?;
        if self.files.is_empty() && loaded.config.rules.files.is_empty() {
            return Err(misuse(
                "there are no rules to read: name rule files, or a configuration that does (-c)",
            ));
        }
        let selection = self.lists.selection(self.files, Vec::new());
        Ok((loaded, selection))
    }
}

pub fn run(command: Command) -> Result<Outcome, Failure> {
    match command {
        Command::Check(args) => check::run(args),
        Command::Compile(args) => compile::run(args),
        Command::List(args) => list::run(args),
        Command::Show(args) => show::run(args),
        Command::Keywords(args) => keywords::run(&args),
        Command::Cost(args) => cost::run(&args),
        Command::Diff(args) => diff::run(args),
    }
}

fn outcome(loaded: &Loaded) -> Outcome {
    if loaded.refused().any() { Outcome::Flawed } else { Outcome::Clean }
}
