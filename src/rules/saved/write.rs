//! What loading came to -> the bytes of a file.

use super::fingerprint::Fingerprint;
use super::head::{Head, StoredExpression, StoredTransform, Told};
use super::seal::seal;
use super::stored::StoredRule;
use crate::base::interval::IntervalSet;
use crate::rules::compile::Loading;
use crate::rules::ruleset::{AddrSet, Pcre};
use ahash::AHashMap;
use std::sync::Arc;

/// Why a set cannot be saved.
#[derive(Debug, thiserror::Error)]
pub enum Unsavable {
    #[error("a rule decodes base64 within base64 too often")]
    Nested,
    #[error("it is too large: {0} bytes in a part")]
    TooLarge(usize),
    #[error("{0}")]
    Encoding(#[from] postcard::Error),
}

/// Rules of a part.
const PART: usize = 512;

/// The whole file.
pub fn write(loading: &Loading, fingerprint: Fingerprint) -> Result<Vec<u8>, Unsavable> {
    let set = &loading.rules;
    let mut pool = Pool::default();
    let (mut parts, mut rules) = (Vec::new(), Vec::new());
    for part in set.rules.chunks(PART) {
        let stored = part.iter().map(|rule| StoredRule::of(rule, &mut pool));
        let bytes = postcard::to_stdvec(&stored.collect::<Result<Vec<_>, _>>()?)?;
        parts.push(u32::try_from(bytes.len()).map_err(|_| Unsavable::TooLarge(bytes.len()))?);
        rules.extend(bytes);
    }
    let head = Head {
        strings: pool.strings.all,
        addresses: pool.addresses.all,
        ports: pool.ports.all,
        expressions: pool.expressions.all,
        transforms: set
            .transforms
            .iter()
            .map(|chain| chain.iter().map(StoredTransform::of).collect())
            .collect(),
        flowbits: set.flowbits.clone(),
        host_bits: set.host_bits.clone(),
        flowints: set.flowints.clone(),
        files: set.files.clone(),
        windows: set.windows.iter().collect(),
        diagnostics: loading.diagnostics.iter().cloned().map(Told).collect(),
        disabled: loading.disabled.clone(),
        touched: loading.touched.clone(),
        parts,
    };
    let mut body = postcard::to_stdvec(&head)?;
    body.append(&mut rules);
    Ok(seal(fingerprint, &body))
}

/// What rules share, numbered in the order of first use.
#[derive(Default)]
pub(super) struct Pool<'a> {
    strings: Numbered<&'a str, &'a str>,
    /// By address: rules that say the same have the same.
    addresses: Numbered<usize, Arc<AddrSet>>,
    ports: Numbered<usize, Arc<IntervalSet<u16>>>,
    expressions: Numbered<usize, StoredExpression<'a>>,
}

struct Numbered<K, T> {
    numbers: AHashMap<K, u32>,
    all: Vec<T>,
}

impl<K, T> Default for Numbered<K, T> {
    fn default() -> Self {
        Numbered { numbers: AHashMap::new(), all: Vec::new() }
    }
}

impl<K: std::hash::Hash + Eq, T> Numbered<K, T> {
    fn number(&mut self, key: K, item: impl FnOnce() -> T) -> u32 {
        let all = &mut self.all;
        *self.numbers.entry(key).or_insert_with(|| {
            all.push(item());
            all.len() as u32 - 1
        })
    }
}

impl<'a> Pool<'a> {
    pub(super) fn string(&mut self, text: &'a str) -> u32 {
        self.strings.number(text, || text)
    }

    pub(super) fn addresses(&mut self, set: &'a Arc<AddrSet>) -> u32 {
        self.addresses.number(Arc::as_ptr(set) as usize, || Arc::clone(set))
    }

    pub(super) fn ports(&mut self, set: &'a Arc<IntervalSet<u16>>) -> u32 {
        self.ports.number(Arc::as_ptr(set) as usize, || Arc::clone(set))
    }

    pub(super) fn expression(&mut self, pcre: &'a Pcre) -> u32 {
        let &Pcre { flags, unlimited, .. } = pcre;
        let stored = || StoredExpression { text: &pcre.expression, flags, unlimited };
        self.expressions.number(Arc::as_ptr(&pcre.regex) as usize, stored)
    }
}
