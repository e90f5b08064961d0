//! Pools of mbufs: where frames come from and must all come back to.

#![allow(unsafe_code)] // mempools and mbufs; every block says why it is sound

use super::eal::Eal;
use super::{last_reason, pages};
use crate::io::{Frame, FrameAllocator, FrameMeta};
use dpdk_sys::{rte_mbuf, rte_mempool};
use std::ffi::{CStr, CString};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

/// Bytes of a segment in front of a received frame's first byte.
const HEADROOM: u16 = dpdk_sys::RTE_PKTMBUF_HEADROOM as u16;
/// Segments that a pool gets at a time, and what else the page has room for.
const GROWTH: u32 = 800;

/// What a pool is to hold.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// Unique in the process; at most 25 bytes.
    pub name: String,
    /// Segments. A power of two less one wastes least.
    pub segments: u32,
    /// Segments that are there at once. A pool in hugepages has all; another takes memory for the rest when they are asked for
    /// ([`Pool::provides`]).
    pub at_first: u32,
    /// Segments that each lcore keeps at hand; at most 512, and two thirds of a pool's.
    pub cache: u32,
    /// Payload bytes of one segment; a longer frame is a chain.
    pub segment_bytes: u16,
    /// `None`: any NUMA node.
    pub numa_node: Option<u32>,
}

impl Default for PoolConfig {
    fn default() -> PoolConfig {
        PoolConfig {
            name: "frames".to_owned(),
            segments: 16_383,
            at_first: u32::MAX,
            cache: 256,
            segment_bytes: 2048,
            numa_node: None,
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("pool {name}: {segments} segments of {segment_bytes} bytes cannot be had: {reason}; {hint}")]
pub struct PoolError {
    name: String,
    segments: u32,
    segment_bytes: u16,
    reason: String,
    hint: &'static str,
}

/// A pool; clones are the same pool.
///
/// The last clone frees its memory if all frames are back. If not, pool and EAL stay until the process ends: a frame that
/// someone still holds must not lose its memory.
#[derive(Clone)]
pub struct Pool(Arc<Inner>);

struct Inner {
    pool: NonNull<rte_mempool>,
    segments: u32,
    segment_bytes: u16,
    /// Those of `segments` that there are, and whether some are just being added.
    there: AtomicU32,
    growing: AtomicBool,
    /// Why more could not be had.
    refused: OnceLock<String>,
    eal: Arc<Eal>,
}

// SAFETY: a mempool is made for concurrent use; its counts are read only.
unsafe impl Send for Inner {}
// SAFETY: as above.
unsafe impl Sync for Inner {}

impl Pool {
    pub fn new(eal: &Arc<Eal>, config: &PoolConfig) -> Result<Pool, PoolError> {
        let fail = |reason: String, hint| PoolError {
            name: config.name.clone(),
            segments: config.segments,
            segment_bytes: config.segment_bytes,
            reason,
            hint,
        };
        let hint = "a smaller pool, or more hugepages (or more memory without them), may help";
        let Some(room) = config.segment_bytes.checked_add(HEADROOM) else {
            return Err(fail("longer than a segment can be".to_owned(), "65,407 bytes is the limit"));
        };
        let name = CString::new(config.name.as_str())
            .map_err(|_| fail("the name holds a zero byte".to_owned(), "choose another name"))?;
        let node = config.numa_node.map_or(-1, |node| node as i32);
        let ring = ring_kind(eal);
        let (segments, cache) = (config.segments, config.cache);
        let at_first = if eal.wants_pages() { config.at_first } else { segments };
        // SAFETY: EAL runs; the strings are terminated; wrong numbers give null.
        let pool = unsafe {
            if eal.wants_pages() {
                pages::pool(&name, segments, at_first, cache, room, node, ring)
            } else {
                let (name, ring) = (name.as_ptr(), ring.as_ptr());
                let pool =
                    dpdk_sys::rte_pktmbuf_pool_create_by_ops(name, segments, cache, 0, room, node, ring);
                NonNull::new(pool).ok_or_else(last_reason)
            }
        };
        let pool = pool.map_err(|why| fail(why, hint))?;
        let inner = Inner {
            pool,
            segments,
            segment_bytes: config.segment_bytes,
            there: AtomicU32::new(0),
            growing: AtomicBool::new(false),
            refused: OnceLock::new(),
            eal: Arc::clone(eal),
        };
        inner.count();
        Ok(Pool(Arc::new(inner)))
    }

    /// Segments not in the pool: held by ports, rings and whoever has a frame.
    pub fn in_use(&self) -> u32 {
        self.0.in_use()
    }

    pub fn available(&self) -> u32 {
        // SAFETY: the pool lives; the counts may be a little old.
        unsafe { dpdk_sys::rte_mempool_avail_count(self.as_ptr()) }
    }

    /// Whether so many segments are free. A pool that has not all of its segments yet first gets more, until `besides` are free as
    /// well: system calls, for who may wait.
    pub fn provides(&self, segments: u32, besides: u32) -> bool {
        let mut available = self.available();
        while available < segments.saturating_add(besides) && self.0.grow() {
            available = self.available();
        }
        available >= segments
    }

    /// Why the pool did not get segments that were asked for, if once it did not.
    pub fn refused(&self) -> Option<&str> {
        self.0.refused.get().map(String::as_str)
    }

    pub fn segments(&self) -> u32 {
        self.0.segments
    }

    pub fn segment_bytes(&self) -> u16 {
        self.0.segment_bytes
    }

    /// Segments that a frame of so many bytes takes.
    pub fn segments_for(&self, bytes: usize) -> usize {
        bytes.div_ceil(usize::from(self.0.segment_bytes)).max(1)
    }

    pub fn allocator(&self) -> Allocator {
        Allocator { pool: self.clone() }
    }

    pub(super) fn as_ptr(&self) -> *mut rte_mempool {
        self.0.pool.as_ptr()
    }
}

impl Inner {
    fn in_use(&self) -> u32 {
        // SAFETY: as `Pool::available`.
        let available = unsafe { dpdk_sys::rte_mempool_avail_count(self.pool.as_ptr()) };
        self.there.load(Ordering::Acquire).saturating_sub(available)
    }

    /// Adds a few segments, unless all are there; whether it did.
    fn grow(&self) -> bool {
        if self.there.load(Ordering::Acquire) >= self.segments || self.growing.swap(true, Ordering::AcqRel) {
            return false;
        }
        // SAFETY: a pool that is not whole is made of pages, and whoever found `growing` false is the only one who adds.
        let grown = unsafe { pages::add(self.pool, GROWTH) };
        self.count();
        self.growing.store(false, Ordering::Release);
        grown.map_err(|why| self.refused.get_or_init(|| why)).is_ok()
    }

    /// Takes note of how many segments there are.
    fn count(&self) {
        // SAFETY: the pool lives, and the caller is the only one who adds to it.
        let there = unsafe { (*self.pool.as_ptr()).populated_size };
        self.there.store(there, Ordering::Release);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        match self.in_use() {
            // SAFETY: every mbuf is back and nobody else knows the pool.
            0 => unsafe { dpdk_sys::rte_mempool_free(self.pool.as_ptr()) },
            _ => std::mem::forget(Arc::clone(&self.eal)),
        }
    }
}

/// Lcores that share a CPU are interrupted within a ring's operation: this kind of ring does not make the others wait.
fn ring_kind(eal: &Eal) -> &'static CStr {
    if eal.shares_cpus() { c"ring_mt_rts" } else { c"ring_mp_mc" }
}

/// Makes frames from a pool.
#[derive(Clone)]
pub struct Allocator {
    pool: Pool,
}

impl FrameAllocator for Allocator {
    fn allocate(&mut self, bytes: &[u8]) -> Option<Frame> {
        let room = usize::from(self.pool.segment_bytes());
        let (first, rest) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        let mut frame = self.segment(|segment| {
            segment.get_mut(..first.len())?.copy_from_slice(first);
            Some(first.len())
        })?;
        for piece in rest.chunks(room) {
            let tail = self.segment(|segment| {
                segment.get_mut(..piece.len())?.copy_from_slice(piece);
                Some(piece.len())
            })?;
            frame.append(tail).ok()?;
        }
        frame.set_meta(FrameMeta::default());
        Some(frame)
    }
}

impl Allocator {
    /// The same bytes in as few segments as the pool allows, with the same metadata.
    pub(super) fn compact(&mut self, frame: &Frame) -> Option<Frame> {
        let (len, room) = (frame.len(), usize::from(self.pool.segment_bytes()));
        let mut compacted: Option<Frame> = None;
        for at in (0..len.max(1)).step_by(room) {
            let segment = self.segment(|bytes| Some(frame.copy_to(at, bytes)))?;
            match &mut compacted {
                None => compacted = Some(segment),
                Some(head) => head.append(segment).ok()?,
            }
        }
        let mut compacted = compacted?;
        compacted.set_meta(frame.meta());
        compacted.leave_as(frame);
        Some(compacted)
    }

    /// A new segment, of which `write` fills as many bytes as it says.
    fn segment(&mut self, write: impl FnOnce(&mut [u8]) -> Option<usize>) -> Option<Frame> {
        // SAFETY: the pool lives. A new mbuf is ours alone; its buffer has segment_bytes behind the headroom, which are
        // made plain integers before they are lent.
        unsafe {
            let m = NonNull::new(dpdk_sys::weir_mbuf_alloc(self.pool.as_ptr()))?;
            let frame = Frame::from_mbuf(m);
            let filled = write(buffer(m, self.pool.segment_bytes()))?;
            let filled = filled.min(usize::from(self.pool.segment_bytes()));
            (*m.as_ptr()).data_len = filled as u16;
            (*m.as_ptr()).pkt_len = filled as u32;
            Some(frame)
        }
    }
}

/// # Safety
/// `m` is new and the caller's for `'a`, with `len` bytes behind its headroom.
unsafe fn buffer<'a>(m: NonNull<rte_mbuf>, len: u16) -> &'a mut [u8] {
    // SAFETY: within the buffer. A pool's memory was zeroed when it was mapped, so no byte is uninitialised.
    unsafe {
        let start = (*m.as_ptr()).buf_addr.cast::<u8>().add(usize::from((*m.as_ptr()).data_off));
        std::slice::from_raw_parts_mut(start, usize::from(len))
    }
}
