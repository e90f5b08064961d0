//! Numbers and flags in the IP, TCP, ICMP, SCTP and VLAN headers (docs.suricata.io, "IP Keywords" and the next).

use super::{Call, Keyword, Modifies, Value, choice};
use crate::rules::draft::Draft;
use crate::rules::number::{self, comparison};
use crate::rules::ruleset::{
    Check, FRAG_DONT, FRAG_MORE, FRAG_RESERVED, FlagsCompare, FragBitsTest, NumRange, RpcTest, TcpFlagsTest,
    VlanLayer,
};
use crate::rules::text::{Fault, Text};

type Parse = fn(&mut Draft, Call<'_>) -> Result<(), Fault>;

const fn field(
    name: &'static str,
    aliases: &'static [&'static str],
    parse: Parse,
    doc: &'static str,
) -> Keyword {
    Keyword { name, aliases, modifies: Modifies::Packet, value: Value::Needed, parse, doc }
}

const U8: u64 = 0xff;
const U16: u64 = 0xffff;
const U32: u64 = 0xffff_ffff;

pub(super) const KEYWORDS: &[Keyword] = &[
    field("dsize", &[], |d, c| number_check(d, c, U16, Check::PayloadSize), "the packet's payload length"),
    field("flags", &["tcp.flags"], flags, "TCP flags: [!*+]FSRPAUCE0[,ignored]"),
    field("seq", &["tcp.seq"], |d, c| number_check(d, c, U32, Check::TcpSeq), "TCP sequence number"),
    field("ack", &["tcp.ack"], |d, c| number_check(d, c, U32, Check::TcpAck), "TCP acknowledgement number"),
    field("window", &["tcp.window"], |d, c| number_check(d, c, U16, Check::TcpWindow), "TCP window as sent"),
    field("tcp.mss", &[], |d, c| number_check(d, c, U16, Check::TcpMss), "TCP maximum segment size option"),
    field("tcp.wscale", &[], |d, c| number_check(d, c, U8, Check::TcpWindowScale), "TCP window scale option"),
    field("itype", &[], |d, c| number_check(d, c, U8, Check::IcmpType), "ICMP or ICMPv6 type"),
    field("icode", &[], |d, c| number_check(d, c, U8, Check::IcmpCode), "ICMP or ICMPv6 code"),
    field("icmp_id", &[], |d, c| number_check(d, c, U16, Check::IcmpId), "ICMP echo identifier"),
    field("icmp_seq", &[], |d, c| number_check(d, c, U16, Check::IcmpSeq), "ICMP echo sequence number"),
    field(
        "icmpv6.mtu",
        &[],
        |d, c| number_check(d, c, U32, Check::Icmpv6Mtu),
        "MTU of a packet-too-big message",
    ),
    field("igmp.type", &[], |d, c| number_check(d, c, U8, Check::IgmpType), "IGMP message type"),
    field("rpc", &[], rpc, "a call of ONC RPC: program, version|*, procedure|*"),
    field(
        "vxlan_vni",
        &[],
        |d, c| number_check(d, c, 0xff_ffff, Check::VxlanNetwork),
        "network number of the VXLAN header that the packet carries",
    ),
    field("ttl", &[], |d, c| number_check(d, c, U8, Check::Ttl), "IPv4 time to live or IPv6 hop limit"),
    field("tos", &[], tos, "IPv4 type of service: [!]N or [!]xHH"),
    field("id", &[], |d, c| number_check(d, c, U16, Check::IpId), "IPv4 identification"),
    field("ipopts", &[], ipopts, "an IPv4 option: rr eol nop ts sec esec lsrr ssrr satid any"),
    field("ip_proto", &[], ip_proto, "IP protocol by number or name"),
    field("fragbits", &[], fragbits, "IPv4 bits: [!*+]MDR"),
    field(
        "fragoffset",
        &[],
        |d, c| number_check(d, c, U16, Check::FragOffset),
        "IPv4 fragment offset, 8-byte units",
    ),
    Keyword {
        name: "sameip",
        aliases: &[],
        modifies: Modifies::Packet,
        value: Value::None,
        parse: |d, _| keep(d, Check::SameIp),
        doc: "source and destination address are the same",
    },
    field("vlan.id", &[], vlan_id, "VLAN id[,layer]: layer 0 to 2, -1 to -3, any, all"),
    field("vlan.layers", &[], |d, c| number_check(d, c, 3, Check::VlanLayers), "number of VLAN tags, 0 to 3"),
    field(
        "sctp.vtag",
        &[],
        |d, c| number_check(d, c, U32, Check::SctpVerificationTag),
        "SCTP verification tag",
    ),
    field(
        "sctp.chunk_cnt",
        &[],
        |d, c| number_check(d, c, U16, Check::SctpChunkCount),
        "number of SCTP chunks",
    ),
    field("sctp.chunk_type", &[], chunk_type, "type of any SCTP chunk, by number or name"),
];

fn keep(draft: &mut Draft, check: Check) -> Result<(), Fault> {
    draft.packet_check(check);
    Ok(())
}

fn number_check(
    draft: &mut Draft,
    call: Call<'_>,
    max: u64,
    check: fn(NumRange) -> Check,
) -> Result<(), Fault> {
    keep(draft, check(comparison(call.value.unquoted(), max)?))
}

/// How flags compare, and what stands behind (or, in Snort's older rules, before) the sign.
fn compare_sign(text: Text<'_>) -> (FlagsCompare, Text<'_>) {
    let sign = |byte| match byte {
        Some(b'+') => Some(FlagsCompare::AllOf),
        Some(b'*') => Some(FlagsCompare::AnyOf),
        Some(b'!') => Some(FlagsCompare::NoneOf),
        _ => None,
    };
    let length = text.bytes.len();
    match (sign(text.bytes.first().copied()), sign(text.bytes.last().copied())) {
        (Some(how), _) => (how, text.from(1).trim()),
        (None, Some(how)) => (how, text.sub(0, length - 1).trim()),
        (None, None) => (FlagsCompare::Exactly, text),
    }
}

fn tcp_bits(text: Text<'_>) -> Result<u8, Fault> {
    let mut bits = 0;
    for (at, letter) in text.bytes.iter().enumerate() {
        bits |= match letter.to_ascii_uppercase() {
            b'F' => 0x01,
            b'S' => 0x02,
            b'R' => 0x04,
            b'P' => 0x08,
            b'A' => 0x10,
            b'U' => 0x20,
            b'E' | b'2' => 0x40,
            b'C' | b'1' => 0x80,
            b'0' => 0,
            _ => return Err(text.sub(at, at + 1).fault("this is no TCP flag").help("F S R P A U C E or 0")),
        };
    }
    Ok(bits)
}

fn flags(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let (wanted, ignored) = match call.value.split_once(b',') {
        Some((wanted, ignored)) => (wanted, tcp_bits(ignored)?),
        None => (call.value, 0),
    };
    let (how, letters) = compare_sign(wanted);
    if letters.is_empty() {
        return Err(call.value.fault("expected TCP flags").help("F S R P A U C E or 0"));
    }
    let value = tcp_bits(letters)?;
    if value == 0 && how != FlagsCompare::Exactly {
        return Err(call
            .value
            .fault("a sign before `0` says nothing")
            .help("`flags:0` is a segment without flags"));
    }
    keep(draft, Check::TcpFlags(TcpFlagsTest { value, mask: !ignored, how }))
}

fn fragbits(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let (how, letters) = compare_sign(call.value);
    let mut value = 0;
    for (at, letter) in letters.bytes.iter().enumerate() {
        value |= match letter.to_ascii_uppercase() {
            b'M' => FRAG_MORE,
            b'D' => FRAG_DONT,
            b'R' => FRAG_RESERVED,
            _ => return Err(letters.sub(at, at + 1).fault("this is no fragment bit").help("M, D or R")),
        };
    }
    if value == 0 {
        return Err(call.value.fault("expected fragment bits").help("M, D or R"));
    }
    keep(draft, Check::FragBits(FragBitsTest { value, how }))
}

fn tos(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let (negated, rest) = call.value.negation();
    let Some(hex) = rest.strip("x") else {
        return number_check(draft, call, U8, Check::Tos);
    };
    let value = u64::from_str_radix(hex.ascii(), 16).ok().filter(|v| *v <= U8);
    let value = value.ok_or_else(|| rest.fault("expected two hexadecimal digits after `x`"))?;
    keep(draft, Check::Tos(NumRange::new(value, value, negated)))
}

fn ipopts(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    // Option types with their copied flag (RFC 791, section 3.1; RFC 1108).
    let kind = choice(
        call.value,
        &[
            ("any", None),
            ("eol", Some(0)),
            ("nop", Some(1)),
            ("rr", Some(7)),
            ("ts", Some(68)),
            ("sec", Some(130)),
            ("lsrr", Some(131)),
            ("esec", Some(133)),
            ("satid", Some(136)),
            ("ssrr", Some(137)),
        ],
    )?;
    keep(draft, Check::IpOption(kind))
}

/// Names of the IANA registry that rules use.
const PROTOCOLS: &[(&str, u64)] = &[
    ("icmp", 1),
    ("igmp", 2),
    ("ggp", 3),
    ("ipencap", 4),
    ("tcp", 6),
    ("egp", 8),
    ("igp", 9),
    ("udp", 17),
    ("dccp", 33),
    ("ipv6", 41),
    ("ipv6-route", 43),
    ("ipv6-frag", 44),
    ("rsvp", 46),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("ipv6-icmp", 58),
    ("icmpv6", 58),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("eigrp", 88),
    ("ospf", 89),
    ("ipip", 94),
    ("etherip", 97),
    ("pim", 103),
    ("vrrp", 112),
    ("l2tp", 115),
    ("sctp", 132),
    ("udplite", 136),
];

fn ip_proto(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let value = call.value.unquoted();
    let (negated, rest) = value.negation();
    let number = if rest.bytes.first().is_some_and(u8::is_ascii_alphabetic) {
        let proto = choice(rest, PROTOCOLS).map_err(|mut fault| {
            fault.message = format!("no IP protocol is called `{}` here", rest.lossy());
            fault.help = fault.help.map(|help| format!("{help}; or a number from 0 to 255"));
            fault
        })?;
        NumRange::new(proto, proto, negated)
    } else {
        comparison(value, U8)?
    };
    keep(draft, Check::IpProto(Box::new([number])))
}

fn vlan_id(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    /// 12 bits; 4095 is reserved.
    const MAX_ID: u64 = 4095;
    let (id, layer) = match call.value.split_once(b',') {
        None => (call.value, VlanLayer::Any),
        Some((id, layer)) if layer.is("any") => (id, VlanLayer::Any),
        Some((id, layer)) if layer.is("all") => (id, VlanLayer::All),
        Some((id, layer)) => (id, VlanLayer::At(vlan_layer(layer)?)),
    };
    keep(draft, Check::VlanId { layer, id: comparison(id, MAX_ID)? })
}

fn vlan_layer(text: Text<'_>) -> Result<i8, Fault> {
    match number::signed(text, 3) {
        Ok(layer @ -3..=2) => Ok(layer as i8),
        _ => Err(text.fault("a layer is 0 to 2, -1 to -3, `any` or `all`")),
    }
}

fn rpc(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let parts: Vec<Text<'_>> = call.value.split(b',').collect();
    let form = |at: Text<'_>| {
        at.fault("expected `program, version, procedure`")
            .help("for example `rpc:100009,*,*`; `*` is any number")
    };
    let (Some(&program), true) = (parts.first(), parts.len() <= 3) else { return Err(form(call.value)) };
    if parts.iter().any(|part| part.is_empty()) {
        return Err(form(call.value));
    }
    let or_any = |part: Option<&Text<'_>>| match part {
        Some(part) if !part.is("*") => number::small(*part, U32).map(Some),
        _ => Ok(None),
    };
    let program = number::small(program, U32)?;
    let (version, procedure) = (or_any(parts.get(1))?, or_any(parts.get(2))?);
    keep(draft, Check::Rpc(RpcTest { program, version, procedure }))
}

fn chunk_type(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    // RFC 9260, section 3.2; RFC 4895, 4820, 6525, 8260.
    const TYPES: &[(&str, u64)] = &[
        ("data", 0),
        ("init", 1),
        ("init_ack", 2),
        ("sack", 3),
        ("heartbeat", 4),
        ("heartbeat_ack", 5),
        ("abort", 6),
        ("shutdown", 7),
        ("shutdown_ack", 8),
        ("error", 9),
        ("cookie_echo", 10),
        ("cookie_ack", 11),
        ("ecne", 12),
        ("cwr", 13),
        ("shutdown_complete", 14),
        ("auth", 15),
        ("i_data", 64),
        ("asconf_ack", 128),
        ("re_config", 130),
        ("pad", 132),
        ("forward_tsn", 192),
        ("asconf", 193),
        ("i_forward_tsn", 194),
    ];
    let (negated, rest) = call.value.negation();
    let number = if rest.bytes.first().is_some_and(u8::is_ascii_alphabetic) {
        let kind = choice(rest, TYPES)?;
        NumRange::new(kind, kind, negated)
    } else {
        comparison(call.value, U8)?
    };
    keep(draft, Check::SctpChunkType(number))
}
