//! `weir ctl config`: the configuration of a running appliance.

use super::span::up_to;
use super::{Answer, refused};
use crate::base::Time;
use crate::cli::table::Table;
use crate::cli::{Failure, misuse};
use crate::mgmt::control::LONGEST_CONFIRM;
use crate::mgmt::eve::time::Stamp;
use crate::mgmt::rpc::client::Client;
use crate::mgmt::rpc::proto as p;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// Print the running configuration as TOML, with where each value came from
    Show(Show),
    /// The value of a key, or the values of a section
    Get {
        // `--key` is the certificate's.
        #[arg(value_name = "KEY")]
        name: String,
        #[command(flatten)]
        which: Show,
    },
    /// Change the candidate: `set timeouts.tcp-new 5s`, or several as KEY=VALUE
    Set {
        /// KEY VALUE, or KEY=VALUE ...; items of lists by number (port.0.mtu), the next number makes a new one
        #[arg(required = true, value_name = "KEY VALUE")]
        words: Vec<String>,
    },
    /// Take keys or items out of the candidate: their defaults hold
    Unset {
        #[arg(required = true)]
        keys: Vec<String>,
    },
    /// Take a file for the candidate; without one, the configuration file as it is now
    Load {
        file: Option<PathBuf>,
        /// A revision in place of a file
        #[arg(long, value_name = "NUMBER", conflicts_with = "file", value_parser = number, allow_negative_numbers = true)]
        revision: Option<u32>,
    },
    /// What the candidate changes of what was committed last, or of a revision
    Diff {
        #[arg(value_parser = number, allow_negative_numbers = true)]
        revision: Option<u32>,
    },
    /// Put the candidate in force, as one; without changes, confirm what waits for that
    Commit(Options),
    /// Keep what was committed with --confirm
    Confirm,
    /// Drop the changes of the candidate
    Discard,
    /// Put a revision in force again, as a new one; without a number, the confirmed one before
    Rollback {
        #[arg(value_parser = number, allow_negative_numbers = true)]
        revision: Option<u32>,
        #[command(flatten)]
        options: Options,
    },
    /// What was committed when by whom, and what waits for a confirmation or a restart
    Revisions,
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// The candidate instead
    #[arg(long, conflicts_with = "revision")]
    candidate: bool,
    /// A revision instead
    #[arg(long, value_name = "NUMBER", value_parser = number, allow_negative_numbers = true)]
    revision: Option<u32>,
}

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Go back by itself after so long ("300" seconds, "5m") unless `weir ctl config confirm` comes before
    #[arg(long, value_name = "SPAN", value_parser = up_to(LONGEST_CONFIRM))]
    confirm: Option<Duration>,
    /// Write what needs a restart too, to act with the next one; without it such a commit is refused
    #[arg(long)]
    defer_restart: bool,
    /// Leave out rules that are refused; without it a commit that has more of them than before is refused
    #[arg(long)]
    accept_refused: bool,
    /// Why, for the list of revisions
    #[arg(short = 'm', long, value_name = "TEXT", default_value = "")]
    comment: String,
}

impl Options {
    fn request(&self) -> p::ConfigCommitRequest {
        p::ConfigCommitRequest {
            confirm_ms: self.confirm.map_or(0, |span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
            defer_restart: self.defer_restart,
            accept_refused: self.accept_refused,
            comment: self.comment.clone(),
        }
    }
}

impl Show {
    fn request(&self, key: &str) -> p::ConfigGetRequest {
        use p::config_get_request::Which;
        let which = match (self.candidate, self.revision) {
            (true, _) => Which::Candidate,
            (_, Some(_)) => Which::Revision,
            _ => Which::Running,
        };
        p::ConfigGetRequest {
            which: which.into(),
            revision: self.revision.unwrap_or_default(),
            key: key.to_owned(),
        }
    }
}

/// Of a revision.
fn number(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("revisions have numbers from 1 on: `weir ctl config revisions` lists them".into()),
    }
}

/// `KEY VALUE`, or `KEY=VALUE` as often as wanted.
fn edits(words: &[String]) -> Result<Vec<p::ConfigEdit>, Failure> {
    let edit = |key: &str, value: &str| p::ConfigEdit { key: key.trim().into(), value: Some(value.into()) };
    if let [key, value] = words
        && !key.contains('=')
    {
        return Ok(vec![edit(key, value)]);
    }
    let pair = |word: &String| word.split_once('=').map(|(key, value)| edit(key, value));
    let edits: Option<Vec<_>> = words.iter().map(pair).collect();
    edits.ok_or_else(|| misuse("write KEY VALUE, or KEY=VALUE as often as wanted"))
}

impl Config {
    pub(super) fn check(&self) -> Result<(), Failure> {
        match self {
            Config::Set { words } => edits(words).map(drop),
            _ => Ok(()),
        }
    }

    pub(super) async fn ask(&self, client: &mut Client) -> Result<Answer, Failure> {
        let config = &mut client.config;
        Ok(match self {
            Config::Show(which) => shown(config.get(which.request("")).await.map_err(refused)?.into_inner())?,
            Config::Get { name, which } => {
                values(&config.get(which.request(name)).await.map_err(refused)?.into_inner())
            }
            Config::Set { words } => {
                let request = p::ConfigSetRequest { edits: edits(words)? };
                compared(&config.set(request).await.map_err(refused)?.into_inner())
            }
            Config::Unset { keys } => {
                let edit = |key: &String| p::ConfigEdit { key: key.clone(), value: None };
                let request = p::ConfigSetRequest { edits: keys.iter().map(edit).collect() };
                compared(&config.set(request).await.map_err(refused)?.into_inner())
            }
            Config::Load { file, revision } => {
                let text = file.as_deref().map(crate::mgmt::config::text::read).transpose()?;
                let request = p::ConfigLoadRequest { text, revision: revision.unwrap_or_default() };
                compared(&config.load(request).await.map_err(refused)?.into_inner())
            }
            Config::Diff { revision } => {
                let request = p::ConfigDiffRequest { revision: revision.unwrap_or_default() };
                compared(&config.diff(request).await.map_err(refused)?.into_inner())
            }
            Config::Commit(options) => {
                committed(&config.commit(options.request()).await.map_err(refused)?.into_inner())
            }
            Config::Confirm => {
                committed(&config.confirm(p::ConfigConfirmRequest {}).await.map_err(refused)?.into_inner())
            }
            Config::Discard => {
                let reply = config.discard(p::ConfigDiscardRequest {}).await.map_err(refused)?.into_inner();
                let text =
                    if reply.discarded { "the changes are dropped\n" } else { "there were no changes\n" };
                Answer { json: json!({ "discarded": reply.discarded }), table: text.into() }
            }
            Config::Rollback { revision, options } => {
                let commit = Some(options.request());
                let request = p::ConfigRollbackRequest { revision: revision.unwrap_or_default(), commit };
                committed(&config.rollback(request).await.map_err(refused)?.into_inner())
            }
            Config::Revisions => {
                let reply = config.revisions(p::ConfigRevisionsRequest {}).await.map_err(refused)?;
                revisions(&reply.into_inner())
            }
        })
    }
}

fn shown(reply: p::ConfigGetReply) -> Result<Answer, Failure> {
    let json = toml::from_str::<Value>(&reply.text)?;
    Ok(Answer { json, table: reply.text })
}

/// A TOML value as JSON.
fn value(text: &str) -> Value {
    toml::from_str::<Value>(&format!("v = {text}"))
        .ok()
        .and_then(|mut table| table.get_mut("v").map(Value::take))
        .unwrap_or_else(|| text.into())
}

fn values(reply: &p::ConfigGetReply) -> Answer {
    let mut table = Table::default();
    for v in &reply.values {
        table.row([&format!("{} = {}", v.key, v.value), &format!("# {}", v.from)]);
    }
    let json = |v: &p::ConfigValue| json!({ "key": v.key, "value": value(&v.value), "from": v.from });
    Answer { json: reply.values.iter().map(json).collect(), table: table.to_string() }
}

fn difference(d: &p::ConfigDifference) -> Value {
    let text = |text: &Option<String>| text.as_deref().map(value);
    json!({ "key": d.key, "before": text(&d.before), "after": text(&d.after), "needs_restart": d.needs_restart })
}

fn listed(differences: &[p::ConfigDifference]) -> String {
    let mut out = String::new();
    for d in differences {
        let note = if d.needs_restart { "  # needs a restart" } else { "" };
        for (sign, value) in [('-', &d.before), ('+', &d.after)] {
            if let Some(value) = value {
                out += &format!("{sign} {} = {value}{note}\n", d.key);
            }
        }
    }
    out
}

fn compared(reply: &p::ConfigCompared) -> Answer {
    let mut table = listed(&reply.differences);
    if table.is_empty() {
        table = "no differences\n".into();
    }
    for fault in &reply.faults {
        table += &format!("\nto be mended before a commit:\n{fault}\n");
    }
    let differences: Vec<Value> = reply.differences.iter().map(difference).collect();
    let json = json!({ "differences": differences, "faults": reply.faults, "by": reply.by });
    Answer { json, table }
}

fn committed(reply: &p::ConfigCommitted) -> Answer {
    let mut table = format!("revision {} is in force\n", reply.revision);
    for line in &reply.lines {
        table += &format!("  {line}\n");
    }
    if !reply.deferred.is_empty() {
        table += &format!("with the next start:\n{}", listed(&reply.deferred));
    }
    if reply.confirm_by > 0 {
        let until = stamp(reply.confirm_by);
        table += &format!("it goes back at {until}, unless `weir ctl config confirm` comes before\n");
    }
    match reply.file.as_str() {
        "" => {}
        file => table += &format!("{file} is written: the next start goes by it\n"),
    }
    let deferred: Vec<Value> = reply.deferred.iter().map(difference).collect();
    let json = json!({
        "revision": reply.revision,
        "lines": reply.lines,
        "deferred": deferred,
        "file": Some(&reply.file).filter(|file| !file.is_empty()),
        "confirm_by": (reply.confirm_by > 0).then(|| stamp(reply.confirm_by)),
    });
    Answer { json, table }
}

fn stamp(micros: u64) -> String {
    Stamp(Time::from_micros(micros)).to_string()
}

fn word(state: p::config_revision::State) -> &'static str {
    use p::config_revision::State;
    match state {
        State::Confirmed => "confirmed",
        State::Unconfirmed => "unconfirmed",
        State::WentBack => "went back",
        State::Damaged => "damaged",
    }
}

/// What is in force is told first.
fn state(revision: &p::ConfigRevision, running: bool) -> String {
    match (running, revision.state()) {
        (true, p::config_revision::State::Confirmed) => "running".into(),
        (true, state) => format!("running, {}", word(state)),
        (false, state) => word(state).into(),
    }
}

fn revisions(reply: &p::ConfigRevisionsReply) -> Answer {
    let mut table = Table::with_head(["revision", "state", "time", "by", "comment"]);
    let mut list = Vec::new();
    for r in &reply.revisions {
        let running = r.number == reply.current;
        let mark = if running { "*" } else { "" };
        let comment = r.comment.replace(|c: char| c.is_control(), " ");
        let time = if r.time == 0 { "-".to_owned() } else { stamp(r.time) };
        table.row([&format!("{}{mark}", r.number), &state(r, running), &time, &r.who, &comment]);
        list.push(json!({
            "number": r.number,
            "state": word(r.state()),
            "running": running,
            "time": stamp(r.time),
            "who": r.who,
            "comment": r.comment,
        }));
    }
    let mut text = match reply.revisions.is_empty() {
        true => "no revision: the configuration is that of the start\n".to_owned(),
        false => table.to_string(),
    };
    if reply.confirm_by > 0 {
        text += &format!(
            "\nback to revision {} at {}, unless confirmed; {} committed what waits\n",
            reply.back_to,
            stamp(reply.confirm_by),
            reply.confirm_who
        );
    }
    if !reply.deferred.is_empty() {
        text += &format!("\nwith the next start:\n{}", listed(&reply.deferred));
    }
    let deferred: Vec<Value> = reply.deferred.iter().map(difference).collect();
    let back = (reply.confirm_by > 0).then(
        || json!({ "time": stamp(reply.confirm_by), "revision": reply.back_to, "by": reply.confirm_who }),
    );
    let current = (reply.current > 0).then_some(reply.current);
    let json = json!({ "revisions": list, "current": current, "goes_back": back, "deferred": deferred });
    Answer { json, table: text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_written_in_two_ways() {
        let made = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            let edits = edits(&words).ok()?;
            Some(edits.into_iter().map(|e| (e.key, e.value.unwrap_or_default())).collect::<Vec<_>>())
        };
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(made(&["a.b", "5s"]), Some(vec![pair("a.b", "5s")]));
        assert_eq!(made(&["a.b=5s", "c=x=y"]), Some(vec![pair("a.b", "5s"), pair("c", "x=y")]));
        assert_eq!((made(&["a.b"]), made(&["a", "b", "c"])), (None, None));
    }

    #[test]
    fn a_difference_is_shown_as_it_is_written_and_as_json() {
        let d = p::ConfigDifference {
            key: "timeouts.tcp-new".into(),
            before: Some("\"30s\"".into()),
            after: None,
            needs_restart: true,
        };
        assert_eq!(listed(std::slice::from_ref(&d)), "- timeouts.tcp-new = \"30s\"  # needs a restart\n");
        assert_eq!(difference(&d)["before"], "30s");
        assert_eq!((value("[1, 2]"), value("true")), (json!([1, 2]), json!(true)));
    }
}
