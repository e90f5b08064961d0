//! `weir rules list`.

use super::From;
use crate::cli::table::Table;
use crate::cli::{Failure, Outcome, print};
use crate::mgmt::rule_files::Loaded;
use crate::rules::lists::{Selector, Subject};
use crate::rules::text::{Text, nearest};
use crate::rules::{Why, parser};
use clap::{Args, ValueEnum};
use serde::Serialize;

#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    from: From,
    /// Only rules that this selects, as a line of disable.conf would: a sid, gid:sid, re:REGEX, group:FILE,
    /// filename:PATH, metadata:KEY VALUE, multi:...; may be repeated
    #[arg(long = "select", short = 'm', value_name = "SELECTOR")]
    select: Vec<String>,
    /// Only rules in this state
    #[arg(long, value_enum)]
    state: Option<State>,
    /// Only rules with this action, such as drop
    #[arg(long, value_name = "WORD")]
    action: Option<String>,
    /// Only rules of this protocol, such as http
    #[arg(long, value_name = "WORD")]
    protocol: Option<String>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Loaded, and looked at
    Active,
    /// Loaded, but what it looks at has no decoder yet
    Waiting,
    /// Commented out, or disabled by a list
    Disabled,
    /// Not loaded: this version does not meet what it requires
    #[serde(rename = "left-out")]
    LeftOut,
}

/// What is said of a rule; scripts rely on these names.
#[derive(Debug, Serialize)]
pub struct Row {
    pub gid: u32,
    pub sid: u32,
    pub rev: u32,
    pub action: String,
    pub protocol: String,
    pub msg: String,
    pub state: State,
    /// What the rule waits for or requires, or by which line it is disabled.
    pub because: Option<String>,
    pub file: String,
    pub line: u32,
    #[serde(skip)]
    pub text: std::sync::Arc<str>,
}

impl State {
    pub fn is_loaded(self) -> bool {
        matches!(self, State::Active | State::Waiting)
    }
}

/// Every rule that was read and is not refused, by gid and sid.
pub fn rows(loaded: &Loaded) -> Vec<Row> {
    let file = |at: u32| loaded.rules.files.get(at as usize).cloned().unwrap_or_default();
    let word = |text: &str, n| text.split_ascii_whitespace().nth(n).unwrap_or_default().to_owned();
    let active = loaded.rules.rules.iter().map(|rule| {
        let waits = rule.waits_for();
        Row {
            gid: rule.gid,
            sid: rule.sid,
            rev: rule.rev,
            action: word(&rule.text, 0),
            protocol: word(&rule.text, 1),
            msg: rule.msg.clone(),
            state: if waits.is_some() { State::Waiting } else { State::Active },
            because: waits.map(|waits| waits.name().to_owned()),
            file: file(rule.source.file),
            line: rule.source.line,
            text: rule.text.clone(),
        }
    });
    let disabled = loaded.disabled.iter().filter_map(|rule| {
        let (state, because) = match &rule.why {
            Why::Commented => (State::Disabled, "commented out".to_owned()),
            Why::List(line) => (State::Disabled, line.clone()),
            Why::Requires(what) => (State::LeftOut, what.clone()),
            Why::Refused(_) => return None,
        };
        Some(Row {
            gid: rule.gid,
            sid: rule.sid,
            rev: rule.rev,
            action: rule.action.clone(),
            protocol: rule.protocol.clone(),
            msg: rule.msg.clone(),
            state,
            because: Some(because),
            file: file(rule.source.file),
            line: rule.source.line,
            text: rule.text.clone(),
        })
    });
    let mut rows: Vec<Row> = active.chain(disabled).collect();
    rows.sort_by_key(|row| (row.gid, row.sid));
    rows
}

pub fn run(args: List) -> Result<Outcome, Failure> {
    let selectors = args.select.iter().map(|text| selector(text)).collect::<Result<Vec<_>, _>>()?;
    let loaded = args.from.load()?;
    let is = |asked: &Option<String>, word: &str| {
        asked.as_ref().is_none_or(|asked| asked.eq_ignore_ascii_case(word))
    };
    let all = rows(&loaded);
    let mut listed = Vec::new();
    for row in &all {
        let asked = is(&args.action, &row.action)
            && is(&args.protocol, &row.protocol)
            && args.state.is_none_or(|state| state == row.state);
        if asked && selects(&selectors, row)? {
            listed.push(row);
        }
    }
    let rows = listed;
    super::print_faults(&loaded, false);
    if rows.is_empty() {
        let words = |of: fn(&Row) -> &str| all.iter().map(of).collect::<Vec<_>>();
        unknown("action", args.action.as_deref(), &words(|row| &row.action));
        unknown("protocol", args.protocol.as_deref(), &words(|row| &row.protocol));
    }
    if args.json {
        print(&lines(&rows)?)?;
    } else {
        print(&table(&rows))?;
    }
    let refused = loaded.refused();
    if refused.any() {
        eprintln!("{refused} were refused (see above) and are not listed");
    }
    Ok(super::outcome(&loaded))
}

/// Says that no rule has the word, and which it may have been.
fn unknown(what: &str, asked: Option<&str>, words: &[&str]) {
    let Some(asked) = asked.filter(|asked| !words.iter().any(|word| word.eq_ignore_ascii_case(asked))) else {
        return;
    };
    let near = nearest(&asked.to_ascii_lowercase(), words.iter().copied());
    let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    crate::cli::tell(&format!("no rule has the {what} `{asked}`{near}"));
}

fn selector(text: &str) -> Result<Selector, Failure> {
    Selector::parse(Text::new(text.as_bytes(), 0)).map_err(|fault| {
        let help = fault.help.map(|help| format!("; {help}")).unwrap_or_default();
        format!("--select {text}: {}{help}", fault.message).into()
    })
}

/// Whether one of the selectors means the rule; an expression that gives up is told.
fn selects(selectors: &[Selector], row: &Row) -> Result<bool, Failure> {
    if selectors.is_empty() {
        return Ok(true);
    }
    let ast = parser::parse(row.text.as_bytes()).ok();
    let subject = Subject::new(row.text.as_bytes(), &row.file, row.line, ast.as_ref());
    for one in selectors {
        let gave_up = |error| format!("--select: {error} on {}:{}; make it simpler", row.file, row.line);
        if one.selects(&subject).map_err(gave_up)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn lines(rows: &[&Row]) -> Result<String, Failure> {
    let mut text = String::new();
    for row in rows {
        text += &serde_json::to_string(row)?;
        text.push('\n');
    }
    Ok(text)
}

fn table(rows: &[&Row]) -> String {
    let mut table = Table::with_head(["sid", "rev", "action", "protocol", "state", "msg"]);
    for row in rows {
        let sid = if row.gid == 1 { row.sid.to_string() } else { format!("{}:{}", row.gid, row.sid) };
        let because = row.because.as_deref().unwrap_or_default();
        let state = match row.state {
            State::Active => "active".to_owned(),
            State::Waiting => format!("waits for {because}"),
            State::Disabled => format!("disabled ({because})"),
            State::LeftOut => format!("left out (requires {because})"),
        };
        table.row([&sid, &row.rev.to_string(), &row.action, &row.protocol, &state, &row.msg]);
    }
    format!("{table}{} rules\n", rows.len())
}
