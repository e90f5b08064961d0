//! Service sets as data: which traffic they take, and their plugins' order in each direction.

use super::plugin::MAX_CHAIN;
use crate::base::{Addr, Dir, Family, FlowTuple, PerDir, PluginId, PortId, SetId};
use arrayvec::ArrayVec;

/// What becomes of a set's traffic before its first activation.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum InactiveAction {
    #[default]
    Drop,
    Forward,
}

/// What becomes of traffic whose chain has a plugin that was taken out.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum OnFault {
    /// As if the plugin were not in the chain.
    #[default]
    Skip,
    Drop,
}

/// A set, resolved: what management makes of its configuration for the workers.
#[derive(Clone, Debug)]
pub struct ServiceSet {
    pub id: SetId,
    pub name: String,
    pub chain: Chain,
    pub inactive_action: InactiveAction,
    /// True when no member waits for a policy.
    pub active: bool,
}

/// The order of a set's plugins: an array per direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    pub set: SetId,
    pub members: ArrayVec<PluginId, MAX_CHAIN>,
    /// Indices into `members`.
    pub order: PerDir<ArrayVec<u8, MAX_CHAIN>>,
    /// Some member needs sessions.
    pub sessions: bool,
    /// Members that need room for what they keep of a session, one bit each.
    pub stateful: u16,
    /// Members that look at what has no session, one bit each; and those that work per packet.
    pub alone: u16,
    pub packet_mode: u16,
    pub on_fault: OnFault,
}

impl Chain {
    /// Members that a session's packets of a direction go to at first, one bit each.
    pub fn wanting(&self, dir: Dir) -> u16 {
        self.order[dir].iter().fold(0, |bits, &member| bits | 1 << member)
    }

    pub fn member(&self, plugin: PluginId) -> Option<usize> {
        self.members.iter().position(|&member| member == plugin)
    }
}

/// Addresses of one family by their leading bits.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    pub family: Family,
    pub addr: Addr,
    pub bits: u8,
}

impl Prefix {
    pub fn contains(&self, family: Family, addr: Addr) -> bool {
        let width = if family == Family::V4 { 32 } else { 128 };
        let ignored = u32::from(width - self.bits.min(width));
        family == self.family && addr.0.checked_shr(ignored) == self.addr.0.checked_shr(ignored)
    }
}

/// Which packets a set takes, of those that come in by its ports. What is empty or `None` takes all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match {
    pub source: Option<Prefix>,
    pub destination: Option<Prefix>,
    /// IP protocol number.
    pub protocol: Option<u8>,
    pub source_ports: Option<(u16, u16)>,
    pub destination_ports: Option<(u16, u16)>,
}

impl Match {
    pub fn takes(&self, tuple: &FlowTuple) -> bool {
        let within =
            |range: Option<(u16, u16)>, port| range.is_none_or(|(low, high)| (low..=high).contains(&port));
        let inside = |prefix: Option<Prefix>, addr| prefix.is_none_or(|p| p.contains(tuple.family, addr));
        self.protocol.is_none_or(|protocol| protocol == tuple.proto)
            && inside(self.source, tuple.src)
            && inside(self.destination, tuple.dst)
            && within(self.source_ports, tuple.sport)
            && within(self.destination_ports, tuple.dport)
    }
}

/// A set's claim on a port's traffic.
#[derive(Clone, Debug, Default)]
pub struct Claim {
    pub set: SetId,
    /// Any of these; none at all takes everything.
    pub matches: Vec<Match>,
}

/// Which set takes a packet: for each port the claims in the configuration's order, the first that holds wins.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    pub ports: Vec<Vec<Claim>>,
}

impl Selection {
    /// The set of a packet in the direction it travels (a session goes by its first).
    #[inline]
    pub fn select(&self, port: PortId, tuple: &FlowTuple) -> Option<SetId> {
        let claims = self.ports.get(port.index())?;
        let holds = |claim: &&Claim| claim.matches.is_empty() || claim.matches.iter().any(|m| m.takes(tuple));
        claims.iter().find(holds).map(|claim| claim.set)
    }

    /// One set for all of so many ports.
    pub fn all(ports: usize, set: SetId) -> Selection {
        Selection { ports: vec![vec![Claim { set, matches: Vec::new() }]; ports] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(text: &str, bits: u8) -> Prefix {
        let (addr, family) = Addr::from_ip(text.parse().unwrap());
        Prefix { family, addr, bits }
    }

    #[test]
    fn a_prefix_of_no_bits_takes_its_family_only() {
        assert!(v4("0.0.0.0", 0).contains(Family::V4, Addr(77)));
        assert!(!v4("0.0.0.0", 0).contains(Family::V6, Addr(77)));
        assert!(v4("::", 0).contains(Family::V6, Addr(u128::MAX)));
        assert!(v4("10.1.0.0", 16).contains(Family::V4, Addr::v4([10, 1, 2, 3])));
        assert!(!v4("10.1.0.0", 16).contains(Family::V4, Addr::v4([10, 2, 2, 3])));
    }

    #[test]
    fn the_first_claim_that_holds_wins() {
        let web = Match { destination_ports: Some((80, 88)), protocol: Some(6), ..Match::default() };
        let claims =
            vec![Claim { set: SetId(1), matches: vec![web] }, Claim { set: SetId(0), matches: Vec::new() }];
        let selection = Selection { ports: vec![claims, Vec::new()] };
        let tuple = |proto, dport| FlowTuple { proto, dport, ..FlowTuple::default() };
        assert_eq!(selection.select(PortId(0), &tuple(6, 80)), Some(SetId(1)));
        assert_eq!(selection.select(PortId(0), &tuple(17, 80)), Some(SetId(0)));
        assert_eq!(selection.select(PortId(0), &tuple(6, 89)), Some(SetId(0)));
        assert_eq!(selection.select(PortId(1), &tuple(6, 80)), None);
        assert_eq!(selection.select(PortId(9), &tuple(6, 80)), None);
    }
}
