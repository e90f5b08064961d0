//! External plugins that never return or bring the process down: found, named, and the process's last act because of one.
//!
//! A process cannot contain such code: it may be in the middle of anything. What is owed instead: whoever is at fault is
//! known by name ([`Suspect`]) on every thread that can be inside of it ([`marks`]), a call that does not end is seen
//! ([`Sight`]), as is a signal of the processor's ([`signals`]), and then one [`Sentence`] is passed and carried out
//! ([`sentence`]): the process starts anew without the plugin, or ends. What is read or written after a crash is plain
//! atomics and fixed memory; no lock, no allocation.

#![allow(unsafe_code)] // thread-local marks and signal handlers; each block says why it is sound

pub mod marks;
pub mod sentence;
mod sight;
mod signals;
mod suspects;

pub use marks::{Place, Seat};
pub use sentence::{LastAct, LeftOut, Restarted, Sentence};
pub use sight::{Limits, Sight, Sighting};
pub use suspects::{Suspect, assign, suspect};
