//! What is about a set as a whole: what goes with its values, its number, and all values taken out.

use super::{ATTEMPTS, LIVING, Set, swap};
use crate::rules::dataset::json::Records;
use std::sync::atomic::Ordering;

impl Set {
    /// With what goes with its values.
    #[must_use]
    pub fn with_records(mut self, records: Records) -> Set {
        self.records = records;
        self
    }

    pub fn number(&self) -> u32 {
        self.number
    }

    /// Whether something goes with its values.
    pub fn has_records(&self) -> bool {
        !self.records.is_empty()
    }

    /// What goes with a value of which this number is said.
    pub fn record_text(&self, number: u32) -> Option<&str> {
        self.records.get((number as usize).checked_sub(1)?).map(|text| &**text)
    }

    /// Takes all values out; how many there were. What is put in meanwhile may stay.
    pub fn clear(&self) -> u64 {
        let mut taken = 0;
        for slot in &self.slots {
            for _ in 0..ATTEMPTS {
                let word = slot.load(Ordering::Acquire);
                if word & LIVING == 0 {
                    break;
                }
                if swap(slot, word, word & !LIVING) {
                    self.living.fetch_sub(1, Ordering::Relaxed);
                    taken += 1;
                    break;
                }
            }
        }
        if taken > 0 {
            self.note_changed();
        }
        taken
    }
}
