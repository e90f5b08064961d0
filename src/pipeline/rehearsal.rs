//! A panic on demand, in debug builds only: tests see through the built binary what becomes of the other lcores and of the frames.

/// `LCORE:FRAMES`: lcore 0 is the main one, then the workers; it panics over the burst that makes up so many frames.
const VARIABLE: &str = "WEIR_REHEARSE_PANIC";

/// What is left until then; none where nothing is rehearsed.
pub(super) struct Rehearsal(Option<usize>);

impl Rehearsal {
    pub(super) fn of(lcore: usize) -> Rehearsal {
        if !cfg!(debug_assertions) {
            return Rehearsal(None);
        }
        let told = std::env::var(VARIABLE).ok();
        let told = told.as_deref().and_then(|text| text.split_once(':'));
        let told = told.filter(|(who, _)| who.parse() == Ok(lcore));
        Rehearsal(told.and_then(|(_, frames)| frames.parse().ok()))
    }

    #[inline]
    #[allow(clippy::panic)] // that is what it is for
    pub(super) fn moved(&mut self, frames: usize) {
        let Some(left) = &mut self.0 else { return };
        *left = left.saturating_sub(frames);
        if *left == 0 {
            panic!("rehearsed by {VARIABLE}");
        }
    }
}
