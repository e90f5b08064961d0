//! Match rules of service sets: `"tcp from 10.0.0.0/8 to any port 80-88"`, or a table of the same parts.

use crate::base::{Addr, Family};
use crate::mgmt::config::check::parse_network;
use crate::mgmt::config::fault::nearest;
use crate::mgmt::config::kind::Kind;
use crate::mgmt::config::value::quoted;
use crate::mgmt::config::visit::Value;
use crate::service::set::{Match, Prefix};
use toml::de::{DeTable, DeValue};

/// A match, as the configuration writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MatchRule(pub Match);

const PROTOCOLS: &[(&str, u8)] =
    &[("icmp", 1), ("tcp", 6), ("udp", 17), ("gre", 47), ("esp", 50), ("icmpv6", 58), ("sctp", 132)];

const KEYS: &[&str] = &["source", "destination", "protocol", "source-ports", "destination-ports"];

const FORM: &str =
    "write it as \"tcp from 10.0.0.0/8 port 1024-65535 to any port 80-88\"; each part may be left out";

impl Value for MatchRule {
    fn read(&mut self, toml: &DeValue<'_>) -> Result<(), String> {
        self.0 = match toml {
            DeValue::String(text) => sentence(text)?,
            DeValue::Table(table) => parts(table)?,
            _ => return Err(format!("expected a text or a table; {FORM}")),
        };
        Ok(())
    }

    fn write(&self) -> String {
        let Match { source, destination, protocol, source_ports, destination_ports } = &self.0;
        let mut words = vec![protocol.map_or_else(|| "any".to_owned(), protocol_name)];
        for (word, prefix, ports) in [("from", source, source_ports), ("to", destination, destination_ports)]
        {
            words.push(word.to_owned());
            words.push(prefix.as_ref().map_or_else(|| "any".to_owned(), network));
            words.extend(ports.map(|(low, high)| match low == high {
                true => format!("port {low}"),
                false => format!("port {low}-{high}"),
            }));
        }
        quoted(&words.join(" "))
    }

    fn kind(&self) -> Kind {
        Kind::Form("\"tcp from 10.0.0.0/8 port 1024-65535 to any port 80-88\", or a table of the same parts")
    }
}

fn protocol_name(number: u8) -> String {
    let known = PROTOCOLS.iter().find(|(_, n)| *n == number);
    known.map_or_else(|| number.to_string(), |(name, _)| (*name).to_owned())
}

fn network(prefix: &Prefix) -> String {
    let ip = prefix.addr.to_ip(prefix.family);
    format!("{ip}/{}", prefix.bits)
}

fn sentence(text: &str) -> Result<Match, String> {
    let mut rule = Match::default();
    let mut words = text.split_whitespace();
    // The end that `port` speaks of; none before `from` or `to`.
    let mut to = None;
    while let Some(word) = words.next() {
        let mut next = || words.next().ok_or_else(|| format!("nothing stands behind \"{word}\"; {FORM}"));
        match (word, to) {
            ("from", None) => {
                rule.source = prefix(next()?)?;
                to = Some(false);
            }
            ("to", None | Some(false)) => {
                rule.destination = prefix(next()?)?;
                to = Some(true);
            }
            ("port", Some(false)) => rule.source_ports = ports(next()?)?,
            ("port", Some(true)) => rule.destination_ports = ports(next()?)?,
            (word, None) => rule.protocol = protocol(word)?,
            (word, _) => return Err(format!("\"{word}\" is not expected here; {FORM}")),
        }
    }
    sound(rule)
}

fn parts(table: &DeTable<'_>) -> Result<Match, String> {
    let mut rule = Match::default();
    for (key, value) in table {
        let key = key.get_ref().as_ref();
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => number.as_str().to_owned(),
            _ => return Err(format!("`{key}` is neither a text nor a number")),
        };
        match key {
            "source" => rule.source = prefix(&text)?,
            "destination" => rule.destination = prefix(&text)?,
            "protocol" => rule.protocol = protocol(&text)?,
            "source-ports" => rule.source_ports = ports(&text)?,
            "destination-ports" => rule.destination_ports = ports(&text)?,
            _ => {
                let near = nearest(key, KEYS.iter().copied());
                let near = near.map_or_else(|| KEYS.join(", "), |near| format!("the nearest is `{near}`"));
                return Err(format!("a match has no `{key}`: {near}"));
            }
        }
    }
    sound(rule)
}

/// Parts that can never hold together.
fn sound(rule: Match) -> Result<Match, String> {
    if let (Some(source), Some(destination)) = (rule.source, rule.destination)
        && source.family != destination.family
    {
        return Err("source and destination are of different IP versions: no packet matches".into());
    }
    let has_ports = rule.source_ports.is_some() || rule.destination_ports.is_some();
    match rule.protocol {
        Some(protocol) if has_ports && ![6, 17, 132].contains(&protocol) => Err(format!(
            "{} has no ports; leave them out, or write tcp, udp or sctp",
            protocol_name(protocol)
        )),
        _ => Ok(rule),
    }
}

fn protocol(word: &str) -> Result<Option<u8>, String> {
    if word == "any" || word == "ip" {
        return Ok(None);
    }
    let known = PROTOCOLS.iter().find(|(name, _)| *name == word).map(|(_, number)| *number);
    known.or_else(|| word.parse().ok()).map(Some).ok_or_else(|| {
        let near = nearest(word, PROTOCOLS.iter().map(|(name, _)| *name));
        let near = near.map(|near| format!("; the nearest is \"{near}\"")).unwrap_or_default();
        format!("\"{word}\" is no protocol, neither by name nor by number{near}")
    })
}

fn prefix(word: &str) -> Result<Option<Prefix>, String> {
    if word == "any" {
        return Ok(None);
    }
    let (ip, bits) = parse_network(word).ok_or_else(|| {
        format!("\"{word}\" is no network: write \"10.0.0.0/8\", \"2001:db8::/32\" or \"any\"")
    })?;
    let (addr, family): (Addr, Family) = Addr::from_ip(ip);
    Ok(Some(Prefix { family, addr, bits }))
}

fn ports(word: &str) -> Result<Option<(u16, u16)>, String> {
    if word == "any" {
        return Ok(None);
    }
    let (low, high) = word.split_once('-').unwrap_or((word, word));
    let range = low.parse::<u16>().ok().zip(high.parse::<u16>().ok()).filter(|(low, high)| low <= high);
    range
        .map(Some)
        .ok_or_else(|| format!("\"{word}\" is no range of ports: write \"80\", \"80-88\" or \"any\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(toml: &str) -> Result<MatchRule, String> {
        let mut rule = MatchRule::default();
        rule.read(DeValue::parse(toml).unwrap().get_ref()).map(|()| rule)
    }

    #[test]
    fn a_sentence_and_a_table_say_the_same_and_print_back() {
        let sentence = read("\"tcp from 10.0.0.0/8 to any port 80-88\"").unwrap();
        let table =
            read("{ protocol = \"tcp\", source = \"10.0.0.0/8\", destination-ports = \"80-88\" }").unwrap();
        assert_eq!(sentence, table);
        assert_eq!((sentence.0.protocol, sentence.0.destination_ports), (Some(6), Some((80, 88))));
        assert_eq!(sentence.write(), "\"tcp from 10.0.0.0/8 to any port 80-88\"");
        assert_eq!(read(&sentence.write()).unwrap(), sentence);
        assert_eq!(
            read("\"from 2001:db8::/32 port 53\"").unwrap().write(),
            "\"any from 2001:db8::/32 port 53 to any\""
        );
        assert_eq!(read("\"to any port 443\"").unwrap().0.destination_ports, Some((443, 443)));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (toml, part) in [
            ("\"tpc from any\"", "nearest is \"tcp\""),
            ("\"tcp from 10.0.0.0/40\"", "is no network"),
            ("\"tcp from any to any port 90-80\"", "is no range of ports"),
            ("\"tcp from any to\"", "nothing stands behind \"to\""),
            ("\"tcp from any to any nonsense\"", "\"nonsense\" is not expected"),
            ("\"icmp to any port 80\"", "icmp has no ports"),
            ("\"tcp from 10.0.0.1 to ::1\"", "different IP versions"),
            ("{ sorce = \"any\" }", "the nearest is `source`"),
            ("{ destination-ports = [80] }", "neither a text nor a number"),
            ("7", "expected a text or a table"),
        ] {
            let fault = read(toml).unwrap_err();
            assert!(fault.contains(part), "{toml}: {fault}");
        }
    }
}
