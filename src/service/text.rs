//! The text that small plugins take their rules from: a rule a line, words between blanks, a name behind `#`.
//!
//! `VERB [PROTOCOL] [from PREFIX [port RANGE]] [to PREFIX [port RANGE]] [# NAME]`: what is left out, or `any`, takes all. Each
//! fault says where it stands and what would mend it; a reader goes on behind it, so that one look shows them all.

use super::set::{Match, Prefix};
use crate::base::{Addr, Family};
use crate::wire::ip_proto;
use std::fmt;
use std::net::IpAddr;

/// Faults that one text may name: more help nobody.
pub const MAX_FAULTS: usize = 100;

/// What is wrong with a text, and where. Line and column count from 1, the column in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFault {
    pub line: usize,
    pub column: usize,
    pub message: String,
    /// What would mend it.
    pub help: String,
}

impl fmt::Display for TextFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}; {}", self.line, self.column, self.message, self.help)
    }
}

/// A word and the column where it begins.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Word<'a> {
    pub text: &'a str,
    pub line: usize,
    pub column: usize,
}

impl Word<'_> {
    pub fn fault(&self, message: impl Into<String>, help: impl Into<String>) -> TextFault {
        TextFault { line: self.line, column: self.column, message: message.into(), help: help.into() }
    }
}

/// The words of a line that has some, and its name.
#[derive(Clone, Debug)]
pub struct Line<'a> {
    pub number: usize,
    /// As it stands there, without the name.
    pub said: &'a str,
    words: Vec<Word<'a>>,
    next: usize,
    /// Behind `#`, trimmed; `None` when nothing stands there.
    pub name: Option<&'a str>,
}

/// Lines that say something, in order.
pub fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    text.lines().enumerate().map(|(index, text)| Line::new(index + 1, text)).filter(|l| !l.words.is_empty())
}

/// Addresses and ports of one side.
type EndPoint = (Option<Prefix>, Option<(u16, u16)>);

impl<'a> Line<'a> {
    fn new(number: usize, text: &'a str) -> Line<'a> {
        let (said, name) =
            text.split_once('#').map_or((text, None), |(said, name)| (said, Some(name.trim())));
        let mut words = Vec::new();
        let (mut column, mut start) = (1, None);
        for (at, c) in said.char_indices() {
            match (c.is_whitespace(), start) {
                (false, None) => start = Some((at, column)),
                (true, Some((from, column))) => {
                    words.push(Word { text: &said[from..at], line: number, column });
                    start = None;
                }
                _ => {}
            }
            column += 1;
        }
        if let Some((from, column)) = start {
            words.push(Word { text: &said[from..], line: number, column });
        }
        Line { number, said: said.trim(), words, next: 0, name: name.filter(|name| !name.is_empty()) }
    }

    pub fn peek(&self) -> Option<Word<'a>> {
        self.words.get(self.next).copied()
    }

    pub fn take(&mut self) -> Option<Word<'a>> {
        let word = self.peek()?;
        self.next += 1;
        Some(word)
    }

    fn take_if(&mut self, text: &str) -> Option<Word<'a>> {
        self.peek().filter(|word| word.text == text)?;
        self.take()
    }

    /// The next word, or a fault behind the last one.
    pub fn want(&mut self, what: &str, example: &str) -> Result<Word<'a>, TextFault> {
        let last = self.words.last().map_or(1, |word| word.column + word.text.chars().count());
        let missing = || TextFault {
            line: self.number,
            column: last,
            message: format!("{what} is missing"),
            help: format!("write it as in `{example}`"),
        };
        self.peek().ok_or_else(missing).inspect(|_| self.next += 1)
    }

    /// Nothing is left of the line.
    pub fn end(&mut self) -> Result<(), TextFault> {
        match self.peek() {
            Some(word) => Err(word.fault(
                format!("`{}` says nothing here", word.text),
                "a rule is `VERB [PROTOCOL] [from PREFIX [port RANGE]] [to PREFIX [port RANGE]] [# NAME]`",
            )),
            None => Ok(()),
        }
    }

    /// What the rest of the line takes.
    pub fn matches(&mut self) -> Result<Match, TextFault> {
        let mut matches = Match::default();
        if let Some(word) = self.peek().filter(|word| !matches!(word.text, "from" | "to")) {
            matches.protocol = protocol(&word)?;
            self.next += 1;
        }
        if self.take_if("from").is_some() {
            (matches.source, matches.source_ports) = self.end_point(matches.protocol)?;
        }
        if let Some(to) = self.take_if("to") {
            (matches.destination, matches.destination_ports) = self.end_point(matches.protocol)?;
            if let (Some(source), Some(destination)) = (matches.source, matches.destination)
                && source.family != destination.family
            {
                return Err(to.fault(
                    "source and destination are of different families: no packet is like that",
                    "write two rules, one a family",
                ));
            }
        }
        self.end()?;
        Ok(matches)
    }

    fn end_point(&mut self, protocol: Option<u8>) -> Result<EndPoint, TextFault> {
        let word = self.want("a prefix", "from 192.0.2.0/24")?;
        let prefix = prefix(&word)?;
        let Some(port) = self.take_if("port") else { return Ok((prefix, None)) };
        if !matches!(protocol, Some(ip_proto::TCP | ip_proto::UDP | ip_proto::SCTP)) {
            return Err(port.fault(
                "only tcp, udp and sctp have ports",
                "name one of them in front, in a rule of its own for each",
            ));
        }
        let word = self.want("a port or a range", "port 1024-65535")?;
        Ok((prefix, ports(&word)?))
    }
}

/// Protocols by name; any other is a number.
const PROTOCOLS: &[(&str, u8)] = &[
    ("tcp", ip_proto::TCP),
    ("udp", ip_proto::UDP),
    ("icmp", ip_proto::ICMP),
    ("icmpv6", ip_proto::ICMPV6),
    ("sctp", ip_proto::SCTP),
    ("gre", ip_proto::GRE),
    ("esp", ip_proto::ESP),
];

fn protocol(word: &Word<'_>) -> Result<Option<u8>, TextFault> {
    if word.text == "any" {
        return Ok(None);
    }
    let named = PROTOCOLS.iter().find(|(name, _)| *name == word.text).map(|&(_, number)| number);
    named.or_else(|| number(word.text)).map(Some).ok_or_else(|| {
        let close = nearest(word.text, PROTOCOLS.iter().map(|&(name, _)| name).chain(["any", "from", "to"]));
        let help = match close {
            Some(name) => format!("did you mean `{name}`?"),
            None => "write tcp, udp, icmp, icmpv6, sctp, gre, esp, any, or a number from 0 to 255".into(),
        };
        word.fault(format!("`{}` is no protocol", word.text), help)
    })
}

fn prefix(word: &Word<'_>) -> Result<Option<Prefix>, TextFault> {
    if word.text == "any" {
        return Ok(None);
    }
    let (addr, bits) = word.text.split_once('/').map_or((word.text, None), |(a, b)| (a, Some(b)));
    let Ok(ip) = addr.parse::<IpAddr>() else {
        let message = format!("`{addr}` is no address");
        return Err(
            word.fault(message, "write `any`, an address, or a prefix as in 10.0.0.0/8 or 2001:db8::/32")
        );
    };
    let (addr, family) = Addr::from_ip(ip);
    let width: u8 = if family == Family::V4 { 32 } else { 128 };
    let bits = match bits {
        None => width,
        Some(text) => number(text).filter(|&bits| bits <= width).ok_or_else(|| {
            word.fault(format!("`/{text}` is no length"), format!("write a number from 0 to {width}"))
        })?,
    };
    let kept = addr.0 & mask(width, bits);
    if kept != addr.0 {
        let help = format!("write {}/{bits}, or {ip} alone for one address", Addr(kept).to_ip(family));
        return Err(word.fault(format!("{ip} has bits beyond the first {bits}"), help));
    }
    Ok(Some(Prefix { family, addr, bits }))
}

/// The leading bits of an address.
pub fn mask(width: u8, bits: u8) -> u128 {
    let all = u128::MAX >> (128 - u32::from(width));
    all & !all.checked_shr(u32::from(bits)).unwrap_or(0)
}

fn ports(word: &Word<'_>) -> Result<Option<(u16, u16)>, TextFault> {
    if word.text == "any" {
        return Ok(None);
    }
    let (low, high) = word.text.split_once('-').unwrap_or((word.text, word.text));
    let (Some(low), Some(high)) = (number::<u16>(low), number::<u16>(high)) else {
        let message = format!("`{}` is no port and no range", word.text);
        return Err(word.fault(message, "write a number from 0 to 65535, two as in 80-88, or `any`"));
    };
    if low > high {
        return Err(word.fault("the range is empty", format!("write {high}-{low}")));
    }
    Ok(Some((low, high)))
}

/// Digits only: no sign, as `parse` would take.
pub fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()))
}

/// The name that a word may have been meant for: a slip or two away.
pub fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // The search takes the square of the length.
    let names = names.filter(|name| word.len().max(name.len()) <= crate::rules::text::LONGEST_WORD);
    let slips = 1 + word.chars().count() / 5;
    let away = names.map(|name| (strsim::osa_distance(word, name), name));
    away.filter(|&(distance, _)| distance <= slips)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, name)| name)
}

/// All faults as one message, for people.
pub fn told(faults: &[TextFault]) -> String {
    faults.iter().map(TextFault::to_string).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Match, TextFault> {
        let mut line = lines(text).next().unwrap();
        line.take().unwrap();
        line.matches()
    }

    #[test]
    fn a_whole_line_is_read() {
        let all = "allow tcp from 10.0.0.0/8 port 1024-65535 to 192.0.2.0/24 port 80 # web";
        let matches = read(all).unwrap();
        assert_eq!(matches.protocol, Some(6));
        assert_eq!((matches.source_ports, matches.destination_ports), (Some((1024, 65535)), Some((80, 80))));
        assert_eq!(matches.source.map(|p| p.bits), Some(8));
        assert_eq!(lines(all).next().unwrap().name, Some("web"));
        assert_eq!(read("allow").unwrap(), Match::default());
        assert_eq!(read("allow any from any to any").unwrap(), Match::default());
        assert_eq!(
            read("x 47 to ::/0").unwrap().destination.map(|p| (p.family, p.bits)),
            Some((Family::V6, 0))
        );
    }

    #[test]
    fn each_fault_points_at_its_word_and_says_what_to_write() {
        for (text, column, help) in [
            ("allow tpc", 7, "did you mean `tcp`?"),
            ("allow from", 11, "write it as in `from 192.0.2.0/24`"),
            ("allow from 10.0.0.1/8", 12, "write 10.0.0.0/8, or 10.0.0.1 alone for one address"),
            ("allow from 10.0.0.0/33", 12, "write a number from 0 to 32"),
            ("allow tcp to any port 9-1", 23, "write 1-9"),
            ("allow tcp to any port +9", 23, "write a number from 0 to 65535, two as in 80-88, or `any`"),
            ("allow from any port 9", 16, "name one of them in front, in a rule of its own for each"),
            ("allow from ::/0 to 10.0.0.0/8", 17, "write two rules, one a family"),
        ] {
            let fault = read(text).unwrap_err();
            assert_eq!((fault.line, fault.column, fault.help.as_str()), (1, column, help), "{text}");
        }
        assert!(read("allow tcp from any to any to").unwrap_err().help.starts_with("a rule is"));
    }

    #[test]
    fn a_mask_keeps_the_leading_bits() {
        assert_eq!((mask(32, 0), mask(32, 8), mask(32, 32)), (0, 0xff00_0000, 0xffff_ffff));
        assert_eq!((mask(128, 0), mask(128, 1), mask(128, 128)), (0, 1 << 127, u128::MAX));
    }
}
