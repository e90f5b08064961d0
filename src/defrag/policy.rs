//! Whose bytes hold where two fragments overlap: the choices of real systems, by name.
//!
//! After Judy Novak, "Target-Based Fragmentation Reassembly" (2005), whose terms Suricata's `host-os-policy` uses too.

/// A run of bytes within a datagram's payload, half-open.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    pub const fn new(start: u32, end: u32) -> Span {
        Span { start, end }
    }

    pub const fn len(self) -> u32 {
        self.end.saturating_sub(self.start)
    }

    pub const fn is_empty(self) -> bool {
        self.end <= self.start
    }

    pub fn overlaps(self, other: Span) -> bool {
        self.start < other.end && other.start < self.end
    }
}

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum OverlapPolicy {
    /// What came first holds.
    #[default]
    First,
    /// What came last holds.
    Last,
    /// The fragment that begins earlier holds; of two that begin alike, the later one.
    Linux,
    /// The fragment that begins earlier holds; of two that begin alike, the first one.
    Bsd,
    /// The fragment that begins later holds; of two that begin alike, the later one.
    BsdRight,
    /// The first holds, unless the later one begins before and ends behind it.
    Windows,
    /// The first holds, unless the later one begins before it and ends with or behind it.
    Solaris,
}

impl OverlapPolicy {
    pub const ALL: [OverlapPolicy; 7] = [
        OverlapPolicy::First,
        OverlapPolicy::Last,
        OverlapPolicy::Linux,
        OverlapPolicy::Bsd,
        OverlapPolicy::BsdRight,
        OverlapPolicy::Windows,
        OverlapPolicy::Solaris,
    ];

    /// As the configuration spells it.
    pub const fn name(self) -> &'static str {
        match self {
            OverlapPolicy::First => "first",
            OverlapPolicy::Last => "last",
            OverlapPolicy::Linux => "linux",
            OverlapPolicy::Bsd => "bsd",
            OverlapPolicy::BsdRight => "bsd-right",
            OverlapPolicy::Windows => "windows",
            OverlapPolicy::Solaris => "solaris",
        }
    }

    pub fn by_name(name: &str) -> Option<OverlapPolicy> {
        OverlapPolicy::ALL.into_iter().find(|policy| policy.name() == name)
    }

    /// Whether, where they overlap, the bytes of `new` replace those of `old`, which came before. Spans are those the
    /// fragments came with, whatever is left of them.
    pub const fn new_wins(self, old: Span, new: Span) -> bool {
        match self {
            OverlapPolicy::First => false,
            OverlapPolicy::Last => true,
            OverlapPolicy::Linux => new.start <= old.start,
            OverlapPolicy::Bsd => new.start < old.start,
            OverlapPolicy::BsdRight => new.start >= old.start,
            OverlapPolicy::Windows => new.start < old.start && new.end > old.end,
            OverlapPolicy::Solaris => new.start < old.start && new.end >= old.end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The six ways a later fragment can lie over an earlier one, and who holds (`o`ld or `n`ew) by each policy.
    #[test]
    fn each_policy_chooses_as_its_system_does() {
        let old = Span::new(16, 32);
        //         first last linux bsd bsd-right windows solaris
        let cases = [
            ("begins before, ends within", Span::new(8, 24), "onnnooo"),
            ("begins before, ends with it", Span::new(8, 32), "onnnoon"),
            ("begins before, ends behind", Span::new(8, 40), "onnnonn"),
            ("begins with it, ends within", Span::new(16, 24), "onnonoo"),
            ("the same span", Span::new(16, 32), "onnonoo"),
            ("begins within, ends behind", Span::new(24, 40), "onoonoo"),
        ];
        for (what, new, expected) in cases {
            let chosen: String =
                OverlapPolicy::ALL.iter().map(|p| if p.new_wins(old, new) { 'n' } else { 'o' }).collect();
            assert_eq!(chosen, expected, "{what}");
        }
    }

    #[test]
    fn names_lead_back_to_their_policy() {
        assert!(OverlapPolicy::ALL.iter().all(|&p| OverlapPolicy::by_name(p.name()) == Some(p)));
        assert_eq!(OverlapPolicy::by_name("amiga"), None);
    }
}
