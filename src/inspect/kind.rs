//! What kind of rule a rule is: when it is evaluated, and what its action touches.
//!
//! The categories are those of Suricata's documentation ("Rule types").

use crate::decode::{Decoded, L4};
use crate::rules::Rule;
use crate::rules::ruleset::{AppCheck, BitAction, Check, Context, PayloadScope, RuleProtocol};

/// In which list a packet finds its rules.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Class {
    Tcp,
    Udp,
    Icmp,
    Sctp,
    /// IP with another protocol, with a broken transport, or a fragment.
    OtherIp,
    /// ARP, what has no IP header, and what could not be decoded.
    Other,
}

impl Class {
    pub(crate) const ALL: [Class; 6] =
        [Class::Tcp, Class::Udp, Class::Icmp, Class::Sctp, Class::OtherIp, Class::Other];

    pub fn name(self) -> &'static str {
        match self {
            Class::Tcp => "tcp",
            Class::Udp => "udp",
            Class::Icmp => "icmp",
            Class::Sctp => "sctp",
            Class::OtherIp => "other-ip",
            Class::Other => "other",
        }
    }

    pub(crate) fn of(decoded: &Decoded) -> Class {
        match (&decoded.l4, decoded.ip) {
            // A broken transport leaves the packet to rules for `ip`.
            (_, ip) if decoded.invalid.is_some() && ip.is_some() => Class::OtherIp,
            _ if decoded.invalid.is_some() => Class::Other,
            (L4::Tcp(_), _) => Class::Tcp,
            (L4::Udp, _) => Class::Udp,
            (L4::Icmp4 { .. } | L4::Icmp6 { .. }, _) => Class::Icmp,
            (L4::Sctp, _) => Class::Sctp,
            (L4::None, Some(_)) => Class::OtherIp,
            (L4::None, None) => Class::Other,
        }
    }

    /// Whether a rule with this protocol word may match packets of the class; its header is compared later.
    pub(crate) fn takes(self, protocol: RuleProtocol) -> bool {
        match protocol {
            RuleProtocol::Packet | RuleProtocol::Ethernet => true,
            RuleProtocol::Arp => self == Class::Other,
            RuleProtocol::Ip | RuleProtocol::Ipv4 | RuleProtocol::Ipv6 => self != Class::Other,
            RuleProtocol::Tcp | RuleProtocol::TcpPacket | RuleProtocol::TcpStream => self == Class::Tcp,
            RuleProtocol::Udp => self == Class::Udp,
            RuleProtocol::TcpOrUdp => matches!(self, Class::Tcp | Class::Udp),
            RuleProtocol::Icmp | RuleProtocol::Icmpv4 | RuleProtocol::Icmpv6 => self == Class::Icmp,
            RuleProtocol::Sctp => self == Class::Sctp,
            RuleProtocol::Igmp => self == Class::OtherIp,
        }
    }

    pub(crate) fn has_ports(self) -> bool {
        matches!(self, Class::Tcp | Class::Udp | Class::Sctp)
    }
}

/// When a rule is evaluated.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Only a header: evaluated for the first packet of each direction of a session, and for packets without session.
    /// Its action touches the session.
    IpOnly,
    /// Evaluated for every packet; its action touches the packet.
    Packet,
    /// Contents in the packet's payload, or in the stream's bytes. Its action touches the session when it matched in the
    /// stream, else the packet.
    Payload(PayloadScope),
    /// Only `app-layer-protocol`: evaluated once a direction, when what it speaks is known.
    Protocol,
    /// Evaluated for the transactions of a session that its decoder finds. Its action touches the session.
    Transaction,
    /// Never: it needs what no decoder gives yet.
    Waiting,
}

impl Kind {
    pub(crate) fn of(rule: &Rule) -> Kind {
        if rule.waits_for().is_some() {
            return Kind::Waiting;
        }
        if rule.is_of_transactions() {
            return Kind::Transaction;
        }
        if rule.buffers.iter().any(|b| b.context == Context::Payload) {
            return Kind::Payload(rule.scope);
        }
        let asks_a_bit = |action| matches!(action, BitAction::IsSet | BitAction::IsNotSet);
        let bits = rule.flowbits.iter().any(|op| asks_a_bit(op.action))
            || rule.host_bits.iter().any(|op| asks_a_bit(op.action))
            || !rule.flowints.is_empty();
        let flow = &rule.flow;
        let says_flow =
            flow.dir.is_some() || flow.state.is_some() || flow.stream.is_some() || flow.fragment.is_some();
        let protocol =
            |check: &Check| matches!(check, Check::App(app) if matches!(**app, AppCheck::Protocol { .. }));
        if rule.buffers.is_empty()
            && !rule.checks.is_empty()
            && rule.checks.iter().all(protocol)
            && rule.app.is_empty()
            && !bits
        {
            return Kind::Protocol;
        }
        let ip = !matches!(rule.protocol, RuleProtocol::Packet | RuleProtocol::Ethernet | RuleProtocol::Arp);
        // What is said of an address is asked once a direction, as the address is.
        let of_address = |check: &Check| matches!(check, Check::Reputation(_));
        let header_only = rule.app.is_empty()
            && rule.buffers.is_empty()
            && rule.checks.iter().all(of_address)
            && !bits
            && !says_flow;
        if ip && header_only { Kind::IpOnly } else { Kind::Packet }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::fixture;
    use crate::rules::ruleset::{Action, FlowMatch, FlowbitOp, NumRange};

    #[test]
    fn a_header_alone_is_ip_only_until_a_keyword_makes_it_a_packet_rule() {
        let bare = || fixture::rule(1, Action::Alert);
        let bit = |action| FlowbitOp { action, bits: Box::new([1]) };
        assert_eq!(Kind::of(&bare()), Kind::IpOnly);
        let sets = Rule { flowbits: Box::new([bit(BitAction::Set)]), ..bare() };
        assert_eq!(Kind::of(&sets), Kind::IpOnly);
        let asks = Rule { flowbits: Box::new([bit(BitAction::IsSet)]), ..bare() };
        assert_eq!(Kind::of(&asks), Kind::Packet);
        let size = Check::PayloadSize(NumRange::new(0, 0, false));
        assert_eq!(Kind::of(&Rule { checks: Box::new([size]), ..bare() }), Kind::Packet);
        let flow = FlowMatch { stream: Some(true), ..FlowMatch::default() };
        assert_eq!(Kind::of(&Rule { flow, ..bare() }), Kind::Packet);
        let pkthdr = Rule { protocol: RuleProtocol::Packet, ..bare() };
        assert_eq!(Kind::of(&pkthdr), Kind::Packet);
        let content = fixture::payload_rule(1, Action::Alert, PayloadScope::Stream, b"x");
        assert_eq!(Kind::of(&content), Kind::Payload(PayloadScope::Stream));
    }
}
