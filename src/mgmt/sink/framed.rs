//! Syslog messages over a connection, each behind its length (RFC 6587, section 3.4.1): by TCP, or by TLS (RFC 5425).
//!
//! Never waits: sockets do not block, and a handshake goes on at each turn. What the other end has acknowledged is not known: a
//! message that the system took counts as exported. One that was sent in part when the connection broke is lost by TCP; by TLS
//! it is sent anew, because nobody can have read a record in part.

use super::backlog::{Backlog, FLUSH_AT};
use super::tls::{Session, Trust};
use super::{Line, Sink, SinkCounts};
use crate::base::Time;
use socket2::{Domain, SockAddr, Socket, TcpKeepalive, Type};
use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

/// After a connection that failed: a handshake a flush would be a flood.
const AGAIN: Duration = Duration::from_secs(1);

/// How long the other end may acknowledge nothing before it counts as gone, and how long it may be silent before it is asked.
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);
const SILENCE: Duration = Duration::from_secs(30);

/// How long the last lines may wait for room.
const FAREWELL: Duration = Duration::from_millis(250);

/// Reads at a time of what a server sends, which nobody wants: an end is among it.
const MOST_READS: usize = 4;

/// Who listens.
#[derive(Clone, Debug)]
pub struct Server {
    pub to: SocketAddr,
    /// None: in clear.
    pub trust: Option<Trust>,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", if self.trust.is_some() { "tls" } else { "tcp" }, self.to)
    }
}

struct Link {
    socket: Socket,
    session: Option<Session>,
}

/// A connection, or one that will be.
pub struct FramedSink {
    server: Server,
    link: Option<Link>,
    backlog: Backlog,
    frame: Vec<u8>,
    now: Time,
    /// No connection is made before.
    next: Time,
    /// There was no room: the next turn tries again.
    blocked: bool,
    /// Bytes waiting at which the next line tries to write.
    write_at: usize,
}

impl FramedSink {
    /// The server may come later: until then lines wait.
    pub fn open(server: Server) -> FramedSink {
        let backlog = Backlog::new(server.to_string());
        let mut sink = FramedSink {
            server,
            link: None,
            backlog,
            frame: Vec::with_capacity(4096),
            now: Time::ZERO,
            next: Time::ZERO,
            blocked: false,
            write_at: FLUSH_AT,
        };
        sink.connect();
        sink
    }

    fn connect(&mut self) {
        self.next = self.now.plus(AGAIN);
        let session = self.server.trust.as_ref().map(Trust::session).transpose();
        match session.and_then(|session| Ok(Link { socket: dial(self.server.to)?, session })) {
            Ok(link) => self.link = Some(link),
            Err(error) => self.backlog.fails(&error),
        }
    }

    fn write_out(&mut self) {
        let Some(link) = &mut self.link else { return };
        let something = !self.backlog.waiting().is_empty();
        let sent = hear(link).and_then(|()| match &mut link.session {
            None => self.backlog.pour_frames(|bytes| link.socket.send_with_flags(bytes, libc::MSG_NOSIGNAL)),
            Some(session) => session.pour(&mut Quiet(&link.socket), &mut self.backlog),
        });
        self.blocked = false;
        match sent {
            Ok(()) if something => self.backlog.works(),
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.blocked = true,
            Err(error) => {
                self.link = None;
                self.backlog.fails(&error);
                self.backlog.forget_cut();
            }
        }
        self.write_at = if self.blocked { self.backlog.waiting().len() + FLUSH_AT } else { FLUSH_AT };
    }
}

/// Begins to connect.
fn dial(to: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(SILENCE))?;
    match socket.connect(&SockAddr::from(to)) {
        // Until the connection stands there is no room.
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(socket),
    }
}

/// Takes what the server says; an error is the end of the connection.
fn hear(link: &mut Link) -> io::Result<()> {
    if let Some(session) = &mut link.session {
        return session.hear(&mut Quiet(&link.socket));
    }
    let mut unwanted = [0; 512];
    for _ in 0..MOST_READS {
        match (&link.socket).read(&mut unwanted) {
            Ok(0) => return Err(io::ErrorKind::ConnectionReset.into()),
            Ok(_) => {}
            // Not connected yet is no room either.
            Err(error)
                if error.kind() == io::ErrorKind::WouldBlock
                    || error.kind() == io::ErrorKind::NotConnected =>
            {
                break;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Bytes of a session: an error is wanted from an end that is gone, not SIGPIPE.
struct Quiet<'a>(&'a Socket);

impl io::Read for Quiet<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.0.read(into) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                Err(io::ErrorKind::WouldBlock.into())
            }
            read => read,
        }
    }
}

impl io::Write for Quiet<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send_with_flags(bytes, libc::MSG_NOSIGNAL)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for FramedSink {
    fn write_line(&mut self, line: &Line<'_>) {
        self.frame.clear();
        // Into memory: cannot fail.
        let _ = write!(self.frame, "{} ", line.text.len());
        self.frame.extend_from_slice(line.text);
        self.backlog.push(&self.frame);
        if self.backlog.waiting().len() >= self.write_at {
            self.write_out();
        }
    }

    fn turn(&mut self, now: Time) {
        self.now = now;
        self.backlog.turn(now);
        if self.blocked {
            self.write_out();
        }
    }

    fn flush(&mut self) {
        if self.link.is_none() && self.now >= self.next {
            self.connect();
        }
        self.write_out();
    }

    /// A connection is nothing that is set aside.
    fn reopen(&mut self) {
        self.flush();
    }

    fn counts(&self) -> SinkCounts {
        self.backlog.counts()
    }

    fn waiting(&self) -> usize {
        self.backlog.waiting().len()
    }

    /// Waits a little for a server that is only slow, and tells it the end.
    fn finish(&mut self) -> SinkCounts {
        self.flush();
        if let Some(link) = self.link.as_ref().filter(|_| self.blocked) {
            let socket = &link.socket;
            let patient = socket
                .set_nonblocking(false)
                .and_then(|()| socket.set_write_timeout(Some(FAREWELL)))
                .and_then(|()| socket.set_read_timeout(Some(Duration::from_millis(1))));
            // A write that took nothing in its time is the end of it.
            let mut before = None;
            while patient.is_ok() && self.blocked && before != Some(self.backlog.waiting().len()) {
                before = Some(self.backlog.waiting().len());
                self.write_out();
            }
        }
        if let Some(Link { socket, session: Some(session) }) = &mut self.link {
            session.end(&mut Quiet(socket));
        }
        self.backlog.lose_all();
        self.backlog.counts()
    }
}
