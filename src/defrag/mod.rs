//! IP fragments in, whole datagrams out: one reassembler for both families.
//!
//! Owes: each fragment ends as merged into a rebuilt datagram, dropped with a reason, or held ([`Counters`]); held memory
//! within caps per datagram, source and worker, counted in buffers as they pin the pool; payload not copied, but for tiny
//! pieces. Owns the frames it holds. Nothing is allocated after start but frames from the caller's
//! [`FrameAllocator`](crate::io::FrameAllocator).
//!
//! [`Reassembler::push`] takes a fragment and its decoded layers. A datagram's time is decided by the clock of the next
//! fragment with its key; [`Reassembler::expire`] reclaims without traffic.
//!
//! The rebuilt frame is the first fragment's link and IP header, fragment fields cleared (for IPv6: the fragment header
//! taken out), lengths and checksum right, and a chain of the pieces' payload. It has the meta of the fragment that completed it.

mod header;
mod icmp;
mod pieces;
mod policy;
mod reassembler;
mod refragment;
mod settings;

/// How many random cases a property is tried with: `WEIR_CASES` multiplies it, for a long run.
#[cfg(test)]
fn cases(usual: u32) -> u32 {
    let times = std::env::var("WEIR_CASES").ok().and_then(|times| times.parse().ok());
    usual.saturating_mul(times.unwrap_or(1))
}

pub use header::Place;
pub use icmp::{IcmpError, Towards, icmp_error};
pub use policy::{OverlapPolicy, Span};
pub use reassembler::{Counters, Outcome, Reassembler, Sink};
pub use refragment::{Cut, refragment};
pub use settings::{PolicyTable, Settings};
