//! Signals by which the processor, or the C library, ends a process: whose fault it was, and if a plugin's, its sentence.
//!
//! The handler runs on the thread that failed. It reads that thread's marks and fixed memory, and makes system calls; it takes
//! no lock and no memory. A fault of its own ends the process: all these signals are blocked while it runs, and a blocked one
//! of the processor's kills.

use super::marks::{Place, here};
use super::sentence::{self, Found};
use super::suspects::{all, by_code};
use crate::io::process::say;
use std::ffi::{c_int, c_void};
use std::ptr::{null, null_mut};
use std::sync::Once;
use std::sync::atomic::{AtomicPtr, Ordering};

const CAUGHT: [(c_int, &str); 5] = [
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGABRT, "SIGABRT"),
];

/// What stood there before, by place in [`CAUGHT`].
static BEFORE: [AtomicPtr<libc::sigaction>; CAUGHT.len()] =
    [const { AtomicPtr::new(null_mut()) }; CAUGHT.len()];

pub(super) fn name(signal: i32) -> &'static str {
    CAUGHT.iter().find(|(number, _)| *number == signal).map_or("a signal", |(_, name)| name)
}

/// From now on. What stood there before is still used for faults that are no plugin's.
pub(super) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        for ((signal, _), before) in CAUGHT.iter().zip(&BEFORE) {
            // SAFETY: whole structures of the C library, for which zero will do; the handler has the form that SA_SIGINFO
            // asks for. The old one is kept for ever, before the new one can run.
            unsafe {
                let old: *mut libc::sigaction = Box::into_raw(Box::new(std::mem::zeroed()));
                libc::sigaction(*signal, null(), old);
                before.store(old, Ordering::Release);
                let mut new: libc::sigaction = std::mem::zeroed();
                new.sa_sigaction = handler as extern "C" fn(_, _, _) as usize;
                new.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
                libc::sigemptyset(&raw mut new.sa_mask);
                for (other, _) in CAUGHT {
                    libc::sigaddset(&raw mut new.sa_mask, other);
                }
                libc::sigaction(*signal, &raw const new, null_mut());
            }
        }
    });
}

extern "C" fn handler(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel gives both, for as long as the handler runs.
    let (own, code, memory) = unsafe { (is_our_own(&*info), code_at(context), (*info).si_addr() as usize) };
    if own {
        if sentence::pending() {
            sentence::carry_out(false); // the process is about to end anyhow
        }
        let by_code = || Some((by_code(code)?, Place::OwnThread));
        if let Some((suspect, place)) = here().or_else(by_code) {
            // What a process does to itself has no address.
            let memory = if signal == libc::SIGABRT { 0 } else { memory };
            sentence::pass(suspect, place, Found::Signal { number: signal, code, memory });
            sentence::await_end();
        }
        tell_of_plugins(signal);
    }
    pass_on(signal, own);
}

/// No plugin ran here. Whether one has overwritten memory before cannot be known: who may have is said.
fn tell_of_plugins(signal: c_int) {
    say(b"error: weir fails with ");
    say(name(signal).as_bytes());
    say(b" outside of any plugin; loaded are");
    for suspect in all() {
        say(b" ");
        say(suspect.package().as_bytes());
    }
    say(b", which may have corrupted memory: leave them out if it happens again, else report it\n");
}

/// As if the handler had never been: the failing instruction runs again and meets what stood here before.
fn pass_on(signal: c_int, own: bool) {
    let place = CAUGHT.iter().position(|(number, _)| *number == signal);
    let before = place.and_then(|place| BEFORE.get(place)).map(|before| before.load(Ordering::Acquire));
    // SAFETY: what `install` kept. A signal that was sent does not come again by itself: it is sent anew, and arrives when
    // this returns.
    unsafe {
        libc::sigaction(signal, before.unwrap_or(null_mut()), null_mut());
        if !own || signal == libc::SIGABRT {
            libc::raise(signal);
        }
    }
}

/// The thread's own doing, not somebody's `kill`.
///
/// # Safety
/// `info` is the kernel's.
unsafe fn is_our_own(info: &libc::siginfo_t) -> bool {
    // SAFETY: signals that were sent carry the sender; the process's number can always be asked.
    info.si_code > 0 || (info.si_code == libc::SI_TKILL && unsafe { info.si_pid() == libc::getpid() })
}

/// Where the thread was.
///
/// # Safety
/// `context` is null, or what the kernel gives a handler.
unsafe fn code_at(context: *mut c_void) -> usize {
    // SAFETY: the caller's promise.
    let Some(context) = (unsafe { context.cast::<libc::ucontext_t>().as_ref() }) else { return 0 };
    #[cfg(target_arch = "x86_64")]
    let at = context.uc_mcontext.gregs[libc::REG_RIP as usize] as usize;
    #[cfg(target_arch = "aarch64")]
    let at = context.uc_mcontext.pc as usize;
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let at = {
        let _ = context;
        0
    };
    at
}
