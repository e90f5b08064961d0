//! `weir reassemble`.

use super::table::Table;
use super::{ConfigArgs, Failure, Outcome, version};
use crate::io::process::{self, Started};
use crate::mgmt::Profile;
use crate::mgmt::config::{Mtu, Sources};
use crate::mgmt::reassemble::{self, EalOptions, Ended, ReassembleFault};
use crate::mgmt::start;
use clap::Args;
use std::path::PathBuf;

mod log;

const LONG_ABOUT: &str = "\
Puts IP fragments together between two ports, or between two captures: fragments go in, whole datagrams come out, and what is \
larger than the MTU leaves cut into pieces of that size. Whole packets pass untouched and unexamined. There are no sessions, no \
rules and no plugins.

Ports come from a configuration (-c FILE, its [[port]] and [[pair]] sections) or from the devices behind `--`, by twos. Between \
ports it works on all CPUs it may use (lcores.workers, or -l behind `--`, say otherwise) and goes into the background once it \
forwards, unless -N is given; SIGTERM and SIGINT end it, SIGHUP writes its counters to the log. Between captures it stays in the \
foreground, and time is the capture's own.

An IPv4 packet that forbids cutting, and an IPv6 packet that did not come in fragments, is dropped when it is larger than the MTU, \
and its sender told by ICMP. IPv6 datagrams are cut at the largest fragment that came. Limits, overlap policies and timeouts are \
those of [fragments] and [host-os-policy].";

const EXAMPLES: &str = "\
Examples:
  weir reassemble -m 1500 -r fragments.pcap -w whole.pcap
  weir reassemble -N -l -m 1500 -c /etc/weir/weir.toml
  weir reassemble -m 9000 -- -l 0-3 -a 0000:03:00.0 -a 0000:03:00.1
  weir reassemble -N -l -m 1500 -- --no-huge --vdev net_af_packet0,iface=eth1 --vdev net_af_packet1,iface=eth2

Exit code: 0 when all went well; 1 when it could not start, or something was damaged or lost; 2 when what was asked makes no sense.";

/// Put IP fragments together between two ports or two captures
#[derive(Debug, Args)]
#[command(long_about = LONG_ABOUT, after_help = EXAMPLES)]
pub struct Reassemble {
    /// Stay in the foreground
    #[arg(short = 'N', long)]
    foreground: bool,
    /// Print what this binary was built from, and end
    #[arg(short = 'v', long = "build")]
    version: bool,
    /// Log to stderr too, beside syslog
    #[arg(short = 'l', long)]
    log_stderr: bool,
    /// How much to log: 0 errors, 1 warnings, 2 what happens, 3 numbers, 4 all
    #[arg(short = 'd', long, value_name = "LEVEL", default_value = "2", value_parser = level, allow_negative_numbers = true)]
    debug: u8,
    /// Largest IP packet that leaves, in bytes: 576 to 9192. Without it fragments.mtu of the configuration, or 9192
    #[arg(short = 'm', long, value_name = "MTU", value_parser = mtu, allow_negative_numbers = true)]
    mtu: Option<u16>,
    /// Read this capture (pcap or pcapng) instead of ports
    #[arg(short = 'r', long, value_name = "FILE", requires = "write")]
    read: Option<PathBuf>,
    /// Write what leaves to this capture
    #[arg(short = 'w', long, value_name = "FILE", requires = "read")]
    write: Option<PathBuf>,
    #[command(flatten)]
    source: ConfigArgs,
    /// Worker lcores; 0 runs everything on one, which is the default between captures
    #[arg(long)]
    workers: Option<u8>,
    /// DPDK's own options; -l, -c, --lcores, --vdev, -a, -m and --no-huge are understood and override the configuration
    #[arg(last = true, value_name = "EAL OPTIONS")]
    eal: Vec<String>,
}

fn mtu(word: &str) -> Result<u16, String> {
    let range = Mtu::SMALLEST..=Mtu::LARGEST;
    let mtu = word.parse().ok().filter(|mtu| range.contains(mtu));
    mtu.ok_or_else(|| format!("an MTU is a number from {} to {}", Mtu::SMALLEST, Mtu::LARGEST))
}

fn level(word: &str) -> Result<u8, String> {
    let level = word.parse().ok().filter(|level| *level <= 4);
    level.ok_or_else(|| "a level is a number from 0 (errors) to 4 (all)".to_owned())
}

pub fn run(args: Reassemble) -> Result<Outcome, Failure> {
    if args.version {
        return version::version();
    }
    let options = EalOptions::parse(&args.eal).map_err(|fault| super::misuse(fault.to_string()))?;
    let captures = args.read.as_deref().zip(args.write.as_deref());
    let mut sets = args.source.sets.clone();
    sets.extend(args.mtu.map(|mtu| format!("fragments.mtu={mtu}")));
    // Where nothing says how many: one lcore between captures, which keeps frames in order; else all there are.
    let unsaid = args.source.config.is_none() && !sets.iter().any(|set| set.starts_with("lcores."));
    let all = if captures.is_some() { 0 } else { reassemble::workers_for(start::allowed_cpus().len()) };
    let workers = args.workers.or(unsaid.then_some(all));
    sets.extend(workers.map(|n| format!("lcores.workers={n}")));
    let mut loaded =
        Sources { file: args.source.config.as_deref(), sets: &sets, profile: Profile::Inline }.load()?;
    let odd = match (captures, options.devices.is_empty()) {
        (None, true) => options.apply(&mut loaded.config),
        _ => {
            loaded.config.ports.clear();
            loaded.config.pairs.clear();
            options.apply(&mut loaded.config)
        }
    };
    if odd > 0 {
        return Err(super::misuse(ReassembleFault::OddDevices(options.devices.len()).to_string()));
    }
    loaded.check_cpus(&start::machine())?;
    reassemble::bare(&mut loaded.config);
    let config = &loaded.config;
    if let Some((from, to)) = captures {
        log::start(args.debug, true, false);
        let ended = reassemble::convert_capture(config, &options, from, to)?;
        super::print(&summary(&ended))?;
        return Ok(verdict(&ended));
    }
    if config.ports.is_empty() {
        return Err(super::misuse(ReassembleFault::NoPorts.to_string()));
    }
    let background = match args.foreground {
        true => None,
        false => match process::to_background()? {
            Started::Here(ready) => Some(ready),
            Started::There { process, code: 0 } => {
                super::print(&format!("weir reassemble runs in the background as process {process}\n"))?;
                return Ok(Outcome::Clean);
            }
            // It has said why.
            Started::There { .. } => return Ok(Outcome::Flawed),
        },
    };
    log::start(args.debug, args.log_stderr, true);
    let said = background.is_none();
    let ended = reassemble::run(config, &options, background)?;
    tracing::info!("ended: {}", ended.balance);
    if said {
        super::print(&summary(&ended))?;
    }
    Ok(verdict(&ended))
}

fn summary(ended: &Ended) -> String {
    let mut table = Table::default();
    table.row(["datagrams rebuilt", &ended.rebuilt.to_string()]);
    table.row(["datagrams timed out", &ended.timeouts.to_string()]);
    for (reason, frames) in &ended.drops {
        table.row([&format!("dropped: {}", reason.name()), &frames.to_string()]);
    }
    if let Some(frames) = ended.written {
        table.row(["frames written", &frames.to_string()]);
    }
    table.row(["conservation", &ended.balance.to_string()]);
    table.to_string()
}

fn verdict(ended: &Ended) -> Outcome {
    let mut flawed = super::tell_failed(&ended.failed, ended.written_off);
    if let Some(damage) = &ended.damage {
        super::tell(&format!("error: {damage}; what stands before it was reassembled"));
        flawed = true;
    }
    if !ended.balance.is_even() || ended.leaked > 0 {
        super::tell(&format!(
            "error: frames do not add up ({} not returned), which is a fault of weir: please report it",
            ended.leaked
        ));
        flawed = true;
    }
    if flawed { Outcome::Flawed } else { Outcome::Clean }
}
