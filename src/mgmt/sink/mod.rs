//! Where lines of events go: files, unix sockets, syslog.
//!
//! Owes: for each sink `generated = exported + lost + waiting`, in lines, whatever becomes of the other end; never waits for
//! it. A fault is said once, as is its end. To add a kind of sink: implement [`Sink`] over a [`backlog::Backlog`], a word of
//! `outputs.*.to`, and an arm where outputs are opened (`mgmt/outputs.rs`).

pub mod backlog;
pub mod file;
pub mod framed;
pub mod rotation;
pub mod socket;
pub mod syslog;
pub mod tls;

#[cfg(test)]
mod tests;

pub use file::FileSink;
pub use framed::{FramedSink, Server};
pub use rotation::Rotation;
pub use socket::{Address, SocketSink};
pub use syslog::{Header, Syslog};
pub use tls::Trust;

use crate::base::Time;

/// What became of the lines so far.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkCounts {
    pub generated: u64,
    /// Handed to the system: a file's, or the socket's. What a reader does with them it does not tell.
    pub exported: u64,
    pub lost: u64,
}

/// An event made into a line.
#[derive(Copy, Clone, Debug)]
pub struct Line<'a> {
    /// Without its end, and without another end of line in it.
    pub text: &'a [u8],
    /// When it happened.
    pub time: Time,
    /// The event's type, as `outputs.eve.types` names it.
    pub kind: &'static str,
}

/// Takes lines. All of it belongs to one thread, which must not be held up.
pub trait Sink: Send {
    /// Adds a line, which may wait in memory until the flush.
    fn write_line(&mut self, line: &Line<'_>);
    /// Called some hundred times a second: what time it is, and an occasion to go on with what found no room.
    fn turn(&mut self, now: Time);
    /// Writes what waits, and tries anew what is broken.
    fn flush(&mut self);
    /// SIGHUP: files are closed and opened again, as logrotate needs it.
    fn reopen(&mut self);
    fn counts(&self) -> SinkCounts;
    /// Bytes of lines in memory.
    fn waiting(&self) -> usize;
    /// Flushes; what cannot be written now is lost.
    fn finish(&mut self) -> SinkCounts;
}
