//! What a packet came in beside VLANs, in two numbers: one for its session, one for its datagram's pieces.
//!
//! They keep tenants apart that have the same addresses. Both are keyed hashes of 64 bits.

use super::tunnels::{InnerSessions, TunnelKind};
use super::{Decoded, Tunnels, tail};
use crate::base::key::{absorb, mix};
use crate::base::{Addr, Family};
use crate::wire::ethernet::ether_type as types;
use crate::wire::{bridge, ethernet, mpls, nsh, pppoe};

/// 0 for nothing.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// What the two directions of a session have in common: tunnels, as far as [sessions belong to them](InnerSessions), with them
    /// 802.1ah services and PPPoE sessions.
    pub sessions: u64,
    /// All of it as it is in this one direction, with what the other may have different: labels, bridges' tags, service paths,
    /// tunnel and call numbers, which end of a tunnel sent it.
    pub path: u64,
}

impl Around {
    fn enter(&mut self, word: u64, both_ways: bool, tunnels: &Tunnels) {
        self.path = absorb(self.path, word, tunnels.key);
        if both_ways && tunnels.sessions == InnerSessions::OfTunnel {
            self.sessions = absorb(self.sessions, word, tunnels.key);
        }
    }
}

/// Adds the numbers of the header that `ether_type` announces at `at`, if it is there.
#[cold]
pub(super) fn shim(bytes: &[u8], at: usize, ether_type: u16, tunnels: &Tunnels, out: &mut Decoded) {
    let rest = tail(bytes, at);
    let kind = u64::from(ether_type) << 48;
    let number = match ether_type {
        types::MPLS | types::MPLS_MULTICAST => {
            for label in mpls::labels(rest) {
                out.around.enter(kind | u64::from(label), false, tunnels);
            }
            None
        }
        types::PPPOE_SESSION => {
            // A number counts between two stations only (RFC 2516, section 4).
            let stations = out.ethernet.and_then(|at| ethernet::stations(tail(bytes, at as usize)));
            for station in stations.into_iter().flatten() {
                out.around.enter(kind | station, false, tunnels);
            }
            pppoe::session_id(rest).map(|id| (u64::from(id), true))
        }
        types::IEEE_8021AH => bridge::service_id(rest).map(|id| (u64::from(id), true)),
        types::VNTAG => bridge::vntag_number(rest).map(|number| (u64::from(number), false)),
        types::ETAG => bridge::etag_number(rest).map(|number| (number, false)),
        types::NSH => nsh::service_path(rest).map(|path| (u64::from(path), false)),
        _ => None,
    };
    if let Some((number, both_ways)) = number {
        out.around.enter(kind | number, both_ways, tunnels);
    }
}

/// What a tunnel's header calls the tunnel.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) kind: TunnelKind,
    /// VNI or key, which both directions have; told apart from no number at all.
    pub(super) network: Option<u32>,
    /// Whatever number this direction's packets have, at most 33 bits.
    pub(super) number: u64,
}

/// What the packets come in that `outer` carries, so many tunnels deep.
pub(super) fn within(outer: &Decoded, depth: u8, tunnel: &Numbers, tunnels: &Tunnels) -> Around {
    let (tuple, key) = (&outer.tuple, tunnels.key);
    let how = u64::from(tuple.proto) << 56 | (tunnel.kind as u64) << 48;
    let sessions = match tunnels.sessions {
        InnerSessions::OfTunnel => {
            let end = |addr: Addr| absorb(absorb(0, addr.0 as u64, key), (addr.0 >> 64) as u64, key);
            let network = tunnel.network.map_or(0, |network| u64::from(network) | 1 << 32);
            // A sum commutes.
            let ends = end(tuple.src).wrapping_add(end(tuple.dst));
            let state = absorb(outer.around.sessions, ends, key);
            absorb(absorb(state, tuple.context, key), how | network, key)
        }
        InnerSessions::Joined => mix(u64::from(depth)),
    };
    let mut path = absorb(outer.around.path, tuple.context, key);
    for addr in [tuple.src, tuple.dst] {
        path = absorb(path, addr.0 as u64, key);
        if tuple.family == Family::V6 {
            path = absorb(path, (addr.0 >> 64) as u64, key);
        }
    }
    Around { sessions, path: absorb(path, how | tunnel.number, key) }
}
