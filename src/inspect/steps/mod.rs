//! What one buffer must hold: a rule's chain of steps, evaluated with Suricata's meaning.
//!
//! Steps run in order. `distance`, `within`, `/R` and `relative` count from where the last content, pcre or byte step
//! ended. When such a relative step fails, the step before it looks for its next match and the rest is tried again;
//! when a step fails that depends on nothing before it, the chain has failed. Every search costs from one [`Budget`].
//!
//! Positions are those of the whole buffer or stream: a window of a stream knows the offset of its first byte, so
//! `offset` and `depth` mean the stream's start wherever the window stands.

mod bytes;
mod eval;
mod measure;
mod needle;
mod number;
mod pcre;
mod program;
mod subject;
#[cfg(test)]
mod tests;

pub(crate) use eval::{Verdict, evaluate};
pub(crate) use pcre::{Memory, PcreCaches, Pcres};
pub(crate) use program::{Need, Program};
pub(crate) use subject::Subject;

/// Work that may still be done for the present packet, in units of one step or 64 bytes searched.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Budget(pub(crate) u32);

/// Bytes searched for one unit of work.
const BYTES_PER_UNIT: usize = 64;

impl Budget {
    /// Pays for a step that looked through `bytes`; false when there is not enough left.
    pub(crate) fn pay(&mut self, bytes: usize) -> bool {
        let price = u32::try_from(1 + bytes / BYTES_PER_UNIT).unwrap_or(u32::MAX);
        let enough = self.0 >= price;
        self.0 = self.0.saturating_sub(price);
        enough
    }
}
