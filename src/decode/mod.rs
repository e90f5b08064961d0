//! Frame bytes -> layers, in one bounded pass; what is wrong becomes a named anomaly.
//!
//! [`decode`] never panics, never allocates and looks at each header once. It gives offsets, not references, so that
//! [`Decoded`] is a small value which outlives the borrow of the bytes.

use crate::base::{Anomaly, DropReason, Family, FlowTuple};
use arrayvec::ArrayVec;

/// Anomalies kept of one packet; further ones are not recorded.
pub const MAX_ANOMALIES: usize = 6;

/// VLAN tags looked through (Suricata's bound is 3 as well).
pub const MAX_VLANS: usize = 3;

/// What stands above IP.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum L4 {
    /// No IP, a fragment that is not the first, or a protocol without a decoder.
    #[default]
    None,
    Tcp(TcpFields),
    Udp,
    Icmp4 {
        kind: u8,
        code: u8,
        id: u16,
        seq: u16,
    },
    Icmp6 {
        kind: u8,
        code: u8,
        id: u16,
        seq: u16,
    },
    Sctp,
}

/// The TCP header's fixed part and the options that sessions need, in host order.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct TcpFields {
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    pub window: u16,
    pub urgent: u16,
    pub mss: Option<u16>,
    pub window_scale: Option<u8>,
    pub sack_permitted: bool,
    /// (value, echo reply)
    pub timestamps: Option<(u32, u32)>,
    /// Fast Open cookie option present.
    pub fast_open: bool,
}

/// The fragment fields of an IP packet (RFC 791; RFC 8200, section 4.5).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    pub id: u32,
    /// In bytes.
    pub offset: u16,
    pub more: bool,
    /// Offset in the frame of the fragment's payload (for IPv6: behind the fragment header).
    pub payload: u32,
    pub payload_len: u16,
    /// IPv6: the protocol the fragment header announces, and where in the frame the byte stands that names the fragment header (44).
    pub next_header: u8,
    pub next_header_at: u32,
}

/// The IP header in force: the innermost one decoded.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Ip {
    /// Offset of the IP header in the frame.
    pub at: u32,
    /// Header with options (IPv4), or with all extension headers (IPv6).
    pub header_len: u16,
    /// Header and payload as the header states it (never more than the frame has).
    pub total_len: u32,
    pub family: Family,
    /// The upper protocol, behind any extension headers.
    pub proto: u8,
    pub ttl: u8,
    pub tos: u8,
    /// IPv4 identification, or 0.
    pub id: u16,
    pub dont_fragment: bool,
    pub fragment: Option<Fragment>,
}

/// What one packet is made of. Offsets are from the frame's first byte.
#[derive(Clone, Debug, Default)]
pub struct Decoded {
    /// Innermost Ethernet type looked at (0x0806 for ARP); 0 for link types without one.
    pub ether_type: u16,
    /// Offset of the Ethernet header, when the link has one.
    pub ethernet: Option<u32>,
    pub vlans: ArrayVec<u16, MAX_VLANS>,
    /// Offset of an ARP message.
    pub arp: Option<u32>,
    pub ip: Option<Ip>,
    pub l4: L4,
    /// Offset and length of the upper header (TCP with options, UDP 8, ICMP 8, SCTP 12).
    pub l4_at: u32,
    pub l4_len: u16,
    /// Offset and length of what the upper protocol carries, cut to what IP states.
    pub payload: u32,
    pub payload_len: u32,
    pub tuple: FlowTuple,
    /// For an ICMP error: the tuple of the packet it quotes, in the quoted packet's own direction.
    pub quoted: Option<FlowTuple>,
    pub anomalies: ArrayVec<Anomaly, MAX_ANOMALIES>,
    /// The packet cannot be what it says: no session, no rule that wants a protocol.
    pub invalid: Option<DropReason>,
}

impl Decoded {
    pub fn is_fragment(&self) -> bool {
        self.ip.is_some_and(|ip| ip.fragment.is_some())
    }

    pub fn tcp(&self) -> Option<&TcpFields> {
        match &self.l4 {
            L4::Tcp(fields) => Some(fields),
            _ => None,
        }
    }

    pub fn payload_range(&self) -> std::ops::Range<usize> {
        self.payload as usize..(self.payload + self.payload_len) as usize
    }
}
