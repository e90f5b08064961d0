//! fast.log: an alert a line, in the form that Suricata's documentation shows ("Line based alerts log").
//!
//! `11/21/2026-01:39:33.123456  [Drop] [**] [1:2100498:7] msg [**] [Classification: text] [Priority: 2] {TCP} 192.0.2.1:40000 -> 198.51.100.2:80`
//!
//! `[Drop]`: the packet was dropped; `[wDrop]`: the rule says so, and the mode did not let it. Times are UTC, as in eve.json. For
//! ICMP type and code stand where ports would; 0 for protocols without either. What has no IP addresses ends with the packet's number
//! instead of protocol and addresses (Suricata shows the raw packet there, too).

use crate::base::Time;
use crate::base::event::{Event, EventBody, Origin};
use crate::mgmt::eve::{Ends, Medium, Stamp, known_proto};
use crate::mgmt::output::Format;
use crate::mgmt::rulebook::RuleBook;
use crate::rules::Rule;
use crate::rules::ruleset::Action;
use std::fmt::{self, Write as _};
use std::io::Write as _;

pub struct Fast {
    rules: RuleBook,
    medium: Medium,
}

impl Fast {
    pub fn new(rules: RuleBook, medium: Medium) -> Fast {
        Fast { rules, medium }
    }
}

impl Format for Fast {
    fn event(&mut self, event: &Event, _record: &[u8], line: &mut Vec<u8>) -> Option<&'static str> {
        let EventBody::Alert(alert) = &event.body else { return None };
        let sets = self.rules.sets();
        let Some(rule) = sets.rule(alert.generation, alert.rule) else {
            tracing::warn!(generation = alert.generation.0, "an alert of a rule set that is gone");
            return None;
        };
        let entry = Entry { rule, blocked: alert.blocked, origin: &event.origin, medium: self.medium };
        // Into memory: cannot fail.
        let _ = write!(line, "{entry}");
        Some("alert")
    }
}

struct Entry<'a> {
    rule: &'a Rule,
    blocked: bool,
    origin: &'a Origin,
    medium: Medium,
}

impl fmt::Display for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { rule, origin, .. } = self;
        write!(f, "{}  {}[**] ", Moment(origin.time), self.mark())?;
        write!(f, "[{}:{}:{}] ", rule.gid, rule.sid, rule.rev)?;
        // A message is one line, whatever its rule was made from.
        rule.msg.chars().try_for_each(|c| f.write_char(if c.is_control() { ' ' } else { c }))?;
        let class: &str = if rule.category.is_empty() { "(null)" } else { &rule.category };
        write!(f, " [**] [Classification: {class}] [Priority: {}] ", rule.priority)?;
        self.ends(f)
    }
}

impl Entry<'_> {
    fn mark(&self) -> &'static str {
        match self.rule.action {
            _ if self.blocked => "[Drop] ",
            Action::Drop | Action::Reject(_) => "[wDrop] ",
            Action::Alert | Action::Pass => "",
        }
    }

    fn ends(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tuple = &self.origin.tuple;
        let ends = Ends::of(tuple);
        let Some((from, to)) = ends.addresses() else {
            let file = if self.medium == Medium::Capture { "pcap file " } else { "" };
            return write!(f, "[**] [{file}packet: {}]", self.origin.packet);
        };
        match known_proto(tuple.proto) {
            Some(name) => write!(f, "{{{name}}}")?,
            None => write!(f, "{{PROTO:{:03}}}", tuple.proto)?,
        }
        let icmp = self.origin.icmp.map(|(kind, code)| (kind.into(), code.into()));
        let (sport, dport) = ends.ports().or(icmp).unwrap_or((0, 0));
        write!(f, " {from}:{sport} -> {to}:{dport}")
    }
}

/// `11/21/2026-01:39:33.123456`
struct Moment(Time);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = Stamp(self.0).datetime();
        let micros = at.subsec_nanosecond() / 1000;
        write!(f, "{:02}/{:02}/{:04}-", at.month(), at.day(), at.year())?;
        write!(f, "{:02}:{:02}:{:02}.{micros:06}", at.hour(), at.minute(), at.second())
    }
}

#[cfg(test)]
mod tests;
