//! What this binary was built from (stamped by the build script).

pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Twelve hex digits, or `unknown`.
pub const COMMIT: &str = env!("WEIR_COMMIT");
/// Of the headers it was built with.
pub const DPDK: &str = env!("WEIR_DPDK_VERSION");
pub const COMPILER: &str = env!("WEIR_BUILT_WITH");
