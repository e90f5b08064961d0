//! A mail on its way to the client: its attachments are files.

use crate::app::mime::{Fault, Message, Reader};
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

    fn attachment(&mut self, name: &[u8]) {
        *self.file = self.tx.open_file(Dir::ToClient, name, self.window);
    }

    fn attachment_data(&mut self, bytes: &[u8]) {
        if let Some(file) = *self.file {
            self.tx.grow_file(file, bytes);
        }
    }

    fn attachment_end(&mut self, whole: bool) {
        if let Some(file) = self.file.take() {
            self.tx.close_file(file, !whole);
        }
    }

    // POP3 has no events for what is amiss in a mail.
    fn fault(&mut self, _fault: Fault) {}
}
