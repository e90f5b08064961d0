//! What plugins asked for while a packet was with them; the lane does it when the packet's chain has been walked.

use super::hold::Ticket;
use crate::base::ip_action::IpAction;
use crate::base::{
    Addr, Dir, DropReason, ExceptionCause, ExceptionPolicy, Generation, PluginId, PortId, RuleIndex,
};
use crate::io::Frame;
use crate::rules::ruleset::RejectTo;
use arrayvec::ArrayVec;

/// Changes that one packet may get.
pub const MAX_EDITS: usize = 8;
/// Frames that plugins may generate, and held ones they may release, during one packet.
pub const MAX_EMISSIONS: usize = 32;

/// A change of a packet's header; the host mends the checksums. It is made when the packet leaves, so every plugin of the
/// chain sees the packet as it came.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// The six bits of differentiated services (RFC 2474); ECN stays.
    Dscp(u8),
    Source(Addr),
    Destination(Addr),
    SourcePort(u16),
    DestinationPort(u16),
    /// TCP's urgent flag and pointer are 0.
    NotUrgent,
}

/// The changes of one packet, in the order in which they were asked for.
pub type Edits = ArrayVec<Edit, MAX_EDITS>;

/// Who hears, by a reset or an ICMP error, that the packet at hand was rejected.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Reject {
    pub source: bool,
    pub destination: bool,
}

impl Reject {
    /// As a rule says it of a packet in that direction.
    pub fn add(&mut self, to: RejectTo, dir: Dir) {
        let (source, destination) = match (to, dir) {
            (RejectTo::Both, _) => (true, true),
            (RejectTo::Source, _) | (RejectTo::Client, Dir::ToServer) | (RejectTo::Server, Dir::ToClient) => {
                (true, false)
            }
            (RejectTo::Destination | RejectTo::Client | RejectTo::Server, _) => (false, true),
        };
        self.source |= source;
        self.destination |= destination;
    }

    pub fn anyone(self) -> bool {
        self.source || self.destination
    }
}

/// Exceptions of one packet whose policies acted.
pub type Exceptions = ArrayVec<(ExceptionCause, ExceptionPolicy), 2>;

/// Of one packet; more than these are left out.
pub type IpActionsAsked = ArrayVec<(IpAction, (Generation, RuleIndex)), 4>;

/// What becomes of a held frame.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// On to the next plugin of the chain.
    Forward,
    Discard(DropReason),
}

/// Who wants a packet dropped.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Blame {
    pub plugin: Option<PluginId>,
    /// The rule, and the generation that it is one of.
    pub rule: Option<(Generation, RuleIndex)>,
}

/// Filled by plugins, emptied by the lane.
#[derive(Default)]
pub struct Outbox {
    pub edits: Edits,
    pub emissions: ArrayVec<(Frame, PortId), MAX_EMISSIONS>,
    pub releases: ArrayVec<(Ticket, Decision), MAX_EMISSIONS>,
    /// For the lane that drops the packet at hand.
    pub reject: Reject,
    /// Of the packet at hand, to be counted.
    pub exceptions: Exceptions,
    /// IP actions that rules ask for about the packet at hand.
    pub ip_actions: IpActionsAsked,
    /// Of the first that wants the packet dropped; means nothing where none does.
    pub blame: Blame,
}

impl Outbox {
    /// Another packet is at hand.
    #[inline]
    pub fn forget_packet(&mut self) {
        self.reject = Reject::default();
        self.exceptions.clear();
        self.ip_actions.clear();
    }

    /// Whether nothing waits that outlives the packet.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty() && self.emissions.is_empty() && self.releases.is_empty()
    }
}
