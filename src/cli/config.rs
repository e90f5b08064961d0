//! `weir config`.

use super::{ConfigArgs, Failure, Outcome};
use crate::mgmt::config::print::{Notes, print};
use crate::mgmt::config::{Profile, Sources, documented_defaults};
use clap::{Args, Subcommand};
use std::io::Write;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the merged configuration as TOML, with where each value came from
    Show(Show),
}

#[derive(Debug, Args)]
pub struct Show {
    #[command(flatten)]
    source: ConfigArgs,
    /// Print all keys with what they mean and their defaults
    #[arg(long, conflicts_with_all = ["config", "sets"])]
    defaults: bool,
    /// Which defaults: inline or suricata
    #[arg(long, value_parser = super::profile, default_value = "inline", value_name = "PROFILE")]
    profile: Profile,
}

pub fn run(command: Command) -> Result<Outcome, Failure> {
    let Command::Show(show) = command;
    let text = if show.defaults {
        documented_defaults(show.profile)
    } else {
        let source = &show.source;
        let sources = Sources { file: source.config.as_deref(), sets: &source.sets, profile: show.profile };
        let mut loaded = sources.load()?;
        print(&mut loaded.config, &Notes::Origins(&loaded.places))
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(Outcome::Clean)
}
