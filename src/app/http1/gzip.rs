//! The header of a gzip member (RFC 1952), in pieces. Flags that nobody defined, sums and times are overlooked, as
//! browsers do.

const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
const HEADER_SUM: u8 = 2;

/// Bytes before the optional parts.
const FIXED: u8 = 10;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Part {
    Fixed(u8),
    ExtraLength,
    ExtraLengthHigh(u8),
    Extra(u16),
    Name,
    Comment,
    Sum(u8),
    Done,
}

#[derive(Clone, Debug)]
pub(super) struct GzipHeader {
    part: Part,
    flags: u8,
}

impl GzipHeader {
    pub(super) fn new() -> GzipHeader {
        GzipHeader { part: Part::Fixed(0), flags: 0 }
    }

    /// Of a member whose first two bytes were taken.
    pub(super) fn behind_magic() -> GzipHeader {
        GzipHeader { part: Part::Fixed(2), flags: 0 }
    }

    /// Whether the bytes begin as a member does; `None` while there are too few.
    pub(super) fn begins(bytes: &[u8]) -> Option<bool> {
        const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
        let seen = bytes.get(..MAGIC.len()).unwrap_or(bytes);
        match MAGIC.starts_with(seen) {
            true if seen.len() < MAGIC.len() => None,
            alike => Some(alike),
        }
    }

    /// Takes the header's bytes; true when it is whole.
    pub(super) fn take(&mut self, input: &mut &[u8]) -> bool {
        while self.part != Part::Done {
            let Some((&byte, rest)) = input.split_first() else { return false };
            *input = rest;
            self.part = self.step(byte);
        }
        true
    }

    fn step(&mut self, byte: u8) -> Part {
        match self.part {
            Part::Fixed(at) => {
                if at == 3 {
                    self.flags = byte;
                }
                if at + 1 < FIXED { Part::Fixed(at + 1) } else { self.after(0) }
            }
            Part::ExtraLength => Part::ExtraLengthHigh(byte),
            Part::ExtraLengthHigh(low) => match u16::from_le_bytes([low, byte]) {
                0 => self.after(EXTRA),
                length => Part::Extra(length),
            },
            Part::Extra(1) => self.after(EXTRA),
            Part::Extra(left) => Part::Extra(left - 1),
            Part::Name if byte == 0 => self.after(NAME),
            Part::Comment if byte == 0 => self.after(COMMENT),
            Part::Sum(left) if left > 1 => Part::Sum(left - 1),
            Part::Sum(_) => Part::Done,
            same => same,
        }
    }

    /// The next optional part behind that of this flag, in the order in which they stand.
    fn after(&self, flag: u8) -> Part {
        let order = [
            (EXTRA, Part::ExtraLength),
            (NAME, Part::Name),
            (COMMENT, Part::Comment),
            (HEADER_SUM, Part::Sum(2)),
        ];
        let passed = order.iter().position(|(f, _)| *f == flag).map_or(0, |at| at + 1);
        let next = order.iter().skip(passed).find(|(f, _)| self.flags & f != 0);
        next.map_or(Part::Done, |(_, part)| *part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn optional_parts_are_jumped_over() {
        let fixed = |flags: u8| vec![0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3];
        let with = |flags: u8, more: &[u8]| [fixed(flags), more.to_vec(), b"data".to_vec()].concat();
        for input in [
            with(0, b""),
            with(0xe1, b""),
            with(EXTRA, b"\0\0"),
            with(EXTRA, b"\x02\0xy"),
            with(NAME, b"name\0"),
            with(COMMENT, b"\0"),
            with(HEADER_SUM, b"ab"),
            with(EXTRA | NAME | COMMENT | HEADER_SUM, b"\x01\0xn\0c\0ab"),
        ] {
            for size in 1..input.len() {
                let (mut header, mut left) = (GzipHeader::new(), Vec::new());
                for mut piece in input.chunks(size) {
                    if header.take(&mut piece) {
                        left.extend_from_slice(piece);
                    }
                }
                assert_eq!(left, b"data", "{input:?} by {size}");
            }
        }
        assert_eq!(GzipHeader::begins(&[0x1f]), None);
        assert_eq!(GzipHeader::begins(&[0x1f, 0x8b, 8, 0]), Some(true));
        assert_eq!(GzipHeader::begins(b"X5"), Some(false));
    }
}
