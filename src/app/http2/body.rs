//! A message's content: the bytes of its DATA frames with their coding undone, as a body and as a file.

use super::hpack::Fields;
use crate::app::http1::coding::{Coding, Layer};
use crate::app::http1::params;
use crate::app::limits::Limits;
use crate::app::{FileId, Sink, Transaction, TxId};
use crate::base::Dir;
use crate::rules::context::{self, BufferId};

const REQUEST_BODY: BufferId = context::id("http.request_body");
const RESPONSE_BODY: BufferId = context::id("http.response_body");
/// Bytes of a body that rules look into; memory holds only the part that they have yet to see.
const MAX_BODY: u64 = 16 << 20;
/// Bytes of a file's name that are kept.
const MAX_NAME: usize = 1024;

/// One direction's.
#[derive(Default)]
pub struct Body {
    begun: bool,
    /// What undoes its coding; kept from one message to the next.
    layer: Option<Layer>,
    is_coded: bool,
    /// Bytes as they came, and decoded.
    came: u64,
    made: u64,
    failed: bool,
    name: Vec<u8>,
    /// It is that part of its file.
    range: Option<(u64, u64)>,
    streamed: Option<usize>,
    file: Option<FileId>,
}

impl Body {
    pub fn clear(&mut self) {
        self.name.clear();
        (self.begun, self.range, self.streamed, self.file) = Default::default();
        (self.is_coded, self.came, self.made, self.failed) = Default::default();
        if let Some(layer) = &mut self.layer {
            layer.forget_window();
        }
    }

    /// The message's header fields: how its content is coded, and which part of a file it is.
    pub fn headers(&mut self, fields: &Fields) {
        let partial = fields.get(b":status") == Some(b"206");
        self.range = fields.get(b"content-range").filter(|_| partial).and_then(params::byte_range);
        let name = fields.get(b"content-encoding").unwrap_or_default();
        let coding = match name.trim_ascii() {
            name if name.eq_ignore_ascii_case(b"gzip") || name.eq_ignore_ascii_case(b"x-gzip") => {
                Coding::Gzip
            }
            name if name.eq_ignore_ascii_case(b"deflate") => Coding::Deflate,
            name if name.eq_ignore_ascii_case(b"br") => Coding::Brotli,
            _ => return,
        };
        self.is_coded = true;
        match &mut self.layer {
            Some(layer) => layer.restart(coding),
            None => self.layer = Some(Layer::new(coding)),
        }
    }

    /// The file's name, from the path that is asked for.
    pub fn name_by_path(&mut self, fields: &Fields) {
        let path = fields.get(b":path").unwrap_or_default();
        let end = memchr::memchr2(b'?', b'#', path).unwrap_or(path.len());
        let path = path.get(..end).unwrap_or_default();
        let from = memchr::memrchr(b'/', path).map_or(0, |at| at + 1);
        let name = path.get(from..).unwrap_or_default();
        self.name.clear();
        self.name.extend_from_slice(name.get(..MAX_NAME).unwrap_or(name));
    }

    pub fn grow(&mut self, id: TxId, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) {
        let limits = sink.limits;
        // Of HTTP/2 a body is looked into as files of other protocols are, not as HTTP/1's bodies.
        let window = limits.files(MAX_BODY.max(limits.file));
        let buffer = if dir == Dir::ToServer { REQUEST_BODY } else { RESPONSE_BODY };
        let Some(tx) = sink.tx(id) else { return };
        if !self.begun {
            self.begun = true;
            self.streamed = tx.begin(dir, buffer, window);
            self.file = tx.open_file_of(dir, &self.name, self.streamed, window);
            tx.file_is_part(self.file, self.range);
        }
        self.came = self.came.saturating_add(bytes.len() as u64);
        self.decode(Some(bytes), dir, tx, limits);
    }

    /// The next bytes as they came, or the end of them, to where decoded bytes go.
    fn decode(&mut self, bytes: Option<&[u8]>, dir: Dir, tx: &mut Transaction, limits: &Limits) {
        let (streamed, file) = (self.streamed, self.file);
        let take = |tx: &mut Transaction, bytes: &[u8]| {
            if let Some(streamed) = streamed {
                tx.grow(streamed, bytes);
            }
            if let Some(file) = file {
                tx.grow_file(file, bytes);
            }
        };
        let Some(layer) = self.layer.as_mut().filter(|_| self.is_coded) else {
            return take(tx, bytes.unwrap_or_default());
        };
        if self.failed {
            return;
        }
        let allowed = self.came.saturating_mul(limits.bomb_ratio).max(limits.bomb_free);
        let made = &mut self.made;
        let mut out = |bytes: &[u8]| {
            *made = made.saturating_add(bytes.len() as u64);
            take(tx, bytes);
            *made <= allowed
        };
        let on = match bytes {
            Some(bytes) => layer.write(bytes, &mut out),
            None => layer.finish(&mut out),
        };
        if !on || layer.failed {
            tx.event(dir, "http2.failed_decompression");
            self.failed = !on;
        }
    }

    pub fn end(&mut self, id: TxId, dir: Dir, truncated: bool, sink: &mut Sink<'_>) {
        let limits = sink.limits;
        let Some(tx) = sink.tx(id) else { return };
        if self.begun {
            self.decode(None, dir, tx, limits);
        }
        if let Some(file) = self.file.take() {
            tx.close_file(file, truncated);
        }
        if let Some(streamed) = self.streamed.take() {
            if truncated { tx.truncate_streamed(streamed) } else { tx.end_streamed(streamed) }
        }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").field("came", &self.came).field("made", &self.made).finish_non_exhaustive()
    }
}
