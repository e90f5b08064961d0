//! Files of rules -> a [`RuleSet`], and every fault found on the way. A rule at fault is left out whole.

mod merge;
mod names;
mod order;
mod place;
mod reader;

use super::config_file::{Classifications, References};
use super::diagnostic::Diagnostic;
use super::finish::Pool;
use super::header;
use super::lexer::Lines;
use super::lists::{Fate, Lists, Subject, Touched, id_of};
use super::parser;
use super::ruleset::{RuleSet, Source};
use super::source::{LineIndex, SourceFile};
use super::vars::Vars;
use crate::base::parallel;
use merge::Merge;
use reader::{Common, Line, Reader};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Compiles all files into one set. Its generation is 0 until it is published.
pub fn load(
    files: &[SourceFile],
    vars: &Vars,
    classes: &Classifications,
    references: &References,
) -> (RuleSet, Vec<Diagnostic>) {
    let loading = load_listed(files, vars, classes, references, Lists::default());
    (loading.rules, loading.diagnostics)
}

/// A set, and what was found and left out on the way to it.
#[derive(Debug)]
pub struct Loading {
    pub rules: RuleSet,
    pub diagnostics: Vec<Diagnostic>,
    /// In the order of the files.
    pub disabled: Vec<Disabled>,
    /// What each line of the lists came to.
    pub touched: Vec<Touched>,
}

/// A rule that is in the files and not in force.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Disabled {
    pub gid: u32,
    pub sid: u32,
    pub rev: u32,
    pub action: String,
    pub protocol: String,
    pub msg: String,
    pub source: Source,
    pub why: Why,
    pub text: Arc<str>,
}

/// Why a rule of the files is not in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    Commented,
    /// By a line, `file:line`.
    List(String),
    /// It `requires` this, which is not met.
    Requires(String),
    /// The fault.
    Refused(String),
}

/// As [`load`], with lists that say which rules are loaded and as what. Lines are read over all cores.
pub fn load_listed(
    files: &[SourceFile],
    vars: &Vars,
    classes: &Classifications,
    references: &References,
    lists: Lists,
) -> Loading {
    load_in_parts(files, vars, classes, references, lists, parallel::share)
}

/// `share`: of so many lines, how many are read together.
fn load_in_parts(
    files: &[SourceFile],
    vars: &Vars,
    classes: &Classifications,
    references: &References,
    mut lists: Lists,
    share: impl Fn(usize) -> usize,
) -> Loading {
    let indexes = files.iter().map(SourceFile::index).collect();
    let (pool, sets) = (Pool::default(), header::Pool::default());
    let common = Common { files, indexes, vars, classes, references, pool, sets };
    let mut lines = Vec::new();
    let mut unread = Vec::new();
    for (number, (file, index)) in files.iter().zip(&common.indexes).enumerate() {
        if let Some(fault) = file.is_no_text() {
            unread.push(Diagnostic::new(&file.name, index, fault.span, fault, None));
            continue;
        }
        for text in Lines::new(&file.bytes).with_commented() {
            let mut line = Line { file: number as u32, text, fate: Fate::AsWritten };
            if line.text.commented || !lists.is_empty() {
                let Some(fate) = judge(&mut lists, &line, file, index) else { continue };
                line.fate = fate;
            }
            lines.push(line);
        }
    }
    let parts: Vec<_> = lines.chunks(share(lines.len()).max(1)).collect();
    let read = parallel::map(&parts, |lines| Reader::read(&common, lines));
    let mut merge = Merge::new(&common, unread);
    read.into_iter().for_each(|part| merge.part(part));
    merge.finish(lists)
}

/// What the lists make of a line; nothing of a comment that is no rule.
fn judge(lists: &mut Lists, line: &Line<'_>, file: &SourceFile, index: &LineIndex<'_>) -> Option<Fate> {
    let parsed = parser::parse(&line.text.text);
    let ast = parsed.as_ref().ok();
    // Prose may begin with an action too.
    if line.text.commented && ast.and_then(id_of).is_none() {
        return None;
    }
    let number = index.line(line.text.start_in_file());
    let subject = Subject::new(&line.text.text, &file.name, number, ast);
    Some(lists.judge(&subject, line.text.commented))
}

#[cfg(test)]
mod diagnostics;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
