//! Which of a packet's two ports finds a rule.

use super::kind::Class;
use crate::base::interval::IntervalSet;
use crate::rules::Rule;

/// The port group that a rule is filed under.
#[derive(Copy, Clone)]
pub(crate) enum Side<'r> {
    Any,
    Destination(&'r IntervalSet<u16>),
    Source(&'r IntervalSet<u16>),
}

/// The side of the fewer ports, if the rule names any.
pub(crate) fn side(rule: &Rule, class: Class) -> Side<'_> {
    let width = |ports: &IntervalSet<u16>| {
        ports.ranges().iter().map(|&(low, high)| u32::from(high - low) + 1).sum::<u32>()
    };
    match (rule.src.ports.as_deref(), rule.dst.ports.as_deref()) {
        // Either side may be either: the header decides.
        _ if rule.both_ways || !class.has_ports() => Side::Any,
        (None, None) => Side::Any,
        (None, Some(dst)) => Side::Destination(dst),
        (Some(src), None) => Side::Source(src),
        (Some(src), Some(dst)) if width(src) < width(dst) => Side::Source(src),
        (Some(_), Some(dst)) => Side::Destination(dst),
    }
}
