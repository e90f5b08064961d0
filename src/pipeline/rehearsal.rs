//! A panic or a stall on demand, in debug builds only: tests see through the built binary what becomes of the other lcores and of
//! the frames.

use std::time::Duration;

/// `LCORE:FRAMES`: lcore 0 is the main one, then the workers; it panics over the burst that makes up so many frames.
const PANIC: &str = "WEIR_REHEARSE_PANIC";

/// `LCORE:FRAMES:MILLISECONDS`: it does nothing for so long after the burst that makes up so many frames, once.
const STALL: &str = "WEIR_REHEARSE_STALL";

#[derive(Copy, Clone)]
enum Deed {
    Panic,
    Stall(Duration),
}

/// Frames that are left until then; none where nothing is rehearsed.
pub(super) struct Rehearsal(Option<(usize, Deed)>);

impl Rehearsal {
    pub(super) fn of(lcore: usize) -> Rehearsal {
        if !cfg!(debug_assertions) {
            return Rehearsal(None);
        }
        let told = |variable| {
            let text = std::env::var(variable).ok()?;
            let numbers: Option<Vec<usize>> = text.split(':').map(|word| word.parse().ok()).collect();
            numbers.filter(|numbers| numbers.first() == Some(&lcore))
        };
        let panic = told(PANIC).and_then(|numbers| Some((*numbers.get(1)?, Deed::Panic)));
        let stall = || {
            let numbers = told(STALL)?;
            Some((*numbers.get(1)?, Deed::Stall(Duration::from_millis(*numbers.get(2)? as u64))))
        };
        Rehearsal(panic.or_else(stall))
    }

    #[inline]
    #[allow(clippy::panic)] // that is what it is for
    pub(super) fn moved(&mut self, frames: usize) {
        let Some((left, deed)) = &mut self.0 else { return };
        *left = left.saturating_sub(frames);
        if *left > 0 {
            return;
        }
        match *deed {
            Deed::Panic => panic!("rehearsed by {PANIC}"),
            Deed::Stall(span) => {
                self.0 = None;
                std::thread::park_timeout(span);
            }
        }
    }
}
