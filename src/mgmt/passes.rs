//! The pass list as an operator knows it: networks that no verdict stops, each with a note and an end.

use crate::base::{Addr, Family, Time};
use crate::service::pass_list::{PassList, Passed};
use std::net::IpAddr;
use std::time::Duration;

/// The longest time: what is to stay belongs into rules and policies.
pub const LONGEST: Duration = Duration::from_secs(31 * 86_400);
/// Bytes of a note.
pub const LONGEST_NOTE: usize = 200;

/// A line of `weir ctl pass list`.
#[derive(Clone, Debug)]
pub struct PassInfo {
    pub id: u64,
    pub passed: Passed,
    pub note: String,
    pub since: Time,
    pub until: Time,
    /// Packets that went on against a verdict.
    pub spared: u64,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct PassRequest {
    pub passed: Passed,
    pub span: Duration,
    pub note: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PassFault {
    #[error(
        "{0:?} is no network: write 192.0.2.0/24, 192.0.2.1, 192.0.2.0/24:443, 2001:db8::/48 or [2001:db8::/48]:443"
    )]
    Network(String),
    #[error("{0} has bits beyond its prefix: write {1}")]
    HostBits(String, String),
    #[error("for how long: 1 second to 31 days (--for 1h)")]
    Span,
    #[error("the note holds control characters: write it in one line of text")]
    NoText,
    #[error("the note has {0} bytes, and may have {LONGEST_NOTE}")]
    Note(usize),
    #[error("the pass list is full ({0} networks): take one off it first (weir ctl pass remove)")]
    Full(usize),
}

/// `NET[:PORT]`.
pub fn parse(text: &str) -> Result<Passed, PassFault> {
    let wrong = || PassFault::Network(text.to_owned());
    let (network, port) = split(text).ok_or_else(wrong)?;
    let port = port.map(|port| port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)).transpose()?;
    let (address, prefix) = network.split_once('/').map_or((network, None), |(a, p)| (a, Some(p)));
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let width = if address.is_ipv4() { 32 } else { 128 };
    let prefix = prefix.map_or(Some(width), |prefix| prefix.parse().ok().filter(|bits| *bits <= width));
    let prefix = prefix.ok_or_else(wrong)?;
    let (network, family) = Addr::from_ip(address);
    let passed = Passed { family, network, prefix, port };
    let own = Passed { network: Addr(network.0 & passed.mask()), ..passed };
    match own == passed {
        true => Ok(passed),
        false => Err(PassFault::HostBits(text.to_owned(), name(&own))),
    }
}

/// Network and port. A colon belongs to IPv6 unless there is only one.
fn split(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (network, port) = rest.split_once(']')?;
        return match port.strip_prefix(':') {
            Some(port) => Some((network, Some(port))),
            None => port.is_empty().then_some((network, None)),
        };
    }
    match text.split_once(':') {
        Some((network, port)) if !port.contains(':') => Some((network, Some(port))),
        _ => Some((text, None)),
    }
}

/// As it is written.
pub fn name(passed: &Passed) -> String {
    let network = format!("{}/{}", passed.network.to_ip(passed.family), passed.prefix);
    match (passed.port, passed.family) {
        (None, _) => network,
        (Some(port), Family::V4) => format!("{network}:{port}"),
        (Some(port), Family::V6) => format!("[{network}]:{port}"),
    }
}

/// What is in force, beside the list that workers read.
#[derive(Debug, Default)]
pub struct Passes {
    entries: Vec<(usize, PassInfo)>,
    ids: u64,
}

impl Passes {
    /// Puts a network on the list; what that takes off it: the same network's entry before, and those whose time is over.
    pub fn add(
        &mut self,
        list: &PassList,
        asked: &PassRequest,
        now: Time,
    ) -> Result<(PassInfo, Vec<PassInfo>), PassFault> {
        if asked.span < Duration::from_secs(1) || asked.span > LONGEST {
            return Err(PassFault::Span);
        }
        if asked.note.chars().any(char::is_control) {
            return Err(PassFault::NoText);
        }
        if asked.note.len() > LONGEST_NOTE {
            return Err(PassFault::Note(asked.note.len()));
        }
        let mut left = self.turn(list, now);
        let there =
            self.entries.iter().find(|(_, info)| info.passed == asked.passed).map(|(_, info)| info.id);
        left.extend(there.and_then(|id| self.remove(list, id)));
        let (passed, until) = (asked.passed, now.plus(asked.span));
        let place = list.put(&passed, until).ok_or(PassFault::Full(self.entries.len()))?;
        self.ids += 1;
        let info = PassInfo { id: self.ids, passed, note: asked.note.clone(), since: now, until, spared: 0 };
        self.entries.push((place, info.clone()));
        Ok((info, left))
    }

    /// Takes one off the list.
    pub fn remove(&mut self, list: &PassList, id: u64) -> Option<PassInfo> {
        let at = self.entries.iter().position(|(_, info)| info.id == id)?;
        let (place, info) = self.entries.swap_remove(at);
        Some(PassInfo { spared: ended(list, place), ..info })
    }

    /// Takes those off whose time is over.
    pub fn turn(&mut self, list: &PassList, now: Time) -> Vec<PassInfo> {
        let over = self.entries.extract_if(.., |(_, info)| info.until <= now);
        over.map(|(place, info)| PassInfo { spared: ended(list, place), ..info }).collect()
    }

    /// Those in force; who ends first comes first.
    pub fn rows(&self, list: &PassList, now: Time) -> Vec<PassInfo> {
        let living = self.entries.iter().filter(|(_, info)| info.until > now);
        let mut rows: Vec<_> =
            living.map(|(place, info)| PassInfo { spared: list.spared_by(*place), ..info.clone() }).collect();
        rows.sort_by_key(|info| info.until);
        rows
    }
}

/// Ends an entry; how many packets it spared.
fn ended(list: &PassList, place: usize) -> u64 {
    list.end(place);
    list.spared_by(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::pass_list::MAX_PASSES;

    const NOW: Time = Time::from_secs(100);

    fn asked(text: &str, secs: u64) -> PassRequest {
        PassRequest { passed: parse(text).unwrap(), span: Duration::from_secs(secs), note: "ticket 7".into() }
    }

    #[test]
    fn networks_are_read_in_every_spelling_and_told_in_one() {
        for (text, told) in [
            ("192.0.2.1", "192.0.2.1/32"),
            ("192.0.2.0/24:443", "192.0.2.0/24:443"),
            ("192.0.2.1:443", "192.0.2.1/32:443"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:db8::/48", "2001:db8::/48"),
            ("[2001:db8::1]:443", "[2001:db8::1/128]:443"),
            ("[2001:db8::/48]", "2001:db8::/48"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(name(&parse(text).unwrap()), told);
        }
        for text in [
            "",
            "any",
            "192.0.2.0/33",
            "192.0.2.1:0",
            "192.0.2.1:65536",
            "2001:db8::1]:4",
            "[::1]4",
            "10.0/8",
            "::/129",
        ] {
            assert_eq!(parse(text), Err(PassFault::Network(text.into())));
        }
        let beyond = parse("10.1.2.3/8:80").unwrap_err().to_string();
        assert_eq!(beyond, "10.1.2.3/8:80 has bits beyond its prefix: write 10.0.0.0/8:80");
    }

    #[test]
    fn each_has_an_end_and_one_that_is_there_gets_another() {
        let (list, mut passes) = (PassList::default(), Passes::default());
        let (first, left) = passes.add(&list, &asked("192.0.2.0/24", 10), NOW).unwrap();
        assert!(left.is_empty());
        let (second, left) = passes.add(&list, &asked("192.0.2.0/24", 60), NOW).unwrap();
        assert_eq!(left.iter().map(|info| info.id).collect::<Vec<_>>(), [first.id], "who logs hears of it");
        passes.add(&list, &asked("192.0.3.0/24", 20), NOW).unwrap();
        assert!(first.id != second.id);
        let ends: Vec<_> = passes.rows(&list, NOW).iter().map(|row| row.until).collect();
        assert_eq!(ends, [Time::from_secs(120), Time::from_secs(160)]);
        let over = passes.turn(&list, Time::from_secs(120));
        assert_eq!(over.iter().map(|row| name(&row.passed)).collect::<Vec<_>>(), ["192.0.3.0/24"]);
        assert!(passes.remove(&list, first.id).is_none());
        assert_eq!(passes.remove(&list, second.id).unwrap().note, "ticket 7");
        assert!(passes.rows(&list, NOW).is_empty());
    }

    #[test]
    fn what_has_no_end_no_room_or_too_many_words_is_refused() {
        let (list, mut passes) = (PassList::default(), Passes::default());
        assert_eq!(passes.add(&list, &asked("10.0.0.1", 0), NOW).unwrap_err(), PassFault::Span);
        assert_eq!(passes.add(&list, &asked("10.0.0.1", 32 * 86_400), NOW).unwrap_err(), PassFault::Span);
        let long = PassRequest { note: "x".repeat(201), ..asked("10.0.0.1", 9) };
        assert_eq!(passes.add(&list, &long, NOW).unwrap_err(), PassFault::Note(201));
        let forged = PassRequest { note: "x\n2026-11-29 INFO nobody".into(), ..asked("10.0.0.1", 9) };
        assert_eq!(passes.add(&list, &forged, NOW).unwrap_err(), PassFault::NoText);
        for n in 0..MAX_PASSES {
            passes.add(&list, &asked(&format!("10.0.0.{n}"), 9), NOW).unwrap();
        }
        assert_eq!(passes.add(&list, &asked("10.0.1.0", 9), NOW).unwrap_err(), PassFault::Full(MAX_PASSES));
        // Those whose time is over make room.
        assert!(passes.add(&list, &asked("10.0.1.0", 9), Time::from_secs(109)).is_ok());
    }
}
