//! DPDK: the process's environment, pools of frames, ports, rings between lcores.
//!
//! Owes the layers above the same things as the [memory backend](super::memory), at line rate. Objects keep what they
//! need alive: a queue its port, a port its pool, everything the [`Eal`]; so no order of dropping is wrong, except that
//! frames must be gone before their pool (a pool that is not whole stays, see [`Pool`]).

mod affinity;
mod capture;
mod device;
mod eal;
mod kernel_drops;
mod lcore;
mod pages;
mod pool;
mod port;
mod queue;
mod ring;
mod rss;

pub use capture::{AT_WORK, CapturePort, ReplayError};
pub use eal::{Eal, EalConfig, EalError, LogLevel, Memory, cycles};
pub use lcore::{Lcore, LcoreHandle, LcorePanicked};
pub use pool::{Allocator, Pool, PoolConfig, PoolError};
pub use port::{Attached, DpdkPort, PortConfig, PortError};
pub use queue::Stamp;
pub use ring::ring;
pub use rss::{HashFields, RssOffer};

use std::ffi::{CStr, c_int};

/// DPDK's words for an error number, of either sign.
#[allow(unsafe_code)] // see below
fn reason(code: c_int) -> String {
    // SAFETY: rte_strerror gives a C string for any number, in a buffer of the calling thread.
    unsafe { CStr::from_ptr(dpdk_sys::rte_strerror(code.abs())) }.to_string_lossy().into_owned()
}

/// The calling thread's `rte_errno`, in words.
#[allow(unsafe_code)] // see below
fn last_reason() -> String {
    // SAFETY: reads a thread-local.
    reason(unsafe { dpdk_sys::weir_rte_errno() })
}
