//! The memory backend: ports, rings and frames of heap bytes, for tests and wherever there is no EAL.
//!
//! A [`HeapPool`] counts what it gave out, so a test can assert that every frame came back.

use super::port::{
    Burst, FrameAllocator, FrameReceiver, FrameSender, PacketIo, PortInfo, PortMeter, PortStats, RingEnds,
    RxQueue, TxQueue,
};
use super::{BURST, Frame, FrameMeta, Rebuilt};
use crate::base::PortId;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A run of bytes within a shared buffer.
struct Segment {
    bytes: Arc<[u8]>,
    start: usize,
    end: usize,
}

/// A frame's heap form.
pub struct HeapFrame {
    pub(super) meta: FrameMeta,
    pub(super) rebuilt: Option<Rebuilt>,
    segments: VecDeque<Segment>,
    outstanding: Arc<AtomicUsize>,
}

impl HeapFrame {
    pub(super) fn segments(&self) -> impl Iterator<Item = &[u8]> {
        self.segments.iter().map(|s| &s.bytes[s.start..s.end])
    }

    pub(super) fn single(&self) -> Option<&[u8]> {
        self.segments.front().filter(|_| self.segments.len() == 1).map(|s| &s.bytes[s.start..s.end])
    }

    pub(super) fn share(&self) -> HeapFrame {
        self.outstanding.fetch_add(1, Ordering::Relaxed);
        let copy = |s: &Segment| Segment { bytes: Arc::clone(&s.bytes), start: s.start, end: s.end };
        HeapFrame {
            meta: self.meta,
            rebuilt: self.rebuilt,
            segments: self.segments.iter().map(copy).collect(),
            outstanding: Arc::clone(&self.outstanding),
        }
    }

    pub(super) fn first_mut(&mut self) -> Option<&mut [u8]> {
        let first = self.segments.front_mut()?;
        Arc::get_mut(&mut first.bytes).map(|bytes| &mut bytes[first.start..first.end])
    }

    pub(super) fn trim_front(&mut self, mut bytes: usize) {
        while let Some(first) = self.segments.front_mut() {
            let n = bytes.min(first.end - first.start);
            first.start += n;
            bytes -= n;
            if first.start < first.end || self.segments.len() == 1 {
                break;
            }
            self.segments.pop_front();
        }
    }

    pub(super) fn truncate(&mut self, len: usize) {
        let mut left = len;
        for segment in &mut self.segments {
            segment.end = segment.start + left.min(segment.end - segment.start);
            left -= segment.end - segment.start;
        }
        while self.segments.len() > 1 && self.segments.back().is_some_and(|s| s.start == s.end) {
            self.segments.pop_back();
        }
    }

    pub(super) fn split_off(&mut self, len: usize) -> Option<HeapFrame> {
        let all: usize = self.segments().map(<[u8]>::len).sum();
        if len == 0 || len >= all {
            return None;
        }
        let mut rest = self.share();
        rest.trim_front(len);
        self.truncate(len);
        Some(rest)
    }

    pub(super) fn prepend(&mut self, bytes: &[u8]) -> bool {
        let Some(first) = self.segments.front_mut() else { return false };
        let Some(start) = first.start.checked_sub(bytes.len()) else { return false };
        let Some(room) = Arc::get_mut(&mut first.bytes).and_then(|all| all.get_mut(start..first.start))
        else {
            return false;
        };
        room.copy_from_slice(bytes);
        first.start = start;
        true
    }

    /// Moves the other's segments behind these.
    pub(super) fn append(&mut self, other: &mut HeapFrame) {
        self.segments.append(&mut other.segments);
    }
}

impl Drop for HeapFrame {
    fn drop(&mut self) {
        self.outstanding.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Where heap frames come from. Clones share the count.
#[derive(Clone, Default)]
pub struct HeapPool {
    outstanding: Arc<AtomicUsize>,
}

impl HeapPool {
    /// Frames not yet freed.
    pub fn outstanding(&self) -> usize {
        self.outstanding.load(Ordering::Relaxed)
    }

    pub fn frame(&self, bytes: &[u8]) -> Frame {
        self.chain(&[bytes])
    }

    /// A frame of these segments.
    pub fn chain(&self, segments: &[&[u8]]) -> Frame {
        self.outstanding.fetch_add(1, Ordering::Relaxed);
        let segment = |bytes: &&[u8]| Segment { bytes: Arc::from(*bytes), start: 0, end: bytes.len() };
        Frame::from_heap(Box::new(HeapFrame {
            meta: FrameMeta::default(),
            rebuilt: None,
            segments: segments.iter().map(segment).collect(),
            outstanding: Arc::clone(&self.outstanding),
        }))
    }
}

impl FrameAllocator for HeapPool {
    fn allocate(&mut self, bytes: &[u8]) -> Option<Frame> {
        Some(self.frame(bytes))
    }
}

/// The outside of a memory port: a test puts frames in and takes out what was sent.
#[derive(Clone, Default)]
pub struct Wire {
    inbound: Arc<Mutex<VecDeque<Frame>>>,
    outbound: Arc<Mutex<VecDeque<Frame>>>,
}

impl Wire {
    pub fn put(&self, frame: Frame) {
        lock(&self.inbound).push_back(frame);
    }

    pub fn take(&self) -> Option<Frame> {
        lock(&self.outbound).pop_front()
    }

    /// Frames put in that no one has received yet.
    pub fn pending(&self) -> usize {
        lock(&self.inbound).len()
    }
}

fn lock(queue: &Mutex<VecDeque<Frame>>) -> std::sync::MutexGuard<'_, VecDeque<Frame>> {
    queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A port with as many queues each way as it has wires.
pub struct MemoryPort {
    id: PortId,
    info: PortInfo,
    stats: PortStats,
    rx: Vec<Option<Wire>>,
    tx: Vec<Option<Wire>>,
}

impl MemoryPort {
    /// With one queue each way.
    pub fn new(id: PortId, info: PortInfo) -> (MemoryPort, Wire) {
        let wire = Wire::default();
        (MemoryPort::on(id, info, std::slice::from_ref(&wire)), wire)
    }

    /// What it is to say that it counted.
    pub fn set_stats(&mut self, stats: PortStats) {
        self.stats = stats;
    }

    /// With as many queues each way as `info` says it receives on, a wire each: whoever puts frames in is the NIC that
    /// spreads them.
    pub fn with_queues(id: PortId, info: PortInfo) -> (MemoryPort, Vec<Wire>) {
        let wires: Vec<Wire> = (0..info.rx_queues).map(|_| Wire::default()).collect();
        (MemoryPort::on(id, info, &wires), wires)
    }

    fn on(id: PortId, info: PortInfo, wires: &[Wire]) -> MemoryPort {
        let ends = || wires.iter().cloned().map(Some).collect();
        MemoryPort { id, info, stats: PortStats::default(), rx: ends(), tx: ends() }
    }
}

impl PacketIo for MemoryPort {
    fn id(&self) -> PortId {
        self.id
    }

    fn info(&self) -> &PortInfo {
        &self.info
    }

    fn stats(&self) -> PortStats {
        self.stats
    }

    fn meter(&self) -> Option<Box<dyn PortMeter>> {
        Some(Box::new(FixedMeter(self.stats)))
    }

    fn take_rx(&mut self, queue: u16) -> Option<Box<dyn RxQueue>> {
        let wire = self.rx.get_mut(usize::from(queue))?.take()?;
        Some(Box::new(MemoryRx { wire, port: self.id }))
    }

    fn take_tx(&mut self, queue: u16) -> Option<Box<dyn TxQueue>> {
        let wire = self.tx.get_mut(usize::from(queue))?.take()?;
        Some(Box::new(MemoryTx { wire }))
    }
}

struct FixedMeter(PortStats);

impl PortMeter for FixedMeter {
    fn stats(&self) -> PortStats {
        self.0
    }
}

struct MemoryRx {
    wire: Wire,
    port: PortId,
}

impl RxQueue for MemoryRx {
    fn receive(&mut self, burst: &mut Burst) -> usize {
        let mut queue = lock(&self.wire.inbound);
        let n = queue.len().min(BURST - burst.len());
        for mut frame in queue.drain(..n) {
            frame.set_meta(FrameMeta { port: self.port, ..frame.meta() });
            burst.push(frame);
        }
        n
    }
}

struct MemoryTx {
    wire: Wire,
}

impl TxQueue for MemoryTx {
    fn send(&mut self, burst: &mut Burst) -> usize {
        let n = burst.len();
        lock(&self.wire.outbound).extend(burst.drain(..));
        n
    }
}

/// A ring between two lcores.
pub fn ring(capacity: usize) -> RingEnds {
    let (producer, consumer) = rtrb::RingBuffer::new(capacity);
    (Box::new(RingSender(producer)), Box::new(RingReceiver(consumer)))
}

struct RingSender(rtrb::Producer<Frame>);

impl FrameSender for RingSender {
    fn send(&mut self, burst: &mut Burst) -> usize {
        let n = self.0.slots().min(burst.len());
        for frame in burst.drain(..n) {
            // There is room: only this end adds.
            let _ = self.0.push(frame);
        }
        n
    }

    fn fill(&self) -> (usize, usize) {
        let capacity = self.0.buffer().capacity();
        (capacity - self.0.slots(), capacity)
    }
}

struct RingReceiver(rtrb::Consumer<Frame>);

impl FrameReceiver for RingReceiver {
    fn receive(&mut self, burst: &mut Burst) -> usize {
        let n = self.0.slots().min(BURST - burst.len());
        burst.extend((0..n).filter_map(|_| self.0.pop().ok()));
        n
    }

    fn waiting(&self) -> usize {
        self.0.slots()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_goes_into_a_port_and_a_ring_comes_out_in_order_or_is_still_there(
            frames in 0usize..200, capacity in 1usize..50,
        ) {
            let pool = HeapPool::default();
            let (mut port, wire) = MemoryPort::new(PortId(3), PortInfo::default());
            let (mut rx, mut tx) = (port.take_rx(0).unwrap(), port.take_tx(0).unwrap());
            let (mut sender, mut receiver) = ring(capacity);
            (0..frames).for_each(|n| wire.put(pool.frame(&n.to_be_bytes())));
            let (mut burst, mut dropped, mut sent) = (Burst::new(), 0, 0);
            while rx.receive(&mut burst) > 0 {
                sender.send(&mut burst);
                dropped += burst.len();
                burst.clear();
                prop_assert!(receiver.waiting() <= capacity);
                if sent % 2 == 0 || receiver.waiting() == capacity {
                    receiver.receive(&mut burst);
                    sent += tx.send(&mut burst);
                }
            }
            prop_assert_eq!(frames, sent + dropped + receiver.waiting());
            prop_assert_eq!(pool.outstanding(), sent + receiver.waiting());
            let out: Vec<Frame> = std::iter::from_fn(|| wire.take()).collect();
            prop_assert!(out.iter().all(|frame| frame.meta().port == PortId(3)));
            let order: Vec<Vec<u8>> = out.iter().map(|f| f.segments().flatten().copied().collect()).collect();
            prop_assert!(order.is_sorted() && order.len() == sent);
            drop((out, sender, receiver));
            prop_assert_eq!(pool.outstanding(), 0);
        }
    }

    #[test]
    fn each_queue_is_handed_out_once() {
        let (mut port, _wire) = MemoryPort::new(PortId(0), PortInfo::default());
        assert!(port.take_rx(1).is_none() && port.take_tx(1).is_none());
        assert!(port.take_rx(0).is_some() && port.take_tx(0).is_some());
        assert!(port.take_rx(0).is_none() && port.take_tx(0).is_none());
    }
}
