//! Where a rule stands, and what is known of one that is not in force.

use super::{Disabled, Why};
use crate::rules::diagnostic::Diagnostic;
use crate::rules::lexer::Logical;
use crate::rules::lists::id_of;
use crate::rules::parser::RuleAst;
use crate::rules::ruleset::Source;
use crate::rules::source::LineIndex;
use crate::rules::text::Fault;
use std::sync::Arc;

/// Where a rule is being read.
pub(super) struct Place<'a> {
    pub(super) file: &'a str,
    pub(super) number: u32,
    pub(super) index: &'a LineIndex<'a>,
    pub(super) line: &'a Logical<'a>,
    /// Of a rule that a list changed, whose text is no longer the file's: its line, and the list's.
    pub(super) edited: Option<(u32, &'a str)>,
}

impl Place<'_> {
    pub(super) fn diagnose(&self, mut fault: Fault, sid: Option<u32>) -> Diagnostic {
        let span = self.line.span_in_file(fault.span);
        let Some((line, by)) = self.edited else {
            return Diagnostic::new(self.file, self.index, span, fault, sid);
        };
        fault.message = format!("{} (the rule is as {by} made it)", fault.message);
        let mut diagnostic = Diagnostic::new(self.file, self.index, span, fault, sid);
        diagnostic.line = line;
        diagnostic
    }

    /// In the file.
    pub(super) fn line_number(&self) -> u32 {
        self.edited.map_or_else(|| self.index.line(self.line.start_in_file()), |(line, _)| line)
    }
}

/// Of a rule that cannot be read, what can be found in it without.
pub(super) fn unreadable(place: &Place<'_>, fault: &Fault) -> Option<Disabled> {
    let text = String::from_utf8_lossy(&place.line.text);
    let number = |name: &str| {
        let starts = text.match_indices(name).map(|(at, _)| at);
        let mut whole =
            starts.filter(|at| text[..*at].ends_with(|c: char| c == ';' || c == '(' || c.is_whitespace()));
        let digits = text[whole.next()? + name.len()..].trim_start();
        digits[..digits.bytes().take_while(u8::is_ascii_digit).count()].parse::<u32>().ok()
    };
    let mut words = text.split_ascii_whitespace().map(str::to_owned);
    Some(Disabled {
        gid: number("gid:").unwrap_or(1),
        sid: number("sid:")?,
        rev: number("rev:").unwrap_or(0),
        action: words.next().unwrap_or_default(),
        protocol: words.next().unwrap_or_default(),
        msg: String::new(),
        source: Source { file: place.number, line: place.line_number() },
        why: Why::Refused(fault.message.clone()),
        text: Arc::from(&*text),
    })
}

/// Of a rule that can be read.
pub(super) fn disabled(ast: &RuleAst<'_>, place: &Place<'_>, why: Why) -> Option<Disabled> {
    let (gid, sid) = id_of(ast)?;
    let value = |name| ast.option(name).and_then(|option| option.value);
    Some(Disabled {
        gid,
        sid,
        rev: value("rev").and_then(|rev| rev.ascii().parse().ok()).unwrap_or(0),
        action: ast.action.lossy().into_owned(),
        protocol: ast.protocol.lossy().into_owned(),
        msg: value("msg").map_or_else(String::new, |msg| msg.unquoted().lossy().into_owned()),
        source: Source { file: place.number, line: place.line_number() },
        why,
        text: Arc::from(String::from_utf8_lossy(&place.line.text)),
    })
}
