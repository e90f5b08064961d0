//! The events of N workers as one sequence.
//!
//! In a replay events are put in the order of their packets, so that eve.json does not depend on the number of workers: an
//! event is let go once every worker has said (by its watermark) that it is done with all packets up to that one. Alerts of
//! sessions that time out bear the number of their session's own last packet, which is long gone by: they come last, in that
//! order. In a running appliance events go as they come.

use crate::base::event::{Cause, Event, EventBody, EventFeed};
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::atomic::Ordering as Atomic;

/// Whether to wait for packet order.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Order {
    AsTheyCome,
    ByPacket,
}

/// An event and its place: by packet, then by the order in which its worker sent it.
struct Waiting {
    packet: u64,
    worker: usize,
    serial: u64,
    event: Event,
    /// What was noted of its transaction; mostly empty, and then without memory.
    record: Box<[u8]>,
}

impl Waiting {
    /// A rebuilt datagram's events follow those of its last piece, which has the same number; those of ending sessions follow
    /// all, by session. So ties are broken alike for any number of workers.
    fn place(&self) -> (u64, Cause, (u64, u64), usize, u64) {
        let origin = &self.event.origin;
        let session = if origin.cause == Cause::Ending { (origin.packet, origin.flow_id) } else { (0, 0) };
        (self.packet, origin.cause, session, self.worker, self.serial)
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}
impl Eq for Waiting {}
impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place().cmp(&other.place())
    }
}

/// Behind all packets.
const LAST: u64 = u64::MAX;

struct Source {
    feed: EventFeed,
    /// Events without a packet (a session that timed out) are put behind the worker's last packet.
    last_packet: u64,
    taken: u64,
}

/// Is handed each event with its record.
type Out<'a> = dyn FnMut(&Event, &[u8]) + 'a;

/// Takes from all rings, gives one sequence.
pub struct Merger {
    sources: Vec<Source>,
    order: Order,
    waiting: BinaryHeap<Reverse<Waiting>>,
    /// The record at work.
    record: Vec<u8>,
}

impl Merger {
    pub fn new(feeds: Vec<EventFeed>, order: Order) -> Merger {
        let sources = feeds.into_iter().map(|feed| Source { feed, last_packet: 0, taken: 0 }).collect();
        Merger { sources, order, waiting: BinaryHeap::new(), record: Vec::new() }
    }

    /// Empties the rings; hands over what is next in order. How many events were handed over.
    pub fn turn(&mut self, out: &mut Out<'_>) -> usize {
        match self.order {
            Order::AsTheyCome => self.pass_on(out),
            Order::ByPacket => {
                // The watermarks first: what a worker sends after them is then not missed below.
                let done = self.sources.iter().map(|s| s.feed.watermark.load(Atomic::Acquire)).min();
                self.collect();
                self.release(done.unwrap_or(u64::MAX), out)
            }
        }
    }

    /// As [`turn`](Self::turn), and nothing is held back: the workers have stopped.
    pub fn finish(&mut self, out: &mut Out<'_>) -> usize {
        self.collect();
        self.release(u64::MAX, out)
    }

    /// Events that workers put into their rings, and that found no room.
    pub fn sent_and_lost(&self) -> (u64, u64) {
        let counts = |s: &Source| (s.feed.counts.sent.get(), s.feed.counts.lost.get());
        self.sources.iter().map(counts).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
    }

    /// Alerts that were sent without what was noted of their transaction, for which there was no room.
    pub fn bare(&self) -> u64 {
        self.sources.iter().map(|source| source.feed.counts.bare.get()).sum()
    }

    fn pass_on(&mut self, out: &mut Out<'_>) -> usize {
        let mut count = 0;
        for source in &mut self.sources {
            // What was there at the start of the turn: a worker that never stops sending cannot hold the others up.
            for _ in 0..source.feed.events.slots() {
                let Some(event) = source.feed.take(&mut self.record) else { break };
                out(&event, &self.record);
                count += 1;
            }
        }
        count
    }

    fn collect(&mut self) {
        for (worker, source) in self.sources.iter_mut().enumerate() {
            while let Some(event) = source.feed.take(&mut self.record) {
                let packet = match event.origin.packet {
                    0 => source.last_packet,
                    packet => packet,
                };
                source.last_packet = source.last_packet.max(packet);
                let alert = matches!(event.body, EventBody::Alert(_));
                let packet = if alert && event.origin.cause == Cause::Ending { LAST } else { packet };
                source.taken += 1;
                let (serial, record) = (source.taken, self.record.as_slice().into());
                self.waiting.push(Reverse(Waiting { packet, worker, serial, event, record }));
            }
        }
    }

    fn release(&mut self, done: u64, out: &mut Out<'_>) -> usize {
        let mut count = 0;
        while self.waiting.peek().is_some_and(|Reverse(next)| next.packet <= done) {
            let Some(Reverse(next)) = self.waiting.pop() else { break };
            out(&next.event, &next.record);
            count += 1;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::event::{AlertEvent, AppNames, DropEvent, EventSender, Origin, event_ring};
    use crate::base::{Anomaly, DropReason, Generation, RuleIndex};
    use proptest::prelude::*;

    fn event(packet: u64, tag: u32) -> Event {
        let body = EventBody::Drop(DropEvent::new(DropReason::RuleDrop, tag));
        Event { origin: Origin { packet, ..Origin::default() }, body }
    }

    fn tag(event: &Event) -> (u64, u32) {
        match event.body {
            EventBody::Drop(dropped) => (event.origin.packet, dropped.length),
            _ => unreachable!("{:?}", Anomaly::ALL),
        }
    }

    fn feeds(n: usize) -> (Vec<EventSender>, Vec<EventFeed>) {
        (0..n).map(|_| event_ring(1024, false)).unzip()
    }

    proptest! {
        /// Each packet belongs to one worker and gives some events; workers advance in any interleaving.
        #[test]
        fn any_number_of_workers_gives_the_packets_order(
            packets in prop::collection::vec((0usize..4, 0u32..3), 1..80),
            workers in 1usize..5,
            steps in prop::collection::vec(0usize..4, 0..200),
        ) {
            let (mut senders, feeds) = feeds(workers);
            let mut merger = Merger::new(feeds, Order::ByPacket);
            let mut queues = vec![std::collections::VecDeque::new(); workers];
            let mut expected = Vec::new();
            for (i, (owner, events)) in packets.iter().enumerate() {
                let number = i as u64 + 1;
                queues[owner % workers].push_back((number, *events));
                expected.extend((0..*events).map(|e| (number, e)));
            }
            let mut got = Vec::new();
            let rest = (0..workers).flat_map(|w| std::iter::repeat_n(w, 80));
            for worker in steps.into_iter().map(|s| s % workers).chain(rest) {
                match queues[worker].pop_front() {
                    Some((number, events)) => {
                        for e in 0..events {
                            senders[worker].send(event(number, e));
                        }
                        senders[worker].set_watermark(number);
                    }
                    None => senders[worker].set_watermark(u64::MAX),
                }
                merger.turn(&mut |e, _| got.push(tag(e)));
                prop_assert_eq!(&got[..], &expected[..got.len()]);
            }
            prop_assert_eq!(got, expected);
        }
    }

    #[test]
    fn alerts_of_sessions_that_time_out_come_last_whenever_they_are_taken() {
        let alert = |packet, cause| {
            let mut event = event(packet, packet as u32);
            let alert = AlertEvent {
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
            (event.origin.cause, event.body) = (cause, EventBody::Alert(alert));
            event
        };
        for looks in [1, 2, 6] {
            let (mut senders, feeds) = feeds(1);
            let mut merger = Merger::new(feeds, Order::ByPacket);
            let mut got = Vec::new();
            let sent = [
                (1, Cause::Packet),
                (2, Cause::Packet),
                (2, Cause::Ending),
                (1, Cause::Ending),
                (3, Cause::Packet),
            ];
            for (n, (packet, cause)) in sent.into_iter().enumerate() {
                senders[0].send(alert(packet, cause));
                senders[0].set_watermark(packet);
                if n % looks == 0 {
                    merger.turn(&mut |e, _| got.push((e.origin.packet, e.origin.cause)));
                }
            }
            merger.finish(&mut |e, _| got.push((e.origin.packet, e.origin.cause)));
            let ends = [(1, Cause::Ending), (2, Cause::Ending)];
            assert_eq!(
                got,
                [&[(1, Cause::Packet), (2, Cause::Packet), (3, Cause::Packet)][..], &ends].concat()
            );
        }
    }

    #[test]
    fn ending_sessions_come_last_and_in_their_own_order_whichever_worker_had_them() {
        let made = |cause, flow_id, tag| {
            let mut event = event(5, tag);
            (event.origin.cause, event.origin.flow_id) = (cause, flow_id);
            event
        };
        let all = [
            made(Cause::Packet, 9, 0),
            made(Cause::Rebuilt, 8, 1),
            made(Cause::Ending, 1, 2),
            made(Cause::Ending, 2, 3),
        ];
        for owners in [[0, 0, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [1, 1, 0, 0]] {
            let (mut senders, feeds) = feeds(2);
            let mut merger = Merger::new(feeds, Order::ByPacket);
            for (event, owner) in all.iter().zip(owners).rev() {
                senders[owner].send(*event);
            }
            let mut got = Vec::new();
            merger.finish(&mut |e, _| got.push(tag(e).1));
            assert_eq!(got, [0, 1, 2, 3], "{owners:?}");
        }
    }

    #[test]
    fn events_without_a_packet_follow_their_workers_last() {
        let (mut senders, feeds) = feeds(2);
        let mut merger = Merger::new(feeds, Order::ByPacket);
        for e in [event(5, 0), event(0, 1)] {
            senders[0].send(e);
        }
        senders[1].send(event(3, 2));
        senders[1].send(event(9, 3));
        let mut got = Vec::new();
        assert_eq!(merger.turn(&mut |e, _| got.push(tag(e))), 0, "no worker has said it is done");
        assert_eq!(merger.finish(&mut |e, _| got.push(tag(e))), 4);
        assert_eq!(got, [(3, 2), (5, 0), (0, 1), (9, 3)]);
    }

    #[test]
    fn a_running_appliance_does_not_wait_for_order() {
        let (mut senders, feeds) = feeds(2);
        let mut merger = Merger::new(feeds, Order::AsTheyCome);
        senders[1].send(event(3, 0));
        senders[0].send(event(9, 1));
        let mut got = Vec::new();
        assert_eq!(merger.turn(&mut |e, _| got.push(tag(e).0)), 2);
        assert_eq!(got, [9, 3]);
    }
}
