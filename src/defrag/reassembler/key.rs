//! What tells one datagram, and one source, from another.

use crate::base::{Addr, Family};
use crate::decode::{Decoded, Fragment, Ip};
use std::hash::{Hash, Hasher};

/// On which way a fragment came: its VLANs, and a number of all else that was around it in this direction.
#[derive(Copy, Clone, PartialEq, Eq)]
pub(super) struct Way {
    vlans: u64,
    path: u64,
}

impl Way {
    fn of(decoded: &Decoded) -> Way {
        Way { vlans: decoded.tuple.context, path: decoded.around.path }
    }

    /// For a hash: a path's bits are as good as random.
    fn mixed(self) -> u128 {
        u128::from(self.vlans ^ self.path) << 64
    }
}

#[derive(Copy, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) src: Addr,
    pub(super) dst: Addr,
    pub(super) way: Way,
    pub(super) id: u32,
    /// 0 for IPv6, whose identification does not depend on it.
    pub(super) proto: u8,
    pub(super) family: Family,
    pub(super) copies: bool,
}

impl Key {
    pub(super) fn of(decoded: &Decoded, ip: &Ip, fragment: &Fragment, copies: bool) -> Key {
        let (t, family) = (&decoded.tuple, ip.family);
        let proto = if family == Family::V4 { ip.proto } else { 0 };
        Key { src: t.src, dst: t.dst, way: Way::of(decoded), id: fragment.id, proto, family, copies }
    }
}

/// In few large words, and every field in one of them.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let small = u64::from(self.id)
            | u64::from(self.proto) << 32
            | u64::from(self.family == Family::V6) << 40
            | u64::from(self.copies) << 41;
        state.write_u128(self.src.0);
        state.write_u128(self.dst.0);
        state.write_u128(self.way.mixed() | u128::from(small));
    }
}

#[derive(Copy, Clone, PartialEq, Eq)]
pub(super) struct SourceKey {
    src: Addr,
    way: Way,
    family: Family,
}

impl SourceKey {
    pub(super) fn of(decoded: &Decoded, ip: &Ip) -> SourceKey {
        SourceKey { src: decoded.tuple.src, way: Way::of(decoded), family: ip.family }
    }
}

impl Hash for SourceKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(self.src.0);
        state.write_u128(self.way.mixed() | u128::from(self.family == Family::V6));
    }
}
