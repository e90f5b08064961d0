//! The client's side, for `weir ctl`.

use super::proto::{
    VersionRequest, appliance_client::ApplianceClient, config_client::ConfigClient,
    events_client::EventsClient, packets_client::PacketsClient, profile_client::ProfileClient,
    rules_client::RulesClient, services_client::ServicesClient, sessions_client::SessionsClient,
};
use super::tls::{TlsError, TlsFiles};
use crate::mgmt::gate::Duplex;
use hyper_util::rt::TokioIo;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;
use tonic::transport::{Channel, Endpoint, Uri};

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(
        "no weir answers on {path}: {error}; start one with `weir run -c FILE`, or name its socket with --socket"
    )]
    NotThere { path: PathBuf, error: io::Error },
    #[error(
        "{path}: permission denied: only the user who started weir (or root) may command it; run as that user, or set \
         rpc.group-access and join the socket's group"
    )]
    NotAllowed { path: PathBuf },
    #[error("no weir answers on {address}: {error}; its key rpc.listen says where one does")]
    NoAnswer { address: String, error: io::Error },
    #[error(
        "cannot speak TLS with {address}: {error}; check --ca, --cert, --key, and the name in the address, and that it is an \
         rpc.listen with [rpc.tls] (without, it is http:// and only on its own machine)"
    )]
    NoTls { address: String, error: io::Error },
    #[error(
        "{address} closed the connection ({error}): your certificate (--cert) does not lead to its rpc.tls.client-ca, or too \
         many are connected; its log says which"
    )]
    Closed { address: String, error: String },
    #[error("{address} did not answer as a weir does: {error}")]
    NotWeir { address: String, error: String },
    #[error(
        "\"{text}\" is no address: write https://HOST:PORT, or http://127.0.0.1:PORT on the same machine"
    )]
    NoAddress { text: String },
    #[error(
        "{host} is not this machine, so it is reached by TLS only: write https://, with --ca, --cert and --key"
    )]
    Clear { host: String },
    #[error("https needs --ca, --cert and --key: PEM files of the CA, your certificate and its key")]
    NoFiles,
    #[error(transparent)]
    Tls(#[from] TlsError),
}

const PATIENCE: Duration = Duration::from_secs(10);

/// Silence after which it is asked whether it lives.
const PING: Duration = Duration::from_secs(2);

/// Where a weir answers.
#[derive(Clone, Debug)]
pub enum Address {
    Socket(PathBuf),
    Tcp { host: String, port: u16, tls: Option<Arc<ClientConfig>> },
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Address::Socket(path) => path.display().fmt(f),
            Address::Tcp { host, port, .. } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Address::Tcp { host, port, .. } => write!(f, "{host}:{port}"),
        }
    }
}

impl Address {
    /// `https://HOST:PORT`, or `http://HOST:PORT` of this machine.
    pub fn parse(text: &str, files: Option<&TlsFiles>) -> Result<Address, ClientError> {
        let wrong = || ClientError::NoAddress { text: text.to_owned() };
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let (Some(host), Some(port)) = (uri.host(), uri.port_u16()) else { return Err(wrong()) };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let tls = match uri.scheme_str() {
            Some("https") => Some(Arc::new(files.ok_or(ClientError::NoFiles)?.client()?)),
            Some("http") if is_here(&host) => None,
            Some("http") => return Err(ClientError::Clear { host }),
            _ => return Err(wrong()),
        };
        Ok(Address::Tcp { host, port, tls })
    }

    async fn dial(&self) -> Result<Box<dyn Duplex>, ClientError> {
        match self {
            Address::Socket(path) => match UnixStream::connect(path).await {
                Ok(stream) => Ok(Box::new(stream)),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    Err(ClientError::NotAllowed { path: path.clone() })
                }
                Err(error) => Err(ClientError::NotThere { path: path.clone(), error }),
            },
            Address::Tcp { host, port, tls } => {
                let no_answer = |error| ClientError::NoAnswer { address: self.to_string(), error };
                let connected = within(TcpStream::connect((host.as_str(), *port))).await;
                let stream = connected.map_err(no_answer)?;
                let Some(config) = tls else { return Ok(Box::new(stream)) };
                let name = ServerName::try_from(host.clone())
                    .map_err(|_| ClientError::NoAddress { text: self.to_string() })?;
                let begun = within(TlsConnector::from(Arc::clone(config)).connect(name, stream)).await;
                let stream =
                    begun.map_err(|error| ClientError::NoTls { address: self.to_string(), error })?;
                Ok(Box::new(stream))
            }
        }
    }
}

/// As long as a connection over a network may take to stand.
async fn within<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// A connection to a running appliance.
pub struct Client {
    pub channel: Channel,
    pub appliance: ApplianceClient<Channel>,
    pub sessions: SessionsClient<Channel>,
    pub rules: RulesClient<Channel>,
    pub packets: PacketsClient<Channel>,
    pub events: EventsClient<Channel>,
    pub services: ServicesClient<Channel>,
    pub config: ConfigClient<Channel>,
    pub profile: ProfileClient<Channel>,
}

/// Connects to a weir.
pub async fn connect(to: &Address) -> Result<Client, ClientError> {
    // The first connection by ourselves: tonic's error would not say why there is none.
    let first = Arc::new(Mutex::new(Some(to.dial().await?)));
    let address = to.clone();
    let connector = tower::service_fn(move |_: Uri| {
        let dialled = first.lock().unwrap_or_else(PoisonError::into_inner).take();
        let address = address.clone();
        async move {
            let io = match dialled {
                Some(io) => io,
                None => address.dial().await?,
            };
            Ok::<_, ClientError>(TokioIo::new(io))
        }
    });
    // The address is a formality: the connector knows where to.
    // Doors answer a ping whatever a request waits for: who does not is stopped, or hangs.
    let endpoint = Endpoint::from_static("http://weir")
        .http2_keep_alive_interval(PING)
        .keep_alive_timeout(PATIENCE)
        .keep_alive_while_idle(true);
    let connected = endpoint.connect_with_connector(connector).await;
    let channel = connected.map_err(|error| ClientError::NotWeir {
        address: to.to_string(),
        error: chain(&error.to_string(), std::error::Error::source(&error)),
    })?;
    let mut client = Client {
        channel: channel.clone(),
        appliance: ApplianceClient::new(channel.clone()),
        sessions: SessionsClient::new(channel.clone()),
        rules: RulesClient::new(channel.clone()),
        packets: PacketsClient::new(channel.clone()),
        events: EventsClient::new(channel.clone()),
        services: ServicesClient::new(channel.clone()),
        config: ConfigClient::new(channel.clone()),
        profile: ProfileClient::new(channel),
    };
    if matches!(to, Address::Tcp { tls: Some(_), .. }) {
        // In TLS 1.3 a client hears of a certificate that is not accepted when the connection seems to stand.
        let asked = client.appliance.version(VersionRequest {}).await;
        asked.map_err(|status| ClientError::Closed { address: to.to_string(), error: told(&status) })?;
    }
    Ok(client)
}

/// Why a request failed: the server's own words, or what broke the connection.
pub fn told(status: &tonic::Status) -> String {
    chain(status.message(), std::error::Error::source(status))
}

/// An error and what caused it. Where the other end said why it closes the connection, that alone.
fn chain(first: &str, cause: Option<&(dyn std::error::Error + 'static)>) -> String {
    let mut text = first.to_owned();
    let mut cause = cause;
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    if text.contains("keep-alive timed out") {
        return format!(
            "the appliance does not answer, not even whether it lives, for {} s: it is stopped, or hangs",
            PATIENCE.as_secs()
        );
    }
    last_words(&text).map_or(text.clone(), str::to_owned)
}

/// The debug data of an end of HTTP/2, as its error prints it.
fn last_words(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("(b\"")?;
    Some(rest.rsplit_once("\")")?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_closed_connection_its_last_words_are_told() {
        let text = "transport error: connection error received: unspecific protocol error detected (b\"this is (not) it\")";
        assert_eq!(last_words(text), Some("this is (not) it"));
        assert_eq!(last_words("transport error"), None);
    }
}
