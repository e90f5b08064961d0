//! `weir man`: the manual pages, from the same description as `--help`.

use super::{Cli, Failure, Outcome};
use clap::{Args, CommandFactory};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Man {
    /// Folder to write weir.1, weir-run.1, weir-ctl-status.1 and so on to; it is made when missing
    folder: PathBuf,
}

pub fn run(args: Man) -> Result<Outcome, Failure> {
    let folder = args.folder;
    let written =
        std::fs::create_dir_all(&folder).and_then(|()| clap_mangen::generate_to(Cli::command(), &folder));
    written.map_err(|error| format!("cannot write to {}: {error}; name another folder", folder.display()))?;
    Ok(Outcome::Clean)
}
