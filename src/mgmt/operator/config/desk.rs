//! What is remembered between commits: what was committed, the candidate, and what waits for a confirmation.

use crate::base::Time;
use crate::mgmt::revisions::{RevisionError, Store};
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
    pub number: u32,
    pub text: String,
}

#[derive(Clone, Debug)]
pub(in crate::mgmt::operator) struct Unconfirmed {
    pub until: Time,
    /// What was in force before all that is unconfirmed.
    pub back: Past,
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
}

impl Desk {
    pub fn new(text: &str) -> Desk {
        let (on_disk, committed) = (text.to_owned(), text.to_owned());
        Desk { on_disk, committed, number: None, draft: None, unconfirmed: None }
    }

    /// Whether the newest revision is what is in force, as after a start with what was committed last.
    pub fn recognise(&mut self, store: &Store) -> Result<(), RevisionError> {
        if self.number.is_none() {
            let same = |number: &u32| store.read(*number).is_ok_and(|(_, text)| text == self.committed);
            self.number = store.newest()?.filter(same);
        }
        Ok(())
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

    /// The revision that a rollback without a number means: the newest that is not what is in force.
    pub fn earlier(&self, store: &Store) -> Result<Option<u32>, RevisionError> {
        let mut at = self.number.map_or_else(|| store.newest(), |number| store.before(number))?;
        while let Some(number) = at {
            match store.read(number) {
                Ok((_, text)) if text != self.committed => break,
                _ => at = store.before(number)?,
            }
        }
        Ok(at)
    }

    /// Something else is in force from `now` on.
    pub fn put(&mut self, number: u32, text: String, before: Past, until: Option<Time>) {
        let back = self.unconfirmed.take().map_or(before, |waiting| waiting.back);
        self.unconfirmed = until.map(|until| Unconfirmed { until, back });
        (self.committed, self.number, self.draft) = (text, Some(number), None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mgmt::revisions::Revision;

    fn past(number: u32, text: &str) -> Past {
        Past { number, text: text.into() }
    }

    #[test]
    fn what_nobody_confirms_goes_back_to_what_was_before_all_of_it() {
        let second = Time::from_secs;
        let mut desk = Desk::new("a");
        desk.put(2, "b".into(), past(1, "a"), Some(second(10)));
        desk.put(3, "c".into(), past(2, "b"), Some(second(20)));
        assert!(!desk.is_due(second(19)) && desk.take_due(second(19)).is_none());
        let due = desk.take_due(second(20)).unwrap();
        assert_eq!((due.back.number, due.back.text.as_str()), (1, "a"));
        desk.try_again(due, second(20));
        assert!(desk.is_due(second(50)));
        desk.put(4, "d".into(), past(3, "c"), None);
        assert!(!desk.is_due(second(99)), "a commit without a time confirms what waits");
    }

    #[test]
    fn a_rollback_without_a_number_means_the_newest_that_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().to_owned(), 9);
        for (number, text) in [(1, "a"), (2, "b"), (3, "b")] {
            let revision = Revision { number, ..Revision::default() };
            store.prepare(&revision, text).unwrap().keep().unwrap();
        }
        let mut desk = Desk::new("b");
        desk.recognise(&store).unwrap();
        assert_eq!((desk.number, desk.earlier(&store).unwrap()), (Some(3), Some(1)));
        desk = Desk::new("c");
        desk.recognise(&store).unwrap();
        assert_eq!(desk.number, None);
        assert_eq!(desk.earlier(&store).unwrap(), Some(3), "the file was changed by hand");
    }
}
