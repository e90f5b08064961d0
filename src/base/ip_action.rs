//! IP actions (spec 50): what a rule asks for beyond the packet that it matches, against where that comes from or goes to.

use std::time::Duration;

/// What is done to the traffic that it is against.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum IpDeed {
    /// It passes, and is counted.
    Notify,
    /// Dropped without a word.
    Block,
    /// Dropped, and both ends are told by a reset (ICMP where it is not TCP).
    Close,
}

/// What it is against, taken from the packet that the rule matched.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum IpTarget {
    /// The sender's address: what it sends, and sessions that it opened.
    Source,
    /// The receiver's address: what is sent to it, and sessions that were opened to it.
    Destination,
    /// Everything that comes in by the packet's port.
    Zone,
    /// The session's client, server, protocol and server port.
    Service,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct IpAction {
    pub deed: IpDeed,
    pub target: IpTarget,
    /// From the last match on.
    pub timeout: Duration,
}

impl IpDeed {
    pub const ALL: [IpDeed; 3] = [IpDeed::Notify, IpDeed::Block, IpDeed::Close];

    pub const fn name(self) -> &'static str {
        match self {
            IpDeed::Notify => "notify",
            IpDeed::Block => "block",
            IpDeed::Close => "close",
        }
    }
}

impl IpTarget {
    pub const ALL: [IpTarget; 4] =
        [IpTarget::Source, IpTarget::Destination, IpTarget::Zone, IpTarget::Service];
    pub const COUNT: usize = Self::ALL.len();

    pub const fn name(self) -> &'static str {
        match self {
            IpTarget::Source => "source",
            IpTarget::Destination => "destination",
            IpTarget::Zone => "zone",
            IpTarget::Service => "service",
        }
    }
}
