//! The only reader of clocks: the processor's counter turned into [`Time`], one cheap reading a burst.
//!
//! Every lcore has a [`Clock`] of its own (the counter is one for all CPUs on machines that DPDK supports) and never sees
//! it run backwards. The counter drifts from the system's clock, which NTP corrects: management calls
//! [`Clock::discipline`] now and then, and the drift is made good by running a little faster or slower.
//!
//! Where the system's clock is set, as by NTP after a start with a wrong one, nothing that waits hears of it: time-outs and
//! confirmations neither come at once nor stand still. What is told of a time goes through [`wall`].

#![allow(clippy::disallowed_methods)] // this is the file that may

use crate::base::Time;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering, fence};
use std::time::{Duration, Instant, SystemTime};

/// Bits behind the point in "microseconds per tick".
const RATE_BITS: u32 = 40;

/// An error is made good over this time; with one larger than that the system's clock was set.
const SLEW: Duration = Duration::from_secs(10);

/// By this part of its speed a clock runs faster or slower at most.
const GENTLE: i128 = 8;

/// Two readings of the counter around one of the system's clock lie no further apart, or it was no reading of one moment.
const ONE_MOMENT: Duration = Duration::from_millis(1);

/// By how much the system's clock was set, microseconds.
static SET: AtomicI64 = AtomicI64::new(0);

/// A time as the system's clock has it now, for whoever is told of it.
pub fn wall(time: Time) -> Time {
    Time::from_micros(time.micros().saturating_add_signed(SET.load(Ordering::Relaxed)))
}

/// Naps of the calling thread end when they should: Linux may else add 50 us to each, so as to wake several at once. Under a
/// real-time policy it adds nothing anyway.
pub fn nap_exactly() {
    #[cfg(feature = "manage")]
    // A kernel that refuses makes naps longer, no more.
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
}

/// Sleeps, on an lcore that has found nothing to do for long.
pub fn nap(span: Duration) {
    std::thread::sleep(span);
}

/// A counter that never stops nor turns back.
#[derive(Copy, Clone, Debug)]
pub struct Ticks {
    pub read: fn() -> u64,
    pub per_second: u64,
}

impl Ticks {
    /// The system's monotonic clock, in nanoseconds: where there is no EAL.
    pub fn monotonic() -> Ticks {
        static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        let read = || START.get_or_init(Instant::now).elapsed().as_nanos() as u64;
        Ticks { read, per_second: 1_000_000_000 }
    }
}

/// How ticks become time: `micros + (now - ticks) * rate`.
#[derive(Copy, Clone, Debug)]
struct Line {
    ticks: u64,
    micros: u64,
    /// Microseconds per tick, with [`RATE_BITS`] bits behind the point.
    rate: u64,
}

impl Line {
    fn at(self, ticks: u64) -> u64 {
        let passed = u128::from(ticks.saturating_sub(self.ticks)) * u128::from(self.rate);
        self.micros.saturating_add((passed >> RATE_BITS) as u64)
    }
}

fn nominal_rate(per_second: u64) -> u64 {
    ((1_000_000u128 << RATE_BITS) / u128::from(per_second.max(1))) as u64
}

/// What all lcores' clocks share: written by management, read by everyone, without a lock (a sequence counter, odd while
/// it is being written).
#[derive(Debug)]
pub struct TimeBase {
    ticks: Ticks,
    sequence: AtomicU64,
    line: [AtomicU64; 3],
}

impl TimeBase {
    /// Starts at the system's time.
    pub fn new(ticks: Ticks) -> Arc<TimeBase> {
        let line =
            Line { ticks: (ticks.read)(), micros: system_micros(), rate: nominal_rate(ticks.per_second) };
        let line = [line.ticks, line.micros, line.rate].map(AtomicU64::new);
        Arc::new(TimeBase { ticks, sequence: AtomicU64::new(0), line })
    }

    /// The counter behind it: for measurements.
    pub fn ticks(&self) -> Ticks {
        self.ticks
    }

    pub fn clock(self: &Arc<Self>) -> Clock {
        Clock { base: Arc::clone(self), line: self.line(), latest: 0 }
    }

    /// Turns the clocks towards the system's; by how many microseconds that was set, if it was.
    fn discipline(&self) -> Option<i64> {
        let (before, system, ticks) = ((self.ticks.read)(), system_micros(), (self.ticks.read)());
        let passed =
            u128::from(ticks.saturating_sub(before)) * 1_000_000 / u128::from(self.ticks.per_second.max(1));
        if passed > ONE_MOMENT.as_micros() {
            return None;
        }
        let (line, set) =
            match corrected(self.line(), SET.load(Ordering::Relaxed), ticks, system, self.ticks.per_second) {
                Corrected::Slewed(line) => (line, None),
                Corrected::Set(line, by) => (line, Some(by)),
            };
        self.sequence.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::Release);
        for (cell, value) in self.line.iter().zip([line.ticks, line.micros, line.rate]) {
            cell.store(value, Ordering::Relaxed);
        }
        self.sequence.fetch_add(1, Ordering::Release);
        set.inspect(|by| _ = SET.fetch_add(*by, Ordering::Relaxed))
    }

    fn line(&self) -> Line {
        loop {
            if let Some(line) = self.whole_line() {
                return line;
            }
            std::hint::spin_loop();
        }
    }

    /// None while it is being written: who writes may have lost its CPU in the middle.
    #[inline]
    fn whole_line(&self) -> Option<Line> {
        let before = self.sequence.load(Ordering::Acquire);
        let [ticks, micros, rate] = [0, 1, 2].map(|i: usize| self.line[i].load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        let whole = before.is_multiple_of(2) && self.sequence.load(Ordering::Relaxed) == before;
        whole.then_some(Line { ticks, micros, rate })
    }
}

/// The line from here on, which goes on where it is.
#[derive(Copy, Clone, Debug)]
enum Corrected {
    Slewed(Line),
    /// The system's clock was set by so many microseconds.
    Set(Line, i64),
}

fn corrected(line: Line, set: i64, ticks: u64, system: u64, per_second: u64) -> Corrected {
    let (ours, nominal) = (line.at(ticks), nominal_rate(per_second));
    let (error, span) = (i128::from(system) - i128::from(ours) - i128::from(set), SLEW.as_micros() as i128);
    let go_on = |rate| Line { ticks, micros: ours, rate };
    if error.abs() >= span {
        let by = error.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        return Corrected::Set(go_on(nominal), by);
    }
    let error = error.clamp(-span / GENTLE, span / GENTLE);
    let rate = i128::from(nominal) * (span + error) / span;
    Corrected::Slewed(go_on(u64::try_from(rate).unwrap_or(nominal)))
}

fn system_micros() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// One lcore's clock.
#[derive(Clone, Debug)]
pub struct Clock {
    base: Arc<TimeBase>,
    /// As it was read last: no lcore waits for a new one.
    line: Line,
    latest: u64,
}

impl Clock {
    /// Never before what it said last.
    #[inline]
    pub fn now(&mut self) -> Time {
        if let Some(line) = self.base.whole_line() {
            self.line = line;
        }
        self.latest = self.latest.max(self.line.at((self.base.ticks.read)()));
        Time::from_micros(self.latest)
    }

    /// Turns all lcores' clocks towards the system's. To be called by one thread, every few seconds. By how many microseconds the
    /// system's clock was set, if it was.
    pub fn discipline(&self) -> Option<i64> {
        self.base.discipline()
    }

    /// The counter itself: for measuring what a step costs.
    pub fn ticks(&self) -> u64 {
        (self.base.ticks.read)()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PER_SECOND: u64 = 2_500_000_000;

    fn line() -> Line {
        Line { ticks: 1_000, micros: 7_000_000, rate: nominal_rate(PER_SECOND) }
    }

    #[test]
    fn a_day_of_ticks_is_a_day_to_the_millisecond() {
        let day = line().at(1_000 + 86_400 * PER_SECOND) - 7_000_000;
        assert!(day.abs_diff(86_400_000_000) < 1_000, "{day}");
    }

    fn slewed(line: Line, ticks: u64, system: u64) -> Line {
        match corrected(line, 0, ticks, system, PER_SECOND) {
            Corrected::Slewed(line) => line,
            set => panic!("{set:?}"),
        }
    }

    #[test]
    fn a_small_error_is_made_good_within_the_slew_without_a_step() {
        for error in [-40_000i64, 40_000] {
            let ticks = 1_000 + 5 * PER_SECOND;
            let ours = line().at(ticks);
            let new = slewed(line(), ticks, ours.saturating_add_signed(error));
            assert_eq!(new.at(ticks), ours);
            let later = new.at(ticks + SLEW.as_secs() * PER_SECOND);
            let system = ours.saturating_add_signed(error) + SLEW.as_micros() as u64;
            assert!(later.abs_diff(system) < 10, "{later} {system}");
        }
    }

    #[test]
    fn a_large_error_is_made_good_gently() {
        for error in [-9_000_000i64, 9_000_000] {
            let ticks = 1_000 + 20 * PER_SECOND;
            let ours = line().at(ticks);
            let new = slewed(line(), ticks, ours.saturating_add_signed(error));
            let second = new.at(ticks + PER_SECOND) - ours;
            assert!(second.abs_diff(1_000_000) <= 125_010, "a second of {second} us");
        }
    }

    #[test]
    fn a_clock_that_was_set_is_told_and_nothing_that_waits_hears_of_it() {
        let hour = 3_600_000_000i64;
        for by in [-hour, hour] {
            let ticks = 1_000 + 7200 * PER_SECOND;
            let ours = line().at(ticks);
            let system = ours.saturating_add_signed(by);
            let Corrected::Set(new, told) = corrected(line(), 0, ticks, system, PER_SECOND) else {
                panic!("not set")
            };
            assert_eq!((told, new.at(ticks), new.rate), (by, ours, nominal_rate(PER_SECOND)));
            // From then on it is in step with what was set.
            let again = corrected(new, told, ticks, system, PER_SECOND);
            assert!(matches!(again, Corrected::Slewed(line) if line.rate == new.rate), "{again:?}");
        }
    }

    #[test]
    fn no_reader_waits_for_who_writes() {
        let base = TimeBase::new(Ticks { read: || 0, per_second: PER_SECOND });
        let mut clock = base.clock();
        let first = clock.now();
        base.sequence.fetch_add(1, Ordering::Relaxed);
        base.line[1].fetch_add(5_000_000, Ordering::Relaxed);
        assert_eq!(clock.now(), first, "by the line that it has");
        base.sequence.fetch_add(1, Ordering::Relaxed);
        assert_eq!(clock.now(), first.plus(Duration::from_secs(5)));
    }

    #[test]
    fn no_reader_goes_back() {
        let base = TimeBase::new(Ticks { read: || 0, per_second: PER_SECOND });
        let mut clock = base.clock();
        let first = clock.now();
        base.line[1].store(1, Ordering::Relaxed);
        assert_eq!(clock.now(), first);
    }

    #[test]
    fn the_clock_starts_at_the_system_time() {
        let mut clock = TimeBase::new(Ticks::monotonic()).clock();
        assert!(clock.now().micros().abs_diff(system_micros()) < 60_000_000);
    }
}
