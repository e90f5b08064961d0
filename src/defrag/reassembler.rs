//! The table of unfinished datagrams: each fragment's way to its datagram.

use super::header::{Header, MAX_HEADER, Place};
use super::pieces::{Nodes, Pieces};
use super::policy::OverlapPolicy;
use super::settings::Settings;
use crate::base::{Anomaly, DropReason, Family, FixedMap, LinkSet, PortId, Time};
use crate::decode::{Decoded, Fragment, Ip};
use crate::io::{Frame, FrameAllocator};
use std::time::Duration;

mod build;
mod check;
mod insert;
mod key;
mod release;

use key::{Key, SourceKey};

/// What became of a fragment.
#[derive(Debug)]
pub enum Outcome {
    Held,
    /// The datagram this fragment completed, or a packet that is none: to be decoded (again) and go on.
    Complete(Frame),
    Dropped(DropReason, Frame),
    /// Held fragments of this one's datagram were dropped, this one among them: told of and counted.
    GivenUp(DropReason),
}

/// Is told what is not a fragment's own outcome.
pub trait Sink {
    /// Whether what comes in by a port are copies, or goes on without us: never put together with what is ours to forward.
    fn copies(&self, _: PortId) -> bool {
        false
    }
    /// So many held fragments of a datagram whose newest came in by `port` were dropped, their frames freed; all were copies, or
    /// none.
    fn dropped(&mut self, reason: DropReason, port: PortId, fragments: u32, copies: bool);
    /// Whether held fragments are [shown](Sink::lost) when they are dropped.
    fn watches(&self) -> bool {
        false
    }
    /// A held fragment as it came, before it is dropped; its IP header stands at `ip_at`. Those of less than 256 bytes are not
    /// kept as they came, but for a datagram's first four.
    fn lost(&mut self, _fragment: &Frame, _ip_at: u32, _reason: DropReason, _copy: bool) {}
    /// Of the fragment being pushed.
    fn anomaly(&mut self, anomaly: Anomaly);
    /// The first fragment of a datagram whose time is over, as it came; its IP header stands at this place. Only where the
    /// settings ask for it ([`Settings::tell_timeouts`]), and not of copies. It counts as dropped already.
    fn timed_out(&mut self, _first: Frame, _at: Place) {}
}

/// Plain numbers of one worker. `received = merged + dropped + held`, always.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub received: u64,
    /// Fragments that are part of a rebuilt datagram.
    pub merged: u64,
    /// Fragments dropped, whether given back or freed here.
    pub dropped: u64,
    /// Fragments waiting now.
    pub held: u64,
    /// Datagrams rebuilt.
    pub generated: u64,
    /// Datagrams given up for their time.
    pub timeouts: u64,
}

/// What one source holds.
#[derive(Default)]
struct Source {
    memory: u64,
    datagrams: u32,
}

#[derive(Default)]
struct Datagram {
    pieces: Pieces,
    header: Header,
    since: Time,
    source: Option<u32>,
    policy: OverlapPolicy,
    copies: bool,
    /// Where in its first frame the IP header stands.
    ip_at: u32,
    /// By which its newest fragment came in.
    port: PortId,
    /// Payload bytes, once the last fragment came.
    total: Option<u32>,
    /// Where the farthest fragment ends.
    reach: u32,
    /// Where the fixed TCP header ends, once the first fragment came; 0 where nobody asks, and for other protocols.
    tcp_until: u32,
    id: u32,
    /// Bytes of its largest fragment as an IP packet.
    largest: u16,
    fragments: u32,
    /// Fragments that were not taken.
    refused: u32,
    tiny: u32,
    /// Buffer bytes.
    memory: u64,
    /// Its pieces are gone, and what still comes goes too.
    poisoned: Option<DropReason>,
}

pub struct Reassembler {
    settings: Settings,
    datagrams: FixedMap<Key, Datagram>,
    sources: FixedMap<SourceKey, Source>,
    nodes: Nodes,
    /// Datagrams by age: the timeout is the same for all.
    by_age: LinkSet,
    memory: u64,
    scratch: Box<[u8]>,
    /// For one header.
    head_room: Box<[u8]>,
    pub counters: Counters,
}

const AGE: u32 = 0;

/// Refused fragments of one datagram, after which it is given up: as many as the largest has pieces of 8 bytes, for each may
/// come twice. Each costs as much as the runs that it covers.
const MAX_REFUSED: u32 = 8192;

impl Reassembler {
    pub fn new(settings: Settings) -> Reassembler {
        let datagrams = settings.datagrams.max(1);
        Reassembler {
            datagrams: FixedMap::new(datagrams, settings.seed),
            sources: FixedMap::new(if settings.source_memory > 0 { datagrams } else { 1 }, !settings.seed),
            nodes: Nodes::new(settings.pieces),
            by_age: LinkSet::new(1, datagrams),
            memory: 0,
            scratch: vec![0; u16::MAX as usize + MAX_HEADER].into_boxed_slice(),
            head_room: vec![0; MAX_HEADER].into_boxed_slice(),
            counters: Counters::default(),
            settings,
        }
    }

    /// Takes over all but what memory was taken by, what a frame pins and the hash's seed. `settings` holds the table of policies that was.
    pub fn tune(&mut self, settings: &mut Settings) {
        let own = &mut self.settings;
        std::mem::swap(&mut own.policies, &mut settings.policies);
        own.memory = settings.memory;
        own.datagram_memory = settings.datagram_memory;
        own.datagram_fragments = settings.datagram_fragments;
        own.timeout = settings.timeout;
        own.tell_timeouts = settings.tell_timeouts;
        own.drop_v6_overlaps = settings.drop_v6_overlaps;
        own.drop_tiny_first = settings.drop_tiny_first;
        own.drop_bad_checksum = settings.drop_bad_checksum;
    }

    /// Buffer bytes held.
    pub fn memory(&self) -> u64 {
        self.memory
    }

    /// Datagrams begun and not finished, those that only wait to be forgotten with them.
    pub fn datagrams(&self) -> u32 {
        self.datagrams.len()
    }

    /// From the first piece to the last.
    pub fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    /// Whether other fragments of this one's datagram, copies or not, are here and their time is not over.
    pub fn has_begun(&self, decoded: &Decoded, copies: bool, now: Time) -> bool {
        let key = decoded.ip.and_then(|ip| ip.fragment.map(|f| Key::of(decoded, &ip, &f, copies)));
        let slot = key.and_then(|key| self.datagrams.find(self.datagrams.hash(&key), &key));
        slot.is_some_and(|slot| now < self.datagrams.value(slot).since.plus(self.settings.timeout))
    }

    /// Takes a fragment. A frame that is none comes back as complete, untouched and uncounted.
    pub fn push(
        &mut self,
        frame: Frame,
        decoded: &Decoded,
        now: Time,
        alloc: &mut dyn FrameAllocator,
        sink: &mut impl Sink,
    ) -> Outcome {
        let Some((ip, fragment)) = decoded.ip.and_then(|ip| ip.fragment.map(|f| (ip, f))) else {
            return Outcome::Complete(frame);
        };
        self.counters.received += 1;
        let outcome = self.take(frame, decoded, &ip, &fragment, now, alloc, sink);
        if matches!(outcome, Outcome::Dropped(..)) {
            self.counters.dropped += 1;
        }
        outcome
    }

    #[allow(clippy::too_many_arguments)] // `push`, with the two layers it found
    fn take(
        &mut self,
        frame: Frame,
        decoded: &Decoded,
        ip: &Ip,
        fragment: &Fragment,
        now: Time,
        alloc: &mut dyn FrameAllocator,
        sink: &mut impl Sink,
    ) -> Outcome {
        if let Err((reason, anomaly)) = self.check(&frame, ip, fragment) {
            // Decoding may have said it already.
            if !decoded.anomalies.contains(&anomaly) {
                sink.anomaly(anomaly);
            }
            return Outcome::Dropped(reason, frame);
        }
        if ip.family == Family::V6 && fragment.offset == 0 && !fragment.more {
            return self.atomic(frame, ip, fragment, alloc);
        }
        let port = frame.meta().port;
        let copies = sink.copies(port);
        let slot = match self.datagram(decoded, ip, fragment, now, copies, sink) {
            Ok(slot) => slot,
            Err(reason) => return Outcome::Dropped(reason, frame),
        };
        self.datagrams.value_mut(slot).port = port;
        let outcome = self.insert(slot, frame, ip, fragment, alloc, sink);
        if matches!(outcome, Outcome::Dropped(..)) {
            self.count_refused(slot, sink);
        }
        let datagram = self.datagrams.value(slot);
        if datagram.fragments == 0 && datagram.poisoned.is_none() {
            self.forget(slot);
        }
        outcome
    }

    /// The slot of the fragment's datagram, begun if need be.
    fn datagram(
        &mut self,
        decoded: &Decoded,
        ip: &Ip,
        fragment: &Fragment,
        now: Time,
        copies: bool,
        sink: &mut impl Sink,
    ) -> Result<u32, DropReason> {
        let (t, id) = (&decoded.tuple, fragment.id);
        let key = Key::of(decoded, ip, fragment, copies);
        let hash = self.datagrams.hash(&key);
        if let Some(slot) = self.datagrams.find(hash, &key) {
            let datagram = self.datagrams.value(slot);
            if now < datagram.since.plus(self.settings.timeout) {
                return datagram.poisoned.map_or(Ok(slot), Err);
            }
            self.time_out(slot, sink);
        }
        let slot = self.datagrams.insert(hash, key).ok_or(DropReason::FragmentMemoryCap)?;
        let source = SourceKey::of(decoded, ip);
        let source = (self.settings.source_memory > 0).then(|| self.source(source)).flatten();
        let policy = self.settings.policies.of(ip.family, t.dst);
        let datagram = self.datagrams.value_mut(slot);
        datagram.header.forget();
        (datagram.since, datagram.source, datagram.policy) = (now, source, policy);
        (datagram.total, datagram.reach, datagram.fragments, datagram.tiny) = (None, 0, 0, 0);
        (datagram.tcp_until, datagram.refused) = (0, 0);
        (datagram.memory, datagram.poisoned, datagram.copies) = (0, None, copies);
        (datagram.id, datagram.largest, datagram.ip_at) = (id, 0, ip.at);
        self.by_age.push_back(AGE, slot);
        Ok(slot)
    }

    /// There are as many places as for datagrams, and each datagram has one source.
    fn source(&mut self, key: SourceKey) -> Option<u32> {
        let hash = self.sources.hash(&key);
        let slot = match self.sources.find(hash, &key) {
            Some(slot) => slot,
            None => {
                let slot = self.sources.insert(hash, key)?;
                *self.sources.value_mut(slot) = Source::default();
                slot
            }
        };
        self.sources.value_mut(slot).datagrams += 1;
        Some(slot)
    }
}

#[cfg(test)]
mod tests;
