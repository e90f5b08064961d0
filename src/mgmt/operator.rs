//! Management's hands on a running appliance: the [`Control`] that the RPC asks.

use crate::base::Time;
use crate::io::clock::Clock;
use crate::io::dpdk::Pool;
use crate::mgmt::config::entries::take_live;
use crate::mgmt::config::{Config, EventType, Loaded, LogLevel, Sources};
use crate::mgmt::configure::Configure;
use crate::mgmt::control::*;
use crate::mgmt::counters;
use crate::mgmt::daemon_log;
use crate::mgmt::dataset_commands;
use crate::mgmt::datasets;
use crate::mgmt::events::EventNumbers;
use crate::mgmt::kept::Keeper;
use crate::mgmt::links::Links;
use crate::mgmt::listening::{Listener, Listening};
use crate::mgmt::looks::{Look, Looks};
use crate::mgmt::outputs::Renewed;
use crate::mgmt::overload::Overload;
use crate::mgmt::overrule::Overruling;
use crate::mgmt::pair_modes::Unconfirmed;
use crate::mgmt::passes::{PassInfo, PassRequest, Passes};
use crate::mgmt::profiler;
use crate::mgmt::pulse::Vitals;
use crate::mgmt::rule_files::{Refused, Selection};
use crate::mgmt::rulebook::RuleBook;
use crate::mgmt::ruleset::Ruleset;
use crate::mgmt::services::mail::Mail;
use crate::mgmt::services::{CounterBoard, Layout, Manager, OutNotice};
use crate::mgmt::shadow::Shadowing;
use crate::mgmt::stalls::Stalls;
use crate::mgmt::watching::{Feed, WatchRequest};
use crate::pipeline::Handle;
use crate::pipeline::board::Board;
use crate::pipeline::mailbox::SessionRow;
use crate::pipeline::pause::{Asked, Step};
use config::Desk;
pub use kept::overrules_in;
use overrules::Overrules;
use post::{Answers, PATIENCE, Post};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

mod config;
mod health;
mod ip_actions;
mod kept;
mod listen;
mod memory;
mod modes;
mod overrules;
mod passes;
mod post;
mod rules;
mod sessions;
mod shadow;
mod tune;
mod vitals;
mod watch;
mod why;

pub struct Operator {
    handle: Mutex<Handle>,
    board: Arc<Board>,
    clock: Mutex<Clock>,
    started: Time,
    running_mode: &'static str,
    cpus: Vec<u32>,
    loaded: Mutex<Arc<Loaded>>,
    /// What memory was taken by.
    at_start: Config,
    selection: Selection,
    rules: RuleBook,
    generation: AtomicU32,
    refused: AtomicU64,
    lines_refused: AtomicU64,
    pub events: EventNumbers,
    /// One question to the workers at a time: each takes its own answers out of their mailboxes.
    asking: Mutex<()>,
    /// Locked only by who holds `asking` or asks nobody.
    services: Mutex<Manager>,
    plugin_counters: CounterBoard,
    answers: Mutex<Answers>,
    /// What workers said of plugins.
    notices: Mutex<VecDeque<OutNotice>>,
    /// Who looked at the drops, and what there was.
    looks: Mutex<Looks>,
    unconfirmed: Mutex<Unconfirmed>,
    passes: Mutex<Passes>,
    /// Numbers of watches given so far.
    watch_ids: AtomicU64,
    /// Watches that some worker may still have.
    ended_watches: Mutex<Vec<u64>>,
    links: Mutex<Links>,
    overload: Mutex<Overload>,
    /// Ports whose checksums mean nothing, when that was looked at.
    untrusted_checksums: AtomicU64,
    stalls: Mutex<Stalls>,
    /// The rules of the start are still being compiled.
    awaits_rules: AtomicBool,
    ruleset: Mutex<Arc<Ruleset>>,
    /// As of the last turn of services.
    inactive_sets: Mutex<Option<Vec<String>>>,
    reopen: AtomicBool,
    desk: Mutex<Desk>,
    /// Outputs for management's thread to go on with.
    renewed: Mutex<Option<Vec<Renewed>>>,
    listening: Listening,
    profiler: Option<profiler::Reader>,
    overrules: Mutex<Overrules>,
    keeper: Mutex<Option<Keeper>>,
    /// Rules that are tried; no worker is asked while it is locked. What they take, for who has locked the handle.
    trial: Mutex<Option<shadow::Trial>>,
    trial_bytes: AtomicU64,
    /// Where frames lie.
    pool: Option<Pool>,
}

/// What an operator starts with.
pub struct Parts {
    pub handle: Handle,
    pub services: Manager,
    pub clock: Clock,
    pub running_mode: &'static str,
    pub cpus: Vec<u32>,
    pub loaded: Loaded,
    pub selection: Selection,
    pub rules: RuleBook,
    pub refused: Refused,
    pub awaits_rules: bool,
    pub ruleset: Ruleset,
    pub profiler: Option<profiler::Reader>,
    pub pool: Option<Pool>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Operator {
    pub fn new(mut parts: Parts) -> Operator {
        let started = parts.clock.now();
        let generation = parts.rules.current().map_or(0, |set| set.generation.0);
        let owed = vec![0; parts.handle.watchers()];
        Operator {
            board: Arc::clone(&parts.handle.board),
            handle: Mutex::new(parts.handle),
            clock: Mutex::new(parts.clock),
            started,
            running_mode: parts.running_mode,
            cpus: parts.cpus,
            desk: Mutex::new(Desk::new(&parts.loaded.text.text)),
            renewed: Mutex::default(),
            listening: Listening::default(),
            profiler: parts.profiler,
            overrules: Mutex::default(),
            keeper: Mutex::default(),
            trial: Mutex::default(),
            trial_bytes: AtomicU64::new(0),
            pool: parts.pool,
            at_start: parts.loaded.config.clone(),
            loaded: Mutex::new(Arc::new(parts.loaded)),
            selection: parts.selection,
            rules: parts.rules,
            generation: AtomicU32::new(generation),
            refused: AtomicU64::new(parts.refused.rules as u64),
            lines_refused: AtomicU64::new(parts.refused.lines as u64),
            events: EventNumbers::default(),
            asking: Mutex::new(()),
            plugin_counters: parts.services.board(),
            services: Mutex::new(parts.services),
            answers: Mutex::new(Answers::owing(owed)),
            notices: Mutex::default(),
            looks: Mutex::default(),
            unconfirmed: Mutex::default(),
            passes: Mutex::default(),
            watch_ids: AtomicU64::new(0),
            ended_watches: Mutex::default(),
            links: Mutex::default(),
            overload: Mutex::default(),
            untrusted_checksums: AtomicU64::default(),
            stalls: Mutex::default(),
            awaits_rules: AtomicBool::new(parts.awaits_rules),
            ruleset: Mutex::new(Arc::new(parts.ruleset)),
            inactive_sets: Mutex::default(),
            reopen: AtomicBool::new(false),
        }
    }

    pub fn now(&self) -> Time {
        lock(&self.clock).now()
    }

    /// The configuration in force.
    pub fn loaded(&self) -> Arc<Loaded> {
        Arc::clone(&lock(&self.loaded))
    }

    pub fn uptime_secs(&self) -> u64 {
        self.now().since(self.started).as_secs()
    }

    pub fn handle(&self) -> MutexGuard<'_, Handle> {
        lock(&self.handle)
    }

    /// What management's thread heard of plugins; taken up at the next [`turn_services`](Self::turn_services).
    pub fn note(&self, notices: Vec<OutNotice>) {
        lock(&self.notices).extend(notices);
    }

    /// Takes services a step further: late policies, plugins that misbehaved, what workers no longer use. Asks workers, so
    /// it belongs on a blocking thread; does nothing while somebody else asks.
    pub fn turn_services(&self) {
        self.turn_watches();
        // Also while somebody asks: who reloads without end must not gather sets that nobody goes by.
        self.rules.prune();
        let Ok(_one) = self.asking.try_lock() else { return };
        let mut services = lock(&self.services);
        let notices = std::mem::take(&mut *lock(&self.notices));
        for notice in notices {
            services.taken_out(notice, &mut Post(self));
        }
        services.turn(&mut Post(self));
        *lock(&self.inactive_sets) = Some(services.inactive());
    }

    /// A change of services, with the workers to ask.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Manager, &mut dyn Mail) -> Result<T, String>,
    ) -> Result<T, ControlError> {
        let _one = lock(&self.asking);
        // Who is asked to judge may be another afterwards.
        if self.stop_shadow() {
            tracing::warn!("rules: services change, so those that were tried judge no more");
        }
        let mut services = lock(&self.services);
        change(&mut services, &mut Post(self)).map_err(ControlError::Unchanged)
    }

    /// Waits until all lcores have done what the pause asks.
    fn at_rest(&self, board: &Board, asked: Asked) -> Result<(), ControlError> {
        let began = self.now();
        while !board.pause.all_done(asked) {
            if board.is_stopped() {
                return Err(ControlError::Stopping);
            }
            if !board.pause.holds(asked) || self.now().since(began) > PATIENCE {
                return Err(ControlError::Restless);
            }
            std::thread::yield_now();
        }
        Ok(())
    }

    pub fn is_stopping(&self) -> bool {
        self.board.is_stopped()
    }

    /// Stops the appliance.
    pub fn end(&self) {
        self.board.stop();
    }
}

/// As `weir ctl` names an lcore.
pub(super) fn lcore_role(number: usize) -> String {
    number.checked_sub(1).map_or_else(|| "main".to_owned(), |worker| format!("worker {worker}"))
}

fn info(row: &SessionRow) -> SessionInfo {
    SessionInfo {
        flow_id: row.flow_id,
        worker: row.worker.into(),
        tuple: row.tuple,
        state: row.state.into(),
        tcp_state: row.tcp_state.into(),
        app: row.app.unwrap_or_default().into(),
        start: row.start,
        last: row.last,
        packets: row.packets,
        bytes: row.bytes,
        generation: row.generation,
        verdict: row.verdict.into(),
    }
}

impl Control for Operator {
    fn status(&self) -> Status {
        let handle = self.handle();
        let config = &self.loaded().config;
        let sum = |f: fn(&crate::pipeline::tables::TableCounts) -> u64| {
            handle.tables.iter().map(|t| f(t)).sum::<u64>()
        };
        Status {
            running_mode: self.running_mode.into(),
            profile: config.profile.name().into(),
            started: self.started,
            now: self.now(),
            generation: self.generation.load(Ordering::Relaxed),
            rules_loaded: self.rules.current().map_or(0, |set| set.rules.len() as u64),
            rules_refused: self.refused.load(Ordering::Relaxed),
            workers: handle.workers() as u32,
            sessions: sum(|t| t.sessions.get()),
            memory: self.memory_by_part(&handle, config),
            pairs: self.modes(),
            events_sent: self.events.sent.load(Ordering::Relaxed),
            events_lost: self.events.lost.load(Ordering::Relaxed),
            port_losses: counters::losses(&handle),
            links_down: health::links_down(&handle),
        }
    }

    fn counters(&self) -> Vec<NamedCount> {
        let mut list = counters::of(&self.handle());
        list.push(NamedCount::new("lcores.stalled", lock(&self.stalls).count()));
        list.push(NamedCount::new("log.lost", daemon_log::lost()));
        list.extend(self.plugin_counters.counters());
        list.extend(self.rules.current().iter().flat_map(|rules| datasets::counters(rules)));
        list.extend(self.events.counters());
        list.extend(self.profiler.iter().flat_map(profiler::Reader::counters));
        list
    }

    fn drops(&self, looker: &str) -> Drops {
        let loaded = self.loaded();
        let names: Vec<&str> = loaded.config.ports.iter().map(|port| port.name.as_str()).collect();
        let now = self.now();
        let look = Look::take(&self.handle(), names.len(), now);
        lock(&self.looks).compare(looker, look, self.started, &names)
    }

    fn ports(&self) -> Vec<String> {
        self.loaded().config.ports.iter().map(|port| port.name.clone()).collect()
    }

    fn lcores(&self) -> Vec<LcoreInfo> {
        let handle = self.handle();
        let lane = |(i, ledger): (usize, &Arc<crate::pipeline::Ledger>)| {
            let tables = if handle.workers() == 0 {
                handle.tables.first()
            } else {
                i.checked_sub(1).and_then(|w| handle.tables.get(w))
            };
            let (ring_used, ring_size) = i.checked_sub(1).map_or((0, 0), |w| handle.board.ring_fill(w));
            LcoreInfo {
                role: lcore_role(i),
                cpu: self.cpus.get(i).copied(),
                frames: if i == 0 { ledger.received.get() } else { ledger.inspected.get() },
                bytes: ledger.received_bytes.get(),
                sessions: tables.map_or(0, |t| t.sessions.get()),
                ring_used,
                ring_size,
                turns: match i.checked_sub(1) {
                    None => ledger.turns.get(),
                    Some(worker) => handle.board.turns(worker),
                },
                idle_turns: ledger.idle_turns.get(),
            }
        };
        handle.ledgers.iter().enumerate().map(lane).collect()
    }

    fn pairs(&self) -> Vec<PairStatus> {
        self.modes()
    }

    fn set_mode(&self, change: &ModeChange) -> Result<(), ControlError> {
        self.kept(self.change_modes(change))
    }

    fn confirm_modes(&self, keep: bool) -> Result<usize, ControlError> {
        self.kept(self.settle_modes(keep))
    }

    fn balance(&self) -> Result<Balanced, ControlError> {
        let _one = lock(&self.asking);
        let board = Arc::clone(&self.handle().board);
        let (pause, began) = (&board.pause, self.now());
        let parked = pause.begin();
        let counted = self.at_rest(&board, parked).and_then(|()| {
            let count = pause.advance(parked, Step::Count).ok_or(ControlError::Restless)?;
            self.at_rest(&board, count)?;
            let balance = self.handle().balance_in_pause();
            // Lifted while it was read: the lcores may have gone on.
            if pause.holds(count) { Ok(balance) } else { Err(ControlError::Restless) }
        });
        pause.lift();
        counted.map(|balance| Balanced { balance, paused: self.now().since(began) })
    }

    fn sessions(&self, filter: &SessionFilter) -> Result<Vec<SessionInfo>, ControlError> {
        Ok(self.scan(filter)?.iter().map(info).collect())
    }

    fn kill(&self, flow_id: u64, who: &str) -> Result<SessionInfo, ControlError> {
        self.kill_session(flow_id, who)
    }

    fn why(&self, between: &Between) -> Result<Why, ControlError> {
        self.tell_why(between)
    }

    fn ip_actions(&self, address: Option<IpAddr>) -> Vec<IpActionInfo> {
        self.list_ip_actions(address)
    }

    fn clear_ip_actions(&self, address: Option<IpAddr>) -> usize {
        self.end_ip_actions(address)
    }

    fn passes(&self) -> Vec<PassInfo> {
        self.list_passes()
    }

    fn add_pass(&self, asked: &PassRequest) -> Result<PassInfo, ControlError> {
        self.kept(self.begin_pass(asked))
    }

    fn remove_pass(&self, id: u64) -> Option<PassInfo> {
        self.kept(self.end_pass(id))
    }

    fn watch(&self, request: &WatchRequest) -> Result<(u64, Box<dyn Feed>), ControlError> {
        self.begin_watch(request)
    }

    fn listen(&self, types: &[EventType]) -> Result<Listener, ControlError> {
        self.begin_to_listen(types)
    }

    fn event_types(&self) -> Vec<EventType> {
        self.loaded().config.outputs.eve.records.types.clone()
    }

    fn log_level(&self) -> LogLevel {
        daemon_log::level()
    }

    fn set_log_level(&self, level: LogLevel, who: &str) -> Result<(), ControlError> {
        self.change_log_level(level, who)
    }

    fn unwatch(&self, id: u64) {
        self.end_watch(id);
    }

    fn reload_rules(&self) -> Result<Reload, ControlError> {
        self.reload()
    }

    fn overruling(&self) -> Option<&dyn Overruling> {
        Some(self)
    }

    fn shadowing(&self) -> Option<&dyn Shadowing> {
        Some(self)
    }

    fn generations(&self) -> Result<Vec<GenerationInfo>, ControlError> {
        self.list_generations()
    }

    fn dataset(&self, command: &dataset_commands::Command) -> Result<dataset_commands::Answer, ControlError> {
        let rules = self.rules.current().unwrap_or_default();
        dataset_commands::run(&rules, command).map_err(ControlError::Unanswerable)
    }

    fn configuration(&self) -> Option<&dyn Configure> {
        Some(self)
    }

    fn profile(&self) -> Option<profiler::Reader> {
        self.profiler.clone()
    }

    fn service_sets(&self, name: Option<&str>) -> Result<Vec<SetInfo>, ControlError> {
        let _one = lock(&self.asking);
        lock(&self.services).list_sets(name, &mut Post(self))
    }

    fn plugins(&self) -> Result<Vec<PluginInfo>, ControlError> {
        Ok(lock(&self.services).list_plugins())
    }

    fn plugin_blob(&self, blob: &Blob) -> Result<Vec<String>, ControlError> {
        self.change(|services, mail| {
            let Blob { plugin, set, op, generation, bytes } = blob;
            services.blob(plugin, set, *op, *generation, bytes, mail).map(|applied| applied.lines)
        })
    }

    fn restart_plugin(&self, name: &str, path: Option<&Path>) -> Result<Vec<String>, ControlError> {
        self.change(|services, mail| services.restart(name, path, mail).map(|applied| applied.lines))
    }

    fn apply_services(&self, file: Option<&Path>) -> Result<Vec<String>, ControlError> {
        let start = self.loaded();
        let file = file.or(start.file.as_deref());
        let sources = Sources { file, sets: &start.sets, profile: start.config.profile };
        let candidate = sources.load().map_err(|faults| ControlError::Unchanged(faults.to_string()))?;
        let ports = |config: &Config| config.ports.iter().map(|port| port.name.clone()).collect::<Vec<_>>();
        if ports(&candidate.config) != ports(&start.config) {
            let text = "its [[port]] sections differ from those that run: restart weir for new ports";
            return Err(ControlError::Unchanged(text.into()));
        }
        let layout = Layout::of(&candidate.config);
        let lines = self.change(|services, mail| {
            services.apply(&layout, mail).map(|applied| applied.lines).map_err(|faults| faults.join("\n"))
        })?;
        // What runs is what `weir ctl config show` tells.
        let mut loaded = lock(&self.loaded);
        let Config { plugins, service_sets, services, .. } = candidate.config;
        let wanted = Config { plugins, service_sets, services, ..loaded.config.clone() };
        let config = take_live(&loaded.config, &wanted);
        *loaded = Arc::new(Loaded { config, ..Loaded::clone(&loaded) });
        Ok(lines)
    }

    fn vitals(&self) -> Vitals {
        self.read_vitals()
    }

    fn ruleset(&self) -> Arc<Ruleset> {
        self.rules_in_force()
    }

    fn reopen_outputs(&self) {
        self.reopen.store(true, Ordering::Relaxed);
    }

    fn stop(&self) {
        self.handle().board.stop();
    }
}
