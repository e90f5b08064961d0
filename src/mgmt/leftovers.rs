//! Files that processes which were killed amid writing have left beside those that they were about to replace.

use std::fs;
use std::path::Path;
use std::time::Duration;

/// Nobody writes for so long. A process of another namespace, which is not seen from here, may be at what is younger.
const ABANDONED: Duration = Duration::from_secs(60);

/// Removes from a folder the files whose writer is no more. `writer`: the number of the process that wrote a file, by the file's
/// name; none for files of somebody else. Those of this process stay: it may be at them. What cannot be removed stays as well.
pub fn remove(folder: &Path, writer: impl Fn(&str) -> Option<u32>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let writer = entry.file_name().to_str().and_then(&writer);
        if writer.is_some_and(|process| !lives(process)) && is_abandoned(&entry) {
            // It is in nobody's way but the disk's.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Makes a file one that was left long ago.
#[cfg(test)]
pub fn age(path: &Path) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
}

fn is_abandoned(entry: &fs::DirEntry) -> bool {
    let written = entry.metadata().and_then(|file| file.modified());
    written.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > ABANDONED))
}

/// Another one may have its number by now: then the file stays for longer.
fn lives(process: u32) -> bool {
    process == std::process::id() || Path::new("/proc").join(process.to_string()).exists()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn files_of_processes_that_are_no_more_go_and_all_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        // Above the largest number that the kernel gives.
        let (me, gone) = (std::process::id(), u32::MAX);
        let young = format!("{}.new", gone - 1);
        let old = [format!("{me}.new"), "1.new".into(), "x.new".into(), "y".into(), format!("{gone}")];
        fs::write(folder.path().join(&young), "").unwrap();
        for name in old.iter().chain([&format!("{gone}.new")]) {
            fs::write(folder.path().join(name), "").unwrap();
            age(&folder.path().join(name));
        }
        let stays = old.into_iter().chain([young]);
        remove(folder.path(), |name| name.strip_suffix(".new")?.parse().ok());
        let left: BTreeSet<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(left, BTreeSet::from_iter(stays));
        remove(&folder.path().join("nowhere"), |_| Some(gone));
    }
}
