//! How much memory a piece of set-up work has taken and kept: bytes allocated less bytes freed by its threads.
//!
//! The program's allocator tells of each change ([`grew`]); a thread that counts for nobody pays for one look at a variable of
//! its own. Threads that [`parallel`](super::parallel) starts count for whom their starter does.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};

/// Pieces of work that are counted at once; further ones are not.
const AT_ONCE: usize = 8;

struct Tally {
    taken: AtomicBool,
    bytes: AtomicIsize,
}

static TALLIES: [Tally; AT_ONCE] =
    [const { Tally { taken: AtomicBool::new(false), bytes: AtomicIsize::new(0) } }; AT_ONCE];

thread_local! {
    static MINE: Cell<Option<&'static Tally>> = const { Cell::new(None) };
}

/// Whom a thread counts for.
#[derive(Copy, Clone)]
pub struct Counting(Option<&'static Tally>);

/// Whom this thread counts for, to be handed to one that it starts.
pub fn mine() -> Counting {
    Counting(MINE.get())
}

impl Counting {
    /// Does the work on this thread, counted for the same.
    pub fn work<R>(self, work: impl FnOnce() -> R) -> R {
        let before = MINE.replace(self.0);
        let done = work();
        MINE.set(before);
        done
    }
}

/// The allocator of this thread gives out (or takes back, below 0) so many bytes.
#[inline]
pub fn grew(bytes: isize) {
    // A thread that is ending has none.
    if let Ok(Some(tally)) = MINE.try_with(Cell::get) {
        tally.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// What the work comes to, and the bytes that it has kept. 0 where the program has no allocator that tells.
pub fn of<R>(work: impl FnOnce() -> R) -> (R, u64) {
    let free = |tally: &&Tally| !tally.taken.swap(true, Ordering::Acquire);
    let Some(tally) = TALLIES.iter().find(free) else { return (work(), 0) };
    tally.bytes.store(0, Ordering::Relaxed);
    let done = Counting(Some(tally)).work(work);
    let kept = tally.bytes.load(Ordering::Relaxed);
    tally.taken.store(false, Ordering::Release);
    (done, u64::try_from(kept).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::super::parallel;
    use super::*;

    #[test]
    fn what_is_kept_is_counted_over_all_threads_of_the_work_and_nothing_else() {
        grew(5);
        let (done, kept) = of(|| {
            grew(100);
            let parts = parallel::map(&[1, 2, 3, 4], |n| {
                grew(n * 10);
                *n
            });
            let (inner, of_inner) = of(|| grew(1000));
            parallel::beside(|| grew(-30), || grew(7));
            (parts, inner, of_inner)
        });
        grew(5);
        assert_eq!((done.0, done.2), (vec![1, 2, 3, 4], 1000));
        assert_eq!(kept, 100 + 100 - 30 + 7, "what is counted by itself is not counted twice");
    }
}
