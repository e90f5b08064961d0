//! Configurations with a fault each, made from the table of keys: every one is refused with the key, its line and a caret.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use std::path::Path;
use support::{Bench, weir};
use weir::mgmt::Profile;
use weir::mgmt::config::Sources;
use weir::mgmt::config::key_table::{Form, KeyDoc, Row, SectionDoc, table};
use weir::mgmt::config::kind::Kind;

/// A text, the name that its diagnostic must have, and what is wrong with it.
struct Malformed {
    text: String,
    names: String,
    what: &'static str,
}

fn last(key: &str) -> &str {
    key.rsplit('.').next().unwrap()
}

/// The head under which a key stands.
fn head(key: &str, sections: &[SectionDoc]) -> String {
    let Some((outer, _)) = key.rsplit_once('.') else { return String::new() };
    match sections.iter().find(|section| section.key == outer).unwrap().form {
        Form::List => format!("[[{outer}]]\n"),
        Form::Table | Form::Names => format!("[{outer}]\n"),
    }
}

/// Values that a kind does not take, each with what is wrong.
fn wrong_values(kind: &Kind) -> Vec<(String, &'static str)> {
    let own = |values: &[(&str, &'static str)]| -> Vec<(String, &'static str)> {
        values.iter().map(|(value, what)| ((*value).to_owned(), *what)).collect()
    };
    match kind {
        Kind::Boolean => own(&[("\"yes\"", "type"), ("1", "type")]),
        Kind::Text | Kind::Path => own(&[("7", "type"), ("[\"x\"]", "type"), ("2026-11-29", "type")]),
        Kind::Number { low, high, .. } => {
            let mut wrong =
                own(&[("\"many\"", "type"), ("1.5", "type"), ("99999999999999999999999999", "range")]);
            wrong.extend([((low - 1).to_string(), "range"), ((high + 1).to_string(), "range")]);
            wrong
        }
        Kind::Span => own(&[
            ("30", "unit"),
            ("\"30\"", "unit"),
            ("\"30 weeks\"", "unit"),
            ("\"-5s\"", "range"),
            ("true", "type"),
        ]),
        Kind::Size => own(&[
            ("\"64MoB\"", "unit"),
            ("\"MiB\"", "unit"),
            ("-1", "range"),
            ("\"99999999999GiB\"", "range"),
            ("false", "type"),
        ]),
        Kind::Words(words) => {
            let slip = format!("\"{}x\"", words.first().unwrap());
            let mut wrong = own(&[("3", "type"), ("\"\"", "word")]);
            wrong.push((slip, "word"));
            wrong
        }
        Kind::Form(_) => own(&[("1979-05-27", "type"), ("\"neither nor\"", "form")]),
        // Whatever the kind takes not, but the word itself.
        Kind::Auto(kind) => wrong_values(kind),
        Kind::List(kind) => {
            let mut wrong = own(&[("\"alone\"", "type"), ("7", "type")]);
            wrong.extend(wrong_values(kind).into_iter().map(|(value, what)| (format!("[{value}]"), what)));
            wrong
        }
    }
}

fn of_key(doc: &KeyDoc, head: &str, out: &mut Vec<Malformed>) {
    let name = last(&doc.key);
    for (value, what) in wrong_values(&doc.kind) {
        out.push(Malformed { text: format!("# A box.\n{head}{name} = {value}\n"), names: name.into(), what });
    }
    let twice = format!("{head}{name} = {0}\n{name} = {0}\n", doc.default);
    out.push(Malformed { text: twice, names: name.into(), what: "duplicate" });
    let slip = format!("{name}e");
    out.push(Malformed { text: format!("{head}{slip} = {}\n", doc.default), names: slip, what: "unknown" });
}

fn of_section(doc: &SectionDoc, out: &mut Vec<Malformed>) {
    let (key, name) = (&doc.key, last(&doc.key).to_owned());
    let mut add = |text: String, what| out.push(Malformed { text, names: name.clone(), what });
    add(format!("{key} = 3\n"), "a value in place of a section");
    match doc.form {
        Form::Table => add(format!("[[{key}]]\n"), "a list in place of a section"),
        Form::List => add(format!("[{key}]\n"), "a section in place of a list"),
        Form::Names => add(format!("[{key}]\nMINE = 7\n"), "type"),
    }
    let slip = format!("{name}x");
    let outer = key.rsplit_once('.').map_or(String::new(), |(outer, _)| format!("{outer}."));
    out.push(Malformed { text: format!("[{outer}{slip}]\n"), names: slip, what: "unknown section" });
}

fn all() -> Vec<Malformed> {
    let rows = table(Profile::Inline);
    let section = |row: &Row| if let Row::Section(doc) = row { Some(doc.clone()) } else { None };
    let sections: Vec<SectionDoc> = rows.iter().filter_map(section).collect();
    let mut out = Vec::new();
    for row in &rows {
        match row {
            Row::Key(doc) => of_key(doc, &head(&doc.key, &sections), &mut out),
            // Within a list a head would be that of an item.
            Row::Section(doc) if doc.key.contains('.') && doc.form == Form::Table => {}
            Row::Section(doc) => of_section(doc, &mut out),
        }
    }
    out
}

/// What is said must have the name, the line and a caret.
#[track_caller]
fn told(said: &str, it: &Malformed, file: &Path) {
    let Malformed { text, names, what } = it;
    let place = format!("--> {}:", file.display());
    for part in [names.as_str(), &place, "^", "error: "] {
        assert!(said.contains(part), "{what}: no {part:?} for\n{text}\nin\n{said}");
    }
}

#[test]
fn every_malformed_configuration_is_refused_by_name_and_place() {
    let bench = Bench::new();
    let all = all();
    assert!(all.len() > 1000, "{}", all.len());
    for it in &all {
        let file = bench.file("weir.toml", &it.text);
        let sources = Sources { file: Some(&file), sets: &[], profile: Profile::Inline };
        match sources.load() {
            Ok(_) => panic!("{} was taken:\n{}", it.what, it.text),
            Err(faults) => told(&faults.to_string(), it, &file),
        }
    }
}

#[test]
fn weir_check_says_the_same_and_exits_with_1() {
    let bench = Bench::new();
    for (number, it) in all().iter().enumerate().step_by(25) {
        let file = bench.file(&format!("{number}.toml"), &it.text);
        let output = weir().args(["check", "-c"]).arg(&file).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}:\n{}", it.what, it.text);
        told(&String::from_utf8_lossy(&output.stderr), it, &file);
    }
}

#[test]
fn what_is_no_text_at_all_is_refused() {
    let bench = Bench::new();
    for (name, bytes) in
        [("binary", &b"\xff\xfe\x00[lcores"[..]), ("open", b"[lcores"), ("deep", &[b'['; 5000])]
    {
        let file = bench.file(name, bytes);
        let output = weir().args(["check", "-c"]).arg(&file).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.starts_with("error: ") && said.contains(&*file.display().to_string()), "{name}: {said}");
    }
}
