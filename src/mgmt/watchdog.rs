//! The watchdog's thread: looks at what plugins do, and sees to it that one which does not return is not waited for.
//!
//! It is started before the first plugin is loaded and before EAL pins its lcores, so that it runs on any CPU. What a
//! sentence is and who carries it out: [`service::watchdog`](crate::service::watchdog).

use crate::io::clock::{Clock, Ticks, TimeBase};
use crate::io::process;
use crate::mgmt::config::Services;
use crate::mgmt::events::EventLog;
use crate::service::Running;
use crate::service::watchdog::sentence::{self, Found, VARIABLE};
use crate::service::watchdog::{LastAct, Limits, Restarted, Sentence, Sight, Sighting};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(25);

#[derive(Default)]
struct Shared {
    workers: Mutex<Vec<Arc<Running>>>,
    over: AtomicBool,
}

impl Shared {
    fn workers(&self) -> MutexGuard<'_, Vec<Arc<Running>>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches until it is dropped.
pub struct Watchdog {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// `act`: what a plugin's fault comes to.
    pub fn start(services: &Services, act: LastAct) -> io::Result<Watchdog> {
        sentence::decide(act);
        let limits = Limits { data: services.call_limit, control: services.control_limit, step: 4 * LOOK };
        let shared = Arc::<Shared>::default();
        let watched = Arc::clone(&shared);
        let clock = TimeBase::new(Ticks::monotonic()).clock();
        let body = move || watch(&watched, limits, clock);
        let thread = std::thread::Builder::new().name("weir-watchdog".into()).spawn(body)?;
        Ok(Watchdog { shared, thread: Some(thread) })
    }

    /// The workers, by their numbers.
    pub fn watch(&self, workers: &[Arc<Running>]) {
        self.shared.workers().extend(workers.iter().map(Arc::clone));
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic of it would have been told by then.
            let _ = thread.join();
        }
    }
}

fn watch(shared: &Shared, limits: Limits, mut clock: Clock) {
    let mut sight = Sight::new(limits);
    while !shared.over.load(Ordering::Acquire) {
        let sighting = sight.look(&shared.workers(), clock.now());
        match sighting {
            None => {}
            Some(Sighting::Slow { suspect, lasted }) => tracing::warn!(
                "plugin {} has been in one call on management for {} ms: commands that have to do with plugins wait for it; \
                 after {} ms weir starts anew without it (services.control-limit)",
                suspect.package(),
                lasted.as_millis(),
                limits.control.as_millis()
            ),
            Some(Sighting::Stuck { suspect, place, lasted }) => {
                sentence::pass(suspect, place, Found::Stuck { lasted });
                sentence::await_end();
            }
        }
        std::thread::park_timeout(LOOK);
    }
}

/// Says what is about to happen, and why; writes out what there is of events; and then it happens.
pub fn carry_out(sentence: Sentence, log: &mut EventLog) -> ! {
    tracing::error!("{sentence}");
    log.finish();
    sentence::carry_out(true)
}

/// The name that the program has in lists of processes.
const PROGRAM: &str = "weir";

/// What the process before this one has left out, if there was one: said, and kept for the next. Before threads are started.
pub fn restarted() -> Restarted {
    process::remember(VARIABLE);
    let Ok(value) = std::env::var(VARIABLE) else { return Restarted::default() };
    let Some(restarted) = Restarted::read(&value) else {
        tracing::warn!("the setting {VARIABLE} of the environment is not one that weir makes: it is ignored");
        return Restarted::default();
    };
    process::rename(PROGRAM);
    restarted.hand_on();
    for out in &restarted.out {
        let name = &out.package;
        tracing::error!(
            "plugin {name} is left out: {out}; `weir ctl plugin restart {name}` loads it again, as does a start of weir by hand"
        );
    }
    restarted
}

/// Traffic passes again: says how long it did not, as far as that is known.
pub fn forwarding(restarted: &Restarted) {
    // The latest fault stands first.
    if let Some(latest) = restarted.out.first() {
        let since = process::monotonic_micros().saturating_sub(latest.at_micros) / 1000;
        tracing::info!("forwarding again, {since} ms after plugin {} was found {latest}", latest.package);
    }
}
