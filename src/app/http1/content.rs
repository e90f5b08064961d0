//! A message's content: its codings undone, into the body's buffer and into files.

use super::coding::{Coding, Layer, Out};
use super::fields::contains;
use super::multipart::{Multipart, Part};
use crate::app::limits::{KEPT, Limits};
use crate::app::sink::Sink;
use crate::app::streamed::Window;
use crate::app::transaction::{FileId, Transaction};
use crate::app::transactions::TxId;
use crate::base::Dir;
use crate::rules::context::{self, BufferId};

const REQUEST_BODY: BufferId = context::id("http.request_body");
const RESPONSE_BODY: BufferId = context::id("http.response_body");
/// Layers that are undone at most, whatever the limits say.
const MAX_LAYERS: usize = 8;
/// A file's name is cut to so many bytes.
const MAX_FILE_NAME: usize = 1024;

/// What a message is to make of its content.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    /// One file.
    File,
    /// `multipart/form-data`: its files.
    Form,
}

#[derive(Default)]
pub(super) struct Content {
    /// The outermost coding first; kept from one message to the next.
    layers: Vec<Layer>,
    used: usize,
    multipart: Multipart,
    delivery: Delivery,
    /// Bytes as they came.
    pub(super) size: u64,
    failed_told: bool,
}

/// The state of what is made of decoded bytes.
struct Delivery {
    dir: Dir,
    kind: Kind,
    name: Vec<u8>,
    /// It is that part of its file.
    range: Option<(u64, u64)>,
    body: Option<usize>,
    file: Option<FileId>,
    begun: bool,
    made: u64,
    /// More decoded bytes than this are too many.
    allowed: u64,
    stopped: bool,
    bomb: bool,
    holed: bool,
}

impl Default for Delivery {
    fn default() -> Delivery {
        Delivery {
            dir: Dir::ToServer,
            kind: Kind::Plain,
            name: Vec::new(),
            range: None,
            body: None,
            file: None,
            begun: false,
            made: 0,
            allowed: 0,
            stopped: false,
            bomb: false,
            holed: false,
        }
    }
}

pub(super) fn window(dir: Dir, limits: &Limits) -> Window {
    match dir {
        Dir::ToServer => Window {
            limit: limits.request_body,
            minimum: limits.request_body_minimum,
            back: limits.request_body_window,
            at_once: limits.at_once,
        },
        Dir::ToClient => Window {
            limit: limits.response_body,
            minimum: limits.response_body_minimum,
            back: limits.response_body_window,
            at_once: limits.at_once,
        },
    }
}

/// What Content-Encoding says.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Encodings {
    pub(super) too_many: bool,
    pub(super) abnormal: bool,
}

impl Content {
    /// A message's content begins. `name` is that of its file.
    pub(super) fn begin(&mut self, dir: Dir, kind: Kind, name: &[u8]) {
        let delivery = &mut self.delivery;
        let mut kept = std::mem::take(&mut delivery.name);
        kept.clear();
        kept.extend_from_slice(name.get(..MAX_FILE_NAME).unwrap_or(name));
        *delivery = Delivery { dir, kind, name: kept, ..Delivery::default() };
        (self.used, self.size, self.failed_told) = (0, 0, false);
    }

    /// It is the part of its file between these bytes, which are among it.
    pub(super) fn is_part(&mut self, range: Option<(u64, u64)>) {
        self.delivery.range = range;
    }

    /// Whether it is a form with files.
    pub(super) fn is_form(&mut self, content_type: &[u8]) -> bool {
        self.multipart.begin(content_type)
    }

    /// The codings in the order in which they were applied; the last is undone first.
    pub(super) fn codings<'a>(
        &mut self,
        values: impl Iterator<Item = &'a [u8]>,
        limits: &Limits,
    ) -> Encodings {
        let mut found = Encodings::default();
        let most = limits.compression_layers.min(MAX_LAYERS);
        let mut named = arrayvec::ArrayVec::<Coding, MAX_LAYERS>::new();
        for token in values.flat_map(|value| value.split(|b| *b == b',')) {
            let (coding, abnormal) = coding_of(token);
            found.abnormal |= abnormal;
            let Some(coding) = coding else { continue };
            if named.len() >= most {
                found.too_many = true;
            } else {
                named.push(coding);
            }
        }
        for coding in named.into_iter().rev() {
            match self.layers.get_mut(self.used) {
                Some(layer) => layer.restart(coding),
                None => self.layers.push(Layer::new(coding)),
            }
            self.used += 1;
        }
        found
    }

    /// The next bytes as they came.
    pub(super) fn write(&mut self, bytes: &[u8], tx: Option<TxId>, sink: &mut Sink<'_>) {
        self.size = self.size.saturating_add(bytes.len() as u64);
        self.deliver(tx, sink, |layers, out| feed(layers, bytes, out));
    }

    /// It ended; `truncated` when not by its own account.
    pub(super) fn finish(&mut self, truncated: bool, tx: Option<TxId>, sink: &mut Sink<'_>) {
        self.deliver(tx, sink, finish);
        self.layers.iter_mut().for_each(Layer::forget_window);
        let truncated = truncated || self.delivery.stopped;
        let Some(tx) = tx.and_then(|id| sink.tx(id)) else { return };
        self.delivery.finish(&mut self.multipart, truncated, tx);
    }

    /// So many bytes within it, or about so many, are lost.
    pub(super) fn gap(&mut self, missing: u64, tx: Option<TxId>, sink: &mut Sink<'_>) {
        self.delivery.holed = true;
        // What is behind a hole cannot be decoded.
        if self.used > 0 {
            self.finish(true, tx, sink);
            self.delivery.stopped = true;
        } else if let Some(tx) = tx.and_then(|id| sink.tx(id)) {
            tx.hole(self.delivery.dir);
            if let Some(file) = self.delivery.file {
                tx.skip_in_file(file, missing);
            }
        }
    }

    fn deliver(
        &mut self,
        tx: Option<TxId>,
        sink: &mut Sink<'_>,
        work: impl FnOnce(&mut [Layer], &mut Out<'_>) -> bool,
    ) {
        let limits = *sink.limits;
        let Some(tx) = tx.and_then(|id| sink.tx(id)) else { return };
        let Content { layers, used, multipart, delivery, size, failed_told } = self;
        if delivery.stopped {
            return;
        }
        let layers = layers.get_mut(..*used).unwrap_or_default();
        let window = window(delivery.dir, &limits);
        let enough = size.saturating_mul(limits.bomb_ratio);
        delivery.allowed = if layers.is_empty() { u64::MAX } else { enough.max(limits.bomb_free) };
        delivery.stopped = !work(layers, &mut |bytes| delivery_step(delivery, multipart, bytes, window, tx));
        if delivery.bomb {
            tx.event(delivery.dir, "http.compression_bomb");
        }
        if !*failed_told && layers.iter().any(|layer| layer.failed) {
            *failed_told = true;
            tx.event(delivery.dir, "http.gzip_decompression_failed");
        }
        if layers.iter().any(|layer| layer.memory_limit) {
            tx.event(delivery.dir, "http.lzma_memlimit_reached");
        }
    }

    pub(super) fn reset(&mut self) {
        self.begin(Dir::ToServer, Kind::Plain, b"");
        self.delivery.name.shrink_to(KEPT);
        self.layers.iter_mut().for_each(Layer::forget_window);
        self.layers.truncate(2);
    }
}

fn delivery_step(
    delivery: &mut Delivery,
    multipart: &mut Multipart,
    bytes: &[u8],
    window: Window,
    tx: &mut Transaction,
) -> bool {
    delivery.take(multipart, bytes, window, tx)
}

impl Delivery {
    fn take(
        &mut self,
        multipart: &mut Multipart,
        bytes: &[u8],
        window: Window,
        tx: &mut Transaction,
    ) -> bool {
        self.made = self.made.saturating_add(bytes.len() as u64);
        if self.made > self.allowed {
            self.bomb = true;
            return false;
        }
        if !std::mem::replace(&mut self.begun, true) {
            let buffer = if self.dir == Dir::ToServer { REQUEST_BODY } else { RESPONSE_BODY };
            self.body = tx.begin(self.dir, buffer, window);
            if self.kind == Kind::File {
                self.file = tx.open_file_of(self.dir, &self.name, self.body, window);
                tx.file_is_part(self.file, self.range);
            }
        }
        if let Some(body) = self.body {
            tx.grow(body, bytes);
        }
        match self.kind {
            Kind::Plain => {}
            Kind::File => self.grow_file(bytes, tx),
            Kind::Form => multipart.write(bytes, &mut |part| self.part(part, window, tx)),
        }
        true
    }

    fn grow_file(&self, bytes: &[u8], tx: &mut Transaction) {
        if let Some(file) = self.file {
            tx.grow_file(file, bytes);
        }
    }

    fn part(&mut self, part: Part<'_>, window: Window, tx: &mut Transaction) {
        match part {
            Part::Open(name) => {
                if name.len() > MAX_FILE_NAME {
                    tx.event(self.dir, "http.file_name_too_long");
                }
                let name = name.get(..MAX_FILE_NAME).unwrap_or(name);
                self.file = tx.open_file(self.dir, name, window);
            }
            Part::Data(data) => self.grow_file(data, tx),
            Part::Close | Part::NoData => {
                if part == Part::NoData {
                    tx.event(self.dir, "http.multipart_no_filedata");
                }
                self.close_file(false, tx);
            }
            Part::InvalidHeader => tx.event(self.dir, "http.multipart_invalid_header"),
        }
    }

    fn close_file(&mut self, truncated: bool, tx: &mut Transaction) {
        if let Some(file) = self.file.take() {
            tx.close_file(file, truncated);
        }
    }

    fn finish(&mut self, multipart: &mut Multipart, truncated: bool, tx: &mut Transaction) {
        if self.kind == Kind::Form && self.begun {
            let window = Window::default();
            multipart.finish(&mut |part| self.part(part, window, tx));
            self.close_file(true, tx);
        }
        // A single file's number stays: what comes behind the end may yet belong to it.
        if let Some(file) = self.file {
            tx.close_file(file, truncated);
        }
        match self.body {
            Some(body) if truncated || self.holed => tx.truncate_streamed(body),
            Some(body) => tx.end_streamed(body),
            None => {}
        }
    }
}

fn feed(layers: &mut [Layer], bytes: &[u8], out: &mut Out<'_>) -> bool {
    match layers.split_first_mut() {
        None => out(bytes),
        Some((layer, inner)) => layer.write(bytes, &mut |bytes| feed(inner, bytes, out)),
    }
}

fn finish(layers: &mut [Layer], out: &mut Out<'_>) -> bool {
    match layers.split_first_mut() {
        None => true,
        Some((layer, inner)) => layer.finish(&mut |bytes| feed(inner, bytes, out)) && finish(inner, out),
    }
}

/// A coding by its name, and whether that is an odd spelling.
fn coding_of(token: &[u8]) -> (Option<Coding>, bool) {
    let token = token.trim_ascii();
    let is = |name: &str| token.eq_ignore_ascii_case(name.as_bytes());
    if token.is_empty() || is("identity") || is("none") || is("inflate") {
        return (None, false);
    }
    for (names, coding) in [
        (["gzip", "x-gzip"], Coding::Gzip),
        (["deflate", "x-deflate"], Coding::Deflate),
        (["br", "x-br"], Coding::Brotli),
        (["lzma", "x-lzma"], Coding::Lzma),
    ] {
        if names.iter().any(|name| is(name)) {
            return (Some(coding), false);
        }
    }
    if contains(token, b"gzip") {
        return (Some(Coding::Gzip), true);
    }
    if contains(token, b"deflate") {
        return (Some(Coding::Deflate), true);
    }
    (None, true)
}
