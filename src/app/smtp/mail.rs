//! A mail on its way into its transaction: fields, attachments, URLs, the body's sum.

use crate::app::mime::{Attached, Fault, Message, Reader, Urls};
use crate::app::{FileId, Limits, Line, Transaction, Window};
use crate::base::Dir;
use crate::rules::context::{self, BufferId};
use md5::{Digest, Md5};

const FROM: BufferId = context::id("email.from");
const TO: BufferId = context::id("email.to");
const CC: BufferId = context::id("email.cc");
const SUBJECT: BufferId = context::id("email.subject");
const DATE: BufferId = context::id("email.date");
const MESSAGE_ID: BufferId = context::id("email.message_id");
const X_MAILER: BufferId = context::id("email.x_mailer");
const URL: BufferId = context::id("email.url");
const RECEIVED: BufferId = context::id("email.received");
const BODY_MD5: BufferId = context::id("email.body_md5");
const DATA: BufferId = context::id("smtp.data");

/// The envelope is over; the message's header is over.
pub const ENVELOPE: u8 = 1;
pub const HEADER: u8 = 2;

/// From which stage of the client's direction on a buffer will not come any more.
pub fn stage(buffer: BufferId) -> u8 {
    const HEADERS: [BufferId; 8] = [FROM, TO, CC, SUBJECT, DATE, MESSAGE_ID, X_MAILER, RECEIVED];
    const ENVELOPES: [BufferId; 3] =
        [context::id("smtp.helo"), context::id("smtp.mail_from"), context::id("smtp.rcpt_to")];
    if ENVELOPES.contains(&buffer) {
        ENVELOPE
    } else if HEADERS.contains(&buffer) {
        HEADER
    } else {
        crate::app::COMPLETE
    }
}

/// Fields of which the first counts, and their buffers.
const FIRST: [(&[u8], BufferId); 7] = [
    (b"From", FROM),
    (b"To", TO),
    (b"Cc", CC),
    (b"Subject", SUBJECT),
    (b"Date", DATE),
    (b"Message-ID", MESSAGE_ID),
    (b"X-Mailer", X_MAILER),
];

/// A message being carried.
#[derive(Clone, Debug, Default)]
pub struct Mail {
    message: Message,
    /// Which of [`FIRST`] came, a bit each.
    seen: u8,
    file: Option<FileId>,
    urls: Urls,
    sum: Option<Md5>,
    /// The frame of the message's bytes.
    frame: Option<usize>,
    /// Any line came.
    begun: bool,
}

impl Mail {
    pub fn begin(&mut self, tx: Option<&mut Transaction>, limits: &Limits) {
        self.message.begin();
        self.urls.reset();
        (self.seen, self.file, self.sum, self.frame, self.begun) = Default::default();
        let Some(tx) = tx else { return };
        tx.advance(Dir::ToServer, ENVELOPE);
        self.frame = tx.begin(Dir::ToServer, DATA, window(limits));
        if limits.body_md5 && tx.wants(BODY_MD5) {
            self.sum = Some(Md5::new());
        }
    }

    pub fn has_begun(&self) -> bool {
        self.begun
    }

    pub fn line(&mut self, line: &Line<'_>, tx: Option<&mut Transaction>, limits: &Limits) {
        self.begun = true;
        if let Some(sum) = self.sum.as_mut().filter(|_| self.message.in_body()) {
            sum.update(line.text);
            sum.update(line.ending);
        }
        let Some(tx) = tx else { return };
        if let Some(frame) = self.frame {
            tx.grow(frame, line.text);
            tx.grow(frame, line.ending);
        }
        self.with(tx, limits, |message, out| message.line(line, out));
    }

    pub fn gap(&mut self, tx: Option<&mut Transaction>, limits: &Limits) {
        self.sum = None;
        let Some(tx) = tx else { return };
        if let Some(frame) = self.frame.take() {
            tx.truncate_streamed(frame);
        }
        self.with(tx, limits, |message, out| message.gap(out));
    }

    pub fn end(&mut self, whole: bool, tx: Option<&mut Transaction>, limits: &Limits) {
        let Some(tx) = tx else { return };
        self.with(tx, limits, |message, out| message.end(whole, out));
        if let Some(sum) = self.sum.take().filter(|_| whole) {
            tx.put_with(Dir::ToServer, BODY_MD5, |out| {
                for byte in sum.finalize() {
                    let digit =
                        |nibble: u8| char::from_digit(u32::from(nibble), 16).map_or(b'0', |c| c as u8);
                    out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
                }
            });
        }
        if let Some(frame) = self.frame.take() {
            tx.end_streamed(frame);
        }
        tx.note("email.status", if whole { b"PARSE_DONE" } else { b"BODY_STARTED" });
    }

    fn with(
        &mut self,
        tx: &mut Transaction,
        limits: &Limits,
        work: impl FnOnce(&mut Message, &mut Sorter<'_>),
    ) {
        let Mail { message, seen, file, urls, .. } = self;
        let with_urls = tx.wants(URL) || tx.wants_notes();
        work(message, &mut Sorter { tx, seen, file, urls, with_urls, window: window(limits) });
    }
}

fn window(limits: &Limits) -> Window {
    limits.files(limits.file)
}

/// Puts what a message holds where it belongs.
struct Sorter<'a> {
    tx: &'a mut Transaction,
    seen: &'a mut u8,
    file: &'a mut Option<FileId>,
    urls: &'a mut Urls,
    with_urls: bool,
    window: Window,
}

impl Reader for Sorter<'_> {
    fn field(&mut self, name: &[u8], value: &[u8]) {
        if name.eq_ignore_ascii_case(b"Received") {
            return self.tx.put(Dir::ToServer, RECEIVED, value);
        }
        let Some(at) = FIRST.iter().position(|(known, _)| known.eq_ignore_ascii_case(name)) else { return };
        let Some(&(_, buffer)) = FIRST.get(at) else { return };
        if *self.seen & 1 << at != 0 {
            return;
        }
        *self.seen |= 1 << at;
        self.tx.put(Dir::ToServer, buffer, value);
        match buffer {
            FROM => self.tx.note("email.from", value),
            TO => note_addresses(self.tx, "email.to[]", value),
            CC => note_addresses(self.tx, "email.cc[]", value),
            _ => {}
        }
    }

    fn header_end(&mut self) {
        self.tx.advance(Dir::ToServer, HEADER);
    }

    fn attached(&mut self) -> Option<Attached<'_>> {
        let Sorter { tx, file, window, .. } = self;
        Some(Attached { tx, dir: Dir::ToServer, window: *window, file })
    }

    fn attachment(&mut self, name: &[u8]) {
        self.attached().into_iter().for_each(|attached| attached.begin(name));
        if !name.is_empty() {
            self.tx.note("email.attachment[]", name);
        }
    }

    fn text(&mut self, bytes: &[u8]) {
        if self.with_urls {
            self.urls.text(bytes, |url| put_url(self.tx, url));
        }
    }

    fn text_end(&mut self) {
        if self.with_urls {
            self.urls.end(|url| put_url(self.tx, url));
        }
    }

    fn fault(&mut self, fault: Fault) {
        let name = match fault {
            Fault::Malformed => "smtp.mime_malformed_msg",
            Fault::InvalidBase64 => "smtp.mime_invalid_base64",
            Fault::InvalidQuotedPrintable => "smtp.mime_invalid_qp",
            Fault::LongHeaderName => "smtp.mime_long_header_name",
            Fault::LongHeaderValue => "smtp.mime_long_header_value",
            Fault::LongLine => "smtp.mime_long_line",
            Fault::LongEncodedLine => "smtp.mime_long_enc_line",
            Fault::LongBoundary => "smtp.mime_long_boundary",
            Fault::LongFileName => "smtp.mime_long_filename",
        };
        self.tx.event(Dir::ToServer, name);
    }
}

fn put_url(tx: &mut Transaction, url: &[u8]) {
    tx.put(Dir::ToServer, URL, url);
    tx.note("email.url[]", url);
}

/// An address a note: commas part them, but for those in quotes.
fn note_addresses(tx: &mut Transaction, name: &'static str, value: &[u8]) {
    let mut quoted = false;
    let addresses = value.split(|byte| {
        quoted ^= *byte == b'"';
        *byte == b',' && !quoted
    });
    for address in addresses.map(<[u8]>::trim_ascii).filter(|a| !a.is_empty()) {
        tx.note(name, address);
    }
}
