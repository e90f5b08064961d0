//! What plugins keep of sessions: for each member of the session's chain an action a direction and the policy it goes by.
//!
//! A session whose chain has only members with a state of their own (detection) takes no room here.

use crate::base::PerDir;
use crate::session::NO_HANDLE;

/// What one plugin keeps of one session.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberState {
    /// What the plugin attached at the first packet, for each direction; its own meaning.
    pub action: PerDir<u64>,
    /// Of the policy that the session took; 0 for none.
    pub generation: u32,
}

/// One worker's, reserved whole at start and touched as sessions come.
pub struct StateSlab {
    /// Members of a session.
    stride: usize,
    capacity: usize,
    slots: Vec<MemberState>,
    free: Vec<u32>,
    /// Frames held of each session.
    held: Vec<u8>,
    /// Sessions that found no room: they pass as the set's on-fault policy says.
    pub refused: u64,
}

impl StateSlab {
    pub fn new(sessions: usize, stride: usize) -> StateSlab {
        StateSlab {
            stride,
            capacity: sessions,
            slots: Vec::with_capacity(sessions * stride),
            free: Vec::with_capacity(sessions),
            held: Vec::with_capacity(sessions),
            refused: 0,
        }
    }

    /// Members a chain may have.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Sessions with a place now.
    pub fn len(&self) -> usize {
        self.held.len() - self.free.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A place for a session, empty; [`NO_HANDLE`] when there is none.
    pub fn take(&mut self) -> u32 {
        if let Some(handle) = self.free.pop() {
            let at = handle as usize;
            self.held[at] = 0;
            self.slots[at * self.stride..(at + 1) * self.stride].fill(MemberState::default());
            return handle;
        }
        if self.held.len() == self.capacity {
            self.refused += 1;
            return NO_HANDLE;
        }
        self.held.push(0);
        self.slots.resize(self.slots.len() + self.stride, MemberState::default());
        (self.held.len() - 1) as u32
    }

    /// The handle becomes none, so that a second call does nothing.
    pub fn release(&mut self, handle: &mut u32) {
        let freed = std::mem::replace(handle, NO_HANDLE);
        if freed != NO_HANDLE {
            self.free.push(freed);
        }
    }

    #[inline]
    pub fn get(&self, handle: u32, member: u8) -> MemberState {
        self.at(handle, member).copied().unwrap_or_default()
    }

    #[inline]
    pub fn at(&self, handle: u32, member: u8) -> Option<&MemberState> {
        self.slots.get(self.place(handle, member)?)
    }

    #[inline]
    pub fn get_mut(&mut self, handle: u32, member: u8) -> Option<&mut MemberState> {
        let place = self.place(handle, member)?;
        self.slots.get_mut(place)
    }

    #[inline]
    fn place(&self, handle: u32, member: u8) -> Option<usize> {
        let member = usize::from(member);
        (handle != NO_HANDLE && member < self.stride).then_some(handle as usize * self.stride + member)
    }

    /// Frames held of the session; `None` where that is not counted.
    pub fn held(&self, handle: u32) -> Option<u8> {
        self.held.get(handle as usize).copied()
    }

    /// Frames held of the session.
    pub fn held_mut(&mut self, handle: u32) -> Option<&mut u8> {
        self.held.get_mut(handle as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_empty_when_taken_again_and_a_full_slab_counts() {
        let mut slab = StateSlab::new(1, 2);
        let mut a = slab.take();
        slab.get_mut(a, 1).unwrap().generation = 7;
        assert_eq!(slab.get(a, 1).generation, 7);
        assert_eq!((slab.take(), slab.refused, slab.len()), (NO_HANDLE, 1, 1));
        slab.release(&mut a);
        slab.release(&mut a);
        let b = slab.take();
        assert_eq!((b, slab.get(b, 1)), (0, MemberState::default()));
        assert_eq!(slab.take(), NO_HANDLE);
    }

    #[test]
    fn who_has_no_place_reads_nothing_and_writes_nowhere() {
        let mut slab = StateSlab::new(1, 1);
        assert!(slab.get_mut(NO_HANDLE, 0).is_none());
        assert_eq!(slab.get(NO_HANDLE, 0), MemberState::default());
    }

    #[test]
    fn who_is_no_member_has_no_place_in_another_session() {
        let mut slab = StateSlab::new(4, 1);
        let (a, b) = (slab.take(), slab.take());
        slab.get_mut(b, 0).unwrap().generation = 9;
        assert_eq!(slab.get(a, 1), MemberState::default());
    }
}
