//! The line that each side begins with (RFC 4253, section 4.2).

use arrayvec::ArrayVec;

pub(super) const START: &[u8] = b"SSH-";

/// Longest banner, its end of line included.
pub(super) const MAX_LINE: usize = 255;
/// Bytes of other lines that a server may send before its banner.
const MAX_BEFORE: usize = 8192;

/// What a banner says.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Banner<'a> {
    pub(super) protocol: &'a [u8],
    pub(super) software: &'a [u8],
}

impl<'a> Banner<'a> {
    /// Of a line that begins with `SSH-`; comments behind the software are not its. `None`: it is none.
    fn read(line: &'a [u8]) -> Option<Banner<'a>> {
        let rest = line.strip_prefix(START)?;
        let dash = rest.iter().position(|byte| *byte == b'-')?;
        let (protocol, software) = (rest.get(..dash)?, rest.get(dash + 1..)?);
        let end = software.iter().position(|byte| is_end(*byte)).unwrap_or(software.len());
        let software = software.get(..end)?;
        let right = !protocol.is_empty() && !protocol.iter().any(|byte| is_end(*byte));
        right.then_some(Banner { protocol, software })
    }
}

/// Ends the software's name.
fn is_end(byte: u8) -> bool {
    matches!(byte, b' ' | b'\r' | b'\n')
}

/// What a byte of a direction's beginning brings.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// Who speaks is known, and the line goes on.
    Named,
    /// The banner's line is over.
    Ended,
    /// The line is longer than a banner may be; once.
    TooLong,
    /// No banner will come.
    Invalid,
}

/// One direction's lines, until its banner is over.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    line: ArrayVec<u8, MAX_LINE>,
    /// Bytes of lines that were none.
    before: usize,
    dashes: u8,
    too_long: bool,
}

impl Lines {
    /// What the line says so far.
    pub(super) fn banner(&self) -> Option<Banner<'_>> {
        Banner::read(&self.line)
    }

    /// The next byte. `may_precede`: lines before the banner are passed over.
    pub(super) fn push(&mut self, byte: u8, may_precede: bool) -> Option<Event> {
        let fits = self.line.try_push(byte).is_ok();
        self.dashes = self.dashes.saturating_add(u8::from(byte == b'-'));
        let end = byte == b'\n';
        let begun = self.line.len().min(START.len());
        if self.line.get(..begun) == START.get(..begun) && begun > 0 && !(end && begun < START.len()) {
            return match (end, fits) {
                (true, _) => Some(Event::Ended),
                (_, false) if !std::mem::replace(&mut self.too_long, true) => Some(Event::TooLong),
                _ => (fits && is_end(byte) && self.dashes >= 2).then_some(Event::Named),
            };
        }
        if !may_precede {
            return Some(Event::Invalid);
        }
        self.before += usize::from(end || !fits) * self.line.len();
        if end || !fits {
            self.line.clear();
            self.dashes = 0;
        }
        (self.before > MAX_BEFORE).then_some(Event::Invalid)
    }
}
