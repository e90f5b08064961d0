//! Which bytes of a pattern to look for: its window, and how rare it is in real traffic.
//!
//! Windows stand within a pattern's first [`REACH`] bytes: what streaming keeps of a chunk is bounded by that.

/// Bytes a window has; that of a short pattern may lack the fourth, or the third too.
pub(super) const WINDOW: usize = 4;
/// The least a window has.
pub(super) const SHORTEST: usize = 2;
/// Windows end within this many bytes of their pattern's begin.
pub(super) const REACH: usize = 16;
/// Set in every byte of a window before it is compared: upper and lower case become one.
pub(super) const FOLD: u8 = 0x20;

/// What a window pays for each byte it lacks, and for each that repeats its neighbour (padding and runs).
const LACK: u32 = 14;
const ZERO: u32 = 3;
/// Values of [`counter`], log 2.
pub(super) const COUNTERS: u32 = 14;

/// Bytes that text is made of.
pub(super) fn is_text(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\r' | b'\n' | 0x20..=0x7e)
}

/// The bytes of the window at `at`: four, or what the pattern's first [`REACH`] bytes have.
pub(super) fn window(pattern: &[u8], at: usize) -> &[u8] {
    let end = pattern.len().min(REACH).min(at + WINDOW);
    pattern.get(at..end).unwrap_or_default()
}

/// A hash of the window by which to count it.
pub(super) fn counter(window: &[u8]) -> usize {
    let word = window.iter().fold(0u32, |word, &b| word << 8 | u32::from(b | FOLD));
    (word.wrapping_mul(0x9e37_79b1) >> (32 - COUNTERS)) as usize
}

/// How often a window may be met: the lower the rarer.
pub(super) fn rarity(window: &[u8]) -> u32 {
    let zeroes = window.iter().filter(|&&b| b == 0).count() as u32;
    let pairs = window.windows(2).map(|pair| super::pairs::commonness(pair[0], pair[1])).sum::<u32>();
    pairs + zeroes * ZERO + LACK * WINDOW.saturating_sub(window.len()) as u32
}

/// Above this a window is met too often: such are runs of zeroes, and three common bytes.
const RARE: u32 = 40;

/// Whether some window of the pattern is rare, which one of two bytes is not.
pub(super) fn is_rare(pattern: &[u8]) -> bool {
    let windows = (0..pattern.len().min(REACH)).map(|at| window(pattern, at));
    windows.filter(|window| window.len() > SHORTEST).any(|window| rarity(window) <= RARE)
}

/// As [`rarity`], of any number of bytes: what is not there could be anything.
pub(super) fn rarity_of(bytes: &[u8]) -> i32 {
    -bytes.iter().map(|&b| 11 - i32::from(commonness(b))).sum::<i32>()
}

/// How often a byte is met in payload, roughly, 0 to 10: the letters of headers and text, zeroes and blanks lead.
pub(in crate::inspect) fn commonness(byte: u8) -> u8 {
    COMMONNESS[usize::from(byte)]
}

static COMMONNESS: [u8; 256] = {
    let mut table = [0; 256];
    let mut n = 0;
    while n < table.len() {
        table[n] = match (n as u8).to_ascii_lowercase() {
            0 => 10,
            b' ' | b'e' | b't' | b'a' => 9,
            b'o' | b'i' | b'n' | b's' | b'r' => 8,
            b'\r' | b'\n' | b'c' | b'd' | b'l' | b'/' | b'.' | b'p' => 7,
            b'0' | b'1' | b'm' | b'h' | b'u' | b':' | b'-' | b'=' => 6,
            b'2'..=b'9' | b'f' | b'g' | b'b' | b'w' | b'"' | b'<' | b'>' | 0xff => 5,
            b'a'..=b'z' | b',' | b';' | b'_' | b'(' | b')' | b'&' | 1 => 4,
            0x21..=0x7e => 3,
            _ => 2,
        };
        n += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_ends_where_its_pattern_does_or_out_of_reach() {
        assert_eq!(
            (window(b"abcdef", 1), window(b"abc", 0), window(b"ab", 0)),
            (&b"bcde"[..], &b"abc"[..], &b"ab"[..])
        );
        assert_eq!(window(&[0; 40], 14).len(), 2);
        assert_eq!(window(b"abc", 7), b"");
    }

    #[test]
    fn what_is_short_or_padding_is_not_rare() {
        for rare in [&b"abcd"[..], b"the ", b"\xffSMB", b"zqx", b"\0\0\0\0abcd"] {
            assert!(is_rare(rare), "{rare:?}");
        }
        for common in [&b"zq"[..], b"z", b"", b"\0\0\0\0\0\0"] {
            assert!(!is_rare(common), "{common:?}");
        }
    }

    #[test]
    fn what_text_is_full_of_is_common() {
        assert!(rarity(b"the ") > rarity(b"zqxj"));
        assert!(rarity(b"\0\0\0\0") > rarity(b"the "));
        assert!(rarity(b"zqx") > rarity(b"zqxj"), "what lacks a byte pays for it");
    }
}
