//! Connections of all listeners as one stream for the server.

use super::tls::Credentials;
use crate::app::subject_of;
use crate::mgmt::gate::{Connection, Duplex, FIRST_WORDS, Gate, Guest, Speech};
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

/// What those hear who speak something else.
const CLEAR: &str = "this is weir's gRPC without TLS, for `weir ctl`: suricatasc wants suricata-socket.path, a browser http.listen";
const TLS: &str = "this is weir's gRPC (rpc.listen) and wants TLS: `weir ctl --address https://HOST:PORT` with --ca, --cert and --key";

/// Characters kept of a name.
const LONGEST_NAME: usize = 200;

/// Between two lines in the log about who was refused.
const QUIET: Duration = Duration::from_secs(1);

/// A way in, and what guards it besides who may reach it.
pub struct Entrance {
    pub gate: Gate,
    pub tls: Option<Arc<Credentials>>,
}

impl Connected for Connection {
    type ConnectInfo = Guest;

    fn connect_info(&self) -> Guest {
        self.guest().clone()
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
        let tls = tls.as_ref().map(|credentials| credentials.now().into());
        // Beside the others: a slow one keeps its own place only.
        tokio::spawn(let_in(connection, tls, Arc::clone(&refused), give.clone()));
    }
}

/// Whoever speaks gRPC; the others hear what is spoken here.
async fn let_in(
    connection: Connection,
    tls: Option<TlsAcceptor>,
    refused: Arc<Refused>,
    give: mpsc::Sender<io::Result<Connection>>,
) {
    let peer = connection.peer();
    let (connection, speech) = match connection.first_words(FIRST_WORDS).await {
        Ok(heard) => heard,
        Err(error) => return tracing::debug!("rpc: a connection without a request ended: {error}"),
    };
    match (tls, speech) {
        (None, Speech::Http2) => _ = give.send(Ok(connection)).await,
        (Some(tls), Speech::Tls) => shake_hands(connection, tls, refused, give).await,
        (None, _) => connection.dismiss(speech, CLEAR).await,
        (Some(_), _) => {
            refused.tell(peer, &"it does not speak TLS");
            connection.dismiss(speech, TLS).await;
        }
    }
}

/// What a client's certificate calls him: one line that a log and a table can show.
fn name_in(certificate: &[u8]) -> Option<Arc<str>> {
    let subject = subject_of(certificate)?;
    Some(
        subject
            .chars()
            .map(|c| if c.is_control() { '?' } else { c })
            .take(LONGEST_NAME)
            .collect::<String>()
            .into(),
    )
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
    let peer = connection.peer();
    let begun = connection.with(HANDSHAKE, async |io| {
        let stream = tls.accept(io).await?;
        let name = stream.get_ref().1.peer_certificates().and_then(|chain| name_in(chain.first()?));
        let io: Box<dyn Duplex> = Box::new(stream);
        Ok((io, name))
    });
    match begun.await {
        Ok((connection, name)) => _ = give.send(Ok(connection.named(name))).await,
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            refused.tell(peer, &"it was too slow to begin with TLS");
        }
        Err(error) => refused.tell(peer, &error),
    }
}
