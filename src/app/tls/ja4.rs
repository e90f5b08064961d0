//! JA4 (FoxIO, "JA4: TLS Client Fingerprinting"; BSD 3-Clause): a client hello in 36 characters.

use super::fingerprint::{digit, hex};
use super::hello::{ClientHello, extension};
use super::reader::{Reader, numbers};
use super::version::{self, is_grease};
use sha2::{Digest, Sha256};

/// How the hello came.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(in crate::app) enum Carrier {
    Tcp,
    Quic,
}

/// Characters of a shortened SHA-256.
const SHORT: usize = 6;

/// Appends the fingerprint; `scratch` is for sorting.
pub(in crate::app) fn ja4(
    hello: &ClientHello<'_>,
    carrier: Carrier,
    scratch: &mut Vec<u16>,
    out: &mut Vec<u8>,
) {
    let plain = |number: &u16| !is_grease(*number);
    out.push(if carrier == Carrier::Quic { b'q' } else { b't' });
    out.extend(version_letters(hello.highest_version()));
    let named = hello.extensions.get(extension::SERVER_NAME).is_some();
    out.push(if named { b'd' } else { b'i' });
    two_digits(out, numbers(hello.ciphers).filter(plain).count());
    two_digits(out, hello.extensions.map(|(id, _)| id).filter(plain).count());
    out.extend(protocol_letters(hello.protocols().next().unwrap_or_default()));
    out.push(b'_');

    scratch.clear();
    scratch.extend(numbers(hello.ciphers).filter(plain));
    scratch.sort_unstable();
    shortened(out, scratch.iter().copied(), std::iter::empty());
    out.push(b'_');

    scratch.clear();
    let sorted = hello.extensions.map(|(id, _)| id).filter(plain);
    scratch.extend(sorted.filter(|id| ![extension::SERVER_NAME, extension::ALPN].contains(id)));
    scratch.sort_unstable();
    let signatures = hello.extensions.get(extension::SIGNATURES).and_then(|data| Reader(data).vec16());
    let signatures = numbers(signatures.unwrap_or_default()).filter(plain);
    shortened(out, scratch.iter().copied(), signatures);
}

fn version_letters(version: u16) -> [u8; 2] {
    match version {
        version::SSL2 => *b"s2",
        version::SSL3 => *b"s3",
        version::TLS10 => *b"10",
        version::TLS11 => *b"11",
        version::TLS12 => *b"12",
        version if version::is_tls13(version) => *b"13",
        _ => *b"00",
    }
}

/// First and last character of the first protocol; of one that is not of letters and digits, of its hexadecimal form.
fn protocol_letters(name: &[u8]) -> [u8; 2] {
    match (name.first(), name.last()) {
        (Some(first), Some(last)) if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() => {
            [*first, *last]
        }
        (Some(first), Some(last)) => [digit(first >> 4), digit(*last)],
        _ => *b"00",
    }
}

fn two_digits(out: &mut Vec<u8>, count: usize) {
    let count = count.min(99) as u8;
    out.extend([b'0' + count / 10, b'0' + count % 10]);
}

/// The first 12 hexadecimal digits of the SHA-256 of `a,b_c,d`; zeros when there are no numbers in front.
fn shortened(out: &mut Vec<u8>, front: impl Iterator<Item = u16>, behind: impl Iterator<Item = u16>) {
    let mut sum = Sha256::new();
    let mut none = true;
    for number in front {
        write_number(&mut sum, if none { b"" } else { b"," }, number);
        none = false;
    }
    if none {
        out.extend_from_slice(b"000000000000");
        return;
    }
    for (place, number) in behind.enumerate() {
        write_number(&mut sum, if place == 0 { b"_" } else { b"," }, number);
    }
    hex(out, sum.finalize().get(..SHORT).unwrap_or_default());
}

fn write_number(sum: &mut Sha256, between: &[u8], number: u16) {
    let [high, low] = number.to_be_bytes();
    sum.update(between);
    sum.update([digit(high >> 4), digit(high), digit(low >> 4), digit(low)]);
}
