//! A valid fragment into its datagram.

use super::{Outcome, Reassembler, Sink};
use crate::base::{Anomaly, DropReason, Family};
use crate::decode::{Fragment, Ip};
use crate::defrag::header::KEPT;
use crate::defrag::pieces::{Found, Newcomer};
use crate::defrag::policy::Span;
use crate::io::{Frame, FrameAllocator};

/// Fragments with less payload are copied into pages, but for the first few of a datagram.
const TINY: u32 = 256;
const TINY_KEPT: u32 = 4;

/// Where a fragment goes.
struct Place {
    span: Span,
    /// The first run it covers; where there is none nothing of it is there yet.
    covers: Option<Found>,
    /// What its frame pins.
    buffers: u64,
}

impl Reassembler {
    /// Puts a valid fragment into its datagram.
    pub(super) fn insert(
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
        let ignored = if v4 { Anomaly::Ipv4FragIgnored } else { Anomaly::Ipv6FragIgnored };
        let datagram = self.datagrams.value_mut(slot);
        // Behind all that came lies nothing: so it is with pieces in order.
        let covers =
            if span.start >= datagram.reach { None } else { datagram.pieces.first_within(&self.nodes, span) };
        if let Some(found) = covers
            && datagram.pieces.has_twin(&self.nodes, found, span, &frame, fragment.payload)
            && (fragment.more || datagram.total == Some(span.end))
        {
            return Outcome::Dropped(DropReason::FragmentDuplicate, frame);
        }
        // Whatever else is wrong with it: an overlap takes the datagram with it.
        if covers.is_some() && !v4 && self.settings.drop_v6_overlaps {
            sink.anomaly(Anomaly::Ipv6FragOverlap);
            self.poison(slot, DropReason::FragmentOverlapV6, sink);
            return Outcome::Dropped(DropReason::FragmentOverlapV6, frame);
        }
        let past_last =
            datagram.total.is_some_and(|total| span.end > total || (!fragment.more && span.end != total));
        if past_last || (!fragment.more && span.end < datagram.reach) {
            sink.anomaly(ignored);
            return Outcome::Dropped(DropReason::FragmentInvalid, frame);
        }
        let heads = start == 0 && !datagram.header.is_known();
        // A long header is kept in buffers of its own, no more of them than its frame has.
        let own = if heads && fragment.payload as usize > KEPT { buffers } else { 0 };
        if let Some(reason) = self.cap(slot, buffers + own) {
            return Outcome::Dropped(reason, frame);
        }
        let tcp_until = if heads { self.tcp_until(&frame, ip, fragment) } else { 0 };
        if covers.is_some() {
            sink.anomaly(if v4 { Anomaly::Ipv4FragOverlap } else { Anomaly::Ipv6FragOverlap });
            if self.within_tcp_header(slot, start, tcp_until) {
                sink.anomaly(ignored);
                return Outcome::Dropped(DropReason::FragmentInvalid, frame);
            }
        }
        if heads {
            self.datagrams.value_mut(slot).tcp_until = tcp_until;
            if let Err(reason) = self.take_header(slot, &frame, ip, fragment, alloc) {
                if reason == DropReason::FragmentInvalid {
                    sink.anomaly(ignored);
                }
                return Outcome::Dropped(reason, frame);
            }
        }
        let datagram = self.datagrams.value_mut(slot);
        datagram.largest = datagram.largest.max(ip.total_len.min(u32::from(u16::MAX)) as u16);
        let place = Place { span, covers, buffers };
        self.place(slot, frame, place, fragment, alloc, sink)
    }

    /// Whether a fragment that overlaps others begins within TCP's header, or if it has that (up to `tcp_until`), one of them does.
    fn within_tcp_header(&self, slot: u32, start: u32, tcp_until: u32) -> bool {
        let datagram = self.datagrams.value(slot);
        if tcp_until > 0 {
            // Whatever lies there began in the header: nothing with offset 0 came.
            return datagram.pieces.first_within(&self.nodes, Span::new(0, tcp_until)).is_some();
        }
        (1..datagram.tcp_until).contains(&start)
    }

    fn take_header(
        &mut self,
        slot: u32,
        frame: &Frame,
        ip: &Ip,
        fragment: &Fragment,
        alloc: &mut dyn FrameAllocator,
    ) -> Result<(), DropReason> {
        let header = &mut self.datagrams.value_mut(slot).header;
        let segments = header.take(frame, ip, fragment, &mut self.head_room, alloc)?;
        if segments > 0 {
            self.charge(slot, segments as u64 * u64::from(self.settings.buffer_bytes));
        }
        Ok(())
    }

    fn place(
        &mut self,
        slot: u32,
        frame: Frame,
        place: Place,
        fragment: &Fragment,
        alloc: &mut dyn FrameAllocator,
        sink: &mut impl Sink,
    ) -> Outcome {
        let Place { span, covers, buffers } = place;
        let meta = frame.meta();
        let datagram = self.datagrams.value_mut(slot);
        let tiny = span.len() < TINY;
        let pages =
            if tiny && datagram.tiny >= TINY_KEPT { datagram.pieces.make_pages(span, alloc) } else { None };
        let new = Newcomer { of: span, frame, skip: fragment.payload, in_page: pages.is_some() };
        let (pieces, nodes) = (&mut datagram.pieces, &mut self.nodes);
        let added = match pages {
            None if covers.is_none() => pieces.add_apart(nodes, new).map(|()| None),
            _ => pieces.add(nodes, new, covers, datagram.policy),
        };
        let refused = match added {
            Ok(None) => None,
            // A copied fragment's own frame is freed here: its bytes are in the page.
            Ok(Some(frame)) => Some(frame),
            Err(_) => {
                datagram.fragments += 1;
                self.counters.held += 1;
                self.poison(slot, DropReason::FragmentMemoryCap, sink);
                return Outcome::GivenUp(DropReason::FragmentMemoryCap);
            }
        };
        let each = u64::from(self.settings.buffer_bytes);
        let shares = u64::from(datagram.pieces.take_shares()) * each;
        let own = if refused.is_some() { 0 } else { buffers };
        let cost = pages.map_or(own, |made| u64::from(made) * each) + shares;
        // The last one may bring no byte, and tells all the same where the datagram ends: its frame alone is not kept.
        let ends = !fragment.more && datagram.total.is_none();
        if let Some(frame) = refused.filter(|_| !ends) {
            self.charge(slot, cost);
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
        if let Some(reason) = self.over(slot, 0).filter(|_| shares > 0 && !whole) {
            self.poison(slot, reason, sink);
            return Outcome::GivenUp(reason);
        }
        if whole { self.complete(slot, meta, alloc, sink) } else { Outcome::Held }
    }
}
