//! Segments that came out of order and are held until what is missing before them has come (`streams.out-of-order = "hold"`).
//!
//! Owns who they are; the frames lie in the worker's hold table, which bounds them by time, session and worker.

use crate::base::{Dir, LinkSet, Time};
use crate::service::outbox::MAX_EMISSIONS;
use crate::session::SessionId;
use arrayvec::ArrayVec;
use std::time::Duration;

/// Segments that one worker may have waiting, and of one session: as many as can be released with one packet.
const MOST: u32 = 4096;
pub(super) const MOST_OF_SESSION: usize = MAX_EMISSIONS;
/// Entries of any session that are forgotten with one packet, which adds one at most.
const FORGOTTEN_AT_ONCE: usize = 32;
/// Lists by session: a session's are found by going through one, which a few others share.
const LISTS: u32 = 1024;

#[derive(Copy, Clone)]
struct Entry {
    session: SessionId,
    dir: Dir,
    /// Where its bytes begin and end in its direction's stream.
    bytes: (u64, u64),
    ticket: u64,
    since: Time,
}

/// Tickets of segments that go on, each with where its bytes begin, in that order: what stands before them went before.
pub(super) type Due = ArrayVec<(u64, u64), MOST_OF_SESSION>;

pub(super) struct Waiting {
    lists: LinkSet,
    /// All, the oldest first.
    ages: LinkSet,
    entries: Vec<Entry>,
    free: Vec<u32>,
}

impl Waiting {
    pub(super) fn new() -> Waiting {
        let room = MOST as usize;
        Waiting {
            lists: LinkSet::new(LISTS, MOST),
            ages: LinkSet::new(1, MOST),
            entries: Vec::with_capacity(room),
            free: Vec::with_capacity(room),
        }
    }

    /// Whether no segment of the session waits, as far as its list tells.
    #[inline]
    pub(super) fn is_empty(&self, session: SessionId) -> bool {
        self.lists.is_empty(list(session))
    }

    /// Whether one more of the session may wait, when `most` of it may.
    pub(super) fn has_room(&self, session: SessionId, most: u8) -> bool {
        let room = !self.free.is_empty() || self.entries.len() < MOST as usize;
        room && self.of(session).count() < MOST_OF_SESSION.min(usize::from(most))
    }

    /// Forgets those whose time is over, of the session and of sessions of which nothing comes any more: their frames are gone.
    pub(super) fn forget(&mut self, session: SessionId, timeout: Duration, now: Time) {
        self.take_where(session, |entry| entry.since.plus(timeout) <= now);
        for _ in 0..FORGOTTEN_AT_ONCE {
            let Some(oldest) = self.ages.front(ALL) else { return };
            if self.entries.get(oldest as usize).is_some_and(|entry| entry.since.plus(timeout) > now) {
                return;
            }
            self.remove(oldest);
        }
    }

    fn remove(&mut self, index: u32) {
        self.lists.remove(index);
        self.ages.remove(index);
        self.free.push(index);
    }

    /// The segment that gets that ticket waits; ask [`has_room`](Self::has_room) before.
    pub(super) fn add(&mut self, session: SessionId, dir: Dir, bytes: (u64, u64), ticket: u64, since: Time) {
        let entry = Entry { session, dir, bytes, ticket, since };
        let index = match self.free.pop() {
            Some(index) => index,
            None => self.entries.len() as u32,
        };
        match self.entries.get_mut(index as usize) {
            Some(place) => *place = entry,
            None => self.entries.push(entry),
        }
        self.lists.push_back(list(session), index);
        self.ages.push_back(ALL, index);
    }

    /// Takes those of the session that `goes` says.
    pub(super) fn take(&mut self, session: SessionId, goes: impl Fn(Dir, u64) -> bool) -> Due {
        self.take_where(session, |entry| goes(entry.dir, entry.bytes.1))
    }

    fn take_where(&mut self, session: SessionId, goes: impl Fn(&Entry) -> bool) -> Due {
        let mut taken: ArrayVec<u32, MOST_OF_SESSION> = ArrayVec::new();
        taken.extend(
            self.of(session).filter(|(_, entry)| goes(entry)).map(|(index, _)| index).take(MOST_OF_SESSION),
        );
        let mut due = Due::new();
        for index in taken {
            self.remove(index);
            due.extend(self.entries.get(index as usize).map(|entry| (entry.bytes.0, entry.ticket)));
        }
        due.sort_unstable();
        due
    }

    fn of(&self, session: SessionId) -> impl Iterator<Item = (u32, &Entry)> {
        let mut at = self.lists.front(list(session));
        std::iter::from_fn(move || {
            let index = at?;
            at = self.lists.after(index);
            Some((index, self.entries.get(index as usize)?))
        })
        .filter(move |(_, entry)| entry.session == session)
    }
}

/// The only list of ages.
const ALL: u32 = 0;

fn list(session: SessionId) -> u32 {
    session.slot % LISTS
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: SessionId = SessionId { slot: 5, generation: 1 };
    /// In the same list.
    const OTHER: SessionId = SessionId { slot: 5 + LISTS, generation: 1 };

    #[test]
    fn what_is_due_of_a_session_comes_in_the_order_of_its_bytes() {
        let mut waiting = Waiting::new();
        for (bytes, ticket) in [((15, 20), 1), ((10, 30), 2), ((30, 40), 3)] {
            waiting.add(ONE, Dir::ToServer, bytes, ticket, Time::ZERO);
        }
        waiting.add(OTHER, Dir::ToServer, (5, 10), 4, Time::ZERO);
        waiting.add(ONE, Dir::ToClient, (5, 10), 5, Time::ZERO);
        let due = waiting.take(ONE, |dir, end| dir == Dir::ToServer && end <= 30);
        assert_eq!(due.as_slice(), [(10, 2), (15, 1)], "the one that ends later begins earlier");
        assert_eq!(waiting.take(OTHER, |_, _| true).as_slice(), [(5, 4)]);
        assert_eq!(waiting.take(ONE, |_, _| true).as_slice(), [(5, 5), (30, 3)]);
        assert!(waiting.is_empty(ONE));
    }

    #[test]
    fn silent_sessions_keep_nobody_from_waiting_beyond_their_time() {
        let (mut waiting, timeout) = (Waiting::new(), Duration::from_secs(2));
        let id = |slot| SessionId { slot, generation: 0 };
        (0..MOST).for_each(|n| waiting.add(id(n), Dir::ToServer, (5, 9), n.into(), Time::from_secs(100)));
        let late = id(MOST + 1);
        waiting.forget(late, timeout, Time::from_secs(101));
        assert!(!waiting.has_room(late, 16));
        for n in 0..2 * MOST {
            waiting.forget(late, timeout, Time::from_secs(102));
            assert!(waiting.has_room(id(MOST + n), 16), "{n}");
            waiting.add(id(MOST + n), Dir::ToServer, (5, 9), n.into(), Time::from_secs(102));
            assert_eq!(waiting.take(id(MOST + n), |_, _| true).len(), 1);
        }
        assert!(waiting.is_empty(id(3)) && waiting.ages.front(ALL).is_none());
    }

    #[test]
    fn a_session_and_a_worker_have_so_many() {
        let mut waiting = Waiting::new();
        let id = |slot| SessionId { slot, generation: 0 };
        let mut slot = 0;
        while waiting.has_room(id(slot), 255) {
            (0..MOST_OF_SESSION as u64)
                .for_each(|n| waiting.add(id(slot), Dir::ToServer, (n, n), n, Time::ZERO));
            assert!(!waiting.has_room(id(slot), 255));
            slot += 1;
        }
        assert_eq!(slot as usize * MOST_OF_SESSION, MOST as usize);
        assert_eq!(waiting.take(id(3), |_, _| true).len(), MOST_OF_SESSION);
        assert!(waiting.has_room(id(3), 255) && !waiting.has_room(id(4), 255));
    }

    #[test]
    fn whose_time_is_over_takes_no_room() {
        let mut waiting = Waiting::new();
        (1..=4).for_each(|n| waiting.add(ONE, Dir::ToServer, (n, n), n, Time::from_secs(n)));
        assert!(!waiting.has_room(ONE, 4) && waiting.has_room(ONE, 5));
        waiting.forget(ONE, Duration::from_secs(2), Time::from_secs(4));
        assert!(waiting.has_room(ONE, 4));
        assert_eq!(waiting.take(ONE, |_, _| true).as_slice(), [(3, 3), (4, 4)]);
    }
}
