//! Rules that go by what an operator said instead of by the files, and their way back.

use super::{Operator, lock};
use crate::base::Time;
use crate::mgmt::control::{ControlError, Reload};
use crate::mgmt::overrule::{MOST, Overruled, Overruling};
use crate::rules::RuleSet;
use crate::rules::lists::Overrule;
use std::time::Duration;

/// Between two attempts to go back where the files have become unusable.
const RETRY: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(super) struct Overrules {
    rules: Vec<Overruled>,
    /// Not tried again before.
    try_at: Time,
    /// Why they do not go back, as the log has it.
    told: String,
}

impl Overrules {
    pub(super) fn of(rules: Vec<Overruled>) -> Overrules {
        Overrules { rules, ..Overrules::default() }
    }

    pub(super) fn all(&self) -> Vec<Overruled> {
        self.rules.clone()
    }

    /// These go on; what could not go back has.
    fn settled(&mut self, rules: Vec<Overruled>) {
        *self = Overrules::of(rules);
    }

    /// Some do not go back now. Whether the log does not have that yet.
    fn failed(&mut self, text: &str, now: Time) -> bool {
        self.try_at = now.plus(RETRY);
        let new = self.told != text;
        text.clone_into(&mut self.told);
        new
    }

    /// Of those whose time is not over.
    pub(super) fn ids(&self, now: Time) -> Vec<((u32, u32), Overrule)> {
        ids(self.rules.iter().filter(|rule| !is_over(rule, now)))
    }
}

fn ids<'r>(rules: impl IntoIterator<Item = &'r Overruled>) -> Vec<((u32, u32), Overrule)> {
    rules.into_iter().map(|rule| ((rule.gid, rule.sid), rule.what)).collect()
}

fn is_over(rule: &Overruled, now: Time) -> bool {
    rule.until.is_some_and(|until| until <= now)
}

fn has(set: &RuleSet, id: (u32, u32)) -> bool {
    set.rules.iter().any(|rule| (rule.gid, rule.sid) == id)
}

fn refused<T>(text: String) -> Result<T, ControlError> {
    Err(ControlError::Refused(text))
}

impl Operator {
    /// Only who holds `asking` calls this. What is said of rules changes with the rules, or neither does; those whose time is over
    /// go by the files again.
    fn go_by(
        &self,
        rules: Vec<Overruled>,
        holds: impl FnOnce(&RuleSet) -> Result<(), ControlError>,
    ) -> Result<Reload, ControlError> {
        self.has_room()?;
        let now = self.now();
        let (gone, stay): (Vec<_>, Vec<_>) = rules.into_iter().partition(|rule| is_over(rule, now));
        let loaded = self.loaded();
        let compiled = self.with_room(self.compile_with(&loaded, false, ids(&stay))?, &loaded.config)?;
        holds(compiled.engine.rules())?;
        let done = self.publish_compiled(compiled)?;
        lock(&self.overrules).settled(stay);
        for Overruled { gid, sid, what, who, .. } in gone {
            tracing::info!(
                "rules: {gid}:{sid} goes by the files again: the time of \"{}\" by {who} is over; generation {}",
                what.word(),
                done.generation
            );
        }
        Ok(done)
    }

    /// Whether [`turn_overrules`](Self::turn_overrules) has something to do.
    pub fn overrules_are_due(&self) -> bool {
        let now = self.now();
        let overrules = lock(&self.overrules);
        now >= overrules.try_at && overrules.rules.iter().any(|rule| is_over(rule, now))
    }

    /// Rules whose time is over go by the files again. Compiles, so it belongs on a blocking thread.
    pub fn turn_overrules(&self) {
        let _one = lock(&self.asking);
        let now = self.now();
        let rules = lock(&self.overrules).rules.clone();
        let over = rules.iter().filter(|rule| is_over(rule, now)).count();
        if over > 0
            && let Err(error) = self.go_by(rules, |_| Ok(()))
        {
            let text = format!("rules: {over} of them do not go by the files again: {error}");
            if lock(&self.overrules).failed(&text, now) {
                tracing::error!("{text}; tried again every {} s", RETRY.as_secs());
            }
        }
    }
}

impl Overruling for Operator {
    fn overruled(&self) -> Vec<Overruled> {
        lock(&self.overrules).rules.clone()
    }

    fn overrule(
        &self,
        id: (u32, u32),
        what: Overrule,
        span: Option<Duration>,
        who: &str,
    ) -> Result<Reload, ControlError> {
        let _one = lock(&self.asking);
        let (gid, sid) = id;
        let mut rules = lock(&self.overrules).rules.clone();
        let known = rules.iter().any(|rule| (rule.gid, rule.sid) == id);
        let in_force = self.rules.current().is_some_and(|set| has(&set, id));
        if what == Overrule::Disable && !known && !in_force {
            return refused(format!("rule {gid}:{sid} is not in force, so it need not be disabled"));
        }
        rules.retain(|rule| (rule.gid, rule.sid) != id);
        if rules.len() >= MOST {
            return refused(format!(
                "{MOST} rules are overruled already: put it into the files, or unset some"
            ));
        }
        let now = self.now();
        let until = span.map(|span| now.plus(span));
        rules.push(Overruled { gid, sid, what, who: who.to_owned(), since: now, until });
        let done = self.go_by(rules, |set| match what {
            Overrule::Action(_) if !has(set, id) => {
                refused(format!("the files have no rule {gid}:{sid} that can be loaded"))
            }
            _ => Ok(()),
        })?;
        let back = match span {
            Some(span) => format!("for {} s", span.as_secs()),
            None => "until somebody unsets it".to_owned(),
        };
        let generation = done.generation;
        tracing::info!(
            "rules: {who} sets {gid}:{sid} to \"{}\" {back}; generation {generation}",
            what.word()
        );
        Ok(self.kept(done))
    }

    fn let_rule(&self, id: (u32, u32), who: &str) -> Result<Reload, ControlError> {
        let _one = lock(&self.asking);
        let (gid, sid) = id;
        let mut rules = lock(&self.overrules).rules.clone();
        let before = rules.len();
        rules.retain(|rule| (rule.gid, rule.sid) != id);
        if rules.len() == before {
            return refused(format!("rule {gid}:{sid} goes by the files"));
        }
        let done = self.go_by(rules, |_| Ok(()))?;
        tracing::info!("rules: {who} lets {gid}:{sid} go by the files again; generation {}", done.generation);
        Ok(self.kept(done))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_go_back_is_told_once_until_it_has_and_then_anew() {
        let mut overrules = Overrules::default();
        assert!(overrules.failed("no room", Time::from_secs(5)));
        assert!(!overrules.failed("no room", Time::from_secs(15)), "the log has it");
        assert!(overrules.failed("no file", Time::from_secs(25)), "something else");
        assert_eq!(overrules.try_at, Time::from_secs(35));
        overrules.settled(Vec::new());
        assert!(overrules.try_at <= Time::from_secs(26), "the next one waits for nothing");
        assert!(overrules.failed("no file", Time::from_secs(26)), "a fault of its own");
    }

    #[test]
    fn what_is_over_is_not_compiled_in_again() {
        let rule = |sid, until: Option<u64>| Overruled {
            gid: 1,
            sid,
            what: Overrule::Disable,
            who: "root".into(),
            since: Time::ZERO,
            until: until.map(Time::from_secs),
        };
        let overrules = Overrules {
            rules: vec![rule(5, None), rule(6, Some(10)), rule(7, Some(11))],
            try_at: Time::from_secs(20),
            told: String::new(),
        };
        let sids =
            |now| overrules.ids(Time::from_secs(now)).iter().map(|((_, sid), _)| *sid).collect::<Vec<_>>();
        assert_eq!((sids(9), sids(10), sids(11)), (vec![5, 6, 7], vec![5, 7], vec![5]));
    }
}
