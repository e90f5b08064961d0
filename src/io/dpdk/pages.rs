//! A pool's memory where there are no hugepages: ours, in pages as large as the kernel gives for the asking.
//!
//! EAL's own without hugepages is shared memory in pages of 4 KiB, and of each page a segment takes the most: a pool of 65,535
//! is 65,535 faults at its start, and a miss of the TLB a frame. Only for pools that no device reads by physical addresses.

#![allow(unsafe_code)] // mappings and mempools; every block says why it is sound

use super::{last_reason, reason};
use dpdk_sys::{rte_mempool, rte_mempool_memhdr, rte_pktmbuf_pool_private};
use std::ffi::{CStr, c_char, c_void};
use std::ptr::NonNull;

/// What the kernel calls a transparent huge page on x86-64; elsewhere it may be larger, and then no more is lost than speed.
const HUGE: usize = 2 << 20;

/// Made as `rte_pktmbuf_pool_create_by_ops` makes one, but for where its segments are. An error says why there is none.
///
/// # Safety
/// EAL runs.
pub(super) unsafe fn pool(
    name: &CStr,
    segments: u32,
    cache: u32,
    room: u16,
    node: i32,
    ring: &CStr,
) -> Result<NonNull<rte_mempool>, String> {
    let private = rte_pktmbuf_pool_private { mbuf_data_room_size: room, ..Default::default() };
    let element = size_of::<dpdk_sys::rte_mbuf>() as u32 + u32::from(room);
    let private_bytes = size_of::<rte_pktmbuf_pool_private>() as u32;
    let flags = dpdk_sys::RTE_MEMPOOL_F_NO_IOVA_CONTIG;
    // SAFETY: EAL runs; the strings are terminated; wrong numbers give null. What is made is this function's until it returns
    // it, and every object is a whole mbuf with its room.
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
        let named = dpdk_sys::rte_mempool_set_ops_byname(raw, ring.as_ptr(), std::ptr::null_mut());
        dpdk_sys::rte_pktmbuf_pool_init(raw, (&raw const private).cast_mut().cast::<c_void>());
        let made = if named == 0 { populate(raw, segments) } else { Err(reason(named)) };
        if let Err(why) = made {
            dpdk_sys::rte_mempool_free(raw);
            return Err(why);
        }
        dpdk_sys::rte_mempool_obj_iter(raw, Some(dpdk_sys::rte_pktmbuf_init), std::ptr::null_mut());
        Ok(pool)
    }
}

/// # Safety
/// `pool` is the caller's, new and empty.
unsafe fn populate(pool: *mut rte_mempool, segments: u32) -> Result<(), String> {
    // SAFETY: the pool lives; the numbers are its own.
    let each =
        unsafe { (*pool).header_size as usize + (*pool).elt_size as usize + (*pool).trailer_size as usize };
    let Some(bytes) =
        (segments as usize).checked_mul(each).and_then(|all| all.checked_next_multiple_of(HUGE))
    else {
        return Err("more than can be addressed".to_owned());
    };
    let mapping = map(bytes + HUGE)?;
    let start = mapping.as_ptr() as usize;
    let skipped = start.next_multiple_of(HUGE) - start;
    // SAFETY: `bytes` from there lie within the mapping, which is the pool's from now on: `unmap` gets its begin and ends it.
    // Advice may be refused; pages are small then.
    let populated = unsafe {
        let chunk = mapping.as_ptr().cast::<u8>().add(skipped);
        libc::madvise(chunk.cast(), bytes, libc::MADV_HUGEPAGE);
        dpdk_sys::rte_mempool_populate_virt(
            pool,
            chunk.cast::<c_char>(),
            bytes,
            0,
            Some(unmap),
            mapping.as_ptr(),
        )
    };
    if populated <= 0 {
        // SAFETY: the pool did not take it.
        unsafe { libc::munmap(mapping.as_ptr(), bytes + HUGE) };
    }
    match populated {
        error if error < 0 => Err(reason(error)),
        some if some.unsigned_abs() == segments => Ok(()),
        some => Err(format!("there was room for {some}")),
    }
}

fn map(bytes: usize) -> Result<NonNull<c_void>, String> {
    let (rights, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping, nobody's yet.
    let at = unsafe { libc::mmap(std::ptr::null_mut(), bytes, rights, kind, -1, 0) };
    let failed = || std::io::Error::last_os_error().to_string();
    NonNull::new(at).filter(|_| at != libc::MAP_FAILED).ok_or_else(failed)
}

/// Ends the mapping that a pool leaves behind.
unsafe extern "C" fn unmap(chunk: *mut rte_mempool_memhdr, mapping: *mut c_void) {
    // SAFETY: `populate` mapped `len` and `HUGE` bytes there for this chunk, and the pool is going.
    unsafe { libc::munmap(mapping, (*chunk).len + HUGE) };
}
