//! The process as it was started, and how it starts anew in its own place: same number, same command, nothing kept but what is
//! said in one setting of its environment.
//!
//! [`remember`] is called once, before threads are pinned. [`start_anew`] and the few calls beside it neither allocate nor lock,
//! so that a signal handler may use them.

#![allow(unsafe_code)] // system calls; each block says why it is sound

use arrayvec::ArrayString;
use std::ffi::{CStr, CString, c_char};
use std::fmt::Write;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI32, AtomicPtr, Ordering};
use std::time::Duration;

/// What the kernel names the program by after [`start_anew`]; the old name comes back with [`rename`].
const SELF: &CStr = c"/proc/self/exe";

/// The first file descriptor that a new start shall not find open: those before are standard input, output and error.
const FIRST_OWN: libc::c_uint = 3;

struct Origin {
    /// Ends with null.
    arguments: Box<[*mut c_char]>,
    /// Without the variable; a place for it, and null at the end.
    environment: Box<[AtomicPtr<c_char>]>,
    affinity: libc::cpu_set_t,
    mask: libc::sigset_t,
}

static ORIGIN: AtomicPtr<Origin> = AtomicPtr::new(null_mut());

/// Notes how this process was started. `variable`: the setting that a new start is told by; an earlier one is left out. The
/// first call counts.
pub fn remember(variable: &str) {
    if !ORIGIN.load(Ordering::Acquire).is_null() {
        return;
    }
    let text = |bytes: Vec<u8>| CString::new(bytes).ok().map(CString::into_raw);
    let arguments = std::env::args_os().filter_map(|argument| text(argument.into_vec()));
    let arguments = arguments.chain([null_mut()]).collect();
    let kept = std::env::vars_os().filter(|(name, _)| name != variable);
    let setting = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        text([name.into_vec(), b"=".to_vec(), value.into_vec()].concat())
    };
    let environment = kept.filter_map(setting).chain([null_mut(), null_mut()]).map(AtomicPtr::new).collect();
    // SAFETY: sets of bits, for which zero will do; the kernel fills them up to the sizes we say.
    let (affinity, mask) = unsafe {
        let (mut affinity, mut mask) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut affinity);
        libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &raw mut mask);
        (affinity, mask)
    };
    // It lives as long as the process: a signal handler may need it at any time.
    let origin = Box::into_raw(Box::new(Origin { arguments, environment, affinity, mask }));
    let _ = ORIGIN.compare_exchange(null_mut(), origin, Ordering::AcqRel, Ordering::Acquire);
}

/// A file that stays open over a start anew; none below 0.
static KEPT_OPEN: AtomicI32 = AtomicI32::new(-1);

/// Has the file stay open over [`start_anew`]; the last that was told counts.
pub fn keep_open(descriptor: i32) {
    KEPT_OPEN.store(descriptor, Ordering::Release);
}

/// Replaces the process by a new start of the same program: same arguments, folder and environment, and `setting`
/// (`NAME=value`) beside it. All files but the standard ones and [the one to keep](keep_open) close, all other threads are gone. Comes back only when that
/// is not possible, with the reason as the system numbers it. One thread at a time.
pub fn start_anew(setting: &CStr) -> i32 {
    // SAFETY: null, or what `remember` made for ever.
    let Some(origin) = (unsafe { ORIGIN.load(Ordering::Acquire).as_ref() }) else { return libc::ENOSYS };
    let Some(place) = origin.environment.len().checked_sub(2).and_then(|at| origin.environment.get(at))
    else {
        return libc::ENOSYS;
    };
    place.store(setting.as_ptr().cast_mut(), Ordering::Release);
    // SAFETY: the arrays end with null and hold texts that end with NUL; an `AtomicPtr` lies in memory as the pointer does.
    // What comes before only changes settings of the kernel: open files, CPUs and signals of the calling thread.
    unsafe {
        let flags = libc::CLOSE_RANGE_CLOEXEC as libc::c_int;
        if libc::syscall(libc::SYS_close_range, FIRST_OWN, libc::c_uint::MAX, flags) != 0 {
            close_on_exec();
        }
        let kept = KEPT_OPEN.load(Ordering::Acquire);
        if kept >= 0 {
            libc::fcntl(kept, libc::F_SETFD, 0);
        }
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const origin.affinity);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const origin.mask, null_mut());
        libc::execve(
            SELF.as_ptr(),
            origin.arguments.as_ptr().cast(),
            origin.environment.as_ptr().cast::<*const c_char>(),
        );
        *libc::__errno_location()
    }
}

/// On kernels before 5.11.
fn close_on_exec() {
    // SAFETY: asks a limit, and sets a flag of descriptors; one that is not open is refused, which changes nothing.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        for descriptor in FIRST_OWN..libc::c_uint::try_from(limit.rlim_cur).unwrap_or(1 << 16) {
            libc::fcntl(descriptor as libc::c_int, libc::F_SETFD, libc::FD_CLOEXEC);
        }
    }
}

/// Gives the process the name that it has in lists of processes: after a new start it is called `exe`.
pub fn rename(name: &str) {
    // Its first thread's; where the kernel refuses, lists of processes show the other one.
    let _ = std::fs::write("/proc/self/comm", name);
}

/// Ends the process at once: no destructor runs, nothing is written out.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(code) }
}

/// Writes to standard error, past every buffer and lock.
pub fn say(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: reads the bytes of the slice.
        let written = unsafe { libc::write(libc::STDERR_FILENO, bytes.as_ptr().cast(), bytes.len()) };
        let Some(rest) = usize::try_from(written).ok().filter(|n| *n > 0).and_then(|n| bytes.get(n..)) else {
            return;
        };
        bytes = rest;
    }
}

/// Where a process is after [`to_background`].
pub enum Started {
    /// In the new process, which is to say when it is up.
    Here(Ready),
    /// In the one that was started: the other is up (code 0), or has ended with this code before it was.
    There { process: u32, code: i32 },
}

/// Tells the process that waits in the foreground. Dropped untold, it says that there was a fault.
pub struct Ready(OwnedFd);

impl Ready {
    /// It is up: the terminal is let go.
    pub fn tell(self) {
        let nothing = File::options().read(true).write(true).open("/dev/null");
        // SAFETY: descriptors that are open; the standard ones are made to lead nowhere.
        unsafe {
            if let Ok(nothing) = nothing {
                (0..3).for_each(|standard| {
                    libc::dup2(nothing.as_raw_fd(), standard);
                });
            }
            libc::write(self.0.as_raw_fd(), [0u8].as_ptr().cast(), 1);
        }
    }
}

/// Goes on in a new process without a terminal; the old one waits until that is up. Before any thread is started.
pub fn to_background() -> std::io::Result<Started> {
    let (mut word, told) = std::io::pipe()?;
    // SAFETY: there is one thread, so the copy of the process is whole.
    match unsafe { libc::fork() } {
        -1 => Err(std::io::Error::last_os_error()),
        0 => {
            drop(word);
            // SAFETY: a process that was just made leads no group, so this cannot fail.
            unsafe { libc::setsid() };
            Ok(Started::Here(Ready(told.into())))
        }
        child => {
            drop(told);
            let mut code = 0;
            if word.read(&mut [0])? == 0 {
                // SAFETY: waits for a child of ours, which has ended or is about to.
                unsafe { libc::waitpid(child, &raw mut code, 0) };
                code = if libc::WIFEXITED(code) { libc::WEXITSTATUS(code).max(1) } else { 1 };
            }
            Ok(Started::There { process: child.unsigned_abs(), code })
        }
    }
}

/// Microseconds of the system's monotonic clock: the same for this process and the one that takes its place.
pub fn monotonic_micros() -> u64 {
    // SAFETY: the kernel fills in the time.
    let now = unsafe {
        let mut now: libc::timespec = std::mem::zeroed();
        libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now);
        now
    };
    now.tv_sec as u64 * 1_000_000 + now.tv_nsec as u64 / 1000
}

/// Waits a millisecond, in a signal handler too.
pub fn wait_a_millisecond() {
    let span = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
    // SAFETY: reads the span; an early end does no harm.
    unsafe { libc::nanosleep(&raw const span, null_mut()) };
}

/// The calling thread, as the kernel numbers it.
pub fn thread_id() -> u32 {
    // SAFETY: it has no arguments and cannot fail.
    unsafe { libc::gettid() }.unsigned_abs()
}

/// How long a thread of this process was ready to run and had no CPU, since it began: the second number of its `schedstat`
/// (Linux, Documentation/scheduler/sched-stats). Zero where the kernel does not tell. Takes no memory: whoever hangs may
/// hold the allocator.
pub fn waited_for_cpu(thread: u32) -> Duration {
    let mut path = ArrayString::<64>::new();
    let mut text = [0; 128];
    let read = write!(path, "/proc/self/task/{thread}/schedstat")
        .ok()
        .and_then(|()| File::open(path.as_str()).ok())
        .and_then(|mut file| file.read(&mut text).ok());
    let text = std::str::from_utf8(&text[..read.unwrap_or(0)]).unwrap_or_default();
    let nanos = text.split_whitespace().nth(1).and_then(|word| word.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}
