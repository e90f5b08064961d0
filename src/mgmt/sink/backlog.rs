//! Lines that wait for a sink: bounded, counted, and what is said about it.

use super::SinkCounts;
use crate::base::Time;
use std::fmt::Display;
use std::io;
use std::time::Duration;

/// Bytes at which a sink writes without waiting for the flush.
pub const FLUSH_AT: usize = 64 << 10;

/// Bytes that may wait while a sink takes nothing; further lines are lost.
pub const MOST_WAITING: usize = 4 << 20;

/// How long a sink must go on working before the log is told that it does: one that fails every other moment is one fault.
pub const SETTLED: Duration = Duration::from_secs(5);

/// Lines in the order they came, each with its end.
#[derive(Debug)]
pub struct Backlog {
    /// As the log names the sink.
    name: String,
    bytes: Vec<u8>,
    /// Bytes at the front that are gone.
    gone: usize,
    /// The line in front has been written in part.
    cut: bool,
    counts: SinkCounts,
    failing: bool,
    /// The log knows of a fault: lines lost by then.
    told: Option<u64>,
    /// Since when it works again, which the log does not know yet.
    well_since: Option<Time>,
    /// As the last turn told.
    now: Time,
}

impl Backlog {
    pub fn new(name: String) -> Backlog {
        let bytes = Vec::with_capacity(2 * FLUSH_AT);
        Backlog {
            name,
            bytes,
            gone: 0,
            cut: false,
            counts: SinkCounts::default(),
            failing: false,
            told: None,
            well_since: None,
            now: Time::ZERO,
        }
    }

    pub fn counts(&self) -> SinkCounts {
        self.counts
    }

    pub fn waiting(&self) -> &[u8] {
        self.bytes.get(self.gone..).unwrap_or_default()
    }

    /// Whether the sink is known not to work.
    pub fn is_failing(&self) -> bool {
        self.failing
    }

    /// Whether the rest of a line waits, which can only go where its beginning went.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Adds a line, or counts it as lost.
    pub fn push(&mut self, line: &[u8]) {
        self.counts.generated += 1;
        if self.waiting().len() + line.len() >= MOST_WAITING {
            self.counts.lost += 1;
            self.fails(&"what is written is not taken fast enough");
            return;
        }
        self.bytes.extend_from_slice(line);
        self.bytes.push(b'\n');
    }

    /// Has `write` take what waits until it is all gone or refused; then why.
    pub fn pour(&mut self, mut write: impl FnMut(&[u8]) -> io::Result<usize>) -> Result<(), io::Error> {
        while !self.waiting().is_empty() {
            match write(self.waiting()) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => self.exported(n),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// As [`pour`](Self::pour), a line a call and without its end. A line that is too long for a message is lost alone.
    pub fn pour_lines(&mut self, mut send: impl FnMut(&[u8]) -> io::Result<usize>) -> Result<(), io::Error> {
        while let Some(end) = memchr::memchr(b'\n', self.waiting()) {
            match send(self.waiting().get(..end).unwrap_or_default()) {
                Ok(_) => self.exported(end + 1),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => {
                    self.counts.lost += 1;
                    self.drop_front(end + 1);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// As [`pour`](Self::pour), each line without its end, which says where it ends by its head.
    pub fn pour_frames(
        &mut self,
        mut write: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> Result<(), io::Error> {
        while let Some(end) = memchr::memchr(b'\n', self.waiting()) {
            match write(self.waiting().get(..end).unwrap_or_default()) {
                Ok(0) if end > 0 => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) if n < end => self.exported(n),
                Ok(_) => self.exported(end + 1),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Bytes of the lines in front: as many as fit into `most`, or one that is longer.
    pub fn front(&self, most: usize) -> usize {
        let waiting = self.waiting();
        let fitting = waiting.get(..most.min(waiting.len())).and_then(|part| memchr::memrchr(b'\n', part));
        let end = fitting.or_else(|| memchr::memchr(b'\n', waiting));
        end.map_or(0, |end| end + 1)
    }

    /// The lines in so many bytes, without their ends.
    pub fn lines_in(&self, front: usize) -> impl Iterator<Item = &[u8]> {
        let lines = self.waiting().get(..front).unwrap_or_default();
        lines.split_inclusive(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\n").unwrap_or(line))
    }

    /// So many bytes in front are with the system.
    pub fn exported(&mut self, bytes: usize) {
        let bytes = bytes.min(self.waiting().len());
        let written = self.waiting().get(..bytes).unwrap_or_default();
        let (ended, last) = (lines(written), written.last().copied());
        self.counts.exported += ended;
        self.cut = last.is_some_and(|b| b != b'\n');
        self.drop_front(bytes);
    }

    /// The memory in front is used again once it is half of all, so that each byte is moved about once.
    fn drop_front(&mut self, bytes: usize) {
        self.gone = (self.gone + bytes).min(self.bytes.len());
        if self.gone == self.bytes.len() {
            self.bytes.clear();
            self.bytes.shrink_to(2 * FLUSH_AT);
            self.gone = 0;
        } else if self.gone >= self.bytes.len() / 2 {
            self.bytes.drain(..self.gone);
            self.gone = 0;
        }
    }

    /// Where the beginning of a cut line went is no more: its rest is lost.
    pub fn forget_cut(&mut self) {
        if !std::mem::take(&mut self.cut) {
            return;
        }
        if let Some(end) = memchr::memchr(b'\n', self.waiting()) {
            self.counts.lost += 1;
            self.drop_front(end + 1);
        }
    }

    /// Nothing more will be tried.
    pub fn lose_all(&mut self) {
        self.counts.lost += lines(self.waiting());
        self.cut = false;
        self.drop_front(self.waiting().len());
        if self.well_since.is_some() {
            self.tell_of_mending();
        }
    }

    /// What time it is.
    pub fn turn(&mut self, now: Time) {
        self.now = now;
        if self.well_since.is_some_and(|since| now.since(since) >= SETTLED) {
            self.tell_of_mending();
        }
    }

    pub fn fails(&mut self, why: &dyn Display) {
        self.failing = true;
        self.well_since = None;
        if self.told.is_none() {
            self.told = Some(self.counts.lost);
            tracing::error!(
                "cannot write {}: {why}; events wait in memory, then are lost and counted",
                self.name
            );
        }
    }

    /// Something was written, and nothing is left.
    pub fn works(&mut self) {
        self.failing = false;
        if self.told.is_some() && self.well_since.is_none() {
            self.well_since = Some(self.now);
        }
    }

    fn tell_of_mending(&mut self) {
        self.well_since = None;
        let Some(before) = self.told.take() else { return };
        let (name, lost) = (&self.name, self.counts.lost);
        tracing::info!(
            "{name} can be written again; {} lines were lost meanwhile, {lost} so far",
            lost - before
        );
    }
}

fn lines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn waiting(backlog: &Backlog) -> u64 {
        lines(backlog.waiting())
    }

    proptest! {
        /// Whatever amounts are taken, with or without changes of place, no line is counted twice or not at all, and what was
        /// exported is whole lines in order.
        #[test]
        fn every_line_is_exported_lost_or_waiting(
            steps in prop::collection::vec((0usize..40, 0usize..90, any::<bool>()), 1..60),
        ) {
            let mut backlog = Backlog::new("test".into());
            let (mut place, mut whole, mut sent) = (Vec::new(), Vec::new(), 0u32);
            for (length, most, lost_place) in steps {
                backlog.push(format!("{sent}:{}", "x".repeat(length)).as_bytes());
                sent += 1;
                let mut left = most;
                let _ = backlog.pour(|bytes| {
                    let taken = bytes.len().min(left).min(7);
                    left -= taken;
                    place.extend_from_slice(&bytes[..taken]);
                    if taken == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(taken) }
                });
                if lost_place {
                    backlog.forget_cut();
                    let end = place.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
                    whole.extend_from_slice(&place[..end]);
                    place.clear();
                }
                let counts = backlog.counts();
                prop_assert_eq!(counts.generated, u64::from(sent));
                prop_assert_eq!(counts.generated, counts.exported + counts.lost + waiting(&backlog));
            }
            backlog.pour(|bytes| { place.extend_from_slice(bytes); Ok(bytes.len()) }).unwrap();
            whole.extend_from_slice(&place);
            let text = String::from_utf8(whole).unwrap();
            prop_assert_eq!(text.lines().count() as u64, backlog.counts().exported);
            let numbers: Vec<u32> = text.lines().map(|l| l.split(':').next().unwrap().parse().unwrap()).collect();
            prop_assert!(numbers.is_sorted(), "{:?}", numbers);
        }
    }

    #[test]
    fn a_message_that_is_too_long_is_lost_alone() {
        let mut backlog = Backlog::new("test".into());
        ["a", "too long", "b"].iter().for_each(|line| backlog.push(line.as_bytes()));
        let mut sent = Vec::new();
        let poured = backlog.pour_lines(|line| {
            if line.len() > 1 {
                return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
            }
            sent.push(line.to_vec());
            Ok(line.len())
        });
        assert!(poured.is_ok());
        assert_eq!(sent, [b"a", b"b"]);
        assert_eq!(backlog.counts(), SinkCounts { generated: 3, exported: 2, lost: 1 });
    }

    #[test]
    fn what_waits_is_bounded_and_the_rest_is_lost() {
        let mut backlog = Backlog::new("test".into());
        let line = vec![b'x'; 1000];
        (0..2 * MOST_WAITING / 1000).for_each(|_| backlog.push(&line));
        assert!(backlog.waiting().len() <= MOST_WAITING);
        let counts = backlog.counts();
        assert_eq!(counts.generated, counts.lost + waiting(&backlog));
        assert!(counts.lost > 0 && backlog.is_failing());
        backlog.lose_all();
        assert_eq!(backlog.counts().lost, counts.generated);
    }
}
