//! Which bytes of a pattern to look for: its windows, chosen where real traffic shows least.
//!
//! A filter that looks at every S-th position of a block meets each occurrence at exactly one of S phases, so a pattern
//! is filed under S windows, one a phase: for phase r, any offset that leaves r when divided by S will do, and the rarest
//! is taken. Windows stand within a pattern's first [`REACH`] bytes: what streaming keeps of a chunk is bounded by that.

/// Bytes a window has; the last windows of a short pattern may lack the fourth, or the third too.
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
/// What it pays each time the number of patterns filed under it doubles.
const CROWD: u32 = 4;
/// Counters of windows chosen so far, log 2.
pub(super) const COUNTERS: u32 = 14;

/// Bytes that text is made of: a filter may skip all else if all its windows are text.
pub(super) fn is_text(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\r' | b'\n' | 0x20..=0x7e)
}

/// Chooses windows, and remembers which: a window that many patterns have is a long list to compare.
pub(super) struct Chooser {
    stride: usize,
    taken: Box<[u8]>,
}

impl Chooser {
    pub(super) fn new(stride: usize) -> Chooser {
        Chooser { stride, taken: vec![0; 1 << COUNTERS].into() }
    }

    /// Offset of the window of `pattern` at `phase` to look for; `None` if the pattern is too short for one, or has none
    /// of text where only `text` will do.
    pub(super) fn choose(&mut self, pattern: &[u8], phase: usize, text: bool) -> Option<usize> {
        let offsets = offsets(pattern, phase, self.stride).filter(|&at| !text || stands_in_text(pattern, at));
        let at = offsets.min_by_key(|&at| {
            let taken = self.taken[counter(window(pattern, at))];
            rarity(window(pattern, at)) + CROWD * (u32::from(taken) + 1).ilog2()
        })?;
        let taken = &mut self.taken[counter(window(pattern, at))];
        *taken = taken.saturating_add(1);
        Some(at)
    }
}

/// Whether `pattern` has, at each phase, a window of text.
pub(super) fn has_text(pattern: &[u8], stride: usize) -> bool {
    (0..stride).all(|phase| offsets(pattern, phase, stride).any(|at| stands_in_text(pattern, at)))
}

/// The bytes of the window at `at`: four, or what the pattern's first [`REACH`] bytes have.
pub(super) fn window(pattern: &[u8], at: usize) -> &[u8] {
    let end = pattern.len().min(REACH).min(at + WINDOW);
    pattern.get(at..end).unwrap_or_default()
}

fn offsets(pattern: &[u8], phase: usize, stride: usize) -> impl Iterator<Item = usize> {
    (phase..(pattern.len().min(REACH) + 1).saturating_sub(SHORTEST)).step_by(stride)
}

/// A window that lacks bytes counts the byte before it: the gate relies on as many neighbours being text.
fn stands_in_text(pattern: &[u8], at: usize) -> bool {
    let from = if window(pattern, at).len() < WINDOW { at.saturating_sub(1) } else { at };
    window(pattern, at).iter().chain(&pattern[from..at]).all(|&b| is_text(b))
}

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

    fn choose(pattern: &[u8], phase: usize, stride: usize) -> Option<usize> {
        Chooser::new(stride).choose(pattern, phase, false)
    }

    #[test]
    fn the_rarest_window_is_not_the_common_prefix() {
        assert!(choose(b"the zqxj", 0, 1) > Some(2));
        assert_eq!(choose(b"the zqxj", 1, 2), Some(3));
        assert_eq!(choose(b"abcd", 0, 2), Some(0));
    }

    #[test]
    fn a_short_pattern_has_short_last_windows() {
        assert_eq!(choose(b"abcd", 1, 2).map(|at| window(b"abcd", at)), Some(&b"bcd"[..]));
        assert_eq!(choose(b"abc", 1, 2).map(|at| window(b"abc", at)), Some(&b"bc"[..]));
        assert_eq!(choose(b"ab", 1, 2), None);
    }

    #[test]
    fn windows_stay_within_reach() {
        let mut pattern = vec![b'e'; 40];
        pattern[20..24].copy_from_slice(b"~~~~");
        for stride in [1, 2, 4] {
            for phase in 0..stride {
                let at = choose(&pattern, phase, stride).unwrap();
                assert!(at + window(&pattern, at).len() <= REACH && at % stride == phase, "{at}");
            }
        }
    }

    #[test]
    fn a_crowded_window_is_left_for_another() {
        let mut chooser = Chooser::new(1);
        let first = chooser.choose(b"qqzzxxxx", 0, false);
        let others: Vec<_> = (0..40).map(|_| chooser.choose(b"qqzzxxxx", 0, false)).collect();
        assert!(others.iter().any(|at| *at != first));
    }

    #[test]
    fn text_is_asked_of_every_phase() {
        assert!(has_text(b"abcdefgh", 2) && has_text(b"\0abcdef", 2) && has_text(b"abc", 2));
        assert!(!has_text(b"a\0b\0c\0d\0", 2) && !has_text(b"ab\0", 2) && !has_text(b"\0bcd", 2));
    }
}
