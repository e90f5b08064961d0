//! A timing wheel with lazy re-arming: a packet never touches it, expiry looks again.
//!
//! A session stands in the bucket of the second in which it would have expired when it was last looked at. When
//! that second has passed, the table looks at the session's real deadline and puts it back, or closes it.

use crate::base::{LinkSet, Time};

/// One bucket a second: what expires later than this many seconds from now is looked at once on the way.
pub(super) const BUCKETS: u32 = 4096;

pub(super) struct Wheel {
    links: LinkSet,
    /// The second whose bucket is emptied next; `None` until the first session is armed.
    cursor: Option<u64>,
}

impl Wheel {
    pub(super) fn new(capacity: u32) -> Wheel {
        Wheel { links: LinkSet::new(BUCKETS, capacity), cursor: None }
    }

    pub(super) fn arm(&mut self, slot: u32, now: Time, deadline: Time) {
        let cursor = *self.cursor.get_or_insert(now.secs());
        // An earlier deadline than any before moves nothing: it is due at once.
        let second = deadline.secs().clamp(cursor, cursor + u64::from(BUCKETS) - 1);
        self.links.push_back(bucket(second), slot);
    }

    pub(super) fn disarm(&mut self, slot: u32) {
        self.links.remove(slot);
    }

    /// The next slot to look at, whose bucket's second is wholly past; it leaves the wheel.
    /// `steps` bounds the buckets and entries passed, and is used up by both.
    pub(super) fn due(&mut self, now: Time, steps: &mut usize) -> Option<u32> {
        let cursor = self.cursor.as_mut()?;
        let turn = u64::from(BUCKETS);
        let lag = now.secs().saturating_sub(*cursor);
        if lag >= 2 * turn {
            // After a leap of time, whole turns are skipped: they would pass the same buckets again.
            *cursor += (lag / turn - 1) * turn;
        }
        while *cursor < now.secs() && *steps > 0 {
            *steps -= 1;
            if let Some(slot) = self.links.front(bucket(*cursor)) {
                self.links.remove(slot);
                return Some(slot);
            }
            *cursor += 1;
        }
        None
    }
}

fn bucket(second: u64) -> u32 {
    (second % u64::from(BUCKETS)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(wheel: &mut Wheel, slot: u32, secs: u64) {
        wheel.arm(slot, Time::from_secs(5), Time::from_secs(secs));
    }

    fn drain(wheel: &mut Wheel, now: u64) -> Vec<u32> {
        let mut steps = usize::MAX;
        std::iter::from_fn(|| wheel.due(Time::from_secs(now), &mut steps)).collect()
    }

    #[test]
    fn a_slot_is_due_when_its_second_has_passed_and_not_before() {
        let mut wheel = Wheel::new(8);
        arm(&mut wheel, 1, 100);
        arm(&mut wheel, 2, 130);
        assert!(drain(&mut wheel, 100).is_empty());
        assert_eq!(drain(&mut wheel, 101), [1]);
        assert_eq!(drain(&mut wheel, 131), [2]);
    }

    #[test]
    fn a_far_deadline_is_looked_at_once_a_turn() {
        let mut wheel = Wheel::new(8);
        arm(&mut wheel, 1, 100);
        arm(&mut wheel, 2, 100 + 10_000);
        assert_eq!(drain(&mut wheel, 200), [1]);
        assert_eq!(drain(&mut wheel, 100 + 4096), [2]);
    }

    #[test]
    fn after_a_leap_of_years_everything_is_due_within_two_turns_of_buckets() {
        let mut wheel = Wheel::new(8);
        for slot in 0..8 {
            arm(&mut wheel, slot, 1000 + u64::from(slot) * 400);
        }
        let mut steps = 2 * BUCKETS as usize + 8;
        let far = Time::from_secs(1_000_000_000);
        let due: Vec<u32> = std::iter::from_fn(|| wheel.due(far, &mut steps)).collect();
        assert_eq!(due.len(), 8);
        arm(&mut wheel, 3, 1_000_000_000);
        assert_eq!(drain(&mut wheel, 1_000_000_001), [3]);
    }

    #[test]
    fn a_turn_is_bounded_by_its_steps() {
        let mut wheel = Wheel::new(100);
        (0..100).for_each(|slot| arm(&mut wheel, slot, 10));
        let mut steps = 5 + 32;
        let due = std::iter::from_fn(|| wheel.due(Time::from_secs(12), &mut steps)).count();
        assert_eq!((due, steps), (32, 0)); // five empty seconds before
    }

    #[test]
    fn a_slot_armed_again_leaves_its_old_place() {
        let mut wheel = Wheel::new(4);
        arm(&mut wheel, 1, 10);
        arm(&mut wheel, 1, 20);
        assert!(drain(&mut wheel, 15).is_empty());
        wheel.disarm(1);
        assert!(drain(&mut wheel, 30).is_empty());
    }
}
