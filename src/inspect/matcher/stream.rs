//! What the matcher keeps of a stream between its chunks.

use super::PatternId;
use super::filter::KEPT;

/// One direction of one stream before one [`Matcher`](super::Matcher): 24 bytes. A new one for a new stream, after a
/// gap and after a change of the rule set.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamState {
    /// The last bytes of the stream.
    tail: [u8; KEPT],
    tail_len: u8,
    /// A pattern that began before the tail, or the state of an automaton.
    pattern: u32,
    /// How many bytes of the pattern are there; 0 for none.
    matched: u32,
}

impl StreamState {
    pub(super) fn tail(&self) -> &[u8] {
        self.tail.get(..usize::from(self.tail_len)).unwrap_or_default()
    }

    pub(super) fn begun(&self) -> Option<(PatternId, usize)> {
        (self.matched > 0).then_some((PatternId(self.pattern), self.matched as usize))
    }

    /// Takes leave of `chunk`, at whose end `begun` is unfinished.
    pub(super) fn keep(&mut self, chunk: &[u8], begun: Option<(PatternId, usize)>) {
        let fresh = chunk.len().min(KEPT);
        let old = usize::from(self.tail_len).min(KEPT - fresh);
        let from = usize::from(self.tail_len) - old;
        self.tail.copy_within(from..from + old, 0);
        self.tail[old..old + fresh].copy_from_slice(&chunk[chunk.len() - fresh..]);
        self.tail_len = (old + fresh) as u8;
        // A pattern of 4 GiB is refused when the set is built.
        let (id, len) = begun.unwrap_or((PatternId(0), 0));
        (self.pattern, self.matched) = (id.0, len as u32);
    }

    pub(super) fn automaton(&self) -> Option<u32> {
        (self.matched > 0).then_some(self.pattern)
    }

    pub(super) fn set_automaton(&mut self, state: u32) {
        (self.pattern, self.matched) = (state, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_the_streams_end_however_it_came() {
        let stream: Vec<u8> = (0..60).collect();
        for size in 1..40 {
            let mut state = StreamState::default();
            let mut past = 0;
            for chunk in stream.chunks(size) {
                state.keep(chunk, None);
                past += chunk.len();
                assert_eq!(state.tail(), &stream[past - past.min(KEPT)..past], "chunks of {size}");
            }
        }
    }

    #[test]
    fn it_is_small() {
        assert_eq!(size_of::<StreamState>(), 24);
    }
}
