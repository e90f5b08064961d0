//! `weir check`: the configuration and its rules, before they are put to use.

use super::{ConfigArgs, Failure, Outcome, rules};
use crate::mgmt::Profile;
use crate::mgmt::config::{Config, Sources};
use crate::mgmt::doors;
use crate::mgmt::rule_files::{self, Selection};
use crate::mgmt::start;
use clap::Args;

#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    source: ConfigArgs,
}

pub fn run(args: Check) -> Result<Outcome, Failure> {
    let source = &args.source;
    if source.config.is_none() {
        return Err(super::misuse("name the configuration to check: weir check -c conf/weir.toml"));
    }
    let sources = Sources { file: source.config.as_deref(), sets: &source.sets, profile: Profile::Inline };
    let loaded = sources.load()?;
    let machine = start::machine();
    loaded.check_cpus(&machine)?;
    if let Err(missing) = loaded.check_interfaces(&machine) {
        // The file may be for another machine, or for later.
        super::tell(&missing.to_string().replace("error: ", "warning: "));
    }
    services(&loaded.config)?;
    for doubt in doors::check(&loaded)? {
        super::tell(&format!("warning: [rpc.tls]: {doubt}"));
    }
    let rules = rule_files::load(&loaded.config, &loaded.base, &Selection::default())?;
    rules::print_faults(&rules, true);
    let (good, refused) = (rules.rules.rules.len(), rules.refused());
    super::print(&format!("configuration: good; rules: {good} loaded, {}\n", refused.beside()))?;
    if let Some(note) = rules::waiting_note(&rules.rules) {
        super::print(&(note + "\n"))?;
    }
    Ok(if refused.any() { Outcome::Flawed } else { Outcome::Clean })
}

/// Shared objects are there, and the sets can be made of what is built in. Objects are not loaded: that would run them.
fn services(config: &Config) -> Result<(), Failure> {
    let missing: Vec<String> = config
        .plugins
        .iter()
        .filter(|plugin| plugin.is_external() && !plugin.path.is_file())
        .map(|plugin| {
            format!("error: the plugin \"{}\" has no file {}", plugin.package, plugin.path.display())
        })
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(missing.join("\n").into()) }
}
