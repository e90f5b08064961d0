//! `drop`: the fields that Suricata's drop records have of the packet's headers, and the reason.

use crate::base::event::{DropEvent, IpHeader, UpperHeader};
use crate::wire::tcp::flag;
use serde::Serialize;

#[derive(Debug, Serialize)]
pub struct DropPart {
    len: u32,
    #[serde(flatten)]
    ip: Option<IpPart>,
    #[serde(flatten)]
    upper: Option<UpperPart>,
    reason: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum IpPart {
    V4 { tos: u8, ttl: u8, ipid: u16 },
    V6 { tc: u8, hoplimit: u8, flowlbl: u32 },
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum UpperPart {
    Tcp {
        tcpseq: u32,
        tcpack: u32,
        tcpwin: u16,
        syn: bool,
        ack: bool,
        psh: bool,
        rst: bool,
        urg: bool,
        fin: bool,
        tcpres: u8,
        tcpurgp: u16,
    },
    Udp {
        udplen: u16,
    },
    Icmp {
        icmp_id: u16,
        icmp_seq: u16,
    },
}

impl DropPart {
    pub fn new(dropped: &DropEvent) -> DropPart {
        DropPart {
            len: dropped.length,
            ip: dropped.headers.ip.map(IpPart::new),
            upper: UpperPart::new(dropped.headers.upper),
            reason: dropped.reason.name(),
        }
    }
}

impl IpPart {
    fn new(ip: IpHeader) -> IpPart {
        match ip {
            IpHeader::V4 { tos, ttl, id } => IpPart::V4 { tos, ttl, ipid: id },
            IpHeader::V6 { class, hop_limit, flow_label } => {
                IpPart::V6 { tc: class, hoplimit: hop_limit, flowlbl: flow_label }
            }
        }
    }
}

impl UpperPart {
    fn new(upper: UpperHeader) -> Option<UpperPart> {
        Some(match upper {
            UpperHeader::Tcp { seq, ack, window, flags, reserved, urgent } => {
                let has = |flag: u8| flags & flag != 0;
                UpperPart::Tcp {
                    tcpseq: seq,
                    tcpack: ack,
                    tcpwin: window,
                    syn: has(flag::SYN),
                    ack: has(flag::ACK),
                    psh: has(flag::PSH),
                    rst: has(flag::RST),
                    urg: has(flag::URG),
                    fin: has(flag::FIN),
                    tcpres: reserved,
                    tcpurgp: urgent,
                }
            }
            UpperHeader::Udp { length } => UpperPart::Udp { udplen: length },
            UpperHeader::Icmp { id, seq } => UpperPart::Icmp { icmp_id: id, icmp_seq: seq },
            UpperHeader::None => return None,
        })
    }
}
