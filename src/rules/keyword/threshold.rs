//! How often a rule may speak: `threshold`, `detection_filter`; and `tag`.

use super::{Call, Keyword, Modifies, Value, choice, once};
use crate::rules::draft::Draft;
use crate::rules::number::small;
use crate::rules::ruleset::{RuleProtocol, Tag, TagOf, TagUnit, Threshold, ThresholdKind, Track, UniqueOn};
use crate::rules::text::{Fault, Text};
use std::time::Duration;

const fn rule(
    name: &'static str,
    parse: fn(&mut Draft, Call<'_>) -> Result<(), Fault>,
    doc: &'static str,
) -> Keyword {
    Keyword { name, aliases: &[], modifies: Modifies::Rule, value: Value::Needed, parse, doc }
}

pub(super) const KEYWORDS: &[Keyword] = &[
    rule("threshold", threshold, "type limit|threshold|both|backoff, track, count, seconds or multiplier"),
    rule(
        "detection_filter",
        detection_filter,
        "alerts only past a count: track, count, seconds[, unique_on]",
    ),
    rule(
        "tag",
        tag,
        "packets to log after an alert: session|host[, count, packets|bytes|seconds[, src|dst]]",
    ),
];

pub(in crate::rules) const TRACKS: &[(&str, Track)] = &[
    ("by_src", Track::BySource),
    ("by_dst", Track::ByDestination),
    ("by_both", Track::ByBoth),
    ("by_rule", Track::ByRule),
    ("by_flow", Track::ByFlow),
];

/// The words that both keywords are made of, in any order.
#[derive(Default)]
struct Words {
    kind: Option<ThresholdKind>,
    track: Option<Track>,
    count: Option<u32>,
    seconds: Option<u32>,
    multiplier: Option<u32>,
    unique_on: Option<UniqueOn>,
}

impl Words {
    fn read(call: Call<'_>, allowed: &[&str]) -> Result<Words, Fault> {
        let mut words = Words::default();
        for part in call.value.split(b',') {
            let (key, value) = part.first_word();
            let name = key.ascii();
            if !allowed.contains(&name) {
                let table: Vec<(&'static str, ())> =
                    KEYS.iter().filter(|k| allowed.contains(k)).map(|k| (*k, ())).collect();
                choice(key, &table)?;
            }
            let part = Call { name: key, value };
            match name {
                "type" => once(&mut words.kind, choice(value, KINDS)?, part)?,
                "track" => once(&mut words.track, choice(value, TRACKS)?, part)?,
                "count" => once(&mut words.count, positive(value)?, part)?,
                "seconds" => once(&mut words.seconds, positive(value)?, part)?,
                "multiplier" => once(&mut words.multiplier, positive(value)?, part)?,
                _ => once(&mut words.unique_on, choice(value, UNIQUES)?, part)?,
            }
        }
        Ok(words)
    }
}

const KEYS: &[&str] = &["type", "track", "count", "seconds", "multiplier", "unique_on"];

pub(in crate::rules) const KINDS: &[(&str, ThresholdKind)] = &[
    ("limit", ThresholdKind::Limit),
    ("threshold", ThresholdKind::Threshold),
    ("both", ThresholdKind::Both),
    ("backoff", ThresholdKind::Backoff { multiplier: 0 }),
];

const UNIQUES: &[(&str, UniqueOn)] =
    &[("src_port", UniqueOn::SourcePort), ("dst_port", UniqueOn::DestinationPort)];

pub(in crate::rules) fn positive(text: Text<'_>) -> Result<u32, Fault> {
    match small(text, u64::from(u32::MAX))? {
        0 => Err(text.fault("0 is too few: at least 1")),
        n => Ok(n),
    }
}

fn missing(call: Call<'_>, word: &str) -> Fault {
    call.value.fault(format!("`{word}` is missing in `{}`", call.name.lossy()))
}

fn threshold(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let words = Words::read(call, &["type", "track", "count", "seconds", "multiplier"])?;
    let mut kind = words.kind.ok_or_else(|| missing(call, "type"))?;
    let window = match &mut kind {
        ThresholdKind::Backoff { multiplier } => {
            *multiplier = words.multiplier.ok_or_else(|| missing(call, "multiplier"))?;
            Duration::ZERO
        }
        _ => Duration::from_secs(u64::from(words.seconds.ok_or_else(|| missing(call, "seconds"))?)),
    };
    let by_flow = words.track.is_none_or(|track| track == Track::ByFlow);
    if matches!(kind, ThresholdKind::Backoff { .. }) && !by_flow {
        return Err(call.value.fault("`type backoff` counts by flow only").help("write `track by_flow`"));
    }
    if words.multiplier.is_some() && !matches!(kind, ThresholdKind::Backoff { .. }) {
        return Err(call.value.fault("`multiplier` is for `type backoff` only"));
    }
    let threshold = Threshold {
        kind,
        track: words.track.ok_or_else(|| missing(call, "track"))?,
        count: words.count.ok_or_else(|| missing(call, "count"))?,
        window,
        unique_on: None,
    };
    if draft.detection_filter.is_some() {
        return Err(call.name.fault("a rule has `threshold` or `detection_filter`, not both"));
    }
    // Two must both let an alert through; one that counts to 1 always does.
    let idle = |t: &Threshold| t.kind == ThresholdKind::Threshold && t.count == 1;
    match draft.threshold {
        Some(said) if idle(&said) => draft.threshold = Some(threshold),
        Some(_) if idle(&threshold) => {}
        _ => once(&mut draft.threshold, threshold, call)?,
    }
    Ok(())
}

fn detection_filter(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let words = Words::read(call, &["track", "count", "seconds", "unique_on"])?;
    let seconds = words.seconds.ok_or_else(|| missing(call, "seconds"))?;
    let filter = Threshold {
        kind: ThresholdKind::DetectionFilter,
        track: words.track.ok_or_else(|| missing(call, "track"))?,
        count: words.count.ok_or_else(|| missing(call, "count"))?,
        window: Duration::from_secs(u64::from(seconds)),
        unique_on: words.unique_on,
    };
    if words.unique_on.is_some() && !has_ports(draft.protocol) {
        return Err(call.value.fault("`unique_on` counts ports, which this protocol has not"));
    }
    if draft.threshold.is_some() {
        return Err(call.name.fault("a rule has `threshold` or `detection_filter`, not both"));
    }
    once(&mut draft.detection_filter, filter, call)
}

fn has_ports(protocol: RuleProtocol) -> bool {
    use RuleProtocol::{Sctp, Tcp, TcpOrUdp, TcpPacket, TcpStream, Udp};
    matches!(protocol, Tcp | TcpPacket | TcpStream | Udp | TcpOrUdp | Sctp)
}

fn tag(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    /// As many packets as Suricata tags when the rule does not say.
    const DEFAULT_PACKETS: u32 = 256;
    let mut words = call.value.split(b',');
    let first = words.next().unwrap_or(call.value);
    let host = choice(first, &[("session", false), ("host", true)])?;
    let units = [("packets", TagUnit::Packets), ("bytes", TagUnit::Bytes), ("seconds", TagUnit::Seconds)];
    let (count, unit) = match (words.next(), words.next()) {
        (None, _) => (DEFAULT_PACKETS, TagUnit::Packets),
        (Some(count), Some(unit)) => (positive(count)?, choice(unit, &units)?),
        (Some(count), None) => {
            let fault = count.fault("a count needs its unit: packets, bytes or seconds");
            return Err(fault.help("for example `tag:session,100,packets;`"));
        }
    };
    let sides = [("src", TagOf::SourceHost), ("dst", TagOf::DestinationHost)];
    let of = match (host, words.next()) {
        (false, Some(side)) => return Err(side.fault("a direction is for `host` only")),
        (false, None) => TagOf::Session,
        (true, Some(side)) => choice(side, &sides)?,
        (true, None) => TagOf::DestinationHost,
    };
    if let Some(extra) = words.next() {
        return Err(extra.fault("nothing may follow the direction"));
    }
    draft.tags.push(Tag { of, count, unit });
    Ok(())
}
