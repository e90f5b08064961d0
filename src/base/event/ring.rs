//! A worker's ring of events, and beside it the ring of the bytes that belong to them.

use super::record::MAX_RECORD;
use super::{Event, EventBody};
use crate::base::counters::Counter;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of records that find room for each event, on average.
const RECORD_BYTES_AN_EVENT: usize = 256;

/// Counts of one worker's event ring.
#[derive(Debug, Default)]
pub struct EventCounts {
    pub sent: Counter,
    pub lost: Counter,
    /// Alerts that were sent without their record, for which there was no room.
    pub bare: Counter,
}

/// The worker's end of its event ring.
pub struct EventSender {
    ring: rtrb::Producer<Event>,
    records: rtrb::Producer<u8>,
    counts: Arc<EventCounts>,
    watermark: Arc<AtomicU64>,
    /// A replay waits for room; the fast path never does.
    wait: bool,
}

/// Management's end of one worker's event ring.
pub struct EventFeed {
    pub events: rtrb::Consumer<Event>,
    /// The records of those events that have one, in the same order.
    records: rtrb::Consumer<u8>,
    pub counts: Arc<EventCounts>,
    /// All events of packets up to this number are in the ring. An idle worker raises it too; `u64::MAX` says that no more
    /// will come. Only kept in a replay.
    pub watermark: Arc<AtomicU64>,
}

/// A ring for so many events without records. `wait`: the sender waits for room instead of losing the event.
pub fn event_ring(capacity: usize, wait: bool) -> (EventSender, EventFeed) {
    pair(capacity, 0, wait)
}

/// As [`event_ring`], with 256 bytes of records an event, and room for a few long ones.
pub fn event_ring_with_records(capacity: usize, wait: bool) -> (EventSender, EventFeed) {
    pair(capacity, capacity.saturating_mul(RECORD_BYTES_AN_EVENT).max(4 * MAX_RECORD), wait)
}

fn pair(capacity: usize, bytes: usize, wait: bool) -> (EventSender, EventFeed) {
    let (ring, events) = rtrb::RingBuffer::new(capacity);
    let (into, records) = rtrb::RingBuffer::new(bytes);
    let (counts, watermark) = (Arc::<EventCounts>::default(), Arc::<AtomicU64>::default());
    let feed = EventFeed { events, records, counts: Arc::clone(&counts), watermark: Arc::clone(&watermark) };
    (EventSender { ring, records: into, counts, watermark, wait }, feed)
}

impl EventSender {
    #[inline]
    pub fn send(&mut self, event: Event) {
        while self.wait && self.ring.is_full() && !self.ring.is_abandoned() {
            std::thread::yield_now();
        }
        match self.ring.push(event) {
            Ok(()) => self.counts.sent.add(1),
            Err(_) => self.counts.lost.add(1),
        }
    }

    /// An event with its record. Where the record finds no room an alert goes without, and all else is lost.
    pub fn send_with(&mut self, mut event: Event, record: &[u8]) {
        let has_room =
            |sender: &EventSender| !sender.ring.is_full() && sender.records.slots() >= record.len();
        let may_fit = record.len() <= self.records.buffer().capacity();
        while self.wait && may_fit && !has_room(self) && !self.ring.is_abandoned() {
            std::thread::yield_now();
        }
        // The bytes first: whoever sees the event finds its record. Only this end adds to the rings, so that what has room now
        // still has it below.
        let length = u16::try_from(record.len()).unwrap_or(u16::MAX);
        if has_room(self) && self.records.push_entire_slice(record).is_ok() {
            event.set_record(length);
        } else if matches!(event.body, EventBody::Alert(_)) {
            event.set_record(0);
            self.counts.bare.add(u64::from(!record.is_empty() && !self.ring.is_full()));
        } else {
            return self.counts.lost.add(1);
        }
        self.send(event);
    }

    /// Every event of packets up to this number has been sent.
    pub fn set_watermark(&self, packet: u64) {
        self.watermark.store(packet, Ordering::Release);
    }

    pub fn counts(&self) -> &EventCounts {
        &self.counts
    }
}

impl EventFeed {
    /// The next event; its record goes into `record`, whose former contents go.
    pub fn take(&mut self, record: &mut Vec<u8>) -> Option<Event> {
        let event = self.events.pop().ok()?;
        record.clear();
        record.resize(event.record(), 0);
        if self.records.pop_entire_slice(record).is_err() {
            // Cannot be: the bytes were there before the event.
            record.clear();
        }
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AlertEvent, AppEvent, AppKind, AppNames, Origin};
    use super::*;
    use crate::base::{Generation, RuleIndex};

    fn app() -> Event {
        let body = AppEvent { kind: AppKind::Transaction, proto: "http1", tx: None, record: 0 };
        Event { origin: Origin::default(), body: EventBody::App(body) }
    }

    fn alert() -> Event {
        let body = AlertEvent {
            rule: RuleIndex(0),
            generation: Generation(1),
            blocked: false,
            verdict: crate::base::event::PacketVerdict::default(),
            flow: None,
            app: AppNames::default(),
            tx: None,
            outer: None,
            notes: Default::default(),
            tx_proto: None,
            record: 0,
        };
        Event { origin: Origin::default(), body: EventBody::Alert(body) }
    }

    #[test]
    fn each_event_comes_with_its_own_record() {
        let (mut sender, mut feed) = event_ring_with_records(8, false);
        let records: [&[u8]; 4] = [b"one", b"", b"three", &[7; 5000]];
        for record in records {
            sender.send_with(app(), record);
            sender.send(alert());
        }
        let mut record = vec![1; 9];
        for expected in records {
            assert!(feed.take(&mut record).is_some());
            assert_eq!(record, expected);
            assert!(feed.take(&mut record).is_some() && record.is_empty());
        }
        assert!(feed.take(&mut record).is_none());
        assert_eq!((feed.counts.sent.get(), feed.counts.lost.get()), (8, 0));
    }

    #[test]
    fn a_record_without_room_is_counted_and_the_order_holds() {
        let (mut sender, mut feed) = event_ring_with_records(64, false);
        let long = [3u8; MAX_RECORD];
        let all = 4;
        (0..all).for_each(|_| sender.send_with(app(), &long));
        sender.send_with(app(), b"lost");
        sender.send_with(alert(), b"bare");
        assert_eq!((feed.counts.sent.get(), feed.counts.lost.get(), feed.counts.bare.get()), (5, 1, 1));
        let mut record = Vec::new();
        assert!(feed.take(&mut record).is_some() && record == long);
        sender.send_with(app(), b"fits");
        for _ in 1..all {
            assert!(feed.take(&mut record).is_some() && record == long);
        }
        let bare = feed.take(&mut record).unwrap();
        assert!(matches!(bare.body, EventBody::Alert(_)) && record.is_empty());
        assert!(feed.take(&mut record).is_some() && record == b"fits");
    }

    #[test]
    fn a_full_ring_of_events_loses_the_event_and_its_record() {
        let (mut sender, mut feed) = event_ring_with_records(1, false);
        sender.send_with(app(), b"kept");
        sender.send_with(app(), b"lost");
        sender.send_with(alert(), b"lost too");
        assert_eq!((feed.counts.sent.get(), feed.counts.lost.get()), (1, 2));
        let mut record = Vec::new();
        assert!(feed.take(&mut record).is_some() && record == b"kept");
        sender.send_with(app(), b"next");
        assert!(feed.take(&mut record).is_some() && record == b"next");
    }

    #[test]
    fn a_replay_waits_for_room() {
        let (mut sender, mut feed) = event_ring_with_records(2, true);
        let sending = std::thread::spawn(move || {
            for n in 0..200u8 {
                sender.send_with(app(), &[n; 3000]);
            }
        });
        let (mut record, mut next) = (Vec::new(), 0u8);
        while next < 200 {
            if feed.take(&mut record).is_some() {
                assert_eq!(record, [next; 3000]);
                next += 1;
            }
        }
        sending.join().unwrap();
        assert_eq!(feed.counts.lost.get(), 0);
    }
}
