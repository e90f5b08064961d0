//! A connection's bytes to frames, and each frame to its stream.

use super::frame::{HEADER_LEN, Header, PREFACE, flag, kind, unpadded};
use super::headers;
use super::hpack::{self, Fields, Flaw};
use super::stream::{Found, Streams};
use super::told::{DATA_FRAME, FRAME_TYPE, numbers, put_frames, put_header_frame};
use crate::app::cursor::Cursor;
use crate::app::{Carry, Decoder, Next, Sink, TxId};
use crate::base::Dir;
use crate::rules::field::{self, FieldId};

/// Bytes of one frame that are kept; what is longer is passed over, but for data.
const MAX_FRAME: usize = 64 << 10;
/// Bytes of one block of header fields, over all its frames.
const MAX_BLOCK: usize = 128 << 10;
/// Frames of one stream; more are an event.
const MAX_FRAMES: u32 = 65_536;

const SIZE_UPDATE: FieldId = field::id("http2.size_update");

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
enum At {
    #[default]
    Preface,
    Header,
    /// A frame that is worked on when it is whole.
    Payload(Header),
    /// Data of a stream, then padding.
    Data {
        header: Header,
        left: u32,
        padding: u32,
    },
    Skip(u32),
}

/// A block of header fields that goes over several frames.
#[derive(Debug, Default)]
struct Block {
    stream: u32,
    /// Of a promise: the stream that carries it.
    is_promise: bool,
    ends_stream: bool,
    bytes: Vec<u8>,
    open: bool,
}

#[derive(Debug, Default)]
struct Line {
    at: At,
    carry: Carry,
    hpack: hpack::Decoder,
    block: Block,
}

#[derive(Debug, Default)]
pub struct Http2 {
    lines: [Line; 2],
    streams: Streams,
}

impl Line {
    fn need(&self, dir: Dir) -> usize {
        match self.at {
            At::Preface if dir == Dir::ToServer => PREFACE.len(),
            At::Preface | At::Header => HEADER_LEN,
            // The length of the padding comes first.
            At::Payload(header) if header.kind == kind::DATA => 1,
            At::Payload(header) => header.len as usize,
            At::Data { .. } | At::Skip(_) => 0,
        }
    }
}

impl Http2 {
    fn line(&mut self, dir: Dir) -> &mut Line {
        let [to_server, to_client] = &mut self.lines;
        if dir == Dir::ToServer { to_server } else { to_client }
    }

    /// One step: how many bytes of `input` it took. `None` when nothing more can be made of the direction.
    fn step(&mut self, dir: Dir, input: &[u8], sink: &mut Sink<'_>) -> Option<usize> {
        let line = self.line(dir);
        match line.at {
            At::Skip(left) => {
                let len = input.len().min(left as usize);
                let left = left - len as u32;
                line.at = if left == 0 { At::Header } else { At::Skip(left) };
                return Some(len);
            }
            At::Data { header, left, padding } if left > 0 => {
                let piece = input.get(..input.len().min(left as usize)).unwrap_or_default();
                let left = left - piece.len() as u32;
                line.at = At::Data { header, left, padding };
                self.data_piece(dir, &header, piece, sink);
                if left == 0 {
                    self.end_data(dir, &header, padding, sink);
                }
                return Some(piece.len());
            }
            _ => {}
        }
        let need = line.need(dir);
        if line.carry.is_empty() && input.len() >= need {
            self.whole(dir, input.get(..need).unwrap_or_default(), sink)?;
            return Some(need);
        }
        let missing = need.saturating_sub(line.carry.len()).min(input.len());
        line.carry.push(input.get(..missing).unwrap_or_default(), PREFACE.len().max(MAX_FRAME));
        if line.carry.len() < need {
            return Some(missing);
        }
        let mut carry = std::mem::take(&mut line.carry);
        let on = self.whole(dir, carry.bytes(), sink);
        carry.clear();
        self.line(dir).carry = carry;
        on.map(|()| missing)
    }

    /// What the line waited for is there.
    fn whole(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Option<()> {
        let line = self.line(dir);
        match line.at {
            At::Preface if dir == Dir::ToServer => {
                if bytes != PREFACE {
                    sink.event(dir, "http2.invalid_client_magic");
                    return None;
                }
                line.at = At::Header;
            }
            At::Preface | At::Header => self.header(dir, bytes, sink),
            At::Payload(header) if header.kind == kind::DATA => {
                let padding = bytes.first().copied().map_or(0, u32::from);
                self.begin_data(dir, header, header.len.saturating_sub(1), padding, sink);
            }
            At::Payload(header) => {
                line.at = At::Header;
                self.frame(dir, &header, bytes, sink);
            }
            At::Data { .. } | At::Skip(_) => {}
        }
        Some(())
    }

    fn header(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) {
        let Some(header) = Header::read(bytes) else { return };
        if header.kind == kind::DATA && header.stream != 0 {
            if header.has(flag::PADDED) && header.len > 0 {
                self.line(dir).at = At::Payload(header);
            } else {
                self.begin_data(dir, header, header.len, 0, sink);
            }
            return;
        }
        let len = header.len as usize;
        let at = if header.kind == kind::DATA {
            // Data belongs to a stream (RFC 9113, 6.1).
            sink.event(dir, "http2.data_stream_zero");
            if len == 0 { At::Header } else { At::Skip(header.len) }
        } else if len > MAX_FRAME {
            sink.event(dir, "http2.long_frame_data");
            At::Skip(header.len)
        } else if len == 0 {
            At::Header
        } else {
            At::Payload(header)
        };
        self.line(dir).at = at;
        if len == 0 && header.kind != kind::DATA {
            self.frame(dir, &header, &[], sink);
        }
    }

    fn begin_data(&mut self, dir: Dir, header: Header, len: u32, padding: u32, sink: &mut Sink<'_>) {
        if padding > len {
            sink.event(dir, "http2.invalid_frame_data");
        }
        let padding = padding.min(len);
        let left = len - padding;
        self.line(dir).at = At::Data { header, left, padding };
        if let Some(tx) = self.stream_of(dir, &header, sink).and_then(|id| sink.tx(id)) {
            tx.field(dir, FRAME_TYPE, u64::from(kind::DATA));
            put_header_frame(tx, dir, &header);
        }
        if left == 0 {
            self.end_data(dir, &header, padding, sink);
        }
    }

    fn data_piece(&mut self, dir: Dir, header: &Header, piece: &[u8], sink: &mut Sink<'_>) {
        let Found::Live(place) = self.streams.find(header.stream) else { return };
        let Some(stream) = self.streams.get_mut(place) else { return };
        stream.body[dir].grow(stream.tx, dir, piece, sink);
        stream.doh.data(dir, piece, stream.tx, sink);
        if let Some(tx) = sink.tx(stream.tx)
            && tx.wants(DATA_FRAME)
            && piece.len() == header.len as usize
        {
            tx.put(dir, DATA_FRAME, piece);
        }
    }

    fn end_data(&mut self, dir: Dir, header: &Header, padding: u32, sink: &mut Sink<'_>) {
        self.line(dir).at = if padding == 0 { At::Header } else { At::Skip(padding) };
        if header.ends_stream()
            && let Found::Live(place) = self.streams.find(header.stream)
        {
            self.streams.end(place, dir, false, sink);
            sink.flush_stream();
        }
    }

    /// The transaction of a frame's stream, a new one where it begins a stream.
    fn stream_of(&mut self, dir: Dir, header: &Header, sink: &mut Sink<'_>) -> Option<TxId> {
        let place = match self.streams.find(header.stream) {
            Found::Live(place) => place,
            Found::New => self.streams.open(header.stream, dir, sink)?,
            Found::Closed => {
                if header.kind == kind::HEADERS {
                    sink.event(dir, "http2.stream_id_reuse");
                }
                return None;
            }
        };
        let stream = self.streams.get_mut(place)?;
        stream.frames = stream.frames.saturating_add(1);
        if stream.frames == MAX_FRAMES + 1
            && let Some(tx) = sink.tx(stream.tx)
        {
            tx.event(dir, "http2.too_many_frames");
        }
        Some(stream.tx)
    }

    /// A frame other than data, whole.
    fn frame(&mut self, dir: Dir, header: &Header, payload: &[u8], sink: &mut Sink<'_>) {
        let tx = if header.stream == 0 { sink.open() } else { self.stream_of(dir, header, sink) };
        if let Some(tx) = tx.and_then(|id| sink.tx(id)) {
            tx.field(dir, FRAME_TYPE, u64::from(header.kind));
            put_frames(tx, dir, header, payload);
            if !header.fits() {
                tx.event(dir, "http2.invalid_frame_length");
            } else if numbers(tx, dir, header, payload).is_none() {
                tx.event(dir, "http2.invalid_frame_data");
            }
            if header.stream == 0 {
                tx.complete_one_way(dir);
            }
        }
        if header.stream == 0 {
            return;
        }
        match header.kind {
            kind::HEADERS | kind::PUSH_PROMISE | kind::CONTINUATION
                if self.block_frame(dir, header, payload, sink).is_none() =>
            {
                sink.event(dir, "http2.invalid_frame_data");
            }
            kind::RST_STREAM => {
                if let Found::Live(place) = self.streams.find(header.stream) {
                    self.streams.end(place, dir, true, sink);
                }
            }
            _ => {}
        }
    }

    /// A frame of a block of header fields.
    fn block_frame(&mut self, dir: Dir, header: &Header, payload: &[u8], sink: &mut Sink<'_>) -> Option<()> {
        let block = &mut self.line(dir).block;
        let fragment = if header.kind == kind::CONTINUATION {
            if !block.open {
                return None;
            }
            payload
        } else {
            let mut content = Cursor::big(unpadded(header, payload)?);
            block.bytes.clear();
            (block.stream, block.open) = (header.stream, true);
            block.is_promise = header.kind == kind::PUSH_PROMISE;
            block.ends_stream = header.ends_stream();
            if block.is_promise {
                block.stream = content.u32()? & 0x7fff_ffff;
            } else if header.has(flag::PRIORITY) {
                content.skip(5)?;
            }
            content.rest()
        };
        if block.bytes.len() + fragment.len() > MAX_BLOCK {
            block.open = false;
            sink.event(dir, "http2.reassembly_limit_reached");
            return Some(());
        }
        if !header.has(flag::END_HEADERS) {
            block.bytes.extend_from_slice(fragment);
            return Some(());
        }
        block.open = false;
        let mut fields = std::mem::take(&mut sink.lent.http2);
        // A block in one frame, as most are, needs no copy.
        let mut gathered = std::mem::take(&mut block.bytes);
        let bytes = if gathered.is_empty() {
            fragment
        } else {
            gathered.extend_from_slice(fragment);
            &gathered
        };
        self.block(dir, bytes, &mut fields, sink);
        sink.lent.http2 = fields;
        Some(())
    }

    /// A block is whole.
    fn block(&mut self, dir: Dir, bytes: &[u8], fields: &mut Fields, sink: &mut Sink<'_>) {
        let Http2 { lines: [to_server, to_client], streams } = self;
        let line = if dir == Dir::ToServer { to_server } else { to_client };
        let Line { hpack, block, .. } = line;
        let mut sizes = arrayvec::ArrayVec::<u64, 4>::new();
        let flaw = hpack.block(bytes, fields, |size| {
            let _ = sizes.try_push(size);
        });
        let place = match streams.find(block.stream) {
            Found::Live(place) => Some(place),
            Found::New => streams.open(block.stream, dir, sink),
            Found::Closed => None,
        };
        let Some((place, stream)) = place.and_then(|place| Some((place, streams.get_mut(place)?))) else {
            return;
        };
        let is_trailer = std::mem::replace(&mut stream.headed[dir], !block.is_promise);
        if dir == Dir::ToServer && !is_trailer {
            Dir::BOTH.into_iter().for_each(|dir| stream.body[dir].name_by_path(fields));
        }
        if let Some(tx) = sink.tx(stream.tx) {
            sizes.iter().for_each(|size| tx.field(dir, SIZE_UPDATE, *size));
            if !is_trailer && dir == Dir::ToServer {
                tx.note_number("http2.stream_id", u64::from(block.stream));
            }
            headers::put(tx, dir, fields, is_trailer || block.is_promise);
            match flaw {
                Some(Flaw::Invalid) => tx.event(dir, "http2.invalid_header"),
                Some(Flaw::Overflow) => tx.event(dir, "http2.header_integer_overflow"),
                Some(Flaw::TooLong) => tx.event(dir, "http2.extra_header_data"),
                None => {}
            }
        }
        if !is_trailer && !block.is_promise {
            stream.body[dir].headers(fields);
            stream.doh.headers(dir, fields, stream.tx, sink);
        }
        if block.ends_stream {
            streams.end(place, dir, false, sink);
        }
        sink.flush_stream();
    }
}

impl Decoder for Http2 {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        let mut input = bytes;
        while !input.is_empty() {
            let Some(taken) = self.step(dir, input, sink) else { return Next::Broken };
            input = input.get(taken..).unwrap_or_default();
        }
        Next::More
    }

    fn reset(&mut self) {
        for line in &mut self.lines {
            line.carry.reset();
            line.hpack.reset();
            line.at = At::Preface;
            line.block.open = false;
            line.block.bytes.clear();
            line.block.bytes.shrink_to(crate::app::limits::KEPT);
        }
        self.streams.reset();
    }
}
