//! What the pipeline is told at its start. `mgmt` makes it from the configuration; tests make it by hand.

use super::checksums::Checking;
use super::idle::Polling;
use super::spreading::{Owners, Spreading};
use crate::base::PortId;
use crate::decode::Tunnels;
use crate::io::LinkType;
use crate::service::InactiveAction;
pub use crate::service::Wanted;
use crate::{defrag, session};

/// Ports one appliance may have.
pub const MAX_PORTS: usize = 32;
/// Workers one appliance may have.
pub const MAX_WORKERS: usize = 32;

/// What verdicts do to the frames of a pair (spec 50).
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    /// Verdicts act.
    Ips,
    /// Everything is forwarded unchanged; events say what would have been done.
    #[default]
    Tap,
    /// The frames are copies: inspected and freed, nothing is forwarded.
    Ids,
    /// Fragments are put together and what is too large for the other port is cut; nothing is inspected. A whole packet
    /// that fits is not looked at.
    Reassemble,
}

impl Mode {
    /// Of a mode's own number.
    pub(super) fn from_number(number: u8) -> Option<Mode> {
        [Mode::Ips, Mode::Tap, Mode::Ids, Mode::Reassemble].into_iter().find(|mode| *mode as u8 == number)
    }

    /// Whether what comes in leaves as we decide, and not as it came.
    pub const fn acts(self) -> bool {
        matches!(self, Mode::Ips | Mode::Reassemble)
    }
}

/// What the main lcore does with a frame for which the ring to its worker has no room.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum OnOverload {
    #[default]
    Drop,
    /// Forwarded uninspected, before those that wait in the ring.
    Bypass,
}

/// One port's part in the pipeline.
#[derive(Copy, Clone, Debug, Default)]
pub struct PortPlan {
    pub link: LinkType,
    /// Where a frame that came in here goes out; none for a single port.
    pub peer: Option<PortId>,
    /// False: frames are forwarded unexamined.
    pub inspect: bool,
    pub mode: Mode,
    /// Frames without IP: forwarded (true) or dropped.
    pub non_ip: bool,
    /// Largest IP packet the peer takes, in bytes: rebuilt datagrams beyond it are cut, and IPv4 packets that allow it.
    pub peer_mtu: u16,
    /// The peer computes the checksums of the IPv4 pieces that it is given.
    pub peer_checksums: bool,
    /// What becomes of traffic whose service set has not all of its policies yet; none: what the set says.
    pub inactive: Option<InactiveAction>,
    pub on_overload: OnOverload,
}

#[derive(Clone, Debug)]
pub struct Settings {
    pub ports: Vec<PortPlan>,
    /// 0: the main lcore runs each frame to completion itself.
    pub workers: usize,
    /// `layer-4` affinity (true) or `layer-3`.
    pub hash_ports: bool,
    /// Who spreads the frames over the workers.
    pub spreading: Spreading,
    /// Frames each ring between lcores holds.
    pub ring_size: usize,
    pub polling: Polling,
    /// A replay: time is the frames' own, full rings are waited for, workers keep each other's order.
    pub replay: bool,
    /// Events each worker's ring to management holds.
    pub event_ring: usize,
    /// Which events the outputs want; others are not even made.
    pub wanted: Wanted,
    /// Packets that cannot be what they say are dropped in the line; else only named.
    pub drop_invalid: bool,
    /// TCP segments that their receiver will not take.
    pub checksums: Checking,
    /// Which packets within packets are looked at.
    pub tunnels: Tunnels,
    pub sessions: session::Settings,
    pub fragments: defrag::Settings,
}

impl Settings {
    pub fn owners(&self) -> Owners {
        Owners::new(self.workers, self.hash_ports, self.spreading, self.tunnels)
    }
}
