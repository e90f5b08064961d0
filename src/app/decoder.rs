//! The contract of a protocol decoder.

use super::{Announcement, Sink};
use crate::base::Dir;
use crate::rules::app::AppProto;

/// What the bytes seen so far say of a protocol.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    Yes,
    /// The protocol, but these are the other direction's bytes: whoever sent the first packet that was seen is not the
    /// client. Taken as [`Yes`](Self::Yes) where the session's opening was seen.
    Reversed,
    No,
    /// Too few bytes to tell.
    More,
}

/// How a decoder goes on.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Next {
    More,
    /// It will not understand what follows, or what follows is encrypted: no further byte of the session is decoded.
    Stop,
    /// What came is not of the protocol: an error, and no further byte of the session is decoded.
    Broken,
    /// From the byte numbered `consumed` of those just given, the direction speaks another protocol (STARTTLS, CONNECT,
    /// Upgrade), and so does the other from its next byte on: `to`, or whatever is found there.
    Change {
        consumed: usize,
        to: Option<AppProto>,
    },
}

/// One protocol's decoder, one value a session, kept and used again after [`reset`](Self::reset).
///
/// It takes every byte it is given: what it needs again it keeps itself, within [`Limits`](super::Limits), so that bytes
/// which come one at a time cost no more than those that come at once. It allocates only to grow buffers that it
/// keeps. No bytes make it panic.
pub trait Decoder: Send {
    /// The next bytes of a TCP stream, or one UDP datagram.
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next;

    /// So many bytes of that direction are lost for good, just before those that come next.
    fn gap(&mut self, _dir: Dir, _missing: u64, _sink: &mut Sink<'_>) -> Next {
        Next::Stop
    }

    /// No more bytes will come in that direction.
    fn end(&mut self, _dir: Dir, _sink: &mut Sink<'_>) {}

    /// The session was announced by another, and so: told once, before its first bytes.
    fn told(&mut self, _announced: &Announcement) {}

    /// As new. Memory beyond [`KEPT`](super::limits::KEPT) a buffer is given back.
    fn reset(&mut self);
}
