//! A message behind its length, of which a beginning is kept and the rest stepped over: for protocols whose messages may be
//! longer than is worth keeping. Where longer ones end decoding, see [`Carry`](super::Carry).

use super::carry::Framed;
use super::limits::let_go;

/// What more bytes made of the message.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    Part,
    /// It is whole, or its end was stepped over: then `cut`.
    Whole {
        cut: bool,
    },
    /// These bytes are no message.
    Broken,
}

/// The message under way.
#[derive(Clone, Debug, Default)]
pub struct Clipped {
    bytes: Vec<u8>,
    /// Its length, once known.
    len: Option<usize>,
    /// Bytes of it that have not come.
    left: usize,
    /// Some of it was not kept.
    cut: bool,
}

impl Clipped {
    /// What is kept of the message.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// On to the next message.
    pub fn clear(&mut self) {
        let_go(&mut self.bytes);
        (self.len, self.left, self.cut) = (None, 0, false);
    }

    /// So many bytes are missing. Whether they were all the message's: if not, the next are taken for a message's first.
    pub fn gap(&mut self, missing: u64) -> bool {
        match usize::try_from(missing) {
            Ok(missing) if self.len.is_some() && missing < self.left => {
                self.left -= missing;
                self.cut = true;
                true
            }
            _ => {
                self.clear();
                false
            }
        }
    }

    /// More of the message: as much of `rest` as belongs to it, of which `most` bytes are kept. `frame` says how long it is
    /// by its first bytes; it is asked with one byte more each time, until it knows.
    pub fn take(&mut self, rest: &mut &[u8], most: usize, frame: impl Fn(&[u8]) -> Framed) -> Taken {
        while self.len.is_none() {
            let Some((&byte, later)) = rest.split_first() else { return Taken::Part };
            self.bytes.push(byte);
            *rest = later;
            match frame(&self.bytes) {
                Framed::Whole(len) => {
                    self.left = len.saturating_sub(self.bytes.len());
                    self.len = Some(len);
                }
                Framed::Need(_) if self.bytes.len() < most => {}
                Framed::Need(_) | Framed::Broken => return Taken::Broken,
            }
        }
        let (now, later) = rest.split_at(self.left.min(rest.len()));
        *rest = later;
        self.left -= now.len();
        // A gap within: what follows has lost its place.
        let room = if self.cut { 0 } else { most.saturating_sub(self.bytes.len()) };
        self.bytes.extend_from_slice(now.get(..room.min(now.len())).unwrap_or_default());
        self.cut |= now.len() > room;
        if self.left == 0 { Taken::Whole { cut: self.cut } } else { Taken::Part }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two bytes of length, then so many.
    fn frame(bytes: &[u8]) -> Framed {
        match bytes {
            [0xff, ..] => Framed::Broken,
            [high, low, ..] => Framed::Whole(2 + usize::from(*high) * 256 + usize::from(*low)),
            _ => Framed::Need(2),
        }
    }

    #[test]
    fn long_messages_are_cut_and_stepped_over_however_they_come() {
        let input = [&[0, 3][..], b"abc", &[1, 0], &[b'x'; 256], &[0, 0], &[0, 1], b"z"].concat();
        for size in 1..input.len() {
            let (mut clipped, mut found) = (Clipped::default(), Vec::new());
            for mut piece in input.chunks(size) {
                while !piece.is_empty() {
                    match clipped.take(&mut piece, 10, frame) {
                        Taken::Part => {}
                        Taken::Broken => panic!("no message"),
                        Taken::Whole { cut } => {
                            found.push((clipped.bytes().len(), cut));
                            clipped.clear();
                        }
                    }
                }
            }
            assert_eq!(found, [(5, false), (10, true), (2, false), (3, false)], "in pieces of {size}");
        }
        assert_eq!(Clipped::default().take(&mut &[0xff, 0][..], 10, frame), Taken::Broken);
    }

    #[test]
    fn a_gap_within_a_message_leaves_the_next_in_place() {
        let mut clipped = Clipped::default();
        assert_eq!(clipped.take(&mut &[0, 9, 1, 2][..], 10, frame), Taken::Part);
        assert!(clipped.gap(4));
        let mut rest = &[3, 4, 5, 0, 1][..];
        assert_eq!(clipped.take(&mut rest, 10, frame), Taken::Whole { cut: true });
        assert_eq!((clipped.bytes(), rest), (&[0, 9, 1, 2][..], &[0, 1][..]));
        clipped.clear();
        clipped.take(&mut &[0, 9, 1, 2][..], 10, frame);
        assert!(!clipped.gap(7), "up to its end or beyond");
    }
}
