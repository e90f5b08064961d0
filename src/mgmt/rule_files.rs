//! Rule files, found and compiled as the configuration says.

use crate::mgmt::config::Config;
use crate::rules::lists::{Kind, Lists, Touched};
use crate::rules::{
    Classifications, Diagnostic, Disabled, Loading, Origin, References, RuleSet, SourceFile, Vars, Why,
    load_listed, threshold_config,
};
use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};

/// Why there is nothing to compile.
#[derive(Debug, thiserror::Error)]
pub enum RuleFileError {
    #[error("no rule file matches {pattern}; correct rules.files, or name other files")]
    NoMatch { pattern: String },
    #[error("{pattern} is no pattern of file names: {reason}; correct rules.files")]
    BadPattern { pattern: String, reason: String },
    #[error("no file of {folder} ends in .rules; name a folder that has such files, or the files themselves")]
    EmptyFolder { folder: PathBuf },
    #[error("{path} is a folder, and a list is one file: name the file in it")]
    Folder { path: PathBuf },
    #[error("cannot read {path}: {error}; correct its name, or its permissions")]
    Unreadable { path: PathBuf, error: std::io::Error },
}

/// What loading came to.
#[derive(Debug, Default)]
pub struct Loaded {
    pub rules: RuleSet,
    pub diagnostics: Vec<Diagnostic>,
    /// Rules of the files that are not in force.
    pub disabled: Vec<Disabled>,
    /// What each line of the lists came to.
    pub touched: Vec<Touched>,
}

impl Loaded {
    /// Rules that are commented out or that a list disables.
    pub fn switched_off(&self) -> usize {
        self.disabled.iter().filter(|rule| matches!(rule.why, Why::Commented | Why::List(_))).count()
    }

    /// Rules that require what this version has not.
    pub fn left_out(&self) -> usize {
        self.disabled.iter().filter(|rule| matches!(rule.why, Why::Requires(_))).count()
    }

    /// Rules and lines left out for their faults.
    pub fn refused(&self) -> Refused {
        let of = |origin| self.faults().filter(|fault| fault.origin == origin).count();
        Refused { rules: of(Origin::Rule), lines: of(Origin::List) }
    }

    /// Why each of them was.
    pub fn faults(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|d| d.is_fault())
    }
}

/// What was left out for its faults.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    pub rules: usize,
    /// Of disable.conf and its like, threshold.config, classification.config and reference.config.
    pub lines: usize,
}

impl Refused {
    pub fn any(self) -> bool {
        self != Refused::default()
    }

    /// Of rules, and of lines where there are any, for behind the number of those loaded.
    pub fn beside(self) -> String {
        let Refused { rules, lines } = self;
        if lines == 0 {
            format!("{rules} refused")
        } else {
            format!("{rules} refused, {lines} lines of lists refused")
        }
    }
}

/// Both, but what there is none of.
impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.rules, self.lines) {
            (rules, 0) => write!(f, "{rules} rules"),
            (0, lines) => write!(f, "{lines} lines of lists"),
            (rules, lines) => write!(f, "{rules} rules and {lines} lines of lists"),
        }
    }
}

/// Which files: those of the configuration, and `-s`; or only those of `-S`. Thresholds and lists are those of the
/// configuration and the ones given here.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    pub only: Vec<PathBuf>,
    pub also: Vec<PathBuf>,
    pub threshold: Vec<PathBuf>,
    pub lists: Vec<(Kind, PathBuf)>,
}

/// Reads and compiles. `base` is where relative paths of the configuration start; those of the command line start at the
/// current folder.
pub fn load(config: &Config, base: &Path, selection: &Selection) -> Result<Loaded, RuleFileError> {
    let mut paths = Vec::new();
    if selection.only.is_empty() {
        for pattern in &config.rules.files {
            paths.extend(expand(&base.join(pattern))?);
        }
        paths.extend(unfold(&selection.also)?);
    } else {
        paths.extend(unfold(&selection.only)?);
    }
    let files = read_once(&paths)?;
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
    let lists = lists(config, base, selection, &mut diagnostics)?;
    let mut loading = load_listed(&files, &vars, &classes, &references, lists);
    diagnostics.append(&mut loading.diagnostics);
    for path in config.rules.threshold.iter().map(|path| base.join(path)).chain(selection.threshold.clone()) {
        let (entries, faults) = threshold_config::parse(&read(&path)?, &vars);
        diagnostics.extend(faults);
        diagnostics.extend(threshold_config::apply(&mut loading.rules, &entries));
    }
    let Loading { rules, disabled, touched, .. } = loading;
    Ok(Loaded { rules, diagnostics, disabled, touched })
}

/// The lists of the configuration and of the command line.
fn lists(
    config: &Config,
    base: &Path,
    selection: &Selection,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<Lists, RuleFileError> {
    let mut lists = Lists::default();
    for kind in Kind::ALL {
        let configured = match kind {
            Kind::Disable => &config.rules.disable,
            Kind::Enable => &config.rules.enable,
            Kind::Drop => &config.rules.drop,
            Kind::Modify => &config.rules.modify,
        };
        let given = selection.lists.iter().filter(|(of, _)| *of == kind).map(|(_, path)| path.clone());
        for path in configured.iter().map(|path| base.join(path)).chain(given) {
            diagnostics.extend(lists.add(kind, &read(&path)?));
        }
    }
    Ok(lists)
}

/// Each file once, however many patterns name it: its rules would be duplicates of each other.
fn read_once(paths: &[PathBuf]) -> Result<Vec<SourceFile>, RuleFileError> {
    let mut seen = HashSet::new();
    let new =
        paths.iter().filter(|path| seen.insert(path.canonicalize().unwrap_or_else(|_| path.to_path_buf())));
    new.map(|path| read(path)).collect()
}

/// Folders become their `*.rules`.
fn unfold(paths: &[PathBuf]) -> Result<Vec<PathBuf>, RuleFileError> {
    let mut files = Vec::new();
    for path in paths {
        match path.is_dir() {
            true => files.extend(in_folder(path)?),
            false => files.push(path.clone()),
        }
    }
    Ok(files)
}

/// Its `*.rules`. Its name may hold what would be a wildcard in a pattern.
fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, RuleFileError> {
    let escaped = glob::Pattern::escape(&folder.to_string_lossy());
    expand(&Path::new(&escaped).join("*.rules")).map_err(|error| match error {
        RuleFileError::NoMatch { .. } => RuleFileError::EmptyFolder { folder: folder.to_owned() },
        other => other,
    })
}

fn read(path: &Path) -> Result<SourceFile, RuleFileError> {
    if path.is_dir() {
        return Err(RuleFileError::Folder { path: path.to_owned() });
    }
    SourceFile::read(path).map_err(|error| RuleFileError::Unreadable { path: path.to_owned(), error })
}

/// The files a pattern stands for, sorted; a name without wildcards stands for itself.
fn expand(pattern: &Path) -> Result<Vec<PathBuf>, RuleFileError> {
    let text = pattern.to_string_lossy();
    if !text.contains(['*', '?', '[']) {
        return if pattern.is_dir() { in_folder(pattern) } else { Ok(vec![pattern.to_owned()]) };
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
        assert_eq!((loaded.rules.rules.len(), loaded.refused().rules), (1, 0));
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
        assert_eq!((loaded.rules.rules.len(), loaded.refused().rules), (1, 1));
    }
}
