//! Which bytes a filter takes for one: classes few enough that registers hold a table of all pairs.

use super::window::is_text;

/// The most classes of bytes that an alphabet has.
pub(super) const CLASSES: usize = 64;
/// Set in the class of a byte that a narrow alphabet has not.
pub(super) const NONE: u8 = 0x80;

/// Which bytes are one class: upper and lower case always.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// 63 classes from 1 on, 0 being left for bytes of no window: text.
    Text,
    /// As many for all bytes, each class of a few that seldom stand together.
    Wide,
    /// 32 classes: printable ASCII.
    NarrowText,
    /// As many for all bytes; it has a set to itself.
    NarrowWide,
}

impl Alphabet {
    pub(super) const ALL: [Alphabet; 4] =
        [Alphabet::Text, Alphabet::Wide, Alphabet::NarrowText, Alphabet::NarrowWide];

    pub(super) fn is_narrow(self) -> bool {
        matches!(self, Alphabet::NarrowText | Alphabet::NarrowWide)
    }

    pub(super) fn is_wide(self) -> bool {
        matches!(self, Alphabet::Wide | Alphabet::NarrowWide)
    }

    /// Whether a window of these bytes, two or more, may be of the alphabet.
    pub(super) fn has(self, window: &[u8]) -> bool {
        match self {
            Alphabet::Text => window.iter().all(|&b| is_text(b)),
            Alphabet::NarrowText => window.len() > 2 && window.iter().all(|b| (0x20..0x7f).contains(b)),
            Alphabet::Wide | Alphabet::NarrowWide => true,
        }
    }

    pub(super) const fn class(self, byte: u8) -> u8 {
        // What has no class of its own goes to the rarest of text.
        const SPARE: u8 = 62;
        const OWN: u8 = 32;
        match self {
            Alphabet::NarrowText => (byte & 15) ^ NARROW_TEXT[(byte >> 4) as usize],
            Alphabet::NarrowWide => (byte & 15) ^ NARROW_WIDE[(byte >> 4) as usize],
            Alphabet::Text | Alphabet::Wide => match byte {
                0x20 if matches!(self, Alphabet::Text) => OWN,
                0 if matches!(self, Alphabet::Wide) => OWN,
                b'@' | b'`' => SPARE,
                0x40..0x80 => OWN + (byte & 0x1f),
                0x80.. if byte & 0x3f == 0 => SPARE,
                0x80.. => byte & 0x3f,
                _ if byte & 0x1f == 0 => SPARE,
                _ => byte & 0x1f,
            },
        }
    }
}

/// A narrow class is a byte's low half, changed by what stands here for its high half. Digits fall upon the last letters
/// and what follows them.
pub(super) const NARROW_TEXT: [u8; 16] =
    [NONE, NONE, 14, 31, 0, 16, 0, 16, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE];
pub(super) const NARROW_WIDE: [u8; 16] = [0, 16, 14, 31, 0, 16, 0, 16, 5, 21, 10, 26, 3, 19, 12, 16];
