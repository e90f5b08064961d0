//! Management: configuration in, events and answers out, on a thread that never touches a worker's tables.

pub mod config;
pub mod control;
pub mod eve;

pub use config::{Config, Profile};
pub use control::{Control, ControlError};
