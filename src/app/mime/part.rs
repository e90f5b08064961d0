//! One part of a message: what its header says, and its body.

use super::field::{self, parameter};
use super::transfer::{Base64, Encoding, QuotedPrintable};
use super::{Fault, Line, Reader};

/// What is done with a part's body.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// To be read: plain text, HTML, or nothing said of it.
    #[default]
    Text,
    Attachment,
    /// A message in a message: its header comes next.
    Message,
    /// What stands before, between and behind the parts of a multipart, and other things that are no attachment.
    Ignored,
}

#[derive(Clone, Debug)]
pub struct Part {
    pub in_header: bool,
    pub kind: Kind,
    encoding: Encoding,
    /// Its own parts' border.
    pub boundary: Option<Box<[u8]>>,
    /// By Content-Disposition's `filename`, or else Content-Type's `name`.
    name: Option<Box<[u8]>>,
    named_by_disposition: bool,
    /// The name is only the beginning of what was said.
    name_cut: bool,
    attached: bool,
}

impl Default for Part {
    fn default() -> Part {
        Part {
            in_header: true,
            kind: Kind::Text,
            encoding: Encoding::Identity,
            boundary: None,
            name: None,
            named_by_disposition: false,
            name_cut: false,
            attached: false,
        }
    }
}

impl Part {
    pub fn is_encoded(&self) -> bool {
        self.encoding != Encoding::Identity
    }

    /// A field of the part's header. Whether it says that the part is a multipart.
    pub fn note(&mut self, name: &[u8], value: &[u8]) -> bool {
        if name.eq_ignore_ascii_case(b"content-transfer-encoding") {
            self.encoding = Encoding::named(value);
        } else if name.eq_ignore_ascii_case(b"content-disposition") {
            self.attached |= field::word(value).eq_ignore_ascii_case(b"attachment");
            if let Some(found) = parameter(value, b"filename") {
                (self.name, self.named_by_disposition) = (Some(found.value.as_slice().into()), true);
                self.name_cut = found.cut;
            }
        } else if name.eq_ignore_ascii_case(b"content-type") {
            return self.note_type(value);
        }
        false
    }

    fn note_type(&mut self, value: &[u8]) -> bool {
        if !self.named_by_disposition
            && let Some(found) = parameter(value, b"name")
        {
            (self.name, self.name_cut) = (Some(found.value.as_slice().into()), found.cut);
        }
        let word = field::word(value);
        self.kind = if word.eq_ignore_ascii_case(b"message/rfc822") {
            Kind::Message
        } else if word.get(..5).is_none_or(|main| main.eq_ignore_ascii_case(b"text/")) {
            Kind::Text
        } else {
            Kind::Ignored
        };
        word.get(..10).is_some_and(|main| main.eq_ignore_ascii_case(b"multipart/"))
    }
}

/// A body under way.
#[derive(Clone, Debug, Default)]
pub struct Body {
    base64: Base64,
    printable: QuotedPrintable,
    /// End of the line before, which belongs to the border if one follows.
    held: &'static [u8],
}

impl Body {
    /// The part's header is over.
    pub fn begin(&mut self, part: &mut Part, out: &mut impl Reader) {
        *self = Body::default();
        if part.attached || part.name.is_some() {
            part.kind = Kind::Attachment;
            if part.name_cut {
                out.fault(Fault::LongFileName);
            }
            out.attachment(part.name.as_deref().unwrap_or_default());
        } else if part.kind == Kind::Message {
            part.kind = Kind::Ignored;
        }
    }

    pub fn line(&mut self, part: &Part, line: &Line<'_>, out: &mut impl Reader) {
        if !matches!(part.kind, Kind::Text | Kind::Attachment) {
            return;
        }
        let kind = part.kind;
        match part.encoding {
            Encoding::Identity => {
                self.release(kind, out);
                give(kind, line.text, out);
                self.hold(line.ending);
            }
            Encoding::Base64 => {
                if !self.base64.decode(line.text, |bytes| give(kind, bytes, out)) {
                    out.fault(Fault::InvalidBase64);
                }
            }
            Encoding::QuotedPrintable => {
                self.release(kind, out);
                let mut clean = self.printable.decode(line.text, |bytes| give(kind, bytes, out));
                if line.last() {
                    let (hard, right) = self.printable.line_end(|bytes| give(kind, bytes, out));
                    clean &= right;
                    self.hold(if hard { line.ending } else { b"" });
                }
                if !clean {
                    out.fault(Fault::InvalidQuotedPrintable);
                }
            }
        }
    }

    /// The body is over, `whole` when nothing of it is missing.
    pub fn end(&mut self, part: &Part, whole: bool, out: &mut impl Reader) {
        if part.in_header {
            return;
        }
        self.base64.end(|bytes| give(part.kind, bytes, out));
        match part.kind {
            Kind::Attachment => out.attachment_end(whole),
            Kind::Text => out.text_end(),
            Kind::Message | Kind::Ignored => {}
        }
        *self = Body::default();
    }

    fn hold(&mut self, ending: &[u8]) {
        self.held = match ending {
            [] => b"",
            [_] => b"\n",
            _ => b"\r\n",
        };
    }

    fn release(&mut self, kind: Kind, out: &mut impl Reader) {
        let held = std::mem::take(&mut self.held);
        if !held.is_empty() {
            give(kind, held, out);
        }
    }
}

fn give(kind: Kind, bytes: &[u8], out: &mut impl Reader) {
    match kind {
        Kind::Attachment if !bytes.is_empty() => out.attachment_data(bytes),
        Kind::Text if !bytes.is_empty() => out.text(bytes),
        _ => {}
    }
}
