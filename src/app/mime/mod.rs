//! Mail messages (RFC 5322) and their parts (RFC 2045 to 2049), read a line at a time as they come.
//!
//! Owes: the fields of the message's own header, unfolded; its attachments, decoded; the text of its readable parts; and
//! what is amiss. Keeps a field and a line's end, never a body. What is malformed is read on as mail readers do.

mod attached;
mod field;
mod part;
#[cfg(test)]
mod tests;
mod transfer;
mod urls;

pub use attached::Attached;
pub use urls::Urls;

use super::lines::Line;
use field::parameter;
use part::{Body, Kind, Part};

/// Multipart in multipart: the parts of deeper ones are not told apart.
const MAX_DEPTH: usize = 16;
/// Messages within messages.
const MAX_MESSAGES: u8 = 16;
/// A field's name and value, kept so far; those are Suricata's limits (`header-value-depth`).
const MAX_NAME: usize = 75;
const MAX_FIELD: usize = 2000;
/// RFC 5322, 2.1.1.
const MAX_LINE: usize = 998;
/// RFC 2045, 6.7 and 6.8.
const MAX_ENCODED_LINE: usize = 76;
/// RFC 2046 says 70; senders go beyond, and Suricata's limit is this.
const MAX_BOUNDARY: usize = 254;

/// What is amiss in a message.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    Malformed,
    InvalidBase64,
    InvalidQuotedPrintable,
    LongHeaderName,
    LongHeaderValue,
    LongLine,
    LongEncodedLine,
    LongBoundary,
    LongFileName,
}

/// Who is told what a message holds.
pub trait Reader {
    /// A field of the message's own header. `value` is unfolded: lines are joined without the white space that folded them.
    fn field(&mut self, name: &[u8], value: &[u8]);
    /// The message's own header is over.
    fn header_end(&mut self) {}
    /// Where attachments go as files.
    fn attached(&mut self) -> Option<Attached<'_>>;
    /// An attachment begins; its name may be empty.
    fn attachment(&mut self, name: &[u8]) {
        self.attached().into_iter().for_each(|attached| attached.begin(name));
    }
    fn attachment_data(&mut self, bytes: &[u8]) {
        self.attached().into_iter().for_each(|attached| attached.data(bytes));
    }
    fn attachment_end(&mut self, whole: bool) {
        self.attached().into_iter().for_each(|attached| attached.end(whole));
    }
    /// Decoded text of a part that is to be read.
    fn text(&mut self, _bytes: &[u8]) {}
    fn text_end(&mut self) {}
    fn fault(&mut self, fault: Fault);
}

/// A message under way.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// The field that is being collected.
    field: Vec<u8>,
    /// All of it that came.
    field_len: usize,
    /// Of the multiparts that are open, outermost first.
    boundaries: Vec<Box<[u8]>>,
    part: Part,
    body: Body,
    /// The header is the message's own.
    outermost: bool,
    messages: u8,
    /// Bytes of the line so far.
    line: usize,
    /// Stands in a field's value for a line's end and the white space behind it.
    joint: &'static [u8],
}

impl Message {
    /// A new message begins.
    pub fn begin(&mut self) {
        self.field.clear();
        self.field.shrink_to(MAX_NAME + MAX_FIELD);
        self.boundaries.clear();
        self.part = Part::default();
        self.body = Body::default();
        (self.field_len, self.outermost, self.messages, self.line) = (0, true, 0, 0);
        self.joint = b"";
    }

    /// What stands for a folded line's end in the values of this message's fields; nothing, unless it is said.
    pub fn join_with(&mut self, joint: &'static [u8]) {
        self.joint = joint;
    }

    /// Whether the message's own header is over.
    pub fn in_body(&self) -> bool {
        !self.outermost
    }

    /// The next line, or piece of one.
    pub fn line(&mut self, line: &Line<'_>, out: &mut impl Reader) {
        self.measure(line, out);
        let boundary = if line.first { self.boundary(line.text) } else { None };
        match boundary {
            Some((level, last)) if line.last() => self.part_border(level, last, out),
            _ if self.part.in_header => self.header_line(line, out),
            _ => self.body.line(&self.part, line, out),
        }
    }

    /// Bytes are missing.
    pub fn gap(&mut self, out: &mut impl Reader) {
        self.field.clear();
        self.field_len = 0;
        self.body.end(&self.part, false, out);
        self.part.kind = if self.part.kind == Kind::Text { Kind::Text } else { Kind::Ignored };
    }

    /// No more of it will come; `whole` when it came to its end.
    pub fn end(&mut self, whole: bool, out: &mut impl Reader) {
        if self.part.in_header {
            self.header_end(out);
        }
        self.body.end(&self.part, whole, out);
        self.part.kind = Kind::Ignored;
    }

    fn measure(&mut self, line: &Line<'_>, out: &mut impl Reader) {
        if line.first {
            self.line = 0;
        }
        self.line = self.line.saturating_add(line.text.len());
        if self.line > MAX_LINE {
            out.fault(Fault::LongLine);
        }
        if self.line > MAX_ENCODED_LINE && !self.part.in_header && self.part.is_encoded() {
            out.fault(Fault::LongEncodedLine);
        }
    }

    /// The open multipart whose border the line is, and whether it is the last one.
    fn boundary(&self, text: &[u8]) -> Option<(usize, bool)> {
        let text = text.strip_prefix(b"--")?;
        self.boundaries.iter().enumerate().rev().find_map(|(level, boundary)| {
            let rest = text.strip_prefix(&**boundary)?;
            match rest.trim_ascii_end() {
                [] => Some((level, false)),
                b"--" => Some((level, true)),
                // It was too long to be kept whole.
                _ if boundary.len() > MAX_BOUNDARY => Some((level, false)),
                _ => None,
            }
        })
    }

    fn part_border(&mut self, level: usize, last: bool, out: &mut impl Reader) {
        if self.part.in_header {
            self.header_end(out);
        }
        self.body.end(&self.part, true, out);
        self.boundaries.truncate(if last { level } else { level + 1 });
        self.part = Part::default();
        if last {
            (self.part.in_header, self.part.kind) = (false, Kind::Ignored);
        }
    }

    fn header_line(&mut self, line: &Line<'_>, out: &mut impl Reader) {
        if !line.first {
            return self.collect(line.text);
        }
        match line.text {
            [] => self.header_end(out),
            [b' ' | b'\t', ..] if !self.field.is_empty() => {
                self.collect(self.joint);
                self.collect(line.text.trim_ascii_start());
            }
            text if memchr::memchr(b':', text).is_some() => {
                self.field_end(out);
                self.collect(text);
            }
            _ => {
                self.field_end(out);
                out.fault(Fault::Malformed);
            }
        }
    }

    fn collect(&mut self, text: &[u8]) {
        self.field_len = self.field_len.saturating_add(text.len());
        let room = (MAX_NAME + MAX_FIELD).saturating_sub(self.field.len());
        self.field.extend_from_slice(text.get(..room.min(text.len())).unwrap_or_default());
    }

    fn field_end(&mut self, out: &mut impl Reader) {
        if self.field.is_empty() {
            return;
        }
        let field = std::mem::take(&mut self.field);
        let at = memchr::memchr(b':', &field).unwrap_or(field.len());
        let (name, value) = field.split_at(at);
        let (name, value) = (name.trim_ascii(), value.get(1..).unwrap_or_default().trim_ascii());
        if name.len() > MAX_NAME {
            out.fault(Fault::LongHeaderName);
        }
        if self.field_len.saturating_sub(at + 1) > MAX_FIELD {
            out.fault(Fault::LongHeaderValue);
        }
        let value = value.get(..MAX_FIELD.min(value.len())).unwrap_or_default();
        if self.outermost {
            out.field(name, value);
        }
        if self.part.note(name, value) {
            self.check_boundary(value, out);
        }
        self.field = field;
        self.field.clear();
        self.field_len = 0;
    }

    /// Of a Content-Type that is multipart: its border, before the header ends.
    fn check_boundary(&mut self, value: &[u8], out: &mut impl Reader) {
        self.part.boundary = None;
        let Some(found) = parameter(value, b"boundary") else {
            out.fault(Fault::Malformed);
            return;
        };
        if found.cut || found.value.len() > MAX_BOUNDARY {
            out.fault(Fault::LongBoundary);
        }
        self.part.boundary = (!found.value.is_empty()).then(|| found.value.as_slice().into());
    }

    fn header_end(&mut self, out: &mut impl Reader) {
        self.field_end(out);
        if std::mem::take(&mut self.outermost) {
            out.header_end();
        }
        self.part.in_header = false;
        if let Some(boundary) = self.part.boundary.take() {
            self.part.kind = Kind::Ignored;
            if self.boundaries.len() < MAX_DEPTH {
                self.boundaries.push(boundary);
            } else {
                out.fault(Fault::Malformed);
            }
            return;
        }
        if self.part.kind == Kind::Message && self.messages < MAX_MESSAGES && !self.part.is_encoded() {
            self.messages += 1;
            self.part = Part::default();
            return;
        }
        self.body.begin(&mut self.part, out);
    }
}
