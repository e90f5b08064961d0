//! Saved rule sets: used where they are of the very files that would be compiled, written for the next start.
//!
//! A saved set never decides what is in force. If it is not of these files, not of this build, cut, damaged or open to others,
//! that is said and the text is compiled. What is read and written, and when not, is for [`file`].

use crate::base::parallel;
use crate::inspect::Engine;
use crate::mgmt::config::Config;
use crate::mgmt::revisions::mend;
use crate::mgmt::rule_files::{Beside, Loaded, Note, RuleFileError, Selection};
use crate::mgmt::rule_inputs::Inputs;
use crate::rules::Loading;
use crate::rules::saved::{self, Fingerprint, Unreadable};
use std::io;
use std::path::{Path, PathBuf};

mod file;

/// Within `rules.cache`.
const FILE: &str = "compiled.weirset";

/// Whether a set that had to be compiled is written to `rules.cache`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    Yes,
    No,
}

/// Why a saved set is not used.
#[derive(Debug, thiserror::Error)]
enum Unused {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Unreadable(#[from] Unreadable),
    #[error("it is no file")]
    NoFile,
    #[error("user {0}, who is not the one weir runs as, owns it: remove it")]
    Owner(u32),
    #[error("others may write to it (mode {0:o}): remove it, or take that right away")]
    Open(u32),
    #[error("it is of other rule files, lists or variables, or of an earlier state of them")]
    Stale,
}

/// As [`rule_files::load`](crate::mgmt::rule_files::load), but of a saved set where there is one of these files: the one that is
/// named, else that of `rules.cache`.
pub fn load(
    config: &Config,
    base: &Path,
    selection: &Selection,
    keep: Keep,
) -> Result<Loaded, RuleFileError> {
    let inputs = Inputs::find(config, base, selection)?;
    let beside = Beside::find(config, base, selection);
    let mut notes = Vec::new();
    if !selection.overruled.is_empty() && inputs.has_rules() {
        // Of the text, and for now: no saved set has it, and none is to be kept of it.
        return Ok(Loaded::new(inputs.compile()?.0, &beside));
    }
    if let Some(path) = &selection.saved {
        if !inputs.has_rules() {
            return alone(path, &inputs, &beside);
        }
        match use_saved(|| file::read(path), &inputs)? {
            Ok(loading) => return Ok(taken(path, loading, &beside)),
            Err(why) => notes.push(unused(path, &why)),
        }
    }
    let cache = cache(config, base);
    if let Some(path) = cache.as_ref().filter(|path| path.exists()) {
        match use_saved(|| file::read_own(path), &inputs)? {
            Ok(loading) => return Ok(Loaded { notes, ..taken(path, loading, &beside) }),
            Err(why) => notes.push(unused(path, &why)),
        }
    }
    let (mut loading, fingerprint) = inputs.compile()?;
    if let Some(path) = cache.filter(|_| keep == Keep::Yes)
        && let Err(why) = seal(&mut loading, fingerprint).and_then(|set| file::write(&path, &set))
    {
        let text = format!(
            "cannot write the compiled rules to {}: {why}; {}",
            path.display(),
            mend(&why, "correct rules.cache, or its permissions")
        );
        notes.push(Note { text, expected: false });
    }
    Ok(Loaded { notes, ..Loaded::new(loading, &beside) })
}

/// Compiles text and writes the set to `path`, in place of an older one or of nothing.
pub fn compile(
    config: &Config,
    base: &Path,
    selection: &Selection,
    path: &Path,
) -> Result<Loaded, RuleFileError> {
    let inputs = Inputs::find(config, base, selection)?;
    if let Some(what) = file::precious(path) {
        return Err(RuleFileError::Precious { path: path.to_owned(), what });
    }
    let (mut loading, fingerprint) = inputs.compile()?;
    seal(&mut loading, fingerprint)
        .and_then(|set| file::write(path, &set))
        .map_err(|error| RuleFileError::Unwritable { path: path.to_owned(), error })?;
    Ok(Loaded::new(loading, &Beside::find(config, base, selection)))
}

/// What the next start would find in `rules.cache`.
#[derive(Debug, PartialEq, Eq)]
pub enum Cache {
    /// Nothing is kept.
    Off,
    Missing(PathBuf),
    Fits(PathBuf),
    /// With the reason.
    Unfit(PathBuf, String),
}

/// Looks at the header alone, and at the rule files as they are.
pub fn cached(config: &Config, base: &Path, selection: &Selection) -> Result<Cache, RuleFileError> {
    let Some(path) = cache(config, base) else { return Ok(Cache::Off) };
    if !path.exists() {
        return Ok(Cache::Missing(path));
    }
    let fingerprint = Inputs::find(config, base, selection)?.fingerprint()?;
    let fits =
        || -> Result<bool, Unused> { Ok(saved::read(&file::read_own(&path)?)?.fingerprint() == fingerprint) };
    let why = match fits() {
        Ok(true) => return Ok(Cache::Fits(path)),
        Ok(false) => Unused::Stale,
        Err(why) => why,
    };
    Ok(Cache::Unfit(path, why.to_string()))
}

fn cache(config: &Config, base: &Path) -> Option<PathBuf> {
    let folder = &config.rules.cache;
    (!folder.as_os_str().is_empty()).then(|| base.join(folder).join(FILE))
}

fn taken(path: &Path, loading: Loading, beside: &Beside) -> Loaded {
    Loaded { saved: Some(path.to_owned()), ..Loaded::new(loading, beside) }
}

fn unused(path: &Path, why: &Unused) -> Note {
    let path = path.display();
    let text =
        format!("the saved rule set {path} is not used: {why}; the rules are compiled from their text");
    Note { text, expected: matches!(why, Unused::Stale) }
}

/// The set, if it is of these files as they are now.
fn use_saved(
    read: impl FnOnce() -> Result<Vec<u8>, Unused>,
    inputs: &Inputs,
) -> Result<Result<Loading, Unused>, RuleFileError> {
    let (fingerprint, bytes) = parallel::beside(|| inputs.fingerprint(), read);
    let fingerprint = fingerprint?;
    let load = || {
        let bytes = bytes?;
        let saved = saved::read(&bytes)?;
        if saved.fingerprint() == fingerprint { Ok(saved.load()?) } else { Err(Unused::Stale) }
    };
    Ok(load())
}

/// A set for which no rule files are named.
fn alone(path: &Path, inputs: &Inputs, beside: &Beside) -> Result<Loaded, RuleFileError> {
    if inputs.has_lists() {
        return Err(RuleFileError::Finished { path: path.to_owned() });
    }
    let load = || -> Result<Loading, Unused> { Ok(saved::read(&file::read(path)?)?.load()?) };
    let bad = |why: Unused| RuleFileError::Saved { path: path.to_owned(), reason: why.to_string() };
    load().map(|loading| taken(path, loading, beside)).map_err(bad)
}

/// The file's bytes. What is saved beyond the rules stays in `loading`: the engine to be made is made sooner.
fn seal(loading: &mut Loading, fingerprint: Fingerprint) -> io::Result<Vec<u8>> {
    Engine::add_windows(&mut loading.rules).map_err(io::Error::other)?;
    saved::write(loading, fingerprint).map_err(io::Error::other)
}

#[cfg(test)]
mod tests;
