//! Settings of plugins that may become others while traffic runs: those that no memory was taken by.

use crate::base::ExceptionPolicies;
use crate::stream;

/// What detection goes by. Whoever takes a table over leaves its own here, so that nothing is freed on a worker.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// Depth, how far ahead, urgent pointers and overlaps; the rest stays as it is.
    pub streams: stream::Settings,
    pub exceptions: ExceptionPolicies,
    pub packet_alert_max: usize,
}
