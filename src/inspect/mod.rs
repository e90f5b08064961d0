//! Which rules a packet and its stream's new bytes match, and what follows from that.
//!
//! Owns the compiled tables (immutable, shared by the workers) and, a worker, the scratch memory, the sessions' inspection
//! state and the thresholds. Owes its caller one [`Outcome`](inspector::Outcome) a packet, within a bounded amount of
//! work, without allocating.

pub mod matcher;
