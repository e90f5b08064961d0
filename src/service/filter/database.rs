//! The filter's policy: rules in order with a default, as text says them and as workers ask them.

use super::matcher::Matcher;
use crate::base::FlowTuple;
use crate::base::counters::Counter;
use crate::service::set::Match;
use crate::service::text::{self, MAX_FAULTS, TextFault};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Rules a database may have: bounds what a generation costs (about 4 MiB a field at the most).
pub const MAX_RULES: usize = 4096;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Unique in the database: what follows `#` in the text, else `line N`.
    pub name: String,
    pub allow: bool,
    pub matches: Match,
    /// As it was written, for people.
    pub text: String,
}

/// Rules, the first that takes a session decides; none does: the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    pub list: Vec<Rule>,
    /// The default action: allow, or (unless the text says otherwise) deny.
    pub allow: bool,
}

impl Rules {
    /// What a text says, or all that is wrong with it. A line is a rule, `allow tcp from 10.0.0.0/8 to any port 80-88 # web`,
    /// or `default allow`.
    pub fn parse(text: &str) -> Result<Rules, Vec<TextFault>> {
        let mut reader = Reader::default();
        let mut faults = Vec::new();
        for mut line in text::lines(text) {
            if let Err(fault) = reader.line(&mut line) {
                faults.push(fault);
            }
            if faults.len() == MAX_FAULTS {
                break;
            }
        }
        if faults.is_empty() { Ok(reader.rules) } else { Err(faults) }
    }
}

#[derive(Default)]
struct Reader {
    rules: Rules,
    default_at: Option<usize>,
    /// Line of each name.
    names: HashMap<String, usize>,
}

impl Reader {
    fn line(&mut self, line: &mut text::Line<'_>) -> Result<(), TextFault> {
        let verb = line.want("`allow`, `deny` or `default`", "allow tcp to 192.0.2.0/24 port 80")?;
        let allow = match verb.text {
            "allow" => true,
            "deny" => false,
            "default" => return self.default_action(line),
            other => {
                let close = text::nearest(other, ["allow", "deny", "default"].into_iter());
                let help = close
                    .map_or("write `allow`, `deny` or `default`".into(), |c| format!("did you mean `{c}`?"));
                return Err(verb.fault(format!("`{other}` is no action"), help));
            }
        };
        let matches = line.matches()?;
        if self.rules.list.len() == MAX_RULES {
            return Err(
                verb.fault(format!("more than {MAX_RULES} rules"), "join some by wider prefixes or ranges")
            );
        }
        let name = line.name.map_or_else(|| format!("line {}", line.number), String::from);
        if let Some(first) = self.names.insert(name.clone(), line.number) {
            let message = format!("line {first} has the name `{name}` already");
            return Err(verb.fault(message, "give the rule another name behind `#`"));
        }
        self.rules.list.push(Rule { name, allow, matches, text: line.said.to_owned() });
        Ok(())
    }

    fn default_action(&mut self, line: &mut text::Line<'_>) -> Result<(), TextFault> {
        let action = line.want("`allow` or `deny`", "default deny")?;
        if let Some(first) = self.default_at {
            return Err(action.fault(format!("line {first} says the default already"), "keep one of the two"));
        }
        self.default_at = Some(line.number);
        self.rules.allow = match action.text {
            "allow" => true,
            "deny" => false,
            other => return Err(action.fault(format!("`{other}` is no action"), "write `allow` or `deny`")),
        };
        line.end()
    }
}

/// What a session gets.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The rule's place; as many as there are rules for the default.
    pub rule: u32,
    pub allow: bool,
}

/// One generation. Immutable but for the counters.
#[derive(Debug)]
pub struct Database {
    rules: Rules,
    matcher: Matcher,
    /// A worker's counters each: a rule's hits at its place, the default's last. Only control takes the lock.
    workers: Mutex<Vec<Arc<[Counter]>>>,
}

impl Database {
    pub fn compile(rules: Rules) -> Database {
        let matcher = Matcher::new(rules.list.iter().map(|rule| &rule.matches));
        Database { rules, matcher, workers: Mutex::default() }
    }

    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Of a session, by its opener's tuple.
    pub fn decide(&self, tuple: &FlowTuple) -> Decision {
        let rule =
            self.matcher.first(tuple).and_then(|index| Some((index, self.rules.list.get(index as usize)?)));
        match rule {
            Some((index, rule)) => Decision { rule: index, allow: rule.allow },
            None => Decision { rule: self.rules.list.len() as u32, allow: self.rules.allow },
        }
    }

    /// Counters for one more worker.
    pub fn count_hits(&self) -> Arc<[Counter]> {
        let hits: Arc<[Counter]> = (0..=self.rules.list.len()).map(|_| Counter::new()).collect();
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&hits));
        hits
    }

    /// Over all workers: of each rule, and of the default.
    pub fn hits(&self) -> Vec<u64> {
        let mut sums = vec![0; self.rules.list.len() + 1];
        for worker in self.workers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            sums.iter_mut().zip(worker.iter()).for_each(|(sum, hits)| *sum += hits.get());
        }
        sums
    }
}
