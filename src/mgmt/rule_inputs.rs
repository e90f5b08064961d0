//! All files that a rule set is made of, by their names: found as the configuration and the command line say, then read and
//! compiled, or only looked at to tell whether a saved set is of them.

use crate::base::parallel;
use crate::mgmt::config::Config;
use crate::mgmt::rule_files::{RuleFileError, Selection};
use crate::rules::lists::{Kind, Lists, Overrule};
use crate::rules::saved::{Digest, Fingerprint, Printer, is_saved};
use crate::rules::{Classifications, Loading, References, SourceFile, Vars, load_listed, threshold_config};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// What a file is for; its number goes into the fingerprint.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Role {
    Rules,
    Classification,
    Reference,
    List(Kind),
    Threshold,
}

impl Role {
    fn number(self) -> u64 {
        match self {
            Role::Rules => 0,
            Role::Classification => 1,
            Role::Reference => 2,
            Role::Threshold => 3,
            Role::List(kind) => 4 + kind as u64,
        }
    }

    /// Under which the configuration names such files.
    fn key(self) -> &'static str {
        match self {
            Role::Rules => "rules.files",
            Role::Classification => "rules.classification",
            Role::Reference => "rules.reference",
            Role::Threshold => "rules.threshold",
            Role::List(Kind::Disable) => "rules.disable",
            Role::List(Kind::Enable) => "rules.enable",
            Role::List(Kind::Drop) => "rules.drop",
            Role::List(Kind::Modify) => "rules.modify",
        }
    }
}

/// Every file, in the order in which it counts, and the variables.
pub struct Inputs {
    files: Vec<(Role, PathBuf)>,
    /// Those that the command line names.
    given: HashSet<PathBuf>,
    vars: Vars,
    overruled: Vec<((u32, u32), Overrule)>,
}

impl Inputs {
    pub fn find(config: &Config, base: &Path, selection: &Selection) -> Result<Inputs, RuleFileError> {
        let mut rules = Vec::new();
        let more = if selection.only.is_empty() {
            for pattern in &config.rules.files {
                rules.extend(expand(&base.join(pattern))?);
            }
            unfold(&selection.also)?
        } else {
            unfold(&selection.only)?
        };
        let lists = selection.lists.iter().map(|(_, path)| path);
        let given = more.iter().chain(lists).chain(&selection.threshold).cloned().collect();
        rules.extend(more);
        let mut files: Vec<(Role, PathBuf)> = once(rules).map(|path| (Role::Rules, path)).collect();
        let beside = [
            (Role::Classification, &config.rules.classification),
            (Role::Reference, &config.rules.reference),
        ];
        let beside = beside.into_iter().filter(|(_, path)| !path.as_os_str().is_empty());
        files.extend(beside.map(|(role, path)| (role, base.join(path))));
        for kind in Kind::ALL {
            let configured = match kind {
                Kind::Disable => &config.rules.disable,
                Kind::Enable => &config.rules.enable,
                Kind::Drop => &config.rules.drop,
                Kind::Modify => &config.rules.modify,
            };
            let given = selection.lists.iter().filter(|(of, _)| *of == kind).map(|(_, path)| path.clone());
            let all = configured.iter().map(|path| base.join(path)).chain(given);
            files.extend(all.map(|path| (Role::List(kind), path)));
        }
        let thresholds = config.rules.threshold.iter().map(|path| base.join(path));
        files.extend(thresholds.chain(selection.threshold.clone()).map(|path| (Role::Threshold, path)));
        let vars = Vars { addresses: config.vars.address.clone(), ports: config.vars.port.clone() };
        Ok(Inputs { files, given, vars, overruled: selection.overruled.clone() })
    }

    fn of(&self, role: Role) -> impl Iterator<Item = &Path> {
        self.files.iter().filter(move |(of, _)| *of == role).map(|(_, path)| path.as_path())
    }

    /// None of a file that the command line names.
    fn key(&self, role: Role, path: &Path) -> Option<&'static str> {
        (!self.given.contains(path)).then(|| role.key())
    }

    pub fn has_rules(&self) -> bool {
        self.of(Role::Rules).next().is_some()
    }

    /// Whether rules are changed by files of their own.
    pub fn has_lists(&self) -> bool {
        !self.overruled.is_empty()
            || self.files.iter().any(|(role, _)| matches!(role, Role::List(_) | Role::Threshold))
    }

    /// Of the files as they are now. Reads each once and keeps none.
    pub fn fingerprint(&self) -> Result<Fingerprint, RuleFileError> {
        let digests = parallel::map(&self.files, |(role, path)| {
            let key = self.key(*role, path);
            Digest::of_file(path).map_err(|error| RuleFileError::Unreadable {
                path: path.clone(),
                error,
                key,
            })
        });
        Ok(self.print(digests.into_iter().collect::<Result<_, _>>()?))
    }

    fn print(&self, digests: Vec<Digest>) -> Fingerprint {
        let mut printer = Printer::default();
        for ((role, path), digest) in self.files.iter().zip(digests) {
            // However a command names it, a file is the same.
            let path = path.canonicalize().unwrap_or_else(|_| path.clone());
            printer.number(role.number());
            printer.file(&path.to_string_lossy(), digest);
        }
        for names in [&self.vars.addresses, &self.vars.ports] {
            printer.number(names.len() as u64);
            for (name, value) in names {
                printer.text(name);
                printer.text(value);
            }
        }
        printer.finish()
    }

    /// Reads and compiles all. The fingerprint is that of what was read.
    pub fn compile(&self) -> Result<(Loading, Fingerprint), RuleFileError> {
        let mut files = self
            .files
            .iter()
            .map(|(role, path)| read(path, self.key(*role, path)))
            .collect::<Result<Vec<_>, _>>()?;
        let print = self.print(parallel::map(&files, |file| Digest::of(&file.bytes)));
        let roles = self.files.iter().map(|(role, _)| *role);
        // Rule files stand first.
        let others = files.split_off(roles.filter(|role| *role == Role::Rules).count());
        let others =
            self.files.iter().map(|(role, _)| *role).filter(|role| *role != Role::Rules).zip(&others);
        let (mut classes, mut references) = (Classifications::default(), References::default());
        let (mut lists, mut thresholds) = (Lists::default(), Vec::new());
        self.overruled.iter().for_each(|(id, what)| lists.overrule(*id, *what));
        let mut diagnostics = Vec::new();
        for (role, file) in others {
            match role {
                Role::Rules => {}
                Role::Classification => {
                    let (read, faults) = Classifications::parse(file);
                    classes = read;
                    diagnostics.extend(faults);
                }
                Role::Reference => {
                    let (read, faults) = References::parse(file);
                    references = read;
                    diagnostics.extend(faults);
                }
                Role::List(kind) => diagnostics.extend(lists.add(kind, file)),
                Role::Threshold => thresholds.push(file),
            }
        }
        let mut loading = load_listed(&files, &self.vars, &classes, &references, lists);
        diagnostics.append(&mut loading.diagnostics);
        for file in thresholds {
            let (entries, faults) = threshold_config::parse(file, &self.vars);
            diagnostics.extend(faults);
            diagnostics.extend(threshold_config::apply(&mut loading.rules, &entries));
        }
        loading.diagnostics = diagnostics;
        Ok((loading, print))
    }
}

/// Each file once, however many patterns name it: its rules would be duplicates of each other.
fn once(paths: Vec<PathBuf>) -> impl Iterator<Item = PathBuf> {
    let mut seen = HashSet::new();
    paths.into_iter().filter(move |path| seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())))
}

/// As [`expand`], of names given on the command line.
fn unfold(paths: &[PathBuf]) -> Result<Vec<PathBuf>, RuleFileError> {
    let mut files = Vec::new();
    for path in paths {
        files.extend(expand(path)?);
    }
    Ok(files)
}

/// Its `*.rules`. Its name may hold what would be a wildcard in a pattern.
fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, RuleFileError> {
    let escaped = glob::Pattern::escape(&folder.to_string_lossy());
    matching(&format!("{escaped}/*.rules")).map_err(|error| match error {
        RuleFileError::NoMatch { .. } => RuleFileError::EmptyFolder { folder: folder.to_owned() },
        other => other,
    })
}

fn read(path: &Path, key: Option<&'static str>) -> Result<SourceFile, RuleFileError> {
    if path.is_dir() {
        return Err(RuleFileError::Folder { path: path.to_owned(), key });
    }
    let unreadable = |error| RuleFileError::Unreadable { path: path.to_owned(), error, key };
    let file = SourceFile::read(path).map_err(unreadable)?;
    if is_saved(&file.bytes) { Err(RuleFileError::Compiled { path: path.to_owned() }) } else { Ok(file) }
}

/// The files a pattern stands for, sorted; a name without wildcards, or of something that is there, stands for itself, and
/// a folder for its `*.rules`.
fn expand(pattern: &Path) -> Result<Vec<PathBuf>, RuleFileError> {
    if pattern.is_dir() {
        return in_folder(pattern);
    }
    let text = pattern.to_string_lossy();
    if !text.contains(['*', '?', '[']) || pattern.exists() {
        return Ok(vec![pattern.to_owned()]);
    }
    matching(&text)
}

/// The pattern's files, without folders.
fn matching(pattern: &str) -> Result<Vec<PathBuf>, RuleFileError> {
    let pattern = || pattern.to_owned();
    let bad = |e: glob::PatternError| RuleFileError::BadPattern { pattern: pattern(), reason: e.to_string() };
    let mut found = Vec::new();
    for path in glob::glob(&pattern()).map_err(bad)? {
        let path = path.map_err(|e| RuleFileError::Unreadable {
            path: e.path().into(),
            error: e.into(),
            key: None,
        })?;
        if !path.is_dir() {
            found.push(path);
        }
    }
    if found.is_empty() { Err(RuleFileError::NoMatch { pattern: pattern() }) } else { Ok(found) }
}
