//! Checks, steps and sets of a compiled rule, each in a line of words.

use crate::base::interval::IntervalSet;
use crate::rules::dataset::{DatasetUse, Verb};
use crate::rules::ruleset::{
    AddrSet, AppCheck, Check, Content, Context, FieldTest, NumRange, Operand, Side, Step, Transform,
    VlanLayer,
};
use crate::rules::state::StateTest;
use std::fmt::Display;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Ranges of a set that are written out.
const SHOWN: usize = 4;

pub fn name(context: Context) -> String {
    match context {
        Context::Payload => "payload".to_owned(),
        Context::App(id) => id.get().name.to_owned(),
        other => format!("{other:?}"),
    }
}

/// Printable ASCII as it is, other bytes as rules write them.
pub fn bytes(pattern: &[u8]) -> String {
    let (mut text, mut hex) = (String::from("\""), false);
    for &byte in pattern {
        let plain = (byte == b' ' || byte.is_ascii_graphic()) && !b"|\"\\;".contains(&byte);
        match (plain, hex) {
            (true, false) => {}
            (true, true) | (false, false) => text.push('|'),
            (false, true) => text.push(' '),
        }
        match plain {
            true => text.push(byte.into()),
            false => text.push_str(&format!("{byte:02x}")),
        }
        hex = !plain;
    }
    text + if hex { "|\"" } else { "\"" }
}

fn listed<T: Copy + PartialEq>(ranges: &[(T, T)], show: impl Fn(T) -> String) -> Vec<String> {
    let one = |&(low, high): &(T, T)| {
        if low == high { show(low) } else { format!("{}-{}", show(low), show(high)) }
    };
    ranges.iter().map(one).collect()
}

fn some(list: &[String]) -> String {
    let shown = list.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match list.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more ranges"),
    }
}

pub fn ranges(ports: &IntervalSet<u16>) -> String {
    some(&listed(ports.ranges(), |port| port.to_string()))
}

pub fn addresses(set: &AddrSet) -> String {
    let mut list = listed(set.v4.ranges(), |ip| Ipv4Addr::from(ip).to_string());
    list.extend(listed(set.v6.ranges(), |ip| Ipv6Addr::from(ip).to_string()));
    some(&list)
}

/// `is 5`, `is from 1 to 9`, `is not 5`.
pub fn range(range: &NumRange) -> String {
    let not = if range.negated { "not " } else { "" };
    if range.mask != u64::MAX {
        return format!("under {:#x} is {not}{:#x}", range.mask, range.low);
    }
    match (range.low, range.high) {
        (low, high) if low == high => format!("is {not}{low}"),
        (0, high) => format!("is {not}at most {high}"),
        (low, high) => format!("is {not}from {low} to {high}"),
    }
}

fn side(side: &Side) -> String {
    match side {
        Side::One(dir) => format!("{dir:?}"),
        Side::Either => "either direction".to_owned(),
        Side::Both => "both directions".to_owned(),
    }
}

pub fn check(check: &Check) -> String {
    let is = |what: &str, r: &NumRange| format!("{what} {}", range(r));
    match check {
        Check::PayloadSize(r) => is("payload size", r),
        Check::TcpFlags(test) => {
            format!("TCP flags {:?} {:#04x} of {:#04x}", test.how, test.value, test.mask)
        }
        Check::TcpSeq(r) => is("TCP sequence number", r),
        Check::TcpAck(r) => is("TCP acknowledgement number", r),
        Check::TcpWindow(r) => is("TCP window", r),
        Check::TcpMss(r) => is("TCP maximum segment size", r),
        Check::TcpWindowScale(r) => is("TCP window scale", r),
        Check::IcmpType(r) => is("ICMP type", r),
        Check::IcmpCode(r) => is("ICMP code", r),
        Check::IcmpId(r) => is("ICMP id", r),
        Check::IcmpSeq(r) => is("ICMP sequence number", r),
        Check::Icmpv6Mtu(r) => is("ICMPv6 MTU", r),
        Check::Ttl(r) => is("TTL", r),
        Check::Tos(r) => is("type of service", r),
        Check::IpProto(all) => {
            format!("IP protocol {}", all.iter().map(range).collect::<Vec<_>>().join(" or "))
        }
        Check::IpId(r) => is("IP id", r),
        Check::IpOption(option) => {
            option.map_or("has an IPv4 option".to_owned(), |kind| format!("has the IPv4 option {kind}"))
        }
        Check::FragBits(test) => format!("fragment bits {:?} {:#x}", test.how, test.value),
        Check::FragOffset(r) => is("fragment offset", r),
        Check::SameIp => "both addresses are the same".to_owned(),
        Check::Anomaly(anomaly) => format!("the anomaly {anomaly:?}"),
        Check::Checksum { of, valid } => {
            format!("the checksum of {of:?} is {}", if *valid { "right" } else { "wrong" })
        }
        Check::VlanId { layer: VlanLayer::At(n), id } => is(&format!("VLAN id of tag {n}"), id),
        Check::VlanId { layer, id } => is(&format!("VLAN id of {layer:?} tags"), id),
        Check::VlanLayers(r) => is("number of VLAN tags", r),
        Check::SctpVerificationTag(r) => is("SCTP verification tag", r),
        Check::SctpChunkCount(r) => is("number of SCTP chunks", r),
        Check::SctpChunkType(r) => is("type of an SCTP chunk", r),
        Check::IgmpType(r) => is("IGMP message type", r),
        Check::Rpc(test) => {
            let or_any = |number: Option<u32>| number.map_or_else(|| "any".to_owned(), |n| n.to_string());
            let (version, procedure) = (or_any(test.version), or_any(test.procedure));
            format!("an RPC call: program {}, version {version}, procedure {procedure}", test.program)
        }
        Check::VxlanNetwork(r) => is("VXLAN network", r),
        Check::FlowAge(r) => is("the session's age in seconds", r),
        Check::FlowPackets { side: of, count } => is(&format!("packets of {}", side(of)), count),
        Check::FlowBytes { side: of, count } => is(&format!("bytes of {}", side(of)), count),
        Check::StreamSize { side: of, bytes } => is(&format!("stream bytes of {}", side(of)), bytes),
        Check::FlowStart => "the first packet of its direction".to_owned(),
        Check::Reputation(test) => {
            format!("the reputation in {} of {:?}: {:?}", test.category, test.who, test.ask)
        }
        Check::Country(test) => {
            let countries: Vec<_> = test.countries.iter().map(ToString::to_string).collect();
            let not = if test.negated { "none of " } else { "" };
            format!("the country of {:?}: {not}{}", test.who, countries.join(", "))
        }
        Check::App(check) => app_check(check),
    }
}

fn app_check(check: &AppCheck) -> String {
    match check {
        AppCheck::Field { field, test: FieldTest::Present, .. } => format!("{} is there", field.get().name),
        AppCheck::Field { field, test: FieldTest::Number { range: r, .. }, .. } => {
            format!("{} {}", field.get().name, range(r))
        }
        AppCheck::Field { field, test, .. } => format!("{}: {test:?}", field.get().name),
        AppCheck::Event(name) => format!("the decoder's event {name}"),
        AppCheck::Protocol { protos, negated, side } => {
            format!("application protocol is {}{protos:?} ({side:?})", if *negated { "not " } else { "" })
        }
        AppCheck::State { name, test } => match test {
            StateTest::Reached => format!("the transaction has come to {name}"),
            StateTest::Before => format!("the transaction has not come to {name}"),
            StateTest::In => format!("the transaction is at {name}"),
            StateTest::Past => format!("the transaction is past {name}"),
        },
        AppCheck::Facility(facility) => format!("asks {}", facility.name()),
    }
}

fn operand(operand: Operand) -> String {
    match operand {
        Operand::Value(value) => value.to_string(),
        Operand::Variable(number) => format!("variable {number}"),
    }
}

/// `, offset 4`, where one is given.
fn part(word: &str, value: Option<Operand>) -> String {
    value.map_or_else(String::new, |value| format!(", {word} {}", operand(value)))
}

fn content(content: &Content) -> String {
    let not = if content.negated { "not " } else { "" };
    let case = if content.nocase { ", any case" } else { "" };
    let end = if content.ends_with { ", at the end" } else { "" };
    let places = [
        part("from byte", content.offset),
        part("within the first", content.depth),
        part("at least so far behind the last match:", content.distance),
        part("ending so far behind it at most:", content.within),
    ];
    format!("{not}{}{case}{}{end}", bytes(&content.pattern), places.concat())
}

fn dataset(used: &DatasetUse) -> String {
    let name = &used.name;
    match used.verb {
        Verb::Set => format!("is put into the set {name}, and was not there"),
        Verb::Unset => format!("is taken out of the set {name}, and was there"),
        Verb::IsSet => format!("is in the set {name}"),
        Verb::IsNotSet => format!("is not in the set {name}"),
        Verb::Reputation(compare, with) => format!("what the set {name} says of it is {compare:?} {with}"),
    }
}

pub fn step(step: &Step) -> String {
    let relative = |is: bool| if is { " from the last match" } else { " from the start" };
    match step {
        Step::Content(one) => content(one),
        Step::Pcre(pcre) => {
            let engine = match &*pcre.regex {
                crate::rules::ruleset::Regex::Linear(_) | crate::rules::ruleset::Regex::Capturing(_) => {
                    "linear time"
                }
                crate::rules::ruleset::Regex::Backtracking(_) => "backtracking, with limits",
            };
            let not = if pcre.negated { "no match of a" } else { "a" };
            let place = if pcre.relative { ", from the last match on" } else { "" };
            format!("{not} regular expression ({engine}){place}")
        }
        Step::Dataset(used) => dataset(used),
        Step::ByteTest(test) => format!(
            "{}the number of {} bytes at {}{} is {:?} {}",
            if test.negated { "not: " } else { "" },
            operand(test.bytes),
            operand(test.offset),
            relative(test.relative),
            test.compare,
            operand(test.value)
        ),
        Step::ByteJump(jump) => format!(
            "goes on where the number of {} bytes at {}{} says",
            operand(jump.bytes),
            operand(jump.offset),
            relative(jump.relative)
        ),
        Step::ByteExtract(extract) => format!(
            "variable {} is the number of {} bytes at {}{}",
            extract.into,
            extract.bytes,
            operand(extract.offset),
            relative(extract.relative)
        ),
        Step::ByteMath(math) => format!(
            "variable {} is the number of {} bytes at {}{}, {:?} {}",
            math.into,
            operand(math.bytes),
            operand(math.offset),
            relative(math.relative),
            math.op,
            operand(math.value)
        ),
        Step::IsDataAt(data) => format!(
            "{} byte {} bytes on{}",
            if data.negated { "no" } else { "a" },
            operand(data.at),
            relative(data.relative)
        ),
        Step::BufferSize(size) => format!("the buffer's size {}", range(size)),
        Step::Base64(base64) => format!(
            "base64 from byte {}{}, and in what it decodes to:",
            base64.offset,
            relative(base64.relative)
        ),
        Step::Entropy(test) => number("entropy in bits a byte", test.low, test.high, test.negated),
        Step::Asn1(test) => format!("a flaw in the ASN.1 at {}{}", test.offset, relative(test.relative)),
    }
}

fn number(what: &str, low: impl Display, high: impl Display, negated: bool) -> String {
    format!("{what} is {}from {low} to {high}", if negated { "not " } else { "" })
}

pub fn transform(transform: &Transform) -> String {
    match transform {
        Transform::Capture { expression, .. } => format!("what the expression {expression} captures"),
        Transform::DotPrefix => "a dot in front".to_owned(),
        other => format!("{other:?}"),
    }
}
