//! Messages compressed with permessage-deflate (RFC 7692, 7.2.2): one stream of DEFLATE a direction, so that a message may
//! refer to what earlier ones held.

use super::MAX_PAYLOAD;
use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};

/// What the sender took off each message's end.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
/// A message may become so long; a longer one ends decompression of the direction.
const MAX_INFLATED: usize = 1 << 20;
/// Bytes are made in pieces of so many.
const PIECE: usize = 4096;

#[derive(Default)]
pub(super) struct Inflate {
    /// With its window of 32 KiB, from the first compressed message on.
    state: Option<Box<InflateState>>,
    /// What earlier messages held is not known any more.
    broken: bool,
}

impl std::fmt::Debug for Inflate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflate").field("begun", &self.state.is_some()).field("broken", &self.broken).finish()
    }
}

impl Inflate {
    pub fn reset(&mut self) {
        *self = Inflate::default();
    }

    /// Appends what the message says, as far as that goes and at most [`MAX_PAYLOAD`] of it. `whole` is false when some of
    /// the message is missing.
    pub fn message(&mut self, message: &[u8], whole: bool, out: &mut Vec<u8>) {
        if self.broken {
            return;
        }
        let state = self.state.get_or_insert_with(|| InflateState::new_boxed(DataFormat::Raw));
        let mut made = 0;
        let mut fed = feed(state, message, &mut made, out);
        if whole && fed == Fed::All {
            fed = feed(state, &TAIL, &mut made, out);
        }
        match fed {
            // A last block within a message: the next begins anew.
            Fed::Ended => state.reset(DataFormat::Raw),
            Fed::All if whole => {}
            Fed::All | Fed::Broken => (self.broken, self.state) = (true, None),
        }
    }
}

#[derive(Copy, Clone, PartialEq, Eq)]
enum Fed {
    All,
    /// The stream of DEFLATE is over.
    Ended,
    Broken,
}

/// Gives it more of the stream, and takes what that makes.
fn feed(state: &mut InflateState, mut input: &[u8], made: &mut usize, out: &mut Vec<u8>) -> Fed {
    let mut piece = [0; PIECE];
    loop {
        let result = inflate(state, input, &mut piece, MZFlush::Sync);
        input = input.get(result.bytes_consumed..).unwrap_or_default();
        let room = MAX_PAYLOAD.saturating_sub(*made).min(result.bytes_written);
        out.extend_from_slice(piece.get(..room).unwrap_or_default());
        *made += result.bytes_written;
        let moved = result.bytes_consumed + result.bytes_written > 0;
        match result.status {
            Ok(MZStatus::StreamEnd) => return Fed::Ended,
            Ok(_) | Err(MZError::Buf) if input.is_empty() && result.bytes_written < PIECE => return Fed::All,
            Ok(_) if moved && *made <= MAX_INFLATED => {}
            _ => return Fed::Broken,
        }
    }
}
