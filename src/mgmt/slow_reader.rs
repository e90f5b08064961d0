//! Lines for somebody who may not read them: a pipe, socket or terminal that is full is given a moment once, and nobody's
//! work waits for it after that.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::Write;
use std::os::fd::AsFd;
use std::time::Duration;

/// For a reader that is only slow. Once it was in vain there is no further wait until lines are taken again.
const PATIENCE: Duration = Duration::from_millis(100);

/// Bytes that a pipe takes at once if it has any room (`PIPE_BUF`).
const PART: usize = 4096;

/// What is known of the reader.
#[derive(Debug, Default)]
pub struct SlowReader {
    /// It took nothing in time.
    stuck: bool,
    /// It has the beginning of a line whose rest is lost.
    cut: bool,
}

impl SlowReader {
    pub const fn new() -> SlowReader {
        SlowReader { stuck: false, cut: false }
    }

    /// Gives it a line with its end; false is one that is lost.
    pub fn take(&mut self, to: &mut (impl Write + AsFd), line: &[u8]) -> bool {
        let end: &[u8] = if self.cut { b"\n" } else { b"" };
        for part in std::iter::once(end).chain(line.chunks(PART)).filter(|part| !part.is_empty()) {
            let patience = if self.stuck { Duration::ZERO } else { PATIENCE };
            if !has_room(to, patience) || to.write_all(part).is_err() {
                self.stuck = true;
                return false;
            }
            self.cut = !part.ends_with(b"\n");
        }
        self.stuck = false;
        true
    }
}

/// A reader that is gone counts as room: the attempt to write tells.
fn has_room(to: &impl AsFd, patience: Duration) -> bool {
    let patience = Timespec { tv_sec: 0, tv_nsec: patience.subsec_nanos().into() };
    let mut asked = [PollFd::new(to, PollFlags::OUT)];
    poll(&mut asked, Some(&patience)).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::time::Instant;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test is about how long it takes")]
    fn a_pipe_that_nobody_reads_costs_lines_and_one_wait_and_goes_on_with_whole_lines() {
        let (mut reads, mut writes) = std::io::pipe().unwrap();
        let (mut reader, line) = (SlowReader::new(), [&[b'x'; 9_999][..], b"\n"].concat());
        let began = Instant::now();
        let taken = (0..100).filter(|_| reader.take(&mut writes, &line)).count();
        assert!(taken > 0 && taken < 10 && reader.stuck && reader.cut, "{taken}: {reader:?}");
        assert!(began.elapsed() < 50 * PATIENCE, "no wait for each of them");
        let mut some = vec![0; 40_000];
        reads.read_exact(&mut some).unwrap();
        assert!(reader.take(&mut writes, b"again\n") && !reader.stuck);
        drop(writes);
        let mut rest = String::new();
        reads.read_to_string(&mut rest).unwrap();
        assert!(rest.ends_with("x\nagain\n"), "{}", rest.len());
    }

    #[test]
    fn a_reader_that_is_gone_loses_lines_and_a_full_disk_too() {
        let (reads, mut writes) = std::io::pipe().unwrap();
        drop(reads);
        assert!(!SlowReader::new().take(&mut writes, b"x\n"));
        let mut full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        assert!(!SlowReader::new().take(&mut full, b"x\n"));
    }
}
