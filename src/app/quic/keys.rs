//! Protection of initial packets (RFC 9001, section 5; RFC 9369, section 3.3): keys that follow from what the client sent.

use super::header::{Long, V2};
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aes::Aes128;
use aes_gcm::aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes_gcm::{AeadInOut, Aes128Gcm};
use hkdf::Hkdf;
use sha2::Sha256;

const KEY: usize = 16;
const NONCE: usize = 12;
const TAG: usize = 16;
const SAMPLE: usize = 16;
const SECRET: usize = 32;
/// The sample is taken as if the packet number had so many bytes.
const MAX_NUMBER: usize = 4;

const SALT_V1: [u8; 20] = [
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc,
    0xbb, 0x7f, 0x0a,
];
const SALT_V2: [u8; 20] = [
    0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9,
    0xbd, 0x2e, 0xd9,
];
/// Drafts 29 to 32, and those before them.
const SALT_29: [u8; 20] = [
    0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43,
    0x90, 0xa8, 0x99,
];
const SALT_23: [u8; 20] = [
    0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe,
    0xf9, 0xf5, 0x02,
];

fn salt(version: u32) -> &'static [u8] {
    match version {
        V2 => &SALT_V2,
        0xff00_0017..=0xff00_001c | 0xface_b001 | 0xface_b002 | 0xface_b00e => &SALT_23,
        0xff00_001d..=0xff00_0020 => &SALT_29,
        _ => &SALT_V1,
    }
}

/// One direction's.
pub(super) struct Keys {
    packet: Aes128Gcm,
    header: Aes128,
    nonce: [u8; NONCE],
}

/// Both directions', from the identifier that the client chose for the server.
pub(super) fn derive(version: u32, destination: &[u8]) -> Option<[Keys; 2]> {
    let (_, initial) = Hkdf::<Sha256>::extract(Some(salt(version)), destination);
    Some([Keys::derive(version, &initial, b"client in")?, Keys::derive(version, &initial, b"server in")?])
}

impl Keys {
    fn derive(version: u32, initial: &Hkdf<Sha256>, label: &[u8]) -> Option<Keys> {
        let mut secret = [0; SECRET];
        expand(initial, label, &mut secret)?;
        let secret = Hkdf::<Sha256>::from_prk(&secret).ok()?;
        let labels: [&[u8]; 3] = match version {
            V2 => [b"quicv2 key", b"quicv2 iv", b"quicv2 hp"],
            _ => [b"quic key", b"quic iv", b"quic hp"],
        };
        let (mut key, mut nonce, mut header) = ([0; KEY], [0; NONCE], [0; KEY]);
        expand(&secret, labels[0], &mut key)?;
        expand(&secret, labels[1], &mut nonce)?;
        expand(&secret, labels[2], &mut header)?;
        Some(Keys { packet: Aes128Gcm::new(&key.into()), header: Aes128::new(&header.into()), nonce })
    }

    /// Undoes the protection of a packet: its frames, in `out`. False when it was protected otherwise.
    pub(super) fn open(&self, packet: &Long<'_>, out: &mut Vec<u8>) -> bool {
        self.try_open(packet, out).is_some()
    }

    fn try_open(&self, packet: &Long<'_>, out: &mut Vec<u8>) -> Option<()> {
        let at = packet.number_at;
        let sample = packet.packet.get(at + MAX_NUMBER..)?.first_chunk::<SAMPLE>()?;
        let mut mask = (*sample).into();
        self.header.encrypt_block(&mut mask);

        out.clear();
        out.extend_from_slice(packet.packet);
        let first = out.first_mut()?;
        *first ^= mask[0] & 0x0f;
        let number_len = usize::from(*first & 3) + 1;
        let mut number = 0u64;
        for (byte, mask) in out.get_mut(at..at + number_len)?.iter_mut().zip(mask.iter().skip(1)) {
            *byte ^= mask;
            number = number << 8 | u64::from(*byte);
        }
        let mut nonce = self.nonce;
        for (byte, digit) in nonce.iter_mut().rev().zip(number.to_le_bytes()) {
            *byte ^= digit;
        }
        let (header, sealed) = out.split_at_mut_checked(at + number_len)?;
        let (body, tag) = sealed.split_last_chunk_mut::<TAG>()?;
        let tag = (*tag).into();
        self.packet.decrypt_inout_detached(&nonce.into(), header, InOutBuf::from(&mut *body), &tag).ok()?;
        let len = body.len();
        out.drain(..at + number_len);
        out.truncate(len);
        Some(())
    }

    #[cfg(test)]
    pub(super) fn seal(&self, header: &[u8], number: u8, frames: &[u8]) -> Vec<u8> {
        let mut nonce = self.nonce;
        nonce[NONCE - 1] ^= number;
        let mut head = header.to_vec();
        let number_at = head.len();
        head.push(number);
        let mut body = frames.to_vec();
        let tag = self
            .packet
            .encrypt_inout_detached(&nonce.into(), &head, InOutBuf::from(&mut body[..]))
            .expect("a packet is short");
        let mut whole = [head, body, tag.to_vec()].concat();
        let sample: [u8; SAMPLE] = whole[number_at + MAX_NUMBER..][..SAMPLE].try_into().unwrap();
        let mut mask = sample.into();
        self.header.encrypt_block(&mut mask);
        whole[0] ^= mask[0] & 0x0f;
        whole[number_at] ^= mask[1];
        whole
    }
}

/// HKDF-Expand-Label of TLS 1.3 (RFC 8446, section 7.1), without context.
fn expand(secret: &Hkdf<Sha256>, label: &[u8], out: &mut [u8]) -> Option<()> {
    const PREFIX: &[u8] = b"tls13 ";
    let len = u16::try_from(out.len()).ok()?.to_be_bytes();
    let label_len = [u8::try_from(PREFIX.len() + label.len()).ok()?];
    secret.expand_multi_info(&[&len, &label_len, PREFIX, label, &[0]], out).ok()
}
