//! A frame's mbuf form: what [`Frame`](super::Frame) does, over a chain of `rte_mbuf`s.
//!
//! Invariants of a chain that a frame owns, and that every function here keeps: the head's `pkt_len` is the sum of all
//! `data_len`, its `nb_segs` the number of segments, and `[data_off, data_off + data_len)` lies within each buffer.

#![allow(unsafe_code)] // mbuf pointers; every block says why it is sound

use super::{FrameMeta, Rebuilt};
use crate::base::{PortId, Time};
use dpdk_sys::rte_mbuf;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};

/// The part of [`FrameMeta`] that lies in the dynamic field; the port has a field of its own in the mbuf.
pub(in crate::io) const META_BYTES: usize = std::mem::offset_of!(FrameMeta, port);

/// The segment's bytes lie in another mbuf, or outside of any.
const ELSEWHERE: u64 = dpdk_sys::RTE_MBUF_F_INDIRECT | dpdk_sys::RTE_MBUF_F_EXTERNAL;

/// Where in an mbuf our dynamic field lies. Written once, by the EAL's start, before any mbuf exists.
static META_OFFSET: AtomicU32 = AtomicU32::new(0);

fn meta_offset() -> usize {
    META_OFFSET.load(Ordering::Relaxed) as usize
}

/// # Safety
/// `offset` is that of a registered dynamic field of [`META_BYTES`] bytes, aligned as a `u64`.
pub(in crate::io) unsafe fn set_meta_offset(offset: u32) {
    META_OFFSET.store(offset, Ordering::Relaxed);
}

/// The flag of an mbuf that is a rebuilt datagram. As [`META_OFFSET`], and 0 before.
static REBUILT_FLAG: AtomicU64 = AtomicU64::new(0);

/// `flag` is one that was registered for us, or 0.
pub(in crate::io) fn set_rebuilt_flag(flag: u64) {
    REBUILT_FLAG.store(flag, Ordering::Relaxed);
}

/// An owned chain. Not `Drop`: the [`Frame`](super::Frame) around it frees it.
#[derive(Copy, Clone)]
pub(super) struct Mbuf(NonNull<rte_mbuf>);

impl Mbuf {
    /// # Safety
    /// `head` is the head of a chain that the caller owns for as long as it uses the result.
    pub(super) unsafe fn new(head: NonNull<rte_mbuf>) -> Mbuf {
        Mbuf(head)
    }

    pub(super) fn len(self) -> usize {
        // SAFETY: `new`'s promise. Through the pointer: a reference would forbid others to count references.
        unsafe { (*self.0.as_ptr()).pkt_len as usize }
    }

    pub(super) fn segment_count(self) -> usize {
        // SAFETY: as `len`.
        usize::from(unsafe { (*self.0.as_ptr()).nb_segs })
    }

    /// The only segment, when there is only one.
    #[inline]
    pub(super) fn single<'a>(self) -> Option<&'a [u8]> {
        if self.segment_count() != 1 {
            return None;
        }
        self.segments().next()
    }

    #[inline]
    pub(super) fn first<'a>(self) -> &'a [u8] {
        let head = self.0.as_ptr();
        // SAFETY: as `MbufSegments::next`, of the chain's head.
        unsafe { std::slice::from_raw_parts(data(head), usize::from((*head).data_len)) }
    }

    pub(super) fn segments<'a>(self) -> MbufSegments<'a> {
        MbufSegments { next: self.0.as_ptr(), chain: PhantomData }
    }

    pub(super) fn meta(self) -> FrameMeta {
        // SAFETY: as `len`.
        let port = PortId(unsafe { (*self.0.as_ptr()).port });
        let mut meta = FrameMeta { port, ..FrameMeta::default() };
        // SAFETY: the dynamic field lies within the mbuf and holds META_BYTES; FrameMeta begins with as many, all of
        // them integers, for which any bits will do.
        unsafe {
            let field = self.0.as_ptr().cast::<u8>().add(meta_offset());
            std::ptr::copy_nonoverlapping(field, (&raw mut meta).cast::<u8>(), META_BYTES);
        }
        meta
    }

    pub(super) fn set_meta(self, meta: &FrameMeta) {
        // SAFETY: as in `meta`; the chain is ours to write.
        unsafe {
            (*self.0.as_ptr()).port = meta.port.0;
            let field = self.0.as_ptr().cast::<u8>().add(meta_offset());
            std::ptr::copy_nonoverlapping(std::ptr::from_ref(meta).cast::<u8>(), field, META_BYTES);
        }
    }

    #[inline]
    pub(super) fn set_port(self, port: PortId) {
        // SAFETY: the chain is ours to write.
        unsafe { (*self.0.as_ptr()).port = port.0 }
    }

    pub(super) fn rebuilt(self) -> Option<Rebuilt> {
        // SAFETY: as `len`.
        let flags = unsafe { (*self.0.as_ptr()).ol_flags };
        if flags & REBUILT_FLAG.load(Ordering::Relaxed) == 0 {
            return None;
        }
        // SAFETY: as `len`; the shim reads a field.
        let note = unsafe { dpdk_sys::weir_mbuf_note(self.0.as_ptr()) };
        Some(Rebuilt { id: note as u32, largest: (note >> 32) as u16 })
    }

    pub(super) fn set_rebuilt(self, rebuilt: Rebuilt) {
        let note = u64::from(rebuilt.id) | u64::from(rebuilt.largest) << 32;
        // SAFETY: the chain is ours to write; the shim writes a field.
        unsafe {
            dpdk_sys::weir_mbuf_set_note(self.0.as_ptr(), note);
            (*self.0.as_ptr()).ol_flags |= REBUILT_FLAG.load(Ordering::Relaxed);
        }
    }

    /// Asks the port it leaves by for the checksum of an IPv4 header of `l3` bytes behind `l2`.
    pub(super) fn ask_ipv4_checksum(self, l2: u8, l3: u16) {
        // SAFETY: the chain is ours to write; the shim writes fields.
        unsafe { dpdk_sys::weir_mbuf_ask_ipv4_checksum(self.0.as_ptr(), l2, l3) }
    }

    pub(super) fn asks_ipv4_checksum(self) -> bool {
        // SAFETY: as `len`; the shim reads a field.
        unsafe { dpdk_sys::weir_mbuf_asks_ipv4_checksum(self.0.as_ptr()) != 0 }
    }

    pub(super) fn ask_as(self, from: Mbuf) {
        // SAFETY: both chains are there, and this one is ours to write.
        unsafe { dpdk_sys::weir_mbuf_ask_as(self.0.as_ptr(), from.0.as_ptr()) }
    }

    /// Keeps the first `len` bytes, more than none and fewer than all; the rest as a chain of its own, or `None` when the
    /// pool has no mbuf for its beginning, and nothing has changed.
    pub(super) fn split(self, len: usize) -> Option<NonNull<rte_mbuf>> {
        let len = u32::try_from(len).ok().filter(|&len| len > 0 && (len as usize) < self.len())?;
        // SAFETY: the chain is ours, and 0 < len < pkt_len, as the shim wants it.
        NonNull::new(unsafe { dpdk_sys::weir_mbuf_split(self.0.as_ptr(), len) })
    }

    /// Puts bytes in front, if the first segment is nobody else's and has room. Whether it had.
    pub(super) fn prepend(self, bytes: &[u8]) -> bool {
        let Ok(len) = u16::try_from(bytes.len()) else { return false };
        // SAFETY: the chain is ours; what the shim gives is a place of so many bytes in an unshared buffer.
        unsafe {
            let room = dpdk_sys::weir_mbuf_prepend(self.0.as_ptr(), len);
            if !room.is_null() {
                std::ptr::copy_nonoverlapping(bytes.as_ptr(), room, bytes.len());
            }
            !room.is_null()
        }
    }

    /// The microseconds in the receive timestamp's field, when its flag is up.
    pub(super) fn driver_time(self, offset: usize, flag: u64) -> Option<Time> {
        let m = self.0.as_ptr();
        // SAFETY: as `meta`; the check keeps the read within the mbuf whatever offset is given.
        unsafe {
            let fits = offset <= size_of::<rte_mbuf>() - size_of::<u64>();
            (fits && (*m).ol_flags & flag != 0)
                .then(|| Time::from_micros(m.cast::<u8>().add(offset).cast::<u64>().read_unaligned()))
        }
    }

    /// An indirect chain over the same bytes, from the same pool; `None` when that is empty.
    pub(super) fn share(self) -> Option<NonNull<rte_mbuf>> {
        // SAFETY: the head is ours and its pool alive while one of its mbufs is; the clone counts its reference to
        // each segment atomically.
        NonNull::new(unsafe { dpdk_sys::rte_pktmbuf_clone(self.0.as_ptr(), (*self.0.as_ptr()).pool) })
    }

    /// # Safety
    /// The caller holds the frame exclusively for `'a`.
    pub(super) unsafe fn first_mut<'a>(self) -> Option<&'a mut [u8]> {
        // SAFETY: the chain is ours, and an unshared segment's bytes are nobody else's; they lie within the buffer.
        unsafe {
            let head = self.0.as_ptr();
            unshared(head).then(|| std::slice::from_raw_parts_mut(data(head), usize::from((*head).data_len)))
        }
    }

    /// Cuts `bytes` off the front; gives the chain's head, which is another when segments went.
    pub(super) fn trim_front(self, bytes: usize) -> NonNull<rte_mbuf> {
        let mut left = bytes.min(self.len());
        let mut head = self.0;
        // SAFETY: a chain's segments are ours; at most data_len is cut off each; the head goes only when another follows.
        unsafe {
            loop {
                let m = head.as_ptr();
                let cut = left.min(usize::from((*m).data_len));
                (*m).data_off += cut as u16;
                (*m).data_len -= cut as u16;
                (*m).pkt_len -= cut as u32;
                left -= cut;
                if (*m).data_len > 0 || (*m).next.is_null() {
                    return head;
                }
                head = NonNull::new_unchecked(dpdk_sys::weir_mbuf_drop_head(m));
            }
        }
    }

    pub(super) fn truncate(self, len: usize) {
        let len = len.min(self.len());
        let (mut left, mut kept) = (len, 0);
        let mut m = self.0.as_ptr();
        // SAFETY: a chain's segments are ours; each is only made shorter, and what is cut off is unlinked before it is
        // freed.
        unsafe {
            loop {
                let part = left.min(usize::from((*m).data_len));
                (*m).data_len = part as u16;
                left -= part;
                kept += 1;
                if left == 0 {
                    break;
                }
                m = (*m).next;
            }
            let rest = std::mem::replace(&mut (*m).next, std::ptr::null_mut());
            let head = self.0.as_ptr();
            (*head).pkt_len = len as u32;
            (*head).nb_segs = kept;
            if !rest.is_null() {
                free_segments(rest);
            }
        }
    }

    /// # Safety
    /// The caller gives `tail` up, and has checked the number of segments.
    pub(super) unsafe fn append(self, tail: Mbuf) {
        // SAFETY: both chains are ours, and distinct because each is owned.
        unsafe { dpdk_sys::weir_mbuf_chain(self.0.as_ptr(), tail.0.as_ptr()) }
    }

    pub(super) fn last(self) -> NonNull<rte_mbuf> {
        let mut last = self.0;
        // SAFETY: a chain's segments are ours, and the last has no successor.
        while let Some(next) = NonNull::new(unsafe { (*last.as_ptr()).next }) {
            last = next;
        }
        last
    }

    /// Chains `tail` behind `last`, the last segment of this chain.
    ///
    /// # Safety
    /// `last` is that, and the caller gives `tail` up and has checked the number of segments.
    pub(super) unsafe fn append_behind(self, last: NonNull<rte_mbuf>, tail: Mbuf) {
        // SAFETY: both chains are ours, and distinct because each is owned; a head's numbers are of the whole chain.
        unsafe {
            let (head, other) = (self.0.as_ptr(), tail.0.as_ptr());
            (*last.as_ptr()).next = other;
            (*head).nb_segs += (*other).nb_segs;
            (*head).pkt_len += (*other).pkt_len;
            // Of a segment behind another, DPDK looks at its own length alone.
            (*other).pkt_len = u32::from((*other).data_len);
        }
    }

    /// # Safety
    /// The caller gives the chain up.
    pub(super) unsafe fn free(self) {
        // SAFETY: the chain was ours. Any thread may free: one without an lcore's cache goes to the pool's ring.
        unsafe { dpdk_sys::weir_mbuf_free(self.0.as_ptr()) }
    }
}

/// Whether nobody else sees the segment's bytes. That one count of one is enough: who has the only reference can alone
/// make a second.
///
/// # Safety
/// `m` is a live segment.
#[inline]
unsafe fn unshared(m: *mut rte_mbuf) -> bool {
    // SAFETY: other owners change the count atomically; the shim looks where the bytes lie elsewhere.
    unsafe {
        if (*m).ol_flags & ELSEWHERE != 0 {
            return dpdk_sys::weir_mbuf_unshared(m) == 1;
        }
        AtomicU16::from_ptr(&raw mut (*m).refcnt).load(Ordering::Acquire) == 1
    }
}

/// # Safety
/// `m` is a live segment.
unsafe fn data(m: *mut rte_mbuf) -> *mut u8 {
    // SAFETY: data_off is within the buffer.
    unsafe { (*m).buf_addr.cast::<u8>().add(usize::from((*m).data_off)) }
}

/// Frees segments that have been unlinked from their head.
///
/// # Safety
/// The caller gives them up.
unsafe fn free_segments(mut m: *mut rte_mbuf) {
    while !m.is_null() {
        // SAFETY: each segment is freed once, its successor read before.
        unsafe {
            let next = (*m).next;
            (*m).next = std::ptr::null_mut();
            dpdk_sys::weir_mbuf_free_seg(m);
            m = next;
        }
    }
}

/// The segments of a chain, in order.
pub(super) struct MbufSegments<'a> {
    next: *mut rte_mbuf,
    chain: PhantomData<&'a rte_mbuf>,
}

impl<'a> Iterator for MbufSegments<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.next.is_null() {
            return None;
        }
        let m = self.next;
        // SAFETY: the chain lives for 'a, and its bytes do not change while it is borrowed or shared.
        unsafe {
            self.next = (*m).next;
            Some(std::slice::from_raw_parts(data(m), usize::from((*m).data_len)))
        }
    }
}
