//! Rule files, found and compiled as the configuration says.

use crate::mgmt::config::Config;
use crate::mgmt::rule_inputs::Inputs;
use crate::rules::lists::{Kind, Overrule, Touched};
use crate::rules::source::read_bounded;
use crate::rules::{Diagnostic, Disabled, Loading, Origin, RuleSet, Why, dataset, geo, reputation, sum_list};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Longest list that a rule names (sums, a dataset, reputation, countries), bytes.
const MAX_DATA_BYTES: u64 = 1 << 32;

/// Why there is nothing to compile.
#[derive(Debug, thiserror::Error)]
pub enum RuleFileError {
    #[error("no rule file matches {pattern}; correct it in rules.files, or on the command line")]
    NoMatch { pattern: String },
    #[error(
        "{pattern} is no pattern of file names: {reason}; correct it in rules.files, or on the command line"
    )]
    BadPattern { pattern: String, reason: String },
    #[error("no file of {folder} ends in .rules; name a folder that has such files, or the files themselves")]
    EmptyFolder { folder: PathBuf },
    #[error("{path} is a folder, and a list is one file: name the file in it{}", in_key(key))]
    Folder { path: PathBuf, key: Option<&'static str> },
    /// `key`: of the configuration that names it.
    #[error("cannot read {path}: {error}; correct its name{}, or its permissions", in_key(key))]
    Unreadable { path: PathBuf, error: std::io::Error, key: Option<&'static str> },
    #[error("{path} is a compiled rule set, and text is wanted here: name it with --load")]
    Compiled { path: PathBuf },
    #[error("{path} is {what}, which would be lost: name another file")]
    Precious { path: PathBuf, what: &'static str },
    #[error("cannot write {path}: {error}; give another file, or correct its folder's permissions")]
    Unwritable { path: PathBuf, error: std::io::Error },
    #[error(
        "{path} cannot be used: {reason}; compile the rules anew with `weir rules compile`, or name the rule files"
    )]
    Saved { path: PathBuf, reason: String },
    #[error(
        "{path} holds its rules as they were compiled, and lists and thresholds are applied before that: give them to `weir rules compile`"
    )]
    Finished { path: PathBuf },
}

fn in_key(key: &Option<&'static str>) -> String {
    key.map(|key| format!(" in {key}")).unwrap_or_default()
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
    /// The saved set that all this was taken from.
    pub saved: Option<PathBuf>,
    /// What is to be said of saved sets: one that was not used and why, one that could not be written.
    pub notes: Vec<Note>,
}

/// What is to be said of a saved set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub text: String,
    /// It is what a change of the rules brings about, and no fault.
    pub expected: bool,
}

impl Loaded {
    /// With the files that rules name, as they are now: lists of sums, datasets, reputation, countries.
    pub fn new(mut loading: Loading, beside: &Beside) -> Loaded {
        let open = |path: &Path| read_bounded(path, MAX_DATA_BYTES);
        sum_list::attach(&mut loading, open);
        dataset::attach::attach(&mut loading, &beside.datasets, &beside.kept, open);
        reputation::attach::attach(&mut loading, &beside.reputation, open);
        geo::attach::attach(&mut loading, beside.countries.as_deref(), open);
        let Loading { rules, diagnostics, disabled, touched } = loading;
        Loaded { rules, diagnostics, disabled, touched, saved: None, notes: Vec::new() }
    }

    /// Tells the log where the rules came from, as far as saved sets go.
    pub fn log_saved(&self) {
        if let Some(path) = &self.saved {
            tracing::info!("the rules are those of the saved set {}", path.display());
        }
        for note in &self.notes {
            match note.expected {
                true => tracing::info!("{}", note.text),
                false => tracing::warn!("{}", note.text),
            }
        }
    }

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
    /// A compiled set, used if it is of these files; without rule files as it is.
    pub saved: Option<PathBuf>,
    /// Rules, by gid and sid, that go by what an operator said.
    pub overruled: Vec<((u32, u32), Overrule)>,
    /// Datasets of the rules in force, with which those to come go on.
    pub datasets: Vec<Arc<dataset::Set>>,
}

/// What rules find beside their text.
#[derive(Debug, Default)]
pub struct Beside {
    datasets: dataset::Settings,
    kept: Vec<Arc<dataset::Set>>,
    reputation: reputation::attach::Files,
    /// A database.
    countries: Option<PathBuf>,
}

impl Beside {
    pub fn find(config: &Config, base: &Path, selection: &Selection) -> Beside {
        Beside {
            datasets: config.datasets.settings(&config.named_datasets, base),
            kept: selection.datasets.clone(),
            reputation: config.reputation.files(base),
            countries: config.geoip.path(base),
        }
    }
}

/// Reads and compiles text. `base` is where relative paths of the configuration start; those of the command line start at the
/// current folder.
pub fn load(config: &Config, base: &Path, selection: &Selection) -> Result<Loaded, RuleFileError> {
    let (loading, _) = Inputs::find(config, base, selection)?.compile()?;
    Ok(Loaded::new(loading, &Beside::find(config, base, selection)))
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
        assert!(fault.to_string().contains("*.rule; correct it in rules.files"), "{fault}");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_with_the_key_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let none = || Config::defaults(Profile::Inline);
        let told = |config: &Config| load(config, dir.path(), &Selection::default()).unwrap_err().to_string();
        let (mut files, mut classes, mut drop) = (none(), none(), none());
        files.rules.files = vec!["none.rules".into()];
        classes.rules.classification = "none.config".into();
        drop.rules.drop = vec!["/".into()];
        assert!(
            told(&files).ends_with("correct its name in rules.files, or its permissions"),
            "{}",
            told(&files)
        );
        assert!(
            told(&classes).contains("/none.config: ") && told(&classes).contains(" in rules.classification,")
        );
        assert!(told(&drop).ends_with("name the file in it in rules.drop"), "{}", told(&drop));
        let only = vec![dir.path().join("none.rules")];
        let given = load(&none(), dir.path(), &Selection { only, ..Selection::default() }).unwrap_err();
        assert!(given.to_string().ends_with("; correct its name, or its permissions"), "{given}");
    }

    #[test]
    fn wildcards_on_the_command_line_are_files_or_an_error_that_names_them() {
        let dir = tempfile::tempdir().unwrap();
        for (name, sid) in [("a.rules", 1), ("b.rules", 2), ("c[1].rules", 3)] {
            let rule = format!("alert tcp any any -> any any (msg:\"x\"; sid:{sid};)\n");
            std::fs::write(dir.path().join(name), rule).unwrap();
        }
        std::fs::create_dir(dir.path().join("d.rules")).unwrap();
        let config = Config::defaults(Profile::Inline);
        let load = |pattern: &str| {
            let only = vec![dir.path().join(pattern)];
            load(&config, dir.path(), &Selection { only, ..Selection::default() })
        };
        assert_eq!(load("*.rules").unwrap().rules.rules.len(), 3, "folders are no files");
        assert_eq!(load("[ab].rules").unwrap().rules.rules.len(), 2);
        assert_eq!(load("c[1].rules").unwrap().rules.rules.len(), 1, "a file of that very name");
        let fault = load("*.rule").unwrap_err().to_string();
        assert!(fault.starts_with("no rule file matches ") && fault.contains("/*.rule;"), "{fault}");
        assert!(load("a**.rules").unwrap_err().to_string().contains("is no pattern"));
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
