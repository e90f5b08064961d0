//! Who comes in by a listener: so many at once and no more, so that nobody can take the process's descriptors.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

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

/// A connection with the place that it has.
pub struct Connection {
    io: Box<dyn Duplex>,
    place: OwnedSemaphorePermit,
    caller: Caller,
}

impl Connection {
    pub fn caller(&self) -> Caller {
        self.caller
    }

    /// Who it is, by TCP.
    pub fn peer(&self) -> Option<SocketAddr> {
        match self.caller {
            Caller::User(_) => None,
            Caller::Address(peer) => Some(peer),
        }
    }

    pub fn into_parts(self) -> (Box<dyn Duplex>, OwnedSemaphorePermit) {
        (self.io, self.place)
    }

    /// With other bytes both ways, as TLS makes of them.
    pub fn from_parts(io: Box<dyn Duplex>, place: OwnedSemaphorePermit, caller: Caller) -> Connection {
        Connection { io, place, caller }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
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
    places: Arc<Semaphore>,
    /// As the log calls it.
    name: &'static str,
    full: bool,
}

impl Gate {
    /// To be called within a runtime.
    pub fn unix(
        listener: &std::os::unix::net::UnixListener,
        places: usize,
        name: &'static str,
    ) -> io::Result<Gate> {
        listener.set_nonblocking(true)?;
        let listener = Listener::Unix(UnixListener::from_std(listener.try_clone()?)?);
        Ok(Gate { listener, places: Arc::new(Semaphore::new(places)), name, full: false })
    }

    /// To be called within a runtime.
    pub fn tcp(listener: std::net::TcpListener, places: usize, name: &'static str) -> io::Result<Gate> {
        listener.set_nonblocking(true)?;
        let listener = Listener::Tcp(TcpListener::from_std(listener)?);
        Ok(Gate { listener, places: Arc::new(Semaphore::new(places)), name, full: false })
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
            if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
                self.full = false;
                return Connection { io, place, caller };
            }
            if !std::mem::replace(&mut self.full, true) {
                tracing::warn!("{}: too many connections at once, further ones are turned away", self.name);
            }
        }
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
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpStream;

    #[test]
    fn who_finds_no_place_is_turned_away_and_a_place_that_is_left_is_given_again() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let mut gate = Gate::tcp(listener, 1, "test").unwrap();
            let first = TcpStream::connect(address).await.unwrap();
            let place = gate.next().await;
            let mut second = TcpStream::connect(address).await.unwrap();
            let mut byte = [0; 1];
            tokio::select! {
                _ = gate.next() => panic!("there was no place"),
                read = second.read(&mut byte) => assert_eq!(read.unwrap_or(0), 0),
            }
            drop((place, first));
            let third = TcpStream::connect(address).await.unwrap();
            gate.next().await;
            drop(third);
        });
    }
}
