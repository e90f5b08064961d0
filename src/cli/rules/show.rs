//! `weir rules show`.

use super::{From, explain};
use crate::cli::{Failure, Outcome, print};
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
    if let Some(rule) = loaded.disabled.iter().find(|rule| (rule.gid, rule.sid) == (gid, sid)) {
        let by = rule.by.as_ref().map_or("it is commented out".into(), |by| format!("disabled by {by}"));
        let mut text = String::new();
        let _ = writeln!(text, "{gid}:{sid} rev {} {}", rule.rev, rule.msg);
        let _ =
            writeln!(text, "at     {}:{}\nstate  not loaded: {by}", file(rule.source.file), rule.source.line);
        let _ = writeln!(text, "text   {}", rule.text);
        print(&text)?;
        return Ok(Outcome::Clean);
    }
    let mut refused = loaded.faults().filter(|fault| fault.sid == Some(sid)).peekable();
    if refused.peek().is_some() {
        for fault in refused {
            eprintln!("{fault}\n");
        }
        return Ok(Outcome::Flawed);
    }
    Err(format!("no rule has gid {gid} and sid {sid}: weir rules list shows those there are").into())
}
