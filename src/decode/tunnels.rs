//! Which tunnels are looked into: kinds, and the UDP ports by which some of them are known.

pub use crate::base::TunnelKind;
use crate::base::key::mix;
use arrayvec::ArrayVec;

/// UDP ports that one kind of tunnel may have (as many as Suricata takes).
pub const MAX_TUNNEL_PORTS: usize = 4;

/// UDP ports (RFC 7348; RFC 8926; RFC 4380; 3GPP TS 29.281), those of Suricata's stock configuration.
pub const VXLAN_PORT: u16 = 4789;
pub const GENEVE_PORT: u16 = 6081;
pub const TEREDO_PORT: u16 = 3544;
pub const GTP_U_PORT: u16 = 2152;

/// To what an inner session belongs.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum InnerSessions {
    /// To its tunnel: the outer addresses and VLANs, and the number of its network where the tunnel has one (VXLAN, Geneve,
    /// a GRE key). Two tenants with the same addresses never mix.
    #[default]
    OfTunnel,
    /// To all tunnels of its depth: the two directions may come through different ones, as mirrors of several switches do.
    Joined,
}

/// The tunnels that are looked into.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Tunnels {
    /// A bit a kind.
    kinds: u16,
    /// A bit for every port, modulo 64: most packets need no look at the lists.
    hint: u64,
    /// Of VXLAN, Geneve, Teredo, GTP-U.
    ports: [[u16; MAX_TUNNEL_PORTS]; 4],
    pub(super) sessions: InnerSessions,
    /// Of the hashes of what packets come in.
    pub(super) key: u64,
}

/// Where nobody gives one.
const KEY: u64 = 0x9e37_79b9_7f4a_7c15;

const fn bit(kind: TunnelKind) -> u16 {
    1 << kind as u16
}

/// The kinds that have ports, in the order of their lists.
const WITH_PORTS: [TunnelKind; 4] =
    [TunnelKind::Vxlan, TunnelKind::Geneve, TunnelKind::Teredo, TunnelKind::GtpU];

impl Default for Tunnels {
    /// All kinds, each at its usual port.
    fn default() -> Tunnels {
        let none =
            Tunnels { kinds: 0, hint: 0, ports: [[0; 4]; 4], sessions: InnerSessions::OfTunnel, key: KEY };
        TunnelKind::ALL.into_iter().fold(none, |tunnels, kind| {
            let port = match kind {
                TunnelKind::Vxlan => VXLAN_PORT,
                TunnelKind::Geneve => GENEVE_PORT,
                TunnelKind::Teredo => TEREDO_PORT,
                TunnelKind::GtpU => GTP_U_PORT,
                _ => 0,
            };
            tunnels.with(kind, &[port])
        })
    }
}

impl Tunnels {
    /// None at all.
    pub fn none() -> Tunnels {
        TunnelKind::ALL.into_iter().fold(Tunnels::default(), Tunnels::without)
    }

    /// This kind too; at these ports, if it is known by ports. Port 0 and those beyond [`MAX_TUNNEL_PORTS`] are left out.
    pub fn with(mut self, kind: TunnelKind, ports: &[u16]) -> Tunnels {
        self.kinds |= bit(kind);
        self.set_ports(kind, ports);
        self
    }

    pub fn without(mut self, kind: TunnelKind) -> Tunnels {
        self.kinds &= !bit(kind);
        self.set_ports(kind, &[]);
        self
    }

    /// With inner sessions that belong to this.
    pub fn keeping(self, sessions: InnerSessions) -> Tunnels {
        Tunnels { sessions, ..self }
    }

    /// With another key, which nobody outside may know: else tenants could be made to meet.
    pub fn keyed(self, key: u64) -> Tunnels {
        Tunnels { key: mix(key ^ KEY), ..self }
    }

    pub fn sessions(&self) -> InnerSessions {
        self.sessions
    }

    fn set_ports(&mut self, kind: TunnelKind, ports: &[u16]) {
        let lists = WITH_PORTS.iter().zip(&mut self.ports);
        if let Some((_, list)) = lists.into_iter().find(|(of, _)| **of == kind) {
            let ports = ports.iter().copied().filter(|port| *port != 0).take(MAX_TUNNEL_PORTS);
            let mut ports: ArrayVec<u16, MAX_TUNNEL_PORTS> = ports.collect();
            while ports.try_push(0).is_ok() {}
            *list = ports.into_inner().unwrap_or_default();
        }
        let set = self.ports.as_flattened().iter().filter(|port| **port != 0);
        self.hint = set.fold(0, |hint, port| hint | 1 << (port & 63));
    }

    #[inline]
    pub fn has(&self, kind: TunnelKind) -> bool {
        self.kinds & bit(kind) != 0
    }

    /// Whether packets between these UDP ports may hold others: their worker must not depend on the outer ports, which the
    /// two directions of an inner session do not share.
    #[inline]
    pub(super) fn may_carry(&self, sport: u16, dport: u16) -> bool {
        let hint = self.hint >> (sport & 63) | self.hint >> (dport & 63);
        hint & 1 != 0 && self.udp(sport, dport).is_some()
    }

    /// The kind of tunnel between these UDP ports. Of VXLAN and Geneve the source port only spreads the load.
    pub(super) fn udp(&self, sport: u16, dport: u16) -> Option<TunnelKind> {
        let known = |list: &[u16; MAX_TUNNEL_PORTS], port| port != 0 && list.contains(&port);
        let mut lists = WITH_PORTS.iter().zip(&self.ports);
        let found = lists.find(|(kind, list)| {
            let both_ways = matches!(kind, TunnelKind::Teredo | TunnelKind::GtpU);
            known(list, dport) || (both_ways && known(list, sport))
        });
        found.map(|(kind, _)| *kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_usual_ports_are_known_and_sources_only_where_answers_come_from_there() {
        let stock = Tunnels::default();
        assert_eq!(stock.udp(9, VXLAN_PORT), Some(TunnelKind::Vxlan));
        assert_eq!(stock.udp(VXLAN_PORT, 9), None);
        assert_eq!(stock.udp(9, GENEVE_PORT), Some(TunnelKind::Geneve));
        assert_eq!(stock.udp(TEREDO_PORT, 9), Some(TunnelKind::Teredo));
        assert_eq!(stock.udp(GTP_U_PORT, 9), Some(TunnelKind::GtpU));
        assert_eq!(stock.udp(0, 0), None);
        assert_eq!(Tunnels::none().udp(VXLAN_PORT, VXLAN_PORT), None);
        let other = stock.with(TunnelKind::Vxlan, &[8472, 4790, 0, 1, 2, 3]);
        assert_eq!((other.udp(1, 8472), other.udp(9, VXLAN_PORT)), (Some(TunnelKind::Vxlan), None));
        assert_eq!((other.udp(9, 2), other.udp(9, 3)), (Some(TunnelKind::Vxlan), None), "four at most");
        assert!(!other.without(TunnelKind::Vxlan).has(TunnelKind::Vxlan));
    }

    proptest! {
        #[test]
        fn the_hint_never_hides_a_port(ports in prop::collection::vec(1u16.., 1..5), sport: u16, at in 0usize..4) {
            let tunnels = Tunnels::default().with(TunnelKind::GtpU, &ports);
            let port = ports[at % ports.len()];
            prop_assert!(tunnels.may_carry(sport, port) && tunnels.may_carry(port, sport));
            let udp = tunnels.udp(sport, sport ^ 1);
            prop_assert_eq!(tunnels.may_carry(sport, sport ^ 1), udp.is_some());
        }
    }
}
