//! The Internet checksum (RFC 1071), its pseudo headers (RFC 768, 9293, 8200), its incremental update (RFC 1624), and
//! SCTP's CRC32c (RFC 9260, appendix A).

use crate::base::{Addr, Family};

/// A ones' complement sum that is still open.
#[derive(Copy, Clone, Debug, Default)]
pub struct Sum(u64);

impl Sum {
    /// Adds bytes as big-endian 16-bit words. An odd last byte is padded with zero: only the last piece may be odd.
    pub fn bytes(self, bytes: &[u8]) -> Sum {
        let (words, tail) = bytes.as_chunks::<4>();
        // 65,535 bytes of 32-bit words sum to less than 2^47: the carries wait in the upper half until `finish`.
        let mut sum = words.iter().fold(self.0, |sum, w| sum + u64::from(u32::from_be_bytes(*w)));
        let mut last = [0u8; 4];
        for (to, from) in last.iter_mut().zip(tail) {
            *to = *from;
        }
        sum += u64::from(u32::from_be_bytes(last));
        Sum(sum)
    }

    pub fn word(self, word: u16) -> Sum {
        Sum(self.0 + u64::from(word))
    }

    /// The pseudo header of TCP, UDP and ICMPv6. IPv4 and IPv6 differ in layout but sum to the same form.
    pub fn pseudo_header(self, family: Family, src: Addr, dst: Addr, proto: u8, len: u32) -> Sum {
        let addresses = match family {
            Family::V4 => self.bytes(&(src.0 as u32).to_be_bytes()).bytes(&(dst.0 as u32).to_be_bytes()),
            Family::V6 => self.bytes(&src.0.to_be_bytes()).bytes(&dst.0.to_be_bytes()),
        };
        addresses.bytes(&len.to_be_bytes()).word(u16::from(proto))
    }

    /// The checksum as it stands in a header.
    pub fn finish(self) -> u16 {
        let mut sum = self.0;
        while sum >> 16 != 0 {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }
}

/// The checksum of `bytes`; 0 when `bytes` contain a right checksum.
pub fn internet(bytes: &[u8]) -> u16 {
    Sum::default().bytes(bytes).finish()
}

/// The checksum after one 16-bit word of what it covers changed from `old` to `new` (RFC 1624, equation 3).
pub fn update(checksum: u16, old: u16, new: u16) -> u16 {
    let mut sum = u32::from(!checksum) + u32::from(!old) + u32::from(new);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    !(sum as u16)
}

/// Castagnoli's polynomial, bits reversed.
const CRC32C: u32 = 0x82f6_3b78;

const CRC32C_TABLE: [u32; 256] = {
    let mut table = [0u32; 256];
    let mut i = 0;
    while i < 256 {
        let mut crc = i as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ CRC32C } else { crc >> 1 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
};

/// CRC32c over pieces, as if they were one.
pub fn crc32c(pieces: &[&[u8]]) -> u32 {
    let step = |crc: u32, byte: &u8| (crc >> 8) ^ CRC32C_TABLE[usize::from(crc as u8 ^ byte)];
    !pieces.iter().fold(u32::MAX, |crc, piece| piece.iter().fold(crc, step))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 1071 word by word, folding at once.
    fn slow(bytes: &[u8]) -> u16 {
        let mut sum = 0u32;
        for pair in bytes.chunks(2) {
            sum += u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }

    proptest! {
        #[test]
        fn the_sum_of_wide_words_is_the_sum_of_words(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            prop_assert_eq!(internet(&bytes), slow(&bytes));
        }

        #[test]
        fn an_update_is_as_good_as_a_new_sum(mut bytes in prop::collection::vec(1u8.., 20..40), at in 0usize..10, new: u16) {
            let before = internet(&bytes);
            let old = u16::from_be_bytes([bytes[at * 2], bytes[at * 2 + 1]]);
            bytes[at * 2..at * 2 + 2].copy_from_slice(&new.to_be_bytes());
            prop_assert_eq!(update(before, old, new), internet(&bytes));
        }
    }

    #[test]
    fn an_example_of_rfc_1071_and_the_check_value_of_crc32c() {
        assert_eq!(internet(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
        assert_eq!(crc32c(&[b"1234", b"56789"]), 0xe306_9283);
    }
}
