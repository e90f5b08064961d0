//! What `dcerpc.iface` compares: the value of a field, and the comparison.

use crate::rules::ruleset::NumRange;

/// Bytes of a value: the UUID in the order of its text, the version in little endian, whether the call's first fragment
/// was seen.
pub const LEN: usize = 19;

/// The interface of a call.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    pub uuid: [u8; 16],
    pub version: u16,
    /// The fragment that begins the call was seen: rules without `any_frag` ask for that.
    pub first_fragment: bool,
}

impl Interface {
    pub fn to_bytes(self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        let (uuid, rest) = bytes.split_at_mut(16);
        uuid.copy_from_slice(&self.uuid);
        let [low, high] = self.version.to_le_bytes();
        rest.copy_from_slice(&[low, high, u8::from(self.first_fragment)]);
        bytes
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Interface> {
        let bytes: [u8; LEN] = bytes.try_into().ok()?;
        let uuid = *bytes.first_chunk()?;
        let [.., low, high, first] = bytes;
        Some(Interface { uuid, version: u16::from_le_bytes([low, high]), first_fragment: first != 0 })
    }

    /// Whether a rule that asks for these means it.
    pub fn is(&self, uuid: &[u8; 16], version: Option<&NumRange>, any_fragment: bool) -> bool {
        self.uuid == *uuid
            && version.is_none_or(|range| range.contains(u64::from(self.version)))
            && (any_fragment || self.first_fragment)
    }
}
