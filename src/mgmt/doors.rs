//! The doors that others come in by: gRPC's socket and TCP port, Suricata's socket, HTTP. Opened before the appliance starts, so
//! that one that cannot be opened is a fault of the start; served by a thread of their own, so that no client, however many
//! come and whatever they want, delays events on their way to the outputs.

use crate::mgmt::config::value::Auto;
use crate::mgmt::config::{Config, Loaded};
use crate::mgmt::control::Control;
use crate::mgmt::gate::{Gate, Speech};
use crate::mgmt::pulse::{self, Health};
use crate::mgmt::rpc::accept::Entrance;
use crate::mgmt::rpc::socket::{self, Bound, SocketError};
use crate::mgmt::rpc::tls::{Credentials, TlsError, TlsFiles};
use crate::mgmt::{http, rpc, suricata_socket};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// How long what somebody had asked for may go on when the doors close: a reload of many rules takes seconds.
const LAST_WORDS: Duration = Duration::from_secs(30);

/// Why a door cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    #[error(transparent)]
    Socket(#[from] SocketError),
    #[error("[rpc.tls]: {0}")]
    Tls(#[from] TlsError),
    #[error(
        "cannot listen at {address}: {error}; set {key} to an address of this machine and a port that is free"
    )]
    Listen { address: SocketAddr, key: &'static str, error: io::Error },
}

/// Those that the configuration has, open.
#[derive(Debug, Default)]
pub struct Doors {
    rpc: Option<Bound>,
    tcp: Option<(TcpListener, Option<Credentials>)>,
    suricata: Option<Bound>,
    http: Option<TcpListener>,
}

impl Doors {
    /// Listens; nobody is answered yet.
    pub fn open(loaded: &Loaded) -> Result<Doors, DoorError> {
        let config = &loaded.config;
        let rpc = &config.rpc;
        let mut doors = Doors::default();
        if rpc.enabled {
            doors.rpc = Some(socket::bind(&socket::path(rpc), rpc.group_access, socket::KEY)?);
            if let Some(address) = rpc.listen.0 {
                let tls = match rpc.tls.is_set() {
                    true => Some(Credentials::load(tls_files(config, &loaded.base))?),
                    false => None,
                };
                tls.iter().for_each(Credentials::tell_doubts);
                doors.tcp = Some((listen(address, "rpc.listen")?, tls));
            }
        }
        if config.suricata_socket.enabled {
            doors.suricata = open_suricata(config)?;
        }
        if let Some(address) = config.http.listen.0 {
            doors.http = open_http(address, loaded.places.contains_key(http::KEY))?;
        }
        doors.tell();
        Ok(doors)
    }

    fn tell(&self) {
        let address =
            |listener: &TcpListener| listener.local_addr().map_or_else(|e| e.to_string(), |a| a.to_string());
        match &self.tcp {
            Some((listener, Some(_))) => tracing::info!("rpc: mutual TLS at {}", address(listener)),
            Some((listener, None)) => tracing::warn!(
                "rpc: {} without TLS: every user of this machine may command this appliance",
                address(listener)
            ),
            None => {}
        }
        if let Some(listener) = &self.http {
            tracing::info!("http: metrics and health at {}", address(listener));
        }
    }

    /// Answers until what is returned is dropped.
    pub fn serve(self, control: Arc<dyn Control>) -> io::Result<Open> {
        let (close, closed) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let body = move || {
            let ended = runtime.block_on(async {
                tokio::select! {
                    ended = self.attend(control) => ended,
                    _ = closed => Ok(()),
                }
            });
            if let Err(error) = ended {
                tracing::error!("rpc, http and suricata-socket answer no more: {error}");
            }
            runtime.shutdown_timeout(LAST_WORDS);
        };
        let thread = std::thread::Builder::new().name("weir-doors".into()).spawn(body)?;
        Ok(Open { close: Some(close), thread: Some(thread) })
    }

    async fn attend(self, control: Arc<dyn Control>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let (tell, health) =
            watch::channel(Health { unready: vec!["just started".into()], ..Health::default() });
        tokio::spawn(pulse::watch(Arc::clone(&control), tell));
        let mut entrances = Vec::new();
        if let Some(bound) = &self.rpc {
            let gate = Gate::unix(&bound.listener, rpc::PLACES, "rpc.socket", Speech::Http2)?;
            entrances.push(Entrance { gate, tls: None });
        }
        if let Some((listener, tls)) = self.tcp {
            let speech = if tls.is_some() { Speech::Tls } else { Speech::Http2 };
            let gate = Gate::tcp(listener, rpc::PLACES, "rpc.listen", speech)?;
            entrances.push(Entrance { gate, tls: tls.map(Arc::new) });
        }
        if let Some(bound) = &self.suricata {
            let gate = Gate::unix(&bound.listener, suricata_socket::PLACES, "suricata-socket", Speech::Json)?;
            tokio::spawn(suricata_socket::serve(gate, Arc::clone(&control)));
        }
        if let Some(listener) = self.http {
            let gate = Gate::tcp(listener, http::PLACES, "http", Speech::Http1)?;
            tokio::spawn(http::serve(gate, Arc::clone(&control), health.clone()));
        }
        if entrances.is_empty() {
            return std::future::pending().await;
        }
        Ok(rpc::serve(entrances, control, health).await?)
    }
}

/// Doors that are served; closed when this is dropped.
pub struct Open {
    close: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(close) = self.close.take() {
            // Who does not listen has ended by himself.
            let _ = close.send(());
        }
        if let Some(thread) = self.thread.take() {
            // A panic of it was told when it happened.
            let _ = thread.join();
        }
    }
}

fn listen(address: SocketAddr, key: &'static str) -> Result<TcpListener, DoorError> {
    TcpListener::bind(address).map_err(|error| DoorError::Listen { address, key, error })
}

/// Whether the files of `[rpc.tls]` can be used, where they are wanted; what clients will refuse, in words.
pub fn check(loaded: &Loaded) -> Result<Vec<String>, DoorError> {
    let rpc = &loaded.config.rpc;
    if !(rpc.enabled && rpc.listen.0.is_some() && rpc.tls.is_set()) {
        return Ok(Vec::new());
    }
    Ok(Credentials::load(tls_files(&loaded.config, &loaded.base))?.doubts()?)
}

/// The files of `[rpc.tls]`.
fn tls_files(config: &Config, base: &Path) -> TlsFiles {
    let tls = &config.rpc.tls;
    TlsFiles {
        certificate: base.join(&tls.certificate),
        key: base.join(&tls.key),
        ca: base.join(&tls.client_ca),
    }
}

/// A path that nobody chose and somebody has is no reason not to forward.
fn open_suricata(config: &Config) -> Result<Option<Bound>, DoorError> {
    let path: PathBuf = match &config.suricata_socket.path {
        Auto::Set(path) => path.clone(),
        Auto::Auto => socket::path(&config.rpc).with_file_name(suricata_socket::FILE),
    };
    match socket::bind(&path, config.rpc.group_access, suricata_socket::KEY) {
        Err(error @ SocketError::InUse { .. }) if config.suricata_socket.path == Auto::Auto => {
            tracing::warn!("suricata-socket: {error}");
            Ok(None)
        }
        bound => Ok(Some(bound?)),
    }
}

/// The same of a port.
fn open_http(address: SocketAddr, chosen: bool) -> Result<Option<TcpListener>, DoorError> {
    match listen(address, http::KEY) {
        Err(DoorError::Listen { error, .. }) if error.kind() == io::ErrorKind::AddrInUse && !chosen => {
            tracing::warn!("no metrics over HTTP: somebody else has {address}; set {} to another", http::KEY);
            Ok(None)
        }
        listener => Ok(Some(listener?)),
    }
}
