//! Lines as syslog messages (RFC 5424), one a datagram (RFC 5426): to a unix socket or by UDP; or over a connection (`framed.rs`).
//!
//! Messages are not cut: half a JSON object is of no use. RFC 5426 asks receivers for 2,048 bytes at least; one that takes less
//! needs `outputs.*.types` without transactions.

use super::{Line, Sink, SinkCounts};
use crate::base::Time;
use crate::io::clock::wall;
use std::io::Write as _;

/// What is the same for all messages.
#[derive(Clone, Debug)]
pub struct Header {
    /// 8 times the facility, and the severity (section 6.2.1).
    priority: u8,
    host: String,
    name: String,
    process: u32,
}

/// Longest HOSTNAME and APP-NAME (section 6).
const LONGEST_HOST: usize = 255;
const LONGEST_NAME: usize = 48;

impl Header {
    /// `facility` 0 to 23, `severity` 0 to 7.
    pub fn new(facility: u8, severity: u8, host: &str, name: &str, process: u32) -> Header {
        let priority = facility.min(23) * 8 + severity.min(7);
        Header { priority, host: printable(host, LONGEST_HOST), name: printable(name, LONGEST_NAME), process }
    }

    /// For this process.
    pub fn of_this_process(facility: u8, severity: u8, name: &str) -> Header {
        // Without its name a host says "-", which the RFC has for what is not known.
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Header::new(facility, severity, host.trim(), name, std::process::id())
    }

    /// Header, no structured data, message.
    fn write(&self, line: &Line<'_>, message: &mut Vec<u8>) {
        message.clear();
        let Header { priority, host, name, process } = self;
        let (time, kind) = (timestamp(line.time), line.kind);
        // Into memory: cannot fail.
        let _ = write!(message, "<{priority}>1 {time} {host} {name} {process} {kind} - ");
        message.extend_from_slice(line.text);
    }
}

/// Printable US-ASCII without spaces; "-" for nothing.
fn printable(text: &str, longest: usize) -> String {
    let text: String = text.chars().filter(char::is_ascii_graphic).take(longest).collect();
    if text.is_empty() { "-".into() } else { text }
}

fn timestamp(at: Time) -> impl std::fmt::Display {
    let micros = i64::try_from(wall(at).micros()).unwrap_or(i64::MAX);
    let moment = jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::MAX);
    moment.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
}

/// Puts the header before each line.
pub struct Syslog {
    header: Header,
    to: Box<dyn Sink>,
    message: Vec<u8>,
}

impl Syslog {
    pub fn new(header: Header, to: impl Sink + 'static) -> Syslog {
        let to = Box::new(to);
        Syslog { header, to, message: Vec::with_capacity(4096) }
    }
}

impl Sink for Syslog {
    fn write_line(&mut self, line: &Line<'_>) {
        self.header.write(line, &mut self.message);
        self.to.write_line(&Line { text: &self.message, ..*line });
    }

    fn turn(&mut self, now: Time) {
        self.to.turn(now);
    }

    fn flush(&mut self) {
        self.to.flush();
    }

    fn reopen(&mut self) {
        self.to.reopen();
    }

    fn counts(&self) -> SinkCounts {
        self.to.counts()
    }

    fn waiting(&self) -> usize {
        self.to.waiting()
    }

    fn finish(&mut self) -> SinkCounts {
        self.to.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(header: &Header, micros: u64) -> String {
        let line = Line { text: b"{\"a\":1}", time: Time::from_micros(micros), kind: "alert" };
        let mut message = b"old".to_vec();
        header.write(&line, &mut message);
        String::from_utf8(message).unwrap()
    }

    #[test]
    fn a_message_has_the_fields_of_rfc_5424() {
        let header = Header::new(21, 6, "box", "weir", 77);
        assert_eq!(
            message(&header, 1_795_225_173_000_456),
            "<174>1 2026-11-21T01:39:33.000456Z box weir 77 alert - {\"a\":1}"
        );
    }

    #[test]
    fn what_the_header_cannot_have_is_left_out_of_it() {
        let long = "n".repeat(60);
        let text = message(&Header::new(99, 99, "", &format!("we ir\n{long}"), 1), 0);
        let name = format!("weir{}", "n".repeat(44));
        assert_eq!(text, format!("<191>1 1970-01-01T00:00:00.000000Z - {name} 1 alert - {{\"a\":1}}"));
        assert!(
            message(&Header::new(0, 0, "h", "n", 1), u64::MAX)
                .starts_with("<0>1 9999-12-30T22:00:00.999999Z")
        );
    }
}
