//! What becomes of the process because of a plugin: passed once, said, and carried out.
//!
//! Whoever finds the fault passes the sentence. Where management [attends](attend), it gets [`PATIENCE`] to say so in its own
//! way and to write out its events; then, or if it does not come to it, the one who found the fault carries it out. Who is
//! left out is told to the new process by one setting of its environment, [`VARIABLE`].

use super::marks::Place;
use super::suspects::Suspect;
use crate::base::event::PluginFault;
use crate::io::process;
use std::cell::UnsafeCell;
use std::ffi::CStr;
use std::fmt::{self, Write};
use std::ptr::null_mut;
use std::sync::atomic::{
    AtomicBool, AtomicI32, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering,
};
use std::time::Duration;

/// The setting by which a process knows that it was started by one before.
pub const VARIABLE: &str = "WEIR_RESTARTED";

/// Milliseconds that management has to write out its events.
const PATIENCE: u32 = 200;

/// Bytes of [`VARIABLE`] with its value: every package that may be loaded, escaped, is less than half of that.
const SETTING: usize = 16 << 10;
/// Bytes of what is said.
const SAID: usize = 512;

/// What a sentence means.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum LastAct {
    /// The process starts anew without the plugin.
    Restart = 1,
    /// It ends, with exit code 1: what it did is done once and not by halves.
    End = 2,
}

static ACT: AtomicU8 = AtomicU8::new(LastAct::End as u8);
static ATTENDED: AtomicBool = AtomicBool::new(false);

const FREE: u32 = 0;
const BEING_PASSED: u32 = 1;
const PASSED: u32 = 2;
const BEING_CARRIED_OUT: u32 = 3;
static STATE: AtomicU32 = AtomicU32::new(FREE);

/// The facts, valid from [`PASSED`] on.
struct Facts {
    suspect: AtomicPtr<Suspect>,
    place: AtomicU32,
    /// 0: it is stuck.
    signal: AtomicI32,
    /// Of the code that ran, and what it wanted of memory; for signals.
    code: AtomicUsize,
    memory: AtomicUsize,
    /// How long it was stuck.
    lasted: AtomicU64,
    at: AtomicU64,
}

static FACTS: Facts = Facts {
    suspect: AtomicPtr::new(null_mut()),
    place: AtomicU32::new(0),
    signal: AtomicI32::new(0),
    code: AtomicUsize::new(0),
    memory: AtomicUsize::new(0),
    lasted: AtomicU64::new(0),
    at: AtomicU64::new(0),
};

/// What was found.
#[derive(Copy, Clone, Debug)]
pub enum Found {
    Stuck {
        lasted: Duration,
    },
    /// The addresses of the code that ran and of the memory that it wanted.
    Signal {
        number: i32,
        code: usize,
        memory: usize,
    },
}

/// What a sentence will mean from now on.
pub fn decide(act: LastAct) {
    ACT.store(act as u8, Ordering::Release);
}

/// Management looks for a sentence all the time and carries it out, from now on or no longer.
pub fn attend(attended: bool) {
    ATTENDED.store(attended, Ordering::Release);
}

/// Passes a sentence, unless there is one.
pub fn pass(suspect: &'static Suspect, place: Place, found: Found) {
    if STATE.compare_exchange(FREE, BEING_PASSED, Ordering::AcqRel, Ordering::Acquire).is_err() {
        return;
    }
    let (signal, code, memory, lasted) = match found {
        Found::Stuck { lasted } => (0, 0, 0, lasted.as_micros() as u64),
        Found::Signal { number, code, memory } => (number, code, memory, 0),
    };
    FACTS.suspect.store((&raw const *suspect).cast_mut(), Ordering::Release);
    FACTS.place.store(place.number(), Ordering::Release);
    FACTS.signal.store(signal, Ordering::Release);
    FACTS.code.store(code, Ordering::Release);
    FACTS.memory.store(memory, Ordering::Release);
    FACTS.lasted.store(lasted, Ordering::Release);
    FACTS.at.store(process::monotonic_micros(), Ordering::Release);
    STATE.store(PASSED, Ordering::Release);
}

/// A sentence that was passed.
#[derive(Copy, Clone, Debug)]
pub struct Sentence {
    suspect: &'static Suspect,
    place: Place,
    signal: i32,
}

/// The sentence, if one was passed.
pub fn passed() -> Option<Sentence> {
    if STATE.load(Ordering::Acquire) < PASSED {
        return None;
    }
    // SAFETY: set before the state, and lives for ever.
    let suspect = unsafe { FACTS.suspect.load(Ordering::Acquire).as_ref() }?;
    let place = Place::of(FACTS.place.load(Ordering::Acquire));
    Some(Sentence { suspect, place, signal: FACTS.signal.load(Ordering::Acquire) })
}

/// Some thread has found something, and the process has not long to live.
pub(super) fn pending() -> bool {
    STATE.load(Ordering::Acquire) != FREE
}

impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (package, place) = (self.suspect.package(), self.place);
        if self.signal == 0 {
            let millis = FACTS.lasted.load(Ordering::Acquire) / 1000;
            let limit = if matches!(place, Place::Worker(_)) { "call-limit" } else { "control-limit" };
            write!(f, "plugin {package} has not returned for {millis} ms {place} (services.{limit})")?;
        } else {
            let code = FACTS.code.load(Ordering::Acquire);
            write!(f, "plugin {package} crashed {place}: {} at address ", super::signals::name(self.signal))?;
            write!(f, "{:#x}", FACTS.memory.load(Ordering::Acquire))?;
            match self.suspect.offset(code) {
                Some(offset) => write!(f, ", by its code at {offset:#x}")?,
                None => write!(f, ", by other code at {code:#x}")?,
            }
        }
        f.write_str(match act() {
            LastAct::Restart => "; weir starts anew without it",
            LastAct::End => "; mend it or leave it out, and start again: weir ends here",
        })
    }
}

fn act() -> LastAct {
    if ACT.load(Ordering::Acquire) == LastAct::Restart as u8 { LastAct::Restart } else { LastAct::End }
}

/// Gives management its time, then carries the sentence out. For whoever passed it, in a signal handler too.
pub fn await_end() -> ! {
    let mut left = if ATTENDED.load(Ordering::Acquire) { PATIENCE } else { 0 };
    while left > 0 {
        process::wait_a_millisecond();
        left -= 1;
    }
    carry_out(false)
}

/// The end of this process. `said`: what there is to say has been said.
pub fn carry_out(said: bool) -> ! {
    while STATE.compare_exchange(PASSED, BEING_CARRIED_OUT, Ordering::AcqRel, Ordering::Acquire).is_err() {
        process::wait_a_millisecond(); // another does it, or is about to pass it
    }
    if let (false, Some(sentence)) = (said, passed()) {
        let mut text = Text::<SAID>::default();
        // What is too long is cut.
        let _ = writeln!(text, "error: {sentence}");
        process::say(text.bytes());
    }
    if act() == LastAct::Restart {
        let error = process::start_anew(setting());
        let mut text = Text::<SAID>::default();
        let _ =
            writeln!(text, "error: weir cannot start anew (system error {error}) and ends; start it again");
        process::say(text.bytes());
    }
    process::exit_now(1)
}

/// Text in fixed memory.
struct Text<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Text<N> {
        Text { bytes: [0; N], length: 0 }
    }
}

impl<const N: usize> Text<N> {
    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl<const N: usize> Write for Text<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // The last byte stays 0.
        let room = (N - 1).saturating_sub(self.length).min(text.len());
        let (from, to) = (text.as_bytes().get(..room), self.bytes.get_mut(self.length..self.length + room));
        if let (Some(from), Some(to)) = (from, to) {
            to.copy_from_slice(from);
            self.length += room;
        }
        if room == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

struct Setting(UnsafeCell<Text<SETTING>>);

// SAFETY: used by the one thread that carries a sentence out.
unsafe impl Sync for Setting {}

static NEXT: Setting = Setting(UnsafeCell::new(Text { bytes: [0; SETTING], length: 0 }));

/// `WEIR_RESTARTED=...` for the next process: what this one knew, and one more. By the one who carries the sentence out.
fn setting() -> &'static CStr {
    // SAFETY: one thread ever comes here, once.
    let text = unsafe { &mut *NEXT.0.get() };
    // SAFETY: null, or one that lives for ever.
    let before = unsafe { BEFORE.load(Ordering::Acquire).as_ref() };
    let (stuck, crashed, lines) = before.map_or((0, 0, ""), |b| (b.stuck, b.crashed, &*b.lines));
    if let Some(sentence) = passed() {
        let is_stuck = sentence.signal == 0;
        let at = FACTS.at.load(Ordering::Acquire);
        let (stuck, crashed) = (stuck + u64::from(is_stuck), crashed + u64::from(!is_stuck));
        // The one that matters most stands before those that would not fit.
        let _ = write!(text, "{VARIABLE}={stuck} {crashed}\n{}", Escaped(sentence.suspect.package()))
            .and_then(|()| writeln!(text, " {} {} {at}", sentence.signal, sentence.place.number()))
            .and_then(|()| text.write_str(lines));
    }
    CStr::from_bytes_until_nul(&text.bytes).unwrap_or_default()
}

/// What this process knows of those before it.
struct Before {
    stuck: u64,
    crashed: u64,
    lines: Box<str>,
}

static BEFORE: AtomicPtr<Before> = AtomicPtr::new(null_mut());

/// Starts that plugins caused, and the plugins that are left out because of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restarted {
    pub stuck: u64,
    pub crashed: u64,
    /// The latest first; each package once.
    pub out: Vec<LeftOut>,
}

/// A package that is not loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    pub package: String,
    /// 0: it was stuck.
    pub signal: i32,
    pub place: Place,
    /// When, by [`process::monotonic_micros`].
    pub at_micros: u64,
}

impl LeftOut {
    pub fn fault(&self) -> PluginFault {
        if self.signal == 0 { PluginFault::Stuck } else { PluginFault::Crashed }
    }
}

/// Why.
impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.signal {
            0 => write!(f, "stuck {}", self.place),
            signal => write!(f, "crashed {} ({})", self.place, super::signals::name(signal)),
        }
    }
}

impl Restarted {
    /// Reads the value of [`VARIABLE`]; `None` where it is none of ours.
    pub fn read(value: &str) -> Option<Restarted> {
        let mut lines = value.lines();
        let (stuck, crashed) = lines.next()?.split_once(' ')?;
        let mut read =
            Restarted { stuck: stuck.parse().ok()?, crashed: crashed.parse().ok()?, out: Vec::new() };
        for line in lines {
            let mut words = line.split(' ');
            let package = unescaped(words.next()?)?;
            let (signal, place) = (words.next()?.parse().ok()?, Place::of(words.next()?.parse().ok()?));
            let at_micros = words.next()?.parse().ok()?;
            // Put back and out again: the latest holds.
            if read.out.iter().all(|known| known.package != package) {
                read.out.push(LeftOut { package, signal, place, at_micros });
            }
        }
        Some(read)
    }

    /// What the next process will be told, if there should be one, beside its own reason.
    pub fn hand_on(&self) {
        let mut lines = String::new();
        for out in &self.out {
            let _ = writeln!(
                lines,
                "{} {} {} {}",
                Escaped(&out.package),
                out.signal,
                out.place.number(),
                out.at_micros
            );
        }
        let before = Before { stuck: self.stuck, crashed: self.crashed, lines: lines.into() };
        // The one before stays: a signal handler may be reading it. There are as many as an operator puts plugins back.
        BEFORE.store(Box::into_raw(Box::new(before)), Ordering::Release);
    }
}

/// A name as one word: other bytes than letters, digits and a few marks as `%` and two digits.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => f.write_char(byte.into())?,
                _ => write!(f, "%{byte:02x}")?,
            }
        }
        Ok(())
    }
}

fn unescaped(word: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = word.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        bytes.push(match byte {
            b'%' => {
                let (digits, after) = rest.split_at_checked(2)?;
                rest = after;
                u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?
            }
            _ => byte,
        });
    }
    String::from_utf8(bytes).ok().filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn out(package: &str, signal: i32, place: Place, at_micros: u64) -> LeftOut {
        LeftOut { package: package.into(), signal, place, at_micros }
    }

    #[test]
    fn what_a_process_hands_on_the_next_one_reads_and_the_latest_reason_holds() {
        let read = Restarted::read("2 1\nprobe 11 0 77\nits%20other%25 0 1000 60\nprobe 0 3 50\n").unwrap();
        let out = vec![
            out("probe", libc::SIGSEGV, Place::Worker(0), 77),
            out("its other%", 0, Place::Management, 60),
        ];
        assert_eq!(read, Restarted { stuck: 2, crashed: 1, out });
        assert_eq!(read.out[0].to_string(), "crashed on worker 0 (SIGSEGV)");
        assert_eq!(read.out[1].to_string(), "stuck on management");
        assert_eq!(Restarted::read("0 0").map(|r| r.out.len()), Some(0));
        for wrong in ["", "yes", "1", "1 2\nprobe", "1 2\nprobe x 0 1", "1 2\n%zz 0 0 1", "1 2\n% 0 0 1"] {
            assert_eq!(Restarted::read(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn text_that_is_too_long_is_cut_and_still_ends() {
        let mut text = Text::<8>::default();
        assert!(write!(text, "{}", 1234567).is_ok() && write!(text, "8").is_err());
        assert_eq!((text.bytes(), text.bytes[7]), (&b"1234567"[..], 0));
    }

    proptest! {
        #[test]
        fn every_name_comes_back(name in ".{1,64}") {
            let word = Escaped(&name).to_string();
            prop_assert!(word.bytes().all(|b| b.is_ascii_graphic()));
            prop_assert_eq!(unescaped(&word), Some(name));
        }

        #[test]
        fn no_value_of_the_setting_is_too_much(value in "[0-9 %a-z\n]{0,200}") {
            let _ = Restarted::read(&value);
        }
    }
}
