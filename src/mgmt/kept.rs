//! What operators changed of a running appliance beyond its configuration, for the next start when the watchdog brings one
//! about: rules that are overruled, modes of pairs, the pass list, and what was committed without being written to the file.
//!
//! It lies in a file without a name, in memory, which stays open over the start anew and needs no disk. Whoever crashes may do
//! so amid a write: there are two places, written in turn, and one counts only when it is whole.

use crate::io::process;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;

/// The file's name, where the kernel lists what is open.
const NAME: &str = "weir-kept";

/// Bytes of one of the two places, of which only those that are written take memory: two configurations of a MiB, of which each
/// byte may take two, and as much again for all else.
const PLACE: usize = 8 << 20;
/// Of its head: a mark, the number of the write, the length, and a sum of what follows.
const HEAD: usize = 32;
const MARK: u64 = u64::from_le_bytes(*b"weirkept");

/// A rule that an operator overruled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    pub gid: u32,
    pub sid: u32,
    pub action: String,
    pub who: String,
    /// Microseconds since 1970.
    pub since: u64,
    pub until: Option<u64>,
}

/// A pair whose mode is not the configuration's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mode {
    /// Names of its ports.
    pub ports: Vec<String>,
    pub mode: String,
    /// It goes back to that mode then.
    pub goes_back: Option<(String, u64)>,
}

/// A network on the pass list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pass {
    pub network: String,
    pub note: String,
    pub until: u64,
}

/// A configuration that was committed and is not what its file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    pub text: String,
    /// What the file said, as it was last read or written.
    pub in_file: String,
}

/// All that is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    pub rules: Vec<Rule>,
    pub modes: Vec<Mode>,
    pub passes: Vec<Pass>,
    /// Of a commit that waited for a confirmation: its revision, and who made it. The next start has taken it back.
    pub unconfirmed: Option<(u32, String)>,
    pub configuration: Option<Committed>,
}

/// Writes them.
pub struct Keeper {
    file: File,
    writes: u64,
    written: Changes,
}

impl Keeper {
    /// Of this process; from now on a start anew finds it.
    pub fn new() -> io::Result<Keeper> {
        let file = File::from(memory()?);
        process::keep_open(file.as_raw_fd());
        Ok(Keeper { file, writes: 0, written: Changes::default() })
    }

    /// Costs nothing where nothing has changed.
    pub fn keep(&mut self, changes: Changes) -> io::Result<()> {
        if changes == self.written {
            return Ok(());
        }
        let text = serde_json::to_vec(&changes)?;
        if text.len() > PLACE - HEAD {
            return Err(io::Error::other("there are too many changes"));
        }
        self.writes += 1;
        let place = (self.writes % 2) * PLACE as u64;
        let head = [MARK, self.writes, text.len() as u64, sum(self.writes, &text)];
        // What stood there is no more before something else is.
        self.file.write_all_at(&[0; HEAD], place)?;
        self.file.write_all_at(&text, place + HEAD as u64)?;
        self.file.write_all_at(&head.map(u64::to_le_bytes).concat(), place)?;
        self.written = changes;
        Ok(())
    }
}

fn memory() -> io::Result<OwnedFd> {
    Ok(rustix::fs::memfd_create(NAME, rustix::fs::MemfdFlags::CLOEXEC)?)
}

/// FNV-1a, which tells half a write from a whole one.
fn sum(seed: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325 ^ seed, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// What the process before this one has kept. None where there was none, or it kept nothing whole.
pub fn found() -> Option<Changes> {
    let open = std::fs::read_dir("/proc/self/fd").ok()?.flatten();
    let is_kept =
        |target: std::path::PathBuf| target.to_string_lossy().starts_with(&format!("/memfd:{NAME}"));
    let mut paths = open.map(|entry| entry.path());
    let path = paths.find(|path| std::fs::read_link(path).is_ok_and(is_kept))?;
    read(&File::open(&path).ok()?)
}

/// The newer of the two that is whole.
fn read(file: &File) -> Option<Changes> {
    let places = [0, PLACE as u64].into_iter().filter_map(|place| read_place(file, place));
    places.max_by_key(|(number, _)| *number).map(|(_, changes)| changes)
}

fn read_place(file: &File, place: u64) -> Option<(u64, Changes)> {
    let mut head = [0; HEAD];
    file.read_exact_at(&mut head, place).ok()?;
    let mut words = head.chunks_exact(8).map(|word| word.try_into().map_or(0, u64::from_le_bytes));
    let [mark, number, length, wanted] = [words.next()?, words.next()?, words.next()?, words.next()?];
    let length = usize::try_from(length).ok().filter(|length| mark == MARK && *length <= PLACE - HEAD)?;
    let mut text = vec![0; length];
    file.read_exact_at(&mut text, place + HEAD as u64).ok()?;
    let changes = (sum(number, &text) == wanted).then(|| serde_json::from_slice(&text).ok())??;
    Some((number, changes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(sid: u32) -> Changes {
        let (action, who) = ("drop".to_owned(), "root".to_owned());
        let rules = vec![Rule { gid: 1, sid, action, who, since: 1, until: Some(9_000_000) }];
        Changes { rules, ..Changes::default() }
    }

    #[test]
    fn the_last_whole_write_counts() {
        let mut keeper =
            Keeper { file: File::from(memory().unwrap()), writes: 0, written: Changes::default() };
        assert_eq!(read(&keeper.file), None);
        for sid in 1..=5 {
            keeper.keep(rule(sid)).unwrap();
            keeper.keep(rule(sid)).unwrap();
            assert_eq!(read(&keeper.file), Some(rule(sid)));
        }
        assert_eq!(keeper.writes, 5, "what has not changed is not written");
        // The fifth stands in the second place: a byte of it is wrong, then its head is gone.
        keeper.file.write_all_at(b"x", PLACE as u64 + HEAD as u64 + 3).unwrap();
        assert_eq!(read(&keeper.file), Some(rule(4)));
        keeper.file.write_all_at(&[0; HEAD], PLACE as u64).unwrap();
        assert_eq!(read(&keeper.file), Some(rule(4)));
    }
}
