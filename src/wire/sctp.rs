//! SCTP (RFC 9260): common header and chunks.

use crate::base::Anomaly;
use crate::wire::checksum::crc32c;

pub const HEADER_LEN: usize = 12;
const CHUNK_HEADER_LEN: usize = 4;

#[derive(Copy, Clone, Debug)]
pub struct Sctp<'a> {
    header: &'a [u8; HEADER_LEN],
    bytes: &'a [u8],
}

impl<'a> Sctp<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Sctp<'a>, Anomaly> {
        let header = bytes.first_chunk().ok_or(Anomaly::SctpPktTooSmall)?;
        Ok(Sctp { header, bytes })
    }

    pub fn source_port(&self) -> u16 {
        u16::from_be_bytes([self.header[0], self.header[1]])
    }

    pub fn destination_port(&self) -> u16 {
        u16::from_be_bytes([self.header[2], self.header[3]])
    }

    pub fn verification_tag(&self) -> u32 {
        let [_, _, _, _, a, b, c, d, ..] = *self.header;
        u32::from_be_bytes([a, b, c, d])
    }

    /// CRC32c, little-endian on the wire.
    pub fn checksum(&self) -> u32 {
        let [.., a, b, c, d] = *self.header;
        u32::from_le_bytes([a, b, c, d])
    }

    pub fn checksum_valid(&self) -> bool {
        let (ports_and_tag, rest) = (self.bytes.get(..8), self.bytes.get(HEADER_LEN..));
        let (Some(before), Some(after)) = (ports_and_tag, rest) else { return false };
        crc32c(&[before, &[0; 4], after]) == self.checksum()
    }

    /// The chunks, up to the first whose length is impossible.
    pub fn chunks(&self) -> Chunks<'a> {
        Chunks(self.bytes.get(HEADER_LEN..).unwrap_or_default())
    }
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    pub kind: u8,
    pub flags: u8,
    /// Without the chunk header and the padding.
    pub value: &'a [u8],
}

/// Each step takes at least four bytes off, so the walk is as long as the packet.
#[derive(Clone, Debug)]
pub struct Chunks<'a>(&'a [u8]);

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Chunk<'a>> {
        let [kind, flags, high, low] = *self.0.first_chunk()?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let value = self.0.get(CHUNK_HEADER_LEN..length)?;
        // The last chunk's padding may be missing.
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Chunk { kind, flags, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_walked_over_their_padding_and_stop_at_an_impossible_length() {
        let mut bytes = vec![0, 1, 0, 2, 0, 0, 0, 9, 0, 0, 0, 0];
        bytes.extend([0, 3, 0, 5, b'x', 0, 0, 0, 11, 0, 0, 4, 7, 0, 0, 3, 1]);
        let sctp = Sctp::parse(&bytes).unwrap();
        assert_eq!((sctp.source_port(), sctp.destination_port(), sctp.verification_tag()), (1, 2, 9));
        let kinds: Vec<_> = sctp.chunks().map(|c| (c.kind, c.value.len())).collect();
        assert_eq!(kinds, [(0, 1), (11, 0)]);
    }
}
