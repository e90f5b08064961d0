//! What the configuration says of sessions: size, timeouts, policies.

use crate::base::{ExceptionPolicies, Time};
use std::time::Duration;

/// How long a session without packets lives, by protocol and phase.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct PhaseTimeouts {
    pub new: Duration,
    pub established: Duration,
    pub closed: Duration,
}

impl PhaseTimeouts {
    const fn secs(new: u64, established: u64, closed: u64) -> PhaseTimeouts {
        PhaseTimeouts {
            new: Duration::from_secs(new),
            established: Duration::from_secs(established),
            closed: Duration::from_secs(closed),
        }
    }
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    pub tcp: PhaseTimeouts,
    pub udp: PhaseTimeouts,
    pub icmp: PhaseTimeouts,
    /// SCTP and whatever else runs over IP.
    pub other: PhaseTimeouts,
}

impl Timeouts {
    /// Of `weir run` (spec 30).
    pub const WEIR: Timeouts = Timeouts {
        tcp: PhaseTimeouts::secs(30, 3600, 10),
        udp: PhaseTimeouts::secs(30, 30, 10),
        icmp: PhaseTimeouts::secs(30, 30, 10),
        other: PhaseTimeouts::secs(30, 300, 10),
    };

    /// Of Suricata's stock configuration (`flow-timeouts` in suricata.yaml).
    pub const SURICATA: Timeouts = Timeouts {
        tcp: PhaseTimeouts::secs(60, 600, 60),
        udp: PhaseTimeouts::secs(30, 300, 0),
        icmp: PhaseTimeouts::secs(30, 300, 0),
        other: PhaseTimeouts::secs(30, 300, 0),
    };

    pub fn of(&self, proto: u8) -> &PhaseTimeouts {
        match proto {
            super::TCP => &self.tcp,
            super::UDP => &self.udp,
            super::ICMP | super::ICMPV6 => &self.icmp,
            _ => &self.other,
        }
    }
}

/// What a full table does with a packet that would open a session.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// The longest waiting session that is not established makes room; if all are established, as `DropNew`.
    #[default]
    EvictOldestUnestablished,
    DropNew,
    /// The packet goes on without a session.
    ForwardUntracked,
}

/// Whether a TCP session may be picked up without its handshake.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Midstream {
    #[default]
    Never,
    Always,
    /// `grace`: for a time after the start, so that a restart kills no running session.
    Until(Time),
}

impl Midstream {
    pub fn allowed(self, now: Time) -> bool {
        match self {
            Midstream::Never => false,
            Midstream::Always => true,
            Midstream::Until(end) => now < end,
        }
    }
}

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct TcpSettings {
    pub midstream: Midstream,
    /// Sessions of which only one side passes here are followed all the same.
    pub async_one_side: bool,
}

#[derive(Copy, Clone, Debug)]
pub struct Settings {
    /// Sessions at once; all memory is reserved at start.
    pub capacity: u32,
    pub timeouts: Timeouts,
    pub when_full: WhenFull,
    pub tcp: TcpSettings,
    /// What is done where no session can be made, or no fragment kept.
    pub exceptions: ExceptionPolicies,
    /// Of the table's hash; unpredictable on a network that may be hostile.
    pub seed: u64,
}

impl Settings {
    pub const DEFAULT_CAPACITY: u32 = 1 << 20;
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            capacity: Settings::DEFAULT_CAPACITY,
            timeouts: Timeouts::WEIR,
            when_full: WhenFull::default(),
            tcp: TcpSettings::default(),
            exceptions: ExceptionPolicies::default(),
            seed: 0x5eed,
        }
    }
}
