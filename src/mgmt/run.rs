//! `weir run`: the appliance from its start to its orderly end.

use crate::io::PacketIo;
use crate::io::dpdk::{DpdkPort, LcorePanicked, PortError};
use crate::mgmt::config::value::Auto;
use crate::mgmt::config::{Config, Loaded};
use crate::mgmt::convert::{self, Place, Start};
use crate::mgmt::daemon::Daemon;
use crate::mgmt::datasets;
use crate::mgmt::doors::{DoorError, Doors};
use crate::mgmt::eve::Medium;
use crate::mgmt::events::{EventLog, EventTotals};
use crate::mgmt::first_rules::{Awaited, Prepare};
use crate::mgmt::kept::{self, Changes};
use crate::mgmt::operator::{Operator, Parts};
use crate::mgmt::patience::Patience;
use crate::mgmt::profiler::{self, Keeper};
use crate::mgmt::rule_files::Selection;
use crate::mgmt::ruleset::Ruleset;
use crate::mgmt::service_manager::ServiceManager;
use crate::mgmt::spread::{self, SpreadError};
use crate::mgmt::start::{self, RulesAtStart, StartError};
use crate::mgmt::watchdog::{self, Watchdog};
use crate::pipeline::board::Board;
use crate::pipeline::launch::{DpdkPlatform, Running, finish, guarded, run_until_stopped};
use crate::pipeline::{Appliance, Balance, Source, Spreading};
use crate::service::watchdog::{LastAct, Restarted, sentence};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

#[derive(Debug, thiserror::Error)]
pub enum RunFault {
    #[error("no port is configured; add [[port]] sections, as conf/demo.toml has them")]
    NoPort,
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Port(#[from] PortError),
    #[error(transparent)]
    Spread(#[from] SpreadError),
    #[error(transparent)]
    Door(#[from] DoorError),
    #[error("{0}")]
    Run(String),
}

fn run_fault(error: impl std::fmt::Display) -> RunFault {
    RunFault::Run(error.to_string())
}

/// How it ended.
pub struct Ended {
    /// Lcores that ended by a panic, which stopped the appliance; and the frames that went with them.
    pub failed: Vec<String>,
    pub written_off: u64,
    pub balance: Balance,
    pub events: EventTotals,
    pub leaked: u32,
}

/// Runs until it is asked to stop, by a signal or by RPC. The calling thread becomes the main lcore. `prepare`: the rules of
/// the start; `selection`: of the rules, for reloads; `restarted`: what [`watchdog::restarted`] found; `kept`:
/// what operators had changed by then, with which `prepare` compiles.
pub fn run(
    loaded: Loaded,
    prepare: Prepare,
    selection: Selection,
    restarted: Restarted,
    kept: &Changes,
) -> Result<Ended, RunFault> {
    let config = &loaded.config;
    if config.ports.is_empty() {
        return Err(RunFault::NoPort);
    }
    let (rules, awaited) = match convert::starts_early(config) {
        true => (RulesAtStart::none()?, Some(Awaited::new(prepare))),
        false => {
            let _patience = Patience::ask();
            (prepare()?, None)
        }
    };
    let watching = Watchdog::start(&config.services, LastAct::Restart).map_err(run_fault)?;
    let doors = Doors::open(&loaded)?;
    let platform = start::platform(config, start::AutoCpus::Own, None)?;
    let (mut ports, spreading) = open_ports(config, &platform)?;
    let infos: Vec<_> = ports.iter().map(PacketIo::info).collect();
    start::numa_warnings(&infos, platform.eal.cpus()).iter().for_each(|warning| tracing::warn!("{warning}"));
    let plans = convert::plans(config, &ports.iter().map(PacketIo::info).collect::<Vec<_>>());
    let mut clock = platform.eal.time().clock();
    let now = clock.now();
    let settings =
        convert::pipeline(config, plans, Start { now, seed: now.micros(), replay: false, spreading });
    let sources = if spreading == Spreading::Software { receivers(&mut ports) } else { Vec::new() };
    let mut ports: Vec<Option<Box<dyn PacketIo>>> =
        ports.into_iter().map(|port| Some(Box::new(port) as Box<dyn PacketIo>)).collect();
    let (engine, awaits_rules) = (&rules.engine, awaited.is_some());
    let services =
        convert::services(config, engine, awaits_rules, Place::Line, now.micros(), restarted.clone(), None)
            .map_err(run_fault)?;
    let appliance = Appliance::build(&settings, &mut ports, &platform, &services.plan).map_err(run_fault)?;
    let Appliance { mut main, workers, handle, feeds } = appliance;
    main.set_sources(sources);
    watching.watch(&handle.running);

    let board = Arc::clone(&handle.board);
    let mut log = start::event_log(config, &rules.book, feeds, Medium::Wire, settings.sessions.seed)?;
    let management_cpu = match config.lcores.management_cpu {
        Auto::Set(cpu) => Some(cpu),
        Auto::Auto => None,
    };
    let eal = Arc::clone(&platform.eal);
    let take_seat = move || match management_cpu {
        Some(cpu) => eal.pin_current_thread(cpu),
        None => {
            eal.unpin_current_thread();
            Ok(())
        }
    };
    let (keeper, profiler) = profile(&loaded, &mut log, take_seat.clone()).map_err(run_fault)?.unzip();
    let refused = rules.loaded.refused();
    let services = services.manage(&handle);
    let book = rules.book.clone();
    let ruleset = Ruleset::of(&rules.loaded, rules.engine.rules().rules.len(), now);
    let manager = ServiceManager::new(config);
    let operator = Arc::new(Operator::new(Parts {
        handle,
        services,
        clock: platform.eal.time().clock(),
        running_mode: "run",
        cpus: platform.eal.cpus().to_vec(),
        loaded,
        selection,
        rules: rules.book,
        refused,
        awaits_rules,
        ruleset,
        profiler,
        pool: Some(platform.pool.clone()),
    }));
    operator.take_up(kept);
    operator.keep_with(kept::Keeper::new().map_err(run_fault)?);
    // The first rules are to go when no session goes by them any more.
    drop((rules.engine, rules.loaded));
    let ended = Arc::new(AtomicBool::new(false));
    let (attends, attended) = mpsc::channel();
    let daemon =
        Daemon { operator: Arc::clone(&operator), log, doors, manager, ended: Arc::clone(&ended), attends };
    let management_board = Arc::clone(&board);
    let body = move || {
        take_seat()?;
        // The appliance is not to go on without management, however that ended.
        let _stop = StopOnDrop(management_board);
        daemon.run()
    };
    let management = std::thread::Builder::new().name("weir-mgmt".into()).spawn(body).map_err(run_fault)?;
    let running = Running::start(&platform.eal, workers).map_err(run_fault)?;
    let seat = main.seat();
    let failed_rules = awaited.as_ref().map(Awaited::failed).unwrap_or_default();
    if let Some(awaited) = awaited {
        bring_rules(awaited, &operator, &platform).map_err(run_fault)?;
    }
    // Who reads that it runs may stop it at once. Where nobody will attend, that thread stops it and says why at its end.
    let _ = attended.recv();
    tracing::info!("running with {} ports", ports.len());
    watchdog::forwarding(&restarted);
    let ran = guarded(&board, || run_until_stopped(&mut main, &board, clock, settings.polling));
    // It is to end now: not to start anew, whatever a plugin does to its last events.
    sentence::decide(LastAct::End);
    for lcore in board.failed() {
        tracing::error!("{} ended early; the appliance stops", lcore_name(lcore as u32));
    }
    let ran = finish(&mut main, &board, ran);
    let joined = running.join(&mut main);
    let failed: Vec<String> = ran.err().iter().chain(&joined.failed).map(failure).collect();
    drop(joined);
    let waiting = main.waiting() as u64;
    drop(main);
    drop(seat);
    let written_off = if failed.is_empty() { 0 } else { operator.handle().write_off(waiting) };
    ended.store(true, Ordering::Release);
    let events = management.join().map_err(|_| RunFault::Run("management ended early".into()))?;
    drop(keeper);
    if let Some(rules) = book.current() {
        datasets::save_and_tell(&rules);
    }
    let balance = operator.handle().balance(waiting);
    drop(ports);
    if let Some(error) = failed_rules.take() {
        return Err(error.into());
    }
    Ok(Ended {
        failed,
        written_off,
        balance,
        events: events.map_err(run_fault)?,
        leaked: platform.pool.in_use(),
    })
}

/// Starts the profiler, where one is wanted, on management's CPU.
fn profile(
    loaded: &Loaded,
    log: &mut EventLog,
    take_seat: impl FnOnce() -> std::io::Result<()> + Send + 'static,
) -> std::io::Result<Option<(Keeper, profiler::Reader)>> {
    let Some(settings) = profiler::Settings::of(&loaded.config, &loaded.base) else { return Ok(None) };
    let path = settings.path.clone();
    let seat = move || {
        if let Err(error) = take_seat() {
            tracing::warn!("profiler: its thread runs on any CPU: {error}");
        }
    };
    let (keeper, tap) = Keeper::start(settings, seat)?;
    log.profile(tap);
    let reader = profiler::Reader::new(path, &keeper);
    Ok(Some((keeper, reader)))
}

/// Compiles the rules of the start beside the lcores, on all CPUs of the process. Nobody waits for the thread: a compilation
/// that the end of the appliance overtakes is of no use to anyone.
fn bring_rules(awaited: Awaited, operator: &Arc<Operator>, platform: &DpdkPlatform) -> std::io::Result<()> {
    let (operator, eal) = (Arc::clone(operator), Arc::clone(&platform.eal));
    let body = move || {
        eal.unpin_current_thread();
        drop(eal);
        awaited.bring(&operator);
    };
    std::thread::Builder::new().name("weir-rules".into()).spawn(body).map(drop)
}

/// Stops the appliance when it goes.
struct StopOnDrop(Arc<Board>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// As `weir ctl lcores` names it.
pub fn lcore_name(lcore: u32) -> String {
    lcore.checked_sub(1).map_or_else(|| "the main lcore".to_owned(), |worker| format!("worker {worker}"))
}

/// What is said of an lcore that panicked.
pub fn failure(panicked: &LcorePanicked) -> String {
    format!("{} ended by a panic: {}", lcore_name(panicked.lcore), panicked.message)
}

/// What all devices offer decides who spreads the frames, and so how each port is started.
fn open_ports(config: &Config, platform: &DpdkPlatform) -> Result<(Vec<DpdkPort>, Spreading), RunFault> {
    let attach = |port| DpdkPort::attach(&platform.eal, &platform.pool, &port);
    let named = convert::ports(config, Spreading::Software);
    let devices = named.into_iter().map(attach).collect::<Result<Vec<_>, _>>()?;
    let hash = convert::hash_fields(config);
    let offers: Vec<_> = devices.iter().map(|device| device.rss_offer(hash)).collect();
    let spreading = spread::decide(config, &offers)?;
    let configs = convert::ports(config, spreading);
    let ports = devices.into_iter().zip(&configs).map(|(device, config)| DpdkPort::start(device, config));
    let ports = ports.collect::<Result<Vec<_>, _>>()?;
    let who = if spreading == Spreading::Software { "the main lcore" } else { "the NICs (RSS)" };
    tracing::info!("{who} spreads frames over {} workers", config.lcores.workers);
    Ok((ports, spreading))
}

/// Every receive queue of every port: the main lcore polls them all.
fn receivers(ports: &mut [DpdkPort]) -> Vec<Source> {
    let mut sources = Vec::new();
    for (number, port) in ports.iter_mut().enumerate() {
        let mut queue = 0;
        while let Some(rx) = port.take_rx(queue) {
            sources.push(Source { port: crate::base::PortId(number as u16), rx });
            queue += 1;
        }
    }
    sources
}
