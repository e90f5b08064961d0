//! TCP sequence numbers: 32 bits that wrap (RFC 9293, section 3.4).

use std::fmt;

/// A sequence number. Deliberately not `Ord`: `before` and `after` are the only comparisons that mean anything.
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash)]
pub struct SeqNum(pub u32);

impl SeqNum {
    pub const fn plus(self, bytes: u32) -> SeqNum {
        SeqNum(self.0.wrapping_add(bytes))
    }

    pub const fn minus(self, bytes: u32) -> SeqNum {
        SeqNum(self.0.wrapping_sub(bytes))
    }

    /// Signed distance from `other` to `self`: positive when `self` is after.
    pub const fn distance_from(self, other: SeqNum) -> i32 {
        self.0.wrapping_sub(other.0) as i32
    }

    pub const fn before(self, other: SeqNum) -> bool {
        self.distance_from(other) < 0
    }

    pub const fn after(self, other: SeqNum) -> bool {
        self.distance_from(other) > 0
    }

    pub const fn at_or_before(self, other: SeqNum) -> bool {
        self.distance_from(other) <= 0
    }

    pub const fn at_or_after(self, other: SeqNum) -> bool {
        self.distance_from(other) >= 0
    }

    /// The later of the two.
    pub const fn max(self, other: SeqNum) -> SeqNum {
        if self.after(other) { self } else { other }
    }
}

impl fmt::Debug for SeqNum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seq {}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_number_is_before_what_less_than_half_the_circle_adds(start: u32, step in 1u32..0x7fff_ffff) {
            let (a, b) = (SeqNum(start), SeqNum(start).plus(step));
            prop_assert!(a.before(b) && b.after(a) && !b.before(a));
            prop_assert_eq!(b.distance_from(a), step as i32);
            prop_assert_eq!(a.max(b), b);
        }
    }
}
