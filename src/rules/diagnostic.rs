//! What is wrong with a file, for people (a caret under the place) and for programs (`--json`).

use super::source::{LineIndex, Span};
use super::text::Fault;
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The rule or line is refused.
    Fault,
    /// The rule is loaded, or was replaced by a newer one.
    Warning,
}

/// What a diagnostic speaks of.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    Rule,
    /// A line of a file beside the rules: disable.conf and its like, threshold.config, classification.config.
    List,
}

/// One fault, tied to its file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diagnostic {
    pub file: String,
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
    pub sid: Option<u32>,
    /// The keyword at fault; for a header, `protocol`, `action`, `address`, `port` or `direction`.
    pub keyword: Option<String>,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    pub severity: Severity,
    #[serde(skip)]
    pub origin: Origin,
    #[serde(skip)]
    pub(super) excerpt: Excerpt,
}

/// The part of the line around the place, and the marked characters in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Excerpt {
    text: String,
    before: usize,
    marked: usize,
}

/// Characters shown on each side of a mark: rules are long lines.
const EXCERPT_SIDE: usize = 60;

impl Diagnostic {
    /// Of the line, what is around the place.
    pub fn excerpt(&self) -> &str {
        &self.excerpt.text
    }

    /// `span` is in offsets of the file that `index` belongs to.
    pub fn new(file: &str, index: &LineIndex<'_>, span: Span, fault: Fault, sid: Option<u32>) -> Diagnostic {
        let position = index.position(span.start);
        Diagnostic {
            file: file.to_owned(),
            line: position.line,
            column: position.column,
            sid,
            keyword: fault.keyword,
            message: fault.message,
            help: fault.help,
            severity: Severity::Fault,
            origin: Origin::Rule,
            excerpt: Excerpt::around(index, span),
        }
    }

    #[must_use]
    pub fn warning(mut self) -> Diagnostic {
        self.severity = Severity::Warning;
        self
    }

    #[must_use]
    pub fn of_list(mut self) -> Diagnostic {
        self.origin = Origin::List;
        self
    }

    pub fn is_fault(&self) -> bool {
        self.severity == Severity::Fault
    }
}

impl Excerpt {
    fn around(index: &LineIndex<'_>, span: Span) -> Excerpt {
        let (line, start) = index.text(span.start);
        let at = ((span.start - start) as usize).min(line.len());
        let end = ((span.end.max(span.start) - start) as usize).clamp(at, line.len());
        let clean = |bytes: &[u8]| plain(&String::from_utf8_lossy(bytes));
        let (before, marked, after) = (clean(&line[..at]), clean(&line[at..end]), clean(&line[end..]));
        let skip = before.chars().count().saturating_sub(EXCERPT_SIDE);
        let mut text: String = if skip > 0 { "...".into() } else { String::new() };
        text.extend(before.chars().skip(skip));
        let before = text.chars().count();
        text.extend(marked.chars().take(EXCERPT_SIDE));
        let marked = text.chars().count() - before;
        text.extend(after.chars().take(EXCERPT_SIDE));
        if after.chars().count() > EXCERPT_SIDE {
            text.push_str("...");
        }
        Excerpt { text, before, marked: marked.max(1) }
    }
}

/// Control bytes are no commands to the terminal.
fn plain(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Fault => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{}:{}:{}: {word}", self.file, self.line, self.column)?;
        if let Some(sid) = self.sid {
            write!(f, " in sid {sid}")?;
        }
        let gutter = " ".repeat(self.line.to_string().len());
        let Excerpt { text, before, marked } = &self.excerpt;
        // Messages quote what the rule says.
        writeln!(f, ": {}", plain(&self.message))?;
        writeln!(f, " {gutter} |")?;
        writeln!(f, " {} | {}", self.line, text.trim_end())?;
        write!(f, " {gutter} | {}{}", " ".repeat(*before), "^".repeat(*marked))?;
        match &self.help {
            Some(help) => write!(f, "\n {gutter} = help: {}", plain(help)),
            None => Ok(()),
        }
    }
}
