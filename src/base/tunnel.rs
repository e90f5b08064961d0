//! The kinds of tunnels, and what an event says of the packet around another.

use super::FlowTuple;
use super::event::Cause;

/// How a packet is carried within another.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum TunnelKind {
    /// IPv4 within IPv4 or IPv6.
    #[default]
    Ipv4,
    /// IPv6 within IPv4 or IPv6.
    Ipv6,
    Gre,
    ErspanI,
    ErspanII,
    ErspanIII,
    Vxlan,
    Geneve,
    Teredo,
    GtpU,
}

impl TunnelKind {
    pub const ALL: [TunnelKind; 10] = {
        use TunnelKind::*;
        [Ipv4, Ipv6, Gre, ErspanI, ErspanII, ErspanIII, Vxlan, Geneve, Teredo, GtpU]
    };

    /// As the configuration names it.
    pub const fn name(self) -> &'static str {
        match self {
            TunnelKind::Ipv4 => "ipv4",
            TunnelKind::Ipv6 => "ipv6",
            TunnelKind::Gre => "gre",
            TunnelKind::ErspanI => "erspan-1",
            TunnelKind::ErspanII => "erspan-2",
            TunnelKind::ErspanIII => "erspan-3",
            TunnelKind::Vxlan => "vxlan",
            TunnelKind::Geneve => "geneve",
            TunnelKind::Teredo => "teredo",
            TunnelKind::GtpU => "gtp-u",
        }
    }
}

/// The outermost packet around one that an event is about.
#[derive(Copy, Clone, Debug)]
pub struct Outer {
    pub tuple: FlowTuple,
    pub cause: Cause,
    /// How the inner packet is carried by the one next to it.
    pub kind: TunnelKind,
    /// Tunnels around the inner packet.
    pub depth: u8,
}
