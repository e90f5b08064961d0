//! `outputs.eve.types`: kinds of eve.json records.

use crate::mgmt::config::Profile;
use crate::mgmt::config::kind::Kind;
use crate::mgmt::config::value::{no_such_word, quoted};
use crate::mgmt::config::visit::Value;
use crate::rules::app::{AppProto, DECODED, Protos};
use toml::de::DeValue;

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum EventType {
    #[default]
    Alert,
    Anomaly,
    Drop,
    Flow,
    Netflow,
    Stats,
    Files,
    /// The transactions of a protocol.
    App(AppProto),
}

/// Those that are about packets, sessions and the appliance.
const GENERAL: [(EventType, &str); 7] = [
    (EventType::Alert, "alert"),
    (EventType::Anomaly, "anomaly"),
    (EventType::Drop, "drop"),
    (EventType::Flow, "flow"),
    (EventType::Netflow, "netflow"),
    (EventType::Stats, "stats"),
    (EventType::Files, "files"),
];

impl EventType {
    /// Those of a profile. Inline nothing is decoded for the log alone; a replay writes what Suricata's stock configuration
    /// does.
    pub fn stock(profile: Profile) -> Vec<EventType> {
        match profile {
            Profile::Inline => {
                let unasked = [Self::Files, Self::Netflow];
                GENERAL.iter().map(|(kind, _)| *kind).filter(|kind| !unasked.contains(kind)).collect()
            }
            Profile::Suricata => EventType::all().filter(|kind| *kind != Self::Netflow).collect(),
        }
    }

    /// All that can be asked for: a protocol without a decoder has no records. FTP's data channels go with FTP.
    pub fn all() -> impl Iterator<Item = EventType> {
        let apps = DECODED.iter().filter(|proto| *proto != AppProto::FtpData).map(EventType::App);
        GENERAL.iter().map(|(kind, _)| *kind).chain(apps)
    }

    pub fn name(self) -> &'static str {
        match self {
            EventType::App(proto) => proto.log_name(),
            general => GENERAL.iter().find(|(kind, _)| *kind == general).map_or("", |(_, name)| name),
        }
    }

    /// The type of a transaction's records.
    pub fn of_app(proto: AppProto) -> EventType {
        EventType::App(if proto == AppProto::FtpData { AppProto::Ftp } else { proto })
    }

    /// The protocols whose transactions these types ask for.
    pub fn protocols(types: &[EventType]) -> Protos {
        AppProto::ALL
            .iter()
            .filter(|proto| types.contains(&EventType::of_app(**proto)))
            .fold(Protos::NONE, |all, proto| all.or(Protos::of(&[*proto])))
    }
}

impl Value for EventType {
    fn read(&mut self, toml: &DeValue<'_>) -> Result<(), String> {
        let word = match toml {
            DeValue::String(word) => EventType::all().find(|kind| kind.name() == word),
            _ => None,
        };
        let words = || EventType::all().map(EventType::name).collect::<Vec<_>>();
        *self = word.ok_or_else(|| no_such_word(toml, &words()))?;
        Ok(())
    }

    fn write(&self) -> String {
        quoted(self.name())
    }

    fn kind(&self) -> Kind {
        Kind::Words(EventType::all().map(EventType::name).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_a_name_of_its_own_and_is_read_back() {
        let all: Vec<_> = EventType::all().collect();
        for kind in &all {
            let text = kind.write();
            let parsed = DeValue::parse(&text).unwrap();
            let mut read = EventType::default();
            read.read(parsed.get_ref()).unwrap();
            assert_eq!(read, *kind);
        }
        let names: std::collections::BTreeSet<_> = all.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), all.len());
        let unknown = DeValue::parse("\"htp\"").unwrap();
        let fault = EventType::default().read(unknown.get_ref()).unwrap_err();
        assert!(fault.contains("the nearest is \"http\""), "{fault}");
    }

    #[test]
    fn ftp_brings_its_data_channels() {
        let protocols = EventType::protocols(&[EventType::Alert, EventType::App(AppProto::Ftp)]);
        assert_eq!(protocols, Protos::of(&[AppProto::Ftp, AppProto::FtpData]));
        assert!(EventType::protocols(&EventType::stock(Profile::Inline)).is_empty());
        assert_eq!(EventType::protocols(&EventType::stock(Profile::Suricata)), DECODED);
    }
}
