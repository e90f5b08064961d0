//! Ports in a rule's header: one, a range `low:high` open at either end, lists.

use super::group::Group;
use super::text::{Fault, Text};
use crate::base::interval::IntervalSet;

impl Group for IntervalSet<u16> {
    const KIND: &'static str = "port";
    const WANTED: &'static str = "a port";

    fn full() -> Self {
        IntervalSet::full()
    }

    fn union(&self, other: &Self) -> Self {
        self.union(other)
    }

    fn complement(&self) -> Self {
        self.complement()
    }

    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    fn is_full(&self) -> bool {
        self.is_full()
    }

    fn item(text: Text<'_>) -> Result<Self, Fault> {
        let (low, high) = match text.split_once(b':') {
            Some((low, high)) if low.is_empty() && high.is_empty() => {
                return Err(text.fault("a range of ports needs at least one end"));
            }
            Some((low, high)) => (
                if low.is_empty() { 0 } else { port(low)? },
                if high.is_empty() { u16::MAX } else { port(high)? },
            ),
            None => (port(text)?, port(text)?),
        };
        if low > high {
            return Err(text.fault("the range ends before it begins"));
        }
        Ok(IntervalSet::from_ranges([(low, high)]))
    }
}

fn port(text: Text<'_>) -> Result<u16, Fault> {
    text.ascii().parse().map_err(|_| {
        text.fault(format!("`{}` is not a port", text.lossy()))
            .help("write a number up to 65535, a range (1024:2048, 1024:), `any`, `$NAME` or a [list]")
    })
}

#[cfg(test)]
mod tests {
    use super::super::group::parse;
    use super::*;
    use std::collections::BTreeMap;

    fn read(text: &str) -> Result<IntervalSet<u16>, Fault> {
        let vars = BTreeMap::from([("WEB".to_owned(), "[80,8080]".to_owned())]);
        parse(Text::new(text.as_bytes(), 0), &vars)
    }

    #[test]
    fn lists_hold_what_they_say() {
        let table: [(&str, &[(u16, u16)]); 10] = [
            ("any", &[(0, 65535)]),
            ("80", &[(80, 80)]),
            ("1:3", &[(1, 3)]),
            (":3", &[(0, 3)]),
            ("65530:", &[(65530, 65535)]),
            ("!5,!7", &[(0, 4), (6, 6), (8, 65535)]),
            ("!80", &[(0, 79), (81, 65535)]),
            ("[1:10,!5]", &[(1, 4), (6, 10)]),
            ("[ $WEB , 443 ]", &[(80, 80), (443, 443), (8080, 8080)]),
            ("!$WEB", &[(0, 79), (81, 8079), (8081, 65535)]),
        ];
        for (text, ranges) in table {
            assert_eq!(read(text).unwrap().ranges(), ranges, "{text}");
        }
    }

    #[test]
    fn what_is_no_port_is_named() {
        for (text, message) in [
            ("http", "`http` is not a port"),
            ("65536", "`65536` is not a port"),
            ("9:3", "the range ends before it begins"),
            (":", "a range of ports needs at least one end"),
            ("!any", "`!any` matches no port"),
            ("!0:", "no port is left in this list"),
            ("$WEP", "the port variable `$WEP` is not defined"),
        ] {
            assert_eq!(read(text).unwrap_err().message, message, "{text}");
        }
    }
}
