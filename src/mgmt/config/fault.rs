//! What is wrong with a configuration: where, what, and the mend.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A text the configuration was read from: a file, or one `--set`.
#[derive(Debug, Default)]
pub struct SourceText {
    /// As faults print it.
    pub name: String,
    pub text: String,
}

/// A run of bytes of a source.
#[derive(Clone, Debug)]
pub struct Place {
    pub source: Arc<SourceText>,
    pub span: Range<usize>,
}

impl Place {
    /// Line and column (in characters), both from 1.
    pub fn line_column(&self) -> (usize, usize) {
        let before = self.source.text.get(..self.span.start).unwrap_or(&self.source.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(line_start..).map_or(0, |part| part.chars().count());
        (before.matches('\n').count() + 1, column + 1)
    }

    /// The line the place begins on, and how many of its characters to underline (at least one).
    fn line(&self) -> (&str, usize) {
        let text = self.source.text.as_str();
        let start = text.get(..self.span.start).and_then(|t| t.rfind('\n')).map_or(0, |at| at + 1);
        let end = text.get(start..).and_then(|t| t.find('\n')).map_or(text.len(), |at| start + at);
        let marked = text.get(self.span.start..self.span.end.min(end)).map_or(0, |t| t.chars().count());
        (text.get(start..end).unwrap_or_default(), marked.max(1))
    }
}

/// One fault. Printed with the line and a caret when its place is known.
#[derive(Clone, Debug)]
pub struct Fault {
    pub place: Option<Place>,
    /// Dotted name of the key, or empty.
    pub key: String,
    pub message: String,
    /// What to do about it; printed behind the caret.
    pub mend: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        let Some(place) = &self.place else {
            return if self.mend.is_empty() { Ok(()) } else { write!(f, "\n  = {}", self.mend) };
        };
        let (line, column) = place.line_column();
        let (text, marked) = place.line();
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        let (text, before, marked) = window(text, column - 1, marked);
        // Tabs before the caret are kept, so that it stands right whatever a tab's width.
        let indent: String = text.chars().take(before).map(|c| if c == '\t' { c } else { ' ' }).collect();
        let caret = "^".repeat(marked);
        write!(f, "\n{margin}--> {}:{line}:{column}", place.source.name)?;
        write!(f, "\n{margin} |\n{number} | {text}\n{margin} | {indent}{caret} {}", self.mend)
    }
}

/// Everything that is wrong; never empty.
#[derive(Clone, Debug, Default)]
pub struct Faults(pub Vec<Fault>);

/// Characters of a line that are shown, and of them before the caret where the line is longer.
const SHOWN: usize = 160;
const BEFORE: usize = 40;

/// The part of a line around `marked` characters behind `before` others, dots where it is cut, and both numbers in it.
fn window(line: &str, before: usize, marked: usize) -> (String, usize, usize) {
    let length = line.chars().count();
    if length <= SHOWN {
        return (line.to_owned(), before, marked);
    }
    let from = before.saturating_sub(BEFORE);
    let dots = |cut: bool| if cut { "..." } else { "" };
    let head = dots(from > 0);
    let shown: String = line.chars().skip(from).take(SHOWN).collect();
    let before = before - from + head.len();
    let room = (SHOWN + head.len()).saturating_sub(before).max(1);
    (format!("{head}{shown}{}", dots(from + SHOWN < length)), before, marked.min(room))
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n\n")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// Bytes of a name beyond which nothing near is looked for: the search takes their square, and nobody means any of ours by it.
pub const LONGEST_NAME: usize = 128;

/// The name most like `name`, when one is near enough to be meant.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let known = known.into_iter().filter(|other| name.len().max(other.len()) <= LONGEST_NAME);
    known
        .map(|other| (strsim::damerau_levenshtein(name, other), other))
        .filter(|(distance, other)| *distance <= 1 + other.len().max(name.len()) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, other)| other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not_offered() {
        assert_eq!(nearest("wrokers", ["workers", "worker-cpus"]), Some("workers"));
        assert_eq!(nearest("zebra", ["workers", "rss"]), None);
    }

    #[test]
    fn of_a_long_line_the_part_around_the_fault_is_shown() {
        let shown = |text: String, span: Range<usize>| {
            let source = Arc::new(SourceText { name: "f".into(), text });
            let (key, message, mend) = (String::new(), "wrong".into(), "mend".into());
            Fault { place: Some(Place { source, span }), key, message, mend }.to_string()
        };
        let long = shown(format!("name = \"{}\"", "é".repeat(90_000)), 7..180_009);
        assert!(long.chars().count() < 500, "{long}");
        assert!(
            long.contains("1 | name = \"éé") && long.contains("é...\n") && long.ends_with("^^ mend"),
            "{long}"
        );
        let late = shown(format!("{}bad{}", "x".repeat(5000), "y".repeat(5000)), 5000..5003);
        let lines: Vec<&str> = late.lines().collect();
        assert!(lines[3].starts_with("1 | ...xxx") && lines[3].ends_with("..."), "{late}");
        let at = lines[4].find('^').unwrap();
        assert_eq!((&lines[3][at..at + 3], &lines[4][at..]), ("bad", "^^^ mend"));
    }

    #[test]
    fn a_caret_stands_under_the_fault_behind_tabs_and_wide_letters() {
        let source = Arc::new(SourceText { name: "f".into(), text: "a = 1\n\té = bad\n".into() });
        let fault = Fault {
            place: Some(Place { source, span: 12..15 }),
            key: "é".into(),
            message: "wrong".into(),
            mend: "say good".into(),
        };
        assert_eq!(fault.to_string(), "error: wrong\n --> f:2:6\n  |\n2 | \té = bad\n  | \t    ^^^ say good");
    }
}
