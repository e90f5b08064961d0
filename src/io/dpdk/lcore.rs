//! Running a closure on an lcore and waiting for it.

#![allow(unsafe_code)] // hands a closure to C and back; every block says why it is sound

use super::eal::{Eal, EalError};
use super::reason;
use std::any::Any;
use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

/// An lcore's number; 0 is the main lcore, on which [`Eal::start`] was called.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lcore(pub u32);

type Task = Box<dyn FnOnce() + Send>;

/// A closure that runs on an lcore. Dropping it waits for the end, too.
pub struct LcoreHandle<T> {
    lcore: Lcore,
    result: Receiver<std::thread::Result<T>>,
    _eal: Arc<Eal>,
}

/// The closure panicked; what it said.
#[derive(Debug, thiserror::Error)]
#[error("lcore {lcore} ended with a panic: {message}")]
pub struct LcorePanicked {
    pub lcore: u32,
    pub message: String,
}

impl LcorePanicked {
    /// `payload` is what a panic was caught with.
    pub fn new(lcore: u32, payload: &(dyn Any + Send)) -> LcorePanicked {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        LcorePanicked { lcore, message: text.unwrap_or_else(|| "no message".to_owned()) }
    }
}

impl Eal {
    /// Runs `work` on an lcore that is not the main one and has nothing to do.
    pub fn launch<T: Send + 'static>(
        self: &Arc<Eal>,
        lcore: Lcore,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<LcoreHandle<T>, EalError> {
        let refuse = |reason: String| EalError::Launch { lcore: lcore.0, reason };
        if lcore.0 == 0 || lcore.0 as usize >= self.cpus().len() {
            return Err(refuse(format!("there are lcores 1 to {}", self.cpus().len().saturating_sub(1))));
        }
        let (sender, result) = sync_channel(1);
        let task: Task = Box::new(move || {
            // A panic must not unwind into C. Who joins gets it; one who does not has waited all the same.
            let _ = sender.send(catch_unwind(AssertUnwindSafe(work)));
        });
        let argument = Box::into_raw(Box::new(task)).cast::<c_void>();
        // SAFETY: a worker lcore of this EAL; `run` takes the box back, once.
        let code = unsafe { dpdk_sys::rte_eal_remote_launch(Some(run), argument, lcore.0) };
        if code != 0 {
            // SAFETY: not launched, so the box is still ours.
            drop(unsafe { Box::from_raw(argument.cast::<Task>()) });
            return Err(refuse(reason(code)));
        }
        Ok(LcoreHandle { lcore, result, _eal: Arc::clone(self) })
    }
}

unsafe extern "C" fn run(argument: *mut c_void) -> c_int {
    // SAFETY: `launch` made it, and gave it up.
    let task = unsafe { Box::from_raw(argument.cast::<Task>()) };
    task();
    0
}

impl<T> LcoreHandle<T> {
    pub fn lcore(&self) -> Lcore {
        self.lcore
    }

    /// Sleeps until the closure has ended, and gives what it returned.
    pub fn join(self) -> Result<T, LcorePanicked> {
        match self.result.recv() {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(payload)) => Err(LcorePanicked::new(self.lcore.0, payload.as_ref())),
            Err(_) => Err(LcorePanicked::new(self.lcore.0, &"it left no result")),
        }
    }

    /// Whether [`join`](Self::join) would return without waiting for the closure.
    pub fn is_finished(&self) -> bool {
        // SAFETY: reads the lcore's state.
        unsafe { dpdk_sys::rte_eal_get_lcore_state(self.lcore.0) != dpdk_sys::RUNNING }
    }
}

impl<T> Drop for LcoreHandle<T> {
    fn drop(&mut self) {
        // SAFETY: an lcore of this EAL. It spins, but only between the result and the lcore's return to its waiting
        // place, unless nobody joined.
        unsafe { dpdk_sys::rte_eal_wait_lcore(self.lcore.0) };
    }
}
