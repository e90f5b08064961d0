//! `weir rules show`.

use super::{From, explain};
use crate::cli::{Failure, Outcome, print};
use crate::rules::{Diagnostic, Disabled, Why};
use clap::Args;
use std::fmt::Write;

#[derive(Debug, Args)]
pub struct Show {
    /// The rule's sid, or gid:sid
    #[arg(value_name = "SID", value_parser = id)]
    id: (u32, u32),
    #[command(flatten)]
    from: From,
}

fn id(word: &str) -> Result<(u32, u32), String> {
    let number = |word: &str| word.parse::<u32>().map_err(|_| "expected a sid, or gid:sid".to_owned());
    match word.split_once(':') {
        Some((gid, sid)) => Ok((number(gid)?, number(sid)?)),
        None => Ok((1, number(word)?)),
    }
}

pub fn run(args: Show) -> Result<Outcome, Failure> {
    let (gid, sid) = args.id;
    let loaded = args.from.load()?;
    let file = |at: u32| loaded.rules.files.get(at as usize).map_or("", String::as_str);
    if let Some(rule) = loaded.rules.rules.iter().find(|rule| (rule.gid, rule.sid) == (gid, sid)) {
        print(&explain::rule(rule, &loaded.rules))?;
        return Ok(Outcome::Clean);
    }
    let mut out = loaded.disabled.iter().filter(|rule| (rule.gid, rule.sid) == (gid, sid));
    // Of several, one that is refused is what somebody has to mend.
    let refused = out.clone().find(|rule| matches!(rule.why, Why::Refused(_)));
    let Some(rule) = refused.or_else(|| out.next()) else {
        return Err(
            format!("no rule has gid {gid} and sid {sid}: weir rules list shows those there are").into()
        );
    };
    print(&absent(rule, file(rule.source.file)))?;
    if refused.is_none() {
        return Ok(Outcome::Clean);
    }
    let here = |fault: &&Diagnostic| fault.line == rule.source.line && fault.file == file(rule.source.file);
    loaded.faults().filter(here).for_each(|fault| crate::cli::tell(&format!("{fault}\n")));
    Ok(Outcome::Flawed)
}

/// A rule that is not in force.
fn absent(rule: &Disabled, file: &str) -> String {
    let Disabled { gid, sid, rev, msg, source, text, .. } = rule;
    let why = match &rule.why {
        Why::Commented => "not loaded: it is commented out".to_owned(),
        Why::List(by) => format!("not loaded: disabled by {by}"),
        Why::Requires(what) => {
            format!("left out: it requires {what}; weir rules check --warnings {file} shows where")
        }
        Why::Refused(fault) => format!("refused: {fault}; weir rules check {file} shows where"),
    };
    let mut said = String::new();
    let _ = writeln!(said, "{gid}:{sid} rev {rev} {msg}\nat     {file}:{}", source.line);
    let _ = writeln!(said, "state  {why}\ntext   {text}");
    said
}
