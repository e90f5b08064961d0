//! Policy databases with generations: new sessions take the newest, running ones keep theirs, and one that nobody uses is
//! handed back to management to be freed (lazy delete).

use crate::base::Time;
use arrayvec::ArrayVec;
use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

/// Generations of one member's policy that a worker keeps at once. A further one waits in management until one goes.
pub const MAX_GENERATIONS: usize = 8;

/// The data of a policy that stands for none: what a member's sessions take after its database was taken away. No plugin's
/// own type, so that whoever looks for one finds nothing.
#[derive(Debug)]
pub struct Detached;

/// One generation of a plugin's policy in a service set. Immutable.
#[derive(Clone)]
pub struct Policy {
    /// From 1, counted by management for each plugin and set.
    pub generation: u32,
    pub data: Arc<dyn Any + Send + Sync>,
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Policy({})", self.generation)
    }
}

struct Version {
    policy: Policy,
    sessions: u64,
    /// Since when it is known not to be the newest.
    superseded: Option<Time>,
}

/// The policies of one member on one worker.
#[derive(Default)]
pub struct Versions {
    /// The last is the newest.
    live: ArrayVec<Version, MAX_GENERATIONS>,
}

impl Versions {
    pub fn newest(&self) -> Option<&Policy> {
        self.live.last().map(|version| &version.policy)
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    #[inline]
    pub fn find(&self, generation: u32) -> Option<&Policy> {
        // A session of the newest policy is the common case, and it stands last.
        self.live.iter().rev().find(|v| v.policy.generation == generation).map(|v| &v.policy)
    }

    /// What a session goes by that took this generation, 0 for none: the newest when that has been let go.
    #[inline]
    pub fn held_by(&self, generation: u32) -> Option<&Policy> {
        self.find(generation).or_else(|| self.newest().filter(|_| generation != 0))
    }

    pub fn is_full(&self) -> bool {
        self.live.is_full()
    }

    /// A newer policy for sessions to come. Gives it back when too many are alive.
    pub fn publish(&mut self, policy: Policy) -> Result<(), Policy> {
        self.live
            .try_push(Version { policy, sessions: 0, superseded: None })
            .map_err(|full| full.element().policy)
    }

    /// A session takes the newest policy: its generation, 0 when there is none.
    pub fn take(&mut self) -> u32 {
        let Some(version) = self.live.last_mut() else { return 0 };
        version.sessions += 1;
        version.policy.generation
    }

    /// A session that took this generation has ended.
    pub fn give_back(&mut self, generation: u32) {
        if let Some(version) = self.live.iter_mut().find(|v| v.policy.generation == generation) {
            version.sessions = version.sessions.saturating_sub(1);
        }
    }

    /// Takes out one policy that is not the newest, and that no session uses any more or that was superseded so long ago:
    /// what sessions it still has go by the newest then.
    pub fn retire(&mut self, now: Time, age: Duration) -> Option<Policy> {
        let last = self.live.len().checked_sub(1)?;
        let over = self.live.iter_mut().take(last).position(|version| {
            let since = *version.superseded.get_or_insert(now);
            version.sessions == 0 || now >= since.plus(age)
        })?;
        Some(self.live.remove(over).policy)
    }

    /// Takes one out, used or not: the member is no more.
    pub fn pop(&mut self) -> Option<Policy> {
        self.live.pop().map(|version| version.policy)
    }

    /// (generation, sessions), oldest first.
    pub fn counts(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.live.iter().map(|v| (v.policy.generation, v.sessions))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(1000);
    const LONG: Duration = Duration::from_secs(60);

    fn policy(generation: u32) -> Policy {
        Policy { generation, data: Arc::new(generation) }
    }

    #[test]
    fn sessions_keep_the_generation_they_took_and_the_last_one_frees_it() {
        let mut versions = Versions::default();
        assert_eq!(versions.take(), 0, "nothing to take yet");
        versions.publish(policy(1)).unwrap();
        assert_eq!(versions.take(), 1);
        versions.publish(policy(2)).unwrap();
        assert!(versions.retire(NOW, LONG).is_none(), "a session still uses the first");
        assert_eq!(versions.take(), 2);
        assert_eq!(versions.find(1).unwrap().generation, 1);
        versions.give_back(1);
        assert_eq!(versions.retire(NOW, LONG).unwrap().generation, 1);
        versions.give_back(2);
        assert!(versions.retire(NOW, LONG).is_none(), "the newest stays, used or not");
    }

    #[test]
    fn a_generation_that_has_been_superseded_for_long_goes_and_its_sessions_go_by_the_newest() {
        let mut versions = Versions::default();
        versions.publish(policy(1)).unwrap();
        assert_eq!(versions.take(), 1);
        versions.publish(policy(2)).unwrap();
        assert!(versions.retire(NOW, LONG).is_none());
        assert!(versions.retire(NOW.plus(LONG - Duration::from_secs(1)), LONG).is_none());
        assert_eq!(versions.held_by(1).unwrap().generation, 1);
        assert_eq!(versions.retire(NOW.plus(LONG), LONG).unwrap().generation, 1);
        assert_eq!(versions.held_by(1).unwrap().generation, 2);
        assert!(versions.held_by(0).is_none(), "a session that took none has none");
        versions.give_back(1);
        assert_eq!(versions.counts().collect::<Vec<_>>(), [(2, 0)]);
    }

    #[test]
    fn one_generation_too_many_is_given_back() {
        let mut versions = Versions::default();
        for generation in 1..=MAX_GENERATIONS as u32 {
            versions.publish(policy(generation)).unwrap();
        }
        assert_eq!(versions.publish(policy(99)).unwrap_err().generation, 99);
    }
}
