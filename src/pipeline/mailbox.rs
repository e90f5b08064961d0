//! Commands from management to a worker, and the answers. A worker looks once a turn; neither side ever waits.

use super::recent::{DropRow, Ends};
use super::scan::SessionScan;
use super::tuning::Tuning;
use super::watch::Watch;
use crate::base::{FlowTuple, PerDir, Time};
use crate::service::services::{self, InUse, Retired};
use crate::session::{Session, Settled};
use std::time::Duration;

/// Commands that may lie in one worker's mailbox.
pub const MAILBOX: usize = 16;

/// What a worker can be asked. Whatever needs memory brings it along: workers do not allocate.
pub enum Command {
    /// A change of service sets, plugins or their policies, from the next frame on.
    Services(services::Command),
    /// Give back something that no session uses any more, or a policy superseded so long ago, if there is one.
    Retire { age: Duration },
    /// Fill the list, up to its capacity, with sessions of a part of the table.
    Sessions(SessionScan),
    /// Drop from now on what belongs to the session of that tuple, if it still has that number.
    Kill { tuple: FlowTuple, flow_id: u64 },
    /// Fill the list, up to its capacity, with chains and policies alive.
    InUse(Vec<InUse>),
    /// Fill the list, up to its capacity, with what is remembered of drops between these ends.
    Why { ends: Ends, rows: Vec<DropRow> },
    /// Show packets from now on.
    Watch(Box<Watch>),
    /// The watch of that number ends.
    Unwatch(u64),
    /// Go by these settings from now on.
    Tune(Box<Tuning>),
}

pub enum Answer {
    /// To both of these: what is left over, to be freed by management.
    Retired(Retired),
    /// `next`: where the rest of the table begins.
    Sessions {
        rows: Vec<SessionRow>,
        next: Option<usize>,
    },
    /// Whether it was there.
    Killed(bool),
    InUse(Vec<InUse>),
    /// And the session between them, if it lives.
    Why {
        session: Option<SessionRow>,
        rows: Vec<DropRow>,
    },
    /// To both of these: the watch that ended, or found no room.
    Watch(Option<Box<Watch>>),
    /// What is left of the settings that were taken over, to be freed by management.
    Tuned(Box<Tuning>),
}

/// One line of `weir ctl sessions`.
#[derive(Copy, Clone, Debug)]
pub struct SessionRow {
    pub tuple: FlowTuple,
    pub flow_id: u64,
    pub state: &'static str,
    /// TCP's own; empty for others.
    pub tcp_state: &'static str,
    /// The application protocol, once it is known.
    pub app: Option<&'static str>,
    pub start: Time,
    pub last: Time,
    pub packets: PerDir<u64>,
    pub bytes: PerDir<u64>,
    pub worker: u8,
    /// `inspect` until something is settled: then `pass`, `bypass` or `drop`.
    pub verdict: &'static str,
    /// Its policy.
    pub generation: u32,
}

impl SessionRow {
    pub fn of(session: &Session, worker: u8) -> SessionRow {
        SessionRow {
            tuple: session.tuple,
            flow_id: session.flow_id,
            state: session.phase.name(),
            tcp_state: if session.is_tcp() { session.tcp.state.name() } else { "" },
            app: session.spoken.names().proto,
            start: session.start,
            last: session.last,
            packets: session.packets,
            bytes: session.bytes,
            worker,
            verdict: match session.settled {
                Settled::None => "inspect",
                Settled::Pass => "pass",
                Settled::Drop(_) => "drop",
                Settled::Bypass => "bypass",
            },
            generation: session.policy.0,
        }
    }
}

/// Management's end.
pub struct MailboxSender {
    pub commands: rtrb::Producer<Command>,
    pub answers: rtrb::Consumer<Answer>,
}

/// The worker's end.
pub struct Mailbox {
    pub commands: rtrb::Consumer<Command>,
    pub answers: rtrb::Producer<Answer>,
}

pub fn mailbox() -> (MailboxSender, Mailbox) {
    let (commands, inbox) = rtrb::RingBuffer::new(MAILBOX);
    // Each command has at most one answer, so an answer always finds room.
    let (outbox, answers) = rtrb::RingBuffer::new(2 * MAILBOX);
    (MailboxSender { commands, answers }, Mailbox { commands: inbox, answers: outbox })
}
