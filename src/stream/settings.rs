//! What the configuration says of streams.

use super::policy::OverlapPolicy;
use crate::base::{NetworkTable, PerDir};

/// When bytes can be inspected; see the [module](super).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    Inline,
    Acknowledged {
        /// Bytes that must wait before they are handed out.
        chunk: PerDir<u32>,
    },
}

/// What becomes of the byte that the urgent pointer names.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Urgent {
    /// It is no part of the stream (RFC 6093, 3.1): what systems do unless a program asks otherwise.
    #[default]
    OutOfBand,
    /// It stays where it stands.
    Inline,
    /// Where the caller guards the receiver it stays, and the caller takes the urgent flag away: what a receiver makes of urgent
    /// bytes depends on its system, and on how fast its program reads. Elsewhere as `OutOfBand`.
    Cleared,
}

/// Overlap policies by destination network.
pub type PolicyTable = NetworkTable<OverlapPolicy>;

#[derive(Clone, Debug)]
pub struct Settings {
    pub delivery: Delivery,
    /// By the receiver's address.
    pub overlap: PolicyTable,
    pub urgent: Urgent,
    /// A segment that comes before those in front of it waits for them, where verdicts act; else it goes on, its bytes kept.
    pub hold: bool,
    /// Payload that is of no stream, by its session's state or windows, is dropped where verdicts act: nobody looked at it.
    pub drop_invalid: bool,
    /// Bytes of a direction that are inspected; what comes later costs nothing. 0: all.
    pub depth: u64,
    /// Inspected bytes that are kept before fresh ones, so that a match over the border is found.
    pub lookback: u32,
    /// How far before the inspected bytes a direction may run, out of order or not yet inspectable, in bytes.
    pub ahead: u32,
    /// Blocks of 2 KiB of one worker, for all its streams.
    pub blocks: u32,
    /// Directions with payload that one worker follows at once.
    pub streams: u32,
    /// A decoder reads them as well.
    pub decode: bool,
}

impl Settings {
    /// Suricata's stock `stream.reassembly.depth`, and its chunk sizes.
    pub const DEPTH: u64 = 1 << 20;
    pub const CHUNK: u32 = 2560;

    /// As Suricata's stock configuration, not inline.
    pub fn suricata() -> Settings {
        Settings {
            delivery: Delivery::Acknowledged { chunk: PerDir([Settings::CHUNK; 2]) },
            overlap: PolicyTable::new(OverlapPolicy::Bsd),
            ..Settings::default()
        }
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            delivery: Delivery::Inline,
            overlap: PolicyTable::default(),
            urgent: Urgent::OutOfBand,
            hold: false,
            drop_invalid: true,
            depth: Settings::DEPTH,
            lookback: Settings::CHUNK,
            ahead: 1 << 20,
            blocks: 1 << 17,
            streams: 1 << 18,
            decode: false,
        }
    }
}
