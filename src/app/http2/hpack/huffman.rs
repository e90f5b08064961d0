//! HPACK's Huffman code (RFC 7541, 5.2 and appendix B). It is canonical: the lengths of the codes say all.

/// Of the code of each byte, in bits.
#[rustfmt::skip]
const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];

/// The longest code.
const MAX_BITS: usize = 30;

/// The bytes of codes that are equally long.
#[derive(Copy, Clone)]
struct Group {
    /// The first code, and the first behind the last, at the upper end of 32 bits.
    first: u32,
    end: u64,
    /// Place of the first code's byte among those ordered by their codes.
    at: usize,
}

const EMPTY: Group = Group { first: 0, end: 0, at: 0 };
const TABLES: ([Group; MAX_BITS + 1], [u8; 256]) = tables();

const fn tables() -> ([Group; MAX_BITS + 1], [u8; 256]) {
    let (mut groups, mut bytes) = ([EMPTY; MAX_BITS + 1], [0; 256]);
    let (mut code, mut at, mut bits): (u64, usize, usize) = (0, 0, 1);
    while bits <= MAX_BITS {
        code <<= 1;
        let (first, from) = (code, at);
        let mut byte = 0;
        while byte < 256 {
            if LENGTHS[byte] as usize == bits {
                bytes[at] = byte as u8;
                at += 1;
                code += 1;
            }
            byte += 1;
        }
        let shift = 32 - bits;
        groups[bits] = Group { first: (first << shift) as u32, end: code << shift, at: from };
        bits += 1;
    }
    (groups, bytes)
}

/// The byte whose code begins these 32 bits, and the code's length. `None` for the code that ends a text.
fn symbol(window: u32) -> Option<(u8, u32)> {
    let (groups, bytes) = &TABLES;
    let (bits, group) = groups.iter().enumerate().skip(5).find(|(_, group)| u64::from(window) < group.end)?;
    let place = group.at + ((window.wrapping_sub(group.first)) >> (32 - bits)) as usize;
    Some((*bytes.get(place)?, bits as u32))
}

/// Appends what `coded` says, at most `most` bytes of it; false when it ends in a way that a text cannot.
pub fn decode(coded: &[u8], out: &mut Vec<u8>, most: usize) -> bool {
    let end = out.len().saturating_add(most);
    let (mut held, mut bits) = (0u64, 0u32);
    let mut rest = coded.iter();
    loop {
        while bits <= 56 {
            let Some(byte) = rest.next() else { break };
            held |= u64::from(*byte) << (56 - bits);
            bits += 8;
        }
        // Behind the last bit come ones, as padding has it.
        let window = (held | u64::MAX.checked_shr(bits).unwrap_or(0)) >> 32;
        match symbol(window as u32) {
            Some((byte, len)) if len <= bits => {
                if out.len() >= end {
                    return true;
                }
                out.push(byte);
                held <<= len;
                bits -= len;
            }
            // Fewer than eight bits, all ones, are padding.
            _ => return bits < 8 && held == !(u64::MAX.checked_shr(bits).unwrap_or(0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_standard_are_decoded() {
        // RFC 7541, C.4 and C.6.
        for (coded, text) in [
            (
                &[0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff][..],
                "www.example.com",
            ),
            (&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf], "no-cache"),
            (&[0x64, 0x02], "302"),
            (&[0xae, 0xc3, 0x77, 0x1a, 0x4b], "private"),
            (&[], ""),
        ] {
            let mut out = Vec::new();
            assert!(decode(coded, &mut out, 100), "{text}");
            assert_eq!(std::str::from_utf8(&out).unwrap(), text);
        }
    }

    #[test]
    fn wrong_padding_and_the_end_code_are_refused() {
        let mut out = Vec::new();
        assert!(!decode(&[0x64], &mut out, 100), "zeros as padding");
        assert!(!decode(&[0x64, 0x02, 0xff], &mut out, 100), "a byte of padding");
        assert!(!decode(&[0xff; 8], &mut out, 100), "the end's own code");
        out.clear();
        assert!(decode(&[0xae, 0xc3, 0x77, 0x1a, 0x4b], &mut out, 3) && out == b"pri");
    }
}
