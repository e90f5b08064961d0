//! `weir config`.

use super::{ConfigArgs, Failure, Outcome};
use crate::mgmt::config::entries::entries;
use crate::mgmt::config::explain::{self, Explained};
use crate::mgmt::config::print::{Notes, print};
use crate::mgmt::config::{Loaded, Profile, Sources, documented_defaults, items};
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the merged configuration as TOML, with where each value came from
    Show(Show),
    /// What a key means: type, unit, allowed values, default, whether a change needs a restart; of a section, its keys
    Explain(Explain),
    /// Print the reference page of all keys (docs/configuration.md)
    Reference,
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

#[derive(Debug, Args)]
pub struct Explain {
    /// Such as lcores.workers or port.mtu, with a configuration also port.0.mtu; a section for its keys; nothing for the sections
    key: Option<String>,
    /// With a configuration it also says what the key has there, and where that stands
    #[command(flatten)]
    source: ConfigArgs,
    /// Which defaults where the configuration names none: inline or suricata
    #[arg(long, value_parser = super::profile, default_value = "inline", value_name = "PROFILE")]
    profile: Profile,
}

pub fn run(command: Command) -> Result<Outcome, Failure> {
    let text = match command {
        Command::Show(show) if show.defaults => documented_defaults(show.profile),
        Command::Show(show) => {
            let mut loaded = load(&show.source, show.profile)?;
            print(&mut loaded.config, &Notes::Origins(&loaded.places))
        }
        Command::Explain(args) => explain_key(&args)?,
        Command::Reference => explain::reference(),
    };
    super::print(&text)?;
    Ok(Outcome::Clean)
}

fn load(source: &ConfigArgs, profile: Profile) -> Result<Loaded, Failure> {
    Ok(Sources { file: source.config.as_deref(), sets: &source.sets, profile }.load()?)
}

fn explain_key(args: &Explain) -> Result<String, Failure> {
    let Some(key) = &args.key else {
        return Ok(explain::listed(&explain::overview()));
    };
    let explained = explain::explain(key)?;
    let loaded = load(&args.source, args.profile)?;
    if let Some(why) = items::absent(&loaded.config, key) {
        let more =
            if args.source.config.is_none() { ": items are those of a file, given with -c" } else { "" };
        return Err(format!("{why}{more}").into());
    }
    if args.source.config.is_none() && args.source.sets.is_empty() {
        return Ok(explained.text(None));
    }
    let values = values(&loaded, key, &explained);
    Ok(match &values[..] {
        [(_, value, from)] => explained.text(Some((value, from))),
        _ => {
            let line =
                |(path, value, from): &(String, String, String)| format!("{path} = {value}, from {from}\n");
            let list: String = values.iter().map(line).collect();
            if list.is_empty() { explained.text(None) } else { explained.text(None) + "\n" + &list }
        }
    })
}

/// What the key has, with the place it came from: of each item where it stands for all.
fn values(loaded: &Loaded, written: &str, explained: &Explained) -> Vec<(String, String, String)> {
    let key = match explained {
        Explained::Key { doc, .. } => &doc.key,
        Explained::Section { doc, .. } => &doc.key,
    };
    let within = format!("{key}.");
    let numbered = written != *key;
    let meant = |path: &str| {
        let plain = explain::plain_key(path);
        let same = plain == *key || plain.starts_with(&within);
        same && (!numbered || path == written || path.starts_with(&format!("{written}.")))
    };
    let from = |path: &str| {
        let place = loaded.places.get(&path.replace('"', ""));
        place.map_or_else(|| "the default".to_owned(), |p| format!("{}:{}", p.source.name, p.line_column().0))
    };
    let found = entries(&loaded.config).into_iter().filter(|entry| meant(&entry.path));
    found.map(|entry| (entry.path.clone(), entry.value, from(&entry.path))).collect()
}
