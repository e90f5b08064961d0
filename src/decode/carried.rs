//! The packet within a packet: which one a tunnel's header announces.

use super::around::{Around, Numbers};
use super::tunnels::{TunnelKind, Tunnels};
use super::{Layer, shim};
use crate::base::Anomaly;
use crate::wire::erspan::Erspan;
use crate::wire::ethernet::{self, ether_type as types};
use crate::wire::gre::{self, Gre};
use crate::wire::overlay::{self, Overlay};
use crate::wire::{ip_proto, u16_at};

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
    pub numbers: Numbers,
    /// 0 for none.
    pub vlan: u16,
}

impl Carried {
    fn new(kind: TunnelKind, layer: Layer, skip: usize) -> Carried {
        Carried { layer, skip, numbers: Numbers { kind, network: None, number: 0 }, vlan: 0 }
    }

    fn numbered(mut self, number: u32) -> Carried {
        self.numbers.number = u64::from(number) | 1 << 32;
        self
    }

    fn of_network(mut self, network: Option<u32>) -> Carried {
        self.numbers.network = network;
        network.map_or(self, |number| self.numbered(number))
    }
}

#[inline]
pub(super) fn is_tunnel(proto: u8) -> bool {
    matches!(proto, ip_proto::IPV4 | ip_proto::IPV6 | ip_proto::GRE)
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
