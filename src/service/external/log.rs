//! Lines that a worker's plugin wants logged: copied into a bounded ring, so many a second, written out by management.

use crate::base::Time;
use std::time::Duration;

/// Bytes of a line that are kept.
pub const MAX_LINE: usize = 200;
/// Lines that wait for management, of one plugin on one worker.
const RING: usize = 64;
/// Lines a second of the worker's clock.
const RATE: u32 = 32;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
}

impl LogLevel {
    /// By the ABI's number; one that means nothing is told as information.
    pub(super) fn of(level: u32) -> LogLevel {
        match level {
            super::abi::LOG_ERROR => LogLevel::Error,
            super::abi::LOG_WARN => LogLevel::Warn,
            super::abi::LOG_DEBUG => LogLevel::Debug,
            _ => LogLevel::Info,
        }
    }
}

/// A line as management gets it.
#[derive(Copy, Clone, Debug)]
pub struct LogLine<'a> {
    pub level: LogLevel,
    pub text: &'a str,
}

struct Kept {
    level: LogLevel,
    length: u8,
    text: [u8; MAX_LINE],
}

/// The worker's end.
pub struct LogWriter {
    ring: rtrb::Producer<Kept>,
    second: Time,
    left: u32,
}

/// Management's end.
pub struct LogReader(rtrb::Consumer<Kept>);

pub fn line_ring() -> (LogWriter, LogReader) {
    let (ring, reader) = rtrb::RingBuffer::new(RING);
    (LogWriter { ring, second: Time::ZERO, left: RATE }, LogReader(reader))
}

impl LogWriter {
    /// False when the line was lost. `now` is `None` where the event has no clock.
    pub fn write(&mut self, level: u32, text: &[u8], now: Option<Time>) -> bool {
        if let Some(now) = now.filter(|&now| now >= self.second.plus(Duration::from_secs(1))) {
            (self.second, self.left) = (now, RATE);
        }
        let Some(left) = self.left.checked_sub(1) else { return false };
        let mut kept = Kept { level: LogLevel::of(level), length: 0, text: [0; MAX_LINE] };
        let length = text.len().min(MAX_LINE);
        if let (Some(to), Some(from)) = (kept.text.get_mut(..length), text.get(..length)) {
            to.copy_from_slice(from);
        }
        kept.length = length as u8;
        let written = self.ring.push(kept).is_ok();
        if written {
            self.left = left;
        }
        written
    }
}

impl LogReader {
    /// Gives all lines out; false when none will come any more.
    pub fn drain(&mut self, to: &mut dyn FnMut(LogLine<'_>)) -> bool {
        let last = self.0.is_abandoned();
        while let Ok(kept) = self.0.pop() {
            let bytes = kept.text.get(..usize::from(kept.length)).unwrap_or_default();
            to(LogLine { level: kept.level, text: &String::from_utf8_lossy(bytes) });
        }
        !last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_lines_a_second_and_long_ones_are_cut() {
        let (mut writer, mut reader) = line_ring();
        let at = Time::from_secs;
        assert!((0..RATE).all(|_| writer.write(super::super::abi::LOG_WARN, &[b'x'; 999], Some(at(5)))));
        assert!(!writer.write(0, b"one too many", Some(at(5))));
        assert!(writer.write(0, b"the next second", Some(at(6))));
        let mut lines = Vec::new();
        assert!(reader.drain(&mut |line| lines.push((line.level, line.text.to_owned()))));
        assert_eq!(lines.len() as u32, RATE + 1);
        assert_eq!((lines[0].0, lines[0].1.len()), (LogLevel::Warn, MAX_LINE));
        drop(writer);
        assert!(!reader.drain(&mut |_| {}));
    }
}
