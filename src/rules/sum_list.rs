//! Lists of files' sums, as `filemd5`, `filesha1` and `filesha256` name them: text files with a sum in hexadecimal digits at the start
//! of each line (docs.suricata.io, "File Keywords"). What follows the digits on a line is not looked at, so what `md5sum`
//! writes is a list.
//!
//! A rule keeps the list's name, a saved set too; what is in it is read at each start.

use super::compile::Loading;
use super::field::FieldTest;
use super::refuse::{Refusal, refuse};
use super::ruleset::{AppCheck, Check, Rule};
use super::text::{Fault, Text};
use ahash::AHashMap;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A list that a rule names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SumList {
    /// As the rule has it: relative to the folder of the rule's file.
    pub file: Box<str>,
    pub negated: bool,
    /// Bytes of one sum.
    width: u8,
    /// One behind the other, ascending. Rules that name one file share it.
    #[serde(skip)]
    sums: Arc<[u8]>,
}

impl SumList {
    /// `[!]FILE`, for sums of `width` bytes.
    pub fn parse(value: Text<'_>, width: u8) -> Result<SumList, Fault> {
        let (negated, rest) = value.negation();
        let name = rest.unquoted();
        match std::str::from_utf8(name.bytes) {
            Ok("") => Err(value.fault("expected the name of a file with a sum in each line")),
            Ok(file) => Ok(SumList { file: file.into(), negated, width, sums: Arc::default() }),
            Err(_) => Err(name.fault("a file's name is UTF-8")),
        }
    }

    pub fn contains(&self, sum: &[u8]) -> bool {
        let width = usize::from(self.width);
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            let Some(known) = self.sums.get(middle * width..(middle + 1) * width) else { return false };
            match known.cmp(sum) {
                Ordering::Equal => return true,
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
            }
        }
        false
    }

    pub fn len(&self) -> usize {
        self.sums.len() / usize::from(self.width.max(1))
    }

    pub fn is_empty(&self) -> bool {
        self.sums.is_empty()
    }
}

/// The sums of a list's text, ascending; the number of a line that has none, from 1.
fn read(text: &[u8], width: usize) -> Result<Arc<[u8]>, usize> {
    let mut sums = Vec::new();
    for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        sums.push(sum(line, width).ok_or(number + 1)?);
    }
    sums.sort_unstable();
    sums.dedup();
    Ok(sums.concat().into())
}

/// So many bytes, and no more digits behind them.
fn sum(line: &[u8], width: usize) -> Option<Vec<u8>> {
    let (digits, rest) = line.split_at_checked(2 * width)?;
    if rest.first().is_some_and(u8::is_ascii_hexdigit) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let bytes = digits.chunks_exact(2).map(|pair| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    });
    bytes.collect()
}

fn lists(rule: &mut Rule) -> impl Iterator<Item = &mut SumList> {
    rule.checks.iter_mut().filter_map(|check| match check {
        Check::App(app) => match &mut **app {
            AppCheck::Field { test: FieldTest::Sums(list), .. } => Some(list),
            _ => None,
        },
        _ => None,
    })
}

/// The sums of a list, or why there are none.
type ReadList = Result<Arc<[u8]>, String>;

/// Has `open` read the lists that rules name. A rule whose list cannot be read, or has a line without a sum, is refused.
pub fn attach(loading: &mut Loading, mut open: impl FnMut(&Path) -> std::io::Result<Vec<u8>>) {
    let files = std::mem::take(&mut loading.rules.files);
    let mut known: AHashMap<(PathBuf, u8), ReadList> = AHashMap::new();
    let mut refused = Vec::new();
    for (at, rule) in loading.rules.rules.iter_mut().enumerate() {
        let home = files.get(rule.source.file as usize).map(Path::new).and_then(Path::parent);
        let home = home.unwrap_or(Path::new("")).to_owned();
        let mut fault = None;
        for list in lists(rule) {
            let path = home.join(&*list.file);
            let width = list.width;
            let found = known.entry((path, width)).or_insert_with_key(|(path, width)| {
                let bytes = open(path).map_err(|why| format!("cannot read {}: {why}", path.display()))?;
                read(&bytes, usize::from(*width)).map_err(|line| {
                    let digits = 2 * usize::from(*width);
                    format!(
                        "line {line} of {} does not begin with {digits} hexadecimal digits",
                        path.display()
                    )
                })
            });
            match found {
                Ok(sums) => list.sums = Arc::clone(sums),
                Err(why) => fault = Some((list.file.clone(), why.clone())),
            }
        }
        refused.extend(fault.map(|(word, why)| Refusal {
            at,
            keyword: "file sums",
            word,
            why,
            help: Some("the name is relative to the folder of the rule's file".into()),
        }));
    }
    loading.rules.files = files;
    refuse(loading, &refused);
}

#[cfg(test)]
mod tests;
