//! Memory that decoders need while a message comes, and not between two: one worker's, lent to whichever is at work. In
//! the decoders it would lie idle with each of many thousand sessions that wait.

use super::{http1, http2};

#[derive(Default)]
pub(super) struct Lent {
    pub(super) http1: http1::Heads,
    pub(super) http2: http2::Fields,
}
