//! Rules about packets and streams that are wrong: events by name, and checksums.

use super::{Call, Keyword, Modifies, Value, choice};
use crate::base::anomaly::AnomalyKind;
use crate::base::{Anomaly, Family};
use crate::rules::draft::Draft;
use crate::rules::ruleset::{Check, ChecksumOf};
use crate::rules::text::{Fault, nearest};

const fn entry(
    name: &'static str,
    aliases: &'static [&'static str],
    parse: fn(&mut Draft, Call<'_>) -> Result<(), Fault>,
    doc: &'static str,
) -> Keyword {
    Keyword { name, aliases, modifies: Modifies::Packet, value: Value::Needed, parse, doc }
}

pub(super) const KEYWORDS: &[Keyword] = &[
    entry(
        "decode-event",
        &["engine-event"],
        |d, c| event(d, c, AnomalyKind::Decode),
        "an anomaly that decoding found",
    ),
    entry(
        "stream-event",
        &[],
        |d, c| event(d, c, AnomalyKind::Stream),
        "an anomaly of the packet's TCP session",
    ),
    entry("ipv4-csum", &[], |d, c| checksum(d, c, ChecksumOf::Ipv4Header), "valid or invalid"),
    entry("tcpv4-csum", &[], |d, c| checksum(d, c, ChecksumOf::Tcp(Family::V4)), "valid or invalid"),
    entry("tcpv6-csum", &[], |d, c| checksum(d, c, ChecksumOf::Tcp(Family::V6)), "valid or invalid"),
    entry("udpv4-csum", &[], |d, c| checksum(d, c, ChecksumOf::Udp(Family::V4)), "valid or invalid"),
    entry("udpv6-csum", &[], |d, c| checksum(d, c, ChecksumOf::Udp(Family::V6)), "valid or invalid"),
    entry("icmpv4-csum", &[], |d, c| checksum(d, c, ChecksumOf::Icmp(Family::V4)), "valid or invalid"),
    entry("igmp.csum", &["igmp-csum"], |d, c| checksum(d, c, ChecksumOf::Igmp), "valid or invalid"),
    entry("icmpv6-csum", &[], |d, c| checksum(d, c, ChecksumOf::Icmp(Family::V6)), "valid or invalid"),
];

fn event(draft: &mut Draft, call: Call<'_>, kind: AnomalyKind) -> Result<(), Fault> {
    let word = call.value.lossy();
    // Suricata's own rules write stream events with and without the prefix.
    let name = word.strip_prefix("stream.").unwrap_or(&word);
    // The older keyword takes events of both kinds.
    let of_streams = call.name.is("engine-event") && name.len() < word.len();
    let kind = if of_streams { AnomalyKind::Stream } else { kind };
    let bare = |a: &Anomaly| a.name().strip_prefix("stream.").unwrap_or(a.name());
    let mut of_kind = Anomaly::ALL.iter().copied().filter(|a| a.kind() == kind);
    let Some(anomaly) = of_kind.clone().find(|a| bare(a) == name) else {
        let fault = call.value.fault(format!("no {} event is called `{word}` in this version", kind.name()));
        let names = Anomaly::ALL.iter().filter(|a| a.kind() == kind).map(bare);
        return Err(match nearest(name, names) {
            Some(near) => fault.help(format!("did you mean `{near}`?")),
            None if of_kind.next().is_none() => fault.help("this version has none of that kind"),
            None if kind == AnomalyKind::Decode => fault.help(
                "names are those of docs.suricata.io, for example `ipv4.trunc_pkt` or `tcp.hlen_too_small`",
            ),
            None => fault.help("names are those of docs.suricata.io, for example `3whs_ack_in_wrong_dir`"),
        });
    };
    draft.packet_check(Check::Anomaly(anomaly));
    Ok(())
}

fn checksum(draft: &mut Draft, call: Call<'_>, of: ChecksumOf) -> Result<(), Fault> {
    let valid = choice(call.value.unquoted(), &[("valid", true), ("invalid", false)])?;
    draft.packet_check(Check::Checksum { of, valid });
    Ok(())
}
