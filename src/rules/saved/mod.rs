//! A compiled rule set as a file, so that a start or a restart need not read rule text.
//!
//! Saved is what loading came to: the rules with all they say, what was refused and why, what lists did. Not saved are
//! compiled expressions and the tables of `inspect`: both are made anew from the set, over all cores. What takes longest of
//! that, where a matcher looks for each pattern, is saved as advice ([`Windows`](crate::rules::Windows)). So no bytes in the
//! file can mislead the path of a packet.
//!
//! The file: a [`seal`] (magic, format, build, fingerprint, length, checksum), then a head with what rules share, then the
//! rules in parts that are read side by side. It is of one build of weir and is not kept for another: rule text is.

mod fingerprint;
mod head;
mod read;
mod seal;
mod sound;
mod stored;
#[cfg(test)]
mod tests;
mod write;

pub use fingerprint::{Digest, Fingerprint, Printer};
pub use read::{Saved, read, read_body};
pub use seal::{HEADER, Unreadable, is_saved, seal};
pub use write::{Unsavable, write};
