//! Cisco HDLC (LINKTYPE_C_HDLC): address, control, Ethernet type.

use crate::base::Anomaly;
use crate::wire::u16_at;

pub const HEADER_LEN: usize = 4;

pub fn ether_type(bytes: &[u8]) -> Result<u16, Anomaly> {
    u16_at(bytes, 2).ok_or(Anomaly::ChdlcPktTooSmall)
}
