//! What every service is to the appliance, built in or external: the two halves, their events and their replies.

use super::context::Context;
use super::external::LogLine;
use super::policy::Policy;
use crate::base::Order;
use crate::base::event::{CloseReason, PluginFault};
use crate::base::{Anomaly, ClassId, DropReason, SetId, Time, WorkerId};
use crate::session::Session;
use std::any::Any;

/// Members one chain may have.
pub const MAX_CHAIN: usize = 16;
/// Plugins one appliance may have, built-in ones included.
pub const MAX_PLUGINS: usize = 32;
/// Characters of a plugin's, a class's or a counter's name.
pub const MAX_NAME: usize = 64;

/// How a plugin wants to be used.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// It works per packet, without sessions: a set of such plugins alone makes none, and it hears no session event.
    pub packet_mode: bool,
    /// It also looks at what has no session: raw fragments, frames without IP, packets that contradict themselves.
    pub alone: bool,
    /// Its sets are active only once it has attached a policy database to them.
    pub policy: bool,
    /// It keeps its own state in the session: the host makes room for none, and counts sessions by their policy only.
    pub own_state: bool,
    /// It hears [`DataPlugin::turn`].
    pub turns: bool,
}

/// What a plugin says of itself when it registers.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Unique in the appliance.
    pub name: String,
    /// What kind of service, for people: `detection`, `filter`, `marking` ...
    pub kind: String,
    /// A shared object: counts against the limit of external plugins.
    pub external: bool,
    pub flags: Flags,
    /// Classes of user events that it publishes.
    pub publishes: Vec<String>,
    /// Classes of user events that it hears, of whichever plugin.
    pub subscribes: Vec<String>,
    /// Names of its counters; a worker has one of each for every set.
    pub counters: Vec<String>,
}

/// What management tells a plugin.
#[derive(Debug)]
pub enum ControlEvent<'a> {
    /// A set that it is a member of has been made, or its part of the configuration has changed.
    Init { set: SetId, set_name: &'a str, config: &'a str },
    /// A block of configuration has come by RPC.
    ConfigBlob { set: SetId, op: BlobOp, generation: u32, bytes: &'a [u8] },
    /// Reserved for redundancy; never raised yet.
    HaInfo,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum BlobOp {
    Add,
    Delete,
}

/// Why a control event was refused: precise, and what to do.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct ControlFault(pub String);

/// Management's side, as a plugin sees it during a control event (and, through a copy, later).
pub trait Desk {
    /// Publishes a policy database for this plugin in a set, as the next generation (which comes back): new sessions take it,
    /// running ones keep theirs.
    fn attach(&mut self, set: SetId, data: std::sync::Arc<dyn Any + Send + Sync>) -> u32;
    /// Takes the database away: the member has none from the next session on.
    fn detach(&mut self, set: SetId);
    /// The same from a thread of the plugin's own, whenever it is ready. `None` where nothing can come later.
    fn later(&self) -> Option<std::sync::Arc<dyn LateDesk>> {
        None
    }
}

/// A [`Desk`] that can be kept and used from any thread; management carries out what it is told at its next turn.
pub trait LateDesk: Send + Sync {
    fn attach(&self, set: SetId, data: std::sync::Arc<dyn Any + Send + Sync>);
    fn detach(&self, set: SetId);
}

/// A line of a table that a plugin shows: column, value.
pub type ShownRow = Vec<(String, String)>;

/// The control half. Lives on management, is asked by one thread at a time.
pub trait Plugin: Send {
    fn about(&self) -> &About;

    /// The data half of a worker; memory it needs is taken here.
    fn data(&self, worker: WorkerId) -> Box<dyn DataPlugin>;

    fn control(&mut self, event: ControlEvent<'_>, desk: &mut dyn Desk) -> Result<(), ControlFault>;

    /// What a worker's half needs to take a policy into use, made here so that the worker need not allocate.
    fn prepare(&self, _policy: &Policy, _worker: WorkerId) -> Option<Box<dyn Any + Send>> {
        None
    }

    /// What a worker's half needs to have a candidate judge the same packets beside the policy in force, without effect. `None`
    /// where the plugin cannot.
    fn shadow(&self, _candidate: &(dyn Any + Send + Sync), _worker: WorkerId) -> Option<Box<dyn Any + Send>> {
        None
    }

    /// Now and then, on management's thread: whatever the plugin wants of management outside of a control event.
    fn poll(&mut self, _desk: &mut dyn Desk) {}

    /// Lines that its workers and its own threads want logged, since the last call.
    fn log_lines(&mut self, _to: &mut dyn FnMut(LogLine<'_>)) {}

    /// Tables it publishes, by name.
    fn tables(&self) -> Vec<(String, Vec<ShownRow>)> {
        Vec::new()
    }
}

/// Numbers of a worker that a built-in plugin keeps and management shows beside those of the lane's own tables.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Gauge {
    /// Directions of TCP sessions followed, the bytes they hold, gaps and conflicts seen.
    Streams,
    StreamMemory,
    /// Bytes that transactions hold.
    AppMemory,
    StreamGaps,
    StreamConflicts,
    /// The rules in force.
    Generation,
    /// Bytes that they are evaluated with.
    RuleMemory,
    /// Bytes that a candidate beside them holds of sessions.
    ShadowMemory,
}

/// A data half's opinion.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Reply {
    /// Handled, no opinion.
    #[default]
    Ok,
    /// Accepted: on to the next.
    Forward,
    /// On the first packet the session is refused; later the packet is dropped.
    Discard(DropReason),
    /// The packet is dropped and the session stays, even on its first packet (who settles sessions itself says this). Members
    /// behind never see that packet: the next one is their first, but comes as [`DataPlugin::packet`], with no action attached.
    DropPacket(DropReason),
    /// The frame waits until [`Host::release`](super::Host::release) or the timeout, then goes on behind this plugin. Not on a
    /// first packet. Where verdicts do not act, and within a tunnel, nothing can wait: it goes on at once.
    Hold,
}

/// A block of bytes that one plugin lets another look at, with a code of its own meaning.
#[derive(Copy, Clone, Debug)]
pub struct PublicData<'a> {
    pub bytes: &'a [u8],
    pub code: i64,
}

/// The data half: one instance a worker, which alone calls it. No allocation, lock, system call or log line in any of
/// these but `worker_init` and `adopt`.
pub trait DataPlugin: Send {
    /// Before traffic.
    fn worker_init(&mut self, _worker: WorkerId) {}

    /// Settings have changed; what is taken over must not be freed here.
    fn tune(&mut self, _tuning: &mut super::tuning::Tuning) {}

    /// A set of this worker has the plugin as a member now.
    fn init(&mut self, _set: SetId) {}

    /// The packet that opens a session: finds the rule for it, and attaches an action for each direction
    /// ([`Context::attach`]).
    fn first_packet(&mut self, context: &mut Context<'_>) -> Reply {
        self.packet(context)
    }

    fn packet(&mut self, _context: &mut Context<'_>) -> Reply {
        Reply::Ok
    }

    /// A packet without session, when [`Flags::alone`] or [`Flags::packet_mode`] asks for it.
    fn alone(&mut self, _context: &mut Context<'_>) -> Reply {
        Reply::Ok
    }

    /// What reassembly found wrong with a fragment after its turn, for [`Flags::alone`]; nothing hangs on the reply.
    fn raised(&mut self, _context: &mut Context<'_>, _anomalies: &[Anomaly]) {}

    /// Every member of the first packet's order has accepted it. Members of the other order alone are told as well.
    fn session_open(&mut self, _context: &mut Context<'_>) {}

    /// The session has ended, or its opening failed; of a failed one only plugins that saw its first packet hear, of this and
    /// of the next event.
    fn session_close(&mut self, _context: &mut Context<'_>, _reason: CloseReason) {}

    /// Nobody uses the session any more: the last event of it.
    fn session_destroy(&mut self, _context: &mut Context<'_>) {}

    /// A user event of a class that it subscribes to, dispatched by another plugin on this worker.
    fn user(&mut self, _context: &mut Context<'_>, _class: ClassId, _data: &[u8]) -> Reply {
        Reply::Ok
    }

    /// Another plugin asks for public data of a type: handed to `to` while the call lasts. False when there is none.
    fn public_data(&mut self, _kind: u32, _argument: u64, _to: &mut dyn FnMut(PublicData<'_>)) -> bool {
        false
    }

    /// Once a turn of the worker, also when no packet comes, for who asks for [`Flags::turns`].
    fn turn(&mut self, _host: &mut super::Host<'_>, _now: Time) {}

    /// A policy is there for new sessions of a set; `prepared` comes from [`Plugin::prepare`].
    fn adopt(&mut self, _set: SetId, _policy: &Policy, _prepared: Option<Box<dyn Any + Send>>) {}

    /// A candidate ([`Plugin::shadow`]) to run beside the policies in force, or `None` for none any more. The one before goes back
    /// to management to be freed.
    fn shadow(&mut self, candidate: Option<Box<dyn Any + Send>>) -> Option<Box<dyn Any + Send>> {
        candidate
    }

    /// Who touches what several workers share does so in this order, in a replay.
    fn keep_order(&mut self, _order: Box<dyn Order>) {}

    /// The session has something left that may touch what workers share: a replay's timers leave it alone.
    fn holds(&self, _session: &Session) -> bool {
        false
    }

    /// A packet of the session is among the next: a chance to bring what is kept of it into the processor's cache.
    fn prefetch(&self, _session: &Session) {}

    /// Numbers for management, told once a turn: gauges and sums.
    fn publish(&self, _numbers: &mut dyn FnMut(Gauge, u64)) {}

    /// What went wrong at the border of an external plugin since it was last asked: it is taken out. Events with a context ask
    /// only when [`Host::misbehaved`](super::Host::misbehaved) was set.
    fn fault(&mut self) -> Option<PluginFault> {
        None
    }

    /// No session uses that policy any more. What was kept for it goes back to management to be freed.
    fn retire(&mut self, _set: SetId, _generation: u32) -> Option<Box<dyn Any + Send>> {
        None
    }
}
