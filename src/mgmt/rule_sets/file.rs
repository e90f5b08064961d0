//! A saved set as a file: read only if it is one and its header is good, written so that at each moment a whole set stands
//! there or none, and never in place of something else.

use super::Unused;
use crate::mgmt::leftovers;
use crate::rules::saved;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Names tried for the file that is renamed at last: another process may have this one's number in a namespace of its own.
const NAMES: usize = 16;
/// No set takes as long to write: what is older was left by a process that was killed.
const ABANDONED: Duration = Duration::from_secs(600);
/// Writable by the group, by all.
const OPEN: u32 = 0o022;

/// The whole file, if its header is that of a set of this build.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Unused> {
    // Before it is opened: a pipe would be waited for.
    let meta = fs::metadata(path)?;
    if !meta.is_file() {
        return Err(Unused::NoFile);
    }
    let mut file = File::open(path)?;
    let mut bytes = Vec::new();
    (&mut file).take(saved::HEADER as u64).read_to_end(&mut bytes)?;
    saved::read(&bytes)?.fits(meta.len())?;
    let length = usize::try_from(meta.len()).unwrap_or(usize::MAX);
    bytes.try_reserve_exact(length.saturating_sub(bytes.len())).map_err(io::Error::from)?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// As [`read`], if nobody but this user and root may have written it: a set that weir finds by itself nobody has vouched for.
pub(super) fn read_own(path: &Path) -> Result<Vec<u8>, Unused> {
    let meta = fs::metadata(path)?;
    trusted(&meta, fs::metadata("/proc/self")?.uid())?;
    read(path)
}

fn trusted(meta: &Metadata, me: u32) -> Result<(), Unused> {
    if meta.uid() != me && meta.uid() != 0 {
        return Err(Unused::Owner(meta.uid()));
    }
    if meta.is_file() && meta.mode() & OPEN != 0 {
        return Err(Unused::Open(meta.mode() & 0o7777));
    }
    Ok(())
}

/// What stands there that is neither a saved set nor empty, if anything.
pub(super) fn precious(path: &Path) -> Option<&'static str> {
    let meta = fs::metadata(path).ok()?;
    if meta.is_dir() {
        return Some("a folder");
    }
    if !meta.is_file() {
        return Some("no file to be replaced");
    }
    let mut begin = Vec::new();
    let read = File::open(path).and_then(|file| file.take(saved::HEADER as u64).read_to_end(&mut begin));
    let replaceable = read.is_ok() && (begin.is_empty() || saved::is_saved(&begin));
    (!replaceable).then_some("a file, but no compiled rule set")
}

/// Writes beside and renames. Rule texts may be licensed: for the owner's eyes only. A link stays, and what it leads to is
/// replaced.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let (beside, mut file) = create_beside(path)?;
    let written =
        file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // It may not be there.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// A file that was not there. What processes that were killed have left beside it goes.
fn create_beside(path: &Path) -> io::Result<(PathBuf, File)> {
    let name = |number: usize| path.with_extension(format!("{}-{number}.new", std::process::id()));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    leftovers::remove(folder, |other| writer(path, other));
    for number in 0..NAMES {
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(name(number)) {
            Ok(file) => {
                let now = file.metadata()?.modified()?;
                (0..number).map(name).filter(|other| is_abandoned(other, now)).for_each(|other| {
                    // It may be gone, or another's to remove.
                    let _ = fs::remove_file(other);
                });
                return Ok((name(number), file));
            }
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Err(_) => {}
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// The process that wrote a file of that name beside a set.
fn writer(path: &Path, name: &str) -> Option<u32> {
    let number = name.strip_prefix(path.file_stem()?.to_str()?)?.strip_prefix('.')?.strip_suffix(".new")?;
    number.split_once('-')?.0.parse().ok()
}

fn is_abandoned(path: &Path, now: SystemTime) -> bool {
    let written = fs::symlink_metadata(path).and_then(|meta| meta.modified());
    written.is_ok_and(|at| now.duration_since(at).is_ok_and(|age| age > ABANDONED))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn only_sets_and_empty_files_are_replaced() {
        let dir = folder();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("a.rules"), "alert tcp any any -> any any (sid:1;)").unwrap();
        fs::write(at("empty"), "").unwrap();
        fs::write(at("old.set"), saved::seal(saved::Fingerprint([0; 16]), b"")).unwrap();
        symlink(at("a.rules"), at("link")).unwrap();
        let cases = [
            ("a.rules", Some("a file, but no compiled rule set")),
            ("link", Some("a file, but no compiled rule set")),
            (".", Some("a folder")),
            ("empty", None),
            ("old.set", None),
            ("nothing", None),
        ];
        for (name, expected) in cases {
            assert_eq!(precious(&at(name)), expected, "{name}");
        }
        assert_eq!(precious(Path::new("/dev/null")), Some("no file to be replaced"));
    }

    #[test]
    fn what_is_no_file_is_neither_waited_for_nor_read_without_end() {
        let dir = folder();
        let socket = dir.path().join("socket");
        let _bound = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        for path in [Path::new("/dev/zero"), dir.path(), &socket] {
            assert!(matches!(read(path), Err(Unused::NoFile)), "{}", path.display());
        }
        // Holes take no room.
        let long = |begin: &[u8]| {
            let path = dir.path().join("long");
            fs::write(&path, begin).unwrap();
            OpenOptions::new().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
            read(&path).unwrap_err().to_string()
        };
        assert_eq!(long(b"alert"), "it is no saved rule set");
        let behind = (1u64 << 40) - saved::HEADER as u64;
        let expected = format!("it goes on {behind} bytes behind its end");
        assert_eq!(long(&saved::seal(saved::Fingerprint([0; 16]), b"")), expected);
    }

    #[test]
    fn a_set_that_others_could_have_written_is_not_taken_from_the_cache() {
        let dir = folder();
        let path = dir.path().join("set");
        fs::write(&path, saved::seal(saved::Fingerprint([0; 16]), b"")).unwrap();
        let mode = |mode| {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            read_own(&path).map(|bytes| bytes.len()).map_err(|why| why.to_string())
        };
        assert_eq!(mode(0o644), Ok(saved::HEADER));
        for open in [0o662, 0o660, 0o602] {
            assert!(mode(open).unwrap_err().starts_with("others may write to it (mode 6"), "{open:o}");
        }
        assert!(mode(0o600).is_ok());
        let meta = fs::metadata(&path).unwrap();
        let other = trusted(&meta, meta.uid() + 1);
        assert!(other.is_err() || meta.uid() == 0, "root's is good for all");
    }

    #[test]
    fn a_link_stays_and_what_it_leads_to_is_replaced() {
        let dir = folder();
        let (link, target) = (dir.path().join("link"), dir.path().join("target"));
        fs::write(&target, "old").unwrap();
        symlink(&target, &link).unwrap();
        write(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&target).unwrap(), b"new");
        assert_eq!(fs::metadata(&target).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is left beside it");
    }

    /// Somebody waits for weir in the cache's folder with a link under the name that it would write to.
    #[test]
    fn what_lies_in_wait_beside_a_set_is_not_written_to() {
        let dir = folder();
        let (victim, path) = (dir.path().join("victim"), dir.path().join("set"));
        fs::write(&victim, "mine").unwrap();
        let beside = |n: usize| path.with_extension(format!("{}-{n}.new", std::process::id()));
        symlink(&victim, beside(0)).unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(
            (fs::read(&victim).unwrap(), fs::read(&path).unwrap()),
            (b"mine".to_vec(), b"new".to_vec())
        );
        (1..NAMES).for_each(|n| fs::write(beside(n), "another's").unwrap());
        assert_eq!(write(&path, b"newer").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        // A file is removed if it is old, the others may be in use.
        File::options().write(true).open(beside(3)).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        fs::remove_file(beside(5)).unwrap();
        write(&path, b"newest").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"newest");
        assert!(!beside(3).exists() && beside(4).exists() && !beside(5).exists());
    }

    #[test]
    fn what_killed_processes_left_beside_a_set_goes_with_the_next() {
        let dir = folder();
        let path = dir.path().join("compiled.weirset");
        let left = |name: String| dir.path().join(name);
        let gone = u32::MAX;
        for name in [format!("compiled.{gone}-0.new"), format!("other.{gone}-0.new")] {
            fs::write(left(name.clone()), "half a set").unwrap();
            leftovers::age(&left(name));
        }
        write(&path, b"set").unwrap();
        let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "{names:?}");
        assert!(left(format!("other.{gone}-0.new")).exists());
    }

    #[test]
    fn many_that_write_the_same_set_at_once_leave_a_whole_one() {
        let dir = folder();
        let path = dir.path().join("set");
        let texts: Vec<Vec<u8>> = (0..8u8).map(|n| vec![n; 100_000]).collect();
        std::thread::scope(|scope| {
            for text in &texts {
                scope.spawn(|| write(&path, text).unwrap());
            }
        });
        assert!(texts.contains(&fs::read(&path).unwrap()));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
