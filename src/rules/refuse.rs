//! Rules refused after the whole set was read: what they name outside of it is not as they need it.

use super::compile::{Disabled, Loading, Why};
use super::diagnostic::Diagnostic;
use super::ruleset::Rule;
use super::source::{SourceFile, Span};
use super::text::Fault;
use std::sync::Arc;

/// Why a rule is refused, and where to point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Index into the set's rules.
    pub at: usize,
    pub keyword: &'static str,
    /// The first of it in the rule's text is pointed at.
    pub word: Box<str>,
    pub why: String,
    pub help: Option<String>,
}

/// Takes the rules out; of several refusals of one rule the first is told. They stand in the order of the rules.
pub fn refuse(loading: &mut Loading, refused: &[Refusal]) {
    if refused.is_empty() {
        return;
    }
    let rules = std::mem::take(&mut loading.rules.rules).into_vec();
    let (mut stay, mut refused) = (Vec::with_capacity(rules.len()), refused.iter().peekable());
    for (at, rule) in rules.into_iter().enumerate() {
        match refused.next_if(|refusal| refusal.at == at) {
            None => stay.push(rule),
            Some(refusal) => {
                let name = loading.rules.files.get(rule.source.file as usize).map_or("", String::as_str);
                loading.diagnostics.push(diagnose(&rule, name, refusal));
                loading.disabled.push(disabled(&rule, &refusal.why));
                while refused.next_if(|other| other.at == at).is_some() {}
            }
        }
    }
    loading.rules.rules = stay.into();
}

fn diagnose(rule: &Rule, name: &str, refusal: &Refusal) -> Diagnostic {
    let start = find_word(&rule.text, refusal.keyword, &refusal.word);
    let fault = Fault {
        span: Span::new(start, start + refusal.word.len()),
        message: refusal.why.clone(),
        help: refusal.help.clone(),
        keyword: Some(refusal.keyword.into()),
    };
    let alone = SourceFile::new(name, rule.text.as_bytes());
    let told = Diagnostic::new(name, &alone.index(), fault.span, fault, Some(rule.sid));
    Diagnostic { line: rule.source.line, ..told }
}

/// Where the whole word stands behind the keyword, or anywhere, or the start.
fn find_word(text: &str, keyword: &str, word: &str) -> usize {
    let behind = text.find(keyword).map_or(0, |at| at + keyword.len());
    let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || "_-.".contains(c));
    let whole = |at: &usize| {
        let (before, rest) = text.split_at(*at);
        !inside(before.chars().next_back())
            && !inside(rest.get(word.len()..).and_then(|rest| rest.chars().next()))
    };
    if word == keyword {
        // The keyword itself, not the same word of a message.
        let value =
            |at: &usize| text.get(at + word.len()..).is_some_and(|rest| rest.trim_start().starts_with(':'));
        let mut found = text.match_indices(word).map(|(at, _)| at).filter(|at| whole(at));
        return found.find(value).unwrap_or_default();
    }
    let mut found = text.match_indices(word).map(|(at, _)| at).filter(|at| *at >= behind);
    found.find(whole).or_else(|| text.find(word)).unwrap_or_default()
}

fn disabled(rule: &Rule, why: &str) -> Disabled {
    let mut words = rule.text.split_ascii_whitespace().map(str::to_owned);
    Disabled {
        gid: rule.gid,
        sid: rule.sid,
        rev: rule.rev,
        action: words.next().unwrap_or_default(),
        protocol: words.next().unwrap_or_default(),
        msg: rule.msg.to_string(),
        source: rule.source,
        why: Why::Refused(why.into()),
        text: Arc::clone(&rule.text),
    }
}
