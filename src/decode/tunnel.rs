//! The packet within a packet. An inner packet is decoded and judged by itself; [`find`] says where it stands and to which
//! tunnel it belongs.

use super::affinity;
use super::around::{self, Around};
use super::tunnels::{TunnelKind, Tunnels};
use super::{Decoded, L4, Layer, decode_at, shim};
use crate::base::Anomaly;
use crate::base::key::absorb;
use crate::wire::erspan::Erspan;
use crate::wire::ethernet::{self, ether_type as types};
use crate::wire::gre::{self, Gre};
use crate::wire::overlay::{self, Overlay};
use crate::wire::{ip_proto, u16_at};
use std::ops::Range;

/// Where an inner packet stands in the frame, and how it came there.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Inner {
    pub layer: Layer,
    pub at: u32,
    /// Behind its last byte, as far as the outer packet goes.
    pub end: u32,
    pub kind: TunnelKind,
    /// Tunnels around it, 1 for the first.
    pub depth: u8,
    /// A VLAN that the tunnel's own header names (ERSPAN); 0 for none.
    pub vlan: u16,
    /// What the inner packet comes in.
    pub around: Around,
}

/// What a tunnel's header says, whatever packet it stands in.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Carried {
    pub layer: Layer,
    /// From the start of what IP (for UDP: the datagram) carries.
    pub skip: usize,
    pub kind: TunnelKind,
    /// VNI or key, which both directions have; told apart from no number at all.
    pub network: Option<u32>,
    /// Whatever number this direction's packets have, at most 33 bits.
    pub number: u64,
    vlan: u16,
}

impl Carried {
    fn new(kind: TunnelKind, layer: Layer, skip: usize) -> Carried {
        Carried { layer, skip, kind, network: None, number: 0, vlan: 0 }
    }

    fn numbered(self, number: u32) -> Carried {
        Carried { number: u64::from(number) | 1 << 32, ..self }
    }

    fn of_network(self, network: Option<u32>) -> Carried {
        match network {
            Some(number) => Carried { network, ..self.numbered(number) },
            None => self,
        }
    }
}

/// Looks for the packet that a decoded one carries, and puts it into [`inner`](Decoded::inner). What is wrong with the tunnel's
/// header is an anomaly of the packet that has it.
#[inline]
pub(super) fn find(bytes: &[u8], out: &mut Decoded, tunnels: &Tunnels) {
    match out.l4 {
        L4::Tcp(_) => {}
        L4::Udp if tunnels.may_carry(out.tuple.sport, out.tuple.dport) => find_in(bytes, out, tunnels),
        L4::None if is_tunnel(out.tuple.proto) => find_in(bytes, out, tunnels),
        _ => {}
    }
}

#[inline]
pub(super) fn is_tunnel(proto: u8) -> bool {
    matches!(proto, ip_proto::IPV4 | ip_proto::IPV6 | ip_proto::GRE)
}

fn find_in(bytes: &[u8], out: &mut Decoded, tunnels: &Tunnels) {
    if out.invalid.is_some() || out.is_fragment() {
        return;
    }
    let range = out.payload_range();
    let Some(payload) = bytes.get(range.clone()) else { return };
    let carried = match out.l4 {
        L4::Udp => over_udp(payload, payload.len(), (out.tuple.sport, out.tuple.dport), tunnels),
        _ => over_ip(payload, out.tuple.proto, tunnels),
    };
    match carried {
        Ok(Some(carried)) => {
            let (at, end) = ((range.start + carried.skip) as u32, range.end as u32);
            let depth = out.depth.saturating_add(1);
            let around = around::within(out, depth, &carried, tunnels);
            let Carried { layer, kind, vlan, .. } = carried;
            let inner = Inner { layer, at, end, kind, depth, vlan, around };
            out.inner = Some(inner);
            out.tuple.tunnel ^= share(bytes, &inner, tunnels);
        }
        Ok(None) => {}
        Err(anomaly) => out.raise(anomaly),
    }
}

/// Packets of one tunnel go to the workers of the sessions they carry, so what is known of the tunnel itself is known by
/// shares: one for the inner packets between two addresses. Thus all of a share is on one worker, and however many workers there are
/// makes no difference.
fn share(bytes: &[u8], inner: &Inner, tunnels: &Tunnels) -> u64 {
    affinity::carried_share(bytes, inner, tunnels).map_or(0, |hash| absorb(0, u64::from(hash), tunnels.key))
}

pub(super) fn over_ip(payload: &[u8], proto: u8, tunnels: &Tunnels) -> Result<Option<Carried>, Anomaly> {
    let Some(first) = payload.first() else { return Ok(None) };
    let (kind, layer) = match (proto, first >> 4) {
        (ip_proto::IPV4, 4) => (TunnelKind::Ipv4, Layer::Ipv4),
        (ip_proto::IPV6, 6) => (TunnelKind::Ipv6, Layer::Ipv6),
        (ip_proto::GRE, _) => return over_gre(payload, tunnels),
        _ => return Ok(None),
    };
    Ok(Some(Carried::new(kind, layer, 0)).filter(|_| tunnels.has(kind)))
}

/// What is wrong with the GRE header itself is told when the packet is decoded, whether or not anybody looks into it.
fn over_gre(payload: &[u8], tunnels: &Tunnels) -> Result<Option<Carried>, Anomaly> {
    let Ok(gre) = Gre::parse(payload) else { return Ok(None) };
    let rest = payload.get(gre.header_len..).unwrap_or_default();
    if rest.is_empty() {
        return Ok(None);
    }
    let kind = match gre.protocol {
        gre::ERSPAN if gre.has_sequence => TunnelKind::ErspanII,
        gre::ERSPAN => TunnelKind::ErspanI,
        gre::ERSPAN_III => TunnelKind::ErspanIII,
        _ => TunnelKind::Gre,
    };
    if !tunnels.has(kind) {
        return Ok(None);
    }
    let header = match kind {
        TunnelKind::ErspanII => Erspan::type2(rest)?,
        TunnelKind::ErspanIII => Erspan::type3(rest)?,
        TunnelKind::ErspanI => Erspan { header_len: 0, vlan: 0, session: 0, ip: false },
        _ => {
            let Some(layer) = announced(gre.protocol) else { return Ok(None) };
            let carried = Carried::new(kind, layer, gre.header_len).of_network(gre.key);
            return Ok(Some(match gre.call {
                Some(call) => carried.numbered(call.into()),
                None => carried,
            }));
        }
    };
    let layer = if header.ip { Layer::RawIp } else { Layer::Ethernet };
    let carried = Carried::new(kind, layer, gre.header_len + header.header_len);
    Ok(Some(Carried { vlan: header.vlan, ..carried.numbered(header.session.into()) }))
}

/// `payload` may be cut behind its headers; `len` is its whole length.
pub(super) fn over_udp(
    payload: &[u8],
    len: usize,
    (sport, dport): (u16, u16),
    tunnels: &Tunnels,
) -> Result<Option<Carried>, Anomaly> {
    let Some(kind) = tunnels.udp(sport, dport) else { return Ok(None) };
    let carried = match kind {
        TunnelKind::Vxlan => match overlay::vxlan(payload) {
            Some(header) if bridges(payload, header.header_len) => of_overlay(kind, Layer::Ethernet, header),
            Some(_) => return Err(Anomaly::VxlanUnknownPayloadType),
            None => return Ok(None),
        },
        TunnelKind::Geneve => match overlay::geneve(payload) {
            Some((types::BRIDGED, header)) if !bridges(payload, header.header_len) => {
                return Err(Anomaly::GeneveUnknownPayloadType);
            }
            Some((protocol, header)) => match announced(protocol) {
                Some(layer) => of_overlay(kind, layer, header),
                None => return Err(Anomaly::GeneveUnknownPayloadType),
            },
            None => return Ok(None),
        },
        TunnelKind::Teredo => match overlay::teredo(payload, len) {
            // Behind one address of IPv4 there may be many.
            Some(at) => {
                Carried::new(kind, Layer::Ipv6, at).numbered(u32::from(sport) << 16 | u32::from(dport))
            }
            None => return Ok(None),
        },
        _ => match overlay::gtp_u(payload) {
            // A tunnel may carry Ethernet or no structure at all: which one was said when it was set up.
            Some((at, id)) if payload.get(at).is_some_and(|first| matches!(first >> 4, 4 | 6)) => {
                Carried::new(kind, Layer::RawIp, at).numbered(id)
            }
            _ => return Ok(None),
        },
    };
    Ok(Some(carried))
}

fn of_overlay(kind: TunnelKind, layer: Layer, header: Overlay) -> Carried {
    Carried::new(kind, layer, header.header_len).of_network(Some(header.network))
}

/// Whether the Ethernet frame at `at` says that it carries something we know. Too short a one is left to decoding.
fn bridges(payload: &[u8], at: usize) -> bool {
    u16_at(payload, at + ethernet::HEADER_LEN - 2).is_none_or(is_packet)
}

fn is_packet(ether_type: u16) -> bool {
    matches!(ether_type, types::IPV4 | types::IPV6 | types::ARP)
        || types::is_vlan(ether_type)
        || shim::is_known(ether_type)
}

/// What an Ethernet type or a GRE protocol type stands for.
fn announced(protocol: u16) -> Option<Layer> {
    match protocol {
        types::BRIDGED => Some(Layer::Ethernet),
        gre::PPP => Some(Layer::Ppp),
        other => is_packet(other).then_some(Layer::EtherType(other)),
    }
}

/// Decodes an inner packet of `bytes`, the frame that it was [found](Decoded::inner) in, into `out`, which is reset first.
pub fn decode_inner(bytes: &[u8], inner: &Inner, layers: u8, tunnels: &Tunnels, out: &mut Decoded) {
    out.reset();
    (out.depth, out.layers) = (inner.depth, layers.saturating_add(1));
    if inner.vlan != 0 {
        let _room = out.vlans.try_push(inner.vlan); // before those that the packet has itself
    }
    let bytes = bytes.get(..inner.end as usize).unwrap_or(bytes);
    out.around = inner.around;
    decode_at(bytes, inner.at as usize, inner.layer, tunnels, out);
    find(bytes, out, tunnels);
}

/// Makes a piece of an inner datagram look as if its frame began with its IP header; which bytes of the frame those are.
pub fn cut_out(piece: &mut Decoded) -> Option<Range<usize>> {
    let ip = piece.ip.as_mut()?;
    let at = ip.at;
    if let Some(fragment) = &mut ip.fragment {
        fragment.payload = fragment.payload.checked_sub(at)?;
        fragment.next_header_at = fragment.next_header_at.saturating_sub(at); // 0 for IPv4
    }
    (ip.at, ip.pppoe, ip.llc) = (0, None, None);
    Some(at as usize..(at + ip.total_len) as usize)
}

/// Decodes a datagram that was put together of inner pieces in the place of the last one: it is in the same tunnel and VLANs.
/// `bytes` begin with its IP header.
pub fn decode_rebuilt(bytes: &[u8], tunnels: &Tunnels, out: &mut Decoded) {
    let (depth, layers, around) = (out.depth, out.layers, out.around);
    let vlans = out.vlans.clone();
    out.reset();
    (out.depth, out.layers, out.vlans, out.around) = (depth, layers, vlans, around);
    decode_at(bytes, 0, Layer::RawIp, tunnels, out);
    find(bytes, out, tunnels);
}
