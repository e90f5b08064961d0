//! Events told to whoever asks by RPC: an output of its own for each, whose lines wait for the client.
//!
//! Owes: nobody is held up by a client. What it does not take in time is lost and counted, as with every sink:
//! `seen = taken + lost + waiting`.

use crate::base::Time;
use crate::mgmt::output::{Format, Output};
use crate::mgmt::sink::{Line, Sink, SinkCounts};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// Clients that listen at once: each costs the event log the making of its records.
pub const MOST_LISTENERS: usize = 8;

/// Bytes of lines that may wait for one of them.
pub const MOST_WAITING: usize = 4 << 20;

/// Lines of one client.
#[derive(Debug, Default)]
struct Shelf {
    lines: Mutex<Lines>,
    /// The client is gone.
    left: AtomicBool,
}

#[derive(Debug, Default)]
struct Lines {
    waiting: VecDeque<Vec<u8>>,
    bytes: usize,
    counts: SinkCounts,
}

impl Shelf {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a client's lines come out. The event log forgets it when this is dropped.
#[derive(Debug)]
pub struct Listener(Arc<Shelf>);

impl Listener {
    /// At most so many, oldest first.
    pub fn take(&self, most: usize) -> Vec<Vec<u8>> {
        let mut lines = self.0.lines();
        let most = most.min(lines.waiting.len());
        let taken: Vec<_> = lines.waiting.drain(..most).collect();
        lines.bytes -= taken.iter().map(Vec::len).sum::<usize>();
        lines.counts.exported += taken.len() as u64;
        taken
    }

    /// Events of the types asked for so far, those taken, and those for which there was no room.
    pub fn counts(&self) -> SinkCounts {
        self.0.lines().counts
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.left.store(true, Ordering::Relaxed);
    }
}

struct ToShelf(Arc<Shelf>);

impl Sink for ToShelf {
    fn write_line(&mut self, line: &Line<'_>) {
        let mut lines = self.0.lines();
        lines.counts.generated += 1;
        if lines.bytes + line.text.len() > MOST_WAITING {
            lines.counts.lost += 1;
            return;
        }
        lines.bytes += line.text.len();
        lines.waiting.push_back(line.text.to_vec());
    }

    fn turn(&mut self, _: Time) {}

    fn flush(&mut self) {}

    fn reopen(&mut self) {}

    fn counts(&self) -> SinkCounts {
        self.0.lines().counts
    }

    fn waiting(&self) -> usize {
        self.0.lines().bytes
    }

    fn finish(&mut self) -> SinkCounts {
        self.counts()
    }
}

/// The event log's end of a client.
pub struct Told {
    pub output: Output,
    shelf: Arc<Shelf>,
}

impl Told {
    pub fn has_left(&self) -> bool {
        self.shelf.left.load(Ordering::Relaxed)
    }
}

/// Who listens, and who is to be told from the event log's next turn on.
#[derive(Default)]
pub struct Listening {
    fresh: Mutex<Vec<Told>>,
    all: Mutex<Vec<Weak<Shelf>>>,
}

impl Listening {
    /// None when as many listen as may.
    pub fn begin(&self, format: Box<dyn Format>) -> Option<Listener> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|shelf| shelf.upgrade().is_some_and(|shelf| !shelf.left.load(Ordering::Relaxed)));
        if all.len() >= MOST_LISTENERS {
            return None;
        }
        let shelf = Arc::new(Shelf::default());
        all.push(Arc::downgrade(&shelf));
        let sink = Box::new(ToShelf(Arc::clone(&shelf)));
        let output = Output::new("rpc", format, sink, Duration::MAX);
        self.fresh().push(Told { output, shelf: Arc::clone(&shelf) });
        Some(Listener(shelf))
    }

    /// For the event log.
    pub fn take_fresh(&self) -> Vec<Told> {
        std::mem::take(&mut *self.fresh())
    }

    fn fresh(&self) -> MutexGuard<'_, Vec<Told>> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::event::{Event, EventBody, Origin};
    use crate::base::{PluginId, WorkerId};

    /// Of each event a line of so many bytes.
    struct Long(usize);

    impl Format for Long {
        fn event(&mut self, _: &Event, _: &[u8], line: &mut Vec<u8>) -> Option<&'static str> {
            line.resize(self.0, b'x');
            Some("alert")
        }
    }

    fn event() -> Event {
        let fault = crate::base::event::PluginFault::Panicked;
        let body = EventBody::PluginOut { plugin: PluginId(0), fault, worker: WorkerId(0) };
        Event { origin: Origin::default(), body }
    }

    #[test]
    fn what_a_client_does_not_take_is_lost_and_counted() {
        let listening = Listening::default();
        let listener = listening.begin(Box::new(Long(1 << 20))).unwrap();
        let mut told = listening.take_fresh();
        (0..7).for_each(|_| told[0].output.event(&event(), &[]));
        assert_eq!(listener.counts(), SinkCounts { generated: 7, exported: 0, lost: 3 });
        assert_eq!((listener.take(3).len(), listener.take(3).len(), listener.take(3).len()), (3, 1, 0));
        told[0].output.event(&event(), &[]);
        assert_eq!(listener.counts(), SinkCounts { generated: 8, exported: 4, lost: 3 });
        assert!(!told[0].has_left());
        drop(listener);
        assert!(told[0].has_left());
    }

    #[test]
    fn so_many_listen_at_once_and_one_that_left_makes_room() {
        let listening = Listening::default();
        let begin = || listening.begin(Box::new(Long(1)));
        let mut listeners: Vec<_> = (0..MOST_LISTENERS).map(|_| begin().unwrap()).collect();
        assert!(begin().is_none());
        listeners.pop();
        assert!(begin().is_some());
    }
}
