//! `threshold.config`: `suppress`, `threshold` (or `event_filter`) and `rate_filter` lines that change how rules speak
//! (docs.suricata.io, "Global-Thresholds").
//!
//! Owes: each line read whole or refused with its place; what it names found by gid and sid, 0 for all. A threshold for
//! one rule takes the place of the rule's own; one for all is for rules that have none.

use super::diagnostic::Diagnostic;
use super::group::{self, split_outside_brackets};
use super::keyword::choice;
use super::keyword::threshold::{KINDS, TRACKS, positive};
use super::lexer::Lines;
use super::lists::without_comment;
use super::number::small;
use super::ruleset::{
    Action, AddrSet, RateFilter, RejectTo, Rule, RuleSet, Suppress, SuppressSide, Threshold, ThresholdKind,
    Track,
};
use super::source::SourceFile;
use super::text::{Fault, Text, nearest};
use super::vars::Vars;
use std::sync::Arc;
use std::time::Duration;

/// One line.
#[derive(Clone, Debug)]
pub struct Entry {
    /// 0: all.
    gid: u32,
    sid: u32,
    what: What,
    /// Said when the line names no rule.
    unknown: Diagnostic,
}

#[derive(Clone, Debug)]
enum What {
    Suppress(Suppress),
    Threshold(Threshold),
    RateFilter(RateFilter),
}

const COMMANDS: &[(&str, &[&str])] = &[
    ("suppress", &["gen_id", "sig_id", "track", "ip"]),
    ("threshold", &["gen_id", "sig_id", "type", "track", "count", "seconds", "multiplier"]),
    ("event_filter", &["gen_id", "sig_id", "type", "track", "count", "seconds", "multiplier"]),
    ("rate_filter", &["gen_id", "sig_id", "track", "count", "seconds", "new_action", "timeout"]),
];

const SIDES: &[(&str, SuppressSide)] = &[
    ("by_src", SuppressSide::Source),
    ("by_dst", SuppressSide::Destination),
    ("by_either", SuppressSide::Either),
];

const ACTIONS: &[(&str, Action)] = &[
    ("alert", Action::Alert),
    ("drop", Action::Drop),
    ("pass", Action::Pass),
    ("reject", Action::Reject(RejectTo::Source)),
];

/// Reads a file. A line at fault is left out.
pub fn parse(file: &SourceFile, vars: &Vars) -> (Vec<Entry>, Vec<Diagnostic>) {
    let index = file.index();
    let (mut entries, mut faults) = (Vec::new(), Vec::new());
    for line in Lines::new(&file.bytes) {
        let diagnose = |fault: Fault| {
            let span = line.span_in_file(fault.span);
            Diagnostic::new(&file.name, &index, span, fault, None).of_list()
        };
        match Words::read(without_comment(Text::new(&line.text, 0))).and_then(|words| words.entry(vars)) {
            Ok((gid, sid, what, at)) => {
                let unknown = diagnose(at.fault(format!("no rule has gid {gid} and sid {sid}"))).warning();
                entries.push(Entry { gid, sid, what, unknown });
            }
            Err(fault) => faults.push(diagnose(fault)),
        }
    }
    (entries, faults)
}

/// One line's words.
struct Words<'a> {
    command: Text<'a>,
    pairs: Vec<(Text<'a>, Text<'a>)>,
}

impl<'a> Words<'a> {
    fn read(line: Text<'a>) -> Result<Words<'a>, Fault> {
        let (command, rest) = line.first_word();
        let names = || COMMANDS.iter().map(|(name, _)| *name);
        let Some((_, keys)) = COMMANDS.iter().find(|(name, _)| command.is(name)) else {
            let fault = command.fault(format!("`{}` is no command of a threshold.config", command.lossy()));
            return Err(match nearest(&command.lossy().to_ascii_lowercase(), names()) {
                Some(near) => fault.help(format!("did you mean `{near}`?")),
                None => fault.help("one of: suppress, threshold, event_filter, rate_filter"),
            });
        };
        let mut pairs: Vec<(Text<'a>, Text<'a>)> = Vec::new();
        for part in split_outside_brackets(rest) {
            let (key, value) = part.first_word();
            if key.is_empty() {
                let fault = if rest.is_empty() {
                    command.fault("a key is missing here")
                } else {
                    key.fault("a key is missing here")
                };
                return Err(fault.help(format!("it takes: {}", keys.join(", "))));
            }
            if !keys.contains(&key.ascii()) {
                let fault = key.fault(format!("`{}` does not belong to `{}`", key.lossy(), command.lossy()));
                return Err(match nearest(&key.lossy().to_ascii_lowercase(), keys.iter().copied()) {
                    Some(near) => fault.help(format!("did you mean `{near}`?")),
                    None => fault.help(format!("it takes: {}", keys.join(", "))),
                });
            }
            if value.is_empty() {
                return Err(key.fault(format!("`{}` needs a value", key.lossy())));
            }
            if pairs.iter().any(|(known, _)| known.bytes == key.bytes) {
                return Err(key.fault(format!("`{}` may be said once", key.lossy())));
            }
            pairs.push((key, value));
        }
        Ok(Words { command, pairs })
    }

    fn get(&self, name: &str) -> Option<Text<'a>> {
        self.pairs.iter().find(|(key, _)| key.is(name)).map(|(_, value)| *value)
    }

    fn need(&self, name: &str) -> Result<Text<'a>, Fault> {
        let command = self.command;
        self.get(name)
            .ok_or_else(|| command.fault(format!("`{name}` is missing in this `{}`", command.lossy())))
    }

    fn entry(&self, vars: &Vars) -> Result<(u32, u32, What, Text<'a>), Fault> {
        let id = |name| small::<u32>(self.need(name)?, u64::from(u32::MAX));
        let (gid, sid) = (id("gen_id")?, id("sig_id")?);
        let at = self.need("sig_id")?;
        if gid == 0 && sid != 0 {
            let fault = at.fault("gen_id 0 is for all rules, and this names one");
            return Err(fault.help("write gen_id 1, or sig_id 0"));
        }
        let what = match self.command.ascii() {
            "suppress" => What::Suppress(self.suppress(vars)?),
            "rate_filter" => What::RateFilter(self.rate_filter()?),
            _ => What::Threshold(self.threshold()?),
        };
        Ok((gid, sid, what, at))
    }

    fn suppress(&self, vars: &Vars) -> Result<Suppress, Fault> {
        match (self.get("track"), self.get("ip")) {
            (None, None) => Ok(Suppress::Always),
            (Some(track), Some(ip)) => {
                let side = choice(track, SIDES)?;
                Ok(Suppress::Of(side, Arc::new(group::parse::<AddrSet>(ip, &vars.addresses)?)))
            }
            (Some(track), None) => Err(track.fault("`track` needs an `ip` beside it")),
            (None, Some(ip)) => Err(ip.fault("`ip` needs a `track` beside it: by_src, by_dst or by_either")),
        }
    }

    fn track(&self) -> Result<Track, Fault> {
        choice(self.need("track")?, TRACKS)
    }

    fn seconds(&self, name: &str) -> Result<Duration, Fault> {
        Ok(Duration::from_secs(u64::from(positive(self.need(name)?)?)))
    }

    fn threshold(&self) -> Result<Threshold, Fault> {
        let mut kind = choice(self.need("type")?, KINDS)?;
        let window = match &mut kind {
            ThresholdKind::Backoff { multiplier } => {
                *multiplier = positive(self.need("multiplier")?)?;
                Duration::ZERO
            }
            _ => self.seconds("seconds")?,
        };
        if let (Some(extra), false) = (self.get("multiplier"), matches!(kind, ThresholdKind::Backoff { .. }))
        {
            return Err(extra.fault("`multiplier` is for `type backoff` only"));
        }
        let count = positive(self.need("count")?)?;
        Ok(Threshold { kind, track: self.track()?, count, window, unique_on: None })
    }

    fn rate_filter(&self) -> Result<RateFilter, Fault> {
        Ok(RateFilter {
            track: self.track()?,
            count: positive(self.need("count")?)?,
            window: self.seconds("seconds")?,
            action: choice(self.need("new_action")?, ACTIONS)?,
            timeout: self.seconds("timeout")?,
        })
    }
}

impl Entry {
    /// Whether the line names one rule.
    fn is_of_one(&self) -> bool {
        self.sid != 0
    }

    fn names(&self, rule: &Rule) -> bool {
        (self.gid == 0 || self.gid == rule.gid) && (self.sid == 0 || self.sid == rule.sid)
    }

    fn change(&self, rule: &mut Rule) {
        let own = rule.threshold.is_some() || rule.detection_filter.is_some();
        match &self.what {
            What::Suppress(suppress) => rule.suppress.push(suppress.clone()),
            What::Threshold(_) if own && !self.is_of_one() => {}
            What::Threshold(threshold) => {
                (rule.threshold, rule.detection_filter) = (Some(*threshold), None);
            }
            What::RateFilter(_) if rule.rate_filter.is_some() && !self.is_of_one() => {}
            What::RateFilter(filter) => rule.rate_filter = Some(*filter),
        }
    }
}

/// Puts the lines into the rules: those for one rule before those for all, else in their order. A warning for each that
/// names no rule.
pub fn apply(set: &mut RuleSet, entries: &[Entry]) -> Vec<Diagnostic> {
    let of_one = entries.iter().filter(|entry| entry.is_of_one());
    let of_all = entries.iter().filter(|entry| !entry.is_of_one());
    let mut unknown = Vec::new();
    for entry in of_one.chain(of_all) {
        let mut named = 0;
        for rule in set.rules.iter_mut().filter(|rule| entry.names(rule)) {
            entry.change(rule);
            named += 1;
        }
        if named == 0 {
            unknown.push(entry.unknown.clone());
        }
    }
    unknown
}

#[cfg(test)]
mod tests {
    use super::super::{Classifications, References, load};
    use super::*;

    fn rules(text: &str) -> RuleSet {
        let file = SourceFile::new("r", text);
        let (set, faults) =
            load(&[file], &Vars::default(), &Classifications::default(), &References::default());
        assert_eq!(faults, []);
        set
    }

    fn read(text: &str) -> (Vec<Entry>, Vec<Diagnostic>) {
        parse(&SourceFile::new("threshold.config", text), &Vars::default())
    }

    fn applied(rule: &str, config: &str) -> (Rule, Vec<Diagnostic>) {
        let mut set = rules(rule);
        let (entries, faults) = read(config);
        assert_eq!(faults, []);
        let told = apply(&mut set, &entries);
        (set.rules[0].clone(), told)
    }

    const PLAIN: &str = "alert tcp any any -> any any (msg:\"m\"; sid:7;)";
    const LIMITED: &str = "alert tcp any any -> any any (msg:\"m\"; threshold:type limit, track by_src, count 9, seconds 9; sid:7;)";

    #[test]
    fn a_line_for_one_rule_replaces_its_threshold_and_one_for_all_is_for_those_without() {
        let all = "threshold gen_id 0, sig_id 0, type limit, track by_dst, count 1, seconds 60";
        let one = "event_filter gen_id 1, sig_id 7, type both, track by_src, \\\n  count 3, seconds 5";
        let count = |rule, config: &str| applied(rule, config).0.threshold.map(|t| t.count);
        assert_eq!(count(PLAIN, all), Some(1));
        assert_eq!(count(LIMITED, all), Some(9));
        assert_eq!(count(LIMITED, one), Some(3));
        assert_eq!(count(PLAIN, &format!("{all}\n{one}")), Some(3));
        assert_eq!(
            count(PLAIN, "threshold gen_id 2, sig_id 0, type limit, track by_src, count 1, seconds 6"),
            None
        );
    }

    #[test]
    fn suppression_is_by_the_side_that_it_names() {
        let tuple = |src: [u8; 4], dst: [u8; 4]| FlowTuple {
            src: Addr::v4(src),
            dst: Addr::v4(dst),
            ..FlowTuple::default()
        };
        use crate::base::{Addr, FlowTuple};
        let (home, out) = ([10, 0, 0, 1], [9, 9, 9, 9]);
        for (track, from_home, to_home) in
            [("by_src", true, false), ("by_dst", false, true), ("by_either", true, true)]
        {
            let line = format!("suppress gen_id 1, sig_id 0, track {track}, ip [10.0.0.0/8,!10.0.0.2, ::1]");
            let rule = applied(PLAIN, &line).0;
            assert_eq!(rule.is_suppressed(&tuple(home, out)), from_home, "{track}");
            assert_eq!(rule.is_suppressed(&tuple(out, home)), to_home, "{track}");
            assert!(!rule.is_suppressed(&tuple(out, out)) && !rule.is_suppressed(&tuple([10, 0, 0, 2], out)));
        }
        assert!(applied(PLAIN, "suppress gen_id 1, sig_id 7").0.is_suppressed(&tuple(out, out)));
    }

    #[test]
    fn a_line_that_names_no_rule_is_told_at_its_place() {
        let (_, told) = applied(PLAIN, "# x\nsuppress gen_id 1, sig_id 8");
        let told: Vec<_> =
            told.iter().map(|d| (d.line, d.column, d.message.as_str(), d.is_fault())).collect();
        assert_eq!(told, [(2, 27, "no rule has gid 1 and sid 8", false)]);
    }

    #[test]
    fn each_bad_line_is_refused_at_its_place() {
        let table = [
            ("supress gen_id 1, sig_id 1", 1, "`supress` is no command of a threshold.config"),
            ("suppress gen_id 1", 1, "`sig_id` is missing in this `suppress`"),
            ("suppress gen_id 1, sig_id x", 27, "`x` is not a number"),
            ("suppress gen_id 1, sig_id 1, track by_rule, ip 1.1.1.1", 36, "`by_rule` is not known here"),
            ("suppress gen_id 1, sig_id 1, track by_src", 36, "`track` needs an `ip` beside it"),
            ("suppress gen_id 1, sig_id 1, track by_src, ip 1.1.1", 47, "`1.1.1` is not an IP address"),
            ("suppress gen_id 1, sig_id 1, count 4", 30, "`count` does not belong to `suppress`"),
            ("suppress gen_id 0, sig_id 5", 27, "gen_id 0 is for all rules, and this names one"),
            ("suppress gen_id 1, gen_id 1, sig_id 1", 20, "`gen_id` may be said once"),
            ("suppress gen_id 1, sig_id", 20, "`sig_id` needs a value"),
            (
                "threshold gen_id 1, sig_id 1, type limit, track by_src, count 0, seconds 1",
                63,
                "0 is too few: at least 1",
            ),
            (
                "threshold gen_id 1, sig_id 1, type never, track by_src, count 1, seconds 1",
                36,
                "`never` is not known here",
            ),
            (
                "rate_filter gen_id 1, sig_id 1, track by_src, count 1, seconds 1, new_action log, timeout 1",
                78,
                "`log` is not known here",
            ),
            (
                "rate_filter gen_id 1, sig_id 1, track by_src, count 1, seconds 1, timeout 1",
                1,
                "`new_action` is missing in this `rate_filter`",
            ),
        ];
        for (line, column, message) in table {
            let (entries, faults) = read(line);
            assert!(entries.is_empty(), "{line}");
            let told: Vec<_> = faults.iter().map(|f| (f.column, f.message.as_str())).collect();
            assert_eq!(told, [(column, message)], "{line}");
        }
        assert_eq!(read("supress gen_id 1, sig_id 1").1[0].help.as_deref(), Some("did you mean `suppress`?"));
    }
}
