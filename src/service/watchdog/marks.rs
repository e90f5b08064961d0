//! Which external plugin each thread is in.
//!
//! A worker has its [`Running`], written at every call; it sits on it ([`Seat`]) while it runs. Calls elsewhere (control events,
//! entry functions, the begin and end of workers' halves) are marked one by one, by [`outside`]. Both are found from a signal
//! handler through one thread-local, and by the watchdog through the workers' list and the fixed places here.

use super::suspects::{Suspect, by_number};
use crate::io::process;
use crate::service::running::Running;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::{null, null_mut};
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// Marked calls at once: management makes one at a time, a start and an end few more. Further ones are not watched for their
/// length, but a crash in them is told all the same.
pub(super) const PLACES: usize = 16;

/// Bytes of the stack that signal handlers of a worker run on: a frame of the processor's whole state, and little else.
const SIGNAL_STACK: usize = 64 << 10;

/// Where a plugin was called.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Worker(u8),
    /// A control event, the entry function, the begin and the end of a worker's half.
    Management,
    /// A thread that the plugin started.
    OwnThread,
}

impl Place {
    const MANAGEMENT: u32 = 1000;
    const OWN_THREAD: u32 = 1001;

    pub(super) const fn number(self) -> u32 {
        match self {
            Place::Worker(worker) => worker as u32,
            Place::Management => Place::MANAGEMENT,
            Place::OwnThread => Place::OWN_THREAD,
        }
    }

    pub(super) fn of(number: u32) -> Place {
        match (number, u8::try_from(number)) {
            (_, Ok(worker)) => Place::Worker(worker),
            (Place::OWN_THREAD, _) => Place::OwnThread,
            _ => Place::Management,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Worker(worker) => write!(f, "on worker {worker}"),
            Place::Management => f.write_str("on management"),
            Place::OwnThread => f.write_str("on a thread of its own"),
        }
    }
}

/// What this thread is in.
#[derive(Copy, Clone)]
struct Here {
    /// Of a marked call; null when there is none.
    suspect: *const Suspect,
    /// Of a worker; null elsewhere.
    running: *const Running,
    worker: u8,
}

thread_local! {
    // Without destructor, and in place from the thread's beginning: a signal handler can read it.
    static HERE: Cell<Here> = const {
        Cell::new(Here { suspect: null(), running: null(), worker: 0 })
    };
}

/// A marked call, for the watchdog.
pub(super) struct Marked {
    suspect: AtomicPtr<Suspect>,
    calls: AtomicU64,
}

static MARKED: [Marked; PLACES] =
    [const { Marked { suspect: AtomicPtr::new(null_mut()), calls: AtomicU64::new(0) } }; PLACES];

/// Who is in the marked call number `place`, and how many there were: the same call when both are the same.
pub(super) fn marked(place: usize) -> (Option<&'static Suspect>, u64) {
    let Some(marked) = MARKED.get(place) else { return (None, 0) };
    let calls = marked.calls.load(Ordering::Acquire);
    // SAFETY: null, or one that lives for ever.
    (unsafe { marked.suspect.load(Ordering::Acquire).as_ref() }, calls)
}

/// Makes a call into a package's code anywhere but in a worker's turn.
pub fn outside<R>(suspect: &'static Suspect, call: impl FnOnce() -> R) -> R {
    let pointer = (&raw const *suspect).cast_mut();
    let free = |marked: &&Marked| {
        let taken = marked.suspect.compare_exchange(null_mut(), pointer, Ordering::AcqRel, Ordering::Acquire);
        taken.is_ok()
    };
    let marked = MARKED.iter().find(free);
    if let Some(marked) = marked {
        marked.calls.fetch_add(1, Ordering::AcqRel);
    }
    let before = HERE.get();
    HERE.set(Here { suspect: pointer, ..before });
    let _mark = Mark { before, marked };
    call()
}

/// Takes the mark away, also when a panic passes.
struct Mark {
    before: Here,
    marked: Option<&'static Marked>,
}

impl Drop for Mark {
    fn drop(&mut self) {
        HERE.set(self.before);
        if let Some(marked) = self.marked {
            marked.suspect.store(null_mut(), Ordering::Release);
        }
    }
}

/// Whom this thread is in. For signal handlers too.
pub(super) fn here() -> Option<(&'static Suspect, Place)> {
    let here = HERE.get();
    // SAFETY: null, or of the seat that this thread sits on, which keeps it.
    let running = unsafe { here.running.as_ref() };
    if let Some(suspect) = running.and_then(|running| by_number(running.look().plugin?)) {
        return Some((suspect, Place::Worker(here.worker)));
    }
    // SAFETY: null, or one that lives for ever.
    Some((unsafe { here.suspect.as_ref() }?, Place::Management))
}

/// A worker's turn on this thread, until it is dropped: crashes in its calls are told by its [`Running`].
pub struct Seat {
    stack: *mut libc::c_void,
    _running: Arc<Running>,
    /// It belongs to the thread that sits on it.
    _thread: PhantomData<*const ()>,
}

impl Seat {
    pub fn take(worker: u8, running: Arc<Running>) -> Seat {
        running.sit(process::thread_id());
        HERE.set(Here { running: Arc::as_ptr(&running), worker, ..HERE.get() });
        Seat { stack: own_stack(), _running: running, _thread: PhantomData }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        HERE.set(Here { running: null(), ..HERE.get() });
        if !self.stack.is_null() {
            let none = libc::stack_t { ss_sp: null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
            // SAFETY: the kernel forgets the stack before it goes; no handler runs on it now.
            unsafe {
                libc::sigaltstack(&raw const none, null_mut());
                libc::munmap(self.stack, SIGNAL_STACK);
            }
        }
    }
}

/// A stack for signal handlers, so that one who has used up his own is told too. Null where the thread has one, or no memory
/// is left (then handlers run on the thread's stack).
fn own_stack() -> *mut libc::c_void {
    // SAFETY: asks; maps fresh memory; and hands it to the kernel for this thread, for as long as the seat is taken.
    unsafe {
        let mut there: libc::stack_t = std::mem::zeroed();
        if libc::sigaltstack(null(), &raw mut there) != 0 || there.ss_flags & libc::SS_DISABLE == 0 {
            return null_mut();
        }
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let stack = libc::mmap(null_mut(), SIGNAL_STACK, access, kind, -1, 0);
        if stack == libc::MAP_FAILED {
            return null_mut();
        }
        let own = libc::stack_t { ss_sp: stack, ss_flags: 0, ss_size: SIGNAL_STACK };
        libc::sigaltstack(&raw const own, null_mut());
        stack
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::PluginId;
    use crate::service::NOBODY;
    use crate::service::watchdog::suspects::{assign, suspect};

    fn name() -> Option<(&'static str, Place)> {
        here().map(|(suspect, place)| (suspect.package(), place))
    }

    #[test]
    fn a_thread_knows_whom_it_is_in_also_in_calls_within_calls_and_after_a_panic() {
        let (outer, inner) = (suspect("marks-outer"), suspect("marks-inner"));
        assert_eq!(name(), None);
        outside(outer, || {
            assert_eq!(name(), Some(("marks-outer", Place::Management)));
            let caught = std::panic::catch_unwind(|| {
                outside(inner, || {
                    assert_eq!(name(), Some(("marks-inner", Place::Management)));
                    std::panic::panic_any(1);
                });
            });
            assert!(caught.is_err());
            assert_eq!(name(), Some(("marks-outer", Place::Management)));
            let there = (0..PLACES).filter_map(|place| marked(place).0);
            assert_eq!(there.filter(|s| s.package().starts_with("marks-")).count(), 1);
        });
        assert_eq!(name(), None);
    }

    #[test]
    fn a_worker_knows_it_by_its_running_and_only_while_it_sits() {
        let running = Arc::<Running>::default();
        assign(PluginId(29), "marks-data");
        let on_a_thread = std::thread::spawn(move || {
            let seat = Seat::take(2, Arc::clone(&running));
            assert_eq!(name(), None);
            running.enter(PluginId(29));
            assert_eq!(name(), Some(("marks-data", Place::Worker(2))));
            running.mark(NOBODY);
            assert_eq!(name(), None);
            running.enter(PluginId(29));
            drop(seat);
            assert_eq!(name(), None);
        });
        on_a_thread.join().unwrap();
    }
}
