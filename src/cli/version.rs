//! `weir version` and `weir completions`.

use super::terminal::print;
use super::{Cli, Failure, Outcome};
use crate::mgmt::build;
use clap::{Args, CommandFactory};

pub fn version() -> Result<Outcome, Failure> {
    let (arch, os) = (std::env::consts::ARCH, std::env::consts::OS);
    print(&format!(
        "weir {}\ncommit    {}\ndpdk      {}\ncompiler  {}\ntarget    {arch} {os}\n",
        build::VERSION,
        build::COMMIT,
        build::DPDK,
        build::COMPILER
    ))?;
    Ok(Outcome::Clean)
}

#[derive(Debug, Args)]
pub struct Completions {
    /// For which shell
    shell: clap_complete::Shell,
}

pub fn completions(args: Completions) -> Result<Outcome, Failure> {
    // It panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "weir", &mut script);
    print(&String::from_utf8(script)?)?;
    Ok(Outcome::Clean)
}
