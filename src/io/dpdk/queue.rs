//! A port's queues: bursts in and out, and nothing else for each packet.

#![allow(unsafe_code)] // the burst functions; every block says why it is sound

use super::eal::Timestamp;
use super::pool::Allocator;
use super::port::Device;
use crate::base::{PortId, Time};
use crate::io::burst::{drain_into, fill_from, leading_mbufs};
use crate::io::clock::Clock;
use crate::io::{Burst, Frame, FrameMeta, RxQueue, TxQueue};
use std::sync::Arc;

/// Whence a received frame has its time.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Stamp {
    /// The lcore's clock, read once a burst.
    #[default]
    Clock,
    /// What the driver says in the receive timestamp (`net_pcap`: the capture's time, in microseconds).
    Driver,
}

pub(super) struct Receive {
    device: Arc<Device>,
    queue: u16,
    stamp: Stamp,
    clock: Clock,
    timestamp: Timestamp,
    /// The latest capture time so far: what the appliance's clock says in a replay.
    latest: Time,
}

impl Receive {
    pub(super) fn new(device: Arc<Device>, queue: u16, stamp: Stamp) -> Receive {
        let eal = device.eal();
        let (clock, timestamp) = (eal.time().clock(), eal.timestamp());
        Receive { device, queue, stamp, clock, timestamp, latest: Time::ZERO }
    }

    fn stamp_clock(&mut self, frames: &mut [Frame]) {
        let (now, port) = (self.clock.now(), PortId(self.device.id()));
        for frame in frames {
            frame.set_meta(FrameMeta { time: now, clock: now, packet: 0, epoch: 0, port });
        }
    }

    fn stamp_driver(&mut self, frames: &mut [Frame]) {
        let port = PortId(self.device.id());
        for frame in frames {
            let time = frame.driver_time(self.timestamp.offset, self.timestamp.flag).unwrap_or(self.latest);
            self.latest = self.latest.max(time);
            frame.set_meta(FrameMeta { time, clock: self.latest, packet: 0, epoch: 0, port });
        }
    }
}

impl Receive {
    /// As [`RxQueue::receive`], but at most `limit` frames.
    pub(super) fn receive_up_to(&mut self, burst: &mut Burst, limit: u16) -> usize {
        let held = burst.len();
        let n = self.receive_raw(burst, limit);
        let Some(new) = burst.get_mut(held..).filter(|new| !new.is_empty()) else { return n };
        match self.stamp {
            Stamp::Clock => self.stamp_clock(new),
            Stamp::Driver => self.stamp_driver(new),
        }
        n
    }

    #[inline]
    fn receive_raw(&mut self, burst: &mut Burst, limit: u16) -> usize {
        // SAFETY: a started port's queue, handed out once, so this is its only reader; the driver writes owned mbufs, no
        // more than it is asked for.
        unsafe {
            fill_from(burst, |bufs, room| {
                dpdk_sys::weir_eth_rx_burst(self.device.id(), self.queue, bufs, room.min(limit))
            })
        }
    }
}

impl RxQueue for Receive {
    fn receive(&mut self, burst: &mut Burst) -> usize {
        self.receive_up_to(burst, u16::MAX)
    }

    #[inline]
    fn receive_unstamped(&mut self, burst: &mut Burst) -> usize {
        self.receive_raw(burst, u16::MAX)
    }
}

pub(super) struct Transmit {
    device: Arc<Device>,
    queue: u16,
    /// More segments than this the port does not take in one frame.
    max_segments: usize,
    compactor: Allocator,
}

impl Transmit {
    pub(super) fn new(
        device: Arc<Device>,
        queue: u16,
        max_segments: usize,
        compactor: Allocator,
    ) -> Transmit {
        Transmit { device, queue, max_segments, compactor }
    }

    /// Compacts chains that are too long for the port. How many frames at the front can go: up to the first for which
    /// there was no buffer, or which no compaction makes short enough.
    fn compact(&mut self, burst: &mut Burst) -> usize {
        for (at, frame) in burst.iter_mut().enumerate() {
            if frame.segment_count() <= self.max_segments {
                continue;
            }
            match self.compactor.compact(frame) {
                Some(shorter) if shorter.segment_count() <= self.max_segments => *frame = shorter,
                _ => return at,
            }
        }
        burst.len()
    }
}

impl TxQueue for Transmit {
    #[inline]
    fn send(&mut self, burst: &mut Burst) -> usize {
        let mut n = leading_mbufs(burst);
        if self.max_segments < crate::io::frame::MAX_SEGMENTS {
            n = n.min(self.compact(burst));
        }
        // SAFETY: a started port's queue, handed out once; the first n are mbufs, and the driver owns what it takes.
        unsafe {
            drain_into(burst, n, |bufs, n| dpdk_sys::weir_eth_tx_burst(self.device.id(), self.queue, bufs, n))
        }
    }
}
