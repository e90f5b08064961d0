//! The management RPC: gRPC on a unix socket, guarded by the file's permissions. `proto/weir.proto` is the contract.

pub mod client;
mod config;
mod drops;
mod packets;
mod service;
mod services;
pub mod socket;
mod why;

#[cfg(test)]
mod tests;

/// Made from `proto/weir.proto`.
#[allow(clippy::all, clippy::unwrap_used, unreachable_pub, rust_2018_idioms)]
pub mod proto {
    tonic::include_proto!("weir.v1");
}

use crate::mgmt::control::Control;
use std::sync::Arc;
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;

/// Number of the contract (`weir.v1`).
pub const API: u32 = 1;

/// Answers until `stop` is done.
pub async fn serve(
    listener: UnixListener,
    control: Arc<dyn Control>,
    stop: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    use proto::{
        appliance_server::ApplianceServer, config_server::ConfigServer, packets_server::PacketsServer,
        rules_server::RulesServer, services_server::ServicesServer, sessions_server::SessionsServer,
    };
    let service = service::Service::new(control);
    tonic::transport::Server::builder()
        .add_service(ApplianceServer::new(service.clone()))
        .add_service(SessionsServer::new(service.clone()))
        .add_service(RulesServer::new(service.clone()))
        .add_service(PacketsServer::new(service.clone()))
        .add_service(ServicesServer::new(service.clone()))
        .add_service(ConfigServer::new(service))
        .serve_with_incoming_shutdown(UnixListenerStream::new(listener), stop)
        .await
}
