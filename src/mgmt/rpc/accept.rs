//! Connections of all listeners as one stream for the server.

use super::tls::Credentials;
use crate::mgmt::gate::{Caller, Connection, Gate};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

/// How long TLS may take to begin: after that the place is for somebody else.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// Between two lines in the log about who was refused.
const QUIET: Duration = Duration::from_secs(1);

/// A way in, and what guards it besides who may reach it.
pub struct Entrance {
    pub gate: Gate,
    pub tls: Option<Arc<Credentials>>,
}

impl Connected for Connection {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        self.caller()
    }
}

/// Whoever comes in, until the stream is dropped.
pub(super) fn connections(entrances: Vec<Entrance>) -> ReceiverStream<io::Result<Connection>> {
    let (give, take) = mpsc::channel(1);
    for entrance in entrances {
        tokio::spawn(attend(entrance, give.clone()));
    }
    ReceiverStream::new(take)
}

async fn attend(Entrance { mut gate, tls }: Entrance, give: mpsc::Sender<io::Result<Connection>>) {
    let refused = Arc::new(Refused::default());
    loop {
        let connection = tokio::select! {
            connection = gate.next() => connection,
            () = give.closed() => return,
        };
        match &tls {
            None => _ = give.send(Ok(connection)).await,
            // Beside the others: a slow one keeps its own place only.
            Some(credentials) => {
                let (tls, refused) = (credentials.now().into(), Arc::clone(&refused));
                tokio::spawn(shake_hands(connection, tls, refused, give.clone()));
            }
        }
    }
}

/// Who was refused, told once a second at most: anybody can have himself refused.
#[derive(Default)]
struct Refused {
    quiet: AtomicBool,
    untold: AtomicU64,
}

impl Refused {
    fn tell(self: Arc<Self>, peer: Option<SocketAddr>, why: &dyn std::fmt::Display) {
        if self.quiet.swap(true, Ordering::Relaxed) {
            self.untold.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let who = peer.map_or_else(|| "somebody".to_owned(), |peer| peer.to_string());
        tracing::warn!("rpc: {who} was refused: {why}");
        tokio::spawn(async move {
            tokio::time::sleep(QUIET).await;
            self.quiet.store(false, Ordering::Relaxed);
            match self.untold.swap(0, Ordering::Relaxed) {
                0 => {}
                untold => tracing::warn!("rpc: {untold} more were refused"),
            }
        });
    }
}

async fn shake_hands(
    connection: Connection,
    tls: TlsAcceptor,
    refused: Arc<Refused>,
    give: mpsc::Sender<io::Result<Connection>>,
) {
    let (peer, caller) = (connection.peer(), connection.caller());
    let (io, place) = connection.into_parts();
    match tokio::time::timeout(HANDSHAKE, tls.accept(io)).await {
        Ok(Ok(io)) => _ = give.send(Ok(Connection::from_parts(Box::new(io), place, caller))).await,
        Ok(Err(error)) => refused.tell(peer, &error),
        Err(_) => refused.tell(peer, &"it was too slow to begin with TLS"),
    }
}
