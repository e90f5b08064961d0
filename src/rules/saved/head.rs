//! What rules share, in front of them; and what else loading came to.

use super::seal::Unreadable;
use crate::base::interval::IntervalSet;
use crate::base::parallel;
use crate::rules::compile::Disabled;
use crate::rules::diagnostic::{Diagnostic, Excerpt, Origin, Severity};
use crate::rules::lists::Touched;
use crate::rules::pcre;
use crate::rules::ruleset::{AddrSet, PcreFlags, Regex, Transform};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Serialize, Deserialize)]
pub(super) struct Head<'a> {
    #[serde(borrow)]
    pub(super) strings: Vec<&'a str>,
    pub(super) addresses: Vec<Arc<AddrSet>>,
    pub(super) ports: Vec<Arc<IntervalSet<u16>>>,
    #[serde(borrow)]
    pub(super) expressions: Vec<StoredExpression<'a>>,
    #[serde(borrow)]
    pub(super) transforms: Vec<Vec<StoredTransform<'a>>>,
    pub(super) flowbits: Vec<String>,
    pub(super) host_bits: Vec<String>,
    pub(super) flowints: Vec<String>,
    pub(super) files: Vec<String>,
    #[serde(borrow)]
    pub(super) windows: Vec<(u64, &'a [u8])>,
    pub(super) diagnostics: Vec<Told>,
    pub(super) disabled: Vec<Disabled>,
    pub(super) touched: Vec<Touched>,
    /// Bytes of each part of the rules.
    pub(super) parts: Vec<u32>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredExpression<'a> {
    pub(super) text: &'a str,
    pub(super) flags: PcreFlags,
    pub(super) unlimited: bool,
}

#[derive(Serialize, Deserialize)]
pub(super) enum StoredTransform<'a> {
    Plain(Transform),
    Capture(&'a str),
}

/// A diagnostic whole: the form of its own is for programs that read `--json`.
#[derive(Serialize, Deserialize)]
pub(super) struct Told(#[serde(with = "WholeDiagnostic")] pub(super) Diagnostic);

#[derive(Serialize, Deserialize)]
#[serde(remote = "Diagnostic")]
struct WholeDiagnostic {
    file: String,
    line: u32,
    column: u32,
    sid: Option<u32>,
    keyword: Option<String>,
    message: String,
    help: Option<String>,
    severity: Severity,
    origin: Origin,
    excerpt: Excerpt,
}

/// Things that rules name by number.
pub(super) struct Listed<T> {
    what: &'static str,
    all: Vec<T>,
}

impl<T> Listed<T> {
    fn new(what: &'static str, all: Vec<T>) -> Listed<T> {
        Listed { what, all }
    }

    pub(super) fn at(&self, number: u32) -> Result<&T, Unreadable> {
        let missing =
            || Unreadable::Malformed(format!("a rule names {} {number} of {}", self.what, self.all.len()));
        self.all.get(number as usize).ok_or_else(missing)
    }
}

impl<T: Clone> Listed<T> {
    pub(super) fn get(&self, number: u32) -> Result<T, Unreadable> {
        self.at(number).cloned()
    }
}

/// An expression as a rule writes it.
pub(super) struct Source {
    pub(super) text: Arc<str>,
    pub(super) unlimited: bool,
}

/// The lists, with all expressions compiled.
pub(super) struct Shared {
    pub(super) strings: Listed<Arc<str>>,
    pub(super) addresses: Listed<Arc<AddrSet>>,
    pub(super) ports: Listed<Arc<IntervalSet<u16>>>,
    pub(super) expressions: Listed<(Source, Arc<Regex>)>,
}

impl Shared {
    /// Takes the lists out of the head.
    pub(super) fn of(head: &mut Head<'_>) -> Result<Shared, Unreadable> {
        let expressions = parallel::map(&head.expressions, |stored| {
            let regex = compile(stored.text, stored.flags, stored.unlimited)?;
            Ok((Source { text: Arc::from(stored.text), unlimited: stored.unlimited }, regex))
        });
        let expressions = expressions.into_iter().collect::<Result<_, Unreadable>>()?;
        Ok(Shared {
            strings: Listed::new("string", head.strings.iter().map(|text| Arc::from(*text)).collect()),
            addresses: Listed::new("addresses", std::mem::take(&mut head.addresses)),
            ports: Listed::new("ports", std::mem::take(&mut head.ports)),
            expressions: Listed::new("expression", expressions),
        })
    }
}

impl StoredTransform<'_> {
    pub(super) fn of(transform: &Transform) -> StoredTransform<'_> {
        match transform {
            Transform::Capture { expression, .. } => StoredTransform::Capture(expression),
            plain => StoredTransform::Plain(plain.clone()),
        }
    }

    pub(super) fn restore(self) -> Result<Transform, Unreadable> {
        match self {
            StoredTransform::Plain(transform) => Ok(transform),
            StoredTransform::Capture(text) => {
                let regex =
                    pcre::compile_with_groups(text).map(Arc::new).map_err(|bad| refused(text, bad))?;
                Ok(Transform::Capture { expression: Arc::from(text), regex })
            }
        }
    }
}

fn compile(text: &str, flags: PcreFlags, unlimited: bool) -> Result<Arc<Regex>, Unreadable> {
    pcre::compile(text, flags, unlimited).map(Arc::new).map_err(|bad| refused(text, bad))
}

fn refused(text: &str, bad: pcre::BadExpression) -> Unreadable {
    Unreadable::Expression { expression: text.to_owned(), message: bad.message }
}
