//! `weir rules cost`: what a replay with `--rule-cost` has found, as tables.

use crate::cli::table::Table;
use crate::cli::{Failure, Outcome, print};
use crate::mgmt::rule_cost::{Candidates, Report, Rule};
use clap::{Args, ValueEnum};
use std::cmp::Reverse;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Cost {
    /// File that `weir replay --rule-cost=FILE` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Which rules come first
    #[arg(long, value_enum, default_value = "time")]
    sort: Sort,
    /// How many rules to show; 0 shows all
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Print one JSON object a rule and line
    #[arg(long)]
    json: bool,
}

#[derive(Copy, Clone, Debug, ValueEnum)]
enum Sort {
    Time,
    Checks,
    Matches,
}

pub fn run(args: &Cost) -> Result<Outcome, Failure> {
    let report = Report::read(&args.file)?;
    let rules = chosen(&report, args);
    if args.json {
        let mut text = String::new();
        for rule in rules {
            text += &serde_json::to_string(rule)?;
            text.push('\n');
        }
        print(&text)?;
    } else {
        let parts = [summary(&report), looks(&report), grouping(&report), table(&rules)];
        print(&parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n"))?;
    }
    Ok(Outcome::Clean)
}

fn chosen<'r>(report: &'r Report, args: &Cost) -> Vec<&'r Rule> {
    let mut rules: Vec<&Rule> = report.rules.iter().collect();
    rules.sort_by_key(|rule| {
        let by = match args.sort {
            Sort::Time => rule.nanoseconds,
            Sort::Checks => rule.checks,
            Sort::Matches => rule.matches,
        };
        (Reverse(by), rule.gid, rule.sid)
    });
    if args.limit > 0 {
        rules.truncate(args.limit);
    }
    rules
}

fn milliseconds(nanoseconds: u64) -> String {
    format!("{:.3}", nanoseconds as f64 / 1e6)
}

fn summary(report: &Report) -> String {
    let matched = report.rules.iter().filter(|rule| rule.matches > 0).count();
    let bare = report.rules.iter().filter(|rule| !rule.fast_pattern);
    let time = |rules: &mut dyn Iterator<Item = &Rule>| {
        rules.fold(0u64, |sum, rule| sum.saturating_add(rule.nanoseconds))
    };
    let mut table = Table::default();
    let evaluated = report.rules.len();
    table
        .row(["rules", &format!("{} loaded, {evaluated} evaluated, {matched} matched", report.rules_loaded)]);
    table.row(["finding candidates", &format!("{} ms", milliseconds(report.search_nanoseconds))]);
    let (all, of_bare) = (time(&mut report.rules.iter()), time(&mut bare.clone()));
    table.row([
        "evaluating them",
        &format!(
            "{} ms, {} of them for the {} rules without fast pattern",
            milliseconds(all),
            milliseconds(of_bare),
            bare.count()
        ),
    ]);
    table.to_string()
}

/// Rules evaluated at one look.
fn looks(report: &Report) -> String {
    let mut table = Table::with_head(["candidates of", "looks", "mean", "p50", "p99", "max"]);
    let row = |what: &str, c: &Candidates| {
        let numbers = [c.p50, c.p99, c.max].map(|n| n.to_string());
        let [p50, p99, max] = numbers;
        [format!("{what} {}", c.of), c.looks.to_string(), format!("{:.1}", c.mean), p50, p99, max]
    };
    report.packets.iter().for_each(|c| table.row(row("packets:", c)));
    report.transactions.iter().for_each(|c| table.row(row("transactions:", c)));
    table.to_string()
}

fn grouping(report: &Report) -> String {
    let mut groups =
        Table::with_head(["groups of", "groups", "rules mean", "max", "without pattern mean", "max"]);
    for g in &report.groups {
        groups.row([
            format!("packets: {}", g.of),
            g.groups.to_string(),
            format!("{:.1}", g.rules_mean),
            g.rules_max.to_string(),
            format!("{:.1}", g.bare_mean),
            g.bare_max.to_string(),
        ]);
    }
    let mut protocols =
        Table::with_head(["rules without pattern", "to server", "to client", "on events only", "to client"]);
    for p in &report.protocols {
        let numbers = [p.bare, p.on_events].map(|of| of.map(|n| n.to_string()));
        let [[to_server, to_client], [event_server, event_client]] = numbers;
        protocols.row([format!("transactions: {}", p.of), to_server, to_client, event_server, event_client]);
    }
    let tables =
        [groups, protocols].map(|table| if table.is_empty() { String::new() } else { table.to_string() });
    tables.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
}

fn table(rules: &[&Rule]) -> String {
    if rules.is_empty() {
        return "no rule was evaluated\n".to_owned();
    }
    let mut table =
        Table::with_head(["sid", "rev", "checks", "matches", "time (ms)", "mean (ns)", "pattern", "msg"]);
    for rule in rules {
        let sid = if rule.gid == 1 { rule.sid.to_string() } else { format!("{}:{}", rule.gid, rule.sid) };
        let cells: [&str; 8] = [
            &sid,
            &rule.rev.to_string(),
            &rule.checks.to_string(),
            &rule.matches.to_string(),
            &milliseconds(rule.nanoseconds),
            &(rule.nanoseconds / rule.checks.max(1)).to_string(),
            if rule.fast_pattern { "yes" } else { "none" },
            // The file may say anything, but a row is one line.
            &rule.msg.replace(char::is_control, " "),
        ];
        table.row(cells);
    }
    table.to_string()
}
