//! A mail on its way to the client: its attachments are files.

use crate::app::mime::{Attached, Fault, Message, Reader};
use crate::app::{FileId, Limits, Line, Transaction, Window};
use crate::base::Dir;

#[derive(Clone, Debug, Default)]
pub struct Mail {
    message: Message,
    file: Option<FileId>,
}

impl Mail {
    pub fn begin(&mut self) {
        self.message.begin();
        self.file = None;
    }

    pub fn line(&mut self, line: &Line<'_>, tx: &mut Transaction, limits: &Limits) {
        self.with(tx, limits, |message, out| message.line(line, out));
    }

    pub fn gap(&mut self, tx: &mut Transaction, limits: &Limits) {
        self.with(tx, limits, |message, out| message.gap(out));
    }

    pub fn end(&mut self, whole: bool, tx: &mut Transaction, limits: &Limits) {
        self.with(tx, limits, |message, out| message.end(whole, out));
    }

    fn with(
        &mut self,
        tx: &mut Transaction,
        limits: &Limits,
        work: impl FnOnce(&mut Message, &mut Sorter<'_>),
    ) {
        let window = limits.files(limits.file);
        work(&mut self.message, &mut Sorter { tx, file: &mut self.file, window });
    }
}

struct Sorter<'a> {
    tx: &'a mut Transaction,
    file: &'a mut Option<FileId>,
    window: Window,
}

impl Reader for Sorter<'_> {
    fn field(&mut self, _name: &[u8], _value: &[u8]) {}

    fn attached(&mut self) -> Option<Attached<'_>> {
        let Sorter { tx, file, window, .. } = self;
        Some(Attached { tx, dir: Dir::ToClient, window: *window, file })
    }

    // POP3 has no events for what is amiss in a mail.
    fn fault(&mut self, _fault: Fault) {}
}
