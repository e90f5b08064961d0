//! The command line: one file a subcommand. Exit code 0 is success, 1 is "something is wrong", also when work was done; 2 is a
//! command line that makes no sense, and then nothing was done.

pub mod check;
pub mod config;
pub mod ctl;
pub mod doctor;
pub mod man;
pub mod reassemble;
pub mod replay;
pub mod rules;
pub mod run;
pub mod table;
pub mod terminal;
pub mod version;

use crate::mgmt::Profile;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
pub use terminal::{print, tell};

/// Inline network security over DPDK, with Suricata's rules and eve.json.
#[derive(Debug, Parser)]
#[command(name = "weir", version, max_term_width = 110, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Replay captures through the appliance: no root, hugepages or NIC
    Replay(replay::Replay),
    /// Run the appliance
    Run(run::Run),
    Reassemble(reassemble::Reassemble),
    /// Check a configuration and its rules; prints every fault (also: weir -T)
    #[command(visible_alias = "test")]
    Check(check::Check),
    /// Look at this machine: will it do for the configuration, and what mends what will not
    Doctor(doctor::Doctor),
    /// Ask and command a running appliance
    Ctl(ctl::Ctl),
    /// Work with rule files
    #[command(subcommand)]
    Rules(rules::Command),
    /// Show the configuration
    #[command(subcommand)]
    Config(config::Command),
    /// Print what this binary was built from
    Version,
    /// Print a completion script for a shell
    Completions(version::Completions),
    /// Write the manual pages, one a command
    Man(man::Man),
}

/// Where the configuration comes from, for every command that takes one.
#[derive(Debug, Default, Args)]
pub struct ConfigArgs {
    /// Configuration file (TOML)
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Override one key, such as lcores.workers=4; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
}

/// Reads `--profile`.
pub fn profile(word: &str) -> Result<Profile, String> {
    Profile::parse(word).ok_or_else(|| format!("one of: {}", Profile::WORDS.join(", ")))
}

/// Why a command failed; printed to stderr, and the exit code is 1, or 2 if it is a [`Misuse`].
pub type Failure = Box<dyn std::error::Error>;

/// What was asked for makes no sense as it is written.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Misuse(String);

/// A [`Misuse`], in words that say what to write.
pub fn misuse(text: impl Into<String>) -> Failure {
    Box::new(Misuse(text.into()))
}

/// Whether all was well although the work was done.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Clean,
    /// Something was refused or damaged, and has been said.
    Flawed,
}

/// Exit code of a command line that makes no sense: scripts tell it from work that failed.
const USAGE: u8 = 2;

pub fn main() -> ExitCode {
    let cli = match Cli::try_parse_from(arguments()) {
        Ok(cli) => cli,
        Err(told) => {
            // Help and version come this way too. A closed pipe is no reason to fail.
            match terminal::visible(&told.render().to_string()) {
                std::borrow::Cow::Borrowed(_) => _ = told.print(),
                std::borrow::Cow::Owned(text) => tell(text.trim_end()),
            }
            return match told.use_stderr() {
                true => ExitCode::from(USAGE),
                false => ExitCode::SUCCESS,
            };
        }
    };
    match dispatch(cli.command) {
        Ok(Outcome::Clean) => ExitCode::SUCCESS,
        Ok(Outcome::Flawed) => ExitCode::FAILURE,
        Err(failure) => {
            let text = failure.to_string();
            // Faults of the configuration bring their own heads.
            let head = if text.starts_with("error: ") { "" } else { "error: " };
            tell(&format!("{head}{text}"));
            if failure.is::<Misuse>() { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
        }
    }
}

/// Says which lcores ended by a panic; whether any did.
fn tell_failed(failed: &[String], frames: u64) -> bool {
    for what in failed {
        tell(&format!("error: {what}"));
    }
    if !failed.is_empty() {
        tell(&format!(
            "error: so weir stopped early; {frames} frames were lost with it. This is a fault of weir: please report it"
        ));
    }
    !failed.is_empty()
}

/// `weir -T ...` is `weir check ...`, as Suricata's users are used to.
fn arguments() -> Vec<std::ffi::OsString> {
    let mut arguments: Vec<_> = std::env::args_os().collect();
    if let Some(first) = arguments.get_mut(1).filter(|first| *first == "-T") {
        *first = "check".into();
    }
    arguments
}

fn dispatch(command: Command) -> Result<Outcome, Failure> {
    match command {
        Command::Replay(args) => replay::run(args),
        Command::Run(args) => run::run(args),
        Command::Reassemble(args) => reassemble::run(args),
        Command::Check(args) => check::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Ctl(args) => ctl::run(args),
        Command::Rules(command) => rules::run(command),
        Command::Config(command) => config::run(command),
        Command::Version => version::version(),
        Command::Completions(args) => version::completions(args),
        Command::Man(args) => man::run(args),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
