//! When a file is set aside, under which name, and which old ones go.
//!
//! `eve.json` becomes `eve.json.20261129T100815Z` by the moment it was set aside (UTC), with `-1`, `-2` behind it where that
//! name is taken; so names sort by time, and the file being written keeps its own.

use crate::base::Time;
use crate::io::clock::wall;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Zero is never, and for `keep` all.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// Bytes that a file may have.
    pub size: u64,
    /// Files begin at multiples of it since 1970 (UTC).
    pub interval: Duration,
    /// Files set aside that stay.
    pub keep: u32,
}

impl Rotation {
    /// The number of the interval that a moment lies in.
    pub fn period(&self, at: Time) -> u64 {
        u128::from(wall(at).micros()).checked_div(self.interval.as_micros()).unwrap_or(0) as u64
    }
}

/// `20261129T100815Z`.
const STAMP: &str = "%Y%m%dT%H%M%SZ";

fn stamp(at: Time) -> String {
    let micros = i64::try_from(wall(at).micros()).unwrap_or(i64::MAX);
    let moment = jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::MAX);
    moment.strftime(STAMP).to_string()
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

/// Gives the file another name, which no other has.
pub fn set_aside(path: &Path, now: Time) -> io::Result<PathBuf> {
    let stamp = stamp(now);
    let names = std::iter::once(stamp.clone()).chain((1u32..).map(|n| format!("{stamp}-{n}")));
    for name in names {
        let aside = with_suffix(path, &name);
        match std::fs::symlink_metadata(&aside) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return std::fs::rename(path, &aside).map(|()| aside);
            }
            Err(error) => return Err(error),
            Ok(_) => {}
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Deletes the oldest files set aside, all but `keep`; files with other names are not ours.
pub fn forget_oldest(path: &Path, keep: u32) -> io::Result<()> {
    let mut aside = Vec::new();
    for entry in std::fs::read_dir(folder(path))? {
        let found = entry?.path();
        aside.extend(age(path, &found).map(|age| (age, found)));
    }
    aside.sort();
    let too_many = aside.len().saturating_sub(keep as usize);
    aside.iter().take(too_many).try_for_each(|(_, old)| std::fs::remove_file(old))
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Stamp and number of a file that `set_aside` named.
fn age(path: &Path, found: &Path) -> Option<(String, u32)> {
    let own = path.file_name()?.to_str()?;
    let rest = found.file_name()?.to_str()?.strip_prefix(own)?.strip_prefix('.')?;
    let (stamp, number) = rest.split_once('-').unwrap_or((rest, "0"));
    jiff::civil::DateTime::strptime(STAMP, stamp).ok()?;
    Some((stamp.to_owned(), number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(dir).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn names_tell_the_moment_and_none_is_taken_twice() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("eve.json");
        let now = Time::from_secs(1_795_225_173);
        for n in 0..3 {
            std::fs::write(&path, n.to_string()).unwrap();
            set_aside(&path, now).unwrap();
        }
        let stamp = "eve.json.20261121T013933Z";
        assert_eq!(names(dir.path()), [stamp.into(), format!("{stamp}-1"), format!("{stamp}-2")]);
        assert_eq!(std::fs::read_to_string(dir.path().join(format!("{stamp}-2"))).unwrap(), "2");
    }

    #[test]
    fn only_the_oldest_of_our_own_files_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("eve.json");
        let others = [
            "eve.json",
            "eve.json.1",
            "eve.json.gz",
            "eve.json.20261121T013933Z.gz",
            "fast.log.20261121T013933Z",
        ];
        let ours = ["20261121T013933Z", "20261121T013933Z-2", "20261121T013933Z-10", "20261121T013934Z"];
        others.iter().for_each(|name| std::fs::write(dir.path().join(name), "").unwrap());
        ours.iter().for_each(|stamp| std::fs::write(with_suffix(&path, stamp), "").unwrap());
        forget_oldest(&path, 2).unwrap();
        let left = names(dir.path());
        assert_eq!(left.len(), others.len() + 2, "{left:?}");
        for name in
            others.iter().copied().chain(["eve.json.20261121T013933Z-10", "eve.json.20261121T013934Z"])
        {
            assert!(left.iter().any(|l| l == name), "{name}: {left:?}");
        }
    }

    #[test]
    fn an_interval_of_zero_has_one_period() {
        let rotation = |secs| Rotation { interval: Duration::from_secs(secs), ..Rotation::default() };
        let at = |rotation: Rotation, secs| rotation.period(Time::from_secs(secs));
        assert_eq!((at(rotation(0), 5), at(rotation(0), 50_000)), (0, 0));
        assert_eq!((at(rotation(3600), 3599), at(rotation(3600), 3600)), (0, 1));
    }
}
