//! A TCP reset as it is sent for another: an IP packet without options or payload (RFC 9293, section 3.10.7).

use super::checksum::{Sum, internet};
use super::tcp::flag::{ACK, RST};
use super::{ip_proto, ipv6};
use crate::base::{Addr, Family};

const IPV4_HEADER: usize = 20;
const TCP_HEADER: usize = 20;
const TTL: u8 = 64;
/// Bytes of the longest.
pub const MAX_LEN: usize = ipv6::HEADER_LEN + TCP_HEADER;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Reset {
    pub family: Family,
    pub source: Addr,
    pub destination: Addr,
    pub source_port: u16,
    pub destination_port: u16,
    pub seq: u32,
    /// Without it the reset acknowledges nothing.
    pub ack: Option<u32>,
}

impl Reset {
    /// Writes the packet to the front of `out`; how long it is. `None` where `out` is too short.
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        let header = if self.family == Family::V4 { IPV4_HEADER } else { ipv6::HEADER_LEN };
        let (ip, tcp) = out.get_mut(..header + TCP_HEADER)?.split_at_mut(header);
        self.write_tcp(tcp)?;
        match self.family {
            Family::V4 => self.write_v4(ip)?,
            Family::V6 => self.write_v6(ip)?,
        }
        Some(header + TCP_HEADER)
    }

    fn write_tcp(&self, tcp: &mut [u8]) -> Option<()> {
        tcp.fill(0);
        tcp.get_mut(0..2)?.copy_from_slice(&self.source_port.to_be_bytes());
        tcp.get_mut(2..4)?.copy_from_slice(&self.destination_port.to_be_bytes());
        tcp.get_mut(4..8)?.copy_from_slice(&self.seq.to_be_bytes());
        tcp.get_mut(8..12)?.copy_from_slice(&self.ack.unwrap_or(0).to_be_bytes());
        let flags = if self.ack.is_some() { RST | ACK } else { RST };
        tcp.get_mut(12..14)?.copy_from_slice(&[(TCP_HEADER as u8 / 4) << 4, flags]);
        let sum = Sum::default().pseudo_header(
            self.family,
            self.source,
            self.destination,
            ip_proto::TCP,
            TCP_HEADER as u32,
        );
        let sum = sum.bytes(tcp).finish();
        tcp.get_mut(16..18)?.copy_from_slice(&sum.to_be_bytes());
        Some(())
    }

    fn write_v4(&self, ip: &mut [u8]) -> Option<()> {
        let [high, low] = ((IPV4_HEADER + TCP_HEADER) as u16).to_be_bytes();
        // Must not be cut (RFC 6864: so it needs no identification).
        ip.get_mut(..12)?.copy_from_slice(&[0x45, 0, high, low, 0, 0, 0x40, 0, TTL, ip_proto::TCP, 0, 0]);
        ip.get_mut(12..16)?.copy_from_slice(&(self.source.0 as u32).to_be_bytes());
        ip.get_mut(16..20)?.copy_from_slice(&(self.destination.0 as u32).to_be_bytes());
        let sum = internet(ip);
        ip.get_mut(10..12)?.copy_from_slice(&sum.to_be_bytes());
        Some(())
    }

    fn write_v6(&self, ip: &mut [u8]) -> Option<()> {
        let [high, low] = (TCP_HEADER as u16).to_be_bytes();
        ip.get_mut(..8)?.copy_from_slice(&[0x60, 0, 0, 0, high, low, ip_proto::TCP, TTL]);
        ip.get_mut(8..24)?.copy_from_slice(&self.source.0.to_be_bytes());
        ip.get_mut(24..40)?.copy_from_slice(&self.destination.0.to_be_bytes());
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ipv4::Ipv4;
    use crate::wire::tcp::Tcp;

    #[test]
    fn a_reset_is_a_packet_with_right_checksums_and_what_it_was_given() {
        let reset = Reset {
            family: Family::V4,
            source: Addr::v4([10, 0, 0, 1]),
            destination: Addr::v4([10, 0, 0, 2]),
            source_port: 80,
            destination_port: 4000,
            seq: 7,
            ack: Some(9),
        };
        let mut out = [0xff; MAX_LEN];
        assert_eq!(reset.write(&mut out), Some(40));
        let ip = Ipv4::parse_cut(&out[..40]).unwrap();
        assert_eq!((ip.total_len(), ip.proto(), internet(&out[..20])), (40, ip_proto::TCP, 0));
        let tcp = Tcp::parse(&out[20..40]).unwrap();
        assert_eq!((tcp.source_port(), tcp.destination_port()), (80, 4000));
        assert_eq!((tcp.seq(), tcp.ack(), tcp.flags()), (7, 9, RST | ACK));
        let sum =
            Sum::default().pseudo_header(Family::V4, reset.source, reset.destination, ip_proto::TCP, 20);
        assert_eq!(sum.bytes(&out[20..40]).finish(), 0);
        let silent = Reset { family: Family::V6, ack: None, ..reset };
        assert_eq!(silent.write(&mut out), Some(60));
        assert_eq!((Tcp::parse(&out[40..]).unwrap().flags(), out[6]), (RST, ip_proto::TCP));
        assert_eq!(silent.write(&mut out[..59]), None);
    }
}
