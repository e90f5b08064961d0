//! What a plugin asks of management, from any thread: queued here, done on management's thread.

use super::abi::{self, ReleasePolicy};
use super::log::{LogLevel, LogLine, MAX_LINE};
use crate::base::SetId;
use crate::service::plugin::Desk;
use crate::service::watchdog::{Suspect, marks};
use std::collections::VecDeque;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

/// Requests that may wait, and lines of the log.
const MAX_WAITING: usize = 256;

/// A policy database of an external plugin: its pointer, and how it is freed.
pub struct ExternalPolicy {
    pub pointer: *const c_void,
    release: Option<ReleasePolicy>,
    suspect: &'static Suspect,
}

// SAFETY: the host only hands the pointer on; by the ABI a policy is immutable, and its release may be on any thread.
unsafe impl Send for ExternalPolicy {}
// SAFETY: as `Send`.
unsafe impl Sync for ExternalPolicy {}

impl Drop for ExternalPolicy {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            let pointer = self.pointer;
            // SAFETY: the last user of the policy has gone, and the library stays loaded. A panic stops here: nothing is left
            // to be done about it.
            let call = AssertUnwindSafe(|| unsafe { release(pointer) });
            let _ = marks::outside(self.suspect, || catch_unwind(call));
        }
    }
}

enum Order {
    Attach(SetId, ExternalPolicy),
    Detach(SetId),
}

#[derive(Default)]
struct Waiting {
    orders: VecDeque<Order>,
    lines: VecDeque<(LogLevel, String)>,
}

/// One plugin's; lives as long as the process, because the plugin's threads may.
pub struct DeskQueue {
    waiting: Mutex<Waiting>,
    suspect: &'static Suspect,
}

impl DeskQueue {
    pub fn new(suspect: &'static Suspect) -> DeskQueue {
        DeskQueue { waiting: Mutex::default(), suspect }
    }

    pub fn handle(&'static self) -> *mut abi::Desk {
        (&raw const *self).cast_mut().cast()
    }

    /// # Safety
    /// `handle` is null or was given to a plugin by [`handle`](Self::handle).
    unsafe fn of<'a>(handle: *mut abi::Desk) -> Option<&'a DeskQueue> {
        // SAFETY: it came from a reference that lives for ever, and is never written through.
        unsafe { handle.cast_const().cast::<DeskQueue>().as_ref() }
    }

    fn order(&self, order: Order) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let room = waiting.orders.len() < MAX_WAITING;
        if room {
            waiting.orders.push_back(order);
        }
        room
    }

    /// Does what was asked for, in order.
    pub fn serve(&self, desk: &mut dyn Desk) {
        let orders = std::mem::take(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner).orders);
        for order in orders {
            match order {
                Order::Attach(set, policy) => drop(desk.attach(set, Arc::new(policy))),
                Order::Detach(set) => desk.detach(set),
            }
        }
    }

    pub fn lines(&self, to: &mut dyn FnMut(LogLine<'_>)) {
        let lines = std::mem::take(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner).lines);
        lines.iter().for_each(|(level, text)| to(LogLine { level: *level, text }));
    }
}

fn set_of(set: u32) -> Option<SetId> {
    u8::try_from(set).ok().map(SetId)
}

/// # Safety
/// As the header says of `attach_policy`.
pub unsafe extern "C-unwind" fn attach_policy(
    desk: *mut abi::Desk,
    set: u32,
    pointer: *const c_void,
    release: Option<ReleasePolicy>,
) -> i32 {
    // SAFETY: by the ABI the handle is one that the host gave out.
    let (Some(desk), Some(set)) = (unsafe { DeskQueue::of(desk) }, set_of(set)) else { return 0 };
    let mut policy = ExternalPolicy { pointer, release: None, suspect: desk.suspect };
    let mut waiting = desk.waiting.lock().unwrap_or_else(PoisonError::into_inner);
    if waiting.orders.len() >= MAX_WAITING {
        return 0; // it stays the plugin's
    }
    policy.release = release;
    waiting.orders.push_back(Order::Attach(set, policy));
    1
}

/// # Safety
/// As the header says of `detach_policy`.
pub unsafe extern "C-unwind" fn detach_policy(desk: *mut abi::Desk, set: u32) -> i32 {
    // SAFETY: by the ABI the handle is one that the host gave out.
    let (Some(desk), Some(set)) = (unsafe { DeskQueue::of(desk) }, set_of(set)) else { return 0 };
    i32::from(desk.order(Order::Detach(set)))
}

/// # Safety
/// As the header says of `desk_log`.
pub unsafe extern "C-unwind" fn desk_log(
    desk: *mut abi::Desk,
    level: u32,
    text: *const std::ffi::c_char,
    length: u32,
) -> i32 {
    // SAFETY: by the ABI the handle is one that the host gave out, and `text` has that many bytes.
    let (Some(desk), Some(text)) =
        (unsafe { DeskQueue::of(desk) }, unsafe { super::host::bytes_at(text.cast(), length.into()) })
    else {
        return 0;
    };
    let text = String::from_utf8_lossy(text.get(..MAX_LINE).unwrap_or(text)).into_owned();
    let mut waiting = desk.waiting.lock().unwrap_or_else(PoisonError::into_inner);
    let room = waiting.lines.len() < MAX_WAITING;
    if room {
        waiting.lines.push_back((LogLevel::of(level), text));
    }
    i32::from(room)
}
