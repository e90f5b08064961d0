//! What is told of a dropped packet beside its ends: the fields of its headers that a drop record has.

use crate::base::{DropReason, Generation, PerDir, RuleIndex};

#[derive(Copy, Clone, Debug)]
pub struct DropEvent {
    pub reason: DropReason,
    /// Bytes of the IP packet by its header; of the frame where there is none.
    pub length: u32,
    /// The rule that wanted it, where one did.
    pub rule: Option<(Generation, RuleIndex)>,
    /// Which ends of the session are told that it was rejected.
    pub told: PerDir<bool>,
    pub headers: Headers,
}

impl DropEvent {
    /// Of a packet of which nothing else is known.
    pub fn new(reason: DropReason, length: u32) -> DropEvent {
        DropEvent { reason, length, rule: None, told: PerDir::default(), headers: Headers::default() }
    }
}

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    pub ip: Option<IpHeader>,
    pub upper: UpperHeader,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum IpHeader {
    V4 { tos: u8, ttl: u8, id: u16 },
    V6 { class: u8, hop_limit: u8, flow_label: u32 },
}

/// Of a fragment that is not the first, and of protocols without a decoder, nothing.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum UpperHeader {
    #[default]
    None,
    Tcp {
        seq: u32,
        ack: u32,
        window: u16,
        /// CWR to FIN, as in the header.
        flags: u8,
        /// The four bits beside the data offset (RFC 9293).
        reserved: u8,
        urgent: u16,
    },
    Udp {
        /// Header and payload, in bytes.
        length: u16,
    },
    Icmp {
        id: u16,
        seq: u16,
    },
}
