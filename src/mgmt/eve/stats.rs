//! `stats` records: counters with dotted names, nested as Suricata nests them.

use super::time::Stamp;
use crate::base::Time;
use crate::mgmt::control::NamedCount;
use serde_json::{Map, Value, json};

/// One record of all counters.
pub fn record(now: Time, uptime_secs: u64, counters: &[NamedCount]) -> Value {
    json!({
        "timestamp": Stamp(now).to_string(),
        "event_type": "stats",
        "stats": nested(uptime_secs, counters),
    })
}

/// The counters as nested objects.
pub fn nested(uptime_secs: u64, counters: &[NamedCount]) -> Value {
    let mut stats = Map::new();
    stats.insert("uptime".into(), uptime_secs.into());
    for counter in counters {
        insert(&mut stats, &counter.name, counter.value);
    }
    stats.into()
}

/// A name that is both a counter and the head of others (`flow`, `flow.tcp`) keeps its number under `total`.
fn insert(map: &mut Map<String, Value>, name: &str, value: u64) {
    let Some((head, rest)) = name.split_once('.') else {
        match map.get_mut(name) {
            Some(Value::Object(inner)) => inner.insert("total".into(), value.into()),
            _ => map.insert(name.into(), value.into()),
        };
        return;
    };
    let slot = map.entry(head).or_insert_with(|| Map::new().into());
    if let Value::Number(number) = slot {
        *slot = json!({ "total": number });
    }
    if let Value::Object(inner) = slot {
        insert(inner, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotted_names_become_nested_objects() {
        let counters = [
            ("decoder.pkts", 7),
            ("decoder.bytes", 700),
            ("flow", 3),
            ("flow.tcp", 2),
            ("ips.drop_reason.rules", 1),
            ("ips.drop_reason", 4),
        ];
        let counters = counters.map(|(name, value)| NamedCount::new(name, value));
        let expected = json!({
            "timestamp": "1970-01-01T00:00:09.000000+0000",
            "event_type": "stats",
            "stats": {
                "uptime": 9,
                "decoder": { "pkts": 7, "bytes": 700 },
                "flow": { "total": 3, "tcp": 2 },
                "ips": { "drop_reason": { "rules": 1, "total": 4 } },
            },
        });
        assert_eq!(record(Time::from_secs(9), 9, &counters), expected);
    }
}
