//! From the link to the headers that say where a frame goes, without judging any.

use super::{AFFINITY_BYTES, Affinity, HashBy, HashFunction};
use crate::base::{Family, FlowTuple};
use crate::decode::carried::{self, Carried, Inner};
use crate::decode::{Layer, MAX_LAYERS, MAX_TUNNELS, MAX_VLANS, Tunnels};
use crate::decode::{ip, ipv6_ext, link, quoted, shim, tail, without_padding};
use crate::io::LinkType;
use crate::wire::ethernet::{self, VLAN_TAG_LEN, VlanTag, ether_type};
use crate::wire::ipv4::Ipv4;
use crate::wire::ipv6::{self, Ipv6};
use crate::wire::{icmp, ip_proto, llc, u16_at, udp};
use arrayvec::ArrayVec;

pub(super) fn find(bytes: &[u8], link: LinkType, by: &HashBy) -> Option<Affinity> {
    let bytes = bytes.get(..AFFINITY_BYTES).unwrap_or(bytes);
    let packet = Packet::parse(network(bytes, Layer::of_link(link)?)?)?;
    if packet.fragment {
        return Some(Affinity { hash: by.fragment(&packet.tuple), fragment: true });
    }
    let hash = inner_hash(&packet, by).unwrap_or_else(|| by.session(&packet.session(by.ports)));
    Some(Affinity { hash, fragment: false })
}

/// `None` where there is no IP packet to be told.
pub(super) fn is_piece(bytes: &[u8], link: LinkType) -> Option<bool> {
    let bytes = bytes.get(..AFFINITY_BYTES).unwrap_or(bytes);
    Some(Packet::parse(network(bytes, Layer::of_link(link)?)?)?.fragment)
}

/// The hash of the innermost of the packets that one carries.
pub(in crate::decode) fn carried(bytes: &[u8], inner: &Inner, by: &HashBy) -> Option<u32> {
    let bytes = bytes.get(..(inner.end as usize).min(AFFINITY_BYTES)).unwrap_or(bytes);
    let packet = Packet::parse(network(bytes.get(inner.at as usize..)?, inner.layer)?)?;
    Some(innermost(packet, by))
}

/// What tells the share of a tunnel that a packet of it belongs to.
pub(in crate::decode) fn carried_share(bytes: &[u8], inner: &Inner, tunnels: &Tunnels) -> Option<u32> {
    carried(bytes, inner, &HashBy { ports: false, function: HashFunction::Mixed, tunnels: *tunnels })
}

/// The innermost packet's hash, of one that carries others.
#[inline]
fn inner_hash(packet: &Packet<'_>, by: &HashBy) -> Option<u32> {
    let proto = packet.tuple.proto;
    if proto != ip_proto::UDP && !carried::is_tunnel(proto) {
        return None;
    }
    Some(innermost(packet.carried(&by.tunnels)?, by))
}

fn innermost(mut packet: Packet<'_>, by: &HashBy) -> u32 {
    for _ in 1..MAX_TUNNELS {
        match packet.carried(&by.tunnels) {
            Some(inner) => packet = inner,
            None => break,
        }
    }
    by.inner(&if packet.fragment { packet.tuple } else { packet.session(false) })
}

/// An IP packet: its addresses, and what it carries.
struct Packet<'a> {
    /// Without ports.
    tuple: FlowTuple,
    payload: &'a [u8],
    fragment: bool,
}

impl<'a> Packet<'a> {
    #[inline]
    fn parse((family, bytes, context): (Family, &'a [u8], u64)) -> Option<Packet<'a>> {
        match family {
            Family::V4 => {
                let packet = Ipv4::parse_cut(bytes).ok()?;
                let (src, dst, proto) = (packet.source(), packet.destination(), packet.proto());
                let tuple = FlowTuple { src, dst, proto, family, context, ..FlowTuple::default() };
                let fragment = packet.fragment().is_some();
                Some(Packet { tuple, payload: packet.payload(), fragment })
            }
            Family::V6 => {
                let packet = Ipv6::parse_cut(bytes).ok()?;
                let (src, dst, proto) = (packet.source(), packet.destination(), packet.next_header());
                let tuple = FlowTuple { src, dst, proto, family, context, ..FlowTuple::default() };
                let payload = packet.payload();
                if !ipv6::is_extension(proto) {
                    return Some(Packet { tuple, payload, fragment: false });
                }
                let upper = ipv6_ext::skip(payload, proto)?;
                let tuple = FlowTuple { proto: upper.proto, ..tuple };
                Some(Packet {
                    tuple,
                    payload: tail(payload, upper.skipped),
                    fragment: upper.fragment.is_some(),
                })
            }
        }
    }

    /// The tuple of the session it belongs to, if it is no fragment; an error goes where the packet went that it quotes.
    #[inline]
    fn session(&self, ports: bool) -> FlowTuple {
        let tuple = self.tuple;
        match (tuple.family, tuple.proto) {
            (Family::V4, ip_proto::ICMP) | (Family::V6, ip_proto::ICMPV6) => self.icmp(),
            _ if ports => quoted::with_ports(tuple, self.payload).unwrap_or(tuple),
            // A tunnel may be known by its ports alone, and then ports do not count.
            _ => tuple,
        }
    }

    fn icmp(&self) -> FlowTuple {
        let (tuple, payload) = (self.tuple, self.payload);
        let error = payload.first().is_some_and(|kind| icmp::is_error(tuple.family, *kind));
        let quote = payload.get(icmp::HEADER_LEN..).filter(|_| error);
        quote
            .and_then(|quote| quoted::tuple(&tuple, quote).ok().flatten())
            .or_else(|| quoted::with_ports(tuple, payload))
            .unwrap_or(tuple)
    }

    /// The packet within it.
    fn carried(&self, tunnels: &Tunnels) -> Option<Packet<'a>> {
        if self.fragment {
            return None;
        }
        let (carried, payload) = match self.tuple.proto {
            ip_proto::UDP => {
                let (sport, dport) = (u16_at(self.payload, 0)?, u16_at(self.payload, 2)?);
                if !tunnels.may_carry(sport, dport) {
                    return None;
                }
                // The length that is stated: the rest may have been cut off.
                let len = usize::from(u16_at(self.payload, 4)?).checked_sub(udp::HEADER_LEN)?;
                let payload = tail(self.payload, udp::HEADER_LEN);
                let payload = payload.get(..len).unwrap_or(payload);
                (carried::over_udp(payload, len, (sport, dport), tunnels), payload)
            }
            proto => (carried::over_ip(self.payload, proto, tunnels), self.payload),
        };
        let Carried { layer, skip, .. } = carried.ok()??;
        Packet::parse(network(payload.get(skip..)?, layer)?)
    }
}

/// Tags passed, outermost first.
type Vlans = ArrayVec<u16, MAX_VLANS>;

/// The IP packet behind a layer and all that follows it.
#[inline]
fn network(bytes: &[u8], layer: Layer) -> Option<(Family, &[u8], u64)> {
    if layer == Layer::Ethernet {
        match u16_at(bytes, ethernet::HEADER_LEN - 2)? {
            ether_type::IPV4 => return Some((Family::V4, bytes.get(ethernet::HEADER_LEN..)?, 0)),
            ether_type::IPV6 => return Some((Family::V6, bytes.get(ethernet::HEADER_LEN..)?, 0)),
            _ => {}
        }
    }
    through_layers(bytes, layer)
}

fn through_layers(mut bytes: &[u8], mut layer: Layer) -> Option<(Family, &[u8], u64)> {
    let mut vlans = Vlans::new();
    let mut at = 0;
    for _ in 0..MAX_LAYERS {
        (layer, at) = match layer {
            Layer::Ipv4 => return Some((Family::V4, bytes.get(at..)?, ip::context(&vlans))),
            Layer::Ipv6 => return Some((Family::V6, bytes.get(at..)?, ip::context(&vlans))),
            // One step with its type, as in `decode`: they must agree on which chain is too long.
            Layer::Ethernet => {
                let announced = u16_at(bytes, at + ethernet::HEADER_LEN - 2)?;
                ether_type(bytes, at + ethernet::HEADER_LEN, announced, &mut vlans)?
            }
            Layer::EtherType(announced) => ether_type(bytes, at, announced, &mut vlans)?,
            Layer::Llc(len) => {
                bytes = without_padding(bytes, at, len);
                (Layer::EtherType(llc::ether_type_of(tail(bytes, at))?), at + llc::HEADER_LEN)
            }
            Layer::RawIp => link::raw_ip(bytes, at).ok()??,
            Layer::Sll => link::sll(bytes, at).ok()??,
            Layer::Sll2 => link::sll2(bytes, at).ok()??,
            Layer::NullLoop => link::null_loop(bytes, at).ok()??,
            Layer::Ppp => link::ppp(bytes, at).ok()??,
            Layer::CiscoHdlc => link::cisco_hdlc(bytes, at).ok()??,
        };
    }
    None
}

/// What `announced` says stands at `at`.
fn ether_type(bytes: &[u8], at: usize, announced: u16, vlans: &mut Vlans) -> Option<(Layer, usize)> {
    match announced {
        ether_type::IPV4 => Some((Layer::Ipv4, at)),
        ether_type::IPV6 => Some((Layer::Ipv6, at)),
        len if len < ether_type::MIN => Some((Layer::Llc(len), at)),
        vlan if ether_type::is_vlan(vlan) => {
            let tag = VlanTag::parse(tail(bytes, at)).ok()?;
            vlans.try_push(tag.id).ok()?;
            Some((Layer::EtherType(tag.ether_type), at + VLAN_TAG_LEN))
        }
        other => shim::next(tail(bytes, at), at, other).ok()?,
    }
}
