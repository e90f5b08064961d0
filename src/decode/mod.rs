//! Frame bytes -> layers, in one bounded pass; what is wrong becomes a named anomaly.
//!
//! [`decode`] never panics, never allocates and looks at each header once. It gives offsets, not references, so that
//! [`Decoded`] is a small value which outlives the borrow of the bytes.

mod affinity;
mod around;
mod carried;
mod checksum;
mod ip;
mod ipv4_options;
mod ipv6_ext;
mod link;
mod quoted;
mod shim;
mod transport;
mod tunnel;
pub mod tunnels;

#[cfg(test)]
mod tests;

pub use affinity::{AFFINITY_BYTES, Affinity, HashBy, HashFunction, affinity, is_piece};
pub use around::Around;
pub use carried::Inner;
pub use checksum::{checksum_valid, ip_checksum_valid};
pub use tunnel::{cut_out, decode_inner, decode_rebuilt};
pub use tunnels::{InnerSessions, MAX_TUNNEL_PORTS, TunnelKind, Tunnels};

use crate::base::anomaly::Effect;
use crate::base::{Anomaly, DropReason, Family, FlowTuple};
use crate::io::LinkType;
use arrayvec::ArrayVec;

/// Anomalies kept of one packet; further ones are not recorded.
pub const MAX_ANOMALIES: usize = 6;

/// Of one packet.
pub type Anomalies = ArrayVec<Anomaly, MAX_ANOMALIES>;

/// VLAN tags looked through (Suricata's bound is 3 as well).
pub const MAX_VLANS: usize = 3;

/// Headers below the transport that one frame may nest (link, tags, tunnels and what they carry).
pub const MAX_LAYERS: usize = 16;

/// Tunnels within tunnels that there can be, each with a packet in it.
pub const MAX_TUNNELS: usize = MAX_LAYERS / 2;

/// IPv6 extension headers looked through; a hostile chain can be longer than any bound on its bytes suggests.
pub const MAX_EXTENSION_HEADERS: usize = 256;

/// What stands at an offset, for [`decode_at`]. Tunnels enter here with the layer that they carry.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Layer {
    Ethernet,
    Sll,
    Sll2,
    /// BSD loopback, either byte order.
    NullLoop,
    Ppp,
    CiscoHdlc,
    /// IP of the version that the first nibble says.
    RawIp,
    /// What an Ethernet type announces.
    EtherType(u16),
    /// LLC, in a frame that states so many bytes from there on.
    Llc(u16),
    Ipv4,
    Ipv6,
}

impl Layer {
    pub const fn of_link(link: LinkType) -> Option<Layer> {
        match link {
            LinkType::Ethernet => Some(Layer::Ethernet),
            LinkType::LinuxSll => Some(Layer::Sll),
            LinkType::LinuxSll2 => Some(Layer::Sll2),
            LinkType::Null | LinkType::Loop => Some(Layer::NullLoop),
            LinkType::Ppp => Some(Layer::Ppp),
            LinkType::CiscoHdlc => Some(Layer::CiscoHdlc),
            LinkType::RawIp => Some(Layer::RawIp),
            LinkType::Other(_) => None,
        }
    }
}

/// What follows a layer: another one at an offset, nothing, or a reason to stop.
type Step = Result<Option<(Layer, usize)>, Anomaly>;

/// Decodes a whole frame into `out`, which is reset first, and looks for the packet that it [carries](Decoded::inner).
#[inline]
pub fn decode(bytes: &[u8], link: LinkType, tunnels: &Tunnels, out: &mut Decoded) {
    out.reset();
    match Layer::of_link(link) {
        Some(layer) => {
            decode_at(bytes, 0, layer, tunnels, out);
            tunnel::find(bytes, out, tunnels);
        }
        None => out.invalid = Some(DropReason::UnknownLinkType),
    }
}

/// Decodes on from `offset`, where `layer` stands, up to the transport; adds to `out`. To bound an inner packet by an outer
/// one, cut `bytes` there.
fn decode_at(bytes: &[u8], offset: usize, layer: Layer, tunnels: &Tunnels, out: &mut Decoded) {
    let (mut bytes, mut layer, mut at) = (bytes, layer, offset);
    while usize::from(out.layers) < MAX_LAYERS {
        out.layers += 1;
        let step = match layer {
            Layer::Ethernet => link::ethernet(bytes, at, tunnels, out),
            Layer::EtherType(ether_type) => link::ether_type(bytes, at, ether_type, tunnels, out),
            Layer::Llc(len) => {
                bytes = without_padding(bytes, at, len);
                link::llc(bytes, at, out)
            }
            Layer::Ipv4 => ip::ipv4(bytes, at, out),
            Layer::Ipv6 => ip::ipv6(bytes, at, out),
            Layer::RawIp => link::raw_ip(bytes, at),
            Layer::Sll => link::sll(bytes, at),
            Layer::Sll2 => link::sll2(bytes, at),
            Layer::NullLoop => link::null_loop(bytes, at),
            Layer::Ppp => link::ppp(bytes, at),
            Layer::CiscoHdlc => link::cisco_hdlc(bytes, at),
        };
        match step {
            Ok(Some(next)) => (layer, at) = next,
            Ok(None) => return,
            Err(anomaly) => return out.raise(anomaly),
        }
    }
    out.raise(Anomaly::TooManyLayers);
}

/// The frame up to where it says that it ends, `len` bytes behind `at`; all of one that says more than there is.
fn without_padding(bytes: &[u8], at: usize, len: u16) -> &[u8] {
    bytes.get(..at + usize::from(len)).unwrap_or(bytes)
}

/// The bytes from `at` on; none when it lies behind the end.
#[inline]
fn tail(bytes: &[u8], at: usize) -> &[u8] {
    bytes.get(at..).unwrap_or_default()
}

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
    /// MD5 signature option present (RFC 2385).
    pub signed: bool,
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
    /// Of a PPPoE header before it, whose length field counts this packet.
    pub pppoe: Option<u32>,
    /// Of LLC before it, behind a length that counts this packet.
    pub llc: Option<u32>,
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
    /// Offset of the header of a PPPoE session.
    pub pppoe: Option<u32>,
    /// Offset of LLC, where a length stands before it and no type.
    pub llc: Option<u32>,
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
    pub anomalies: Anomalies,
    /// The packet cannot be what it says: no session, and no rule that wants a transport. Where [`ip`](Decoded::ip) is
    /// there (the transport or an extension header is broken), rules for `ip` still see it, with ports 0, as in Suricata.
    pub invalid: Option<DropReason>,
    /// The packet within this one.
    pub inner: Option<Inner>,
    /// Tunnels around this packet, and headers of the frame up to its transport.
    pub depth: u8,
    pub layers: u8,
    /// What it came in, beside VLANs, down to its IP header.
    pub around: Around,
    /// The session table's hash of the packet, from when it looks ahead for a burst; 0 where it does not.
    pub session_hash: u64,
}

impl Decoded {
    /// Empties it for the next packet; what an empty field's tag or length hides is left as it is.
    #[inline]
    pub fn reset(&mut self) {
        self.ether_type = 0;
        self.ethernet = None;
        self.vlans.clear();
        self.arp = None;
        (self.pppoe, self.llc) = (None, None);
        self.ip = None;
        self.l4 = L4::None;
        (self.l4_at, self.l4_len) = (0, 0);
        (self.payload, self.payload_len) = (0, 0);
        self.tuple = FlowTuple::default();
        self.quoted = None;
        self.anomalies.clear();
        self.invalid = None;
        self.inner = None;
        (self.depth, self.layers) = (0, 0);
        self.around = Around::default();
        self.session_hash = 0;
    }

    /// Records an anomaly, once; one that makes the packet [invalid](Effect::Invalid) does so even when there is no room.
    #[cold]
    pub fn raise(&mut self, anomaly: Anomaly) {
        if !self.anomalies.contains(&anomaly) {
            let _full = self.anomalies.try_push(anomaly);
        }
        if anomaly.effect() == Effect::Invalid {
            self.invalid.get_or_insert(DropReason::Malformed);
        }
    }

    /// The number that chooses the worker of this packet, whose frame is `bytes`, equal to what [`affinity`] finds of the same
    /// bytes: both directions of a session, the ICMP errors about it and its rebuilt datagrams have one, fragments that of
    /// their addresses, and tunnels that of the innermost packet's addresses.
    #[inline]
    pub fn affinity_hash(&self, bytes: &[u8], by: &HashBy) -> u32 {
        let Some(ip) = &self.ip else { return 0 };
        if ip.fragment.is_some() {
            return by.fragment(&self.tuple);
        }
        let carried = self.inner.as_ref().and_then(|inner| affinity::carried(bytes, inner, by));
        carried.unwrap_or_else(|| by.session(self.quoted.as_ref().unwrap_or(&self.tuple)))
    }

    /// There is an IP header, and it is so wrong that no packet is behind it.
    pub fn broken_ip(&self) -> bool {
        let of_ip = |anomaly: &Anomaly| {
            anomaly.effect() == Effect::Invalid
                && ["ipv4.", "ipv6."].iter().any(|ip| anomaly.name().starts_with(ip))
        };
        self.ip.is_none() && self.anomalies.iter().any(of_ip)
    }

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
