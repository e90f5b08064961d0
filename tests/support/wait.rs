//! Waiting for a condition, with a deadline.

use std::time::{Duration, Instant};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// Looks until `found` is something; none when the time is over.
#[allow(clippy::disallowed_methods)] // the deadline of a test is real time
pub fn within<T>(limit: Duration, mut found: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(value) = found() {
            return Some(value);
        }
        if Instant::now() >= end {
            return None;
        }
        std::thread::park_timeout(LOOK);
    }
}

/// Like [`within`] for half a minute, which no healthy condition needs.
#[track_caller]
pub fn until<T>(what: &str, found: impl FnMut() -> Option<T>) -> T {
    within(Duration::from_secs(30), found).unwrap_or_else(|| panic!("waited in vain for {what}"))
}
