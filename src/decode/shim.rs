//! Headers between the link and IP that leave a packet what it is: MPLS, PPPoE, network service headers, bridges' tags. No
//! tunnels: their packets are not judged apart. What their numbers are part of is said in [`around`](super::around).

use super::{Layer, Step};
use crate::base::Anomaly;
use crate::wire::ethernet::ether_type as types;
use crate::wire::{bridge, mpls, nsh, ppp, pppoe};

pub(super) fn is_known(ether_type: u16) -> bool {
    matches!(
        ether_type,
        types::MPLS
            | types::MPLS_MULTICAST
            | types::PPPOE_DISCOVERY
            | types::PPPOE_SESSION
            | types::IEEE_8021AH
            | types::DCE
            | types::VNTAG
            | types::ETAG
            | types::NSH
            | types::BRIDGED
    )
}

/// What stands behind the header that `ether_type` announces, of which `rest` are the bytes, at `at` in the frame. Nothing
/// behind what is not [known](is_known).
pub(super) fn next(rest: &[u8], at: usize, ether_type: u16) -> Step {
    let (layer, len) = match ether_type {
        types::MPLS | types::MPLS_MULTICAST => of_mpls(mpls::parse(rest)?),
        types::PPPOE_SESSION => {
            pppoe::session(rest)?;
            let (protocol, _) = ppp::header(rest.get(pppoe::HEADER_LEN..).unwrap_or_default())?;
            if ppp::is_control(protocol) {
                return Ok(None);
            }
            (Layer::Ppp, pppoe::HEADER_LEN)
        }
        types::PPPOE_DISCOVERY => {
            pppoe::discovery(rest)?;
            return Ok(None);
        }
        types::VNTAG => tagged(bridge::vntag(rest)?, Anomaly::VntagUnknownType)?,
        types::ETAG => tagged(bridge::etag(rest)?, Anomaly::EtagUnknownType)?,
        types::IEEE_8021AH => (Layer::Ethernet, bridge::service_tag(rest)?),
        types::DCE => (Layer::Ethernet, bridge::fabric_path(rest)?),
        types::BRIDGED => (Layer::Ethernet, 0),
        types::NSH => match nsh::parse(rest)? {
            (nsh::Carried::Ipv4, len) => (Layer::Ipv4, len),
            (nsh::Carried::Ipv6, len) => (Layer::Ipv6, len),
            (nsh::Carried::Ethernet, len) => (Layer::Ethernet, len),
            (nsh::Carried::Mpls, len) => (Layer::EtherType(types::MPLS), len),
        },
        _ => return Ok(None),
    };
    Ok(Some((layer, at + len)))
}

fn of_mpls((carried, len): (mpls::Carried, usize)) -> (Layer, usize) {
    let layer = match carried {
        mpls::Carried::Ipv4 => Layer::Ipv4,
        mpls::Carried::Ipv6 => Layer::Ipv6,
        mpls::Carried::Ethernet => Layer::Ethernet,
    };
    (layer, len)
}

fn tagged((ether_type, len): (u16, usize), unknown: Anomaly) -> Result<(Layer, usize), Anomaly> {
    let known = matches!(ether_type, types::IPV4 | types::IPV6 | types::ARP)
        || types::is_vlan(ether_type)
        || is_known(ether_type);
    if known { Ok((Layer::EtherType(ether_type), len)) } else { Err(unknown) }
}
