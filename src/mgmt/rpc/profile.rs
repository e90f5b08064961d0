//! The server's side of the profile.

use super::fault::{fault, invalid, refused};
use super::proto as p;
use super::service::{Reply, Service};
use crate::mgmt::eve::proto_name;
use crate::mgmt::profiler::{Ask, ContextRow, HostRow, Kind, Reader, ServiceRow};
use tonic::{Code, Request, Response, Status as Fault};

/// Bytes of a filter at most.
const MAX_FILTER: usize = 1000;

fn question(request: p::ProfileRequest) -> Result<Ask, Fault> {
    let p::ProfileRequest { filter, host, kind, limit } = request;
    if filter.len() > MAX_FILTER {
        return Err(invalid(format!("a filter has at most {MAX_FILTER} bytes")));
    }
    let kind = match kind.as_str() {
        "" => None,
        word => Some(Kind::ALL.into_iter().find(|kind| kind.name() == word).ok_or_else(|| {
            let kinds = Kind::ALL.map(Kind::name).join(", ");
            invalid(format!("{word:?} is no kind of context: write one of {kinds}"))
        })?),
    };
    Ok(Ask { filter, host: super::ip_actions::address(&host)?, kind, limit })
}

impl Service {
    async fn profiled<T: Send + 'static>(
        &self,
        request: Request<p::ProfileRequest>,
        answer: fn(&Reader, &Ask) -> Result<Vec<T>, String>,
    ) -> Result<Vec<T>, Fault> {
        let ask = question(request.into_inner())?;
        let found = self.ask(move |c| c.profile().map(|reader| answer(&reader, &ask))).await?;
        let found = found
            .ok_or_else(|| refused("no profile is kept: set profiler.enabled = true and restart weir"))?;
        found.map_err(|text| fault(Code::Unavailable, text))
    }
}

#[tonic::async_trait]
impl p::profile_server::Profile for Service {
    async fn hosts(&self, request: Request<p::ProfileRequest>) -> Reply<p::ProfileHosts> {
        let hosts = self.profiled(request, Reader::hosts).await?;
        Ok(Response::new(p::ProfileHosts { hosts: hosts.into_iter().map(Into::into).collect() }))
    }

    async fn services(&self, request: Request<p::ProfileRequest>) -> Reply<p::ProfileServices> {
        let services = self.profiled(request, Reader::services).await?;
        Ok(Response::new(p::ProfileServices { services: services.into_iter().map(Into::into).collect() }))
    }

    async fn contexts(&self, request: Request<p::ProfileRequest>) -> Reply<p::ProfileContexts> {
        let contexts = self.profiled(request, Reader::contexts).await?;
        Ok(Response::new(p::ProfileContexts { contexts: contexts.into_iter().map(Into::into).collect() }))
    }
}

impl From<HostRow> for p::ProfileHost {
    fn from(row: HostRow) -> p::ProfileHost {
        let HostRow { address, vlan, first, last, sessions, as_client, sent, received } = row;
        p::ProfileHost { address, vlan, first, last, sessions, as_client, sent, received }
    }
}

impl From<ServiceRow> for p::ProfileService {
    fn from(row: ServiceRow) -> p::ProfileService {
        p::ProfileService {
            address: row.address,
            vlan: row.vlan,
            proto: proto_name(row.proto).into_owned(),
            port: row.port.into(),
            app: row.app.unwrap_or_default(),
            banner: row.banner.unwrap_or_default(),
            first: row.first,
            last: row.last,
            sessions: row.sessions,
        }
    }
}

impl From<ContextRow> for p::ProfileContext {
    fn from(row: ContextRow) -> p::ProfileContext {
        let ContextRow { address, vlan, kind, text, first, last, seen } = row;
        p::ProfileContext { kind, text, address, vlan, first, last, seen }
    }
}
