//! `weir replay`: captures through the whole appliance, and what came of it.

use crate::base::{DropReason, PortId, Time};
use crate::io::BURST;
use crate::io::LinkType;
use crate::io::PacketIo;
use crate::io::capture::{CaptureError, Summary};
use crate::io::dpdk::AT_WORK;
use crate::mgmt::capture_out::{CaptureOut, refuse_same_file};
use crate::mgmt::config::value::Auto;
use crate::mgmt::config::{Config, Mode, NonIp};
use crate::mgmt::convert::{self, Place, Start};
use crate::mgmt::counters;
use crate::mgmt::datasets;
use crate::mgmt::eve::Medium;
use crate::mgmt::events::EventTotals;
use crate::mgmt::rule_cost::CostFile;
use crate::mgmt::run::failure;
use crate::mgmt::start::{self, RulesAtStart, Segments, StartError};
use crate::mgmt::watchdog::{self, Watchdog};
use crate::pipeline::launch::{DpdkPlatform, Running, finish, guarded, replay_capture};
use crate::pipeline::{Appliance, Balance, PortPlan, Spreading};
use crate::service::watchdog::{LastAct, Restarted, sentence};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Debug, thiserror::Error)]
pub enum ReplayFault {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Capture(#[from] CaptureError),
    #[error("{0}")]
    Run(String),
}

fn run_fault(error: impl std::fmt::Display) -> ReplayFault {
    ReplayFault::Run(error.to_string())
}

/// What is asked.
pub struct Request<'a> {
    pub config: &'a Config,
    pub captures: &'a [PathBuf],
    pub write: Option<&'a Path>,
    /// The captures stand in the line: verdicts act.
    pub inline: bool,
    /// Where what the rules cost is written; measuring makes the replay slower.
    pub rule_cost: Option<&'a Path>,
    /// Told how many frames of how many of the current capture have been read.
    pub progress: &'a mut dyn FnMut(&Path, u64, u64),
}

/// What it came to.
pub struct Outcome {
    pub captures: usize,
    pub frames: u64,
    pub bytes: u64,
    /// First and last capture time.
    pub span: Option<(Time, Time)>,
    pub damaged: Vec<CaptureError>,
    /// Captures of link types that have no decoder, with the type's number and how many frames were not looked at.
    pub undecoded: Vec<(PathBuf, u16, u64)>,
    pub balance: Balance,
    pub drops: Vec<(DropReason, u64)>,
    pub sessions: u64,
    pub events: EventTotals,
    /// Alerts that `suppress` lines kept back.
    pub suppressed: u64,
    /// Frames whose buffers did not come back: 0, or a fault of ours.
    pub leaked: u32,
    /// Lcores that ended by a panic, which ended the replay early; and the frames that went with them.
    pub failed: Vec<String>,
    pub written_off: u64,
    /// What is to be said of plugins that were taken out.
    pub plugins_out: Vec<String>,
    /// What is to be said of outputs that lost lines.
    pub lines_lost: Vec<String>,
    /// Frames in the file of `-w`.
    pub written: Option<u64>,
}

/// Seeds of hashes in a replay: results must not differ from run to run.
const SEED: u64 = 0x0005_eed0;

pub fn replay(request: &mut Request<'_>, rules: &RulesAtStart) -> Result<Outcome, ReplayFault> {
    let config = request.config;
    let summaries = request.captures.iter().map(|path| Summary::scan(path)).collect::<Result<Vec<_>, _>>()?;
    let mut links: Vec<LinkType> = Vec::new();
    for summary in &summaries {
        if !links.contains(&summary.link_type) {
            links.push(summary.link_type);
        }
    }
    let watching = Watchdog::start(&config.services, LastAct::End).map_err(run_fault)?;
    let platform = start::platform(config, start::AutoCpus::Any, Some(enough(config, &summaries)))?;
    let (mut ports, written) = out_port(request, &summaries, links.len())?;
    let plans = plans(config, &links, request);
    let first = summaries.iter().filter_map(|s| s.first).min().unwrap_or_default();
    let start = Start { now: first, seed: SEED, replay: true, spreading: Spreading::Software };
    let settings = convert::pipeline(config, plans, start);
    let place = Place::Captures(settings.ports.len());
    let cost = request.rule_cost.map(|path| CostFile::create(path, platform.eal.time().ticks()));
    let cost = cost.transpose().map_err(run_fault)?;
    let book = cost.as_ref().map(CostFile::book);
    let services = convert::services(config, &rules.engine, false, place, SEED, Restarted::default(), book)
        .map_err(run_fault)?;
    let appliance = Appliance::build(&settings, &mut ports, &platform, &services.plan).map_err(run_fault)?;
    drop(ports);
    let Appliance { mut main, workers, handle, feeds } = appliance;
    watching.watch(&handle.running);

    let services = services.manage(&handle);
    let log = start::event_log(config, &rules.book, feeds, Medium::Capture, SEED)?;
    let ended = Arc::new(AtomicBool::new(false));
    let writer = spawn_log(log, Arc::clone(&ended), &platform)?;
    let running = Running::start(&platform.eal, workers).map_err(run_fault)?;
    let seat = main.seat();
    let (mut done, mut ran) = (Ok(()), Ok(()));
    for (path, summary) in request.captures.iter().zip(&summaries) {
        let port = links.iter().position(|l| *l == summary.link_type).unwrap_or(0);
        let progress = &mut *request.progress;
        let told = &mut |frames, of| progress(path, frames, of);
        let port = PortId(port as u16);
        let replayed = guarded(&handle.board, || {
            replay_capture(&mut main, &handle.board, &platform, summary, port, told)
        });
        match replayed {
            Ok(outcome) => done = outcome,
            Err(panicked) => ran = Err(panicked),
        }
        if done.is_err() || handle.board.is_stopped() {
            break;
        }
    }
    let ran = finish(&mut main, &handle.board, ran);
    let joined = running.join(&mut main);
    let failed: Vec<String> = ran.err().iter().chain(&joined.failed).map(failure).collect();
    drop(joined);
    let waiting = main.waiting() as u64;
    drop(main);
    drop(seat);
    let written_off = if failed.is_empty() { 0 } else { handle.write_off(waiting) };
    ended.store(true, Ordering::Release);
    writer.thread().unpark();
    let mut log = writer.join().map_err(|_| ReplayFault::Run("the event log ended early".into()))?;
    let span = span(&summaries);
    let last = span.map_or(Time::ZERO, |(_, last)| last);
    let mut counted = counters::of(&handle);
    counted.extend(services.counters());
    let in_force = rules.book.current().unwrap_or_default();
    counted.extend(datasets::counters(&in_force));
    log.stats(last, last.since(first).as_secs(), &counted);
    let events = log.finish();
    let plugins_out = services.outs(&log.taken_out());
    datasets::save_and_tell(&in_force);
    done.map_err(run_fault)?;
    cost.map(|cost| cost.finish(&rules.engine)).transpose().map_err(run_fault)?;
    let dropped = |reason| handle.ledgers.iter().map(|l| l.dropped(reason)).sum::<u64>();
    let drops = DropReason::ALL.iter().map(|&r| (r, dropped(r))).filter(|(_, n)| *n > 0).collect();
    Ok(Outcome {
        captures: summaries.len(),
        frames: summaries.iter().map(|s| s.frames).sum(),
        bytes: summaries.iter().map(|s| s.bytes).sum(),
        span,
        balance: handle.balance(waiting),
        drops,
        sessions: handle.tables.iter().map(|t| t.sessions_opened.get()).sum(),
        events,
        suppressed: handle.hosts.as_ref().map_or(0, |hosts| hosts.counts().suppressed),
        leaked: platform.pool.in_use(),
        failed,
        plugins_out,
        lines_lost: log.losses(),
        written_off,
        written: written.and_then(|w| w.take()).transpose()?,
        undecoded: summaries.iter().filter_map(undecoded).collect(),
        damaged: summaries.into_iter().filter_map(|s| s.damage).collect(),
    })
}

/// Segments that a replay begins with, and those that it can ever use at once: what lcores keep at hand, and each frame with whatever
/// is made of it, as far as anybody may keep those. Making a pool costs time by its size.
fn enough(config: &Config, summaries: &[Summary]) -> Segments {
    let pools = &config.pools;
    let room = u64::from(pools.data_room);
    let segments = |s: &Summary| s.frames + s.bytes / room;
    let frames: u64 = summaries.iter().map(segments).sum();
    // The driver is asked for a burst only when the pool could hold one of frames as long as the longest.
    let longest = summaries.iter().map(|s| s.longest as u64).max().unwrap_or_default();
    let burst = BURST as u64 * longest.div_ceil(room);
    let caches = (u64::from(config.lcores.workers) + 1) * u64::from(pools.cache) * 2;
    let with = |kept: u64| u32::try_from((2 * frames).min(kept) + burst + caches + 1023).unwrap_or(u32::MAX);
    Segments { at_first: with(u64::from(AT_WORK)), most: with(kept(config)) }
}

/// Segments that are kept at once beyond a burst, by whoever keeps frames: reassembly, rings, services that hold packets; and what a
/// datagram is rebuilt with.
fn kept(config: &Config) -> u64 {
    let fragments = config.fragments.memory.0 / config.pools.buffer_bytes();
    let rings = 2 * u64::from(config.lcores.ring_size);
    let lanes = u64::from(config.lcores.workers).max(1);
    lanes * (fragments + rings + u64::from(config.services.hold_frames)) + u64::from(AT_WORK)
}

type Ports = Vec<Option<Box<dyn PacketIo>>>;

/// One place a link type for what comes in, and the file of `-w` behind them.
fn out_port(
    request: &Request<'_>,
    summaries: &[Summary],
    links: usize,
) -> Result<(Ports, Option<crate::mgmt::capture_out::Written>), ReplayFault> {
    let mut ports: Ports = (0..links).map(|_| None).collect();
    let Some(path) = request.write else {
        if request.inline {
            ports.push(Some(Box::new(CaptureOut::nowhere(PortId(links as u16)))));
        }
        return Ok((ports, None));
    };
    if links > 1 {
        let text = "the captures have several link types, and one file can hold only one: leave -w out, or replay them apart";
        return Err(ReplayFault::Run(text.into()));
    }
    request.captures.iter().try_for_each(|from| refuse_same_file(from, path)).map_err(ReplayFault::Run)?;
    let dlt = summaries.first().map_or(1, |s| s.dlt);
    let (out, written) = CaptureOut::create(path, dlt, PortId(links as u16))?;
    ports.push(Some(Box::new(out)));
    Ok((ports, Some(written)))
}

/// What verdicts do. Without `-w` the frames are copies; with it the captures stand in the line before the file, in the mode of the
/// configuration's pair. `--simulate-ips` lets verdicts act whatever that is.
pub fn mode(config: &Config, write: bool, simulate_ips: bool) -> Mode {
    match config.pairs.first().map(|pair| pair.mode) {
        _ if simulate_ips => Mode::Ips,
        Some(mode) if write && mode != Mode::Ids => mode,
        _ if write => Mode::Ips,
        _ => Mode::Ids,
    }
}

fn plans(config: &Config, links: &[LinkType], request: &Request<'_>) -> Vec<PortPlan> {
    let pair = config.pairs.first();
    let out = request.write.is_some() || request.inline;
    let mode = mode(config, request.write.is_some(), request.inline);
    let plan = |link, peer| PortPlan {
        link,
        peer,
        inspect: pair.is_none_or(|p| p.inspection),
        mode: convert::mode(mode),
        non_ip: pair.is_none_or(|p| p.non_ip == NonIp::Forward),
        // A file takes frames of any length.
        peer_mtu: match config.fragments.mtu {
            Auto::Set(mtu) => mtu.0,
            Auto::Auto => u16::MAX,
        },
        ..PortPlan::default()
    };
    let exit = PortId(links.len() as u16);
    let mut plans: Vec<PortPlan> = links.iter().map(|&link| plan(link, out.then_some(exit))).collect();
    if out {
        plans.push(plan(links.first().copied().unwrap_or_default(), None));
    }
    plans
}

fn undecoded(summary: &Summary) -> Option<(PathBuf, u16, u64)> {
    matches!(summary.link_type, LinkType::Other(_))
        .then(|| (summary.path.clone(), summary.dlt, summary.frames))
}

fn span(summaries: &[Summary]) -> Option<(Time, Time)> {
    let first = summaries.iter().filter_map(|s| s.first).min()?;
    let last = summaries.iter().filter_map(|s| s.last).max()?;
    Some((first, last.max(first)))
}

type LogThread = std::thread::JoinHandle<crate::mgmt::EventLog>;

/// How long the log waits when there was nothing to write. A worker's ring holds what comes meanwhile, or the worker waits for room;
/// each look takes the CPU from it, where there are no more CPUs than lcores.
const IDLE: std::time::Duration = std::time::Duration::from_millis(5);

/// Empties the event rings until the workers have ended.
fn spawn_log(
    mut log: crate::mgmt::EventLog,
    ended: Arc<AtomicBool>,
    platform: &DpdkPlatform,
) -> Result<LogThread, ReplayFault> {
    let eal = Arc::clone(&platform.eal);
    let body = move || {
        eal.unpin_current_thread();
        let mut clock = eal.time().clock();
        while !ended.load(Ordering::Acquire) {
            if let Some(sentence) = sentence::passed() {
                // Where stderr takes nothing there is nobody to be told.
                let _ = writeln!(std::io::stderr(), "error: {sentence}");
                watchdog::carry_out(sentence, &mut log);
            }
            if log.turn(clock.now()) == 0 {
                std::thread::park_timeout(IDLE);
            }
        }
        sentence::attend(false);
        log
    };
    // From before the first frame: a plugin may fall over it while the thread is being made.
    sentence::attend(true);
    let spawned = std::thread::Builder::new().name("weir-events".into()).spawn(body);
    spawned.inspect_err(|_| sentence::attend(false)).map_err(run_fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_takes_buffers_for_its_frames_whole_and_rebuilt() {
        let summary = |frames, bytes| Summary {
            path: PathBuf::new(),
            link_type: LinkType::Ethernet,
            dlt: 1,
            frames,
            bytes,
            longest: 0,
            first: None,
            last: None,
            damage: None,
        };
        let config = Config::defaults(crate::mgmt::Profile::Suricata);
        let small = enough(&config, &[summary(10, 1000)]);
        assert_eq!(small.at_first, small.most);
        assert!(small.most < config.pools.frames / 8, "{small:?}");
        let jumbo = enough(&config, &[summary(10, 90_000)]);
        assert!(jumbo.most >= small.most + 2 * (90_000 / 2048), "chains: {jumbo:?}");
        let Segments { at_first, most: large } = enough(&config, &[summary(1 << 40, 0)]);
        assert!((AT_WORK..large / 4).contains(&at_first), "the rest as it is kept: {at_first}");
        assert!(u64::from(large) > config.fragments.memory.0 / config.pools.buffer_bytes(), "{large}");
        assert!(large < config.pools.frames, "no more than anybody may keep: {large}");
    }
}
