//! The management thread of `weir run`: events to their files, statistics by time, RPC, signals.

use crate::base::Time;
use crate::mgmt::control::Control;
use crate::mgmt::doors::Doors;
use crate::mgmt::events::{EventLog, EventTotals};
use crate::mgmt::operator::Operator;
use crate::mgmt::service_manager::{self, ServiceManager};
use crate::mgmt::watchdog;
use crate::service::watchdog::sentence;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long an event may lie in its ring.
const TURN: Duration = Duration::from_millis(10);

/// How long a plugin's late policy may wait to be taken up, and what workers no longer use to be freed.
const SERVICES_TURN: Duration = Duration::from_millis(50);

/// How long a link may be down unnoticed, or workers not keep up.
const LINKS_TURN: Duration = Duration::from_millis(100);

/// Between two looks at the system's clock.
const CLOCK_TURN: Duration = Duration::from_secs(2);

/// What the thread works with.
pub struct Daemon {
    pub operator: Arc<Operator>,
    pub log: EventLog,
    /// Opened, and served as long as this runs.
    pub doors: Doors,
    /// Hears of ends and beginnings.
    pub manager: ServiceManager,
    /// The workers have ended: no more events will come.
    pub ended: Arc<AtomicBool>,
    /// Hears when signals are listened to.
    pub attends: mpsc::Sender<()>,
}

impl Daemon {
    /// Runs until `ended`. SIGINT and SIGTERM stop the appliance, which then ends.
    pub fn run(self) -> io::Result<EventTotals> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.serve())
    }

    async fn serve(mut self) -> io::Result<EventTotals> {
        let open = std::mem::take(&mut self.doors).serve(Arc::clone(&self.operator) as Arc<dyn Control>)?;
        let mut signals = Signals::new()?;
        // The receiver waits for it, or gave up.
        let _ = self.attends.send(());
        sentence::attend(true);
        let mut tick = tokio::time::interval(TURN);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut stats_at = self.operator.now().plus(self.stats_interval());
        let mut services = tokio::time::interval(SERVICES_TURN);
        services.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut links = tokio::time::interval(LINKS_TURN);
        links.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut clock = tokio::time::interval(CLOCK_TURN);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut at_services: Option<tokio::task::JoinHandle<()>> = None;
        let mut going_back: Option<tokio::task::JoinHandle<()>> = None;
        let mut at_shadow: Option<tokio::task::JoinHandle<()>> = None;
        let mut letting_rules: Option<tokio::task::JoinHandle<()>> = None;
        while !self.ended.load(Ordering::Acquire) {
            tokio::select! {
                _ = tick.tick() => stats_at = self.turn(stats_at),
                // One at a time: a worker that does not answer must not gather threads.
                _ = services.tick() => if at_services.as_ref().is_none_or(|task| task.is_finished()) {
                    let operator = Arc::clone(&self.operator);
                    at_services = Some(tokio::task::spawn_blocking(move || operator.turn_services()));
                },
                _ = links.tick() => {
                    self.operator.turn_links();
                    self.operator.turn_overload();
                    self.operator.turn_checksums();
                    self.operator.turn_stalls();
                    self.manager.turn(&self.operator.vitals());
                    self.operator.keep_changes();
                    if self.operator.config_is_due() && going_back.as_ref().is_none_or(|task| task.is_finished()) {
                        let operator = Arc::clone(&self.operator);
                        going_back = Some(tokio::task::spawn_blocking(move || operator.turn_config()));
                    }
                    if self.operator.shadow_is_due() && at_shadow.as_ref().is_none_or(|task| task.is_finished()) {
                        let operator = Arc::clone(&self.operator);
                        at_shadow = Some(tokio::task::spawn_blocking(move || operator.turn_shadow()));
                    }
                    if self.operator.overrules_are_due()
                        && letting_rules.as_ref().is_none_or(|task| task.is_finished())
                    {
                        let operator = Arc::clone(&self.operator);
                        letting_rules = Some(tokio::task::spawn_blocking(move || operator.turn_overrules()));
                    }
                }
                _ = clock.tick() => self.operator.turn_clock(),
                what = signals.next() => self.signal(what),
            }
        }
        sentence::attend(false);
        self.manager.stop();
        self.operator.release_links();
        drop(open);
        let now = self.operator.now();
        self.log.turn(now);
        self.operator.events.publish(&self.log);
        self.log.stats(now, self.operator.uptime_secs(), &self.operator.counters());
        let totals = self.log.finish();
        self.operator.events.publish(&self.log);
        Ok(totals)
    }

    /// Takes events; writes a stats record when it is time. When the next is.
    fn turn(&mut self, stats_at: Time) -> Time {
        if let Some(sentence) = sentence::passed() {
            watchdog::carry_out(sentence, &mut self.log);
        }
        self.operator.turn_modes();
        self.operator.turn_passes();
        if self.operator.take_reopen() {
            self.log.reopen();
        }
        if let Some(outputs) = self.operator.take_outputs() {
            self.log.renew(outputs);
        }
        self.log.tell(self.operator.fresh_listeners());
        let now = self.operator.now();
        self.log.turn(now);
        self.operator.events.publish(&self.log);
        self.operator.note(self.log.taken_out());
        if now < stats_at {
            return stats_at;
        }
        self.log.stats(now, self.operator.uptime_secs(), &self.operator.counters());
        now.plus(self.stats_interval())
    }

    fn stats_interval(&self) -> Duration {
        self.operator.loaded().config.outputs.eve.stats_interval
    }

    fn signal(&mut self, what: Asked) {
        match what {
            Asked::Stop => {
                tracing::info!("asked to stop");
                self.operator.stop();
            }
            Asked::Reopen => self.log.reopen(),
            Asked::Reload => {
                let operator = Arc::clone(&self.operator);
                let tells = self.manager.is_ready();
                // Compiling takes seconds: events go on meanwhile.
                tokio::task::spawn_blocking(move || reload(&operator, tells));
            }
        }
    }
}

/// Asked by a signal, so the log alone says how it went. `tells`: systemd, too, that it goes on.
fn reload(operator: &Operator, tells: bool) {
    if tells {
        service_manager::reloading();
    }
    match operator.reload_rules() {
        Ok(done) => tracing::info!(
            "rules reloaded: generation {}, {} loaded, {} refused",
            done.generation,
            done.loaded,
            done.refused
        ),
        Err(error) => tracing::error!("rules not reloaded: {error}"),
    }
    if tells {
        service_manager::reloaded();
    }
}

enum Asked {
    Stop,
    Reopen,
    Reload,
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    user: Signal,
}

impl Signals {
    fn new() -> io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            user: signal(SignalKind::user_defined2())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.hang_up.recv() => Asked::Reopen,
            _ = self.user.recv() => Asked::Reload,
        }
    }
}
