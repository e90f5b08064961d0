//! Management, as a plugin sees it.

use crate::{LogLevel, abi};
use std::any::Any;
use std::ffi::c_void;

/// What management tells a plugin.
#[derive(Debug)]
pub enum Control<'a> {
    /// A service set has it as a member; `config` is the set's text for it.
    Init {
        set: u32,
        set_name: &'a str,
        config: &'a str,
    },
    /// A block of configuration came by RPC.
    ConfigBlob {
        set: u32,
        delete: bool,
        generation: u32,
        bytes: &'a [u8],
    },
    HaInfo,
}

/// The way to management, from any thread, at any time: what is asked for is queued and done there.
#[derive(Copy, Clone)]
pub struct Desk {
    pub(crate) host: &'static abi::Host,
}

// SAFETY: by the ABI the table and the desk live while the process does, and their functions are for any thread.
unsafe impl Send for Desk {}
// SAFETY: as `Send`.
unsafe impl Sync for Desk {}

/// What a policy pointer points to.
pub(crate) type Policy = Box<dyn Any + Send + Sync>;

unsafe extern "C-unwind" fn release(policy: *const c_void) {
    // SAFETY: made by `attach` from a box, and the host gives it back once. A policy whose drop panics is leaked in part.
    let policy = unsafe { Box::from_raw(policy.cast_mut().cast::<Policy>()) };
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(policy)));
}

impl Desk {
    /// Publishes a policy for new sessions of a set; running ones keep theirs. It is dropped when nobody uses it any more.
    /// False when too many requests wait.
    pub fn attach<T: Any + Send + Sync>(&self, set: u32, policy: T) -> bool {
        let pointer = Box::into_raw(Box::new(Box::new(policy) as Policy));
        // SAFETY: the host's function with the host's desk.
        let taken = unsafe {
            (self.host.attach_policy)(self.host.desk, set, pointer.cast_const().cast(), Some(release))
        };
        if taken == 0 {
            // SAFETY: the host did not take it.
            drop(unsafe { Box::from_raw(pointer) });
        }
        taken != 0
    }

    /// New sessions of the set have no policy.
    pub fn detach(&self, set: u32) -> bool {
        // SAFETY: the host's function with the host's desk.
        unsafe { (self.host.detach_policy)(self.host.desk, set) != 0 }
    }

    pub fn log(&self, level: LogLevel, text: &str) -> bool {
        // SAFETY: the host's function with the host's desk, and text of that length.
        unsafe {
            (self.host.desk_log)(self.host.desk, level.number(), text.as_ptr().cast(), text.len() as u32) != 0
        }
    }
}
