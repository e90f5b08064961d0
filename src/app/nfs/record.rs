//! Records of a stream (RFC 5531, 11): the head of each comes first, the data of a read or write after it in pieces.

use crate::app::Carry;

/// Of the mark before each fragment of a record.
pub const MARK: usize = 4;
/// Bytes of a record that are looked into: all but the data of reads and writes fits.
pub const HEAD: usize = 1024;
/// A fragment's length at most; what says more is no mark.
const MAX_FRAGMENT: u32 = 16 << 20;

/// The length that a mark says.
fn len_of(mark: [u8; MARK]) -> u32 {
    u32::from_be_bytes(mark) & 0x7fff_ffff
}

/// Whether a stream may begin so.
pub fn is_plausible(bytes: &[u8]) -> bool {
    bytes.first_chunk().is_some_and(|mark| (20..=MAX_FRAGMENT).contains(&len_of(*mark)))
}

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
enum At {
    #[default]
    Mark,
    /// The head of a record of so many bytes.
    Head(u32),
    /// Data of a read or write, then so many bytes that mean nothing.
    Data(u32, u32),
}

/// What comes of a stream.
pub enum Piece<'a> {
    /// A record's head. Says where in it data begins and how long that is.
    Head(&'a [u8]),
    Data(&'a [u8]),
    DataEnds,
}

/// One direction of a stream.
#[derive(Debug, Default)]
pub struct Records {
    at: At,
    carry: Carry,
}

impl Records {
    pub fn reset(&mut self) {
        self.at = At::Mark;
        self.carry.reset();
    }

    /// Loses so many bytes; false when it cannot tell where it is any more.
    pub fn lose(&mut self, missing: u64) -> bool {
        let At::Data(left, after) = self.at else { return false };
        let Some(missing) = u32::try_from(missing).ok().filter(|missing| *missing <= left + after) else {
            return false;
        };
        let of_data = missing.min(left);
        self.go(left - of_data, after - (missing - of_data));
        true
    }

    fn go(&mut self, data: u32, after: u32) {
        self.at = if data + after == 0 { At::Mark } else { At::Data(data, after) };
    }

    /// Hands on what there is; `take` answers a head with the place and length of its data. False on what is no record.
    pub fn cut(&mut self, input: &[u8], take: &mut dyn FnMut(Piece<'_>) -> Option<(usize, u32)>) -> bool {
        let mut input = input;
        while !input.is_empty() {
            if let At::Data(data, after) = self.at {
                let len = input.len().min((data + after) as usize);
                let (now, later) = input.split_at(len);
                input = later;
                let of_data = len.min(data as usize);
                if of_data > 0 {
                    take(Piece::Data(now.get(..of_data).unwrap_or_default()));
                }
                if data > 0 && of_data == data as usize {
                    take(Piece::DataEnds);
                }
                self.go(data - of_data as u32, after - (len - of_data) as u32);
                continue;
            }
            let need = match self.at {
                At::Head(len) => (len as usize).min(HEAD),
                _ => MARK,
            };
            if self.carry.is_empty() && input.len() >= need {
                let (now, later) = input.split_at(need);
                input = later;
                if !self.whole(now, take) {
                    return false;
                }
                continue;
            }
            let (now, later) = input.split_at((need - self.carry.len()).min(input.len()));
            self.carry.push(now, HEAD);
            input = later;
            if self.carry.len() == need {
                let mut carry = std::mem::take(&mut self.carry);
                let on = self.whole(carry.bytes(), take);
                carry.clear();
                self.carry = carry;
                if !on {
                    return false;
                }
            }
        }
        true
    }

    fn whole(&mut self, bytes: &[u8], take: &mut dyn FnMut(Piece<'_>) -> Option<(usize, u32)>) -> bool {
        match (self.at, bytes.first_chunk()) {
            (At::Head(len), _) => {
                let data = take(Piece::Head(bytes));
                let rest = len.saturating_sub(bytes.len() as u32);
                let Some((from, all)) = data else {
                    self.go(0, rest);
                    return true;
                };
                let here = bytes.get(from..).unwrap_or_default();
                let here = here.get(..here.len().min(all as usize)).unwrap_or_default();
                if !here.is_empty() {
                    take(Piece::Data(here));
                }
                let left = (all - here.len() as u32).min(rest);
                if left == 0 {
                    take(Piece::DataEnds);
                }
                self.go(left, rest - left);
            }
            (_, Some(mark)) => {
                let len = len_of(*mark);
                if len > MAX_FRAGMENT {
                    return false;
                }
                self.at = if len == 0 { At::Mark } else { At::Head(len) };
            }
            _ => {}
        }
        true
    }
}
