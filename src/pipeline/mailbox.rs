//! Commands from management to a worker, and the answers. A worker looks once a turn; neither side ever waits.

use crate::base::{FlowTuple, PerDir, Time};
use crate::service::services::{self, InUse, Retired};
use std::time::Duration;

/// Commands that may lie in one worker's mailbox.
pub const MAILBOX: usize = 16;

/// What a worker can be asked. Whatever needs memory brings it along: workers do not allocate.
pub enum Command {
    /// A change of service sets, plugins or their policies, from the next frame on.
    Services(services::Command),
    /// Give back something that no session uses any more, or a policy superseded so long ago, if there is one.
    Retire { age: Duration },
    /// Fill the list, up to its capacity, with sessions.
    Sessions(Vec<SessionRow>),
    /// Fill the list, up to its capacity, with chains and policies alive.
    InUse(Vec<InUse>),
}

pub enum Answer {
    /// To both of these: what is left over, to be freed by management.
    Retired(Retired),
    Sessions {
        rows: Vec<SessionRow>,
        live: usize,
    },
    InUse(Vec<InUse>),
}

/// One line of `weir ctl sessions`.
#[derive(Copy, Clone, Debug)]
pub struct SessionRow {
    pub tuple: FlowTuple,
    pub flow_id: u64,
    pub state: &'static str,
    pub start: Time,
    pub last: Time,
    pub packets: PerDir<u64>,
    pub bytes: PerDir<u64>,
    pub worker: u8,
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
