//! A pool's memory where there are no hugepages: ours, in pages as large as the kernel gives for the asking.
//!
//! EAL's own without hugepages is shared memory in pages of 4 KiB, and of each page a segment takes the most: a pool of 65,535
//! is 65,535 faults at its start, and a miss of the TLB a frame. Only for pools that no device reads by physical addresses.
//!
//! Such a pool can be made a part at a time, under lcores that use it: segments are put in order before the pool has them.

#![allow(unsafe_code)] // mappings and mempools; every block says why it is sound

use super::{last_reason, reason};
use dpdk_sys::{rte_mbuf, rte_mempool, rte_mempool_memhdr, rte_pktmbuf_pool_private};
use std::ffi::{CStr, c_char, c_void};
use std::ptr::{NonNull, null_mut};

/// What the kernel calls a transparent huge page on x86-64; elsewhere it may be larger, and then no more is lost than speed.
const HUGE: usize = 2 << 20;
/// Of a page, from where DPDK lays segments without a gap.
const _: () = assert!(HUGE.is_multiple_of(dpdk_sys::RTE_MEMPOOL_ALIGN as usize));

/// Made as `rte_pktmbuf_pool_create_by_ops` makes one, but for where its segments are, and with the first `at_first` of them
/// only. An error says why there is none.
///
/// # Safety
/// EAL runs.
pub(super) unsafe fn pool(
    name: &CStr,
    segments: u32,
    at_first: u32,
    cache: u32,
    room: u16,
    node: i32,
    ring: &CStr,
) -> Result<NonNull<rte_mempool>, String> {
    let private = rte_pktmbuf_pool_private { mbuf_data_room_size: room, ..Default::default() };
    let element = size_of::<rte_mbuf>() as u32 + u32::from(room);
    let private_bytes = size_of::<rte_pktmbuf_pool_private>() as u32;
    let flags = dpdk_sys::RTE_MEMPOOL_F_NO_IOVA_CONTIG;
    // SAFETY: EAL runs; the strings are terminated; wrong numbers give null. What is made is this function's until it returns
    // it.
    unsafe {
        let pool = dpdk_sys::rte_mempool_create_empty(
            name.as_ptr(),
            segments,
            element,
            cache,
            private_bytes,
            node,
            flags,
        );
        let pool = NonNull::new(pool).ok_or_else(last_reason)?;
        let raw = pool.as_ptr();
        let named = dpdk_sys::rte_mempool_set_ops_byname(raw, ring.as_ptr(), null_mut());
        dpdk_sys::rte_pktmbuf_pool_init(raw, (&raw const private).cast_mut().cast::<c_void>());
        let made = if named == 0 { add(pool, at_first) } else { Err(reason(named)) };
        if let Err(why) = made.and_then(|()| in_order(pool)) {
            dpdk_sys::rte_mempool_free(raw);
            return Err(why);
        }
        Ok(pool)
    }
}

/// Adds so many segments and what else the last page has room for, but no more than the pool is of.
///
/// # Safety
/// The pool lives and was made here; nobody else adds to it meanwhile. Others may take segments and bring them back.
pub(super) unsafe fn add(pool: NonNull<rte_mempool>, segments: u32) -> Result<(), String> {
    let raw = pool.as_ptr();
    // SAFETY: the pool lives; its sizes never change, and what it has is changed here alone.
    let (header, each, left) = unsafe {
        let header = (*raw).header_size as usize;
        let each = header + (*raw).elt_size as usize + (*raw).trailer_size as usize;
        (header, each, ((*raw).size - (*raw).populated_size) as usize)
    };
    let wanted = left.min(segments as usize).checked_mul(each);
    let Some(bytes) = wanted.and_then(|all| all.checked_next_multiple_of(HUGE)) else {
        return Err("more than can be addressed".to_owned());
    };
    let fit = left.min(bytes / each);
    let mapping = map(bytes + HUGE)?;
    let start = mapping.as_ptr() as usize;
    let skipped = start.next_multiple_of(HUGE) - start;
    // SAFETY: `bytes` from there lie within the mapping, which is the pool's from now on: `unmap` gets its begin and ends it.
    // Advice may be refused; pages are small then. Each segment written to lies within them, and nobody has it yet.
    let added = unsafe {
        let chunk = mapping.as_ptr().cast::<u8>().add(skipped);
        libc::madvise(chunk.cast(), bytes, libc::MADV_HUGEPAGE);
        for n in 0..fit {
            let segment = chunk.add(n * each + header).cast::<c_void>();
            dpdk_sys::rte_pktmbuf_init(raw, null_mut(), segment, n as u32);
        }
        let chunk = chunk.cast::<c_char>();
        let nowhere = u64::MAX;
        dpdk_sys::rte_mempool_populate_iova(raw, chunk, nowhere, bytes, Some(unmap), mapping.as_ptr())
    };
    if added <= 0 {
        // SAFETY: the pool did not take it.
        unsafe { libc::munmap(mapping.as_ptr(), bytes + HUGE) };
    }
    match added {
        error if error < 0 => Err(reason(error)),
        some if some.unsigned_abs() as usize == fit => Ok(()),
        some => Err(format!("there was room for {some}")),
    }
}

/// Whether DPDK has laid the segments where [`add`] thought: each that the pool has is an mbuf of it.
///
/// # Safety
/// `pool` is the caller's, and nobody else has it yet.
unsafe fn in_order(pool: NonNull<rte_mempool>) -> Result<(), String> {
    unsafe extern "C" fn check(pool: *mut rte_mempool, fine: *mut c_void, segment: *mut c_void, _: u32) {
        // SAFETY: a segment is an mbuf's size at least, and `fine` a bool that lives for the call.
        unsafe { *fine.cast::<bool>() &= (*segment.cast::<rte_mbuf>()).pool == pool };
    }
    let mut fine = true;
    // SAFETY: the pool lives, and `check` gets what it asks for.
    unsafe { dpdk_sys::rte_mempool_obj_iter(pool.as_ptr(), Some(check), (&raw mut fine).cast()) };
    if fine { Ok(()) } else { Err("this DPDK lays out a pool's segments in another way".to_owned()) }
}

fn map(bytes: usize) -> Result<NonNull<c_void>, String> {
    let (rights, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping, nobody's yet.
    let at = unsafe { libc::mmap(null_mut(), bytes, rights, kind, -1, 0) };
    let failed = || std::io::Error::last_os_error().to_string();
    NonNull::new(at).filter(|_| at != libc::MAP_FAILED).ok_or_else(failed)
}

/// Ends the mapping that a pool leaves behind.
unsafe extern "C" fn unmap(chunk: *mut rte_mempool_memhdr, mapping: *mut c_void) {
    // SAFETY: `add` mapped `len` and `HUGE` bytes there for this chunk, and the pool is going.
    unsafe { libc::munmap(mapping, (*chunk).len + HUGE) };
}
