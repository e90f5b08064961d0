//! Attachments as files of the transaction that carries the mail.

use crate::app::{FileId, Transaction, Window};
use crate::base::Dir;

/// Where a mail's attachments go, one behind the other.
pub struct Attached<'a> {
    pub tx: &'a mut Transaction,
    pub dir: Dir,
    pub window: Window,
    /// The one at work, kept between two lines.
    pub file: &'a mut Option<FileId>,
}

impl Attached<'_> {
    pub fn begin(self, name: &[u8]) {
        *self.file = self.tx.open_file(self.dir, name, self.window);
    }

    pub(super) fn data(self, bytes: &[u8]) {
        if let Some(file) = *self.file {
            self.tx.grow_file(file, bytes);
        }
    }

    pub(super) fn end(self, whole: bool) {
        if let Some(file) = self.file.take() {
            self.tx.close_file(file, !whole);
        }
    }
}
