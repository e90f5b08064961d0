//! TCP payload in order: bounded streams per direction, and windows of contiguous bytes for inspection.
//!
//! Owes: every byte of a stream once, in order, up to the depth; gaps shown as gaps; memory bounded per stream and per
//! worker, refusals with a reason; no allocation after start. Owns the blocks the bytes wait in. A stream is named by the
//! handle in [`Session::streams`](crate::session::Session), freed by [`Streams::release`] when the session ends.
//!
//! A packet's way: [`Streams::feed`] with what the tracker said of the segment; then, for the packet's own direction,
//! [`Streams::window`] and [`Streams::consumed`] until there is no window left. A decoder has a place of its own in each
//! stream ([`Streams::chunk`], [`Streams::decoded`]): it is given each byte once, as soon as it may be looked at.
//!
//! Two modes of [`Delivery`]:
//! - `Inline`: every byte in order can be inspected at once, before the segment that brought it leaves.
//! - `Acknowledged` (as Suricata does without `inline`): bytes can be inspected once the other side acknowledged them,
//!   and are handed out when a chunk of them waits, or at the stream's end ([`Streams::finish`] at the session's end), or when
//!   [`Streams::trigger`] asks. The packet whose arrival hands them out is then a later one of the same direction.
//!
//! Overlaps: a different second copy of a byte is reported. Where the caller drops its segment the first copy holds;
//! elsewhere the receiver's [`OverlapPolicy`] chooses, among bytes that nobody looked at and the receiver has not
//! acknowledged. Comparison reaches back to the lookback: older bytes are no longer there.
//!
//! The urgent byte of a segment stays out of windows and chunks ([`Urgent::OutOfBand`]).

mod blocks;
mod direction;
mod memo;
mod odd;
mod owners;
mod policy;
mod ranges;
mod settings;
mod streams;
mod tables;
mod urgent;

pub use memo::Memo;
pub use policy::OverlapPolicy;
pub use settings::{Delivery, PolicyTable, Settings, Urgent};
pub use streams::{Chunk, Counters, Fed, Streams, Window};
