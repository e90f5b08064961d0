//! Who talks to whom: the session table of one worker, its timers, and TCP tracking.
//!
//! Owes: both directions of a conversation in one [`Session`], found exactly; every session ended once, with a reason,
//! handed to the caller's closer; constant work per packet, bounded work per turn, no allocation after start.
//! Owns: slots, index, timing wheel, the list of sessions that are not established. The caller owns what a session's
//! handles (`inspection`, `streams`) name, and frees it in the closer.
//!
//! A packet's way: [`SessionTable::find`], then for TCP [`SessionTable::track`], then whatever the session asks for.
//! What expires is decided at lookup by the packet's clock; timers only reclaim, so replays do not depend on their pace.
//!
//! The first packet seen opens to the server; a SYN/ACK that may be picked up in the middle is turned round. ICMP errors
//! count in the session of the packet they quote and open none. Everything else opens one by addresses, ports and protocol.

mod entry;
mod index;
mod key;
mod phase;
mod settings;
mod table;
pub mod tcp;
mod timers;
mod tracker;

pub use entry::{NO_CHAIN, NO_HANDLE, Session, SessionId, Settled, Spoken};
#[cfg(test)]
pub(crate) use key::v4_tuple;
pub use key::{direction, flow_id};
pub use phase::Phase;
pub use settings::{Midstream, PhaseTimeouts, Settings, TcpSettings, Timeouts, WhenFull};
pub use table::{Closer, Counters, Lookup, Packet, SessionTable};
pub use tracker::{Fit, TcpTracker, Tracked};

pub use crate::wire::ip_proto::{ICMP, ICMPV6, SCTP, TCP, UDP};
pub use crate::wire::tcp::flag as flags;
