//! `weir run`: the appliance from its start to its orderly end.

use crate::io::PacketIo;
use crate::io::dpdk::{DpdkPort, PortError};
use crate::mgmt::config::Loaded;
use crate::mgmt::config::value::Auto;
use crate::mgmt::convert::{self, Place, Start};
use crate::mgmt::daemon::Daemon;
use crate::mgmt::eve::Medium;
use crate::mgmt::events::EventTotals;
use crate::mgmt::operator::{Operator, Parts};
use crate::mgmt::rpc::socket::{self, SocketError};
use crate::mgmt::rule_files::Selection;
use crate::mgmt::start::{self, RulesAtStart, StartError};
use crate::pipeline::launch::{Running, run_until_stopped};
use crate::pipeline::{Appliance, Balance, Source};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Debug, thiserror::Error)]
pub enum RunFault {
    #[error("no port is configured; add [[port]] sections, as conf/demo.toml has them")]
    NoPort,
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Port(#[from] PortError),
    #[error(transparent)]
    Socket(#[from] SocketError),
    #[error("{0}")]
    Run(String),
}

fn run_fault(error: impl std::fmt::Display) -> RunFault {
    RunFault::Run(error.to_string())
}

/// How it ended.
pub struct Ended {
    pub balance: Balance,
    pub events: EventTotals,
    pub leaked: u32,
}

/// Runs until it is asked to stop, by a signal or by RPC. The calling thread becomes the main lcore.
pub fn run(loaded: Loaded, rules: RulesAtStart) -> Result<Ended, RunFault> {
    let config = &loaded.config;
    if config.ports.is_empty() {
        return Err(RunFault::NoPort);
    }
    let bound = match config.rpc.enabled {
        true => Some(socket::bind(&socket::path(&config.rpc), config.rpc.group_access)?),
        false => None,
    };
    let platform = start::platform(config, None)?;
    let open = |port| DpdkPort::open(&platform.eal, &platform.pool, &port);
    let mut ports: Vec<DpdkPort> = convert::ports(config).into_iter().map(open).collect::<Result<_, _>>()?;
    let plans = convert::plans(config, &ports.iter().map(PacketIo::info).collect::<Vec<_>>());
    let mut clock = platform.eal.time().clock();
    let now = clock.now();
    let settings = convert::pipeline(config, plans, Start { now, seed: now.micros(), replay: false });
    let sources = receivers(&mut ports);
    let mut ports: Vec<Option<Box<dyn PacketIo>>> =
        ports.into_iter().map(|port| Some(Box::new(port) as Box<dyn PacketIo>)).collect();
    let services = convert::services(config, &rules.engine, Place::Line).map_err(run_fault)?;
    let appliance = Appliance::build(&settings, &mut ports, &platform, &services.plan).map_err(run_fault)?;
    let Appliance { mut main, workers, handle, feeds } = appliance;
    main.set_sources(sources);

    let board = Arc::clone(&handle.board);
    let log = start::event_log(config, &rules.book, feeds, Medium::Wire)?;
    let stats_interval = config.outputs.eve.stats_interval;
    let management_cpu = match config.lcores.management_cpu {
        Auto::Set(cpu) => Some(cpu),
        Auto::Auto => None,
    };
    let refused = rules.loaded.refused() as u64;
    let services = services.manage(&handle);
    let operator = Arc::new(Operator::new(Parts {
        handle,
        services,
        clock: platform.eal.time().clock(),
        running_mode: "run",
        cpus: platform.eal.cpus().to_vec(),
        loaded,
        selection: Selection::default(),
        rules: rules.book,
        refused,
    }));
    let ended = Arc::new(AtomicBool::new(false));
    let daemon = Daemon {
        operator: Arc::clone(&operator),
        log,
        socket: bound,
        stats_interval,
        ended: Arc::clone(&ended),
    };
    let eal = Arc::clone(&platform.eal);
    let body = move || {
        match management_cpu {
            Some(cpu) => eal.pin_current_thread(cpu)?,
            None => eal.unpin_current_thread(),
        }
        daemon.run()
    };
    let management = std::thread::Builder::new().name("weir-mgmt".into()).spawn(body).map_err(run_fault)?;
    let running = Running::start(&platform.eal, workers).map_err(run_fault)?;
    tracing::info!("running with {} ports", ports.len());
    run_until_stopped(&mut main, &board, clock, settings.polling);
    main.finish();
    drop(running.join(&mut main).map_err(run_fault)?);
    let waiting = main.waiting() as u64;
    drop(main);
    ended.store(true, Ordering::Release);
    let events = management.join().map_err(|_| RunFault::Run("management ended early".into()))?;
    let balance = operator.handle().balance(waiting);
    drop(ports);
    Ok(Ended { balance, events: events.map_err(run_fault)?, leaked: platform.pool.in_use() })
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
