//! Rule files, found and compiled as the configuration says.

use crate::mgmt::config::Config;
use crate::rules::{Classifications, Diagnostic, References, RuleSet, SourceFile, Vars};
use std::path::{Path, PathBuf};

/// Why there is nothing to compile.
#[derive(Debug, thiserror::Error)]
pub enum RuleFileError {
    #[error("no rule file matches {pattern}; correct rules.files, or give files with -S or -s")]
    NoMatch { pattern: String },
    #[error("{pattern} is no pattern of file names: {reason}; correct rules.files")]
    BadPattern { pattern: String, reason: String },
    #[error("cannot read {path}: {error}; correct its name, or its permissions")]
    Unreadable { path: PathBuf, error: std::io::Error },
}

/// What loading came to.
#[derive(Debug)]
pub struct Loaded {
    pub rules: RuleSet,
    pub diagnostics: Vec<Diagnostic>,
}

impl Loaded {
    /// Rules left out.
    pub fn refused(&self) -> usize {
        self.faults().count()
    }

    /// Why each of them was.
    pub fn faults(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|d| d.is_fault())
    }
}

/// Which files: those of the configuration, and `-s`; or only those of `-S`.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    pub only: Vec<PathBuf>,
    pub also: Vec<PathBuf>,
}

/// Reads and compiles. `base` is where relative paths of the configuration start; those of the command line start at the
/// current folder.
pub fn load(config: &Config, base: &Path, selection: &Selection) -> Result<Loaded, RuleFileError> {
    let mut paths = Vec::new();
    if selection.only.is_empty() {
        for pattern in &config.rules.files {
            paths.extend(expand(&base.join(pattern))?);
        }
        paths.extend(selection.also.iter().cloned());
    } else {
        paths.extend(selection.only.iter().cloned());
    }
    let files = paths.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    let mut diagnostics = Vec::new();
    let beside = |path: &Path| (!path.as_os_str().is_empty()).then(|| read(&base.join(path))).transpose();
    let mut classes = Classifications::default();
    if let Some(file) = beside(&config.rules.classification)? {
        let (read, faults) = Classifications::parse(&file);
        (classes, diagnostics) = (read, faults);
    }
    let mut references = References::default();
    if let Some(file) = beside(&config.rules.reference)? {
        let (read, faults) = References::parse(&file);
        references = read;
        diagnostics.extend(faults);
    }
    let vars = Vars { addresses: config.vars.address.clone(), ports: config.vars.port.clone() };
    let (rules, found) = crate::rules::load(&files, &vars, &classes, &references);
    diagnostics.extend(found);
    Ok(Loaded { rules, diagnostics })
}

fn read(path: &Path) -> Result<SourceFile, RuleFileError> {
    SourceFile::read(path).map_err(|error| RuleFileError::Unreadable { path: path.to_owned(), error })
}

/// The files a pattern stands for, sorted; a name without wildcards stands for itself.
fn expand(pattern: &Path) -> Result<Vec<PathBuf>, RuleFileError> {
    let text = pattern.to_string_lossy();
    if !text.contains(['*', '?', '[']) {
        return Ok(vec![pattern.to_owned()]);
    }
    let bad = |e: glob::PatternError| RuleFileError::BadPattern {
        pattern: text.to_string(),
        reason: e.to_string(),
    };
    let found: Vec<PathBuf> = glob::glob(&text).map_err(bad)?.flatten().collect();
    if found.is_empty() { Err(RuleFileError::NoMatch { pattern: text.to_string() }) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mgmt::Profile;

    #[test]
    fn wildcards_start_at_the_configurations_folder_and_no_match_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let rule = "alert tcp any any -> any any (msg:\"x\"; sid:1; rev:1;)\n";
        std::fs::write(dir.path().join("a.rules"), rule).unwrap();
        let mut config = Config::defaults(Profile::Inline);
        config.rules.files = vec!["*.rules".into()];
        let loaded = load(&config, dir.path(), &Selection::default()).unwrap();
        assert_eq!((loaded.rules.rules.len(), loaded.refused()), (1, 0));
        config.rules.files = vec!["*.rule".into()];
        let fault = load(&config, dir.path(), &Selection::default()).unwrap_err();
        assert!(fault.to_string().contains("*.rule; correct rules.files"), "{fault}");
    }

    #[test]
    fn files_given_alone_replace_those_of_the_configuration() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("b.rules");
        std::fs::write(&path, "alert udp any any -> any any (msg:\"y\"; sid:2;)\nalert bad\n").unwrap();
        let mut config = Config::defaults(Profile::Inline);
        config.rules.files = vec!["not-there.rules".into()];
        let selection = Selection { only: vec![path], ..Selection::default() };
        let loaded = load(&config, dir.path(), &selection).unwrap();
        assert_eq!((loaded.rules.rules.len(), loaded.refused()), (1, 1));
    }
}
