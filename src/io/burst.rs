//! Bursts as DPDK takes them: an array of frames *is* an array of mbuf pointers.

#![allow(unsafe_code)] // hands a burst's memory to C; every block says why it is sound

use super::{BURST, Burst, Frame};
use dpdk_sys::rte_mbuf;

/// Frees what is in the burst: mbufs in one call.
pub fn free_burst(burst: &mut Burst) {
    if !Frame::none_is_heap(burst) {
        burst.clear();
        return;
    }
    let (bufs, n) = (burst.as_mut_ptr().cast::<*mut rte_mbuf>(), burst.len() as u32);
    // SAFETY: the first n entries are mbufs that the burst owns; emptied first, it will not free them again.
    unsafe {
        burst.set_len(0);
        dpdk_sys::rte_pktmbuf_free_bulk(bufs, n);
    }
}

/// Lets `fill` write frames behind the burst's last. How many it wrote.
///
/// # Safety
/// `fill` gets an array with room for so many pointers and writes as many owned mbufs as it says, not more than that.
#[inline]
pub(super) unsafe fn fill_from(
    burst: &mut Burst,
    fill: impl FnOnce(*mut *mut rte_mbuf, u16) -> u16,
) -> usize {
    let (held, room) = (burst.len(), BURST - burst.len());
    // SAFETY: held <= BURST, and Frame is a transparent pointer, never null when `fill` keeps its word.
    unsafe {
        let filled = usize::from(fill(burst.as_mut_ptr().add(held).cast(), room as u16));
        burst.set_len(held + filled);
        filled
    }
}

/// Lets `take` have frames from the front of the burst's first `n`; what it leaves stays, in order. How many it took.
///
/// # Safety
/// None of the first `n` is of the heap, and `take` owns as many of the array's first mbufs as it says.
#[inline]
pub(super) unsafe fn drain_into(
    burst: &mut Burst,
    n: usize,
    take: impl FnOnce(*mut *mut rte_mbuf, u16) -> u16,
) -> usize {
    let held = burst.len();
    let n = n.min(held);
    // SAFETY: the taken frames are overwritten or cut off without being dropped: each keeps one owner.
    unsafe {
        let first = burst.as_mut_ptr();
        let taken = usize::from(take(first.cast(), n as u16)).min(n);
        burst.set_len(held - taken);
        if taken > 0 && taken < held {
            std::ptr::copy(first.add(taken), first, held - taken);
        }
        taken
    }
}

/// How many frames at the burst's front are mbufs: what a DPDK port or ring can be given.
#[inline]
pub(super) fn leading_mbufs(burst: &Burst) -> usize {
    // All at once first: without a branch a frame, this costs a burst a few cycles.
    if Frame::none_is_heap(burst) {
        return burst.len();
    }
    burst.iter().position(Frame::is_heap).unwrap_or(burst.len())
}
