//! What inspection may cost and keep, and what it does at its bounds.

use crate::app::FileWants;
use crate::base::ExceptionPolicies;

/// Work one packet may cost, unless the setting says otherwise: units of one step, or of 64 bytes searched by a step.
/// A full frame against a hundred rules without a fast pattern costs a few thousand.
pub const WORK_PER_PACKET: u32 = 100_000;

/// What becomes of a packet whose budget ran out before all its rules were evaluated.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum WhenSpent {
    /// As far as was evaluated.
    #[default]
    Forward,
    Drop,
}

#[derive(Copy, Clone, Debug)]
pub struct Settings {
    /// Alerts kept of one packet, at most [`MAX_ALERTS`].
    pub packet_alert_max: usize,
    /// Sessions that may have flowbits at once.
    pub flowbit_sessions: usize,
    /// Counts of `threshold` and `detection_filter` kept at once, for all workers.
    pub thresholds: usize,
    /// `xbits` and `hostbits` kept at once, for all workers.
    pub host_bits: usize,
    /// Of the hash of both; unpredictable on a network that may be hostile.
    pub seed: u64,
    pub work_per_packet: u32,
    pub when_spent: WhenSpent,
    pub exceptions: ExceptionPolicies,
    /// Of decoders and their transactions.
    pub apps: crate::app::Limits,
    /// What records want of files, whatever rules ask for.
    pub files: FileWants,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            packet_alert_max: 15,
            flowbit_sessions: 65_536,
            thresholds: 65_536,
            host_bits: 65_536,
            seed: 0x5eed,
            work_per_packet: WORK_PER_PACKET,
            when_spent: WhenSpent::Forward,
            exceptions: ExceptionPolicies::default(),
            apps: crate::app::Limits::default(),
            files: FileWants::default(),
        }
    }
}
