//! What is remembered between commits: what was committed, the candidate, and what waits for a confirmation.

use crate::base::Time;
use crate::mgmt::eve::time::Stamp;
use crate::mgmt::kept;
use crate::mgmt::revisions::{RevisionError, State, Store};
use std::time::Duration;

/// After a way back that failed.
const AGAIN: Duration = Duration::from_secs(30);

/// A candidate that is not what was committed.
#[derive(Clone, Debug)]
pub(in crate::mgmt::operator) struct Draft {
    pub text: String,
    pub who: String,
}

/// A configuration that was in force.
#[derive(Clone, Debug)]
pub(in crate::mgmt::operator) struct Past {
    /// None where no revision tells of it.
    pub number: Option<u32>,
    pub text: String,
}

#[derive(Clone, Debug)]
pub(in crate::mgmt::operator) struct Unconfirmed {
    pub until: Time,
    /// Whose commits they are.
    pub who: String,
    /// The revisions that wait, the newest last.
    pub numbers: Vec<u32>,
    /// What was in force before all that is unconfirmed.
    pub back: Past,
}

impl std::fmt::Display for Unconfirmed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let number =
            self.numbers.last().map_or_else(|| "what was committed".into(), |n| format!("revision {n}"));
        write!(f, "{number} by {} waits for a confirmation until {}", self.who, Stamp(self.until))
    }
}

/// Texts are those of the configuration file.
#[derive(Debug)]
pub(in crate::mgmt::operator) struct Desk {
    /// What the file says, as it was last read or written.
    pub on_disk: String,
    /// In force, but for what waits for a restart.
    pub committed: String,
    /// Its revision; none before the first commit.
    pub number: Option<u32>,
    pub draft: Option<Draft>,
    pub unconfirmed: Option<Unconfirmed>,
    /// Revisions that went back, whose files could not be made to tell of it.
    pub untold: Vec<u32>,
}

impl Desk {
    pub fn new(text: &str) -> Desk {
        let (on_disk, committed) = (text.to_owned(), text.to_owned());
        Desk { on_disk, committed, number: None, draft: None, unconfirmed: None, untold: Vec::new() }
    }

    /// Which revision is in force after a start.
    pub fn recognise(&mut self, store: &Store) -> Result<(), RevisionError> {
        if self.number.is_none() {
            self.number = self.number_in(store)?;
        }
        Ok(())
    }

    /// The revision of a folder, which need not be that of the last commit, that says what is in force: the one that is known, else
    /// the newest with its text, best one that was confirmed.
    pub fn number_in(&self, store: &Store) -> Result<Option<u32>, RevisionError> {
        let same = |text: &str| text == self.committed;
        let there = |number: &u32| store.read(*number).is_ok_and(|(_, text)| same(&text));
        if let Some(known) = self.number.filter(there) {
            return Ok(Some(known));
        }
        let good = store.find(None, |revision, text| revision.state == State::Confirmed && same(text))?;
        if good.is_some() { Ok(good) } else { store.find(None, |_, text| same(text)) }
    }

    /// The revision that waits for a confirmation, and whose it is.
    pub fn waiting(&self) -> Option<(u32, String)> {
        let waiting = self.unconfirmed.as_ref()?;
        Some((*waiting.numbers.last()?, waiting.who.clone()))
    }

    /// What the next start would not find in the file: that goes by what is confirmed.
    pub fn beyond_file(&self) -> Option<kept::Committed> {
        let text = self.unconfirmed.as_ref().map_or(&self.committed, |waiting| &waiting.back.text);
        let differs = *text != self.on_disk;
        differs.then(|| kept::Committed { text: text.clone(), in_file: self.on_disk.clone() })
    }

    /// The candidate's.
    pub fn text(&self) -> &str {
        self.draft.as_ref().map_or(&self.committed, |draft| &draft.text)
    }

    pub fn is_due(&self, now: Time) -> bool {
        self.unconfirmed.as_ref().is_some_and(|waiting| waiting.until <= now)
    }

    pub fn take_due(&mut self, now: Time) -> Option<Unconfirmed> {
        self.is_due(now).then(|| self.unconfirmed.take())?
    }

    pub fn try_again(&mut self, unconfirmed: Unconfirmed, now: Time) {
        self.unconfirmed = Some(Unconfirmed { until: now.plus(AGAIN), ..unconfirmed });
    }

    /// The revision that a rollback without a number means: the newest confirmed one that is not what is in force.
    pub fn earlier(&self, store: &Store) -> Result<Option<u32>, RevisionError> {
        store.find(self.number, |revision, text| revision.state == State::Confirmed && text != self.committed)
    }

    /// Why somebody may not put anything else in force: what another one committed waits for a confirmation.
    pub fn admit(&self, who: &str) -> Result<(), String> {
        match &self.unconfirmed {
            Some(waiting) if waiting.who != who => Err(format!(
                "{waiting} and goes back then: `weir ctl config confirm` keeps it, `weir ctl config rollback` takes it back \
                 now; the candidate stays as it is"
            )),
            _ => Ok(()),
        }
    }

    /// Something else is in force. `wait`: until when it is to be confirmed, and by whom it is; `before` then is what it goes
    /// back to, unless something waits already.
    pub fn put(&mut self, number: Option<u32>, text: String, before: Past, wait: Option<(Time, &str)>) {
        let (back, mut numbers) =
            self.unconfirmed.take().map_or((before, Vec::new()), |waiting| (waiting.back, waiting.numbers));
        numbers.extend(number);
        self.unconfirmed = wait.map(|(until, who)| Unconfirmed { until, who: who.to_owned(), numbers, back });
        (self.committed, self.number, self.draft) = (text, number, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mgmt::revisions::Revision;

    fn past(number: u32, text: &str) -> Past {
        Past { number: Some(number), text: text.into() }
    }

    #[test]
    fn what_nobody_confirms_goes_back_to_what_was_before_all_of_it() {
        let second = Time::from_secs;
        let mut desk = Desk::new("a");
        desk.put(Some(2), "b".into(), past(1, "a"), Some((second(10), "me")));
        desk.put(Some(3), "c".into(), past(2, "b"), Some((second(20), "me")));
        assert!(!desk.is_due(second(19)) && desk.take_due(second(19)).is_none());
        let due = desk.take_due(second(20)).unwrap();
        assert_eq!((due.back.number, due.back.text.as_str(), &due.numbers[..]), (Some(1), "a", &[2, 3][..]));
        desk.try_again(due, second(20));
        assert!(desk.is_due(second(50)));
        desk.put(Some(4), "d".into(), past(3, "c"), None);
        assert!(!desk.is_due(second(99)), "a commit without a time confirms what waits");
    }

    #[test]
    fn what_waits_is_no_other_ones_to_go_on_from() {
        let mut desk = Desk::new("a");
        assert_eq!(desk.admit("you"), Ok(()));
        desk.put(Some(2), "b".into(), past(1, "a"), Some((Time::from_secs(10), "me")));
        assert_eq!(desk.admit("me"), Ok(()));
        let why = desk.admit("you").unwrap_err();
        assert!(
            why.starts_with("revision 2 by me waits for a confirmation until 1970-01-01T00:00:10"),
            "{why}"
        );
    }

    #[test]
    fn a_start_anew_is_to_find_what_was_confirmed_and_is_not_in_the_file() {
        let mut desk = Desk::new("a");
        let beyond = |desk: &Desk| desk.beyond_file().map(|kept| (kept.text, kept.in_file));
        assert_eq!(beyond(&desk), None);
        desk.put(Some(2), "b".into(), past(1, "a"), Some((Time::from_secs(10), "me")));
        assert_eq!(beyond(&desk), None, "it goes back to what the file says");
        desk.put(Some(3), "c".into(), past(2, "b"), None);
        assert_eq!(beyond(&desk), Some(("c".into(), "a".into())));
        desk.put(Some(4), "d".into(), past(3, "c"), Some((Time::from_secs(10), "me")));
        assert_eq!(beyond(&desk), Some(("c".into(), "a".into())));
        desk.on_disk = "c".into();
        assert_eq!(beyond(&desk), None);
    }

    fn store_of(folder: &std::path::Path, revisions: &[(u32, &str, State)]) -> Store {
        let store = Store::new(folder.to_owned(), 9);
        for (number, text, state) in revisions {
            let revision = Revision { number: *number, state: *state, ..Revision::default() };
            store.prepare(&revision, text).unwrap().keep().unwrap();
        }
        store
    }

    #[test]
    fn a_rollback_without_a_number_means_the_newest_confirmed_one_that_is_another() {
        use State::{Confirmed, Unconfirmed, WentBack};
        let folder = tempfile::tempdir().unwrap();
        let revisions = [
            (1, "a", Confirmed),
            (2, "x", Unconfirmed),
            (3, "y", WentBack),
            (4, "b", Confirmed),
            (5, "b", Confirmed),
        ];
        let store = store_of(folder.path(), &revisions);
        let mut desk = Desk::new("b");
        desk.recognise(&store).unwrap();
        assert_eq!((desk.number, desk.earlier(&store).unwrap()), (Some(5), Some(1)));
        desk = Desk::new("c");
        desk.recognise(&store).unwrap();
        assert_eq!(desk.number, None);
        assert_eq!(desk.earlier(&store).unwrap(), Some(5), "the file was changed by hand");
    }

    #[test]
    fn after_a_start_the_running_one_is_known_though_newer_ones_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let revisions =
            [(1, "a", State::Confirmed), (2, "b", State::Unconfirmed), (3, "a", State::Unconfirmed)];
        let store = store_of(folder.path(), &revisions);
        let mut desk = Desk::new("a");
        desk.recognise(&store).unwrap();
        assert_eq!((desk.number, desk.earlier(&store).unwrap()), (Some(1), None));
        desk = Desk::new("b");
        desk.recognise(&store).unwrap();
        assert_eq!(desk.number, Some(2));
    }
}
