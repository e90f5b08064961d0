//! Writing a capture as pcapng (draft-ietf-opsawg-pcapng), where each packet can bear a comment: microseconds, an interface a port.

use crate::base::Time;
use std::io::{self, Write};

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const BYTE_ORDER: u32 = 0x1a2b_3c4d;

const COMMENT: u16 = 1;
const IF_NAME: u16 = 2;

/// Bytes of an option at most; the rest of a longer one is cut off.
const MAX_OPTION: usize = 4096;

/// One packet to be written.
#[derive(Copy, Clone, Debug)]
pub struct PacketRecord<'a> {
    /// The interface's place among those that were begun with.
    pub interface: u32,
    pub time: Time,
    /// Bytes of the whole frame, of which these are the beginning.
    pub length: u32,
    pub bytes: &'a [u8],
    pub comment: &'a str,
}

pub struct PcapngWriter<W: Write> {
    out: W,
    block: Vec<u8>,
}

impl<W: Write> PcapngWriter<W> {
    /// Begins a section with these interfaces, all of one link type (`dlt`).
    pub fn begin(out: W, dlt: u16, interfaces: &[String]) -> io::Result<PcapngWriter<W>> {
        let mut writer = PcapngWriter { out, block: Vec::new() };
        let section =
            [&BYTE_ORDER.to_le_bytes()[..], &1u16.to_le_bytes(), &0u16.to_le_bytes(), &[0xff; 8]].concat();
        writer.block.extend_from_slice(&section);
        writer.end_block(SECTION)?;
        for name in interfaces {
            let fixed = [&dlt.to_le_bytes()[..], &[0; 2], &0u32.to_le_bytes()].concat();
            writer.block.extend_from_slice(&fixed);
            writer.options(&[(IF_NAME, name)]);
            writer.end_block(INTERFACE)?;
        }
        Ok(writer)
    }

    pub fn packet(&mut self, packet: &PacketRecord<'_>) -> io::Result<()> {
        let micros = packet.time.micros();
        let captured = u32::try_from(packet.bytes.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        for field in [packet.interface, (micros >> 32) as u32, micros as u32, captured, packet.length] {
            self.block.extend_from_slice(&field.to_le_bytes());
        }
        self.block.extend_from_slice(packet.bytes);
        self.pad();
        if !packet.comment.is_empty() {
            self.options(&[(COMMENT, packet.comment)]);
        }
        self.end_block(ENHANCED_PACKET)
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn options(&mut self, options: &[(u16, &str)]) {
        for (code, text) in options {
            let value = text.as_bytes().get(..MAX_OPTION).unwrap_or(text.as_bytes());
            self.block.extend_from_slice(&code.to_le_bytes());
            self.block.extend_from_slice(&(value.len() as u16).to_le_bytes());
            self.block.extend_from_slice(value);
            self.pad();
        }
        self.block.extend_from_slice(&[0; 4]);
    }

    /// Everything stands at multiples of four bytes.
    fn pad(&mut self) {
        self.block.resize(self.block.len().next_multiple_of(4), 0);
    }

    fn end_block(&mut self, kind: u32) -> io::Result<()> {
        let length = u32::try_from(self.block.len() + 12).map_err(|_| io::ErrorKind::FileTooLarge)?;
        self.out.write_all(&kind.to_le_bytes())?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(&self.block)?;
        self.out.write_all(&length.to_le_bytes())?;
        self.block.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pcap_parser::{Block, parse_pcapng};

    #[test]
    fn a_strict_reader_finds_interfaces_packets_and_comments() {
        let names = ["outside".to_owned(), "in".to_owned()];
        let mut bytes = Vec::new();
        let mut writer = PcapngWriter::begin(&mut bytes, 1, &names).unwrap();
        let time = Time::from_micros(1_780_000_000_123_456);
        for (interface, length, frame, comment) in
            [(1, 60, &[1u8; 33][..], "dropped: rules"), (0, 4, &[2; 4], ""), (0, 9, &[], "nothing kept")]
        {
            writer.packet(&PacketRecord { interface, time, length, bytes: frame, comment }).unwrap();
        }
        let (rest, capture) = parse_pcapng(&bytes).unwrap();
        assert!(rest.is_empty());
        let mut found = Vec::new();
        let mut interfaces = Vec::new();
        for block in capture.sections.iter().flat_map(|section| &section.blocks) {
            match block {
                Block::EnhancedPacket(packet) => {
                    let comment = packet.options.iter().find(|o| o.code.0 == COMMENT);
                    let comment =
                        comment.map(|o| String::from_utf8_lossy(&o.value).trim_end_matches('\0').to_owned());
                    let micros = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                    assert_eq!(micros, time.micros());
                    found.push((packet.if_id, packet.caplen, packet.origlen, comment.unwrap_or_default()));
                }
                Block::InterfaceDescription(interface) => {
                    interfaces.push(interface.options[0].value[..2].to_vec());
                }
                _ => {}
            }
        }
        assert_eq!(interfaces, [b"ou", b"in"]);
        let expected = [(1, 33, 60, "dropped: rules"), (0, 4, 4, ""), (0, 0, 9, "nothing kept")];
        assert_eq!(found, expected.map(|(i, c, o, text)| (i, c, o, text.to_owned())));
    }
}
