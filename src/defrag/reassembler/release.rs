//! What is held, and how it is let go: caps, timeouts, the end.

use super::{AGE, Datagram, MAX_REFUSED, Reassembler, Sink};
use crate::base::{DropReason, Time};

impl Reassembler {
    /// Why a datagram may not have one fragment more.
    pub(super) fn cap(&self, slot: u32, buffers: u64) -> Option<DropReason> {
        if self.datagrams.value(slot).fragments >= self.settings.datagram_fragments {
            return Some(DropReason::FragmentDatagramCap);
        }
        self.over(slot, buffers)
    }

    /// The cap that so many buffer bytes more would break.
    pub(super) fn over(&self, slot: u32, buffers: u64) -> Option<DropReason> {
        let datagram = self.datagrams.value(slot);
        let source = datagram.source.map_or(0, |s| self.sources.value(s).memory);
        if datagram.memory + buffers > self.settings.datagram_memory {
            Some(DropReason::FragmentDatagramCap)
        } else if datagram.source.is_some() && source + buffers > self.settings.source_memory {
            Some(DropReason::FragmentSourceCap)
        } else if self.memory + buffers > self.settings.memory {
            Some(DropReason::FragmentMemoryCap)
        } else {
            None
        }
    }

    pub(super) fn charge(&mut self, slot: u32, bytes: u64) {
        let datagram = self.datagrams.value_mut(slot);
        datagram.memory += bytes;
        self.memory += bytes;
        if let Some(source) = datagram.source {
            self.sources.value_mut(source).memory += bytes;
        }
    }

    /// Gives back what the datagram holds but its slot; how many fragments that were.
    pub(super) fn let_go(&mut self, slot: u32) -> u32 {
        let datagram = self.datagrams.value_mut(slot);
        datagram.pieces.clear(&mut self.nodes);
        datagram.header.forget();
        self.memory -= datagram.memory;
        if let Some(source) = datagram.source {
            self.sources.value_mut(source).memory -= datagram.memory;
        }
        self.counters.held -= u64::from(datagram.fragments);
        datagram.memory = 0;
        std::mem::take(&mut datagram.fragments)
    }

    /// As `let_go`, and the fragments count as dropped.
    pub(super) fn discard(&mut self, slot: u32, reason: DropReason, sink: &mut impl Sink) {
        if sink.watches() {
            let Datagram { pieces, ip_at, copies, .. } = self.datagrams.value(slot);
            pieces.each(&self.nodes, |fragment| sink.lost(fragment, *ip_at, reason, *copies));
        }
        let fragments = self.let_go(slot);
        self.counters.dropped += u64::from(fragments);
        if fragments > 0 {
            let datagram = self.datagrams.value(slot);
            sink.dropped(reason, datagram.port, fragments, datagram.copies);
        }
    }

    /// Drops the datagram's fragments, and those that still come until its time is over.
    pub(super) fn poison(&mut self, slot: u32, reason: DropReason, sink: &mut impl Sink) {
        self.discard(slot, reason, sink);
        self.datagrams.value_mut(slot).poisoned = Some(reason);
    }

    /// A fragment was not taken. After too many its datagram is given up: what still comes costs a look at the table.
    pub(super) fn count_refused(&mut self, slot: u32, sink: &mut impl Sink) {
        let datagram = self.datagrams.value_mut(slot);
        datagram.refused = datagram.refused.saturating_add(1);
        if datagram.refused > MAX_REFUSED && datagram.poisoned.is_none() {
            self.poison(slot, DropReason::FragmentDatagramCap, sink);
        }
    }

    pub(super) fn time_out(&mut self, slot: u32, sink: &mut impl Sink) {
        let datagram = self.datagrams.value_mut(slot);
        self.counters.timeouts += u64::from(datagram.poisoned.is_none());
        if self.settings.tell_timeouts && datagram.header.is_known() && !datagram.copies {
            let first = datagram.pieces.take_first(&mut self.nodes, 0);
            if let Some((first, ..)) = first {
                let at = datagram.header.place();
                if sink.watches() {
                    sink.lost(&first, at.ip, DropReason::FragmentTimeout, false);
                }
                sink.timed_out(first, at);
            }
        }
        self.discard(slot, DropReason::FragmentTimeout, sink);
        self.forget(slot);
    }

    /// The datagram's slot is free.
    pub(super) fn forget(&mut self, slot: u32) {
        if self.datagrams.value(slot).memory > 0 {
            self.let_go(slot); // a header whose fragment was refused
        }
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
