//! ARP for IPv4 over Ethernet (RFC 826).

use crate::base::Anomaly;

pub const LEN: usize = 28;

#[derive(Copy, Clone, Debug)]
pub struct Arp<'a>(&'a [u8; LEN]);

impl<'a> Arp<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Arp<'a>, Anomaly> {
        let head: &[u8; 8] = bytes.first_chunk().ok_or(Anomaly::ArpPktTooSmall)?;
        match *head {
            [hw0, hw1, ..] if [hw0, hw1] != [0, 1] => Err(Anomaly::ArpUnsupportedHardware),
            [_, _, p0, p1, ..] if [p0, p1] != [8, 0] => Err(Anomaly::ArpUnsupportedProtocol),
            [_, _, _, _, hardware_size, ..] if hardware_size != 6 => Err(Anomaly::ArpInvalidHardwareSize),
            [.., protocol_size, _, _] if protocol_size != 4 => Err(Anomaly::ArpInvalidProtocolSize),
            _ => bytes.first_chunk().map(Arp).ok_or(Anomaly::ArpInvalidPkt),
        }
    }

    pub fn opcode(&self) -> u16 {
        u16::from_be_bytes([self.0[6], self.0[7]])
    }

    /// Request and reply, and those of RARP and InARP (RFC 903, RFC 2390).
    pub fn opcode_known(&self) -> bool {
        matches!(self.opcode(), 1..=4 | 8..=10)
    }

    pub fn sender_ip(&self) -> [u8; 4] {
        let [_, _, _, _, _, _, _, _, _, _, _, _, _, _, a, b, c, d, ..] = *self.0;
        [a, b, c, d]
    }

    pub fn target_ip(&self) -> [u8; 4] {
        let [.., a, b, c, d] = *self.0;
        [a, b, c, d]
    }
}
