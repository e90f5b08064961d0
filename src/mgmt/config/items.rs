//! Items of lists by number: whether a key names one that is there.

use super::entries::entries;
use super::key_table::{Form, Row, table};
use super::{Config, Profile};

/// Why a key with numbers names nothing in this configuration, if it does not: `port.9` of two ports. Other keys are good.
pub fn absent(config: &Config, key: &str) -> Option<String> {
    let rows = table(Profile::Inline);
    let of = |form: Form| {
        rows.iter().filter_map(move |row| match row {
            Row::Section(doc) if doc.form == form => Some(doc.key.as_str()),
            _ => None,
        })
    };
    // What follows there is a name of the user's own, numbers and all.
    if of(Form::Names).any(|names| key.strip_prefix(names).is_some_and(|rest| rest.starts_with('.'))) {
        return None;
    }
    let parts: Vec<&str> = key.split('.').collect();
    let number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let at = parts.iter().position(number)?;
    let list = parts.get(..at).unwrap_or_default().join(".");
    if !of(Form::List).any(|known| known == list) {
        return Some(format!("`{list}` is no list of sections: its keys have no numbers"));
    }
    let within = format!("{list}.");
    let numbers = entries(config)
        .into_iter()
        .filter_map(|entry| entry.path.strip_prefix(&within)?.split('.').next()?.parse::<u64>().ok());
    let there = numbers.max().map_or(0, |last| last + 1);
    let wanted: Option<u64> = parts.get(at).and_then(|part| part.parse().ok());
    if wanted.is_some_and(|wanted| wanted < there) {
        return None;
    }
    let has = match there {
        0 => format!("the configuration has no [[{list}]]"),
        1 => format!("the only one is {list}.0"),
        _ => format!("there are {there}: {list}.0 to {list}.{}", there - 1),
    };
    Some(format!("there is no `{list}.{}`; {has}", parts.get(at).unwrap_or(&"")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mgmt::config::Port;

    #[test]
    fn items_are_there_or_said_not_to_be() {
        let mut config = Config::defaults(Profile::Inline);
        let absent = |config: &Config, key: &str| absent(config, key).unwrap_or_default();
        assert!(absent(&config, "port.0").contains("has no [[port]]"));
        config.ports = vec![Port::default(), Port::default()];
        assert_eq!(
            (absent(&config, "port.1.mtu"), absent(&config, "port"), absent(&config, "port.mtu")),
            Default::default()
        );
        assert_eq!(absent(&config, "port.9"), "there is no `port.9`; there are 2: port.0 to port.1");
        assert!(absent(&config, "port.99999999999999999999999.mtu").contains("there are 2"));
        assert!(absent(&config, "lcores.5.workers").contains("`lcores` is no list"));
        assert!(absent(&config, "outputs.further-eve.0.name").contains("[[outputs.further-eve]]"));
        assert_eq!(absent(&config, "host-os-policy.10.0.0.0/8"), "");
    }
}
