//! Connections of all listeners as one stream for the server.

use super::tls::Credentials;
use crate::mgmt::gate::{Connection, Gate};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

/// How long TLS may take to begin: after that the place is for somebody else.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// A way in, and what guards it besides who may reach it.
pub struct Entrance {
    pub gate: Gate,
    pub tls: Option<Arc<Credentials>>,
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
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
    loop {
        let connection = tokio::select! {
            connection = gate.next() => connection,
            () = give.closed() => return,
        };
        match &tls {
            None => _ = give.send(Ok(connection)).await,
            // Beside the others: a slow one keeps its own place only.
            Some(credentials) => {
                _ = tokio::spawn(shake_hands(connection, credentials.now().into(), give.clone()))
            }
        }
    }
}

async fn shake_hands(connection: Connection, tls: TlsAcceptor, give: mpsc::Sender<io::Result<Connection>>) {
    let (io, place) = connection.into_parts();
    match tokio::time::timeout(HANDSHAKE, tls.accept(io)).await {
        Ok(Ok(io)) => _ = give.send(Ok(Connection::from_parts(Box::new(io), place))).await,
        Ok(Err(error)) => tracing::info!("rpc: a client was refused: {error}"),
        Err(_) => tracing::info!("rpc: a client was too slow to begin with TLS"),
    }
}
