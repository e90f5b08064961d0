//! Who comes in by a listener: so many at once and no more, so that nobody can take the process's descriptors. Owes: when all
//! places are taken whoever has been idle for longest loses his; who is turned away hears why in the language of the door.

mod seats;
mod speech;

pub use seats::{Busy, Seat};
pub use speech::{Refusal, Speech};

use seats::{Leave, Seats};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;

/// How long somebody may take to say the first words: after that the place is for others.
pub const FIRST_WORDS: Duration = Duration::from_secs(10);

/// How long somebody who is sent away may take to hear why, and how many do at once without a place.
const FAREWELL: Duration = Duration::from_secs(1);
const FAREWELLS: usize = 16;

/// Bytes that he may still send meanwhile.
const LAST_BYTES: u64 = 64 << 10;

/// Before the next try when the system gives no connection: it may be out of descriptors for a while.
const REST: Duration = Duration::from_millis(100);

/// Bytes both ways.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Who is at the other end.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Of this machine, by number; the system may not know.
    User(Option<u32>),
    Address(SocketAddr),
}

/// Whose connection a request came by.
#[derive(Clone, Debug)]
pub struct Guest {
    pub caller: Caller,
    /// As a certificate that was accepted calls him.
    pub name: Option<Arc<str>>,
    pub seat: Arc<Seat>,
}

/// A connection with the place that it has. When that is given to somebody else, it reads as if the other end had closed.
pub struct Connection {
    io: Box<dyn Duplex>,
    guest: Guest,
    leave: Leave,
}

impl Connection {
    pub fn guest(&self) -> &Guest {
        &self.guest
    }

    /// The same, of whom it is known now what he is called.
    pub fn named(mut self, name: Option<Arc<str>>) -> Connection {
        self.guest.name = name;
        self
    }

    /// Who it is, by TCP.
    pub fn peer(&self) -> Option<SocketAddr> {
        match self.guest.caller {
            Caller::User(_) => None,
            Caller::Address(peer) => Some(peer),
        }
    }

    /// Waits until it is clear what the other end speaks; the bytes are read again by whoever goes on.
    pub async fn first_words(self, patience: Duration) -> io::Result<(Connection, Speech)> {
        let (connection, spoken) = self
            .with(patience, async |mut io| {
                let mut head = Vec::with_capacity(32);
                loop {
                    let mut byte = [0; 1];
                    match io.read(&mut byte).await? {
                        0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                        _ => head.extend(byte),
                    }
                    if let Some(speech) = speech::of(&head) {
                        let io: Box<dyn Duplex> = Box::new(Again { head, read: 0, io });
                        return Ok((io, speech));
                    }
                }
            })
            .await?;
        Ok((connection, spoken))
    }

    /// With other bytes both ways, as TLS makes of them; no longer than `patience`, and only while the place is his.
    pub async fn with<T, F: Future<Output = io::Result<(Box<dyn Duplex>, T)>>>(
        self,
        patience: Duration,
        make: impl FnOnce(Box<dyn Duplex>) -> F,
    ) -> io::Result<(Connection, T)> {
        let Connection { io, guest, mut leave } = self;
        let (io, more) = tokio::select! {
            made = tokio::time::timeout(patience, make(io)) => {
                made.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?
            }
            _ = &mut leave => return Err(io::ErrorKind::ConnectionAborted.into()),
        };
        Ok((Connection { io, guest, leave }, more))
    }

    /// Sends him away, and tells why in his own language.
    pub async fn dismiss(self, speech: Speech, text: &str) {
        farewell(self.io, speech::answer(speech, Refusal::WrongDoor, text)).await;
    }
}

/// Hears the other end out, so that no reset overtakes what is said. How he takes it is his affair.
async fn farewell(mut io: Box<dyn Duplex>, words: Vec<u8>) {
    let said = async {
        io.write_all(&words).await?;
        io.shutdown().await?;
        tokio::io::copy(&mut io.take(LAST_BYTES), &mut tokio::io::sink()).await
    };
    let _ = tokio::time::timeout(FAREWELL, said).await;
}

/// Bytes that were read are read again first.
struct Again {
    head: Vec<u8>,
    read: usize,
    io: Box<dyn Duplex>,
}

impl AsyncRead for Again {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let rest = self.head.get(self.read..).unwrap_or_default();
        if rest.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let now = rest.get(..buf.remaining()).unwrap_or(rest);
        buf.put_slice(now);
        let length = now.len();
        self.read += length;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Again {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if Pin::new(&mut self.leave).poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

/// A listener and its places.
pub struct Gate {
    listener: Listener,
    seats: Arc<Seats>,
    places: usize,
    farewells: Arc<Semaphore>,
    /// As the log calls it.
    name: &'static str,
    /// What is spoken here.
    speech: Speech,
    full: bool,
}

impl Gate {
    /// To be called within a runtime.
    pub fn unix(
        listener: &std::os::unix::net::UnixListener,
        places: usize,
        name: &'static str,
        speech: Speech,
    ) -> io::Result<Gate> {
        listener.set_nonblocking(true)?;
        let listener = Listener::Unix(UnixListener::from_std(listener.try_clone()?)?);
        Ok(Gate::with(listener, places, name, speech))
    }

    /// To be called within a runtime.
    pub fn tcp(
        listener: std::net::TcpListener,
        places: usize,
        name: &'static str,
        speech: Speech,
    ) -> io::Result<Gate> {
        listener.set_nonblocking(true)?;
        Ok(Gate::with(Listener::Tcp(TcpListener::from_std(listener)?), places, name, speech))
    }

    fn with(listener: Listener, places: usize, name: &'static str, speech: Speech) -> Gate {
        let (seats, farewells) = (Seats::new(places), Arc::new(Semaphore::new(FAREWELLS)));
        Gate { listener, seats, places, farewells, name, speech, full: false }
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The next one who finds a place. Who finds none is turned away at once, which tells him more than waiting would.
    pub async fn next(&mut self) -> Connection {
        loop {
            let (io, caller) = match self.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::debug!("{}: no connection: {error}", self.name);
                    tokio::time::sleep(REST).await;
                    continue;
                }
            };
            if let Some((seat, leave)) = self.seats.take() {
                self.full = false;
                return Connection { io, guest: Guest { caller, name: None, seat }, leave };
            }
            if !std::mem::replace(&mut self.full, true) {
                tracing::warn!(
                    "{}: {} connections at once, all with requests under way; further ones are turned away",
                    self.name,
                    self.places
                );
            }
            self.turn_away(io);
        }
    }

    fn turn_away(&self, io: Box<dyn Duplex>) {
        // More at once hear nothing.
        let Ok(one) = Arc::clone(&self.farewells).try_acquire_owned() else { return };
        let text = format!(
            "{}: {} connections at once have requests under way, and there is no place for more: end one of them, or ask again",
            self.name, self.places
        );
        let words = speech::answer(self.speech, Refusal::Full, &text);
        tokio::spawn(async move {
            farewell(io, words).await;
            drop(one);
        });
    }

    async fn accept(&self) -> io::Result<(Box<dyn Duplex>, Caller)> {
        Ok(match &self.listener {
            Listener::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                let user = stream.peer_cred().ok().map(|peer| peer.uid());
                (Box::new(stream), Caller::User(user))
            }
            Listener::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                stream.set_nodelay(true)?;
                (Box::new(stream), Caller::Address(peer))
            }
        })
    }
}

#[cfg(test)]
mod tests;
