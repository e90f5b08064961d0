//! The probe's configuration.

use std::net::IpAddr;
use weir_plugin::{Direction, Edit};

/// What can be done to a packet whose payload has a text.
const DEEDS: [&str; 16] = [
    "discard", "hold", "panic", "garbage", "leak", "spin", "crash", "abort", "overflow", "edit", "emit",
    "dispatch", "ask", "keep", "chatter", "betray",
];

#[derive(Clone, Default)]
pub struct Words {
    pub name: String,
    pub file: String,
    pub announce: bool,
    /// A deed of the entry function.
    pub begin: String,
    pub policy: bool,
    pub late: Option<u64>,
    pub ignore: Vec<Direction>,
    pub packet_mode: bool,
    pub turns: bool,
    pub publishes: Option<String>,
    pub subscribes: Option<String>,
    /// Whom `ask` asks.
    pub of: String,
    /// The port that `emit` goes to.
    pub to: u16,
    pub edits: Vec<Edit>,
    deeds: Vec<(&'static str, String)>,
}

impl Words {
    pub fn read(config: &str) -> Result<Words, String> {
        let mut words = Words { name: "probe".into(), ..Words::default() };
        for word in config.split_whitespace() {
            words.take(word).ok_or_else(|| format!("probe does not know {word:?}"))?;
        }
        words.policy |= words.late.is_some();
        Ok(words)
    }

    /// The deed for a packet, if its payload has the text of one.
    pub fn deed(&self, has: impl Fn(&str) -> bool) -> Option<&'static str> {
        self.deeds.iter().find(|(_, text)| has(text)).map(|(deed, _)| *deed)
    }

    fn take(&mut self, word: &str) -> Option<()> {
        let Some((key, value)) = word.split_once('=') else { return self.flag(word) };
        match key {
            "name" => self.name = value.into(),
            "file" => self.file = value.into(),
            "begin" => self.begin = value.into(),
            "late" => self.late = Some(value.parse().ok()?),
            "publishes" => self.publishes = Some(value.into()),
            "subscribes" => self.subscribes = Some(value.into()),
            "of" => self.of = value.into(),
            "to" => self.to = value.parse().ok()?,
            "ignore" => self.ignore.push(match value {
                "forward" => Direction::ToServer,
                "reverse" => Direction::ToClient,
                _ => return None,
            }),
            "dscp" => self.edits.push(Edit::Dscp(value.parse().ok()?)),
            "source" => self.edits.push(Edit::Source(value.parse::<IpAddr>().ok()?)),
            "destination" => self.edits.push(Edit::Destination(value.parse::<IpAddr>().ok()?)),
            "source-port" => self.edits.push(Edit::SourcePort(value.parse().ok()?)),
            "destination-port" => self.edits.push(Edit::DestinationPort(value.parse().ok()?)),
            _ => {
                let deed = DEEDS.into_iter().find(|deed| *deed == key)?;
                self.deeds.push((deed, value.into()));
            }
        }
        Some(())
    }

    fn flag(&mut self, word: &str) -> Option<()> {
        match word {
            "policy" => self.policy = true,
            "ignore" => self.ignore = Direction::BOTH.to_vec(),
            "announce" => self.announce = true,
            "packet-mode" => self.packet_mode = true,
            "turns" => self.turns = true,
            _ => return None,
        }
        Some(())
    }
}
