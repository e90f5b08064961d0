//! The main lcore's watches (`weir ctl capture`): it shows the frames that it drops itself, before any worker has seen them.

use super::mailbox::{Answer, Command, Mailbox};
use super::watch::{Fate, Head, Watches};
use crate::base::{DropReason, PortId, Time};
use crate::io::Frame;
use crate::service::outbox::Blame;

/// Room for a frame that lies in several segments.
const SCRATCH: usize = 1 << 16;

pub(super) struct Onlooker {
    mailbox: Mailbox,
    watches: Watches,
    scratch: Box<[u8]>,
}

impl Onlooker {
    pub(super) fn new(mailbox: Mailbox) -> Onlooker {
        Onlooker { mailbox, watches: Watches::default(), scratch: vec![0; SCRATCH].into() }
    }

    /// Once a turn.
    #[inline]
    pub(super) fn read_mailbox(&mut self) {
        let Ok(command) = self.mailbox.commands.pop() else { return };
        let back = match command {
            Command::Watch(watch) => self.watches.begin(watch),
            Command::Unwatch(id) => self.watches.end(id),
            // Everything else is put to workers.
            _ => None,
        };
        // There is room: one answer a command, and the outbox holds twice the inbox.
        let _ = self.mailbox.answers.push(Answer::Watch(back));
    }

    /// A frame that is dropped; `packet` is 0 for one of a pair without inspection.
    #[cold]
    pub(super) fn show(&mut self, frame: &Frame, port: PortId, packet: u64, time: Time, reason: DropReason) {
        if self.watches.is_empty() {
            return;
        }
        let (fate, blame, length) = (Fate::Dropped(reason), Blame::default(), frame.len() as u32);
        let head = Head { time, packet, port, fate, blame, length, captured: 0 };
        self.watches.copy(frame, &mut self.scratch, head);
    }
}
