//! What is known of one packet when its rules are evaluated.

use crate::app::Known;
use crate::base::event::FlowStats;
use crate::base::{Dir, PerDir, Time};
use crate::decode::Decoded;

pub struct PacketFacts<'a> {
    pub bytes: &'a [u8],
    pub decoded: &'a Decoded,
    pub time: Time,
    pub flow: Option<FlowFacts>,
    /// Events of the session's protocol detection that came with this packet.
    pub app_events: &'a [(Dir, &'static str)],
}

#[derive(Copy, Clone, Debug)]
pub struct FlowFacts {
    pub id: u64,
    pub dir: Dir,
    pub established: bool,
    pub stats: FlowStats,
    /// Bytes of each direction's TCP stream so far, by sequence numbers (what it sent last, less where it began).
    pub stream: PerDir<u64>,
    /// What is known of its application protocol.
    pub app: Known,
    /// The first packet of its direction since what that direction speaks is known.
    pub app_news: bool,
}
