//! What a client's line asks for (RFC 959, 4.1; RFC 2228; RFC 2428), and addresses in lines.

use crate::base::{Addr, Family};
use std::net::IpAddr;

/// A command whose reply is waited for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The client will be connected to.
    Active(Option<(Addr, Family, u16)>),
    /// The reply says where to connect to.
    Passive,
    /// A file comes, or goes.
    Retrieve,
    Store,
    AuthTls,
    Quit,
    Other,
}

impl Command {
    /// The command, its verb and its argument.
    pub fn parse(line: &[u8]) -> (Command, &[u8], &[u8]) {
        let line = without_telnet(line).trim_ascii();
        let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
        let (verb, argument) = line.split_at(end);
        let argument = argument.trim_ascii();
        let is = |name: &[u8]| verb.eq_ignore_ascii_case(name);
        let command = if is(b"PORT") {
            Command::Active(six_numbers(argument).map(|(addr, port)| (Addr::v4(addr), Family::V4, port)))
        } else if is(b"EPRT") {
            Command::Active(extended_port(argument))
        } else if is(b"PASV") || is(b"EPSV") {
            Command::Passive
        } else if is(b"RETR") {
            Command::Retrieve
        } else if is(b"STOR") || is(b"STOU") || is(b"APPE") {
            Command::Store
        } else if is(b"AUTH")
            && (argument.eq_ignore_ascii_case(b"TLS") || argument.eq_ignore_ascii_case(b"SSL"))
        {
            Command::AuthTls
        } else if is(b"QUIT") {
            Command::Quit
        } else {
            Command::Other
        };
        (command, verb, argument)
    }
}

/// Telnet's commands before ABOR and STAT (RFC 959, 4.1.3).
fn without_telnet(mut line: &[u8]) -> &[u8] {
    while let [0xff, _, rest @ ..] = line {
        line = rest;
    }
    line
}

/// `h1,h2,h3,h4,p1,p2`, the first that stands in the text.
pub fn six_numbers(text: &[u8]) -> Option<([u8; 4], u16)> {
    let start = text.iter().position(u8::is_ascii_digit)?;
    let mut numbers = [0u8; 6];
    let mut rest = text.get(start..)?;
    for (at, number) in numbers.iter_mut().enumerate() {
        if at > 0 {
            rest = rest.strip_prefix(b",")?.trim_ascii_start();
        }
        let (value, later) = digits(rest)?;
        *number = u8::try_from(value).ok()?;
        rest = later.trim_ascii_start();
    }
    let [a, b, c, d, high, low] = numbers;
    Some(([a, b, c, d], u16::from_be_bytes([high, low])))
}

/// `|1|address|port|`, with any delimiter.
fn extended_port(text: &[u8]) -> Option<(Addr, Family, u16)> {
    let (&delimiter, rest) = text.split_first()?;
    let mut words = rest.split(|b| *b == delimiter);
    let (_family, addr, port) = (words.next()?, words.next()?, words.next()?);
    let ip: IpAddr = std::str::from_utf8(addr).ok()?.parse().ok()?;
    let (addr, family) = Addr::from_ip(ip);
    Some((addr, family, whole_port(port)?))
}

/// `(|||port|)`, with any delimiter.
pub fn extended_passive(text: &[u8]) -> Option<u16> {
    let start = memchr::memchr(b'(', text)?;
    let (&delimiter, rest) = text.get(start + 1..)?.split_first()?;
    let port = rest.split(|b| *b == delimiter).nth(2)?;
    whole_port(port)
}

fn whole_port(text: &[u8]) -> Option<u16> {
    match digits(text)? {
        (value, []) => u16::try_from(value).ok(),
        _ => None,
    }
}

/// A number of at most five digits, and what follows.
fn digits(text: &[u8]) -> Option<(u32, &[u8])> {
    let end = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    let value =
        number.iter().fold(0u32, |value, digit| value.wrapping_mul(10).wrapping_add(u32::from(digit - b'0')));
    (1..=5).contains(&end).then_some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_as_clients_write_them() {
        let parse = |line: &'static str| Command::parse(line.as_bytes());
        assert_eq!(parse("retr  a b.txt"), (Command::Retrieve, &b"retr"[..], &b"a b.txt"[..]));
        assert_eq!(parse("AUTH tls").0, Command::AuthTls);
        assert_eq!(parse("AUTH KERBEROS").0, Command::Other);
        assert_eq!(Command::parse(b"\xff\xf4\xff\xf2ABOR").1, b"ABOR");
        let at = |addr, port| Command::Active(Some((Addr::v4(addr), Family::V4, port)));
        assert_eq!(parse("PORT 10,0,0,1,4,1").0, at([10, 0, 0, 1], 1025));
        assert_eq!(parse("EPRT |1|10.0.0.1|1025|").0, at([10, 0, 0, 1], 1025));
        assert_eq!(parse("PORT 10,0,0,256,4,1").0, Command::Active(None));
        assert_eq!(parse("PORT 10,0,0").0, Command::Active(None));
        assert!(matches!(parse("EPRT |2|::1|1025|").0, Command::Active(Some((_, Family::V6, 1025)))));
    }

    #[test]
    fn ports_of_replies() {
        assert_eq!(six_numbers(b"Entering Passive Mode (10,0,0,1,4,1)."), Some(([10, 0, 0, 1], 1025)));
        assert_eq!(six_numbers(b"=10, 0, 0, 1, 4, 1"), Some(([10, 0, 0, 1], 1025)));
        assert_eq!(extended_passive(b"Entering Extended Passive Mode (|||58612|)"), Some(58612));
        assert_eq!(extended_passive(b"(|||70000|)"), None);
        assert_eq!(extended_passive(b"("), None);
    }
}
