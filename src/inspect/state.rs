//! What inspection remembers of a session: its flowbits, in a slab of fixed size.
//!
//! A session stores only a [`StateHandle`]; most sessions never set a bit and have no slot. The slab is allocated at
//! start. When it is full, or a session has as many bits as it may, a further bit is not set, and that is counted.

use crate::base::Generation;
use arrayvec::ArrayVec;

/// Flowbits a session may have set at once.
pub const MAX_FLOWBITS: usize = 24;

/// Numbers of `flowint` a session may have.
pub const MAX_FLOWINTS: usize = 12;

/// A session's slot. `Copy`, opaque, four bytes; the session keeps it (as a plain number, [`raw`](StateHandle::raw))
/// and gives it back with [`Inspector::release`](super::Inspector::release) when it ends.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct StateHandle(u32);

impl StateHandle {
    /// The same number as the session layer's "no handle".
    pub const NONE: StateHandle = StateHandle(u32::MAX);

    pub const fn from_raw(raw: u32) -> StateHandle {
        StateHandle(raw)
    }

    pub const fn raw(self) -> u32 {
        self.0
    }

    pub fn is_none(self) -> bool {
        self == StateHandle::NONE
    }

    fn slot(self) -> usize {
        self.0 as usize
    }
}

impl Default for StateHandle {
    fn default() -> Self {
        StateHandle::NONE
    }
}

#[derive(Clone, Debug, Default)]
struct State {
    bits: ArrayVec<u32, MAX_FLOWBITS>,
    /// Numbers of `flowint`, by name's number.
    ints: ArrayVec<(u32, u32), MAX_FLOWINTS>,
    /// Bits are numbered within one generation; those of another mean nothing.
    generation: Generation,
    /// While free: the next free slot's handle.
    next_free: StateHandle,
}

/// The slots of one worker.
#[derive(Debug)]
pub(crate) struct StateSlab {
    slots: Box<[State]>,
    free: StateHandle,
    pub(crate) used: usize,
    /// Bits not set because the slab or the session was full.
    pub(crate) refused: u64,
}

impl StateSlab {
    pub(crate) fn new(sessions: usize) -> StateSlab {
        let slots: Box<[State]> = (0..sessions as u32)
            .map(|n| State {
                next_free: if n + 1 < sessions as u32 { StateHandle(n + 1) } else { StateHandle::NONE },
                ..State::default()
            })
            .collect();
        let free = if sessions > 0 { StateHandle(0) } else { StateHandle::NONE };
        StateSlab { slots, free, used: 0, refused: 0 }
    }

    pub(crate) fn is_set(&self, handle: StateHandle, generation: Generation, bit: u32) -> bool {
        let state = self.slots.get(handle.slot());
        state.is_some_and(|s| s.generation == generation && s.bits.contains(&bit))
    }

    /// Those that are set, in the order in which they were.
    pub(crate) fn bits(&self, handle: StateHandle, generation: Generation) -> &[u32] {
        let state = self.slots.get(handle.slot()).filter(|s| s.generation == generation);
        state.map(|s| &s.bits[..]).unwrap_or_default()
    }

    /// Sets the bit, taking a slot if the session has none yet.
    pub(crate) fn set(&mut self, handle: &mut StateHandle, generation: Generation, bit: u32) {
        if handle.is_none() {
            *handle = self.take();
        }
        let Some(state) = self.current(*handle, generation) else {
            self.refused += 1;
            return;
        };
        if !state.bits.contains(&bit) && state.bits.try_push(bit).is_err() {
            self.refused += 1;
        }
    }

    /// The session's state, emptied if it is another generation's.
    fn current(&mut self, handle: StateHandle, generation: Generation) -> Option<&mut State> {
        let state = self.slots.get_mut(handle.slot())?;
        if state.generation != generation {
            state.bits.clear();
            state.ints.clear();
            state.generation = generation;
        }
        Some(state)
    }

    pub(crate) fn int(&self, handle: StateHandle, generation: Generation, counter: u32) -> Option<u32> {
        let state = self.slots.get(handle.slot()).filter(|s| s.generation == generation)?;
        state.ints.iter().find(|(known, _)| *known == counter).map(|(_, value)| *value)
    }

    /// Keeps a number, taking a slot if the session has none yet.
    pub(crate) fn set_int(
        &mut self,
        handle: &mut StateHandle,
        generation: Generation,
        counter: u32,
        value: u32,
    ) {
        if handle.is_none() {
            *handle = self.take();
        }
        let kept = self.current(*handle, generation).is_some_and(|state| {
            match state.ints.iter_mut().find(|(known, _)| *known == counter) {
                Some((_, place)) => {
                    *place = value;
                    true
                }
                None => state.ints.try_push((counter, value)).is_ok(),
            }
        });
        self.refused += u64::from(!kept);
    }

    pub(crate) fn unset(&mut self, handle: StateHandle, generation: Generation, bit: u32) {
        let state = self.slots.get_mut(handle.slot());
        if let Some(state) = state.filter(|s| s.generation == generation) {
            state.bits.retain(|b| *b != bit);
        }
    }

    fn take(&mut self) -> StateHandle {
        let handle = self.free;
        if let Some(state) = self.slots.get_mut(handle.slot()) {
            self.free = state.next_free;
            *state = State::default();
            self.used += 1;
        }
        handle
    }

    /// Frees the slot; the handle becomes none, so that a second release does nothing.
    pub(crate) fn release(&mut self, handle: &mut StateHandle) {
        let freed = std::mem::take(handle);
        if let Some(state) = self.slots.get_mut(freed.slot()) {
            state.bits.clear();
            state.ints.clear();
            state.next_free = self.free;
            self.free = freed;
            self.used -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    const NOW: Generation = Generation(1);

    #[test]
    fn a_full_slab_refuses_and_counts_and_a_release_makes_room() {
        let mut slab = StateSlab::new(1);
        let (mut a, mut b) = (StateHandle::NONE, StateHandle::NONE);
        slab.set(&mut a, NOW, 5);
        slab.set(&mut b, NOW, 5);
        assert!(slab.is_set(a, NOW, 5) && b.is_none() && slab.refused == 1);
        slab.release(&mut a);
        slab.release(&mut a);
        slab.set(&mut b, NOW, 6);
        assert!(slab.is_set(b, NOW, 6) && !slab.is_set(b, NOW, 5));
    }

    #[test]
    fn a_session_has_a_bounded_number_of_bits() {
        let mut slab = StateSlab::new(1);
        let mut handle = StateHandle::NONE;
        (0..=MAX_FLOWBITS as u32).for_each(|bit| slab.set(&mut handle, NOW, bit));
        assert!(slab.is_set(handle, NOW, 0) && !slab.is_set(handle, NOW, MAX_FLOWBITS as u32));
        assert_eq!(slab.refused, 1);
    }

    #[test]
    fn bits_of_another_generation_are_not_seen() {
        let mut slab = StateSlab::new(1);
        let mut handle = StateHandle::NONE;
        slab.set(&mut handle, NOW, 3);
        assert!(!slab.is_set(handle, Generation(2), 3));
        slab.set(&mut handle, Generation(2), 4);
        assert!(!slab.is_set(handle, Generation(2), 3) && slab.is_set(handle, Generation(2), 4));
    }

    #[test]
    fn numbers_are_kept_by_session_and_generation() {
        let mut slab = StateSlab::new(1);
        let (mut a, mut b) = (StateHandle::NONE, StateHandle::NONE);
        slab.set_int(&mut a, NOW, 3, 7);
        slab.set_int(&mut a, NOW, 3, 8);
        slab.set_int(&mut b, NOW, 3, 9);
        assert_eq!((slab.int(a, NOW, 3), slab.int(a, NOW, 4), slab.int(b, NOW, 3)), (Some(8), None, None));
        assert_eq!((slab.int(a, Generation(2), 3), slab.refused), (None, 1));
        (0..=MAX_FLOWINTS as u32).for_each(|counter| slab.set_int(&mut a, Generation(2), counter, 1));
        assert_eq!((slab.int(a, Generation(2), 0), slab.refused), (Some(1), 2));
        slab.release(&mut a);
        slab.set_int(&mut b, NOW, 3, 1);
        assert_eq!(slab.int(b, NOW, 4), None);
    }

    proptest! {
        #[test]
        fn behaves_like_a_set_of_bits_a_session(
            turns in prop::collection::vec((0usize..4, 0u32..5, 0u8..4), 0..60)
        ) {
            let mut slab = StateSlab::new(4);
            let mut handles = [StateHandle::NONE; 4];
            let mut model: [HashSet<u32>; 4] = Default::default();
            for (session, bit, what) in turns {
                match what {
                    0 | 1 => { slab.set(&mut handles[session], NOW, bit); model[session].insert(bit); }
                    2 => { slab.unset(handles[session], NOW, bit); model[session].remove(&bit); }
                    _ => { slab.release(&mut handles[session]); model[session].clear(); }
                }
                for s in 0..4 {
                    prop_assert!((0..5).all(|b| slab.is_set(handles[s], NOW, b) == model[s].contains(&b)));
                }
            }
            prop_assert_eq!(slab.used, handles.iter().filter(|h| !h.is_none()).count());
        }
    }
}
