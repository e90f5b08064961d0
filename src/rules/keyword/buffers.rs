//! Sticky buffers over packet headers, and what is asked of a whole buffer.

use super::{Call, Keyword, Modifies, Value};
use crate::rules::draft::Draft;
use crate::rules::number;
use crate::rules::ruleset::{Check, Context, RuleProtocol, Step};
use crate::rules::text::{Fault, Text};

const fn sticky(
    name: &'static str,
    aliases: &'static [&'static str],
    parse: fn(&mut Draft, Call<'_>) -> Result<(), Fault>,
    doc: &'static str,
) -> Keyword {
    Keyword { name, aliases, modifies: Modifies::Buffer, value: Value::None, parse, doc }
}

pub(super) const KEYWORDS: &[Keyword] = &[
    sticky("pkt_data", &[], |d, c| d.enter(c.name, Context::Payload), "back to the payload"),
    sticky("ether.hdr", &[], |d, c| header(d, c, Context::EtherHeader), "the Ethernet header"),
    sticky("ipv4.hdr", &[], |d, c| header(d, c, Context::Ipv4Header), "the IPv4 header with options"),
    sticky("ipv6.hdr", &[], |d, c| header(d, c, Context::Ipv6Header), "the IPv6 header"),
    sticky("ip.src", &[], |d, c| header(d, c, Context::IpSource), "the source address, 4 or 16 bytes"),
    sticky("ip.dst", &[], |d, c| header(d, c, Context::IpDestination), "the destination address"),
    sticky("tcp.hdr", &[], |d, c| header(d, c, Context::TcpHeader), "the TCP header with options"),
    sticky("udp.hdr", &[], |d, c| header(d, c, Context::UdpHeader), "the UDP header"),
    sticky("icmpv4.hdr", &[], |d, c| header(d, c, Context::Icmpv4Header), "the ICMP header"),
    sticky("icmpv6.hdr", &[], |d, c| header(d, c, Context::Icmpv6Header), "the ICMPv6 header"),
    sticky("igmp.hdr", &[], |d, c| header(d, c, Context::IgmpHeader), "the whole IGMP message"),
    sticky("sctp.hdr", &[], |d, c| header(d, c, Context::SctpHeader), "the SCTP common header"),
    sticky(
        "sctp.chunk_data",
        &[],
        |d, c| header(d, c, Context::SctpChunkData),
        "an SCTP DATA chunk's user data",
    ),
    Keyword {
        name: "bsize",
        aliases: &[],
        modifies: Modifies::Buffer,
        value: Value::Needed,
        parse: bsize,
        doc: "the buffer's length: N, <N, >N, A<>B",
    },
];

fn header(draft: &mut Draft, call: Call<'_>, context: Context) -> Result<(), Fault> {
    if !may_hold(draft.protocol, context) {
        return Err(elsewhere(call.name, "write the buffer's own protocol, or `ip`, in the rule's header"));
    }
    draft.needs_packet = true;
    draft.enter(call.name, context)
}

fn elsewhere(name: Text<'_>, help: &str) -> Fault {
    let message = format!("`{}` cannot be in a packet of this rule's protocol", name.lossy());
    name.fault(message).help(help)
}

/// Whether packets of the protocol may have the header.
fn may_hold(protocol: RuleProtocol, context: Context) -> bool {
    use RuleProtocol as P;
    match (context, protocol) {
        (Context::TcpHeader, protocol) => {
            matches!(protocol, P::Tcp | P::TcpPacket | P::Ip | P::Ipv4 | P::Ipv6 | P::Packet)
        }
        (Context::UdpHeader, protocol) => matches!(protocol, P::Udp | P::Ip | P::Ipv4 | P::Ipv6 | P::Packet),
        (Context::SctpHeader | Context::SctpChunkData, protocol) => {
            matches!(protocol, P::Sctp | P::Ip | P::Ipv4 | P::Ipv6 | P::Packet)
        }
        (Context::IgmpHeader, protocol) => matches!(protocol, P::Igmp | P::Ip | P::Ipv4 | P::Packet),
        (Context::Icmpv4Header, protocol) => {
            matches!(protocol, P::Icmp | P::Icmpv4 | P::Ip | P::Ipv4 | P::Packet)
        }
        (Context::Icmpv6Header, protocol) => {
            matches!(protocol, P::Icmp | P::Icmpv6 | P::Ip | P::Ipv6 | P::Packet)
        }
        (Context::Ipv4Header, protocol) => !matches!(protocol, P::Ipv6 | P::Icmpv6 | P::Arp),
        (Context::Ipv6Header, protocol) => !matches!(protocol, P::Ipv4 | P::Icmpv4 | P::Arp),
        _ => true,
    }
}

/// A number of a header that packets of the rule's protocol have not would never be found.
pub(super) fn check_header(protocol: RuleProtocol, check: &Check, name: Text<'_>) -> Result<(), Fault> {
    use RuleProtocol as P;
    let fits = match check {
        Check::TcpFlags(_)
        | Check::TcpSeq(_)
        | Check::TcpAck(_)
        | Check::TcpWindow(_)
        | Check::TcpMss(_)
        | Check::TcpWindowScale(_)
        | Check::StreamSize { .. } => {
            matches!(protocol, P::TcpStream | P::TcpOrUdp) || may_hold(protocol, Context::TcpHeader)
        }
        Check::IcmpType(_) | Check::IcmpCode(_) | Check::IcmpId(_) | Check::IcmpSeq(_) => {
            may_hold(protocol, Context::Icmpv4Header) || may_hold(protocol, Context::Icmpv6Header)
        }
        Check::Icmpv6Mtu(_) => may_hold(protocol, Context::Icmpv6Header),
        Check::IgmpType(_) => may_hold(protocol, Context::IgmpHeader),
        Check::SctpVerificationTag(_) | Check::SctpChunkCount(_) | Check::SctpChunkType(_) => {
            may_hold(protocol, Context::SctpHeader)
        }
        _ => true,
    };
    if fits {
        Ok(())
    } else {
        Err(elsewhere(name, "write the keyword's own protocol, or `ip`, in the rule's header"))
    }
}

fn bsize(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    if !draft.in_decoded() && draft.named_buffer(call.name).is_err() {
        let fault = call.name.fault("`bsize` stands behind a sticky buffer, whose length it compares");
        return Err(fault.help(
            "name the buffer first, for example `http.uri; bsize:5;`; a packet's payload has `dsize`",
        ));
    }
    let size = number::comparison(call.value, u64::MAX)?;
    draft.step(Step::BufferSize(size), false);
    Ok(())
}
