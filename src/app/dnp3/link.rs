//! DNP3's link layer (IEEE 1815, 9): frames of a header and blocks of 16 octets, each with a sum behind it.

use crate::app::Framed;

/// Both octets that begin a frame, its length, control, two addresses and the sum.
pub const HEADER_LEN: usize = 10;
pub const START: [u8; 2] = [0x05, 0x64];
/// Control and addresses are counted in the length.
pub const MIN_LEN: u8 = 5;
/// A frame with 250 octets of data in 16 blocks.
pub const MAX_FRAME: usize = HEADER_LEN + 250 + 2 * 16;
const BLOCK: usize = 16;
const SUM: usize = 2;

/// Of the control octet.
const DIR: u8 = 0x80;
const PRIMARY: u8 = 0x40;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Octets behind it, without sums, and 5 of its own.
    pub len: u8,
    pub control: u8,
    pub to: u16,
    pub from: u16,
    /// Its sum is right.
    pub sound: bool,
}

impl Header {
    pub fn parse(bytes: &[u8]) -> Option<Header> {
        let &[a, b, len, control, t0, t1, f0, f1, s0, s1] = bytes.first_chunk::<HEADER_LEN>()?;
        let sound = crc(bytes.get(..HEADER_LEN - SUM)?) == u16::from_le_bytes([s0, s1]);
        let (to, from) = (u16::from_le_bytes([t0, t1]), u16::from_le_bytes([f0, f1]));
        ([a, b] == START).then_some(Header { len, control, to, from, sound })
    }

    /// The master sends it.
    pub fn is_masters(&self) -> bool {
        self.control & DIR != 0
    }

    pub fn is_primary(&self) -> bool {
        self.control & PRIMARY != 0
    }

    /// Frame count bit, and that it counts.
    pub fn count(&self) -> (bool, bool) {
        (self.control & 0x20 != 0, self.control & 0x10 != 0)
    }

    pub fn function(&self) -> u8 {
        self.control & 15
    }

    /// User data: confirmed or not.
    pub fn has_data(&self) -> bool {
        self.is_primary() && matches!(self.function(), 3 | 4)
    }

    fn data_len(&self) -> usize {
        usize::from(self.len.saturating_sub(MIN_LEN))
    }

    fn frame_len(&self) -> usize {
        let data = self.data_len();
        HEADER_LEN + data + SUM * data.div_ceil(BLOCK)
    }
}

/// How far the frame that begins here goes; what begins none is stepped over up to the next start.
pub fn frame(bytes: &[u8]) -> Framed {
    match bytes {
        [0x05] => Framed::Need(2),
        [0x05, 0x64, ..] => match Header::parse(bytes) {
            // A header that cannot be trusted does not say where its frame ends.
            Some(header) if header.sound && header.len >= MIN_LEN => Framed::Whole(header.frame_len()),
            Some(_) => Framed::Whole(HEADER_LEN),
            None => Framed::Need(HEADER_LEN),
        },
        [_, rest @ ..] => Framed::Whole(1 + memchr::memchr(START[0], rest).unwrap_or(rest.len())),
        [] => Framed::Need(1),
    }
}

/// The data of a whole frame, its sums taken out, added to `out`; false when one is wrong.
pub fn data(frame: &[u8], out: &mut Vec<u8>) -> bool {
    let blocks = frame.get(HEADER_LEN..).unwrap_or_default().chunks(BLOCK + SUM);
    for block in blocks {
        let Some((data, sum)) = block.split_last_chunk::<SUM>() else { return false };
        if crc(data) != u16::from_le_bytes(*sum) {
            return false;
        }
        out.extend_from_slice(data);
    }
    true
}

/// The sum of IEEE 1815, 9.2.4.4: reflected polynomial 0xa6bc, inverted.
pub fn crc(bytes: &[u8]) -> u16 {
    const TABLE: [u16; 256] = table();
    let sum = bytes.iter().fold(0_u16, |sum, byte| {
        let [low, high] = sum.to_le_bytes();
        TABLE.get(usize::from(low ^ byte)).copied().unwrap_or(0) ^ u16::from(high)
    });
    !sum
}

const fn table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < table.len() {
        let (mut sum, mut bit) = (at as u16, 0);
        while bit < 8 {
            sum = if sum & 1 == 0 { sum >> 1 } else { sum >> 1 ^ 0xa6bc };
            bit += 1;
        }
        table[at] = sum;
        at += 1;
    }
    table
}
