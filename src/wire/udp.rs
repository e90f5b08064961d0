//! UDP (RFC 768).

use crate::base::Anomaly;

pub const HEADER_LEN: usize = 8;

#[derive(Copy, Clone, Debug)]
pub struct Udp<'a> {
    header: &'a [u8; HEADER_LEN],
    payload: &'a [u8],
}

impl<'a> Udp<'a> {
    /// `bytes` are what IP carries. A length field that says less than IP does is accepted, and cuts the payload as a
    /// receiver would; that the two differ shows in the payload's length.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Udp<'a>, Anomaly> {
        let header: &[u8; HEADER_LEN] = bytes.first_chunk().ok_or(Anomaly::UdpPktTooSmall)?;
        let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
        if length < HEADER_LEN {
            return Err(Anomaly::UdpLenInvalid);
        }
        let payload = bytes.get(HEADER_LEN..length).ok_or(Anomaly::UdpHlenTooSmall)?;
        Ok(Udp { header, payload })
    }

    #[inline]
    pub fn source_port(&self) -> u16 {
        u16::from_be_bytes([self.header[0], self.header[1]])
    }

    #[inline]
    pub fn destination_port(&self) -> u16 {
        u16::from_be_bytes([self.header[2], self.header[3]])
    }

    /// 0: none was computed (IPv4 only; RFC 8200 forbids it for IPv6 but for some tunnels).
    pub fn checksum(&self) -> u16 {
        u16::from_be_bytes([self.header[6], self.header[7]])
    }

    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }
}
