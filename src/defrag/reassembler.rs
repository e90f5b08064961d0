//! The table of unfinished datagrams: caps, timeouts, completion.

use super::header::{Header, too_large};
use super::map::FixedMap;
use super::pieces::{Nodes, Pieces};
use super::policy::{OverlapPolicy, Span};
use super::settings::Settings;
use crate::base::{Addr, Anomaly, DropReason, Family, LinkSet, PortId, Time};
use crate::decode::{Decoded, Fragment, Ip};
use crate::io::{Frame, FrameAllocator};
use std::time::Duration;

mod build;

/// Fragments with less payload are copied into pages, but for the first few of a datagram.
const TINY: u32 = 256;
const TINY_KEPT: u32 = 4;

/// TCP's fixed header, which a first fragment should hold (RFC 1858).
const TCP_HEADER: u32 = 20;

/// What became of a fragment.
#[derive(Debug)]
pub enum Outcome {
    Held,
    /// The datagram this fragment completed, or a packet that is none: to be decoded (again) and go on.
    Complete(Frame),
    Dropped(DropReason, Frame),
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
    /// Of the fragment being pushed.
    fn anomaly(&mut self, anomaly: Anomaly);
    /// The first fragment of a datagram whose time is over, as it came; its IP header stands at `ip_at`. Only where the
    /// settings ask for it ([`Settings::tell_timeouts`]), and not of copies. It counts as dropped already.
    fn timed_out(&mut self, _first: Frame, _ip_at: u32) {}
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

#[derive(Copy, Clone, PartialEq, Eq, Hash)]
struct Key {
    src: Addr,
    dst: Addr,
    context: u64,
    id: u32,
    /// 0 for IPv6, whose identification does not depend on it.
    proto: u8,
    family: Family,
    copies: bool,
}

impl Key {
    fn of(decoded: &Decoded, ip: &Ip, fragment: &Fragment, copies: bool) -> Key {
        let (t, family) = (&decoded.tuple, ip.family);
        let proto = if family == Family::V4 { ip.proto } else { 0 };
        Key { src: t.src, dst: t.dst, context: t.context, id: fragment.id, proto, family, copies }
    }
}

#[derive(Copy, Clone, PartialEq, Eq, Hash)]
struct SourceKey {
    src: Addr,
    context: u64,
    family: Family,
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
    /// By which its newest fragment came in.
    port: PortId,
    /// Payload bytes, once the last fragment came.
    total: Option<u32>,
    /// Where the farthest fragment ends.
    reach: u32,
    id: u32,
    /// Bytes of its largest fragment as an IP packet.
    largest: u16,
    fragments: u32,
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
    pub counters: Counters,
}

const AGE: u32 = 0;

impl Reassembler {
    pub fn new(settings: Settings) -> Reassembler {
        let datagrams = settings.datagrams.max(1);
        Reassembler {
            datagrams: FixedMap::new(datagrams, settings.seed),
            sources: FixedMap::new(if settings.source_memory > 0 { datagrams } else { 1 }, !settings.seed),
            nodes: Nodes::new(settings.pieces),
            by_age: LinkSet::new(1, datagrams),
            memory: 0,
            scratch: vec![0; u16::MAX as usize + super::header::MAX_HEADER].into_boxed_slice(),
            counters: Counters::default(),
            settings,
        }
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
        let slot = key.and_then(|key| self.datagrams.find(&key));
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
        if let Err((reason, anomaly)) = self.check(ip, fragment) {
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
        let datagram = self.datagrams.value(slot);
        if datagram.fragments == 0 && datagram.poisoned.is_none() {
            self.forget(slot);
        }
        outcome
    }

    /// What is wrong with a fragment whatever else came.
    fn check(&self, ip: &Ip, fragment: &Fragment) -> Result<(), (DropReason, Anomaly)> {
        let v4 = ip.family == Family::V4;
        let ignored = if v4 { Anomaly::Ipv4FragIgnored } else { Anomaly::Ipv6FragIgnored };
        let len = u32::from(fragment.payload_len);
        let end = u32::from(fragment.offset) + len;
        if len == 0 {
            return Err((DropReason::FragmentInvalid, ignored));
        }
        if too_large(ip, fragment, end) {
            let anomaly = if v4 { Anomaly::Ipv4FragPktTooLarge } else { Anomaly::Ipv6FragPktTooLarge };
            return Err((DropReason::FragmentTooLarge, anomaly));
        }
        if fragment.more && !len.is_multiple_of(8) {
            let anomaly = if v4 { ignored } else { Anomaly::Ipv6FragInvalidLength };
            return Err((DropReason::FragmentInvalid, anomaly));
        }
        let proto = if v4 { ip.proto } else { fragment.next_header };
        let header_cut = fragment.offset == 0 && fragment.more && len < TCP_HEADER;
        if self.settings.drop_tiny_first && proto == 6 && (header_cut || fragment.offset == 8) {
            return Err((DropReason::FragmentInvalid, ignored));
        }
        Ok(())
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
        if let Some(slot) = self.datagrams.find(&key) {
            let datagram = self.datagrams.value(slot);
            if now < datagram.since.plus(self.settings.timeout) {
                return datagram.poisoned.map_or(Ok(slot), Err);
            }
            self.time_out(slot, sink);
        }
        let slot = self.datagrams.insert(key).ok_or(DropReason::FragmentMemoryCap)?;
        let source = SourceKey { src: t.src, context: t.context, family: ip.family };
        let source = (self.settings.source_memory > 0).then(|| self.source(source)).flatten();
        let policy = self.settings.policies.of(ip.family, t.dst);
        let datagram = self.datagrams.value_mut(slot);
        datagram.header.forget();
        (datagram.since, datagram.source, datagram.policy) = (now, source, policy);
        (datagram.total, datagram.reach, datagram.fragments, datagram.tiny) = (None, 0, 0, 0);
        (datagram.memory, datagram.poisoned, datagram.copies) = (0, None, copies);
        (datagram.id, datagram.largest) = (id, 0);
        self.by_age.push_back(AGE, slot);
        Ok(slot)
    }

    /// There are as many places as for datagrams, and each datagram has one source.
    fn source(&mut self, key: SourceKey) -> Option<u32> {
        let slot = match self.sources.find(&key) {
            Some(slot) => slot,
            None => {
                let slot = self.sources.insert(key)?;
                *self.sources.value_mut(slot) = Source::default();
                slot
            }
        };
        self.sources.value_mut(slot).datagrams += 1;
        Some(slot)
    }

    /// Puts a valid fragment into its datagram.
    fn insert(
        &mut self,
        slot: u32,
        frame: Frame,
        ip: &Ip,
        fragment: &Fragment,
        alloc: &mut dyn FrameAllocator,
        sink: &mut impl Sink,
    ) -> Outcome {
        let start = u32::from(fragment.offset);
        let span = Span::new(start, start + u32::from(fragment.payload_len));
        let v4 = ip.family == Family::V4;
        let buffers = frame.segment_count() as u64 * u64::from(self.settings.buffer_bytes);
        let datagram = self.datagrams.value_mut(slot);
        if datagram.pieces.has_twin(&self.nodes, span, &frame, fragment.payload)
            && (fragment.more || datagram.total == Some(span.end))
        {
            return Outcome::Dropped(DropReason::FragmentDuplicate, frame);
        }
        let past_last =
            datagram.total.is_some_and(|total| span.end > total || (!fragment.more && span.end != total));
        if past_last || (!fragment.more && span.end < datagram.reach) {
            sink.anomaly(if v4 { Anomaly::Ipv4FragIgnored } else { Anomaly::Ipv6FragIgnored });
            return Outcome::Dropped(DropReason::FragmentInvalid, frame);
        }
        if let Some(reason) = self.cap(slot, buffers) {
            return Outcome::Dropped(reason, frame);
        }
        let datagram = self.datagrams.value_mut(slot);
        if datagram.pieces.overlap(&self.nodes, span) {
            sink.anomaly(if v4 { Anomaly::Ipv4FragOverlap } else { Anomaly::Ipv6FragOverlap });
            if !v4 && self.settings.drop_v6_overlaps {
                self.poison(slot, DropReason::FragmentOverlapV6, sink);
                return Outcome::Dropped(DropReason::FragmentOverlapV6, frame);
            }
        }
        if start == 0 && !datagram.header.is_known() && !datagram.header.take(&frame, ip, fragment) {
            return Outcome::Dropped(DropReason::FragmentInvalid, frame);
        }
        datagram.largest = datagram.largest.max(ip.total_len.min(u32::from(u16::MAX)) as u16);
        self.place(slot, frame, span, fragment, buffers, alloc, sink)
    }

    #[allow(clippy::too_many_arguments)] // the second half of `insert`
    fn place(
        &mut self,
        slot: u32,
        frame: Frame,
        span: Span,
        fragment: &Fragment,
        buffers: u64,
        alloc: &mut dyn FrameAllocator,
        sink: &mut impl Sink,
    ) -> Outcome {
        let meta = frame.meta();
        let datagram = self.datagrams.value_mut(slot);
        let tiny = span.len() < TINY;
        let pages =
            if tiny && datagram.tiny >= TINY_KEPT { datagram.pieces.make_pages(span, alloc) } else { None };
        let skip = fragment.payload;
        let added = datagram.pieces.add(&mut self.nodes, span, datagram.policy, frame, skip, pages.is_some());
        let refused = match added {
            Ok(None) => None,
            // A copied fragment's own frame is freed here: its bytes are in the page.
            Ok(Some(frame)) => Some(frame),
            Err(_) => {
                datagram.fragments += 1;
                self.counters.held += 1;
                self.poison(slot, DropReason::FragmentMemoryCap, sink);
                return Outcome::Held;
            }
        };
        let cost = pages.map_or(buffers, |made| u64::from(made) * u64::from(self.settings.buffer_bytes));
        if let Some(frame) = refused {
            self.charge(slot, if pages.is_some() { cost } else { 0 });
            return Outcome::Dropped(DropReason::FragmentDuplicate, frame);
        }
        datagram.tiny += u32::from(tiny);
        datagram.fragments += 1;
        datagram.reach = datagram.reach.max(span.end);
        if !fragment.more {
            datagram.total = Some(span.end);
        }
        let whole = datagram.total == Some(datagram.pieces.have) && datagram.header.is_known();
        self.counters.held += 1;
        self.charge(slot, cost);
        if whole { self.complete(slot, meta, alloc, sink) } else { Outcome::Held }
    }

    fn cap(&self, slot: u32, buffers: u64) -> Option<DropReason> {
        let datagram = self.datagrams.value(slot);
        let source = datagram.source.map_or(0, |s| self.sources.value(s).memory);
        if datagram.fragments >= self.settings.datagram_fragments
            || datagram.memory + buffers > self.settings.datagram_memory
        {
            Some(DropReason::FragmentDatagramCap)
        } else if datagram.source.is_some() && source + buffers > self.settings.source_memory {
            Some(DropReason::FragmentSourceCap)
        } else if self.memory + buffers > self.settings.memory {
            Some(DropReason::FragmentMemoryCap)
        } else {
            None
        }
    }

    fn charge(&mut self, slot: u32, bytes: u64) {
        let datagram = self.datagrams.value_mut(slot);
        datagram.memory += bytes;
        self.memory += bytes;
        if let Some(source) = datagram.source {
            self.sources.value_mut(source).memory += bytes;
        }
    }

    /// Gives back what the datagram holds but its slot; how many fragments that were.
    fn let_go(&mut self, slot: u32) -> u32 {
        let datagram = self.datagrams.value_mut(slot);
        datagram.pieces.clear(&mut self.nodes);
        self.memory -= datagram.memory;
        if let Some(source) = datagram.source {
            self.sources.value_mut(source).memory -= datagram.memory;
        }
        self.counters.held -= u64::from(datagram.fragments);
        datagram.memory = 0;
        std::mem::take(&mut datagram.fragments)
    }

    /// As `let_go`, and the fragments count as dropped.
    fn discard(&mut self, slot: u32, reason: DropReason, sink: &mut impl Sink) {
        let fragments = self.let_go(slot);
        self.counters.dropped += u64::from(fragments);
        if fragments > 0 {
            let datagram = self.datagrams.value(slot);
            sink.dropped(reason, datagram.port, fragments, datagram.copies);
        }
    }

    /// Drops the datagram's fragments, and those that still come until its time is over.
    fn poison(&mut self, slot: u32, reason: DropReason, sink: &mut impl Sink) {
        self.discard(slot, reason, sink);
        self.datagrams.value_mut(slot).poisoned = Some(reason);
    }

    fn time_out(&mut self, slot: u32, sink: &mut impl Sink) {
        let datagram = self.datagrams.value_mut(slot);
        self.counters.timeouts += u64::from(datagram.poisoned.is_none());
        if self.settings.tell_timeouts && datagram.header.is_known() && !datagram.copies {
            let first = datagram.pieces.take_first(&mut self.nodes, 0);
            first.into_iter().for_each(|(frame, ..)| sink.timed_out(frame, datagram.header.ip_at()));
        }
        self.discard(slot, DropReason::FragmentTimeout, sink);
        self.forget(slot);
    }

    /// The datagram's slot is free.
    fn forget(&mut self, slot: u32) {
        if let Some(source) = self.datagrams.value_mut(slot).source.take() {
            let held = self.sources.value_mut(source);
            held.datagrams -= 1;
            if held.datagrams == 0 {
                self.sources.remove(source);
            }
        }
        self.by_age.remove(slot);
        self.datagrams.remove(slot);
    }

    /// Gives up datagrams whose time is over, at most `budget` of them; how many.
    pub fn expire(&mut self, now: Time, budget: usize, sink: &mut impl Sink) -> usize {
        let mut done = 0;
        while done < budget
            && let Some(oldest) = self.by_age.front(AGE)
            && now >= self.datagrams.value(oldest).since.plus(self.settings.timeout)
        {
            self.time_out(oldest, sink);
            done += 1;
        }
        done
    }

    /// Drops everything held: the appliance stops.
    pub fn drop_all(&mut self, reason: DropReason, sink: &mut impl Sink) {
        while let Some(oldest) = self.by_age.front(AGE) {
            self.discard(oldest, reason, sink);
            self.forget(oldest);
        }
    }
}

#[cfg(test)]
mod tests;
