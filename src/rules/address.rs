//! Addresses in a rule's header: one, a network, a netmask, a range, of either family.

use super::group::Group;
use super::ruleset::AddrSet;
use super::text::{Fault, Text};
use crate::base::interval::IntervalSet;
use std::net::{IpAddr, Ipv4Addr};

impl Group for AddrSet {
    const KIND: &'static str = "address";
    const WANTED: &'static str = "an address";

    fn full() -> AddrSet {
        AddrSet { v4: IntervalSet::full(), v6: IntervalSet::full() }
    }

    fn union(&self, other: &AddrSet) -> AddrSet {
        AddrSet { v4: self.v4.union(&other.v4), v6: self.v6.union(&other.v6) }
    }

    /// Of both families: all that is not these, so `!10.0.0.0/8` holds every IPv6 address.
    fn complement(&self) -> AddrSet {
        AddrSet { v4: self.v4.complement(), v6: self.v6.complement() }
    }

    fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    fn is_full(&self) -> bool {
        self.v4.is_full() && self.v6.is_full()
    }

    fn item(text: Text<'_>) -> Result<AddrSet, Fault> {
        let (low, high) = match (text.split_once(b'/'), text.split_once(b'-')) {
            (Some((network, prefix)), _) => network_ends(text, ip(network)?, prefix)?,
            (None, Some((low, high))) => (ip(low)?, ip(high)?),
            (None, None) => (ip(text)?, ip(text)?),
        };
        match (low, high) {
            (IpAddr::V4(low), IpAddr::V4(high)) if low <= high => {
                let v4 = IntervalSet::from_ranges([(low.to_bits(), high.to_bits())]);
                Ok(AddrSet { v4, v6: IntervalSet::empty() })
            }
            (IpAddr::V6(low), IpAddr::V6(high)) if low <= high => {
                let v6 = IntervalSet::from_ranges([(low.to_bits(), high.to_bits())]);
                Ok(AddrSet { v4: IntervalSet::empty(), v6 })
            }
            (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => {
                Err(text.fault("the range ends before it begins"))
            }
            _ => Err(text.fault("the range's two ends are of different families")),
        }
    }
}

fn ip(text: Text<'_>) -> Result<IpAddr, Fault> {
    text.ascii().parse().map_err(|_| {
        text.fault(format!("`{}` is not an IP address", text.lossy()))
            .help("write an address, a network (10.0.0.0/8), a range (a-b), `any`, `$NAME` or a [list]")
    })
}

/// First and last address of a network given by prefix length or, for IPv4, by mask.
fn network_ends(all: Text<'_>, ip: IpAddr, prefix: Text<'_>) -> Result<(IpAddr, IpAddr), Fault> {
    let width = if ip.is_ipv4() { 32 } else { 128 };
    let length = match prefix.ascii().parse::<u32>() {
        Ok(length) if length <= width => length,
        Ok(_) => return Err(prefix.fault(format!("a prefix here has at most {width} bits"))),
        Err(_) => mask_length(prefix).ok_or_else(|| all.fault("expected a prefix length after `/`"))?,
    };
    Ok(match ip {
        IpAddr::V4(ip) => {
            let host = u32::MAX.checked_shr(length).unwrap_or(0);
            (IpAddr::V4((ip.to_bits() & !host).into()), IpAddr::V4((ip.to_bits() | host).into()))
        }
        IpAddr::V6(ip) => {
            let host = u128::MAX.checked_shr(length).unwrap_or(0);
            (IpAddr::V6((ip.to_bits() & !host).into()), IpAddr::V6((ip.to_bits() | host).into()))
        }
    })
}

fn mask_length(text: Text<'_>) -> Option<u32> {
    let mask: Ipv4Addr = text.ascii().parse().ok()?;
    let length = mask.to_bits().leading_ones();
    (length + mask.to_bits().trailing_zeros().min(32) >= 32).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::super::group::parse;
    use super::*;
    use std::collections::BTreeMap;

    fn read(text: &str) -> Result<AddrSet, Fault> {
        let vars = [("HOME", "[10.0.0.0/8,192.168.0.0/16]"), ("OUT", "!$HOME"), ("SELF", "$SELF")];
        let vars: BTreeMap<_, _> = vars.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        parse(Text::new(text.as_bytes(), 0), &vars)
    }

    fn holds(set: &AddrSet, ip: &str) -> bool {
        match ip.parse().unwrap() {
            IpAddr::V4(v4) => set.v4.contains(v4.to_bits()),
            IpAddr::V6(v6) => set.v6.contains(v6.to_bits()),
        }
    }

    #[test]
    fn lists_hold_what_they_say() {
        let table = [
            ("any", "1.2.3.4 ::1", ""),
            ("1.2.3.4", "1.2.3.4", "1.2.3.5 ::102:304"),
            ("1.2.3.0/24", "1.2.3.0 1.2.3.255", "1.2.4.0"),
            ("1.2.3.9/255.255.255.0", "1.2.3.0 1.2.3.255", "1.2.2.255"),
            ("0.0.0.0/0", "9.9.9.9", "::1"),
            ("1.2.3.4-1.2.3.6", "1.2.3.5 1.2.3.6", "1.2.3.7"),
            ("2001:db8::/32", "2001:db8::1", "2001:db9::1"),
            ("!1.2.3.4", "1.2.3.5 ::1", "1.2.3.4"),
            ("[1.0.0.0/8, !1.1.0.0/16, 1.1.1.1]", "1.2.0.0", "1.1.0.1 1.1.1.1"),
            ("[!1.0.0.0/8,!::1]", "2.0.0.0 ::2", "1.0.0.1 ::1"),
            ("[[1.1.1.1,[2.2.2.2]],3.3.3.3]", "1.1.1.1 2.2.2.2 3.3.3.3", "4.4.4.4"),
            ("$HOME", "10.1.1.1 192.168.1.1", "11.0.0.0 fe80::1"),
            ("$OUT", "11.0.0.0 fe80::1", "10.1.1.1"),
            ("[$HOME,!10.1.0.0/16]", "10.2.0.0", "10.1.0.1"),
            ("!$OUT", "10.1.1.1", "11.0.0.0"),
        ];
        for (text, inside, outside) in table {
            let set = read(text).unwrap();
            for ip in inside.split_whitespace() {
                assert!(holds(&set, ip), "{text} should hold {ip}");
            }
            for ip in outside.split_whitespace() {
                assert!(!holds(&set, ip), "{text} should not hold {ip}");
            }
        }
    }

    #[test]
    fn what_is_no_address_is_named_and_pointed_at() {
        let table = [
            ("1.2.3", "`1.2.3` is not an IP address", 0),
            ("[1.1.1.1,x]", "`x` is not an IP address", 9),
            ("1.2.3.4/33", "a prefix here has at most 32 bits", 8),
            ("1.2.3.4/x", "expected a prefix length after `/`", 0),
            ("2.0.0.0-1.0.0.0", "the range ends before it begins", 0),
            ("1.1.1.1-::2", "the range's two ends are of different families", 0),
            ("!any", "`!any` matches no address", 0),
            ("[1.1.1.1,!1.0.0.0/8]", "no address is left in this list", 0),
            ("$HOM", "the address variable `$HOM` is not defined", 0),
            ("[1.1.1.1,]", "expected an address or a list", 9),
            ("[1.1.1.1", "this `[` is never closed", 0),
        ];
        for (text, message, at) in table {
            let fault = read(text).unwrap_err();
            assert_eq!((fault.message.as_str(), fault.span.start), (message, at), "{text}");
        }
        assert!(read("$SELF").unwrap_err().message.ends_with("names itself: $SELF -> $SELF"));
        assert_eq!(read("$HOM").unwrap_err().help.as_deref(), Some("did you mean `$HOME`?"));
    }
}
