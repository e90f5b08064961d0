//! Lines to a unix socket (a stream, or a datagram a line) or a datagram a line by UDP.
//!
//! Never waits: the sockets do not block. A stream's reader that stops lets lines gather up to the backlog's bound; a server that is
//! gone is looked for at each flush. What UDP's other end does is not known, but for a port that is closed on a near host.

use super::backlog::{Backlog, FLUSH_AT};
use super::{Line, Sink, SinkCounts};
use crate::base::Time;
use socket2::{Domain, SockAddr, Socket, Type};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Who listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    UnixStream(PathBuf),
    UnixDatagram(PathBuf),
    Udp(SocketAddr),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::UnixStream(path) | Address::UnixDatagram(path) => path.display().fmt(f),
            Address::Udp(to) => write!(f, "udp:{to}"),
        }
    }
}

impl Address {
    fn connect(&self) -> io::Result<Socket> {
        let (domain, kind, to) = match self {
            Address::UnixStream(path) => (Domain::UNIX, Type::STREAM, SockAddr::unix(path)?),
            Address::UnixDatagram(path) => (Domain::UNIX, Type::DGRAM, SockAddr::unix(path)?),
            Address::Udp(to) => (Domain::for_address(*to), Type::DGRAM, SockAddr::from(*to)),
        };
        let socket = Socket::new(domain, kind, None)?;
        // Before connecting, which would wait for a server that has its queue full.
        socket.set_nonblocking(true)?;
        socket.connect(&to)?;
        Ok(socket)
    }

    /// Flushes without a fault before the other end counts as there: a closed UDP port is told of at every second one.
    fn convincing(&self) -> u8 {
        if matches!(self, Address::Udp(_)) { 2 } else { 1 }
    }
}

/// How long the last lines may wait for room, each 64 KiB of them.
const FAREWELL: Duration = Duration::from_millis(250);

/// A connected socket, or one that will be.
#[derive(Debug)]
pub struct SocketSink {
    address: Address,
    socket: Option<Socket>,
    backlog: Backlog,
    /// There was no room: the next turn tries again.
    blocked: bool,
    /// Bytes waiting at which the next line tries to write.
    write_at: usize,
    /// Flushes in a row that had something to write and no fault.
    clean: u8,
}

impl SocketSink {
    /// The server may come later: until then lines wait.
    pub fn open(address: Address) -> SocketSink {
        let backlog = Backlog::new(address.to_string());
        let mut sink =
            SocketSink { address, socket: None, backlog, blocked: false, write_at: FLUSH_AT, clean: 0 };
        sink.connect();
        sink
    }

    fn connect(&mut self) {
        match self.address.connect() {
            Ok(socket) => self.socket = Some(socket),
            Err(error) => self.backlog.fails(&error),
        }
    }

    fn write_out(&mut self) {
        let Some(socket) = &self.socket else { return };
        // The other end may be gone: an error is wanted, not SIGPIPE.
        let send = |bytes: &[u8]| socket.send_with_flags(bytes, libc::MSG_NOSIGNAL);
        let something = !self.backlog.waiting().is_empty();
        let poured = match self.address {
            Address::UnixStream(_) => self.backlog.pour(send),
            Address::UnixDatagram(_) | Address::Udp(_) => self.backlog.pour_lines(send),
        };
        self.blocked = false;
        match poured {
            Ok(()) => {
                self.clean = self.clean.saturating_add(u8::from(something));
                if something && self.clean >= self.address.convincing() {
                    self.backlog.works();
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.blocked = true,
            Err(error) => self.breaks(&error),
        }
        // A reader that stopped is not asked for each line.
        self.write_at = if self.blocked { self.backlog.waiting().len() + FLUSH_AT } else { FLUSH_AT };
    }

    fn breaks(&mut self, error: &io::Error) {
        self.clean = 0;
        self.backlog.fails(error);
        self.backlog.forget_cut();
        // A UDP socket has no connection that could be broken; kept, it tells of the next fault.
        if !matches!(self.address, Address::Udp(_)) {
            self.socket = None;
        }
    }

    /// Waits a little for a reader that is only slow.
    fn write_last(&mut self) {
        let Some(socket) = self.socket.as_ref().filter(|_| self.blocked) else { return };
        if socket.set_nonblocking(false).and_then(|()| socket.set_write_timeout(Some(FAREWELL))).is_err() {
            return;
        }
        let send = |bytes: &[u8]| socket.send_with_flags(bytes, libc::MSG_NOSIGNAL);
        let piece = |bytes: &[u8]| send(bytes.get(..FLUSH_AT).unwrap_or(bytes));
        let poured = match self.address {
            Address::UnixStream(_) => self.backlog.pour(piece),
            Address::UnixDatagram(_) | Address::Udp(_) => self.backlog.pour_lines(send),
        };
        if let Err(error) = poured {
            self.backlog.fails(&error);
        }
    }
}

impl Sink for SocketSink {
    fn write_line(&mut self, line: &Line<'_>) {
        self.backlog.push(line.text);
        if self.backlog.waiting().len() >= self.write_at {
            self.write_out();
        }
    }

    fn turn(&mut self, now: Time) {
        self.backlog.turn(now);
        if self.blocked {
            self.write_out();
        }
    }

    fn flush(&mut self) {
        if self.socket.is_none() {
            self.connect();
        }
        self.write_out();
    }

    /// A connection is nothing that is set aside: a reader that takes only one must keep it.
    fn reopen(&mut self) {
        self.flush();
    }

    fn counts(&self) -> SinkCounts {
        self.backlog.counts()
    }

    fn waiting(&self) -> usize {
        self.backlog.waiting().len()
    }

    fn finish(&mut self) -> SinkCounts {
        self.flush();
        self.write_last();
        self.backlog.lose_all();
        self.backlog.counts()
    }
}
