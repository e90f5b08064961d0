//! Datasets as management has them: written when the appliance ends, counted.

use crate::mgmt::control::NamedCount;
use crate::mgmt::revisions::file::Prepared;
use crate::rules::RuleSet;
use crate::rules::dataset::{Set, file};
use std::io;
use std::path::Path;

/// Writes every set that has a file and was changed. A file that cannot be written is named, and its set stays to be written.
pub fn save(rules: &RuleSet) -> Result<usize, Vec<String>> {
    let (mut written, mut faults) = (0, Vec::new());
    for (set, path) in rules.datasets.iter().filter_map(|set| Some((set, set.file()?))) {
        if !set.take_changed() {
            continue;
        }
        match write(set, path) {
            Ok(()) => written += 1,
            Err(why) => {
                set.note_changed();
                let (name, path) = (set.name(), path.display());
                faults.push(format!(
                    "cannot write the dataset {name} to {path}: {why}; correct datasets.folder, or its permissions"
                ));
            }
        }
    }
    if faults.is_empty() { Ok(written) } else { Err(faults) }
}

/// As [`save`], at the appliance's end: told to the log.
pub fn save_and_tell(rules: &RuleSet) {
    match save(rules) {
        Ok(0) => {}
        Ok(written) => tracing::info!("{written} datasets were written"),
        Err(faults) => faults.iter().for_each(|fault| tracing::warn!("{fault}")),
    }
}

/// Whole or not at all, with the permissions of the file that was there, else for its owner alone. Nothing that lies beside it is
/// written through.
fn write(set: &Set, path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    Prepared::write(path, file::write(set).as_bytes())?.keep()
}

/// Values of each set that rules change, and those it had no room for.
pub fn counters(rules: &RuleSet) -> Vec<NamedCount> {
    let changing = rules.datasets.iter().filter(|set| set.changes());
    let counts = |set: &Set| {
        let name = set.name();
        [
            NamedCount::new(format!("dataset.{name}.values"), set.len() as u64),
            NamedCount::new(format!("dataset.{name}.refused"), set.refused()),
        ]
    };
    changing.flat_map(|set| counts(set)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::dataset::Kind;
    use crate::rules::dataset::set::Size;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;

    fn rules(path: &Path) -> RuleSet {
        let set = Set::new("seen", Kind::Text, true, Some(path.to_owned()), Size::exact(2, 8));
        RuleSet { datasets: vec![Arc::new(set)], ..RuleSet::default() }
    }

    #[test]
    fn a_changed_set_is_written_once_and_a_fault_is_told_and_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sets/seen.lst");
        let rules = rules(&path);
        assert_eq!((save(&rules), path.exists()), (Ok(0), false));
        rules.datasets[0].add(b"a");
        std::fs::create_dir_all(&path).unwrap();
        let faults = save(&rules).unwrap_err();
        assert!(faults[0].starts_with("cannot write the dataset seen to"), "{faults:?}");
        std::fs::remove_dir(&path).unwrap();
        assert_eq!((save(&rules), save(&rules)), (Ok(1), Ok(0)));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "YQ==\n");
        assert_eq!(std::fs::read_dir(dir.path().join("sets")).unwrap().count(), 1, "nothing is left behind");
    }

    #[test]
    fn a_link_that_somebody_laid_beside_a_set_is_not_written_through_and_permissions_stay() {
        let dir = tempfile::tempdir().unwrap();
        let (path, victim) = (dir.path().join("seen.lst"), dir.path().join("victim"));
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        std::fs::write(&victim, "dear").unwrap();
        let own = format!(".seen.lst.{}.new", std::process::id());
        for beside in ["seen.lst.new", own.as_str()] {
            std::os::unix::fs::symlink(&victim, dir.path().join(beside)).unwrap();
        }
        let rules = rules(&path);
        rules.datasets[0].add(b"a");
        assert_eq!(save(&rules), Ok(1));
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "dear");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "YQ==\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn what_had_no_room_is_counted() {
        let rules = rules(Path::new("/nowhere"));
        (0..9u8).for_each(|n| _ = rules.datasets[0].add(&[n]));
        let counts: Vec<_> = counters(&rules).iter().map(|c| (c.name.to_string(), c.value)).collect();
        assert_eq!(counts, [("dataset.seen.values".to_owned(), 4), ("dataset.seen.refused".to_owned(), 5)]);
    }
}
