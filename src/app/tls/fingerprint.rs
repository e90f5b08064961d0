//! JA3 and JA3S (Salesforce's description, 2017): a hello's numbers as text, and the MD5 of it.

use super::hello::{ClientHello, ServerHello, extension};
use super::reader::{Reader, numbers};
use super::version::is_grease;
use md5::{Digest, Md5};

/// `version,ciphers,extensions,groups,point formats`, without GREASE.
pub(in crate::app) fn ja3(hello: &ClientHello<'_>, out: &mut Vec<u8>) {
    decimal(out, u32::from(hello.version));
    out.push(b',');
    list(out, numbers(hello.ciphers));
    out.push(b',');
    list(out, hello.extensions.map(|(id, _)| id));
    out.push(b',');
    let groups = hello.extensions.get(extension::GROUPS).and_then(|data| Reader(data).vec16());
    list(out, numbers(groups.unwrap_or_default()));
    out.push(b',');
    let formats = hello.extensions.get(extension::POINT_FORMATS).and_then(|data| Reader(data).vec8());
    list(out, formats.unwrap_or_default().iter().map(|format| u16::from(*format)));
}

/// `version,cipher,extensions`.
pub(in crate::app) fn ja3s(hello: &ServerHello<'_>, out: &mut Vec<u8>) {
    decimal(out, u32::from(hello.version));
    out.push(b',');
    decimal(out, u32::from(hello.cipher));
    out.push(b',');
    list(out, hello.extensions.map(|(id, _)| id));
}

/// The text, and its MD5 in hexadecimal, which is appended to it.
pub(in crate::app) fn with_md5(text: &mut Vec<u8>) -> (&[u8], &[u8]) {
    let (len, sum) = (text.len(), Md5::digest(&text));
    hex(text, &sum);
    text.split_at(len)
}

fn list(out: &mut Vec<u8>, all: impl Iterator<Item = u16>) {
    for (place, number) in all.filter(|number| !is_grease(*number)).enumerate() {
        if place > 0 {
            out.push(b'-');
        }
        decimal(out, u32::from(number));
    }
}

fn decimal(out: &mut Vec<u8>, number: u32) {
    let mut unit = 1;
    while number / unit >= 10 {
        unit *= 10;
    }
    while unit > 0 {
        out.push(b'0' + (number / unit % 10) as u8);
        unit /= 10;
    }
}

pub(in crate::app) fn digit(half: u8) -> u8 {
    match half & 15 {
        half @ 0..=9 => b'0' + half,
        half => b'a' + half - 10,
    }
}

pub(in crate::app) fn hex(out: &mut Vec<u8>, bytes: &[u8]) {
    bytes.iter().for_each(|byte| out.extend([digit(byte >> 4), digit(*byte)]));
}

/// With a colon between two bytes.
pub(super) fn hex_colons(out: &mut Vec<u8>, bytes: &[u8]) {
    for (place, byte) in bytes.iter().enumerate() {
        if place > 0 {
            out.push(b':');
        }
        out.extend([digit(byte >> 4), digit(*byte)]);
    }
}
