//! The management RPC: gRPC on a unix socket, guarded by the file's permissions, and on TCP with mutual TLS. `proto/weir.proto` is
//! the contract; server reflection tells it, and the health service whether the appliance is ready.

pub mod accept;
mod attend;
pub mod client;
mod config;
mod drops;
mod events;
mod fault;
mod ip_actions;
mod packets;
mod passes;
mod profile;
mod rules;
mod service;
mod services;
mod shadow;
pub mod socket;
mod telling;
pub mod tls;
mod why;

#[cfg(test)]
mod tcp_tests;
#[cfg(test)]
pub(in crate::mgmt) mod tests;

/// Made from `proto/weir.proto`.
#[allow(clippy::all, clippy::unwrap_used, unreachable_pub, rust_2018_idioms)]
pub mod proto {
    tonic::include_proto!("weir.v1");

    /// The contract, for reflection.
    pub const DESCRIPTORS: &[u8] = tonic::include_file_descriptor_set!("weir_descriptor");
}

use crate::mgmt::control::Control;
use crate::mgmt::pulse::Health;
use accept::Entrance;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tonic::server::NamedService;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

/// Number of the contract (`weir.v1`).
pub const API: u32 = 1;

/// Connections at once, of each listener.
pub const PLACES: usize = 64;

/// Requests at once on one connection.
const STREAMS: u32 = 64;

/// Bytes of a request's headers.
const HEADERS: u32 = 16 << 10;

/// A client that is silent for so long is asked whether it lives, and has a third of that to answer.
const SILENCE: Duration = Duration::from_secs(30);

/// Why it does not answer.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    Transport(#[from] tonic::transport::Error),
    #[error("the contract cannot be told by reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// Answers until it is dropped. `health`: what the health service tells.
pub async fn serve(
    entrances: Vec<Entrance>,
    control: Arc<dyn Control>,
    mut health: watch::Receiver<Health>,
) -> Result<(), ServeError> {
    use proto::{
        appliance_server::ApplianceServer, config_server::ConfigServer, events_server::EventsServer,
        packets_server::PacketsServer, profile_server::ProfileServer, rules_server::RulesServer,
        services_server::ServicesServer, sessions_server::SessionsServer,
    };
    use service::Service;
    let service = Service::new(control);
    let (reporter, health_service) = tonic_health::server::health_reporter();
    let names = [
        "",
        ApplianceServer::<Service>::NAME,
        SessionsServer::<Service>::NAME,
        RulesServer::<Service>::NAME,
        PacketsServer::<Service>::NAME,
        EventsServer::<Service>::NAME,
        ServicesServer::<Service>::NAME,
        ConfigServer::<Service>::NAME,
        ProfileServer::<Service>::NAME,
    ];
    let ready = health.borrow_and_update().is_ready();
    announce(&reporter, &names, ready).await;
    let contract = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let server = tonic::transport::Server::builder()
        .max_concurrent_streams(STREAMS)
        .http2_max_header_list_size(HEADERS)
        .http2_keepalive_interval(Some(SILENCE))
        .http2_keepalive_timeout(Some(SILENCE / 3))
        .layer(attend::Attend)
        .add_service(ApplianceServer::new(service.clone()))
        .add_service(SessionsServer::new(service.clone()))
        .add_service(RulesServer::new(service.clone()))
        .add_service(PacketsServer::new(service.clone()))
        .add_service(EventsServer::new(service.clone()))
        .add_service(ServicesServer::new(service.clone()))
        .add_service(ConfigServer::new(service.clone()))
        .add_service(ProfileServer::new(service))
        .add_service(health_service)
        .add_service(contract().build_v1()?)
        // What grpcurl and others of before 2024 ask for.
        .add_service(contract().build_v1alpha()?)
        .serve_with_incoming(accept::connections(entrances));
    tokio::select! {
        ended = server => Ok(ended?),
        never = tell_health(reporter, &names, health) => match never {},
    }
}

async fn tell_health(
    reporter: HealthReporter,
    names: &[&str],
    mut health: watch::Receiver<Health>,
) -> std::convert::Infallible {
    loop {
        if health.changed().await.is_err() {
            // Nobody looks any more: what was told last stands.
            std::future::pending::<()>().await;
        }
        let ready = health.borrow_and_update().is_ready();
        announce(&reporter, names, ready).await;
    }
}

async fn announce(reporter: &HealthReporter, names: &[&str], ready: bool) {
    let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
    for name in names {
        reporter.set_service_status(name, status).await;
    }
}
