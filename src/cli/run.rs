//! `weir run`.

use super::{ConfigArgs, Failure, Outcome, rules};
use crate::mgmt::Profile;
use crate::mgmt::config::{Config, Log, LogFormat, Sources};
use crate::mgmt::first_rules::Prepare;
use crate::mgmt::rule_files::Selection;
use crate::mgmt::rule_sets::Keep;
use crate::mgmt::{run, start, watchdog};
use crate::service::watchdog::Restarted;
use clap::Args;
use std::io::IsTerminal;
use std::path::PathBuf;
use tracing_subscriber::EnvFilter;

#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    source: ConfigArgs,
    /// Rules as `weir rules compile` has written them, used if they are of the configuration's rule files; without rule files
    /// as they are
    #[arg(long = "load", value_name = "SET")]
    saved: Option<PathBuf>,
}

pub fn run(args: Run) -> Result<Outcome, Failure> {
    let Some(file) = args.source.config.as_deref() else {
        return Err("name a configuration: weir run -c conf/demo.toml".into());
    };
    let sources = Sources { file: Some(file), sets: &args.source.sets, profile: Profile::Inline };
    let loaded = sources.load()?;
    loaded.check_cpus(&start::machine())?;
    start_log(&loaded.config.log);
    let restarted = watchdog::restarted();
    let selection = Selection { saved: args.saved, ..Selection::default() };
    // The process before this one has said what was refused, and traffic waits.
    let tells = restarted == Restarted::default();
    let prepare = prepare(loaded.config.clone(), loaded.base.clone(), selection.clone(), tells);
    let ended = run::run(loaded, prepare, selection, restarted)?;
    println!("conservation  {}", ended.balance);
    println!("events        {} sent, {} lost", ended.events.sent, ended.events.lost);
    let failed = super::tell_failed(&ended.failed, ended.written_off);
    if !ended.balance.is_even() || ended.leaked > 0 {
        eprintln!(
            "error: frames do not add up ({} not returned), which is a fault of weir: please report it",
            ended.leaked
        );
        return Ok(Outcome::Flawed);
    }
    Ok(if failed { Outcome::Flawed } else { Outcome::Clean })
}

/// The rules of the start; what is to be said of them is said when they are there.
fn prepare(config: Config, base: PathBuf, selection: Selection, tells: bool) -> Prepare {
    Box::new(move || {
        let found = start::rules(&config, &base, &selection, Keep::Yes)?;
        found.loaded.log_saved();
        if tells {
            rules::print_faults(&found.loaded, false);
        }
        let refused = found.loaded.refused();
        if refused.any() {
            tracing::warn!("{refused} were refused and are not in force");
        }
        if let Some(note) = rules::waiting_note(found.engine.rules()) {
            tracing::info!("rules: {note}");
        }
        Ok(found)
    })
}

/// The daemon's log, to stderr.
fn start_log(log: &Log) {
    let filter = EnvFilter::try_from_env("WEIR_LOG").unwrap_or_else(|_| EnvFilter::new(log.level.name()));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let builder = builder.with_ansi(std::io::stderr().is_terminal());
    // A second subscriber is refused, and the first one serves as well.
    let _ = match log.format {
        LogFormat::Json => builder.json().try_init(),
        LogFormat::Text => builder.try_init(),
    };
}
