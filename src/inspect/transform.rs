//! A buffer transformed before a rule looks into it: in memory of the worker's own, never more than [`MAX_BYTES`].

use crate::inspect::base64;
use crate::inspect::steps::Memory;
use crate::rules::ruleset::{Regex, Transform};
use crate::rules::transform::{Inflate, Key, Subslice, XorKey};
use md5::{Digest, Md5};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};
use sha1::Sha1;
use sha2::Sha256;

/// Bytes of a transformed buffer; what would be longer is cut there.
pub(crate) const MAX_BYTES: usize = 1 << 16;

/// One worker's.
pub(crate) struct Bench {
    from: Vec<u8>,
    to: Vec<u8>,
    inflater: Box<DecompressorOxide>,
    /// By chain and place in it.
    captures: Vec<Vec<Option<Memory>>>,
}

impl Bench {
    /// Allocates all that the chains of a set will ever need.
    pub(crate) fn new(chains: &[Box<[Transform]>]) -> Bench {
        let room = |wanted| Vec::with_capacity(if wanted { MAX_BYTES } else { 0 });
        let wanted = chains.iter().any(|chain| !chain.is_empty());
        let one = |transform: &Transform| match transform {
            Transform::Capture { regex, .. } => Some(Memory::new(regex)),
            _ => None,
        };
        Bench {
            from: room(wanted),
            to: room(wanted),
            inflater: Box::default(),
            captures: chains.iter().map(|chain| chain.iter().map(one).collect()).collect(),
        }
    }

    /// `bytes` after the whole chain. To be given back with [`put_back`](Self::put_back).
    pub(crate) fn run(&mut self, number: u16, chain: &[Transform], bytes: &[u8]) -> Vec<u8> {
        self.from.clear();
        self.from.extend_from_slice(bytes.get(..MAX_BYTES).unwrap_or(bytes));
        for (at, transform) in chain.iter().enumerate() {
            self.to.clear();
            let memory = self.captures.get_mut(usize::from(number)).and_then(|chain| chain.get_mut(at));
            let mut out = Out(&mut self.to);
            match transform {
                Transform::Capture { regex, .. } => capture(regex, &self.from, memory, &mut out),
                Transform::Inflate { kind, max } => {
                    inflate(*kind, *max as usize, &self.from, &mut self.inflater, out.0);
                }
                other => apply(other, &self.from, &mut out),
            }
            std::mem::swap(&mut self.from, &mut self.to);
        }
        std::mem::take(&mut self.from)
    }

    pub(crate) fn put_back(&mut self, bytes: Vec<u8>) {
        self.from = bytes;
    }
}

/// Output that stops where there is no more room, so that it never allocates.
struct Out<'o>(&'o mut Vec<u8>);

impl Out<'_> {
    fn push(&mut self, byte: u8) {
        if self.0.len() < MAX_BYTES {
            self.0.push(byte);
        }
    }

    fn extend(&mut self, bytes: &[u8]) {
        let room = MAX_BYTES - self.0.len().min(MAX_BYTES);
        self.0.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }
}

/// As C's `isspace`.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | 0x09..=0x0d)
}

fn apply(transform: &Transform, from: &[u8], out: &mut Out<'_>) {
    match transform {
        Transform::DotPrefix => {
            out.push(b'.');
            out.extend(from);
        }
        Transform::ToLowercase => from.iter().for_each(|b| out.push(b.to_ascii_lowercase())),
        Transform::ToUppercase => from.iter().for_each(|b| out.push(b.to_ascii_uppercase())),
        Transform::StripWhitespace => from.iter().filter(|b| !is_blank(**b)).for_each(|b| out.push(*b)),
        Transform::CompressWhitespace => compress(from, out),
        Transform::UrlDecode => url_decode(from, out),
        Transform::HeaderLowercase => header_lowercase(from, out),
        Transform::StripPseudoHeaders => strip_pseudo_headers(from, out),
        Transform::ToMd5 => out.extend(&Md5::digest(from)),
        Transform::ToSha1 => out.extend(&Sha1::digest(from)),
        Transform::ToSha256 => out.extend(&Sha256::digest(from)),
        // A name without one stays as it is.
        Transform::Domain => out.extend(psl::domain(from).map_or(from, |domain| domain.as_bytes())),
        Transform::PublicSuffix => out.extend(psl::suffix(from).map_or(from, |suffix| suffix.as_bytes())),
        Transform::Xor(key) => xor(key, from, out),
        Transform::FromBase64(how) => {
            let text = from.get(how.offset as usize..).unwrap_or_default();
            let text = how.bytes.map_or(text, |n| text.get(..n as usize).unwrap_or(text));
            // What is no base64 stays as it is.
            if !base64::decode(text, how.mode, MAX_BYTES, out.0) {
                out.0.clear();
                out.extend(from);
            }
        }
        Transform::Subslice(part) => out.extend(subslice(*part, from)),
        Transform::Capture { .. } | Transform::Inflate { .. } => {}
    }
}

/// Each run of blanks becomes one space.
fn compress(from: &[u8], out: &mut Out<'_>) {
    let mut before = false;
    for &byte in from {
        match is_blank(byte) {
            true if before => {}
            true => out.push(b' '),
            false => out.push(byte),
        }
        before = is_blank(byte);
    }
}

/// `%41` and `+`; a percent sign without two digits stands for itself.
fn url_decode(from: &[u8], out: &mut Out<'_>) {
    let mut rest = from;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        let digit = |at: usize| behind.get(at).and_then(|b| char::from(*b).to_digit(16));
        match (byte, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high << 4 | low) as u8);
                rest = behind.get(2..).unwrap_or_default();
            }
            (b'+', ..) => out.push(b' '),
            _ => out.push(byte),
        }
    }
}

/// A name ends at the colon; a value at the end of its line. A colon that begins a name is a pseudo header's.
fn header_lowercase(from: &[u8], out: &mut Out<'_>) {
    let mut in_name = true;
    for (at, &byte) in from.iter().enumerate() {
        let begins = at == 0 || from.get(at - 1) == Some(&b'\n');
        in_name |= begins;
        if byte == b':' && !begins {
            in_name = false;
        }
        out.push(if in_name { byte.to_ascii_lowercase() } else { byte });
    }
}

/// Lines that begin with a colon are left out.
fn strip_pseudo_headers(from: &[u8], out: &mut Out<'_>) {
    let lines = from.split_inclusive(|b| *b == b'\n');
    lines.filter(|line| line.first() != Some(&b':')).for_each(|line| out.extend(line));
}

/// A key that the buffer is too short to hold leaves it as it is; an extracted key is applied behind itself.
fn xor(how: &XorKey, from: &[u8], out: &mut Out<'_>) {
    let (key, offset) = match &how.key {
        Key::Given(key) => (&**key, how.offset as usize),
        Key::Extracted { length, at } => {
            let (at, length) = (*at as usize, *length as usize);
            (from.get(at..at.saturating_add(length)).unwrap_or_default(), how.offset as usize)
        }
    };
    let split = offset.min(from.len());
    let (plain, rest) = from.split_at(split);
    out.extend(plain);
    if key.is_empty() {
        return out.extend(rest);
    }
    rest.iter().zip(key.iter().cycle()).for_each(|(byte, key)| out.push(byte ^ key));
}

/// The part, counted from the start, or from the end where a number is negative.
fn subslice(part: Subslice, from: &[u8]) -> &[u8] {
    let length = from.len() as i64;
    let place = |n: i32| if n < 0 { length + i64::from(n) } else { i64::from(n) };
    let start = place(part.offset);
    let end = match part.bytes {
        None => length,
        Some(bytes) if bytes < 0 => length + i64::from(bytes),
        Some(bytes) => start + i64::from(bytes),
    };
    // A part that ends, counted from the buffer's end, before it begins is empty.
    if part.bytes.is_some_and(|bytes| bytes < 0) && (0..=length).contains(&start) && end < start {
        return &[];
    }
    let fits = (0..=length).contains(&start) && (start..=length).contains(&end);
    if !fits && !part.truncate {
        return from;
    }
    let cut = |place: i64| usize::try_from(place).unwrap_or(0).min(from.len());
    from.get(cut(start)..cut(end)).unwrap_or_default()
}

/// The first group's capture; without a match the buffer stays as it is.
fn capture(regex: &Regex, from: &[u8], memory: Option<&mut Option<Memory>>, out: &mut Out<'_>) {
    let found = memory.and_then(Option::as_mut).and_then(|memory| memory.capture(regex, from));
    match found.and_then(|(start, end)| from.get(start..end)) {
        Some(part) => out.extend(part),
        None => out.extend(from),
    }
}

/// Unpacked as far as the data and `max` go; what is not packed gives nothing.
fn inflate(kind: Inflate, max: usize, from: &[u8], state: &mut DecompressorOxide, out: &mut Vec<u8>) {
    state.init();
    let (data, flags) = match kind {
        Inflate::Zlib => (from, inflate_flags::TINFL_FLAG_PARSE_ZLIB_HEADER),
        Inflate::Gzip => match gzip_body(from) {
            Some(body) => (body, 0),
            None => return,
        },
    };
    out.resize(max.min(MAX_BYTES), 0);
    let flags = flags | inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let (_, _, written) = decompress(state, data, out, 0, flags);
    out.truncate(written);
}

/// What stands behind a gzip header (RFC 1952, section 2.3).
fn gzip_body(from: &[u8]) -> Option<&[u8]> {
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;
    const CHECKSUM: u8 = 2;
    let (header, mut rest) = from.split_first_chunk::<10>()?;
    let flags = header[3];
    if header[..2] != [0x1f, 0x8b] {
        return None;
    }
    if flags & EXTRA != 0 {
        let length = u16::from_le_bytes(*rest.first_chunk()?);
        rest = rest.get(2 + usize::from(length)..)?;
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            rest = rest.get(memchr::memchr(0, rest)? + 1..)?;
        }
    }
    if flags & CHECKSUM != 0 {
        rest = rest.get(2..)?;
    }
    Some(rest)
}

#[cfg(test)]
mod tests;
