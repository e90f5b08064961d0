//! Records of a stream (RFC 5531, 11): the head of each comes first, the data of a read or write after it in pieces. A record is
//! in fragments of any length; what is read here is what they say together.

use crate::app::Carry;
use arrayvec::ArrayVec;

/// Of the mark before each fragment of a record.
pub const MARK: usize = 4;
/// Bytes of a record that are looked into: all but the data of reads and writes fits.
pub const HEAD: usize = 1024;
/// A fragment's length at most; what says more is no mark.
const MAX_FRAGMENT: u32 = 16 << 20;
/// Bytes of a record's beginning that tell what it is.
const TELLING: usize = 24;

/// What a mark says: its fragment's length, and whether the record ends with it.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
struct Mark {
    len: u32,
    last: bool,
}

impl Mark {
    fn of(bytes: [u8; MARK]) -> Option<Mark> {
        let word = u32::from_be_bytes(bytes);
        let mark = Mark { len: word & 0x7fff_ffff, last: word >> 31 == 1 };
        (mark.len <= MAX_FRAGMENT).then_some(mark)
    }

    /// A record that is nothing but its header has 20 bytes at least.
    fn is_plausible(self) -> bool {
        self.len >= if self.last { 20 } else { 1 }
    }
}

/// The first bytes of a stream's first record, without marks; `None` when the stream does not begin so.
pub fn beginning(bytes: &[u8]) -> Option<ArrayVec<u8, TELLING>> {
    let (mut told, mut bytes) = (ArrayVec::new(), bytes);
    let mut first = true;
    while let Some((mark, rest)) = bytes.split_first_chunk() {
        let mark = Mark::of(*mark).filter(|mark| !first || mark.is_plausible())?;
        let (now, later) = rest.split_at(rest.len().min(mark.len as usize));
        told.extend(now.iter().copied().take(told.remaining_capacity()));
        if mark.last || told.is_full() {
            break;
        }
        (bytes, first) = (later, false);
    }
    Some(told)
}

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
enum At {
    /// The head of a record.
    #[default]
    Head,
    /// So many bytes of data of a read or write.
    Data(u32),
    /// Bytes to the record's end that mean nothing.
    Rest,
}

/// What comes of a stream.
pub enum Piece<'a> {
    /// A record's head. Says where in it data begins and how long that is.
    Head(&'a [u8]),
    Data(&'a [u8]),
    DataEnds,
}

/// Answers a head with the place and length of its data.
type Take<'a> = dyn FnMut(Piece<'_>) -> Option<(usize, u32)> + 'a;

/// One direction of a stream.
#[derive(Debug, Default)]
pub struct Records {
    at: At,
    /// What is still to come of the fragment at work.
    fragment: Mark,
    /// The next fragment's mark, so far.
    mark: ArrayVec<u8, MARK>,
    /// The head, where it comes in pieces.
    head: Carry,
}

impl Records {
    pub fn reset(&mut self) {
        *self = Records { head: std::mem::take(&mut self.head), ..Records::default() };
        self.head.reset();
    }

    /// Loses so many bytes; false when it cannot tell where it is any more.
    pub fn lose(&mut self, missing: u64) -> bool {
        let Some(missing) = u32::try_from(missing).ok().filter(|missing| *missing <= self.fragment.len)
        else {
            return false;
        };
        match self.at {
            At::Head => return false,
            At::Data(left) if left > missing => self.at = At::Data(left - missing),
            At::Data(_) | At::Rest => self.at = At::Rest,
        }
        self.fragment.len -= missing;
        if self.fragment == (Mark { len: 0, last: true }) {
            self.at = At::Head;
        }
        true
    }

    /// Hands on what there is. False on what is no record.
    pub fn cut(&mut self, input: &[u8], take: &mut Take<'_>) -> bool {
        let mut input = input;
        while !input.is_empty() {
            if self.fragment.len == 0 {
                let (now, later) = input.split_at(self.mark.remaining_capacity().min(input.len()));
                self.mark.extend(now.iter().copied());
                input = later;
                let Some(mark) = self.mark.first_chunk() else { continue };
                let Some(mark) = Mark::of(*mark) else { return false };
                self.fragment = mark;
                self.mark.clear();
                if mark == (Mark { len: 0, last: true }) {
                    self.end(take);
                }
                continue;
            }
            let (now, later) = input.split_at(input.len().min(self.fragment.len as usize));
            input = later;
            self.fragment.len -= now.len() as u32;
            let ends = self.fragment == Mark { len: 0, last: true };
            self.within(now, ends, take);
            if ends {
                self.end(take);
            }
        }
        true
    }

    /// Bytes of a record, `ends`: its last.
    fn within(&mut self, bytes: &[u8], ends: bool, take: &mut Take<'_>) {
        match self.at {
            At::Head if self.head.is_empty() && (ends || bytes.len() >= HEAD) => {
                let (head, rest) = bytes.split_at(bytes.len().min(HEAD));
                self.begin(head, take);
                self.data(rest, take);
            }
            At::Head => {
                let (now, rest) = bytes.split_at(bytes.len().min(HEAD - self.head.len()));
                self.head.push(now, HEAD);
                if ends || self.head.len() == HEAD {
                    self.begin_kept(take);
                    self.data(rest, take);
                }
            }
            At::Data(_) | At::Rest => self.data(bytes, take),
        }
    }

    fn begin_kept(&mut self, take: &mut Take<'_>) {
        let mut head = std::mem::take(&mut self.head);
        self.begin(head.bytes(), take);
        head.clear();
        self.head = head;
    }

    fn begin(&mut self, head: &[u8], take: &mut Take<'_>) {
        let data = take(Piece::Head(head));
        self.at = data.map_or(At::Rest, |(_, len)| At::Data(len));
        if let Some((from, _)) = data {
            self.data(head.get(from..).unwrap_or_default(), take);
        }
    }

    fn data(&mut self, bytes: &[u8], take: &mut Take<'_>) {
        let At::Data(left) = self.at else { return };
        let now = bytes.get(..bytes.len().min(left as usize)).unwrap_or_default();
        if !now.is_empty() {
            take(Piece::Data(now));
        }
        self.at = At::Data(left - now.len() as u32);
        if self.at == At::Data(0) {
            take(Piece::DataEnds);
            self.at = At::Rest;
        }
    }

    /// The record is over.
    fn end(&mut self, take: &mut Take<'_>) {
        if !self.head.is_empty() {
            self.begin_kept(take);
        }
        if let At::Data(_) = self.at {
            take(Piece::DataEnds);
        }
        self.at = At::Head;
    }
}
