//! Between ports: from the start to a signal.

use super::{Ended, ReassembleFault, mtu, plan, platform, run_fault};
use crate::base::PortId;
use crate::io::PacketIo;
use crate::io::dpdk::{DpdkPort, PortConfig};
use crate::mgmt::config::Config;
use crate::mgmt::convert::{self, Start};
use crate::mgmt::reassemble::EalOptions;
use crate::mgmt::run::failure;
use crate::mgmt::{counters, spread, start};
use crate::pipeline::board::Board;
use crate::pipeline::launch::{DpdkPlatform, Running, finish, guarded, run_until_stopped};
use crate::pipeline::{Appliance, Handle, PortPlan, Source, Spreading};
use crate::service::ServicePlan;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Who waits for the process to be up, in the background.
pub type Background = Option<crate::io::process::Ready>;

/// Between two lines of numbers in the log (debug level 3 or more).
const NUMBERS: Duration = Duration::from_secs(10);

/// How often management looks whether all has ended.
const TURN: Duration = Duration::from_millis(20);

/// Runs until a signal stops it. The calling thread becomes the main lcore.
pub fn run(config: &Config, options: &EalOptions, background: Background) -> Result<Ended, ReassembleFault> {
    check(config)?;
    let platform = platform(config, options)?;
    let (mut ports, spreading) = open(config, options, &platform)?;
    let infos: Vec<_> = ports.iter().map(PacketIo::info).collect();
    start::numa_warnings(&infos, platform.eal.cpus()).iter().for_each(|warning| tracing::warn!("{warning}"));
    for info in infos.iter().filter(|info| info.mtu < mtu(config)) {
        let (name, takes, mtu) = (&info.name, info.mtu, mtu(config));
        tracing::warn!(
            "port {name} takes IP packets of {takes} bytes, and datagrams of up to {mtu} leave whole: -m {takes} would cut them"
        );
    }
    for info in infos.iter().filter(|info| info.ipv4_checksums) {
        tracing::debug!("port {} computes the checksums of pieces", info.name);
    }
    let plans = plans(config, &ports);
    let mut clock = platform.eal.time().clock();
    let now = clock.now();
    let settings =
        convert::pipeline(config, plans, Start { now, seed: now.micros(), replay: false, spreading });
    let sources = if spreading == Spreading::Software { receivers(&mut ports) } else { Vec::new() };
    let mut ports: Vec<Option<Box<dyn PacketIo>>> =
        ports.into_iter().map(|port| Some(Box::new(port) as Box<dyn PacketIo>)).collect();
    let services = ServicePlan::of(Vec::new(), 1);
    let Appliance { mut main, workers, handle, feeds } =
        Appliance::build(&settings, &mut ports, &platform, &services)?;
    main.set_sources(sources);
    let (board, ended) = (Arc::clone(&handle.board), Arc::new(AtomicBool::new(false)));
    let (attends, attended) = mpsc::channel();
    let management = management(&platform, handle, &ended, attends)?;
    let lcores = workers.len() + 1;
    let running = Running::start(&platform.eal, workers)?;
    // Who reads that it runs may stop it at once. Where nobody will attend, that thread stops it and says why at its end.
    let _ = attended.recv();
    tracing::info!("reassembling between {} ports on {lcores} lcores, MTU {}", ports.len(), mtu(config));
    background.into_iter().for_each(crate::io::process::Ready::tell);
    let ran = guarded(&board, || run_until_stopped(&mut main, &board, clock, settings.polling));
    let ran = finish(&mut main, &board, ran);
    let joined = running.join(&mut main);
    let failed: Vec<String> = ran.err().iter().chain(&joined.failed).map(failure).collect();
    drop((joined, feeds));
    let waiting = main.waiting() as u64;
    drop((main, ports));
    ended.store(true, Ordering::Release);
    let handle = management.join().map_err(|_| run_fault("management ended early"))?.map_err(run_fault)?;
    let written_off = if failed.is_empty() { 0 } else { handle.write_off(waiting) };
    let ended = Ended::of(&handle, waiting, failed, written_off);
    Ok(Ended { leaked: platform.pool.in_use(), ..ended })
}

fn check(config: &Config) -> Result<(), ReassembleFault> {
    if config.ports.is_empty() {
        return Err(ReassembleFault::NoPorts);
    }
    let paired =
        |name: &String| config.pairs.iter().any(|pair| pair.ports.len() == 2 && pair.ports.contains(name));
    match config.ports.iter().find(|port| !paired(&port.name)) {
        Some(port) => Err(ReassembleFault::Single(port.name.clone())),
        None => Ok(()),
    }
}

/// What all devices offer decides who spreads the frames, as for `weir run`. A device that was named behind `--` keeps the MTU
/// that it has.
fn open(
    config: &Config,
    options: &EalOptions,
    platform: &DpdkPlatform,
) -> Result<(Vec<DpdkPort>, Spreading), ReassembleFault> {
    let as_it_is = |port: PortConfig| match options.devices.contains(&port.device) {
        true => PortConfig { mtu: None, ..port },
        false => port,
    };
    let named = convert::ports(config, Spreading::Software);
    let attach = |port: PortConfig| DpdkPort::attach(&platform.eal, &platform.pool, &port);
    let devices = named.into_iter().map(attach).collect::<Result<Vec<_>, _>>()?;
    let hash = convert::hash_fields(config);
    let offers: Vec<_> = devices.iter().map(|device| device.rss_offer(hash)).collect();
    let spreading = spread::decide(config, &offers)?;
    let configs = convert::ports(config, spreading).into_iter().map(as_it_is);
    let ports = devices.into_iter().zip(configs).map(|(device, config)| DpdkPort::start(device, &config));
    Ok((ports.collect::<Result<Vec<_>, _>>()?, spreading))
}

fn plans(config: &Config, ports: &[DpdkPort]) -> Vec<PortPlan> {
    let infos: Vec<_> = ports.iter().map(PacketIo::info).collect();
    let plans = convert::plans(config, &infos);
    let pair = |name: &str| config.pairs.iter().find(|pair| pair.ports.iter().any(|port| port == name));
    let number = |name: &str| config.ports.iter().position(|port| port.name == name);
    let peer = |name: &str| {
        let other = pair(name)?.ports.iter().find(|port| *port != name)?;
        number(other).map(|n| PortId(n as u16))
    };
    plans
        .iter()
        .zip(&config.ports)
        .map(|(of, port)| PortPlan {
            peer_checksums: of.peer_checksums,
            ..plan(of.link, peer(&port.name), of.peer_mtu)
        })
        .collect()
}

fn receivers(ports: &mut [DpdkPort]) -> Vec<Source> {
    let mut sources = Vec::new();
    for (number, port) in ports.iter_mut().enumerate() {
        let mut queue = 0;
        while let Some(rx) = port.take_rx(queue) {
            sources.push(Source { port: PortId(number as u16), rx });
            queue += 1;
        }
    }
    sources
}

/// Gives the handle back at its end.
type Management = std::thread::JoinHandle<std::io::Result<Handle>>;

/// Signals, and numbers into the log; `attends` hears when it listens to signals.
fn management(
    platform: &DpdkPlatform,
    handle: Handle,
    ended: &Arc<AtomicBool>,
    attends: mpsc::Sender<()>,
) -> Result<Management, ReassembleFault> {
    let (eal, ended) = (Arc::clone(&platform.eal), Arc::clone(ended));
    let body = move || {
        eal.unpin_current_thread();
        // It is not to go on without somebody who can stop it.
        let _stop = StopOnDrop(Arc::clone(&handle.board));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(attend(&handle, &ended, attends)).map(|()| handle)
    };
    std::thread::Builder::new().name("weir-mgmt".into()).spawn(body).map_err(run_fault)
}

struct StopOnDrop(Arc<Board>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

async fn attend(handle: &Handle, ended: &AtomicBool, attends: mpsc::Sender<()>) -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    // The receiver waits for it, or gave up.
    let _ = attends.send(());
    let mut turn = tokio::time::interval(TURN);
    let mut numbers = tokio::time::interval(NUMBERS);
    while !ended.load(Ordering::Acquire) {
        tokio::select! {
            _ = turn.tick() => {}
            _ = numbers.tick() => tell(handle),
            _ = hang_up.recv() => tell(handle),
            _ = interrupt.recv() => stop(handle),
            _ = terminate.recv() => stop(handle),
        }
    }
    Ok(())
}

fn stop(handle: &Handle) {
    tracing::info!("asked to stop");
    handle.board.stop();
}

fn tell(handle: &Handle) {
    for count in counters::of(handle).iter().filter(|count| count.value > 0) {
        tracing::debug!("{} {}", count.name, count.value);
    }
}
