//! What requests and responses share: the head's bytes and fields, framing, content, the frame.

use super::chunked::{Chunk, Chunks};
use super::content::{Content, Encodings};
use super::fields::{Faults, Fields, Known};
use super::head::Head;
use super::start_line::Version;
use crate::app::limits::KEPT;
use crate::app::sink::Sink;
use crate::app::streamed::Window;
use crate::app::transaction::Transaction;
use crate::app::transactions::TxId;
use crate::base::Dir;
use crate::rules::context::{self, BufferId};

const REQUEST_FRAME: BufferId = context::id("http1.request");
const RESPONSE_FRAME: BufferId = context::id("http1.response");
const STREAM_FRAME: BufferId = context::id("http1.stream");
/// A frame is looked into so far.
const MAX_FRAME: usize = 64 * 1024;

/// How a body's end is known.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Framing {
    #[default]
    None,
    Length(u64),
    Chunked,
    /// By the stream's end.
    Close,
}

/// How far a body is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Body {
    More,
    Done,
    /// The last chunk came.
    Trailer,
    /// No chunk where one belongs; the line's bytes were a response's content.
    Broken,
}

#[derive(Default)]
pub(super) struct Message {
    pub(super) dir: Dir,
    pub(super) head: Head,
    pub(super) fields: Fields,
    pub(super) faults: Faults,
    /// Names of fields before the trailer.
    pub(super) names: usize,
    pub(super) chunks: Chunks,
    pub(super) framing: Framing,
    pub(super) content: Content,
    pub(super) version: Version,
    pub(super) tx: Option<TxId>,
    frame: Vec<u8>,
    /// Bytes of the stream's frame for which there is no transaction yet.
    early: Vec<u8>,
    /// The bytes at work are no part of a frame.
    forgotten: bool,
    stream: Option<usize>,
    /// Its first line was found.
    pub(super) begun: bool,
    /// Where it ends cannot be told, or what was not kept would go unseen: an error, behind which nothing is decoded.
    pub(super) broken: bool,
}

impl Message {
    pub(super) fn new(dir: Dir) -> Message {
        Message { dir, ..Message::default() }
    }

    pub(super) fn with_tx(&self, sink: &mut Sink<'_>, work: impl FnOnce(&mut Transaction)) {
        if let Some(tx) = self.tx.and_then(|id| sink.tx(id)) {
            work(tx);
        }
    }

    pub(super) fn event(&self, sink: &mut Sink<'_>, request: &'static str, response: &'static str) {
        let name = if self.dir == Dir::ToServer { request } else { response };
        self.with_tx(sink, |tx| tx.event(self.dir, name));
    }

    /// A field of the head ended.
    pub(super) fn note_faults(&mut self, faults: Faults) {
        self.faults.missing_colon |= faults.missing_colon;
        self.faults.invalid_name |= faults.invalid_name;
        self.faults.repetition |= faults.repetition;
        self.faults.too_many |= faults.too_many;
    }

    pub(super) fn raise_faults(&mut self, sink: &mut Sink<'_>) {
        let faults = std::mem::take(&mut self.faults);
        if faults.missing_colon {
            self.event(sink, "http.request_field_missing_colon", "http.response_field_missing_colon");
        }
        if faults.invalid_name {
            self.event(sink, "http.request_header_invalid", "http.response_header_invalid");
        }
        if faults.repetition {
            self.event(sink, "http.request_header_repetition", "http.response_header_repetition");
        }
        if faults.too_many {
            self.event(sink, "http.request_too_many_headers", "http.response_too_many_headers");
            self.broken = true;
        }
        if self.head.is_cut() {
            self.raise_too_long(sink);
        }
    }

    pub(super) fn raise_too_long(&mut self, sink: &mut Sink<'_>) {
        self.broken = true;
        self.event(sink, "http.request_field_too_long", "http.response_field_too_long");
    }

    /// The content's length by the first Content-Length, with the events of those that are odd.
    pub(super) fn content_length(&self, sink: &mut Sink<'_>) -> Option<u64> {
        let lengths = self.fields.get(Known::ContentLength)?;
        let first = lengths.values().next().map(length)?;
        if first.is_none() {
            self.event(
                sink,
                "http.invalid_content_length_field_in_request",
                "http.invalid_content_length_field_in_response",
            );
        }
        if lengths.values().any(|value| length(value) != first) {
            self.event(
                sink,
                "http.duplicate_content_length_field_in_request",
                "http.duplicate_content_length_field_in_response",
            );
        }
        first
    }

    /// It says several lengths, or one that is no plain number.
    pub(super) fn length_in_doubt(&self) -> bool {
        let Some(lengths) = self.fields.get(Known::ContentLength) else { return false };
        let plain = |value: &[u8]| value.trim_ascii().iter().all(u8::is_ascii_digit);
        let first = lengths.values().next();
        lengths.values().any(|value| !plain(value) || Some(value) != first)
    }

    pub(super) fn raise_encodings(&self, found: Option<Encodings>, sink: &mut Sink<'_>) {
        let Some(found) = found else { return };
        if found.too_many {
            self.event(sink, "http.too_many_encoding_layers", "http.too_many_encoding_layers");
        }
        if found.abnormal {
            self.event(sink, "http.abnormal_ce_header", "http.abnormal_ce_header");
        }
    }

    /// Takes content from `input`.
    pub(super) fn body(&mut self, input: &mut &[u8], sink: &mut Sink<'_>) -> Body {
        match self.framing {
            Framing::None => Body::Done,
            Framing::Close => {
                self.content.write(std::mem::take(input), self.tx, sink);
                Body::More
            }
            Framing::Length(left) => {
                let count = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                let (now, later) = input.split_at(count);
                *input = later;
                self.content.write(now, self.tx, sink);
                let left = left - count as u64;
                self.framing = Framing::Length(left);
                if left == 0 { Body::Done } else { Body::More }
            }
            Framing::Chunked => self.chunked(input, sink),
        }
    }

    fn chunked(&mut self, input: &mut &[u8], sink: &mut Sink<'_>) -> Body {
        loop {
            match self.chunks.next(input) {
                Chunk::More => return Body::More,
                Chunk::Data(data) => self.content.write(data, self.tx, sink),
                Chunk::Last => {
                    if self.chunks.extension {
                        self.event(sink, "http.request_chunk_extension", "http.response_chunk_extension");
                    }
                    return Body::Trailer;
                }
                Chunk::Broken => {
                    self.event(sink, "http.invalid_request_chunk_len", "http.invalid_response_chunk_len");
                    self.framing = Framing::Close;
                    if self.dir == Dir::ToClient {
                        self.content.write(self.chunks.line(), self.tx, sink);
                    }
                    return Body::Broken;
                }
            }
        }
    }

    /// Fields that follow the last chunk join those of the head.
    pub(super) fn begin_trailer(&mut self) {
        self.head.clear();
        self.names = self.fields.iter().count();
    }

    /// Bytes are lost; whether what follows them is still known to be content.
    pub(super) fn gap(&mut self, missing: u64, sink: &mut Sink<'_>) -> bool {
        let known = match &mut self.framing {
            Framing::None => false,
            Framing::Close => true,
            Framing::Length(left) if *left > missing => {
                *left -= missing;
                true
            }
            Framing::Length(_) => false,
            Framing::Chunked => self.chunks.skip(missing),
        };
        self.content.gap(missing, self.tx, sink);
        known
    }

    /// Bytes of the message as they stand, for its frame.
    pub(super) fn add_frame(&mut self, bytes: &[u8], sink: &mut Sink<'_>) {
        let wanted = sink.wanted();
        let (frame, stream) = (wanted.has(self.frame_id()), wanted.has(STREAM_FRAME));
        let forgotten = std::mem::take(&mut self.forgotten);
        if frame && !forgotten {
            let room = MAX_FRAME.saturating_sub(self.frame.len()).min(bytes.len());
            self.frame.extend_from_slice(bytes.get(..room).unwrap_or_default());
        }
        if !stream {
            return;
        }
        if !self.begun {
            let room = MAX_FRAME.saturating_sub(self.early.len()).min(bytes.len());
            self.early.extend_from_slice(bytes.get(..room).unwrap_or_default());
            return;
        }
        let window = Window { limit: u64::MAX, back: 4096, ..Window::default() };
        let (dir, mut at, early) = (self.dir, self.stream, std::mem::take(&mut self.early));
        self.with_tx(sink, |tx| {
            at = at.or_else(|| tx.begin(dir, STREAM_FRAME, window));
            if let Some(at) = at {
                tx.grow(at, &early);
                tx.grow(at, bytes);
            }
        });
        self.stream = at;
        self.early = early;
        self.early.clear();
    }

    /// What came so far is no message's.
    pub(super) fn forget_line(&mut self) {
        self.head.clear();
        self.frame.clear();
        self.forgotten = true;
    }

    fn frame_id(&self) -> BufferId {
        if self.dir == Dir::ToServer { REQUEST_FRAME } else { RESPONSE_FRAME }
    }

    /// The message is over: its direction of the transaction too.
    pub(super) fn complete(&mut self, truncated: bool, sink: &mut Sink<'_>) {
        self.content.finish(truncated, self.tx, sink);
        let (dir, id) = (self.dir, self.frame_id());
        let frame = std::mem::take(&mut self.frame);
        self.with_tx(sink, |tx| {
            if !frame.is_empty() {
                tx.put(dir, id, &frame);
            }
            tx.complete(dir);
        });
        self.frame = frame;
        self.frame.clear();
        (self.stream, self.begun) = (None, false);
        sink.flush_stream();
    }

    /// No message is under way, nor a line of one.
    pub(super) fn is_between(&mut self) -> bool {
        self.head.memory().is_empty() && self.fields.is_idle() && self.frame.is_empty()
    }

    pub(super) fn frame_memory(&mut self) -> &mut Vec<u8> {
        &mut self.frame
    }

    /// A further message may begin. The transaction is kept for what belongs to it still.
    pub(super) fn clear(&mut self) {
        self.head.clear();
        self.fields.clear();
        self.chunks.clear();
        self.framing = Framing::None;
        self.version = Version::None;
        self.faults = Faults::default();
    }

    pub(super) fn reset(&mut self) {
        self.clear();
        self.head.reset();
        self.fields.reset();
        self.chunks.reset();
        self.content.reset();
        self.frame.clear();
        self.frame.shrink_to(KEPT);
        self.early.clear();
        self.early.shrink_to(KEPT);
        (self.tx, self.stream) = (None, None);
        (self.begun, self.forgotten, self.broken) = (false, false, false);
    }
}

/// The first number in the field, whatever stands around it.
fn length(value: &[u8]) -> Option<u64> {
    let start = value.iter().position(u8::is_ascii_digit)?;
    let digits = value.get(start..).unwrap_or_default().iter().take_while(|b| b.is_ascii_digit());
    digits.map(|b| u64::from(b - b'0')).try_fold(0_u64, |sum, digit| sum.checked_mul(10)?.checked_add(digit))
}
