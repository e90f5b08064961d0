//! eve.json: events in the field names and types that Suricata gives them.

pub mod merge;

pub use merge::{Merger, Order};
