//! A message's bytes in order (RFC 1035, 4.1): the header, questions, records.

use super::name::{Flaws, MOST_WORK, Name};
use std::ops::Range;

pub(super) const HEADER: usize = 12;
/// A question: the root, type, class.
const LEAST_QUESTION: usize = 5;
/// A record: the root, type, class, time to live, length of its data.
const LEAST_RECORD: usize = 11;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) id: u16,
    pub(super) flags: u16,
    /// Questions, answers, authorities, additionals.
    pub(super) counts: [u16; 4],
}

impl Header {
    pub(super) fn read(message: &[u8]) -> Option<Header> {
        let counts = [u16_at(message, 4)?, u16_at(message, 6)?, u16_at(message, 8)?, u16_at(message, 10)?];
        Some(Header { id: u16_at(message, 0)?, flags: u16_at(message, 2)?, counts })
    }

    pub(super) fn is_response(&self) -> bool {
        self.flags & 0x8000 != 0
    }

    pub(super) fn opcode(&self) -> u8 {
        (self.flags >> 11 & 0xf) as u8
    }

    pub(super) fn rcode(&self) -> u8 {
        (self.flags & 0xf) as u8
    }

    /// Whether a message of so many bytes has room for what it counts.
    pub(super) fn fits(&self, len: usize) -> bool {
        let [questions, records @ ..] = self.counts.map(usize::from);
        let records: usize = records.iter().sum();
        HEADER + questions * LEAST_QUESTION + records * LEAST_RECORD <= len
    }
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) kind: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) kind: u16,
    pub(super) ttl: u32,
    /// Where its data are within the message.
    pub(super) data: Range<usize>,
}

/// Goes through a message once.
pub(super) struct Reader<'a> {
    pub(super) message: &'a [u8],
    at: usize,
    work: usize,
    pub(super) flaws: Flaws,
}

impl<'a> Reader<'a> {
    /// Behind the header.
    pub(super) fn new(message: &'a [u8]) -> Reader<'a> {
        Reader { message, at: HEADER, work: MOST_WORK, flaws: Flaws::default() }
    }

    pub(super) fn question(&mut self, name: &mut Name) -> Option<Question> {
        let at = self.name_at(self.at, name)?;
        let kind = u16_at(self.message, at)?;
        u16_at(self.message, at + 2)?;
        self.at = at + 4;
        Some(Question { kind })
    }

    pub(super) fn record(&mut self, name: &mut Name) -> Option<Record> {
        let at = self.name_at(self.at, name)?;
        let kind = u16_at(self.message, at)?;
        let ttl = u32_at(self.message, at + 4)?;
        let data = at + 10..at + 10 + usize::from(u16_at(self.message, at + 8)?);
        self.message.get(data.clone())?;
        self.at = data.end;
        Some(Record { kind, ttl, data })
    }

    /// A name that stands in a record's data; where what follows it begins.
    pub(super) fn name_at(&mut self, at: usize, name: &mut Name) -> Option<usize> {
        name.read(self.message, at, &mut self.flaws, &mut self.work)
    }

    pub(super) fn data(&self, record: &Record) -> &'a [u8] {
        self.message.get(record.data.clone()).unwrap_or_default()
    }
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes)
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}
