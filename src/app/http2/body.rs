//! A message's content: the bytes of its DATA frames, as a body and as a file.

use super::hpack::Fields;
use crate::app::{FileId, Sink, TxId, Window};
use crate::base::Dir;
use crate::rules::context::{self, BufferId};

const REQUEST_BODY: BufferId = context::id("http.request_body");
const RESPONSE_BODY: BufferId = context::id("http.response_body");
/// Bytes of a file's name that are kept.
const MAX_NAME: usize = 1024;

/// One direction's.
#[derive(Debug, Default)]
pub struct Body {
    begun: bool,
    name: Vec<u8>,
    streamed: Option<usize>,
    file: Option<FileId>,
}

impl Body {
    pub fn clear(&mut self) {
        self.name.clear();
        (self.begun, self.streamed, self.file) = Default::default();
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
        let (buffer, window) = match dir {
            Dir::ToServer => (
                REQUEST_BODY,
                Window {
                    limit: limits.request_body,
                    minimum: limits.request_body_minimum,
                    back: limits.request_body_window,
                },
            ),
            Dir::ToClient => (
                RESPONSE_BODY,
                Window {
                    limit: limits.response_body,
                    minimum: limits.response_body_minimum,
                    back: limits.response_body_window,
                },
            ),
        };
        let Some(tx) = sink.tx(id) else { return };
        if !self.begun {
            self.begun = true;
            self.streamed = tx.begin(dir, buffer, window);
            self.file = tx.open_file(dir, &self.name, window);
        }
        if let Some(streamed) = self.streamed {
            tx.grow(streamed, bytes);
        }
        if let Some(file) = self.file {
            tx.grow_file(file, bytes);
        }
    }

    pub fn end(&mut self, id: TxId, truncated: bool, sink: &mut Sink<'_>) {
        let Some(tx) = sink.tx(id) else { return };
        if let Some(file) = self.file.take() {
            tx.close_file(file, truncated);
        }
        if let Some(streamed) = self.streamed.take() {
            if truncated { tx.truncate_streamed(streamed) } else { tx.end_streamed(streamed) }
        }
    }
}
