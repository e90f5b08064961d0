//! The ports of rules that share a set with rules for any port.
//!
//! A set for each port would be searched beside the one for any port, and going through a packet once more costs more than to
//! look at the ports of the few rules whose patterns occur.

use super::side::Side;
use std::collections::HashMap;

/// A packet's ports.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) source: u16,
    pub(crate) destination: u16,
}

#[derive(Copy, Clone, Debug, Default)]
struct Test {
    /// Its first range.
    from: u32,
    /// None: any port.
    ranges: u16,
    of_source: bool,
}

/// The tests of a list of rules, each a list of ranges of one side's ports. Without tests all ports will do.
#[derive(Debug, Default)]
pub(crate) struct PortTests {
    tests: Box<[Test]>,
    ranges: Box<[(u16, u16)]>,
}

impl PortTests {
    pub(crate) fn build<'r>(sides: impl Iterator<Item = Side<'r>>) -> PortTests {
        let mut ranges: Vec<(u16, u16)> = Vec::new();
        let mut known: HashMap<&'r [(u16, u16)], u32> = HashMap::new();
        let mut test = |side| {
            let (ports, of_source) = match side {
                Side::Any => return Test::default(),
                Side::Destination(ports) => (ports.ranges(), false),
                Side::Source(ports) => (ports.ranges(), true),
            };
            let from = *known.entry(ports).or_insert_with(|| {
                ranges.extend(ports);
                (ranges.len() - ports.len()) as u32
            });
            Test { from, ranges: ports.len() as u16, of_source }
        };
        let tests: Vec<Test> = sides.map(&mut test).collect();
        if tests.iter().all(|test| test.ranges == 0) {
            return PortTests::default();
        }
        PortTests { tests: tests.into(), ranges: ranges.into() }
    }

    /// Whether the rule at that place of the list is for these ports.
    #[inline]
    pub(crate) fn admit(&self, place: usize, ends: Ends) -> bool {
        let Some(test) = self.tests.get(place).filter(|test| test.ranges > 0) else { return true };
        let port = if test.of_source { ends.source } else { ends.destination };
        let ranges = self.ranges.get(test.from as usize..).unwrap_or_default();
        ranges.iter().take(usize::from(test.ranges)).any(|&(low, high)| (low..=high).contains(&port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::interval::IntervalSet;

    #[test]
    fn a_rule_is_for_the_ports_of_the_side_that_it_names() {
        let (web, high) =
            (IntervalSet::from_ranges([(80, 80), (443, 443)]), IntervalSet::from_ranges([(1024, 65535)]));
        let sides = || [Side::Destination(&web), Side::Any, Side::Source(&high), Side::Destination(&web)];
        let tests = PortTests::build(sides().into_iter());
        assert_eq!(tests.ranges.len(), 3, "equal lists stand once");
        let at = |source, destination| {
            let ends = Ends { source, destination };
            (0..4).map(|place| tests.admit(place, ends)).collect::<Vec<_>>()
        };
        assert_eq!(at(5, 443), [true, true, false, true]);
        assert_eq!(at(1024, 444), [false, true, true, false]);
        assert_eq!(at(443, 80), [true, true, false, true]);
    }

    #[test]
    fn where_no_rule_names_a_port_nothing_is_kept() {
        let tests = PortTests::build([Side::Any, Side::Any].into_iter());
        assert!(tests.tests.is_empty() && tests.admit(1, Ends::default()));
    }
}
