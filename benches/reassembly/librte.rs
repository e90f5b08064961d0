//! DPDK's own `librte_ip_frag`, a burst a call.

#![allow(unsafe_code)] // a foreign library; every block says why it is sound

use dpdk_sys::{rte_mbuf, weir_frag};
use std::ptr::NonNull;
use weir::io::{Burst, Frame};

/// Its table.
pub struct Table(NonNull<weir_frag>);

impl Table {
    /// After EAL's start only.
    pub fn new(datagrams: u32, cycles: u64) -> Table {
        // SAFETY: EAL runs; null means that there is no memory.
        let table = unsafe { dpdk_sys::weir_frag_new(datagrams, cycles) };
        Table(NonNull::new(table).expect("memory for librte's table"))
    }

    pub fn reassemble(&mut self, burst: &mut Burst, out: &mut Vec<Frame>) {
        hand_over(burst, out, |bufs, n, to, _| {
            // SAFETY: the table is ours, and there is room for as many as go in.
            unsafe { dpdk_sys::weir_frag_reassemble(self.0.as_ptr(), bufs, n, to) }
        });
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // SAFETY: ours, and not used any more. It frees what it holds.
        unsafe { dpdk_sys::weir_frag_delete(self.0.as_ptr()) }
    }
}

pub fn cut(burst: &mut Burst, mtu: u16, out: &mut Vec<Frame>) {
    hand_over(burst, out, |bufs, n, to, room| {
        // SAFETY: the frames are mbufs that the call takes, and it writes no more than there is room.
        unsafe { dpdk_sys::weir_frag_cut(bufs, n, mtu, to, room) }
    });
}

/// Gives a burst away, and takes what comes back behind the last of `out`.
fn hand_over(
    burst: &mut Burst,
    out: &mut Vec<Frame>,
    call: impl FnOnce(*mut *mut rte_mbuf, u16, *mut *mut rte_mbuf, u16) -> u16,
) {
    let (n, held) = (burst.len(), out.len());
    let room = out.capacity() - held;
    assert!(room >= n, "room for what comes back");
    // SAFETY: frames of a pool of mbufs are pointers to mbufs (`weir::io::Frame`); those of the burst are given up, those that
    // come back lie behind `held`, as many as the call says.
    unsafe {
        burst.set_len(0);
        let got = call(burst.as_mut_ptr().cast(), n as u16, out.as_mut_ptr().add(held).cast(), room as u16);
        out.set_len(held + usize::from(got));
    }
}
