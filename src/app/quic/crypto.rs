//! The stream that CRYPTO frames carry (RFC 9000, section 19.6): a handshake message out of pieces in any order.

use super::header::variable;
use crate::app::limits::KEPT;
use crate::app::tls::reader::Reader;
use arrayvec::ArrayVec;

/// Longest stream that is put together, in bytes; hellos are a few hundred to a few thousand.
const MAX_STREAM: usize = 64 << 10;
/// Pieces that do not touch each other.
const MAX_PIECES: usize = 64;
/// Type and length of a handshake message.
const MESSAGE_HEADER: usize = 4;

const PADDING: u8 = 0;
const PING: u8 = 1;
const ACK: u8 = 2;
const ACK_ECN: u8 = 3;
const CRYPTO: u8 = 6;
const CLOSE: u8 = 0x1c;
const CLOSE_APPLICATION: u8 = 0x1d;

/// What is wrong with a packet's frames: the event's name.
pub(super) type Invalid = &'static str;

/// One direction's.
#[derive(Clone, Debug, Default)]
pub(super) struct Stream {
    bytes: Vec<u8>,
    /// Where the pieces are, in their order, apart from each other.
    pieces: ArrayVec<(usize, usize), MAX_PIECES>,
}

impl Stream {
    pub(super) fn reset(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
        self.pieces.clear();
    }

    /// Takes what CRYPTO frames a packet has.
    pub(super) fn frames(&mut self, frames: &[u8]) -> Result<(), Invalid> {
        const INVALID: Invalid = "quic.error_on_data";
        let mut rest = Reader(frames);
        while let Some(kind) = rest.u8() {
            match kind {
                PADDING | PING => {}
                ACK | ACK_ECN => skip_ack(&mut rest, kind == ACK_ECN).ok_or(INVALID)?,
                CRYPTO => {
                    let offset = variable(&mut rest).ok_or(INVALID)?;
                    let len = variable(&mut rest).ok_or(INVALID)?;
                    let data = rest.take(len).ok_or(INVALID)?;
                    self.add(offset, data).ok_or("quic.crypto_frag_too_long")?;
                }
                // Nothing comes behind them that matters.
                CLOSE | CLOSE_APPLICATION => return Ok(()),
                _ => return Err(INVALID),
            }
        }
        Ok(())
    }

    fn add(&mut self, offset: usize, data: &[u8]) -> Option<()> {
        let end = offset.checked_add(data.len()).filter(|end| *end <= MAX_STREAM)?;
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes.get_mut(offset..end)?.copy_from_slice(data);
        // Those that it touches become one with it.
        let first = self.pieces.iter().position(|(_, until)| *until >= offset).unwrap_or(self.pieces.len());
        let (mut from, mut until) = (offset, end);
        while let Some((a, b)) = self.pieces.get(first).copied().filter(|(a, _)| *a <= until) {
            (from, until) = (from.min(a), until.max(b));
            self.pieces.remove(first);
        }
        self.pieces.try_insert(first, (from, until)).ok()
    }

    /// The first message, when it is whole: type and body.
    pub(super) fn message(&self) -> Option<(u8, &[u8])> {
        let (0, until) = self.pieces.first().copied()? else { return None };
        let whole = self.bytes.get(..until)?;
        let (header, body) = whole.split_at_checked(MESSAGE_HEADER)?;
        let mut header = Reader(header);
        let (kind, len) = (header.u8()?, header.u24()?);
        Some((kind, body.get(..len)?))
    }
}

fn skip_ack(rest: &mut Reader<'_>, ecn: bool) -> Option<()> {
    let (_largest, _delay) = (variable(rest)?, variable(rest)?);
    let ranges = variable(rest)?;
    variable(rest)?;
    // Each takes bytes, so that their number is bounded by the packet.
    for _ in 0..ranges {
        variable(rest)?;
        variable(rest)?;
    }
    for _ in 0..if ecn { 3 } else { 0 } {
        variable(rest)?;
    }
    Some(())
}
