//! A mail on its way into its transaction: header fields under their normal names, the body as it came, attachments as files.

use crate::app::mime::{Attached, Fault, Message, Reader};
use crate::app::{FileId, Limits, Line, Transaction, Window};
use crate::base::Dir;
use crate::rules::context::{self, BufferId};
use crate::rules::field::{self, FieldId};

const DIRECTION: FieldId = field::id("imap.email.direction");
const HEADER: BufferId = context::id("imap.email.header");
const NAME: BufferId = context::id("imap.email.header.name");
const VALUE: BufferId = context::id("imap.email.header.value");
const BODY: BufferId = context::id("imap.email.body");
const HEADERS_FRAME: BufferId = context::id("imap.headers");
const BODY_FRAME: BufferId = context::id("imap.body");

/// Fields of a header that are kept; more are an event.
const MAX_FIELDS: usize = 256;

#[derive(Clone, Debug, Default)]
pub(super) struct Mail {
    message: Message,
    file: Option<FileId>,
    fields: usize,
    headers: Option<usize>,
    /// The frame and the buffer.
    body: [Option<usize>; 2],
    in_body: bool,
}

impl Mail {
    pub(super) fn begin(&mut self, dir: Dir, tx: &mut Transaction, limits: &Limits) {
        self.message.begin();
        self.message.join_with(b" ");
        (self.file, self.fields, self.body, self.in_body) = Default::default();
        self.headers = tx.begin(dir, HEADERS_FRAME, window(limits));
        let way = u64::from(dir == Dir::ToClient);
        tx.field(dir, DIRECTION, way);
        tx.note("email.direction", if way == 0 { b"to_server" } else { b"to_client" });
    }

    pub(super) fn line(&mut self, dir: Dir, line: &Line<'_>, tx: &mut Transaction, limits: &Limits) {
        if self.in_body {
            for streamed in self.body.into_iter().flatten() {
                tx.grow(streamed, line.text);
                tx.grow(streamed, line.ending);
            }
        } else if let Some(headers) = self.headers {
            tx.grow(headers, line.text);
            tx.grow(headers, line.ending);
        }
        self.with(dir, tx, limits, |message, out| message.line(line, out));
        if !self.in_body && self.message.in_body() {
            self.in_body = true;
            self.end_headers(tx);
            self.body = [BODY_FRAME, BODY].map(|buffer| tx.begin(dir, buffer, window(limits)));
        }
    }

    fn end_headers(&mut self, tx: &mut Transaction) {
        if let Some(headers) = self.headers.take() {
            tx.end_streamed(headers);
        }
    }

    pub(super) fn gap(&mut self, dir: Dir, tx: &mut Transaction, limits: &Limits) {
        let streamed = self.body.into_iter().flatten().chain(self.headers);
        streamed.for_each(|streamed| tx.truncate_streamed(streamed));
        self.body = [None; 2];
        self.headers = None;
        self.with(dir, tx, limits, |message, out| message.gap(out));
    }

    pub(super) fn end(&mut self, dir: Dir, whole: bool, tx: &mut Transaction, limits: &Limits) {
        self.with(dir, tx, limits, |message, out| message.end(whole, out));
        self.end_headers(tx);
        for streamed in std::mem::take(&mut self.body).into_iter().flatten() {
            if whole { tx.end_streamed(streamed) } else { tx.truncate_streamed(streamed) }
        }
    }

    pub(super) fn forget(&mut self) {
        self.message.begin();
        (self.file, self.fields, self.headers, self.body, self.in_body) = Default::default();
    }

    fn with(
        &mut self,
        dir: Dir,
        tx: &mut Transaction,
        limits: &Limits,
        work: impl FnOnce(&mut Message, &mut Sorter<'_>),
    ) {
        let Mail { message, file, fields, .. } = self;
        work(message, &mut Sorter { dir, tx, file, fields, window: window(limits) });
    }
}

fn window(limits: &Limits) -> Window {
    limits.files(limits.file)
}

struct Sorter<'a> {
    dir: Dir,
    tx: &'a mut Transaction,
    file: &'a mut Option<FileId>,
    fields: &'a mut usize,
    window: Window,
}

/// A field's name in lower case, with `_` for `-`.
fn push_name(name: &[u8], out: &mut Vec<u8>) {
    out.extend(name.iter().map(|byte| if *byte == b'-' { b'_' } else { byte.to_ascii_lowercase() }));
}

impl Reader for Sorter<'_> {
    fn field(&mut self, name: &[u8], value: &[u8]) {
        *self.fields = self.fields.saturating_add(1);
        if *self.fields > MAX_FIELDS {
            return self.tx.event(self.dir, "imap.too_many_headers");
        }
        let value = value.trim_ascii();
        self.tx.put_with(self.dir, HEADER, |out| {
            push_name(name, out);
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
        });
        self.tx.put_with(self.dir, NAME, |out| push_name(name, out));
        self.tx.put(self.dir, VALUE, value);
    }

    fn attached(&mut self) -> Option<Attached<'_>> {
        let Sorter { dir, tx, file, window, .. } = self;
        Some(Attached { tx, dir: *dir, window: *window, file })
    }

    // IMAP has no events for what is amiss in a mail.
    fn fault(&mut self, _fault: Fault) {}
}
