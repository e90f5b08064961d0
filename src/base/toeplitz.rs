//! The Toeplitz hash of NICs, under the key that makes it symmetric: `6d 5a` over and over.
//!
//! Each set bit of the input adds (XOR) the 32 bits of the key that begin at its place. This key is the same again every 16
//! bits, so bits that stand 16 apart add the same, and the hash is one of the XOR of the input's 16-bit words: the order of
//! words, and so the direction of a packet, makes no difference, and two table lookups give what a NIC computes bit by bit.

/// The key's word.
pub const KEY_WORD: u16 = 0x6d5a;

/// What the upper and the lower byte of a word add; the hash's two halves are alike, so one half is kept.
static TABLES: [[u16; 256]; 2] = [table(8), table(0)];

const fn table(shift: u32) -> [u16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        let word = (byte as u16) << shift;
        let mut bit = 0;
        while bit < 16 {
            if word & (0x8000 >> bit) != 0 {
                table[byte] ^= KEY_WORD.rotate_left(bit);
            }
            bit += 1;
        }
        byte += 1;
    }
    table
}

/// The hash of any input whose 16-bit words' XOR is `folded`.
#[inline]
pub fn toeplitz(folded: u16) -> u32 {
    let [upper, lower] = folded.to_be_bytes();
    let half = TABLES[0][usize::from(upper)] ^ TABLES[1][usize::from(lower)];
    u32::from(half) << 16 | u32::from(half)
}

/// The XOR of a number's eight 16-bit words.
#[inline]
pub fn fold(words: u128) -> u16 {
    let x = (words >> 64) as u64 ^ words as u64;
    let x = (x >> 32) as u32 ^ x as u32;
    (x >> 16) as u16 ^ x as u16
}

/// The queue that entry `entry` of a redirection table names when the table repeats after `period` entries, a power of two:
/// tables of different sizes then give one hash, which is cut to their size, to the same queue.
#[inline]
pub fn queue(period: u32, entry: u32, queues: u32) -> u32 {
    (entry & period.wrapping_sub(1)) % queues.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As the NIC's manual has it: any key, bit by bit.
    fn plain(key: &[u8], input: &[u8]) -> u32 {
        let bit = |bytes: &[u8], at: usize| bytes[at / 8] >> (7 - at % 8) & 1 == 1;
        let window = |at: usize| (at..at + 32).fold(0, |bits, at| bits << 1 | u32::from(bit(key, at)));
        (0..input.len() * 8).filter(|&at| bit(input, at)).fold(0, |hash, at| hash ^ window(at))
    }

    #[test]
    fn the_model_is_the_hash_of_the_published_examples() {
        // The verification suite of Microsoft's "RSS Hashing Functions".
        let key = [
            0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0,
            0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c,
            0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
        ];
        let input = [66, 9, 149, 187, 161, 142, 100, 80, 0x0a, 0xea, 0x06, 0xe6];
        assert_eq!((plain(&key, &input), plain(&key, &input[..8])), (0x51cc_c178, 0x323e_8fc2));
    }

    proptest! {
        #[test]
        fn it_is_toeplitz_under_the_symmetric_key(
            src: u128, dst: u128, sport: u16, dport: u16, v4: bool, ports: bool,
        ) {
            let key = [KEY_WORD.to_be_bytes(); 20].concat();
            let (src, dst) = if v4 { (src >> 96, dst >> 96) } else { (src, dst) };
            let address = |a: u128| a.to_be_bytes()[if v4 { 12 } else { 0 }..].to_vec();
            let mut input = [address(src), address(dst)].concat();
            let mut folded = fold(src ^ dst);
            if ports {
                input.extend([sport.to_be_bytes(), dport.to_be_bytes()].concat());
                folded ^= sport ^ dport;
            }
            prop_assert_eq!(toeplitz(folded), plain(&key, &input));
        }
    }

    #[test]
    fn different_words_have_different_hashes() {
        let mut seen = vec![false; 1 << 16];
        for word in 0..=u16::MAX {
            assert!(!std::mem::replace(&mut seen[toeplitz(word) as usize & 0xffff], true), "{word}");
        }
    }
}
