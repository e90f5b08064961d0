//! `weir version` and `weir completions`.

use super::{Cli, Failure, Outcome};
use crate::mgmt::build;
use clap::{Args, CommandFactory};

pub fn version() -> Result<Outcome, Failure> {
    println!("weir {}", build::VERSION);
    println!("commit    {}", build::COMMIT);
    println!("dpdk      {}", build::DPDK);
    println!("compiler  {}", build::COMPILER);
    println!("target    {} {}", std::env::consts::ARCH, std::env::consts::OS);
    Ok(Outcome::Clean)
}

#[derive(Debug, Args)]
pub struct Completions {
    /// For which shell
    shell: clap_complete::Shell,
}

pub fn completions(args: Completions) -> Result<Outcome, Failure> {
    clap_complete::generate(args.shell, &mut Cli::command(), "weir", &mut std::io::stdout());
    Ok(Outcome::Clean)
}
