//! The lists, the table in `docs/events.md` and the decoders' tests say the same.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

const TABLE: &str = include_str!("../../../docs/events.md");
const NEVER: &str = "never: ";

/// Event, when it is raised, test.
fn rows() -> Vec<[&'static str; 3]> {
    let cells = |line: &'static str| {
        let mut cells =
            line.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches(['`', '|']).trim());
        [cells.next().unwrap_or_default(), cells.next().unwrap_or_default(), cells.next().unwrap_or_default()]
    };
    TABLE.lines().filter(|line| line.starts_with("| `")).map(cells).collect()
}

#[test]
fn every_event_has_a_line_of_the_table() {
    let told: BTreeSet<String> = rows().iter().map(|[event, ..]| (*event).to_owned()).collect();
    let generic = told.iter().filter(|event| event.starts_with("applayer_")).cloned();
    let known =
        super::all().flat_map(|(word, events)| events.iter().map(move |event| format!("{word}.{event}")));
    let known: BTreeSet<String> = known.chain(generic).collect();
    assert_eq!(told, known);
    assert_eq!(told.len(), rows().len(), "a line each");
}

/// The words that stand in the sources of the folder, with the tests.
fn read(folder: &Path, out: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, out);
        } else if path.extension().is_some_and(|name| name == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let is_of_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
            out.extend(text.split(|c| !is_of_word(c)).filter(|word| word.len() > 3).map(str::to_owned));
        }
    }
}

#[test]
fn every_event_that_is_raised_has_a_test_and_no_other_has() {
    let mut words = BTreeSet::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/app"), &mut words);
    let mut faults = String::new();
    for [event, when, test] in rows() {
        let shown = words.contains(test);
        // DNS's names and those of its kin are put together.
        let name = event.split_once('.').map_or(event, |(_, name)| name);
        let raised = words.contains(event) || words.contains(&format!(".{name}"));
        match when.starts_with(NEVER) {
            true if shown || raised => writeln!(faults, "{event} is raised").unwrap(),
            false if !shown => writeln!(faults, "{event}: no test is called `{test}`").unwrap(),
            false if !raised => writeln!(faults, "{event} is raised nowhere").unwrap(),
            _ => {}
        }
    }
    assert!(faults.is_empty(), "{faults}");
}
