//! The client's side, for `weir ctl`.

use super::proto::{
    appliance_client::ApplianceClient, config_client::ConfigClient, packets_client::PacketsClient,
    rules_client::RulesClient, services_client::ServicesClient, sessions_client::SessionsClient,
};
use hyper_util::rt::TokioIo;
use std::io;
use std::path::{Path, PathBuf};
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint, Uri};

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(
        "no weir answers on {path}: {error}; start one with `weir run -c FILE`, or name its socket with --socket"
    )]
    NotThere { path: PathBuf, error: io::Error },
    #[error("{path}: permission denied; run as the user who started weir, or set rpc.group-access")]
    NotAllowed { path: PathBuf },
    #[error("{path} did not answer as a weir does: {error}")]
    NotWeir { path: PathBuf, error: tonic::transport::Error },
}

/// A connection to a running appliance.
pub struct Client {
    pub appliance: ApplianceClient<Channel>,
    pub sessions: SessionsClient<Channel>,
    pub rules: RulesClient<Channel>,
    pub packets: PacketsClient<Channel>,
    pub services: ServicesClient<Channel>,
    pub config: ConfigClient<Channel>,
}

/// Connects to the socket at `path`.
pub async fn connect(path: &Path) -> Result<Client, ClientError> {
    // A connection of our own first: tonic's error would not say why.
    match UnixStream::connect(path).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Err(ClientError::NotAllowed { path: path.to_owned() });
        }
        Err(error) => return Err(ClientError::NotThere { path: path.to_owned(), error }),
    }
    let to = path.to_owned();
    let connector = tower::service_fn(move |_: Uri| {
        let to = to.clone();
        async move { UnixStream::connect(to).await.map(TokioIo::new) }
    });
    // The address is a formality: the connector knows where to.
    let endpoint = Endpoint::from_static("http://weir.sock");
    let connected = endpoint.connect_with_connector(connector).await;
    let channel = connected.map_err(|error| ClientError::NotWeir { path: path.to_owned(), error })?;
    Ok(Client {
        appliance: ApplianceClient::new(channel.clone()),
        sessions: SessionsClient::new(channel.clone()),
        rules: RulesClient::new(channel.clone()),
        packets: PacketsClient::new(channel.clone()),
        services: ServicesClient::new(channel.clone()),
        config: ConfigClient::new(channel),
    })
}
