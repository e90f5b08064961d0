//! The bytes that a line announced: of a mail, or of something that is passed over.

use super::mail::Mail;
use crate::app::{Lines, Sink, TxId};
use crate::base::Dir;

/// A mail's line is kept so far.
const MAX_LINE: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Literals {
    /// Bytes that have not come.
    left: u64,
    /// Whose mail it is, and whether the transaction is the mail's own.
    mail_of: Option<(TxId, bool)>,
    mail: Mail,
    lines: Lines,
}

impl Literals {
    pub(super) fn is_open(&self) -> bool {
        self.left > 0
    }

    /// What follows is of no interest.
    pub(super) fn skip(&mut self, len: u64) {
        (self.left, self.mail_of) = (len, None);
    }

    /// What follows is a mail.
    pub(super) fn mail(&mut self, dir: Dir, len: u64, id: TxId, is_own: bool, sink: &mut Sink<'_>) {
        (self.left, self.mail_of) = (len, Some((id, is_own)));
        self.lines.clear();
        let limits = sink.limits;
        if let Some(tx) = sink.tx(id) {
            self.mail.begin(dir, tx, limits);
        }
    }

    /// Takes what belongs to it off `rest`.
    pub(super) fn take(&mut self, dir: Dir, rest: &mut &[u8], sink: &mut Sink<'_>) {
        let len = usize::try_from(self.left).unwrap_or(usize::MAX).min(rest.len());
        let (mut now, later) = rest.split_at(len);
        *rest = later;
        self.left -= len as u64;
        let limits = sink.limits;
        if let Some(tx) = self.mail_of.and_then(|(id, _)| sink.tx(id)) {
            while let Some(line) = self.lines.next(&mut now, MAX_LINE) {
                self.mail.line(dir, &line, tx, limits);
            }
        }
        if self.left == 0 {
            self.close(dir, true, sink);
        }
    }

    /// Bytes are lost; whether all of them were its own.
    pub(super) fn gap(&mut self, dir: Dir, missing: u64, sink: &mut Sink<'_>) -> bool {
        let inside = self.left >= missing;
        if self.left > 0 {
            self.lines.clear();
            self.left = self.left.saturating_sub(missing);
            let limits = sink.limits;
            if let Some(tx) = self.mail_of.and_then(|(id, _)| sink.tx(id)) {
                self.mail.gap(dir, tx, limits);
            }
            if self.left == 0 {
                self.close(dir, false, sink);
            }
        }
        inside
    }

    /// No more will come.
    pub(super) fn end(&mut self, dir: Dir, sink: &mut Sink<'_>) {
        if self.left > 0 {
            self.left = 0;
            self.close(dir, false, sink);
        }
    }

    fn close(&mut self, dir: Dir, whole: bool, sink: &mut Sink<'_>) {
        let Some((id, is_own)) = self.mail_of.take() else { return };
        let limits = sink.limits;
        let Some(tx) = sink.tx(id) else { return };
        if let Some(line) = self.lines.rest() {
            self.mail.line(dir, &line, tx, limits);
        }
        self.mail.end(dir, whole, tx, limits);
        if is_own {
            tx.complete(dir);
        }
    }

    pub(super) fn reset(&mut self) {
        (self.left, self.mail_of) = (0, None);
        self.lines.reset();
        self.mail.forget();
    }
}
