//! `weir run`.

use super::{ConfigArgs, Failure, Outcome, rules};
use crate::mgmt::Profile;
use crate::mgmt::config::{Config, Sources};
use crate::mgmt::first_rules::Prepare;
use crate::mgmt::kept;
use crate::mgmt::operator::overrules_in;
use crate::mgmt::rule_files::Selection;
use crate::mgmt::rule_sets::Keep;
use crate::mgmt::{daemon_log, run, start, watchdog};
use crate::service::watchdog::Restarted;
use clap::Args;
use std::path::PathBuf;

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
        return Err(super::misuse("name a configuration: weir run -c conf/demo.toml"));
    };
    let sources = Sources { file: Some(file), sets: &args.source.sets, profile: Profile::Inline };
    let kept = kept::found().unwrap_or_default();
    // What was committed goes on, whatever became of the file meanwhile.
    let loaded = match &kept.configuration {
        Some(committed) => sources.load_as(&committed.text)?,
        None => sources.load()?,
    };
    let machine = start::machine();
    loaded.check_cpus(&machine)?;
    loaded.check_interfaces(&machine)?;
    daemon_log::start(&loaded.config.log);
    let restarted = watchdog::restarted();
    let selection = Selection { saved: args.saved, ..Selection::default() };
    // The process before this one has said what was refused, and traffic waits.
    let tells = restarted == Restarted::default();
    let at_start = Selection { overruled: overrules_in(&kept), ..selection.clone() };
    let prepare = prepare(loaded.config.clone(), loaded.base.clone(), at_start, tells);
    let ended = run::run(loaded, prepare, selection, restarted, &kept)?;
    let (balance, events) = (&ended.balance, &ended.events);
    let sums = format!("conservation  {balance}\nevents        {} sent, {} lost\n", events.sent, events.lost);
    if let Err(unwritten) = super::print(&sums) {
        super::tell(&format!("warning: {unwritten}"));
    }
    let failed = super::tell_failed(&ended.failed, ended.written_off);
    if !ended.balance.is_even() || ended.leaked > 0 {
        super::tell(&format!(
            "error: frames do not add up ({} not returned), which is a fault of weir: please report it",
            ended.leaked
        ));
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
