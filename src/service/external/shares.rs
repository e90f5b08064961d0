//! References to frames that a plugin keeps on a worker: counted and bounded.

use crate::io::Frame;
use arrayvec::ArrayVec;

/// Frames that one plugin may keep references to on one worker.
pub const MAX_SHARES: usize = 64;

#[derive(Default)]
pub struct Shares {
    frames: ArrayVec<Option<Frame>, MAX_SHARES>,
    /// More was asked for than may be kept: the plugin leaks.
    pub leaked: bool,
}

impl Shares {
    pub fn keep(&mut self, frame: &Frame) -> Option<u32> {
        let free = self.frames.iter().position(Option::is_none);
        if free.is_none() && self.frames.is_full() {
            self.leaked = true;
            return None;
        }
        let share = frame.share()?;
        match free.and_then(|index| Some((index, self.frames.get_mut(index)?))) {
            Some((index, place)) => {
                *place = Some(share);
                Some(index as u32)
            }
            None => {
                self.frames.try_push(Some(share)).ok()?;
                Some(self.frames.len() as u32 - 1)
            }
        }
    }

    pub fn get(&self, share: u32) -> Option<&Frame> {
        self.frames.get(share as usize)?.as_ref()
    }

    pub fn release(&mut self, share: u32) -> bool {
        self.frames.get_mut(share as usize).and_then(Option::take).is_some()
    }

    pub fn clear(&mut self) {
        self.frames.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::memory::HeapPool;

    #[test]
    fn a_place_is_used_again_and_the_bound_tells_a_leak() {
        let (mut shares, pool) = (Shares::default(), HeapPool::default());
        let frame = pool.frame(b"frame");
        for _ in 0..1000 {
            let share = shares.keep(&frame).unwrap();
            assert!(shares.get(share).is_some() && shares.release(share) && !shares.release(share));
        }
        for _ in 0..MAX_SHARES {
            assert!(shares.keep(&frame).is_some());
        }
        assert!(!shares.leaked);
        assert!(shares.keep(&frame).is_none());
        assert!(shares.leaked, "one more than may be");
        shares.clear();
        drop(frame);
        assert_eq!(pool.outstanding(), 0);
    }
}
