//! The profiler's thread: adds up what was seen, writes it by time, goes on where the disk does not.

use super::store::{Bounds, Store, Trouble, set_aside};
use super::tally::Tally;
use super::{Counts, Seen, Tap, add};
use crate::base::Time;
use crate::io::clock::{Clock, Ticks, TimeBase};
use crate::mgmt::config::Config;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two attempts to open a database that cannot be opened.
const RETRY: Duration = Duration::from_secs(10);

/// What it goes by.
#[derive(Clone, Debug)]
pub struct Settings {
    pub path: PathBuf,
    pub bounds: Bounds,
    /// Bytes of a text at most.
    pub text: usize,
    /// Observations on their way to the thread at most.
    pub queue: usize,
    pub interval: Duration,
}

impl Settings {
    /// None where the configuration wants no profile.
    pub fn of(config: &Config, base: &Path) -> Option<Settings> {
        let p = &config.profiler;
        p.enabled.then(|| Settings {
            path: base.join(&p.database),
            bounds: Bounds { hosts: p.hosts, services: p.services, contexts: p.contexts },
            text: p.text as usize,
            queue: p.queue as usize,
            interval: p.write_interval,
        })
    }
}

/// The thread. It writes what it has and ends when the tap is dropped; dropping this waits for that.
pub struct Keeper {
    thread: Option<JoinHandle<()>>,
    counts: Arc<Counts>,
}

impl Keeper {
    /// `seat`: what the thread does first, such as choosing its CPU.
    pub fn start(settings: Settings, seat: impl FnOnce() + Send + 'static) -> io::Result<(Keeper, Tap)> {
        let counts = Arc::new(Counts::default());
        let (to, from) = sync_channel(settings.queue);
        let tap = Tap { to, text: settings.text, counts: Arc::clone(&counts) };
        let desk = Desk::new(settings, Arc::clone(&counts));
        let body = move || {
            seat();
            desk.work(&from);
        };
        let thread = std::thread::Builder::new().name("weir-profile".into()).spawn(body)?;
        Ok((Keeper { thread: Some(thread), counts }, tap))
    }

    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic of it was told when it happened.
            let _ = thread.join();
        }
    }
}

/// What the thread works at.
pub(super) struct Desk {
    settings: Settings,
    counts: Arc<Counts>,
    tally: Tally,
    store: Option<Store>,
    clock: Clock,
    /// When to try again.
    open_at: Time,
    /// The last attempt failed, and that was said.
    ails: bool,
}

impl Desk {
    pub(super) fn new(settings: Settings, counts: Arc<Counts>) -> Desk {
        let clock = TimeBase::new(Ticks::monotonic()).clock();
        let (tally, open_at) = (Tally::default(), Time::ZERO);
        Desk { settings, counts, tally, store: None, clock, open_at, ails: false }
    }

    fn work(mut self, from: &Receiver<Seen>) {
        // What is wrong with it is to be said at the start.
        self.open();
        let mut due = self.clock.now().plus(self.settings.interval);
        loop {
            match from.recv_timeout(due.since(self.clock.now())) {
                Ok(seen) => self.add(seen),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let now = self.clock.now();
            // A store that fails is not asked for each observation.
            if now >= due || (self.tally.is_heavy() && !self.ails) {
                self.write();
                due = now.plus(self.settings.interval);
            }
        }
        self.open_at = Time::ZERO;
        self.write();
        add(&self.counts.lost, self.tally.observed);
    }

    pub(super) fn add(&mut self, seen: Seen) {
        if !self.tally.add(seen) {
            add(&self.counts.lost, 1);
        }
    }

    fn path(&self) -> std::path::Display<'_> {
        self.settings.path.display()
    }

    fn open(&mut self) {
        if self.store.is_some() || self.clock.now() < self.open_at {
            return;
        }
        self.open_at = self.clock.now().plus(RETRY);
        let opened = match Store::open(&self.settings.path) {
            Err(Trouble::Useless(why)) => {
                self.set_aside(&why).and_then(|()| Store::open(&self.settings.path))
            }
            opened => opened,
        };
        match opened {
            Ok(store) => self.store = Some(store),
            Err(trouble) => self.failed(&trouble),
        }
    }

    fn set_aside(&mut self, why: &str) -> Result<(), Trouble> {
        self.store = None;
        let aside = set_aside(&self.settings.path)?;
        add(&self.counts.set_aside, 1);
        tracing::warn!(
            "profiler: {} cannot be used ({why}): it is {} now, and a new one is begun",
            self.path(),
            aside.display()
        );
        Ok(())
    }

    pub(super) fn write(&mut self) {
        if self.store.as_ref().is_some_and(|store| !store.is_there()) {
            tracing::warn!("profiler: somebody deleted or replaced {}: it is made anew", self.path());
            (self.store, self.open_at) = (None, Time::ZERO);
        }
        self.look();
        self.open();
        let Some(store) = self.store.as_mut().filter(|_| !self.tally.is_empty()) else { return };
        match store.write(&self.tally, &self.settings.bounds) {
            Ok(evicted) => {
                add(&self.counts.written, self.tally.observed);
                add(&self.counts.evicted, evicted);
                self.tally.clear();
                if std::mem::take(&mut self.ails) {
                    tracing::info!("profiler: {} is written again", self.path());
                }
            }
            Err(trouble) => {
                self.failed(&trouble);
                if let Trouble::Useless(why) = &trouble {
                    // A new one takes what waits with the next write.
                    self.begin_anew(why);
                }
            }
        }
    }

    /// Sets aside what was damaged under way, which writes alone may never notice.
    fn look(&mut self) {
        let suspect = self.counts.suspect.swap(false, Ordering::Relaxed);
        let found = self.store.as_ref().map(|store| store.look(suspect));
        // Whatever else is wrong, the write will say.
        if let Some(Err(Trouble::Useless(why))) = found {
            self.begin_anew(&why);
        }
    }

    fn begin_anew(&mut self, why: &str) {
        if let Err(trouble) = self.set_aside(why) {
            tracing::warn!("profiler: it cannot be set aside: {trouble}");
        }
        self.open_at = Time::ZERO;
    }

    #[cfg(test)]
    pub(super) fn close(&mut self) {
        (self.store, self.open_at) = (None, Time::ZERO);
    }

    fn failed(&mut self, trouble: &Trouble) {
        add(&self.counts.failures, 1);
        if !std::mem::replace(&mut self.ails, true) {
            tracing::warn!(
                "profiler: cannot write {}: {trouble}; give it room or rights, or set profiler.database to another file; until \
                 then what was seen waits, up to a bound",
                self.path()
            );
        }
    }
}
