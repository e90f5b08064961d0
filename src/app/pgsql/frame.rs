//! Where a message begins and ends, and whether a session begins as PostgreSQL's do.

use super::Opening;
use crate::app::{Framed, Probe};
use crate::base::Dir;

/// Versions and requests in the place of one, of a message without a type.
pub(super) const MAJOR_VERSION: u16 = 3;
pub(super) const CANCEL: u32 = 80_877_102;
pub(super) const SSL: u32 = 80_877_103;
pub(super) const GSSAPI: u32 = 80_877_104;

/// Bytes of a message without a type at most, as the server has it.
const MAX_OPENING: u32 = 10_000;
/// Of any other (a field has 1 GiB at most).
const MAX_LENGTH: u32 = 0x4000_0000;
/// A length, and a version.
const OPENING: usize = 8;
/// A type and a length, which counts itself.
pub(super) const HEADER: usize = 5;

const FRONTEND: &[u8] = b"BCDEFHPQSXcdfp";
const BACKEND: &[u8] = b"123ACDEGHIKNRSTVWZcdnstv";

/// What a direction's next message is like.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Opening,
    Letter,
    Typed(&'static [u8]),
}

impl Framing {
    pub fn of(dir: Dir, opening: Opening) -> Framing {
        match (dir, opening) {
            (Dir::ToServer, Opening::Done) => Framing::Typed(FRONTEND),
            (Dir::ToServer, _) => Framing::Opening,
            (Dir::ToClient, Opening::Asked) => Framing::Letter,
            (Dir::ToClient, _) => Framing::Typed(BACKEND),
        }
    }

    pub fn frame(self, bytes: &[u8]) -> Framed {
        match self {
            Framing::Letter => match bytes {
                [b'S' | b'N' | b'G', ..] => Framed::Whole(1),
                // Servers that know nothing of encryption answer with an error.
                [b'E', ..] => Framing::Typed(BACKEND).frame(bytes),
                _ => Framed::Broken,
            },
            Framing::Opening => match bytes.first_chunk().map(|len| u32::from_be_bytes(*len)) {
                Some(len @ 8..=MAX_OPENING) => Framed::Whole(len as usize),
                Some(_) => Framed::Broken,
                None => Framed::Need(OPENING),
            },
            Framing::Typed(known) => match *bytes {
                [kind, ..] if !known.contains(&kind) => Framed::Broken,
                [_, a, b, c, d, ..] => match u32::from_be_bytes([a, b, c, d]) {
                    len @ 4..=MAX_LENGTH => Framed::Whole(1 + len as usize),
                    _ => Framed::Broken,
                },
                _ => Framed::Need(HEADER),
            },
        }
    }

    /// Whether a message that breaks off does so by its length alone.
    pub fn is_known(self, bytes: &[u8]) -> bool {
        match self {
            Framing::Typed(known) => bytes.first().is_some_and(|kind| known.contains(kind)),
            Framing::Opening => true,
            Framing::Letter => false,
        }
    }
}

/// Bytes behind a typed message's header, by its length: not all of them are kept.
pub(super) fn body_len(message: &[u8]) -> usize {
    let len = message.get(1..).and_then(|rest| rest.first_chunk()).map_or(0, |len| u32::from_be_bytes(*len));
    (len as usize).saturating_sub(4)
}

/// A client says which version it speaks or which encryption it wants, a server how to authenticate or what is wrong.
pub(super) fn probe_anywhere(dir: Dir, bytes: &[u8]) -> Probe {
    let found = |sender: Dir| if sender == dir { Probe::Yes } else { Probe::Reversed };
    match *bytes {
        [] | [0] | [0, 0] | [0, 0, _] => Probe::More,
        [0, 0, high, low, ref rest @ ..] => begins(u16::from_be_bytes([high, low]).into(), rest)
            .map_or(Probe::No, |whole| if whole { found(Dir::ToServer) } else { Probe::More }),
        [b'R', 0, 0, 0, 8..=64, 0, 0, 0, 0 | 2..=12, ..] => found(Dir::ToClient),
        [b'E', 0, 0, _, _, b'S', b'F' | b'E', b'A' | b'R', b'T' | b'R', ..] => found(Dir::ToClient),
        [b'R' | b'E', ref rest @ ..] if rest.len() < 8 && is_like(rest) => Probe::More,
        _ => Probe::No,
    }
}

/// The same, and the letter that answers a request for encryption.
pub(super) fn probe_on_port(dir: Dir, bytes: &[u8]) -> Probe {
    match bytes {
        [b'S' | b'N'] if dir == Dir::ToClient => Probe::Yes,
        _ => probe_anywhere(dir, bytes),
    }
}

/// What follows a server's first letter: a length below 64 KiB.
fn is_like(rest: &[u8]) -> bool {
    rest.iter().take(2).all(|byte| *byte == 0)
}

/// What follows the length: a version and a parameter's name, or a request that is known. Whether enough is there.
fn begins(len: u32, rest: &[u8]) -> Option<bool> {
    let Some(code) = rest.first_chunk().map(|code| u32::from_be_bytes(*code)) else {
        let possible = [MAJOR_VERSION.to_be_bytes(), ((SSL >> 16) as u16).to_be_bytes()];
        return possible
            .iter()
            .any(|start| start.starts_with(rest) || rest.starts_with(start))
            .then_some(false);
    };
    match code {
        SSL | GSSAPI if len == 8 => Some(true),
        CANCEL if (16..=268).contains(&len) => Some(true),
        code if code >> 16 == u32::from(MAJOR_VERSION) && (9..=MAX_OPENING).contains(&len) => {
            match rest.get(4) {
                Some(letter) => {
                    (letter.is_ascii_lowercase() || *letter == b'_' || *letter == 0).then_some(true)
                }
                None => Some(false),
            }
        }
        _ => None,
    }
}
