//! A ring between two lcores: one that sends, one that receives.

#![allow(unsafe_code)] // an rte_ring; every block says why it is sound

use super::eal::{Eal, EalError};
use super::last_reason;
use crate::io::burst::{drain_into, fill_from, leading_mbufs};
use crate::io::{BURST, Burst, FrameReceiver, FrameSender, RingEnds, free_burst};
use dpdk_sys::rte_ring;
use std::ffi::CString;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The largest ring DPDK makes.
const MAX_CAPACITY: usize = 0x7fff_ffff;

/// A ring for at least `capacity` frames of mbufs; it takes none of the heap. Frames left in it when both ends are gone
/// are freed.
pub fn ring(eal: &Arc<Eal>, capacity: usize) -> Result<RingEnds, EalError> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let fail = |reason: String| EalError::Ring { capacity, reason };
    let slots = capacity.min(MAX_CAPACITY).saturating_add(1).next_power_of_two();
    let name = CString::new(format!("weir-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
    let name = name.map_err(|error| fail(error.to_string()))?;
    let flags = dpdk_sys::RING_F_SP_ENQ | dpdk_sys::RING_F_SC_DEQ;
    // SAFETY: EAL runs, the name is terminated; a wrong size gives null.
    let ring = unsafe { dpdk_sys::rte_ring_create(name.as_ptr(), slots as u32, -1, flags) };
    let ring = NonNull::new(ring).ok_or_else(|| fail(last_reason()))?;
    let ring = Arc::new(Inner { ring, _eal: Arc::clone(eal) });
    Ok((Box::new(Sender(Arc::clone(&ring))), Box::new(Receiver(ring))))
}

struct Inner {
    ring: NonNull<rte_ring>,
    _eal: Arc<Eal>,
}

// SAFETY: one Sender and one Receiver exist, neither can be cloned, and both act through `&mut self`: one producer, one
// consumer, as the ring demands.
unsafe impl Send for Inner {}
// SAFETY: as above.
unsafe impl Sync for Inner {}

impl Inner {
    fn receive(&self, burst: &mut Burst) -> usize {
        // SAFETY: the ring holds mbufs that `Sender` gave up; each comes out once.
        unsafe {
            fill_from(burst, |bufs, n| {
                dpdk_sys::weir_ring_sc_dequeue(self.ring.as_ptr(), bufs.cast(), u32::from(n)) as u16
            })
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let mut burst = Burst::new();
        while self.receive(&mut burst) > 0 {
            free_burst(&mut burst);
        }
        // SAFETY: both ends are gone.
        unsafe { dpdk_sys::rte_ring_free(self.ring.as_ptr()) };
    }
}

struct Sender(Arc<Inner>);

impl FrameSender for Sender {
    fn send(&mut self, burst: &mut Burst) -> usize {
        let n = leading_mbufs(burst);
        // SAFETY: the first n are mbufs; the ring owns what it takes.
        unsafe {
            drain_into(burst, n, |bufs, n| {
                let objects = bufs.cast_const().cast();
                dpdk_sys::weir_ring_sp_enqueue(self.0.ring.as_ptr(), objects, u32::from(n)) as u16
            })
        }
    }

    fn fill(&self) -> (usize, usize) {
        // SAFETY: reads the ring's counts, and its capacity, which does not change.
        unsafe {
            let ring = self.0.ring.as_ptr();
            (dpdk_sys::weir_ring_count(ring) as usize, (*ring).capacity as usize)
        }
    }
}

struct Receiver(Arc<Inner>);

impl FrameReceiver for Receiver {
    fn receive(&mut self, burst: &mut Burst) -> usize {
        if burst.len() == BURST { 0 } else { self.0.receive(burst) }
    }

    fn waiting(&self) -> usize {
        // SAFETY: reads the ring's counts.
        unsafe { dpdk_sys::weir_ring_count(self.0.ring.as_ptr()) as usize }
    }
}
