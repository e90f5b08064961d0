//! Raw DEFLATE (RFC 1951) in pieces, with all that was decoded before an error.

use super::budget::Share;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags::TINFL_FLAG_HAS_MORE_INPUT};

/// DEFLATE's window.
const WINDOW: usize = 32 * 1024;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Inflated {
    More,
    /// The last block ended.
    End,
    /// The bytes are no DEFLATE.
    Failed,
    /// `out` wants no more.
    Stopped,
}

pub(super) struct Inflate {
    core: DecompressorOxide,
    window: [u8; WINDOW],
    at: usize,
    _share: Share,
}

impl Inflate {
    /// `None` when decompressors have all the memory that they may.
    pub(super) fn new() -> Option<Box<Inflate>> {
        let share = Share::take(size_of::<Inflate>())?;
        Some(Box::new(Inflate { core: DecompressorOxide::new(), window: [0; WINDOW], at: 0, _share: share }))
    }

    pub(super) fn restart(&mut self) {
        self.core.init();
        self.at = 0;
    }

    /// Takes from `input` until it is used up or the stream ends; `out` gets the bytes and says whether it wants more.
    pub(super) fn run(&mut self, input: &mut &[u8], out: &mut dyn FnMut(&[u8]) -> bool) -> Inflated {
        loop {
            let flags = TINFL_FLAG_HAS_MORE_INPUT;
            let (status, taken, made) = decompress(&mut self.core, input, &mut self.window, self.at, flags);
            *input = input.get(taken..).unwrap_or_default();
            let fresh = self.window.get(self.at..self.at + made).unwrap_or_default();
            if !fresh.is_empty() && !out(fresh) {
                return Inflated::Stopped;
            }
            self.at = (self.at + made) % WINDOW;
            match status {
                TINFLStatus::Done => return Inflated::End,
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput if input.is_empty() || (taken, made) == (0, 0) => {
                    return Inflated::More;
                }
                TINFLStatus::NeedsMoreInput => {}
                _ => return Inflated::Failed,
            }
        }
    }
}
