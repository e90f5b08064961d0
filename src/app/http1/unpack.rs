//! Brotli (RFC 7932) and LZMA (the format of `.lzma` files), in pieces.

use super::budget::Share;
use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use lzma_rs::decompress::{Options, Stream};
use std::io::Write;

/// Decoded bytes are passed on in such pieces.
const PIECE: usize = 8 * 1024;
/// Brotli's codes and contexts, besides its window.
const BROTLI_TABLES: usize = 128 << 10;
/// LZMA's dictionary, which holds all that was decoded, at most (`lzma-memlimit`).
const LZMA_MEMORY: usize = 1 << 20;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Unpacked {
    More,
    End,
    Failed,
    Stopped,
}

type State = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

pub(super) struct Brotli {
    state: State,
    total: usize,
    _share: Share,
}

impl Brotli {
    /// `first` is the stream's first byte, which tells its window. `None` when decompressors have all the memory that they may.
    pub(super) fn new(first: u8) -> Option<Box<Brotli>> {
        let _share = Share::take((1 << window_bits(first)) + BROTLI_TABLES)?;
        let memory = StandardAlloc::default;
        let state = State::new_strict(memory(), memory(), memory());
        Some(Box::new(Brotli { state, total: 0, _share }))
    }

    pub(super) fn run(&mut self, input: &mut &[u8], out: &mut dyn FnMut(&[u8]) -> bool) -> Unpacked {
        let mut piece = [0; PIECE];
        loop {
            let (mut available, mut taken) = (input.len(), 0);
            let (mut room, mut made) = (PIECE, 0);
            let result = BrotliDecompressStream(
                &mut available,
                &mut taken,
                input,
                &mut room,
                &mut made,
                &mut piece,
                &mut self.total,
                &mut self.state,
            );
            *input = input.get(taken..).unwrap_or_default();
            if made > 0 && !out(piece.get(..made).unwrap_or_default()) {
                return Unpacked::Stopped;
            }
            match result {
                BrotliResult::NeedsMoreInput => return Unpacked::More,
                BrotliResult::NeedsMoreOutput => {}
                BrotliResult::ResultSuccess => return Unpacked::End,
                BrotliResult::ResultFailure => return Unpacked::Failed,
            }
        }
    }
}

/// RFC 7932 section 9.1.
fn window_bits(first: u8) -> u8 {
    match (first & 1, first >> 1 & 7, first >> 4 & 7) {
        (0, ..) => 16,
        (_, 0, 0) => 17,
        (_, 0, low) => 8 + low,
        (_, high, _) => 17 + high,
    }
}

/// Its decoder gives its bytes at the end, or when its dictionary is full.
pub(super) struct Lzma {
    stream: Option<Stream<Vec<u8>>>,
    _share: Share,
    pub(super) memory_limit: bool,
}

impl Lzma {
    /// Properties that encoders write: others would need much memory.
    pub(super) fn may_begin(bytes: &[u8]) -> bool {
        bytes.first().is_some_and(|props| *props < 225 && props % 9 + props / 9 % 5 <= 4)
    }

    pub(super) fn new() -> Option<Box<Lzma>> {
        let _share = Share::take(2 * LZMA_MEMORY)?;
        let options = Options { memlimit: Some(LZMA_MEMORY), allow_incomplete: true, ..Options::default() };
        let stream = Some(Stream::new_with_options(&options, Vec::new()));
        Some(Box::new(Lzma { stream, _share, memory_limit: false }))
    }

    pub(super) fn run(&mut self, input: &mut &[u8]) -> Unpacked {
        let bytes = std::mem::take(input);
        let Some(stream) = &mut self.stream else { return Unpacked::End };
        match stream.write_all(bytes) {
            Ok(()) => Unpacked::More,
            Err(error) => {
                self.memory_limit = error.to_string().contains("memory limit");
                self.stream = None;
                *input = bytes;
                Unpacked::Failed
            }
        }
    }

    pub(super) fn finish(&mut self, out: &mut dyn FnMut(&[u8]) -> bool) -> Unpacked {
        match self.stream.take().map(Stream::finish) {
            Some(Ok(bytes)) if !bytes.is_empty() && !out(&bytes) => Unpacked::Stopped,
            Some(Err(_)) => Unpacked::Failed,
            Some(Ok(_)) | None => Unpacked::End,
        }
    }
}
