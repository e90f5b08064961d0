//! Whose bytes hold where two TCP segments overlap: the choices of real systems, by name.
//!
//! After Judy Novak and Steve Sturges, "Target-Based TCP Stream Reassembly" (2007), and Umesh Shankar and Vern Paxson,
//! "Active Mapping" (2003); the names are those of Suricata's `host-os-policy`. Systems that choose alike share a policy.

/// A run of a stream's offsets, half-open.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Span {
    pub start: u64,
    pub end: u64,
}

impl Span {
    pub const fn new(start: u64, end: u64) -> Span {
        Span { start, end }
    }

    pub const fn is_empty(self) -> bool {
        self.end <= self.start
    }

    pub fn cut(self, other: Span) -> Span {
        Span::new(self.start.max(other.start), self.end.min(other.end))
    }
}

/// Which copy of a byte holds when two differ.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum OverlapPolicy {
    /// What came first holds (Windows Vista and later).
    #[default]
    First,
    /// What came last holds.
    Last,
    /// The segment that begins earlier holds; of two that begin alike, the first one (BSD, Windows to 2003, macOS).
    Bsd,
    /// The segment that begins earlier holds; of two that begin alike, the longer one, or else the first one
    /// (Linux from 2.4 on, HP-UX 11, IRIX).
    Linux,
    /// The segment that begins earlier holds; of two that begin alike, the later one (Linux to 2.2).
    OldLinux,
    /// The segment that ends later holds; of two that end alike, the one that begins earlier, or else the first one.
    Solaris,
    /// A later segment holds when it reaches beyond the first on either side (HP-UX 10).
    Hpux10,
}

impl OverlapPolicy {
    pub const ALL: [OverlapPolicy; 7] = [
        OverlapPolicy::First,
        OverlapPolicy::Last,
        OverlapPolicy::Bsd,
        OverlapPolicy::Linux,
        OverlapPolicy::OldLinux,
        OverlapPolicy::Solaris,
        OverlapPolicy::Hpux10,
    ];

    /// Whether, where they overlap, the bytes of `new` replace those of `old`, which came before. Spans are those the
    /// segments came with, whatever is left of them.
    pub const fn new_wins(self, old: Span, new: Span) -> bool {
        match self {
            OverlapPolicy::First => false,
            OverlapPolicy::Last => true,
            OverlapPolicy::Bsd => new.start < old.start,
            OverlapPolicy::Linux => new.start < old.start || (new.start == old.start && new.end > old.end),
            OverlapPolicy::OldLinux => new.start <= old.start,
            OverlapPolicy::Solaris => new.end > old.end || (new.end == old.end && new.start < old.start),
            OverlapPolicy::Hpux10 => new.start < old.start || new.end > old.end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The nine ways a later segment can lie over an earlier one, and who holds (`o`ld or `n`ew) by each policy.
    #[test]
    fn each_policy_chooses_as_its_system_does() {
        let old = Span::new(16, 32);
        //                                              first last bsd linux old-linux solaris hpux10
        let cases = [
            ("begins before, ends within", Span::new(8, 24), "onnnnon"),
            ("begins before, ends with it", Span::new(8, 32), "onnnnnn"),
            ("begins before, ends behind", Span::new(8, 40), "onnnnnn"),
            ("begins with it, ends within", Span::new(16, 24), "onoonoo"),
            ("the same span", Span::new(16, 32), "onoonoo"),
            ("begins with it, ends behind", Span::new(16, 40), "ononnnn"),
            ("lies within", Span::new(20, 28), "onooooo"),
            ("begins within, ends with it", Span::new(24, 32), "onooooo"),
            ("begins within, ends behind", Span::new(24, 40), "onooonn"),
        ];
        for (what, new, expected) in cases {
            let chosen: String =
                OverlapPolicy::ALL.iter().map(|p| if p.new_wins(old, new) { 'n' } else { 'o' }).collect();
            assert_eq!(chosen, expected, "{what}");
        }
    }
}
