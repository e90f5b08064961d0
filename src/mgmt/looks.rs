//! Who looked at the drops, and what there was then: so that each looker is told what is new since its own last look.

use crate::base::{DropReason, PortId, Time};
use crate::mgmt::control::{DropCount, Drops, Grown};
use crate::mgmt::operator::lcore_role;
use crate::pipeline::Handle;

/// Lookers remembered; the one that has not looked for longest is forgotten first.
const MAX_LOOKERS: usize = 64;

/// Bytes of a looker's name that count.
const MAX_NAME: usize = 64;

/// What the ledgers said at one moment.
pub struct Look {
    at: Time,
    received: u64,
    ports: usize,
    /// Dropped and spared: by lcore, in it by port (behind all, those of none), in it by reason.
    counts: Vec<(u64, u64)>,
}

impl Look {
    pub fn take(handle: &Handle, ports: usize, at: Time) -> Look {
        let mut counts = Vec::with_capacity(handle.ledgers.len() * (ports + 1) * DropReason::COUNT);
        for ledger in &handle.ledgers {
            for port in (0..ports).map(|port| Some(PortId(port as u16))).chain([None]) {
                counts.extend(DropReason::ALL.iter().map(|&reason| ledger.drops_of(port, reason)));
            }
        }
        Look { at, received: handle.balance(0).received, ports, counts }
    }

    fn against(&self, before: Option<&Look>, start: Time, names: &[&str]) -> Drops {
        let grown = |total: u64, old: u64| Grown { total, new: total.saturating_sub(old) };
        let mut counts = Vec::new();
        for (place, &(frames, spared)) in self.counts.iter().enumerate() {
            if (frames, spared) == (0, 0) {
                continue;
            }
            let old = before.and_then(|look| look.counts.get(place)).copied().unwrap_or_default();
            let (group, reason) = (place / DropReason::COUNT, place % DropReason::COUNT);
            let (lcore, port) = (group / (self.ports + 1), group % (self.ports + 1));
            let Some(&reason) = DropReason::ALL.get(reason) else { continue };
            counts.push(DropCount {
                reason,
                port: names.get(port).copied().unwrap_or_default().to_owned(),
                lcore: lcore_role(lcore),
                frames: grown(frames, old.0),
                spared: grown(spared, old.1),
            });
        }
        Drops {
            now: self.at,
            since: before.map_or(start, |look| look.at),
            received: grown(self.received, before.map_or(0, |look| look.received)),
            counts,
        }
    }
}

/// By name, who looked longest ago first.
#[derive(Default)]
pub struct Looks(Vec<(String, Look)>);

impl Looks {
    /// What is new since the looker's last look, which this one replaces. Without a name it is no look to remember.
    pub fn compare(&mut self, looker: &str, look: Look, start: Time, ports: &[&str]) -> Drops {
        if looker.is_empty() {
            return look.against(None, start, ports);
        }
        let name: String = looker.chars().take(MAX_NAME).collect();
        let at = self.0.iter().position(|(known, _)| *known == name);
        let before = at.map(|at| self.0.remove(at).1);
        if self.0.len() >= MAX_LOOKERS {
            self.0.remove(0);
        }
        let drops = look.against(before.as_ref(), start, ports);
        self.0.push((name, look));
        drops
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::idle_handle;

    fn count(handle: &Handle, frames: u64) {
        handle.ledgers[0].count_drop(DropReason::RuleDrop, Some(PortId(1)), frames);
        handle.ledgers[0].received.add(10 * frames);
    }

    fn news(drops: &Drops) -> (u64, u64, u64) {
        let frames = drops.counts.first().map_or(0, |count| count.frames.new);
        (drops.since.secs(), drops.received.new, frames)
    }

    #[test]
    fn each_looker_has_its_own_last_look() {
        let (handle, mut looks) = (idle_handle(&[]), Looks::default());
        let mut look = |name: &str, second| {
            let taken = Look::take(&handle, 2, Time::from_secs(second));
            news(&looks.compare(name, taken, Time::from_secs(1), &["a", "b"]))
        };
        count(&handle, 3);
        assert_eq!(look("one", 10), (1, 30, 3), "a first look tells all since the start");
        count(&handle, 4);
        assert_eq!(look("two", 11), (1, 70, 7));
        assert_eq!(look("one", 12), (10, 40, 4));
        assert_eq!(look("one", 13), (12, 0, 0));
        assert_eq!(look("", 14), (1, 70, 7), "nobody has no last look");
    }

    #[test]
    fn counts_are_told_by_port_and_lcore_and_what_was_spared_beside_what_was_dropped() {
        let (handle, mut looks) = (idle_handle(&[]), Looks::default());
        count(&handle, 2);
        handle.ledgers[0].count_drop(DropReason::LcoreFailed, None, 5);
        handle.ledgers[0].count_spared(DropReason::StreamInvalid, Some(PortId(0)));
        let look = Look::take(&handle, 2, Time::from_secs(9));
        let drops = looks.compare("x", look, Time::ZERO, &["a", "b"]);
        let facts: Vec<_> = drops
            .counts
            .iter()
            .map(|c| (c.reason, c.port.as_str(), c.lcore.as_str(), c.frames.total, c.spared.total))
            .collect();
        let expected = [
            (DropReason::StreamInvalid, "a", "main", 0, 1),
            (DropReason::RuleDrop, "b", "main", 2, 0),
            (DropReason::LcoreFailed, "", "main", 5, 0),
        ];
        assert_eq!(facts, expected);
    }

    #[test]
    fn who_has_not_looked_for_longest_is_forgotten() {
        let (handle, mut looks) = (idle_handle(&[]), Looks::default());
        let mut look = |name: &str, second| {
            let taken = Look::take(&handle, 0, Time::from_secs(second));
            looks.compare(name, taken, Time::ZERO, &[]).since.secs()
        };
        look("first", 5);
        (0..MAX_LOOKERS - 1).for_each(|n| assert_eq!(look(&format!("{n}"), 6), 0));
        assert_eq!(look("first", 7), 5);
        look("one more", 8);
        assert_eq!((look("first", 9), look("0", 9)), (7, 0));
    }
}
