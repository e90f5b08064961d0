//! `weir reassemble`: the reassembler between two ports, or between two captures, without sessions and plugins.
//!
//! The appliance of `weir run` with its pairs in [`Mode::Reassemble`](crate::pipeline::Mode::Reassemble): the same lcores,
//! reassembler and cutting to an MTU, and nothing else in between.

mod eal_options;
mod line;

pub use eal_options::{EalOptionFault, EalOptions};
pub use line::{Background, run};

use crate::base::{DropReason, PortId};
use crate::io::capture::{CaptureError, Summary};
use crate::io::dpdk::{Eal, EalError, Pool, PoolError, PortError};
use crate::io::{LinkType, PacketIo};
use crate::mgmt::capture_out::CaptureOut;
use crate::mgmt::config::value::Auto;
use crate::mgmt::config::{Config, Mtu, cpus};
use crate::mgmt::convert::{self, Start};
use crate::mgmt::run::failure;
use crate::mgmt::spread::SpreadError;
use crate::mgmt::start;
use crate::pipeline::launch::{DpdkPlatform, Running, finish, guarded, replay_capture};
use crate::pipeline::{Appliance, Balance, Handle, Mode, PortPlan, SetupError, Spreading};
use crate::service::ServicePlan;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum ReassembleFault {
    #[error(
        "no ports: give a configuration with a [[pair]] (-c FILE), two devices behind `--` (-- --vdev DEVICE --vdev DEVICE), or \
         captures (-r IN -w OUT)"
    )]
    NoPorts,
    #[error(
        "behind `--` stands an odd number of devices ({0}), and a pair has two: add another --vdev or -a, or take one out"
    )]
    OddDevices(usize),
    #[error(
        "{path}: link type {dlt} has no decoder, so no fragment in it would be found; give a capture of Ethernet (1), raw IP (101), \
         Linux cooked frames (113, 276), BSD loopback (0, 108), PPP (9) or Cisco HDLC (104), to which `tcprewrite --dlt=enet` converts \
         some others",
        path = path.display()
    )]
    UnknownLink { path: PathBuf, dlt: u16 },
    #[error("port {0} is in no pair: add a [[pair]] with it, or leave it out")]
    Single(String),
    #[error(transparent)]
    Eal(#[from] EalError),
    #[error(transparent)]
    Pool(#[from] PoolError),
    #[error(transparent)]
    Port(#[from] PortError),
    #[error(transparent)]
    Spread(#[from] SpreadError),
    #[error(transparent)]
    Capture(#[from] CaptureError),
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error("{0}")]
    Run(String),
}

fn run_fault(error: impl std::fmt::Display) -> ReassembleFault {
    ReassembleFault::Run(error.to_string())
}

/// What it came to.
pub struct Ended {
    pub balance: Balance,
    pub drops: Vec<(DropReason, u64)>,
    /// Datagrams put together, and given up for their time.
    pub rebuilt: u64,
    pub timeouts: u64,
    /// Buffers that did not come back: 0, or a fault of ours.
    pub leaked: u32,
    /// Lcores that ended by a panic; and the frames that went with them.
    pub failed: Vec<String>,
    pub written_off: u64,
    /// Frames in the capture that was written.
    pub written: Option<u64>,
    /// What ended the capture that was read before its end.
    pub damage: Option<CaptureError>,
}

impl Ended {
    fn of(handle: &Handle, waiting: u64, failed: Vec<String>, written_off: u64) -> Ended {
        let dropped = |reason| handle.ledgers.iter().map(|ledger| ledger.dropped(reason)).sum::<u64>();
        let sum = |get: fn(&crate::pipeline::tables::TableCounts) -> u64| {
            handle.tables.iter().map(|t| get(t)).sum()
        };
        Ended {
            balance: handle.balance(waiting),
            drops: DropReason::ALL.iter().map(|&r| (r, dropped(r))).filter(|(_, n)| *n > 0).collect(),
            rebuilt: sum(|tables| tables.datagrams_rebuilt.get()),
            timeouts: sum(|tables| tables.datagrams_timed_out.get()),
            leaked: 0,
            failed,
            written_off,
            written: None,
            damage: None,
        }
    }
}

/// Sessions there is room for: none is ever opened.
const NO_SESSIONS: u32 = 64;

/// Puts a configuration in the words of this product: what it has no use for takes no memory.
pub fn bare(config: &mut Config) {
    config.sessions.size = NO_SESSIONS;
    config.outputs.eve.enabled = false;
    if config.fragments.mtu == Auto::Auto {
        config.fragments.mtu = Auto::Set(Mtu::default());
    }
}

fn mtu(config: &Config) -> u16 {
    match config.fragments.mtu {
        Auto::Set(mtu) => mtu.0,
        Auto::Auto => Mtu::LARGEST,
    }
}

fn platform(config: &Config, options: &EalOptions) -> Result<DpdkPlatform, ReassembleFault> {
    let mut eal = convert::eal(config, cpus(config, &start::allowed_cpus()), convert::free_hugepages());
    eal.more = options.rest.clone();
    let eal = Eal::start(&eal)?;
    let pool = Pool::new(&eal, &convert::pool(config))?;
    Ok(DpdkPlatform { eal, pool })
}

/// Seeds of hashes where results must not differ from run to run.
const SEED: u64 = 0x0005_eed0;

/// Capture in, capture out. Time is the capture's.
pub fn convert_capture(
    config: &Config,
    options: &EalOptions,
    from: &Path,
    to: &Path,
) -> Result<Ended, ReassembleFault> {
    let summary = Summary::scan(from)?;
    if let LinkType::Other(_) = summary.link_type {
        return Err(ReassembleFault::UnknownLink { path: from.to_owned(), dlt: summary.dlt });
    }
    crate::mgmt::capture_out::refuse_same_file(from, to).map_err(ReassembleFault::Run)?;
    let platform = platform(config, options)?;
    let (input, output) = (PortId(0), PortId(1));
    let (out, written) = CaptureOut::create(to, summary.dlt, output)?;
    let plan = |peer| plan(summary.link_type, peer, mtu(config));
    let now = summary.first.unwrap_or_default();
    let start = Start { now, seed: SEED, replay: true, spreading: Spreading::Software };
    let settings = convert::pipeline(config, vec![plan(Some(output)), plan(None)], start);
    let mut ports: [Option<Box<dyn PacketIo>>; 2] = [None, Some(Box::new(out))];
    let services = ServicePlan::of(Vec::new(), 1);
    let Appliance { mut main, workers, handle, feeds } =
        Appliance::build(&settings, &mut ports, &platform, &services)?;
    drop(ports);
    let running = Running::start(&platform.eal, workers)?;
    let mut done = Ok(());
    let ran = guarded(&handle.board, || {
        done = replay_capture(&mut main, &handle.board, &platform, &summary, input, &mut |_, _| {});
    });
    let ran = finish(&mut main, &handle.board, ran);
    let joined = running.join(&mut main);
    let failed: Vec<String> = ran.err().iter().chain(&joined.failed).map(failure).collect();
    drop((joined, feeds));
    let waiting = main.waiting() as u64;
    drop(main);
    let written_off = if failed.is_empty() { 0 } else { handle.write_off(waiting) };
    let ended = Ended::of(&handle, waiting, failed, written_off);
    done.map_err(run_fault)?;
    let damage = summary.damage;
    Ok(Ended { leaked: platform.pool.in_use(), written: written.take().transpose()?, damage, ..ended })
}

/// A port's part.
fn plan(link: LinkType, peer: Option<PortId>, peer_mtu: u16) -> PortPlan {
    let (inspect, mode, non_ip) = (true, Mode::Reassemble, true);
    PortPlan { link, peer, inspect, mode, non_ip, peer_mtu, ..PortPlan::default() }
}

/// Workers for the CPUs that are there, beside the main lcore.
pub fn workers_for(cpus: usize) -> u8 {
    cpus.saturating_sub(1).min(crate::pipeline::settings::MAX_WORKERS) as u8
}
