//! The frame: owned, never cloned in secret, freed exactly once.
//!
//! On the fast path a frame *is* the mbuf pointer, so an array of frames is what the burst functions take and no
//! conversion happens. In tests it is a heap object of the [memory backend](super::memory). The lowest pointer bit tells
//! which (both are aligned to more than 2 bytes).

#![allow(unsafe_code)] // mbuf and Box pointers; every block says why it is sound

mod chain;
mod mbuf;
#[cfg(test)]
mod tests;

use super::memory::HeapFrame;
use crate::base::{PortId, Time};
use dpdk_sys::rte_mbuf;
use mbuf::Mbuf;
use std::ptr::NonNull;

pub use chain::Chain;
pub(super) use mbuf::{META_BYTES, set_meta_offset, set_rebuilt_flag};

const HEAP_TAG: usize = 1;

/// Received with the frame, or given to it by who generated it. 24 bytes without the port: what an mbuf's dynamic
/// fields have room for beside the receive timestamp.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct FrameMeta {
    /// When it was captured: what events say.
    pub time: Time,
    /// The appliance's time at arrival: as `time`, but never running backwards, as captures do. State lives by this one.
    pub clock: Time,
    /// The lower half of its arrival number over all ports, from 1 (the field has no room for all of it; a lane widens it by the
    /// numbers near it); a rebuilt datagram has that of its last piece.
    pub packet: u32,
    /// Twice the fragments that were distributed before this frame, and one more when it was taken for one itself: a replay's
    /// order between workers (`pipeline::handover`). Otherwise 0, and 1 on the way to another worker as it was received
    /// (`pipeline::intake`).
    pub epoch: u32,
    /// From the main lcore on: the place of the port in the configuration, whatever number its device has.
    pub port: PortId,
}

/// What a rebuilt datagram was made from, and is no more seen in its bytes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// The fragments' identification.
    pub id: u32,
    /// The largest IP packet among the fragments, in bytes.
    pub largest: u16,
}

/// Segments a chain may have: an mbuf counts them in 16 bits; this bound keeps a walk short.
pub const MAX_SEGMENTS: usize = 1024;

/// One received or generated packet, as a chain of segments.
#[repr(transparent)]
pub struct Frame(NonNull<u8>);

// SAFETY: a frame owns its bytes; mbuf reference counts are atomic, and heap segments are `Arc`s.
unsafe impl Send for Frame {}

/// Which of the two a frame is.
enum Form<'a> {
    Heap(&'a HeapFrame),
    Mbuf(Mbuf),
}

enum FormMut<'a> {
    Heap(&'a mut HeapFrame),
    Mbuf(Mbuf),
}

impl Frame {
    pub(super) fn from_heap(heap: Box<HeapFrame>) -> Frame {
        let raw = Box::into_raw(heap).cast::<u8>();
        // SAFETY: a Box is not null, and adding the tag to an even address keeps it so.
        Frame(unsafe { NonNull::new_unchecked(raw.map_addr(|a| a | HEAP_TAG)) })
    }

    /// # Safety
    /// `head` is the head of a chain that the caller owns and gives up, of a pool that outlives the frame.
    pub(super) unsafe fn from_mbuf(head: NonNull<rte_mbuf>) -> Frame {
        Frame(head.cast())
    }

    #[inline]
    pub(super) fn is_heap(&self) -> bool {
        self.0.as_ptr().addr() & HEAP_TAG != 0
    }

    #[inline]
    pub(super) fn none_is_heap(frames: &[Frame]) -> bool {
        frames.iter().fold(0, |bits, frame| bits | frame.0.as_ptr().addr()) & HEAP_TAG == 0
    }

    /// Whether one of these frames, all of them mbufs, has more segments than `most`.
    ///
    /// # Safety
    /// None of the frames is of the heap.
    #[inline]
    pub(super) unsafe fn some_mbuf_is_longer(frames: &[Frame], most: usize) -> bool {
        // SAFETY: the caller's promise. Without a branch a frame, the mbufs' lines are fetched side by side.
        let count = |frame: &Frame| unsafe { Mbuf::new(frame.0.cast()).segment_count() };
        frames.iter().fold(false, |longer, frame| longer | (count(frame) > most))
    }

    fn heap_ptr(&self) -> *mut HeapFrame {
        self.0.as_ptr().map_addr(|a| a & !HEAP_TAG).cast()
    }

    #[inline]
    fn form(&self) -> Form<'_> {
        // SAFETY: the tag says that `from_heap` made this pointer from a Box, or `from_mbuf` from a chain; either is
        // ours until drop.
        unsafe {
            if self.is_heap() { Form::Heap(&*self.heap_ptr()) } else { Form::Mbuf(Mbuf::new(self.0.cast())) }
        }
    }

    fn form_mut(&mut self) -> FormMut<'_> {
        // SAFETY: as `form`, and `&mut self` is the only reference.
        unsafe {
            if self.is_heap() {
                FormMut::Heap(&mut *self.heap_ptr())
            } else {
                FormMut::Mbuf(Mbuf::new(self.0.cast()))
            }
        }
    }

    /// Bytes in all segments.
    #[inline]
    pub fn len(&self) -> usize {
        match self.form() {
            Form::Heap(heap) => heap.segments().map(<[u8]>::len).sum(),
            Form::Mbuf(mbuf) => mbuf.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    pub fn meta(&self) -> FrameMeta {
        match self.form() {
            Form::Heap(heap) => heap.meta,
            Form::Mbuf(mbuf) => mbuf.meta(),
        }
    }

    #[inline]
    pub fn set_meta(&mut self, meta: FrameMeta) {
        match self.form_mut() {
            FormMut::Heap(heap) => heap.meta = meta,
            FormMut::Mbuf(mbuf) => mbuf.set_meta(&meta),
        }
    }

    /// Only the port: for frames that are passed on without a stamp.
    #[inline]
    pub fn set_port(&mut self, port: PortId) {
        match self.form_mut() {
            FormMut::Heap(heap) => heap.meta.port = port,
            FormMut::Mbuf(mbuf) => mbuf.set_port(port),
        }
    }

    /// What it was rebuilt from; `None` for a frame that came as it is.
    pub fn rebuilt(&self) -> Option<Rebuilt> {
        match self.form() {
            Form::Heap(heap) => heap.rebuilt,
            Form::Mbuf(mbuf) => mbuf.rebuilt(),
        }
    }

    pub fn set_rebuilt(&mut self, rebuilt: Rebuilt) {
        match self.form_mut() {
            FormMut::Heap(heap) => heap.rebuilt = Some(rebuilt),
            FormMut::Mbuf(mbuf) => mbuf.set_rebuilt(rebuilt),
        }
    }

    /// The driver's receive timestamp, when the frame has one.
    #[inline]
    pub(super) fn driver_time(&self, offset: usize, flag: u64) -> Option<Time> {
        match self.form() {
            Form::Heap(_) => None,
            Form::Mbuf(mbuf) => mbuf.driver_time(offset, flag),
        }
    }

    /// The bytes, segment after segment; some may be empty.
    pub fn segments(&self) -> impl Iterator<Item = &[u8]> {
        let (heap, mbuf) = match self.form() {
            Form::Heap(heap) => (Some(heap.segments()), None),
            Form::Mbuf(mbuf) => (None, Some(mbuf.segments())),
        };
        heap.into_iter().flatten().chain(mbuf.into_iter().flatten())
    }

    #[inline]
    pub fn segment_count(&self) -> usize {
        match self.form() {
            Form::Heap(heap) => heap.segments().count(),
            Form::Mbuf(mbuf) => mbuf.segment_count(),
        }
    }

    /// The only segment, when there is only one.
    #[inline]
    fn single(&self) -> Option<&[u8]> {
        match self.form() {
            Form::Heap(heap) => heap.single(),
            Form::Mbuf(mbuf) => mbuf.single(),
        }
    }

    /// The whole frame as one slice: borrowed when it is one segment, else gathered into `scratch`, cut to its length.
    #[inline]
    pub fn view<'a>(&'a self, scratch: &'a mut [u8]) -> &'a [u8] {
        if let Some(bytes) = self.single() {
            return bytes;
        }
        let filled = self.copy_to(0, scratch);
        scratch.get(..filled).unwrap_or_default()
    }

    /// The first segment's bytes.
    #[inline]
    pub fn first(&self) -> &[u8] {
        match self.form() {
            Form::Heap(heap) => heap.segments().next().unwrap_or_default(),
            Form::Mbuf(mbuf) => mbuf.first(),
        }
    }

    /// Copies from `offset` on into `out`; how many bytes there were.
    pub fn copy_to(&self, offset: usize, out: &mut [u8]) -> usize {
        // All of it from the first segment, most often.
        let first = self.first().get(offset..).and_then(|rest| rest.get(..out.len()));
        if let Some(bytes) = first {
            out.copy_from_slice(bytes);
            return bytes.len();
        }
        self.gather(offset, out)
    }

    fn gather(&self, mut offset: usize, out: &mut [u8]) -> usize {
        let mut filled = 0;
        for segment in self.segments() {
            let Some(rest) = segment.get(offset..) else {
                offset -= segment.len();
                continue;
            };
            offset = 0;
            let room = out.get_mut(filled..).unwrap_or_default();
            let n = rest.len().min(room.len());
            if let (Some(to), Some(from)) = (room.get_mut(..n), rest.get(..n)) {
                to.copy_from_slice(from);
            }
            filled += n;
        }
        filled
    }

    /// Another owner of the same bytes, which from now on nobody may change; `None` when the frame's pool is empty.
    pub fn share(&self) -> Option<Frame> {
        match self.form() {
            Form::Heap(heap) => Some(Frame::from_heap(Box::new(heap.share()))),
            // SAFETY: the clone is a chain of its own, of the same pool.
            Form::Mbuf(mbuf) => mbuf.share().map(|head| unsafe { Frame::from_mbuf(head) }),
        }
    }

    /// The first segment for changing, unless its bytes are shared.
    pub fn first_mut(&mut self) -> Option<&mut [u8]> {
        match self.form_mut() {
            FormMut::Heap(heap) => heap.first_mut(),
            // SAFETY: the borrow of `self` is exclusive for as long as the slice lives.
            FormMut::Mbuf(mbuf) => unsafe { mbuf.first_mut() },
        }
    }

    /// Takes bytes off the front, over segments; emptied segments are freed. At most the whole frame.
    pub fn trim_front(&mut self, bytes: usize) {
        match self.form_mut() {
            FormMut::Heap(heap) => heap.trim_front(bytes),
            FormMut::Mbuf(mbuf) => self.0 = mbuf.trim_front(bytes).cast(),
        }
    }

    /// Keeps the first `len` bytes; what was behind is freed.
    pub fn truncate(&mut self, len: usize) {
        match self.form_mut() {
            FormMut::Heap(heap) => heap.truncate(len),
            FormMut::Mbuf(mbuf) => mbuf.truncate(len),
        }
    }

    /// Keeps the first `len` bytes and gives the rest as a frame of its own, without copying: a segment that is cut is shared.
    /// `None`, and nothing has changed, when there is no rest, nothing before it, or no buffer in the pool. The rest's meta is not set.
    pub fn split_off(&mut self, len: usize) -> Option<Frame> {
        match self.form_mut() {
            FormMut::Heap(heap) => heap.split_off(len).map(|rest| Frame::from_heap(Box::new(rest))),
            // SAFETY: the rest is a chain of its own now, of the same pool.
            FormMut::Mbuf(mbuf) => mbuf.split(len).map(|rest| unsafe { Frame::from_mbuf(rest) }),
        }
    }

    /// Leaves the checksum of its IPv4 header, `l3` bytes behind a link header of `l2`, to the port that it leaves by; the field
    /// must be zero, and the port one that [offers](super::PortInfo::ipv4_checksums) it. False, and nothing done, for a frame of
    /// the heap or a link header that is too long to tell.
    pub fn leave_ipv4_checksum(&mut self, l2: usize, l3: usize) -> bool {
        /// The mbuf's field has seven bits, and that of the IP header nine.
        const LONGEST: u8 = 127;
        let (Ok(l2), Ok(l3)) = (u8::try_from(l2), u16::try_from(l3)) else { return false };
        match self.form_mut() {
            FormMut::Mbuf(mbuf) if l2 <= LONGEST && l3 < 512 => {
                mbuf.ask_ipv4_checksum(l2, l3);
                true
            }
            _ => false,
        }
    }

    /// Whether its checksum is left to the port.
    pub fn leaves_ipv4_checksum(&self) -> bool {
        match self.form() {
            Form::Heap(_) => false,
            Form::Mbuf(mbuf) => mbuf.asks_ipv4_checksum(),
        }
    }

    /// Leaves to the port what `from` does, whose bytes this has.
    pub(super) fn leave_as(&mut self, from: &Frame) {
        if let (FormMut::Mbuf(mbuf), Form::Mbuf(from)) = (self.form_mut(), from.form()) {
            mbuf.ask_as(from);
        }
    }

    /// Puts bytes in front, into room that the first segment has there and shares with nobody. Whether it had that.
    pub fn prepend(&mut self, bytes: &[u8]) -> bool {
        match self.form_mut() {
            FormMut::Heap(heap) => heap.prepend(bytes),
            FormMut::Mbuf(mbuf) => mbuf.prepend(bytes),
        }
    }

    /// Chains `tail` behind this frame, without copying. Its meta is forgotten.
    /// Gives it back when the chain would have more segments than a frame can ([`MAX_SEGMENTS`]), or when one is of
    /// mbufs and the other of the heap.
    pub fn append(&mut self, mut tail: Frame) -> Result<(), Frame> {
        if self.segment_count() + tail.segment_count() > MAX_SEGMENTS {
            return Err(tail);
        }
        match (self.form_mut(), tail.form_mut()) {
            (FormMut::Heap(heap), FormMut::Heap(other)) => heap.append(other),
            (FormMut::Mbuf(mbuf), FormMut::Mbuf(other)) => {
                // SAFETY: forgotten below, so the tail has one owner: this chain.
                unsafe { mbuf.append(other) };
                std::mem::forget(tail);
            }
            _ => return Err(tail),
        }
        Ok(())
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        // SAFETY: `from_heap` made the pointer from a Box, or `from_mbuf` from a chain; nobody uses it after drop.
        unsafe {
            if self.is_heap() {
                drop(Box::from_raw(self.heap_ptr()));
            } else {
                Mbuf::new(self.0.cast()).free();
            }
        }
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Frame({} bytes, {} segments, {:?})", self.len(), self.segment_count(), self.meta())
    }
}
