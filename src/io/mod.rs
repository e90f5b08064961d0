//! Ports, frames, rings and captures. The only place of DPDK `unsafe`.
//!
//! Owes the layers above: owned [`Frame`]s that cannot leak or be freed twice, bursts in and out of a port, rings
//! between lcores, a memory backend ([`memory`]) on which everything above runs without EAL, and the process itself ([`process`]).

pub mod burst;
pub mod cache;
pub mod capture;
pub mod clock;
pub mod dpdk;
pub mod frame;
pub mod heap;
pub mod memory;
pub mod port;
pub mod process;

pub use burst::free_burst;
pub use frame::{Chain, Frame, FrameMeta, Rebuilt};
pub use port::{
    Burst, FrameAllocator, FrameReceiver, FrameSender, LinkType, PacketIo, PortInfo, PortMeter, PortStats,
    RingEnds, RxQueue, TxQueue,
};

/// Frames moved at once, from a port or a ring. One clock reading serves a burst.
pub const BURST: usize = 32;
