//! An output: events made into lines by a [`Format`], which go to a [`Sink`].

use crate::base::Time;
use crate::base::event::Event;
use crate::mgmt::control::NamedCount;
use crate::mgmt::sink::{Line, Sink, SinkCounts};
use std::sync::Arc;
use std::time::Duration;

/// Makes lines. Each puts its line into `line`, which is empty, and returns the name of the event's type, or `None` where it
/// does not want the event.
pub trait Format: Send {
    /// `record`: what was noted of the event's transaction.
    fn event(&mut self, event: &Event, record: &[u8], line: &mut Vec<u8>) -> Option<&'static str>;

    /// Further lines of the same event, by number from 0 until there is none.
    fn further(&mut self, _: &Event, _nth: usize, _line: &mut Vec<u8>) -> Option<&'static str> {
        None
    }

    fn stats(&mut self, _: Time, _: u64, _: &[NamedCount], _line: &mut Vec<u8>) -> Option<&'static str> {
        None
    }
}

/// A format and where its lines go. Owned by the management thread.
pub struct Output {
    name: Arc<str>,
    format: Box<dyn Format>,
    sink: Box<dyn Sink>,
    flush_interval: Duration,
    flushed: Time,
    line: Vec<u8>,
}

impl Output {
    /// `name`: under which it is counted.
    pub fn new(name: &str, format: Box<dyn Format>, sink: Box<dyn Sink>, flush_interval: Duration) -> Output {
        let line = Vec::with_capacity(4096);
        Output { name: name.into(), format, sink, flush_interval, flushed: Time::ZERO, line }
    }

    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub fn counts(&self) -> SinkCounts {
        self.sink.counts()
    }

    /// Bytes of lines in memory.
    pub fn waiting(&self) -> usize {
        self.sink.waiting()
    }

    pub fn event(&mut self, event: &Event, record: &[u8]) {
        self.line.clear();
        if let Some(kind) = self.format.event(event, record, &mut self.line) {
            self.sink.write_line(&Line { text: &self.line, time: event.origin.time, kind });
        }
        for nth in 0.. {
            self.line.clear();
            let Some(kind) = self.format.further(event, nth, &mut self.line) else { break };
            self.sink.write_line(&Line { text: &self.line, time: event.origin.time, kind });
        }
    }

    pub fn stats(&mut self, now: Time, uptime_secs: u64, counters: &[NamedCount]) {
        self.line.clear();
        if let Some(kind) = self.format.stats(now, uptime_secs, counters, &mut self.line) {
            self.sink.write_line(&Line { text: &self.line, time: now, kind });
        }
    }

    /// Flushes when it is time.
    pub fn turn(&mut self, now: Time) {
        self.sink.turn(now);
        if now.since(self.flushed) >= self.flush_interval {
            self.flushed = now;
            self.sink.flush();
        }
    }

    pub fn reopen(&mut self) {
        self.sink.reopen();
    }

    pub fn finish(&mut self) -> SinkCounts {
        self.sink.finish()
    }
}

/// `output.NAME.generated`, `.exported` and `.lost`.
pub fn named(name: &str, counts: SinkCounts) -> [NamedCount; 3] {
    let SinkCounts { generated, exported, lost } = counts;
    [("generated", generated), ("exported", exported), ("lost", lost)]
        .map(|(what, count)| NamedCount::new(format!("output.{name}.{what}"), count))
}
