//! `weir rules diff`: what an update of rules changes.

use super::list::{Row, State, rows};
use crate::cli::{ConfigArgs, Failure, Outcome, print};
use crate::mgmt::Profile;
use crate::mgmt::config::Sources;
use crate::mgmt::rule_files::{self, Loaded, Selection};
use crate::rules::Why;
use crate::rules::parser::{self, RuleAst};
use clap::Args;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub struct Diff {
    /// Rule file or folder of *.rules, as it was
    old: PathBuf,
    /// And as it is
    new: PathBuf,
    #[command(flatten)]
    source: ConfigArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What `--json` prints; scripts rely on these names.
#[derive(Serialize)]
struct Report<'a> {
    added: Vec<&'a Row>,
    removed: Vec<&'a Row>,
    changed: Vec<Changed<'a>>,
    unchanged: usize,
}

#[derive(Serialize)]
struct Changed<'a> {
    gid: u32,
    sid: u32,
    msg: &'a str,
    /// Old and new.
    rev: [u32; 2],
    what: Vec<String>,
}

pub fn run(args: Diff) -> Result<Outcome, Failure> {
    let sources =
        Sources { file: args.source.config.as_deref(), sets: &args.source.sets, profile: Profile::Suricata };
    let config = sources.load()?;
    let load = |path: &Path| {
        let selection = Selection { only: vec![path.to_owned()], ..Selection::default() };
        rule_files::load(&config.config, &config.base, &selection)
    };
    let (old, new) = (load(&args.old)?, load(&args.new)?);
    let (before, after) = (by_id(&old), by_id(&new));
    let refused = [&old, &new].map(refused);
    let report = compare(&before, &after, &refused);
    if args.json {
        print(&(serde_json::to_string_pretty(&report)? + "\n"))?;
    } else {
        print(&said(&report))?;
    }
    let mut outcome = Outcome::Clean;
    for (path, loaded) in [(&args.old, &old), (&args.new, &new)] {
        if loaded.refused().any() {
            let (path, refused) = (path.display(), loaded.refused());
            eprintln!("{refused} of {path} were refused and not compared: weir rules check {path}");
            outcome = Outcome::Flawed;
        }
    }
    Ok(outcome)
}

/// One row a rule: of one that is both in force and commented out, the one in force.
fn by_id(loaded: &Loaded) -> BTreeMap<(u32, u32), Row> {
    let mut found: BTreeMap<(u32, u32), Row> = BTreeMap::new();
    for row in rows(loaded) {
        let id = (row.gid, row.sid);
        if row.state.is_loaded() || !found.contains_key(&id) {
            found.insert(id, row);
        }
    }
    found
}

/// Rules that are there and cannot be compared.
fn refused(loaded: &Loaded) -> BTreeSet<(u32, u32)> {
    let refused = loaded.disabled.iter().filter(|rule| matches!(rule.why, Why::Refused(_)));
    refused.map(|rule| (rule.gid, rule.sid)).collect()
}

type Rows = BTreeMap<(u32, u32), Row>;

/// `refused` before and after: what is refused on one side was neither added nor removed.
fn compare<'a>(before: &'a Rows, after: &'a Rows, refused: &[BTreeSet<(u32, u32)>; 2]) -> Report<'a> {
    let [bad_before, bad_after] = refused;
    let only = |here: &'a Rows, there: &Rows, bad: &BTreeSet<(u32, u32)>| {
        let missing = here.iter().filter(|(id, _)| !there.contains_key(id) && !bad.contains(id));
        missing.map(|(_, row)| row).collect()
    };
    let (added, removed) = (only(after, before, bad_before), only(before, after, bad_after));
    let both = after.iter().filter_map(|(id, new)| Some((before.get(id)?, new)));
    let (mut changed, mut unchanged) = (Vec::new(), 0);
    for (old, new) in both {
        let what = changes(old, new);
        if what.is_empty() {
            unchanged += 1;
            continue;
        }
        let rev = [old.rev, new.rev];
        changed.push(Changed { gid: new.gid, sid: new.sid, msg: &new.msg, rev, what });
    }
    Report { added, removed, changed, unchanged }
}

fn changes(old: &Row, new: &Row) -> Vec<String> {
    let mut what = Vec::new();
    match (old.state.is_loaded(), new.state.is_loaded()) {
        (true, false) if new.state == State::LeftOut => what.push("left out now".to_owned()),
        (true, false) => what.push("disabled now".to_owned()),
        (false, true) => what.push("enabled now".to_owned()),
        _ => {}
    }
    if old.text == new.text {
        return what;
    }
    if old.rev == new.rev {
        what.push(format!("the text, though rev is still {}", new.rev));
    }
    let (Ok(before), Ok(after)) = (parser::parse(old.text.as_bytes()), parser::parse(new.text.as_bytes()))
    else {
        return what;
    };
    for (name, a, b) in [
        ("action", before.action, after.action),
        ("protocol", before.protocol, after.protocol),
        ("source", before.src, after.src),
        ("source ports", before.src_ports, after.src_ports),
        ("direction", before.direction, after.direction),
        ("destination", before.dst, after.dst),
        ("destination ports", before.dst_ports, after.dst_ports),
    ] {
        if a.bytes != b.bytes {
            what.push(format!("{name}: {} -> {}", a.lossy(), b.lossy()));
        }
    }
    let (gone, come) = (missing(&before, &after), missing(&after, &before));
    what.extend(gone.into_iter().map(|option| format!("- {option}")));
    what.extend(come.into_iter().map(|option| format!("+ {option}")));
    if what.is_empty() {
        what.push("only the order or spacing of its options".to_owned());
    }
    what
}

/// Options of one rule that the other lacks, but `rev`. What is said twice must be there twice.
fn missing(of: &RuleAst<'_>, from: &RuleAst<'_>) -> Vec<String> {
    let options = |ast: &RuleAst<'_>| -> Vec<String> {
        let kept = ast.options.iter().filter(|option| !option.name.is("rev"));
        kept.map(|o| match o.value {
            Some(value) => format!("{}:{};", o.name.lossy(), value.lossy()),
            None => format!("{};", o.name.lossy()),
        })
        .collect()
    };
    let mut there = options(from);
    let mut lacking = Vec::new();
    for option in options(of) {
        match there.iter().position(|known| *known == option) {
            Some(at) => drop(there.swap_remove(at)),
            None => lacking.push(option),
        }
    }
    lacking
}

fn said(report: &Report<'_>) -> String {
    let mut text = String::new();
    let mut each = |sign: char, rows: &[&Row]| {
        for row in rows {
            let _ = writeln!(text, "{sign} {}:{} rev {} {}", row.gid, row.sid, row.rev, row.msg);
        }
    };
    each('+', &report.added);
    each('-', &report.removed);
    for changed in &report.changed {
        let Changed { gid, sid, msg, rev: [old, new], what } = changed;
        let rev = if old == new { format!("rev {new}") } else { format!("rev {old} -> {new}") };
        let _ = writeln!(text, "~ {gid}:{sid} {rev} {msg}");
        for line in what {
            let _ = writeln!(text, "    {line}");
        }
    }
    let (added, removed, changed) = (report.added.len(), report.removed.len(), report.changed.len());
    let _ =
        writeln!(text, "{added} added, {removed} removed, {changed} changed, {} the same", report.unchanged);
    text
}
