//! `weir replay`: captures in, alerts out, with the pipeline of `weir run` and no NIC, root or hugepages.

use super::table::Table;
use super::{ConfigArgs, Failure, Outcome, rules};
use crate::mgmt::Profile;
use crate::mgmt::config::value::Auto;
use crate::mgmt::config::{Inspect, Loaded, Mode, Sources};
use crate::mgmt::replay::{self, Outcome as Replayed, Request};
use crate::mgmt::rule_files::Selection;
use crate::mgmt::rule_sets::Keep;
use crate::mgmt::start::{self, RulesAtStart};
use clap::{Args, ValueEnum};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub struct Replay {
    /// Capture file (pcap or pcapng), or a folder of them; may be repeated
    #[arg(short = 'r', required = true, value_name = "FILE|DIR")]
    read: Vec<PathBuf>,
    /// Rule file instead of those of the configuration; may be repeated
    #[arg(short = 'S', value_name = "RULES")]
    only: Vec<PathBuf>,
    /// Rule file besides those of the configuration; may be repeated
    #[arg(short = 's', value_name = "RULES", conflicts_with = "only")]
    also: Vec<PathBuf>,
    #[command(flatten)]
    source: ConfigArgs,
    #[command(flatten)]
    lists: rules::ListArgs,
    /// Rules as `weir rules compile` has written them, used if they are of these rule files; without rule files as they are
    #[arg(long = "load", value_name = "SET")]
    saved: Option<PathBuf>,
    /// Where eve.json goes
    #[arg(short = 'l', value_name = "DIR", default_value = ".")]
    log: PathBuf,
    /// Wrong checksums of TCP segments and of fragments' IPv4 headers: none ignores them, all drops what has them. Without it as
    /// streams.checksum-validation and fragments.drop-bad-checksum say, where a configuration or --set has them, else none
    #[arg(short = 'k', value_enum)]
    checksums: Option<Checksums>,
    /// Worker lcores; 0 runs everything on one
    #[arg(long)]
    workers: Option<u8>,
    /// Write what is forwarded; drop rules then take effect
    #[arg(short = 'w', value_name = "FILE")]
    write: Option<PathBuf>,
    /// Verdicts act as in the line: drop and reject rules drop packets and sessions, and exception policies fail closed. With -w
    /// the file holds what would have passed, and the answers of reject
    #[arg(long)]
    simulate_ips: bool,
    /// Measure what each rule costs, which makes the replay slower; `weir rules cost` shows it. Without FILE:
    /// rule-cost.json in the folder of -l
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    rule_cost: Option<Option<PathBuf>>,
    /// Defaults and limits: suricata or inline
    #[arg(long, value_parser = super::profile, default_value = "suricata")]
    profile: Profile,
}

/// What `--rule-cost` writes unless it says otherwise.
const COST_FILE: &str = "rule-cost.json";

#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
enum Checksums {
    None,
    All,
}

pub fn run(args: Replay) -> Result<Outcome, Failure> {
    let mut sets = args.source.sets.clone();
    sets.extend(args.workers.map(|n| format!("lcores.workers={n}")));
    let file = args.source.config.as_deref();
    let mut loaded = Sources { file, sets: &sets, profile: args.profile }.load()?;
    loaded.config.outputs.directory = args.log.clone();
    // Ports belong to a running appliance: a replay's frames come from its captures.
    loaded.config.ports.clear();
    check_sums(&mut loaded, args.checksums);
    inspect_before_it_leaves(&mut loaded, args.write.is_some(), args.simulate_ips);
    loaded.check_cpus(&start::machine())?;
    let captures = captures(&args.read)?;
    let selection = Selection { saved: args.saved, ..args.lists.selection(args.only, args.also) };
    let rules = start::rules(&loaded.config, &loaded.base, &selection, Keep::No)?;
    rules.loaded.notes.iter().for_each(|note| super::tell(&format!("note: {}", note.text)));
    rules::print_faults(&rules.loaded, false);
    let rule_cost = args.rule_cost.map(|file| file.unwrap_or_else(|| args.log.join(COST_FILE)));
    let mut progress = Progress::new();
    let mut request = Request {
        config: &loaded.config,
        captures: &captures,
        write: args.write.as_deref(),
        inline: args.simulate_ips,
        rule_cost: rule_cost.as_deref(),
        progress: &mut |path, frames, of| progress.show(path, frames, of),
    };
    let done = replay::replay(&mut request, &rules)?;
    progress.clear();
    super::print(&summary(&done, &rules))?;
    if let Some(path) = &rule_cost {
        super::print(&format!("see: weir rules cost {}\n", path.display()))?;
    }
    Ok(verdict(&done, &rules))
}

/// Captures of a host whose NIC computes checksums have wrong ones, so nobody looks at them unless somebody says so.
fn check_sums(loaded: &mut Loaded, asked: Option<Checksums>) {
    let all = asked == Some(Checksums::All);
    if asked.is_some() || !loaded.places.contains_key("fragments.drop-bad-checksum") {
        loaded.config.fragments.drop_bad_checksum = all;
    }
    if asked.is_some() || !loaded.places.contains_key("streams.checksum-validation") {
        loaded.config.streams.checksum_validation = Auto::Set(all);
    }
}

/// Where verdicts act, bytes are inspected in the packet that brings them, unless somebody says otherwise.
fn inspect_before_it_leaves(loaded: &mut Loaded, write: bool, simulate_ips: bool) {
    let acts = replay::mode(&loaded.config, write, simulate_ips) == Mode::Ips;
    if acts && !loaded.places.contains_key("streams.inspect") {
        loaded.config.streams.inspect = Inspect::Inline;
    }
}

/// The files, folders unfolded, in the order of their names.
fn captures(given: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in given {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        let is_capture = |p: &PathBuf| {
            let extension = p.extension().and_then(|e| e.to_str()).unwrap_or_default();
            p.is_file() && ["pcap", "pcapng", "cap"].contains(&extension)
        };
        let mut inside: Vec<PathBuf> = entries.flatten().map(|e| e.path()).filter(is_capture).collect();
        if inside.is_empty() {
            let text = "holds no .pcap, .pcapng or .cap file; name a capture, or a folder of them";
            return Err(format!("{} {text}", path.display()).into());
        }
        inside.sort();
        found.extend(inside);
    }
    Ok(found)
}

/// What went wrong although the work was done.
fn verdict(done: &Replayed, rules: &RulesAtStart) -> Outcome {
    let refused = rules.loaded.refused();
    let mut flawed = refused.any();
    for damage in &done.damaged {
        super::tell(&format!("error: {damage}; what stands before it was replayed"));
        flawed = true;
    }
    for (path, number, frames) in &done.undecoded {
        super::tell(&format!(
            "error: {} has the link type {number}, for which weir has no decoder: its {frames} frames were not inspected \
             (tcpdump.org/linktypes.html names it; Ethernet, raw IP, PPP, null, Cisco HDLC and Linux cooked captures are known)",
            path.display()
        ));
        flawed = true;
    }
    flawed |= super::tell_failed(&done.failed, done.written_off);
    if !done.balance.is_even() {
        super::tell(
            "error: frames do not add up, which is a fault of weir: please report it with the capture",
        );
        flawed = true;
    }
    for said in done.plugins_out.iter().chain(&done.lines_lost) {
        super::tell(&format!("error: {said}"));
        flawed = true;
    }
    if done.leaked > 0 {
        super::tell(&format!(
            "error: {} buffers did not come back, which is a fault of weir: please report it",
            done.leaked
        ));
        flawed = true;
    }
    if refused.any() {
        super::tell(&format!("{refused} were refused (see above), so the exit code is 1"));
    }
    if flawed { Outcome::Flawed } else { Outcome::Clean }
}

fn summary(done: &Replayed, rules: &RulesAtStart) -> String {
    let mut table = Table::default();
    table.row(["captures", &done.captures.to_string()]);
    table.row(["frames", &done.frames.to_string()]);
    table.row(["bytes", &done.bytes.to_string()]);
    if let Some((first, last)) = done.span {
        table.row(["time span", &format!("{:.3} s", last.since(first).as_secs_f64())]);
    }
    let loaded = rules.engine.rules().rules.len();
    table.row(["rules", &format!("{loaded} loaded, {}", rules.loaded.refused().beside())]);
    if let Some(note) = super::rules::waiting_note(rules.engine.rules()) {
        table.row(["", &note]);
    }
    table.row(["sessions", &done.sessions.to_string()]);
    table.row(["alerts", &done.events.alerts.to_string()]);
    if done.events.suppressed > 0 {
        table.row(["alerts held back by thresholds", &done.events.suppressed.to_string()]);
    }
    if done.suppressed > 0 {
        table.row(["alerts suppressed", &done.suppressed.to_string()]);
    }
    for (reason, frames) in &done.drops {
        table.row([&format!("dropped: {}", reason.name()), &frames.to_string()]);
    }
    if let Some(frames) = done.written {
        table.row(["frames written", &frames.to_string()]);
    }
    table.row(["conservation", &done.balance.to_string()]);
    table.to_string()
}

/// A line on the terminal, for captures long enough to wait for.
struct Progress {
    terminal: bool,
    shown: bool,
}

/// Frames between two updates.
const STEP: u64 = 100_000;

impl Progress {
    fn new() -> Progress {
        Progress { terminal: std::io::stderr().is_terminal(), shown: false }
    }

    fn show(&mut self, path: &Path, frames: u64, of: u64) {
        // A burst is small beside a step, so some burst of each step falls into its first part.
        if self.terminal && of > STEP && frames % STEP < crate::io::BURST as u64 && frames > 0 {
            eprint!("\r\x1b[K{}: {} % of {of} frames", path.display(), 100 * frames / of);
            self.shown = true;
        }
    }

    fn clear(&mut self) {
        if self.shown {
            eprint!("\r\x1b[K");
        }
    }
}
