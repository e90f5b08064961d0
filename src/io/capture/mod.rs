//! Capture files: what is in one ([`Summary`]), its records ([`Reader`]), and writing one ([`Writer`]).
//!
//! Reads pcap (micro- and nanoseconds, both byte orders) and pcapng; writes microsecond pcap. A replay takes its frames
//! through DPDK's `net_pcap`, which says neither a capture's link type nor when it ends: [`Summary`] does, and counts as
//! libpcap does.

pub mod pcapng;
mod reader;
mod scan;
#[cfg(test)]
mod tests;
mod writer;

pub use reader::{Reader, Record};
pub use scan::Summary;
pub use writer::Writer;

use std::io;
use std::path::PathBuf;

/// The longest frame libpcap believes in; a record that claims more is damage.
pub const MAX_FRAME: u32 = 262_144;

#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    #[error("{path}: {source}; correct the path, or its permissions", path = path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(
        "{path} is {what}, and a capture is read twice: write it to a file first (`cat {path} > FILE.pcap`)",
        path = path.display()
    )]
    NotAFile { path: PathBuf, what: &'static str },
    #[error("cannot write {path}: {source}; {mend}", path = path.display())]
    Write { path: PathBuf, source: io::Error, mend: String },
    #[error("{path} is no pcap or pcapng file{hint}", path = path.display())]
    NotACapture { path: PathBuf, hint: &'static str },
    #[error(
        "{path}: interface {interface} has the link type {other}, the first has {first}: split the capture by \
         interface (`tshark -r IN -Y 'frame.interface_id == {interface}' -w OUT`)",
        path = path.display()
    )]
    MixedLinkTypes { path: PathBuf, interface: usize, first: u16, other: u16 },
    #[error(
        "{path}: interface {interface} was captured with the snapshot length {other}, the first with {first}: \
         rewrite the capture as pcap (`editcap -F pcap IN OUT`)",
        path = path.display()
    )]
    MixedSnapshots { path: PathBuf, interface: usize, first: u32, other: u32 },
    #[error("{path} is damaged at byte {offset}: {reason}; good frames before it: {good}",
        path = path.display())]
    Damaged {
        path: PathBuf,
        /// Where the record begins.
        offset: u64,
        good: u64,
        reason: &'static str,
    },
}
