//! How a packet came to be looked at, and the `tunnel` object of alerts on packets within others.

use super::record::{Ends, Medium, proto_name};
use crate::base::event::{Cause, Origin};
use crate::base::{Outer, TunnelKind};
use serde::Serialize;
use std::borrow::Cow;

/// The packet around the one of an alert: the outermost, as Suricata has it.
#[derive(Debug, Serialize)]
pub struct TunnelPart {
    #[serde(flatten)]
    ends: Ends,
    proto: Cow<'static, str>,
    depth: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pcap_cnt: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pkt_src: Option<&'static str>,
}

impl TunnelPart {
    /// `packet` is the number of the frame.
    pub fn new(outer: &Outer, packet: u64, medium: Medium) -> TunnelPart {
        TunnelPart {
            ends: Ends::of(&outer.tuple),
            proto: proto_name(outer.tuple.proto),
            depth: outer.depth,
            kind: None,
            pcap_cnt: number(packet, outer.cause, medium),
            pkt_src: of_cause(outer.cause),
        }
    }

    /// Of a session's record, which is about no single packet; how a packet is carried is said by alerts in `pkt_src`.
    pub fn of_session(outer: &Outer) -> TunnelPart {
        TunnelPart {
            ends: Ends::of(&outer.tuple),
            proto: proto_name(outer.tuple.proto),
            depth: outer.depth,
            kind: Some(outer.kind.name()),
            pcap_cnt: None,
            pkt_src: None,
        }
    }
}

/// `pcap_cnt`: what was put together, or taken out of another packet, has no number, as in Suricata.
pub(super) fn number(packet: u64, cause: Cause, medium: Medium) -> Option<u64> {
    let numbered = medium == Medium::Capture && matches!(cause, Cause::Packet | Cause::Ending);
    Some(packet).filter(|packet| numbered && *packet != 0)
}

/// `pkt_src`, in Suricata's words; it has none for GTP-U, which it does not look into.
pub(super) fn source(origin: &Origin) -> Option<&'static str> {
    let Some(kind) = origin.tunnel else { return of_cause(origin.cause) };
    Some(match kind {
        TunnelKind::Ipv4 => "ipv4 tunnel",
        TunnelKind::Ipv6 => "ipv6 tunnel",
        TunnelKind::Gre | TunnelKind::ErspanI | TunnelKind::ErspanII | TunnelKind::ErspanIII => "gre tunnel",
        TunnelKind::Vxlan => "vxlan encapsulation",
        TunnelKind::Geneve => "geneve encapsulation",
        TunnelKind::Teredo => "teredo tunnel",
        TunnelKind::GtpU => "gtp-u tunnel",
    })
}

fn of_cause(cause: Cause) -> Option<&'static str> {
    match cause {
        Cause::Packet => Some("wire/pcap"),
        Cause::Rebuilt => Some("defrag"),
        Cause::Inner => None,
        Cause::Ending => Some("stream (flow timeout)"),
    }
}
