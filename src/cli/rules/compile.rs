//! `weir rules compile`.

use super::{From, print_faults};
use crate::cli::{Failure, Outcome, print};
use crate::mgmt::rule_sets;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Compile {
    #[command(flatten)]
    from: From,
    /// Where the compiled set goes
    #[arg(short, long, value_name = "SET")]
    output: PathBuf,
}

pub fn run(args: Compile) -> Result<Outcome, Failure> {
    let (config, selection) = args.from.find()?;
    let rules = rule_sets::compile(&config.config, &config.base, &selection, &args.output)?;
    print_faults(&rules, false);
    let (good, refused) = (rules.rules.rules.len(), rules.refused().beside());
    print(&format!("{good} rules compiled into {}, {refused}\n", args.output.display()))?;
    Ok(super::outcome(&rules))
}
