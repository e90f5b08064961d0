//! What of a running appliance a live key belongs to: by that a commit knows what to make anew.

/// A part of the appliance that takes over changes as one.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Area {
    /// Compiled anew, as by `weir ctl rules reload`.
    Rules,
    /// Plugins, service sets and their bounds.
    Services,
    /// Modes of pairs.
    Modes,
    /// Settings of the workers.
    Workers,
    Outputs,
    LogLevel,
    /// Read where it is needed.
    Nothing,
}

/// Of a live key, with or without numbers of items; none for a key that is not live.
pub fn area(key: &str) -> Option<Area> {
    let mut parts = key.split('.').filter(|part| !part.bytes().all(|b| b.is_ascii_digit()));
    let (section, last) = (parts.next().unwrap_or_default(), key.rsplit('.').next().unwrap_or_default());
    match section {
        "rules" if last == "packet-alert-max" => Some(Area::Workers),
        "rules" if last == "memory" => Some(Area::Nothing),
        "rules" | "vars" | "datasets" | "dataset" | "reputation" | "geoip" => Some(Area::Rules),
        "plugin" | "service-set" | "services" => Some(Area::Services),
        "pair" if last == "mode" => Some(Area::Modes),
        "pair" | "config" => Some(Area::Nothing),
        "sessions" | "timeouts" | "fragments" | "streams" | "exception-policy" | "host-os-policy" => {
            Some(Area::Workers)
        }
        "outputs" => Some(Area::Outputs),
        "log" => Some(Area::LogLevel),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mgmt::Profile;
    use crate::mgmt::config::key_table::{Row, table};
    use crate::mgmt::config::visit::Change;

    #[test]
    fn every_live_key_belongs_to_some_part() {
        let mut lists: Vec<(String, Change)> = Vec::new();
        for row in table(Profile::Inline) {
            let (key, change) = match &row {
                Row::Key(doc) => (&doc.key, Some(doc.change)),
                Row::Section(doc) => (&doc.key, doc.change),
            };
            if change == Some(Change::Live) {
                assert!(area(key).is_some(), "{key} is live, and no part takes it over");
            }
            let list = lists.iter().find(|(list, _)| key.starts_with(&format!("{list}.")));
            if let (Some((list, Change::Live)), Some(change)) = (list, change) {
                assert_eq!(change, Change::Live, "{key}: items of {list} come and go live, whole");
            }
            if let (Row::Section(doc), Some(change)) = (&row, change) {
                lists.push((doc.key.clone(), change));
            }
        }
        assert_eq!((area("pair.0.mode"), area("lcores.workers")), (Some(Area::Modes), None));
    }
}
