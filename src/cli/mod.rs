//! The command line: one file a subcommand. Exit code 0 is success, 1 is "something is wrong", also when work was done.

pub mod config;

use crate::mgmt::Profile;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Inline network security over DPDK, with Suricata's rules and eve.json.
#[derive(Debug, Parser)]
#[command(name = "weir", version, max_term_width = 110, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the configuration
    #[command(subcommand)]
    Config(config::Command),
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

/// Why a command failed; printed to stderr, and the exit code is 1.
pub type Failure = Box<dyn std::error::Error>;

/// Whether all was well although the work was done.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Clean,
    /// Something was refused or damaged, and has been said.
    Flawed,
}

pub fn main() -> ExitCode {
    match dispatch(Cli::parse().command) {
        Ok(Outcome::Clean) => ExitCode::SUCCESS,
        Ok(Outcome::Flawed) => ExitCode::FAILURE,
        Err(failure) => {
            let text = failure.to_string();
            // Faults of the configuration bring their own heads.
            let head = if text.starts_with("error: ") { "" } else { "error: " };
            eprintln!("{head}{text}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> Result<Outcome, Failure> {
    match command {
        Command::Config(command) => config::run(command),
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
