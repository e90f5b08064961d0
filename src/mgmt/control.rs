//! What management asks of a running appliance. The pipeline's `Appliance` implements it; tests use a fake.
//!
//! Every call may wait for a worker's mailbox, so it runs on a blocking thread, never on the RPC's own.

use crate::base::{DropReason, FlowTuple, PerDir, Time};
use crate::mgmt::config::{EventType, LogLevel, Mode};
use crate::mgmt::configure::Configure;
use crate::mgmt::dataset_commands;
use crate::mgmt::listening::Listener;
use crate::mgmt::overrule::Overruling;
use crate::mgmt::passes::{PassInfo, PassRequest};
use crate::mgmt::profiler;
use crate::mgmt::pulse::Vitals;
use crate::mgmt::ruleset::Ruleset;
use crate::mgmt::shadow::Shadowing;
use crate::mgmt::watching::{Feed, WatchRequest};
use crate::pipeline::Balance;
use crate::pipeline::scan::Pick;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// The longest time that a mode or a commit waits for its confirmation: what nobody has confirmed by then is no trial any more.
pub const LONGEST_CONFIRM: Duration = Duration::from_secs(31 * 86_400);

/// A counter under its dotted name (`decoder.pkts`), as eve.json's `stats` nests it and `weir ctl counters` prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedCount {
    pub name: String,
    pub value: u64,
}

impl NamedCount {
    pub fn new(name: impl Into<String>, value: u64) -> NamedCount {
        NamedCount { name: name.into(), value }
    }
}

/// `weir ctl status`.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// `run` or `replay`.
    pub running_mode: String,
    pub profile: String,
    pub started: Time,
    pub now: Time,
    pub generation: u32,
    pub rules_loaded: u64,
    pub rules_refused: u64,
    pub workers: u32,
    pub sessions: u64,
    /// Memory by part, in bytes: how much is used, and how much may be.
    pub memory: Vec<MemoryUse>,
    pub pairs: Vec<PairStatus>,
    pub events_sent: u64,
    pub events_lost: u64,
    /// What ports lost (`outside.rx_missed`), where that is not nothing.
    pub port_losses: Vec<NamedCount>,
    /// Ports whose link is down.
    pub links_down: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub struct MemoryUse {
    pub part: String,
    pub used: u64,
    /// 0: nothing bounds it but the machine.
    pub cap: u64,
}

/// A generation of the rules that is in memory.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct GenerationInfo {
    pub generation: u32,
    pub rules: u64,
    /// That go by it.
    pub sessions: u64,
    pub newest: bool,
}

#[derive(Clone, Debug, Default)]
pub struct PairStatus {
    pub ports: Vec<String>,
    pub mode: String,
    /// It goes back to this mode at that time, unless confirmed.
    pub goes_back: Option<(String, Time)>,
}

/// Another mode for a pair, or for all that can have it.
#[derive(Clone, Debug)]
pub struct ModeChange {
    /// One of its ports, or all with commas between; empty for all pairs.
    pub pair: String,
    pub mode: Mode,
    /// It goes back by itself after so long, unless confirmed.
    pub confirm: Option<Duration>,
}

/// What was dropped, since the start and since somebody's last look.
#[derive(Clone, Debug, Default)]
pub struct Drops {
    pub now: Time,
    /// When the same looker looked last; the appliance's start at a first look.
    pub since: Time,
    /// Frames received since the start, and since then.
    pub received: Grown,
    /// Those that are not all zero.
    pub counts: Vec<DropCount>,
}

/// A count now, and how much of it is new since the last look.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Grown {
    pub total: u64,
    pub new: u64,
}

/// How often a reason struck on one lcore, of frames of one port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropCount {
    pub reason: DropReason,
    /// The port that the frames came in by, or at [`DropReason::at_exit`] could not leave by; empty when no port is known.
    pub port: String,
    /// As [`LcoreInfo::role`].
    pub lcore: String,
    pub frames: Grown,
    /// Forwarded, because the pair's mode lets no verdict act.
    pub spared: Grown,
}

/// What one lcore does.
#[derive(Clone, Debug, Default)]
pub struct LcoreInfo {
    /// `main`, `worker 0`, ..., `management`.
    pub role: String,
    pub cpu: Option<u32>,
    pub frames: u64,
    pub bytes: u64,
    pub sessions: u64,
    /// Frames waiting in the ring to it, and the ring's size.
    pub ring_used: u64,
    pub ring_size: u64,
    /// Turns of its loop, and those that found nothing to do.
    pub turns: u64,
    pub idle_turns: u64,
}

/// Which sessions to show.
#[derive(Clone, Debug, Default)]
pub struct SessionFilter {
    /// Most to return; 0 for [`DEFAULT_SESSION_LIMIT`].
    pub limit: u32,
    /// Either end has this address.
    pub address: Option<std::net::IpAddr>,
    /// Either end has this port.
    pub port: Option<u16>,
    /// IP protocol number.
    pub proto: Option<u8>,
    pub flow_id: Option<u64>,
}

pub const DEFAULT_SESSION_LIMIT: u32 = 100;

impl SessionFilter {
    pub fn pick(&self) -> Pick {
        Pick { flow_id: self.flow_id, address: self.address, port: self.port, proto: self.proto }
    }

    pub fn limit(&self) -> usize {
        (if self.limit == 0 { DEFAULT_SESSION_LIMIT } else { self.limit }) as usize
    }
}

/// One session, from its client's side.
#[derive(Clone, Debug, Default)]
pub struct SessionInfo {
    pub flow_id: u64,
    pub worker: u32,
    pub tuple: FlowTuple,
    /// `new`, `established` or `closed`.
    pub state: String,
    /// TCP's own state; empty for others.
    pub tcp_state: String,
    /// Application protocol; empty while it is not known.
    pub app: String,
    /// `inspect` until something is settled: then `pass`, `bypass` or `drop`.
    pub verdict: String,
    pub start: Time,
    pub last: Time,
    pub packets: PerDir<u64>,
    pub bytes: PerDir<u64>,
    pub generation: u32,
}

/// Between whom something happened: the question of `weir ctl why`. Either direction is meant.
#[derive(Copy, Clone, Debug)]
pub struct Between {
    pub proto: u8,
    pub ends: [IpAddr; 2],
    /// Both, or neither is known.
    pub ports: Option<[u16; 2]>,
}

/// Why packets between two ends are dropped.
#[derive(Clone, Debug, Default)]
pub struct Why {
    /// Sessions that live.
    pub sessions: Vec<SessionInfo>,
    /// What workers remember of drops, the newest first.
    pub drops: Vec<DropStory>,
}

/// The first drop of a conversation, and how it went on.
#[derive(Clone, Debug)]
pub struct DropStory {
    pub worker: u32,
    /// Source is the dropped packet's sender.
    pub tuple: FlowTuple,
    /// 0: no session.
    pub flow_id: u64,
    pub reason: DropReason,
    /// The plugin that asked for it; empty for none.
    pub plugin: String,
    pub rule: Option<RuleStory>,
    /// The policy of its session.
    pub generation: u32,
    pub packet: u64,
    pub port: String,
    pub first: Time,
    pub last: Time,
    pub frames: u64,
    /// Of these, forwarded because of the pair's mode.
    pub spared: u64,
}

/// The rule behind a drop.
#[derive(Clone, Debug, Default)]
pub struct RuleStory {
    pub generation: u32,
    /// The rest is not known any more where nobody has rules of that generation.
    pub known: bool,
    pub sid: u32,
    pub rev: u32,
    pub msg: String,
}

/// What a reload of the rules came to. A reload that fails changes nothing.
#[derive(Clone, Debug, Default)]
pub struct Reload {
    pub generation: u32,
    pub loaded: u64,
    pub refused: u64,
}

/// The frames of all lcores at one moment between their turns.
#[derive(Clone, Debug, Default)]
pub struct Balanced {
    pub balance: Balance,
    /// How long the lcores stood still.
    pub paused: Duration,
}

/// One service set.
#[derive(Clone, Debug, Default)]
pub struct SetInfo {
    pub name: String,
    pub id: u32,
    pub active: bool,
    /// Empty: all.
    pub ports: Vec<String>,
    pub matches: Vec<String>,
    pub forward: Vec<String>,
    pub reverse: Vec<String>,
    pub inactive_action: String,
    pub on_fault: String,
    pub sessions: u64,
    pub members: Vec<MemberInfo>,
}

/// A plugin in a set.
#[derive(Clone, Debug, Default)]
pub struct MemberInfo {
    pub plugin: String,
    /// Its policy is there, or it needs none.
    pub attached: bool,
    /// Policies alive and their sessions, over all workers.
    pub generations: Vec<(u32, u64)>,
}

/// One plugin.
#[derive(Clone, Debug, Default)]
pub struct PluginInfo {
    pub name: String,
    pub id: u32,
    pub kind: String,
    pub external: bool,
    pub path: String,
    /// `running`, `leaving`, or why it was taken out.
    pub state: String,
    pub flags: Vec<String>,
    pub sets: Vec<String>,
    pub workers: Vec<WorkerCounts>,
    pub counters: Vec<PluginSetCount>,
    pub tables: Vec<(String, Vec<crate::service::plugin::ShownRow>)>,
}

/// What every plugin counts on a worker.
#[derive(Clone, Debug, Default)]
pub struct WorkerCounts {
    pub worker: u32,
    pub packets: u64,
    pub discards: u64,
    pub holds: u64,
    pub faults: u64,
}

/// A counter of a plugin's own in a set.
#[derive(Clone, Debug, Default)]
pub struct PluginSetCount {
    pub set: String,
    pub name: String,
    pub value: u64,
}

/// A block of configuration for a plugin.
#[derive(Clone, Debug)]
pub struct Blob {
    pub plugin: String,
    pub set: String,
    pub op: crate::service::plugin::BlobOp,
    pub generation: u32,
    pub bytes: Vec<u8>,
}

/// Why a request was not carried out.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ControlError {
    #[error("worker {worker} did not answer in time; look at `weir ctl lcores`")]
    Busy { worker: u32 },
    #[error(
        "the lcores did not all come to rest in time, so traffic goes on uncounted; ask again, or look at `weir ctl lcores`"
    )]
    Restless,
    #[error(
        "worker {worker} has not taken over the new mode yet; it will with its next turn: look at `weir ctl lcores`"
    )]
    Lagging { worker: u32 },
    #[error("the appliance is stopping")]
    Stopping,
    /// The question makes no sense.
    #[error("{0}")]
    Unanswerable(String),
    /// The new rules or configuration are no good; the old stay.
    #[error("the old rules stay in force: {0}")]
    Refused(String),
    /// A change of services is no good; nothing was changed.
    #[error("nothing was changed: {0}")]
    Unchanged(String),
    /// A change is in force, and what tells of it could not be written.
    #[error(
        "the change is in force, but not all that tells of it could be written, so a restart may not know of it: {0}"
    )]
    Unkept(String),
}

/// A line of `weir ctl ip-action list`.
#[derive(Clone, Debug, Default)]
pub struct IpActionInfo {
    /// `block`, `close` or `notify`, and what it is against: `source`, `destination`, `zone` or `service`.
    pub deed: String,
    pub target: String,
    pub source: Option<IpAddr>,
    pub destination: Option<IpAddr>,
    /// Of the target service: IP protocol and the server's port.
    pub proto: u8,
    pub port: u16,
    /// Of the target zone.
    pub ingress: String,
    /// Of the rule that asked for it first.
    pub rule: Option<RuleStory>,
    pub since: Time,
    pub until: Time,
    pub packets: u64,
}

/// The appliance as management sees it.
pub trait Control: Send + Sync + 'static {
    fn status(&self) -> Status;
    /// All counters, in the order in which they are printed.
    fn counters(&self) -> Vec<NamedCount>;
    /// What struck, by reason, port and lcore. Under a name, what is new since the last look under it; without one nothing is
    /// kept, and all is new.
    fn drops(&self, looker: &str) -> Drops;
    /// The ports' names by number.
    fn ports(&self) -> Vec<String>;
    fn lcores(&self) -> Vec<LcoreInfo>;
    /// The pairs and their modes.
    fn pairs(&self) -> Vec<PairStatus>;
    /// Returns when every worker goes by the new mode.
    fn set_mode(&self, change: &ModeChange) -> Result<(), ControlError>;
    /// Changes that were to be confirmed stay (`keep`), or go back now. How many there were.
    fn confirm_modes(&self, keep: bool) -> Result<usize, ControlError>;
    /// Stops all lcores between two turns for a moment, and counts.
    fn balance(&self) -> Result<Balanced, ControlError>;
    fn sessions(&self, filter: &SessionFilter) -> Result<Vec<SessionInfo>, ControlError>;
    /// Drops from now on what belongs to a session; what it was.
    fn kill(&self, flow_id: u64, who: &str) -> Result<SessionInfo, ControlError>;
    /// What is known of drops between two ends.
    fn why(&self, between: &Between) -> Result<Why, ControlError>;
    /// IP actions in force, those that end last first; with an address, those against it.
    fn ip_actions(&self, address: Option<IpAddr>) -> Vec<IpActionInfo>;
    /// Ends them; how many.
    fn clear_ip_actions(&self, address: Option<IpAddr>) -> usize;
    /// The pass list, those that end first first.
    fn passes(&self) -> Vec<PassInfo>;
    fn add_pass(&self, asked: &PassRequest) -> Result<PassInfo, ControlError>;
    /// What it was; none of that number.
    fn remove_pass(&self, id: u64) -> Option<PassInfo>;
    /// Shows packets from now on, until [`unwatch`](Self::unwatch) is told the number.
    fn watch(&self, request: &WatchRequest) -> Result<(u64, Box<dyn Feed>), ControlError>;
    fn unwatch(&self, id: u64);
    /// Tells events from now on, as long as the feed lives.
    fn listen(&self, types: &[EventType]) -> Result<Listener, ControlError>;
    /// The types of `outputs.eve`.
    fn event_types(&self) -> Vec<EventType>;
    /// How much the daemon's own log tells.
    fn log_level(&self) -> LogLevel;
    /// Until the next start, or a commit of `log.level`.
    fn set_log_level(&self, level: LogLevel, who: &str) -> Result<(), ControlError>;
    fn reload_rules(&self) -> Result<Reload, ControlError>;
    /// Rules that go by an operator's word; none where rules cannot change.
    fn overruling(&self) -> Option<&dyn Overruling> {
        None
    }
    /// Rules that are tried beside those in force; none where rules cannot change.
    fn shadowing(&self) -> Option<&dyn Shadowing> {
        None
    }
    /// Generations of the rules that are in memory, the newest first.
    fn generations(&self) -> Result<Vec<GenerationInfo>, ControlError> {
        Ok(Vec::new())
    }
    /// Looks into the datasets of the rules in force, or changes them.
    fn dataset(&self, command: &dataset_commands::Command) -> Result<dataset_commands::Answer, ControlError>;
    /// All service sets, or the one of this name.
    fn service_sets(&self, name: Option<&str>) -> Result<Vec<SetInfo>, ControlError>;
    fn plugins(&self) -> Result<Vec<PluginInfo>, ControlError>;
    /// What was changed, in words.
    fn plugin_blob(&self, blob: &Blob) -> Result<Vec<String>, ControlError>;
    /// `path`: another shared object in its place.
    fn restart_plugin(&self, name: &str, path: Option<&std::path::Path>)
    -> Result<Vec<String>, ControlError>;
    /// Service sets and plugins as a configuration file says; `None`: the one of the start.
    fn apply_services(&self, file: Option<&std::path::Path>) -> Result<Vec<String>, ControlError>;
    /// Asks no worker, and never waits.
    fn vitals(&self) -> Vitals;
    /// What the rules in force came to.
    fn ruleset(&self) -> Arc<Ruleset>;
    /// Has output files opened anew, as SIGHUP does; returns at once.
    fn reopen_outputs(&self);
    /// What is asked of its configuration; none where that cannot change.
    fn configuration(&self) -> Option<&dyn Configure> {
        None
    }
    /// Who answers of the profile; none where none is kept.
    fn profile(&self) -> Option<profiler::Reader> {
        None
    }
    /// Asks the appliance to stop, as SIGTERM does; returns at once.
    fn stop(&self);
}
