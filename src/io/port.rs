//! What the pipeline asks of a port and of a ring, whoever implements it (DPDK or memory).

use super::{BURST, Frame};
use crate::base::PortId;
use arrayvec::ArrayVec;

/// Frames on their way from one step to the next; dropping it frees what is left.
pub type Burst = ArrayVec<Frame, BURST>;

/// How a port's frames begin (values of the pcap link-type registry, tcpdump.org/linktypes.html).
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum LinkType {
    /// BSD loopback: a family in the host order of who captured it.
    Null,
    #[default]
    Ethernet,
    Ppp,
    /// Raw IP: the version nibble says which (101, 12, 14, and 228, 229 for one family).
    RawIp,
    /// OpenBSD loopback: the family in network order.
    Loop,
    CiscoHdlc,
    LinuxSll,
    LinuxSll2,
    /// No decoder: every frame is dropped with a reason, or forwarded undecoded.
    Other(u16),
}

impl LinkType {
    pub const fn from_dlt(dlt: u16) -> LinkType {
        match dlt {
            0 => LinkType::Null,
            1 => LinkType::Ethernet,
            9 => LinkType::Ppp,
            12 | 14 | 101 | 228 | 229 => LinkType::RawIp,
            104 => LinkType::CiscoHdlc,
            108 => LinkType::Loop,
            113 => LinkType::LinuxSll,
            276 => LinkType::LinuxSll2,
            other => LinkType::Other(other),
        }
    }
}

/// What a port is and can do.
#[derive(Clone, Debug, Default)]
pub struct PortInfo {
    /// As the configuration names it.
    pub name: String,
    pub driver: String,
    pub link_type: LinkType,
    pub rx_queues: u16,
    pub tx_queues: u16,
    pub mtu: u16,
    pub numa_node: Option<u32>,
    pub mac: [u8; 6],
    /// Whether the NIC spreads both directions of a session over its queues by a symmetric key.
    pub symmetric_rss: bool,
    /// It computes the checksums of IPv4 headers where frames [leave](Frame::leave_ipv4_checksum) them to it.
    pub ipv4_checksums: bool,
}

/// What the port itself counts (`rte_eth_stats`).
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct PortStats {
    pub rx_packets: u64,
    pub rx_bytes: u64,
    pub rx_missed: u64,
    pub rx_errors: u64,
    pub rx_no_buffer: u64,
    pub tx_packets: u64,
    pub tx_bytes: u64,
    pub tx_errors: u64,
}

/// Reads what a port counts, from any thread; it does not keep the port alive.
pub trait PortMeter: Send {
    fn stats(&self) -> PortStats;

    /// Whether the link is up; `None` when the port does not say.
    fn link_up(&self) -> Option<bool> {
        None
    }

    /// Takes the link up or down; false where the port cannot.
    fn set_link(&self, _up: bool) -> bool {
        false
    }
}

/// A port. Its queues are handed out once each, to the lcore that will own them.
pub trait PacketIo: Send {
    fn id(&self) -> PortId;
    fn info(&self) -> &PortInfo;
    fn stats(&self) -> PortStats;
    /// For management; `None` when the port counts nothing.
    fn meter(&self) -> Option<Box<dyn PortMeter>> {
        None
    }
    /// `None` when the queue does not exist or is already taken.
    fn take_rx(&mut self, queue: u16) -> Option<Box<dyn RxQueue>>;
    fn take_tx(&mut self, queue: u16) -> Option<Box<dyn TxQueue>>;
}

pub trait RxQueue: Send {
    /// Appends what has arrived, up to the burst's room; how many. Time and clock in the frames' meta are set, packet and
    /// epoch are 0, and the port is the device's number, which is not the configuration's.
    fn receive(&mut self, burst: &mut Burst) -> usize;

    /// As [`receive`](Self::receive), but the meta may hold anything: for frames that are stamped later, or passed on.
    fn receive_unstamped(&mut self, burst: &mut Burst) -> usize {
        self.receive(burst)
    }
}

pub trait TxQueue: Send {
    /// Sends from the front; what the port did not take stays in the burst, in order. How many were sent.
    fn send(&mut self, burst: &mut Burst) -> usize;
}

/// One end of a single-producer, single-consumer ring of frames between two lcores.
pub trait FrameSender: Send {
    /// As [`TxQueue::send`].
    fn send(&mut self, burst: &mut Burst) -> usize;
    /// Frames waiting now, and how many may.
    fn fill(&self) -> (usize, usize);
}

pub trait FrameReceiver: Send {
    /// As [`RxQueue::receive`].
    fn receive(&mut self, burst: &mut Burst) -> usize;
    /// Frames waiting now.
    fn waiting(&self) -> usize;
}

/// The two ends of a ring, each for one lcore.
pub type RingEnds = (Box<dyn FrameSender>, Box<dyn FrameReceiver>);

/// Makes frames: generated packets, and copies where a chain must be compacted.
pub trait FrameAllocator: Send {
    /// `None` when the pool is empty. Longer than one buffer makes a chain.
    fn allocate(&mut self, bytes: &[u8]) -> Option<Frame>;
}
