//! Bytes of a message that has not come whole: for decoders, which are given each byte once.

use super::limits::{KEPT, let_go};

/// What a look at the bytes so far says.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Framed {
    /// A message of so many bytes begins here.
    Whole(usize),
    /// Look again when at least so many bytes are there.
    Need(usize),
    /// These bytes are no message: the caller gives up.
    Broken,
}

/// An unfinished message, at most as long as its owner allows.
#[derive(Clone, Debug, Default)]
pub struct Carry {
    bytes: Vec<u8>,
    /// Looking before so many are there is in vain.
    need: usize,
}

impl Carry {
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// As new; memory beyond [`KEPT`] is given back.
    pub fn reset(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
        self.need = 0;
    }

    /// Cuts `input` into messages: `frame` says how long the one that begins is, `take` gets each whole one (and returns
    /// false to stop). Whole messages are not copied when they came in one piece. False when `frame` said
    /// [`Framed::Broken`], a message would be longer than `most`, or `take` stopped.
    pub fn cut(
        &mut self,
        mut input: &[u8],
        most: usize,
        mut frame: impl FnMut(&[u8]) -> Framed,
        mut take: impl FnMut(&[u8]) -> bool,
    ) -> bool {
        while !self.bytes.is_empty() {
            let want = self.need.max(self.bytes.len() + 1) - self.bytes.len();
            let (now, later) = input.split_at(want.min(input.len()));
            self.bytes.extend_from_slice(now);
            input = later;
            if self.bytes.len() < self.need {
                return true;
            }
            match frame(&self.bytes) {
                Framed::Whole(len) if len <= self.bytes.len() => {
                    let keep = self.bytes.len() - len;
                    let message = std::mem::take(&mut self.bytes);
                    let on = take(message.get(..len).unwrap_or_default());
                    self.bytes = message;
                    self.bytes.copy_within(len.., 0);
                    self.bytes.truncate(keep);
                    if keep == 0 {
                        let_go(&mut self.bytes);
                    }
                    self.need = 0;
                    if !on {
                        return false;
                    }
                }
                Framed::Whole(len) | Framed::Need(len) if len <= most => {
                    self.need = len.max(self.bytes.len() + 1);
                    if input.is_empty() {
                        return true;
                    }
                }
                _ => return false,
            }
        }
        while !input.is_empty() {
            match frame(input) {
                Framed::Whole(len) if len <= input.len() => {
                    let (message, rest) = input.split_at(len.max(1));
                    input = rest;
                    if !take(message) {
                        return false;
                    }
                }
                Framed::Whole(len) | Framed::Need(len) if len <= most => {
                    self.bytes.extend_from_slice(input);
                    self.need = len.max(input.len() + 1);
                    return true;
                }
                _ => return false,
            }
        }
        true
    }

    /// Adds bytes up to `most` in all; whether all had room.
    pub fn push(&mut self, bytes: &[u8], most: usize) -> bool {
        let room = most.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
        bytes.len() <= room
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn clear(&mut self) {
        let_go(&mut self.bytes);
        self.need = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A byte of length, then so many bytes; 255 is broken.
    fn frame(bytes: &[u8]) -> Framed {
        match bytes {
            [] => Framed::Need(1),
            [255, ..] => Framed::Broken,
            [len, ..] => Framed::Whole(usize::from(*len) + 1),
        }
    }

    #[test]
    fn messages_come_whole_however_the_bytes_are_cut() {
        let input = [2, b'a', b'b', 0, 3, b'c', b'd', b'e', 1, b'f', 5, b'x'];
        let whole: Vec<Vec<u8>> =
            vec![vec![2, b'a', b'b'], vec![0], vec![3, b'c', b'd', b'e'], vec![1, b'f']];
        for size in 1..=input.len() {
            let mut carry = Carry::default();
            let mut found = Vec::new();
            for piece in input.chunks(size) {
                assert!(carry.cut(piece, 100, frame, |m| {
                    found.push(m.to_vec());
                    true
                }));
            }
            assert_eq!(found, whole, "in pieces of {size}");
            assert_eq!(carry.bytes(), [5, b'x']);
        }
    }

    #[test]
    fn what_is_too_long_or_broken_ends_it() {
        let mut carry = Carry::default();
        assert!(!carry.cut(&[200, 1], 100, frame, |_| true));
        assert!(!Carry::default().cut(&[0, 255], 100, frame, |_| true));
        assert!(!Carry::default().cut(&[0, 0], 100, frame, |_| false));
    }
}
