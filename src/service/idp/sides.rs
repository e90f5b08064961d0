//! What a candidate of rules keeps of the sessions it follows, beside what the session itself keeps of the rules in force.

use crate::base::{ExceptionCause, ExceptionPolicy, PerDir};
use crate::session::{NO_HANDLE, Session, SessionId, Settled, Spoken};

/// The candidate's part of one session.
#[derive(Clone, Debug)]
pub(super) struct Side {
    generation: u32,
    pub(super) inspection: u32,
    pub(super) streams: PerDir<u32>,
    pub(super) app: u32,
    spoken: Spoken,
    settled: Settled,
    alerted: bool,
    exception: Option<(ExceptionCause, ExceptionPolicy)>,
}

impl Side {
    fn new(id: SessionId) -> Side {
        Side {
            generation: id.generation,
            inspection: NO_HANDLE,
            streams: PerDir([NO_HANDLE, NO_HANDLE]),
            app: NO_HANDLE,
            spoken: Spoken::default(),
            settled: Settled::None,
            alerted: false,
            exception: None,
        }
    }

    /// Makes the copy of a session the candidate's.
    pub(super) fn lend(&self, session: &mut Session) {
        session.inspection = self.inspection;
        session.streams = self.streams;
        session.app = self.app;
        session.spoken = self.spoken;
        session.settled = self.settled;
        session.set_alerted(self.alerted);
        session.exception = self.exception;
    }
}

/// By the session's slot. Memory is taken at the start, and touched as sessions come.
pub(super) struct Sides {
    /// Number of the side, from 1; 0 for none.
    by_slot: Box<[u32]>,
    sides: Vec<Side>,
    free: Vec<u32>,
}

impl Sides {
    /// For a table of so many sessions.
    pub(super) fn new(sessions: usize) -> Sides {
        Sides {
            // Zeroed pages come from the system as they are touched.
            by_slot: vec![0; sessions].into(),
            sides: Vec::with_capacity(sessions),
            free: Vec::with_capacity(sessions),
        }
    }

    /// False where there is no such slot.
    pub(super) fn open(&mut self, id: SessionId) -> bool {
        // Whoever was there before has been closed.
        self.close(id);
        let Some(number) = self.by_slot.get_mut(id.slot as usize) else { return false };
        *number = match self.free.pop() {
            Some(free) => free,
            None if self.sides.len() == self.sides.capacity() => return false,
            None => {
                self.sides.push(Side::new(id));
                self.sides.len() as u32
            }
        };
        if let Some(side) = self.sides.get_mut(*number as usize - 1) {
            *side = Side::new(id);
        }
        true
    }

    fn number(&self, id: SessionId) -> Option<usize> {
        let at = (*self.by_slot.get(id.slot as usize)? as usize).checked_sub(1)?;
        self.sides.get(at).is_some_and(|side| side.generation == id.generation).then_some(at)
    }

    pub(super) fn get(&self, id: SessionId) -> Option<&Side> {
        self.number(id).and_then(|at| self.sides.get(at))
    }

    /// What the candidate made of its copy.
    pub(super) fn keep(&mut self, id: SessionId, session: &Session) {
        if let Some(side) = self.number(id).and_then(|at| self.sides.get_mut(at)) {
            side.inspection = session.inspection;
            side.streams = session.streams;
            side.app = session.app;
            side.spoken = session.spoken;
            side.settled = session.settled;
            side.alerted = session.alerted();
            side.exception = session.exception;
        }
    }

    /// Its side, for what is kept elsewhere to be freed.
    pub(super) fn close(&mut self, id: SessionId) -> Option<Side> {
        let at = self.number(id)?;
        let number = std::mem::take(self.by_slot.get_mut(id.slot as usize)?);
        self.free.push(number);
        self.sides.get(at).cloned()
    }

    /// Bytes touched, about.
    pub(super) fn memory(&self) -> u64 {
        (self.sides.len() * (size_of::<Side>() + 2 * size_of::<u32>())) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_that_another_session_took_has_no_side_of_the_one_before() {
        let mut sides = Sides::new(2);
        let id = |slot, generation| SessionId { slot, generation };
        assert!(sides.open(id(1, 7)) && !sides.open(id(2, 7)), "there are two slots");
        assert!(
            sides.get(id(1, 7)).is_some() && sides.get(id(1, 8)).is_none() && sides.get(id(0, 7)).is_none()
        );
        assert!(sides.close(id(1, 8)).is_none() && sides.close(id(1, 7)).is_some());
        assert!(sides.get(id(1, 7)).is_none());
        (8..100).for_each(|generation| {
            assert!(sides.open(id(1, generation)) && sides.open(id(0, generation)));
            assert!(sides.close(id(0, generation)).is_some() && sides.close(id(1, generation)).is_some());
        });
        assert_eq!(sides.sides.len(), 2, "places are used again");
    }
}
