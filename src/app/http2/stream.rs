//! Streams under way, each a transaction.

use super::body::Body;
use super::doh::Doh;
use crate::app::{Sink, TxId, few};
use crate::base::{Dir, PerDir};

/// Streams at once in a session; a further one takes the place of the oldest.
const MAX_STREAMS: usize = 128;
/// Streams whose memory is kept from one session to the next.
const KEPT_STREAMS: usize = 4;

#[derive(Debug)]
pub struct Stream {
    pub id: u32,
    pub tx: TxId,
    /// That came, either way.
    pub frames: u32,
    /// The first block of header fields has come.
    pub headed: PerDir<bool>,
    pub ended: PerDir<bool>,
    pub body: PerDir<Body>,
    pub doh: Doh,
}

#[derive(Debug, Default)]
pub struct Streams {
    live: Vec<Stream>,
    spare: Vec<Stream>,
    /// The newest that the client and the server opened.
    newest: PerDir<u32>,
}

/// What a frame's stream is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Its place.
    Live(usize),
    /// It was there and is over.
    Closed,
    New,
}

/// Who opens a stream of that number (RFC 9113, 5.1.1).
fn opener(id: u32) -> Dir {
    if id % 2 == 1 { Dir::ToServer } else { Dir::ToClient }
}

impl Streams {
    pub fn reset(&mut self) {
        self.spare.append(&mut self.live);
        self.spare.truncate(KEPT_STREAMS);
        self.spare.iter_mut().for_each(Stream::clear);
        self.newest = PerDir::default();
    }

    pub fn find(&self, id: u32) -> Found {
        match self.live.iter().rposition(|stream| stream.id == id) {
            Some(place) => Found::Live(place),
            None if id <= self.newest[opener(id)] => Found::Closed,
            None => Found::New,
        }
    }

    pub fn get_mut(&mut self, place: usize) -> Option<&mut Stream> {
        self.live.get_mut(place)
    }

    /// A stream begins: its place.
    pub fn open(&mut self, id: u32, dir: Dir, sink: &mut Sink<'_>) -> Option<usize> {
        let tx = sink.open()?;
        if self.live.len() >= MAX_STREAMS {
            sink.event(dir, "http2.too_many_streams");
            let mut oldest = self.live.remove(0);
            oldest.clear();
            self.spare.push(oldest);
        }
        let mut stream = self.spare.pop().unwrap_or_else(|| Stream::new(tx));
        (stream.id, stream.tx) = (id, tx);
        // What the client asked for came before: by an upgrade, or the server promises the answer to what nobody asked.
        if dir == Dir::ToClient {
            stream.ended[Dir::ToServer] = true;
            if let Some(tx) = sink.tx(tx) {
                tx.complete(Dir::ToServer);
            }
        }
        self.newest[opener(id)] = self.newest[opener(id)].max(id);
        few::push(&mut self.live, stream);
        Some(self.live.len() - 1)
    }

    /// A direction of a stream ends; when both have, the stream goes. `cut` says that it is cut short: the other direction may
    /// be on its way still.
    pub fn end(&mut self, place: usize, dir: Dir, cut: bool, sink: &mut Sink<'_>) {
        let Some(stream) = self.live.get_mut(place) else { return };
        stream.ended[dir] = true;
        stream.body[dir].end(stream.tx, dir, cut, sink);
        stream.doh.end(dir, stream.tx, sink);
        if let Some(tx) = sink.tx(stream.tx) {
            tx.complete(dir);
        }
        if stream.ended[dir.reversed()] {
            let mut stream = self.live.remove(place);
            stream.clear();
            few::push(&mut self.spare, stream);
        }
    }
}

impl Stream {
    fn new(tx: TxId) -> Stream {
        Stream {
            id: 0,
            tx,
            frames: 0,
            headed: PerDir::default(),
            ended: PerDir::default(),
            body: PerDir::default(),
            doh: Doh::default(),
        }
    }

    fn clear(&mut self) {
        (self.id, self.frames) = (0, 0);
        (self.headed, self.ended) = Default::default();
        Dir::BOTH.into_iter().for_each(|dir| self.body[dir].clear());
        self.doh.clear();
    }
}
