//! What the table of keys says, as text: `weir config explain KEY` and the reference page `docs/configuration.md`.

use super::Profile;
use super::fault::nearest;
pub use super::key_table::without_numbers as plain_key;
use super::key_table::{Form, KeyDoc, Row, SectionDoc, table, without_numbers};
use super::print::join;
use super::visit::Change;
use std::fmt::Write as _;

/// What is said of a key, or of a section and its keys.
#[derive(Clone, Debug)]
pub enum Explained {
    Key { doc: KeyDoc, suricata: String },
    Section { doc: SectionDoc, keys: Vec<(String, &'static str)> },
}

/// Looks a name up; `port.0.mtu` means `port.mtu`. On failure what to write instead.
pub fn explain(name: &str) -> Result<Explained, String> {
    let (inline, suricata) = (table(Profile::Inline), table(Profile::Suricata));
    let wanted = without_numbers(name.trim_matches('.'));
    let at = inline.iter().position(|row| row.key() == wanted);
    let names = |row: &&Row| matches!(row, Row::Section(doc) if doc.form == Form::Names);
    // A name of the user's own is explained by its section.
    let own = || inline.iter().filter(names).position(|row| wanted.starts_with(&format!("{}.", row.key())));
    let own = || own().and_then(|n| inline.iter().filter(names).nth(n));
    match at.and_then(|at| inline.get(at)).or_else(own) {
        Some(Row::Key(doc)) => {
            let other = at.and_then(|at| suricata.get(at));
            let other = if let Some(Row::Key(other)) = other { other.default.clone() } else { String::new() };
            Ok(Explained::Key { doc: doc.clone(), suricata: other })
        }
        Some(Row::Section(doc)) => {
            Ok(Explained::Section { doc: doc.clone(), keys: children(&inline, &doc.key) })
        }
        None => Err(unknown(name, &inline)),
    }
}

/// The sections of the top, and the keys that stand there.
pub fn overview() -> Vec<(String, &'static str)> {
    children(&table(Profile::Inline), "")
}

fn children(rows: &[Row], section: &str) -> Vec<(String, &'static str)> {
    let about = |row: &Row| match row {
        Row::Section(doc) => doc.about,
        Row::Key(doc) => doc.about,
    };
    let child = |row: &&Row| {
        let name = row.key().rsplit('.').next().unwrap_or_default();
        row.key() == join(section, name)
    };
    rows.iter().filter(child).map(|row| (row.key().to_owned(), about(row))).collect()
}

fn unknown(name: &str, rows: &[Row]) -> String {
    let keys = || rows.iter().map(Row::key);
    // One word is looked for as the last part of a key first: `ring-size` alone is meant for `lcores.ring-size`.
    let last = |key: &&str| key.rsplit('.').next() == Some(name);
    let full: Vec<&str> = keys().filter(last).collect();
    let wanted = without_numbers(name);
    let parts = || keys().filter_map(|key| key.rsplit('.').next());
    let by_part =
        || nearest(&wanted, parts()).and_then(|part| keys().find(|key| key.rsplit('.').next() == Some(part)));
    let mend = match (full.is_empty(), nearest(&wanted, keys()).or_else(by_part)) {
        (false, _) => format!("there is {}", full.join(", ")),
        (true, Some(near)) => format!("the nearest is `{near}`"),
        (true, None) => "`weir config explain` lists the sections".into(),
    };
    format!("there is no key `{name}`; {mend}")
}

/// The first sentence, for lists; long ones are cut at a word.
pub fn brief(about: &str) -> String {
    const MOST: usize = 90;
    let text = about.replace('\n', " ");
    let end = text.match_indices(". ").map(|(at, _)| at).next().unwrap_or(text.len());
    let sentence = text.get(..end).unwrap_or(&text).trim_end_matches('.');
    if sentence.chars().count() <= MOST {
        return sentence.to_owned();
    }
    let mut cut = String::new();
    for word in sentence.split(' ').take_while(|word| !word.is_empty()) {
        if cut.chars().count() + word.chars().count() > MOST {
            break;
        }
        cut = cut + word + " ";
    }
    cut.trim_end().trim_end_matches([',', ':', ';']).to_owned() + " ..."
}

const fn takes_effect(change: Change) -> &'static str {
    match change {
        Change::Live => "live, with the commit",
        Change::Restart => "with a restart",
    }
}

impl Explained {
    /// For people. `value`: what the key has in a configuration, and where that came from.
    pub fn text(&self, value: Option<(&str, &str)>) -> String {
        let mut out = String::new();
        match self {
            Explained::Key { doc, suricata } => {
                let _ = writeln!(out, "{}\n\n{}\n", doc.key, doc.about);
                let mut line = |head: &str, text: &str| out += &format!("{head:<9}{text}\n");
                line("type", &doc.kind.name());
                line("allowed", &doc.kind.allowed());
                if let Some(unit) = doc.kind.unit() {
                    line("unit", unit);
                }
                match *suricata == doc.default {
                    true => line("default", &doc.default),
                    false => line("default", &format!("{} (profile \"suricata\": {suricata})", doc.default)),
                }
                line("change", takes_effect(doc.change));
                if let Some((value, from)) = value {
                    line("now", &format!("{value}, from {from}"));
                }
            }
            Explained::Section { doc, keys } => {
                let _ = writeln!(out, "{}\n\n{}\n", head(doc), doc.about);
                if let Some(change) = doc.change {
                    let what = if doc.form == Form::Names { "names" } else { "items" };
                    let _ = writeln!(out, "{what} come and go {}\n", takes_effect(change));
                }
                out += &listed(keys);
            }
        }
        out
    }
}

/// Keys with the first sentence of each.
pub fn listed(keys: &[(String, &'static str)]) -> String {
    let width = keys.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    keys.iter().map(|(key, about)| format!("{key:<width$}  {}\n", brief(about))).collect()
}

fn head(section: &SectionDoc) -> String {
    match section.form {
        Form::List => format!("[[{}]]", section.key),
        Form::Table | Form::Names => format!("[{}]", section.key),
    }
}

/// `docs/configuration.md`.
pub fn reference() -> String {
    let (inline, suricata) = (table(Profile::Inline), table(Profile::Suricata));
    let mut out = "# Configuration: every key\n\n\
        Written by `weir config reference > docs/configuration.md`. A file needs only what differs from the defaults; `conf/weir.toml` has\n\
        all of them with the same texts, and `weir config explain KEY` shows one. Defaults are those of the profile `inline`; where\n\
        `suricata` has another one, it stands behind. *live* keys act with `weir ctl config commit`, the others with a restart\n\
        (docs/operating.md).\n"
        .to_owned();
    for (row, other) in inline.iter().zip(&suricata) {
        match row {
            Row::Section(doc) => section(doc, &mut out),
            Row::Key(doc) => {
                let other = if let Row::Key(other) = other { &other.default } else { &doc.default };
                key(doc, other, &mut out);
            }
        }
    }
    out
}

fn section(doc: &SectionDoc, out: &mut String) {
    let _ = writeln!(out, "\n## `{}`\n\n{}\n", head(doc), plain(doc.about));
    if let Some(change) = doc.change {
        let what = if doc.form == Form::Names { "Names" } else { "Items" };
        let _ = writeln!(out, "{what} come and go {}.\n", takes_effect(change));
    }
    for (name, value) in &doc.names {
        let _ = writeln!(out, "- `{name} = {value}`");
    }
}

fn key(doc: &KeyDoc, suricata: &str, out: &mut String) {
    let last = doc.key.rsplit('.').next().unwrap_or(&doc.key);
    let default = match suricata == doc.default {
        true => format!("`{}`", doc.default),
        false => format!("`{}` (suricata: `{suricata}`)", doc.default),
    };
    let unit = doc.kind.unit().map(|unit| format!("; unit: {unit}")).unwrap_or_default();
    let allowed = doc.kind.allowed();
    let change = if doc.change == Change::Live { "*live*" } else { "restart" };
    let _ = writeln!(
        out,
        "- **`{last}`** ({}: {allowed}{unit}; default {default}; {change})  \n  {}",
        doc.kind.name(),
        plain(doc.about)
    );
}

/// One paragraph, in which nothing is markup.
fn plain(about: &str) -> String {
    about.replace('\n', " ").replace('*', "\\*").replace('<', "&lt;")
}
