//! The numbers of a lane's tables, copied out once a turn for whoever wants to read them.

use crate::base::counters::Counter;
use crate::base::event::CloseReason;
use crate::base::{ExceptionCause, ExceptionPolicy};

/// Written by one lcore, read by management.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct TableCounts {
    pub sessions: Counter,
    pub sessions_opened: Counter,
    /// By `CloseReason as usize`.
    pub sessions_closed: [Counter; CloseReason::COUNT],
    pub sessions_refused: Counter,
    pub untracked: Counter,
    /// TCP segments whose checksum, or that of the IPv4 header before it, is wrong: they belong to no session.
    pub damaged_segments: Counter,
    /// Ports where such sums mean nothing.
    pub untrusted_checksums: Counter,
    pub streams: Counter,
    /// Bytes.
    pub stream_memory: Counter,
    /// Bytes that transactions of applications hold.
    pub app_memory: Counter,
    /// Bytes that rules are evaluated with: all generations that the worker has, and a candidate beside them.
    pub rule_memory: Counter,
    /// Bytes that a candidate of rules beside those in force holds.
    pub shadow_memory: Counter,
    pub stream_gaps: Counter,
    pub stream_conflicts: Counter,
    /// Bytes of buffers that unfinished datagrams hold.
    pub fragment_memory: Counter,
    pub datagrams_waiting: Counter,
    pub datagrams_rebuilt: Counter,
    /// Given up because not all of their fragments came in time.
    pub datagrams_timed_out: Counter,
    pub tcp: Counter,
    pub udp: Counter,
    pub icmp: Counter,
    pub sctp: Counter,
    pub other: Counter,
    pub ipv4: Counter,
    pub ipv6: Counter,
    pub invalid: Counter,
    /// Packets rejected, and the resets and ICMP errors sent about them.
    pub rejected: Counter,
    pub answers: Counter,
    /// By [`ExceptionCause`] and [`ExceptionPolicy`], `as usize`: how often a policy acted.
    pub exceptions: [[Counter; ExceptionPolicy::COUNT]; ExceptionCause::COUNT],
    /// The rule generation in force.
    pub generation: Counter,
}
