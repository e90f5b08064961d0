//! Gives every rule the scores of the category that it names.

use super::file::{self, Lists};
use super::{ReputationTest, Scores};
use crate::rules::compile::Loading;
use crate::rules::refuse::{Refusal, refuse};
use crate::rules::ruleset::{Check, Rule};
use crate::rules::text::nearest;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The files, as the configuration names them. Without a categories file the rules wait.
#[derive(Clone, Debug, Default)]
pub struct Files {
    pub categories: Option<PathBuf>,
    pub lists: Vec<PathBuf>,
}

type All = BTreeMap<Box<str>, Arc<Scores>>;

fn tests(rule: &mut Rule) -> impl Iterator<Item = &mut ReputationTest> {
    rule.checks.iter_mut().filter_map(|check| match check {
        Check::Reputation(test) => Some(&mut **test),
        _ => None,
    })
}

/// Rules whose category is not there, or whose files cannot be read, are refused. Nothing is read where no rule asks.
pub fn attach(loading: &mut Loading, files: &Files, open: impl FnMut(&Path) -> io::Result<Vec<u8>>) {
    let Some(categories) = &files.categories else { return };
    if !loading.rules.rules.iter_mut().any(|rule| tests(rule).next().is_some()) {
        return;
    }
    let all = read(categories, &files.lists, open);
    let mut refused = Vec::new();
    for (at, rule) in loading.rules.rules.iter_mut().enumerate() {
        for test in tests(rule) {
            match scores(&all, &test.category) {
                Ok(scores) => test.scores = Some(scores),
                Err((why, help)) => {
                    refused.push(Refusal { at, keyword: "iprep", word: test.category.clone(), why, help });
                }
            }
        }
    }
    refuse(loading, &refused);
}

fn scores(all: &Result<All, String>, category: &str) -> Result<Arc<Scores>, (String, Option<String>)> {
    let all = all.as_ref().map_err(|why| (why.clone(), None))?;
    all.get(category).cloned().ok_or_else(|| {
        let near = nearest(category, all.keys().map(|name| &**name));
        let help = near.map(|near| format!("did you mean `{near}`?"));
        (format!("no category of reputation.categories is called `{category}`"), help)
    })
}

fn read(
    categories: &Path,
    lists: &[PathBuf],
    mut open: impl FnMut(&Path) -> io::Result<Vec<u8>>,
) -> Result<All, String> {
    let mut text = |path: &Path| {
        let bytes = open(path).map_err(|why| format!("cannot read {}: {why}", path.display()))?;
        String::from_utf8(bytes).map_err(|_| format!("{} is no text", path.display()))
    };
    let bad = |path: &Path, bad: file::BadLine| format!("{}, {bad}", path.display());
    let known = file::read_categories(&text(categories)?).map_err(|line| bad(categories, line))?;
    let mut all = Lists::default();
    for path in lists {
        all.read(&text(path)?, &known).map_err(|line| bad(path, line))?;
    }
    Ok(all.finish(&known))
}
