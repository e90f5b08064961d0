//! A port's queues: bursts in and out, and nothing else for each packet.

#![allow(unsafe_code)] // the burst functions; every block says why it is sound

use super::device::Device;
use super::eal::Timestamp;
use super::pool::Allocator;
use crate::base::{PortId, Time};
use crate::io::burst::{drain_into, fill_from, leading_mbufs};
use crate::io::clock::Clock;
use crate::io::frame::MAX_SEGMENTS;
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

    /// Compacts chains among the leading mbufs that are too long for the port. A frame for which there was no buffer, or
    /// which no compaction makes short enough, goes to the burst's end. How many at the front can go.
    fn compact(&mut self, burst: &mut Burst) -> usize {
        let n = leading_mbufs(burst);
        let leading = burst.get(..n).unwrap_or_default();
        // Looked at together first: the branches for each frame are for those few bursts that need them.
        // SAFETY: `leading_mbufs` counted them.
        if !unsafe { Frame::some_mbuf_is_longer(leading, self.max_segments) } {
            return n;
        }
        let (mut at, mut sendable) = (0, n);
        while let Some(frame) = burst.get_mut(at).filter(|_| at < sendable) {
            match self.fit(frame) {
                true => at += 1,
                false => {
                    let frame = burst.remove(at);
                    burst.push(frame);
                    sendable -= 1;
                }
            }
        }
        sendable
    }

    fn fit(&mut self, frame: &mut Frame) -> bool {
        if frame.segment_count() <= self.max_segments {
            return true;
        }
        match self.compactor.compact(frame) {
            Some(shorter) if shorter.segment_count() <= self.max_segments => {
                *frame = shorter;
                true
            }
            _ => false,
        }
    }
}

impl TxQueue for Transmit {
    #[inline]
    fn send(&mut self, burst: &mut Burst) -> usize {
        let n = if self.max_segments < MAX_SEGMENTS { self.compact(burst) } else { leading_mbufs(burst) };
        // SAFETY: a started port's queue, handed out once; the first n are mbufs, and the driver owns what it takes.
        unsafe {
            drain_into(burst, n, |bufs, n| dpdk_sys::weir_eth_tx_burst(self.device.id(), self.queue, bufs, n))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DpdkPort, Eal, EalConfig, Pool, PoolConfig, PortConfig};
    use super::*;
    use crate::io::{FrameAllocator, PacketIo};

    fn chain(from: &mut Allocator, segments: u8) -> Frame {
        let mut frame = from.allocate(&[0]).unwrap();
        frame.set_meta(FrameMeta { packet: u32::from(segments), ..FrameMeta::default() });
        for n in 1..segments {
            frame.append(from.allocate(&[n]).unwrap()).unwrap();
        }
        frame
    }

    /// The only unit test that starts EAL: one process can do so once.
    #[test]
    fn chains_too_long_for_the_port_are_compacted_and_what_cannot_be_stays_behind_the_others() {
        let memory = super::super::Memory::NoHuge { megabytes: 64 };
        let eal = Eal::start(&EalConfig { memory, ..EalConfig::default() }).unwrap();
        let config = PoolConfig { segments: 255, cache: 0, segment_bytes: 8, ..PoolConfig::default() };
        let pool = Pool::new(&eal, &config).unwrap();
        let config = PortConfig { device: "net_null0".to_owned(), ..PortConfig::default() };
        let port = DpdkPort::open(&eal, &pool, &config).unwrap();
        let mut from = pool.allocator();
        let mut tx = Transmit::new(Arc::clone(port.device()), 0, 2, pool.allocator());
        let mut burst: Burst = [1, 20, 9, 2].into_iter().map(|segments| chain(&mut from, segments)).collect();

        assert_eq!(tx.compact(&mut burst), 3);
        let shape: Vec<_> = burst.iter().map(|f| (f.meta().packet, f.segment_count(), f.len())).collect();
        assert_eq!(shape, [(1, 1, 1), (9, 2, 9), (2, 2, 2), (20, 20, 20)]);
        let mut scratch = [0; 16];
        assert_eq!(burst[1].view(&mut scratch), [0, 1, 2, 3, 4, 5, 6, 7, 8]);

        assert_eq!(tx.send(&mut burst), 3);
        assert_eq!((burst.len(), burst[0].segment_count()), (1, 20));
        assert_eq!(port.stats().tx_packets, 3);
        drop(burst);

        let mut asking = chain(&mut from, 9);
        assert!(!asking.leave_ipv4_checksum(128, 20) && !asking.leaves_ipv4_checksum(), "too far behind");
        assert!(asking.leave_ipv4_checksum(18, 24) && asking.leaves_ipv4_checksum());
        let mut burst: Burst = [asking, chain(&mut from, 9)].into_iter().collect();
        assert_eq!(tx.compact(&mut burst), 2);
        let left: Vec<_> = burst.iter().map(|f| (f.segment_count(), f.leaves_ipv4_checksum())).collect();
        assert_eq!(left, [(2, true), (2, false)], "compacted, and still left to the port");
        drop((burst, tx, port));
        assert_eq!(pool.in_use(), 0);
    }
}
