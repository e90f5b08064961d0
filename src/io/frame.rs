//! The frame: owned, never cloned in secret, freed exactly once.
//!
//! On the fast path a frame *is* the mbuf pointer, so an array of frames is what the burst functions take and no
//! conversion happens. In tests it is a heap object of the [memory backend](super::memory). The lowest pointer bit tells
//! which (both are aligned to more than 2 bytes).

#![allow(unsafe_code)] // mbuf and Box pointers; every block says why it is sound

use super::memory::HeapFrame;
use crate::base::{PortId, Time};
use std::ptr::NonNull;

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
    /// Arrival number over all ports, from 1 (it wraps after 4 G frames); a rebuilt datagram has that of its last piece.
    pub packet: u32,
    /// Fragments that were distributed before this frame (a replay's order between workers, `pipeline::order`).
    pub epoch: u32,
    pub port: PortId,
}

/// One received or generated packet, as a chain of segments.
#[repr(transparent)]
pub struct Frame(NonNull<u8>);

// SAFETY: a frame owns its bytes; mbuf reference counts are atomic, and heap segments are `Arc`s.
unsafe impl Send for Frame {}

impl Frame {
    pub(super) fn from_heap(heap: Box<HeapFrame>) -> Frame {
        let raw = Box::into_raw(heap).cast::<u8>();
        // SAFETY: a Box is not null, and adding the tag to an even address keeps it so.
        Frame(unsafe { NonNull::new_unchecked(raw.map_addr(|a| a | HEAP_TAG)) })
    }

    fn heap(&self) -> &HeapFrame {
        // SAFETY: `from_heap` made this pointer from a Box, which we own until drop.
        unsafe { &*self.0.as_ptr().map_addr(|a| a & !HEAP_TAG).cast::<HeapFrame>() }
    }

    fn heap_mut(&mut self) -> &mut HeapFrame {
        // SAFETY: as `heap`, and `&mut self` is the only reference.
        unsafe { &mut *self.0.as_ptr().map_addr(|a| a & !HEAP_TAG).cast::<HeapFrame>() }
    }

    /// Bytes in all segments.
    pub fn len(&self) -> usize {
        self.heap().segments().map(<[u8]>::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn meta(&self) -> FrameMeta {
        self.heap().meta
    }

    pub fn set_meta(&mut self, meta: FrameMeta) {
        self.heap_mut().meta = meta;
    }

    /// The bytes, segment after segment; some may be empty.
    pub fn segments(&self) -> impl Iterator<Item = &[u8]> {
        self.heap().segments()
    }

    pub fn segment_count(&self) -> usize {
        self.segments().count()
    }

    /// The whole frame as one slice: borrowed when it is one segment, else gathered into `scratch`, cut to its length.
    pub fn view<'a>(&'a self, scratch: &'a mut [u8]) -> &'a [u8] {
        if self.segment_count() == 1 {
            return self.segments().next().unwrap_or_default();
        }
        let filled = self.copy_to(0, scratch);
        &scratch[..filled]
    }

    /// Copies from `offset` on into `out`; how many bytes there were.
    pub fn copy_to(&self, mut offset: usize, out: &mut [u8]) -> usize {
        let mut filled = 0;
        for segment in self.segments() {
            let Some(rest) = segment.get(offset..) else {
                offset -= segment.len();
                continue;
            };
            offset = 0;
            let n = rest.len().min(out.len() - filled);
            out[filled..filled + n].copy_from_slice(&rest[..n]);
            filled += n;
        }
        filled
    }

    /// Another owner of the same bytes, which from now on nobody may change.
    pub fn share(&self) -> Frame {
        Frame::from_heap(Box::new(self.heap().share()))
    }

    /// The first segment for changing, unless its bytes are shared.
    pub fn first_mut(&mut self) -> Option<&mut [u8]> {
        self.heap_mut().first_mut()
    }

    /// Takes bytes off the front, over segments; emptied segments are freed. At most the whole frame.
    pub fn trim_front(&mut self, bytes: usize) {
        self.heap_mut().trim_front(bytes);
    }

    /// Keeps the first `len` bytes; what was behind is freed.
    pub fn truncate(&mut self, len: usize) {
        self.heap_mut().truncate(len);
    }

    /// Chains `tail` behind this frame, without copying. Its meta is forgotten.
    /// Gives it back when the chain would have more segments than a frame can ([`MAX_SEGMENTS`]).
    pub fn append(&mut self, tail: Frame) -> Result<(), Frame> {
        if self.segment_count() + tail.segment_count() > MAX_SEGMENTS {
            return Err(tail);
        }
        let mut tail = tail;
        self.heap_mut().append(tail.heap_mut());
        Ok(())
    }
}

/// Segments a chain may have: an mbuf counts them in 16 bits; this bound keeps a walk short.
pub const MAX_SEGMENTS: usize = 1024;

impl Drop for Frame {
    fn drop(&mut self) {
        // SAFETY: `from_heap` made this pointer from a Box; nobody uses it after drop.
        drop(unsafe { Box::from_raw(self.0.as_ptr().map_addr(|a| a & !HEAP_TAG).cast::<HeapFrame>()) });
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Frame({} bytes, {} segments, {:?})", self.len(), self.segment_count(), self.meta())
    }
}
