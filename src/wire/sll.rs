//! Linux "cooked" captures (LINKTYPE_LINUX_SLL and LINKTYPE_LINUX_SLL2, tcpdump.org/linktypes).

use crate::base::Anomaly;
use crate::wire::u16_at;

pub const SLL_LEN: usize = 16;
pub const SLL2_LEN: usize = 20;

/// The type field of an SLL header, an Ethernet type.
pub fn sll_ether_type(bytes: &[u8]) -> Result<u16, Anomaly> {
    u16_at(bytes, SLL_LEN - 2).ok_or(Anomaly::SllPktTooSmall)
}

/// The type field of an SLL2 header, an Ethernet type; it stands first, the whole header must be there.
pub fn sll2_ether_type(bytes: &[u8]) -> Result<u16, Anomaly> {
    let header: &[u8; SLL2_LEN] = bytes.first_chunk().ok_or(Anomaly::Sll2PktTooSmall)?;
    Ok(u16::from_be_bytes([header[0], header[1]]))
}
