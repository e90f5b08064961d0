//! The server's side of service sets and plugins.

use super::fault;
use super::proto as p;
use super::service::{Reply, Service};
use crate::mgmt::control::{Blob, PluginInfo, SetInfo};
use crate::service::plugin::BlobOp;
use std::path::PathBuf;
use tonic::{Request, Response};

#[tonic::async_trait]
impl p::services_server::Services for Service {
    async fn list_sets(&self, request: Request<p::SetsRequest>) -> Reply<p::SetsReply> {
        let name = request.into_inner().name;
        let wanted = name.clone();
        let sets =
            self.ask(move |c| c.service_sets(Some(wanted.as_str()).filter(|n| !n.is_empty()))).await??;
        if sets.is_empty() && !name.is_empty() {
            return Err(fault::missing(format!("there is no service set \"{name}\"")));
        }
        Ok(Response::new(p::SetsReply { sets: sets.into_iter().map(Into::into).collect() }))
    }

    async fn list_plugins(&self, request: Request<p::PluginsRequest>) -> Reply<p::PluginsReply> {
        let name = request.into_inner().name;
        let plugins = self.ask(|c| c.plugins()).await??;
        let wanted = plugins.into_iter().filter(|plugin| name.is_empty() || plugin.name == name);
        let plugins: Vec<p::Plugin> = wanted.map(Into::into).collect();
        if plugins.is_empty() && !name.is_empty() {
            return Err(fault::missing(format!("there is no plugin \"{name}\"")));
        }
        Ok(Response::new(p::PluginsReply { plugins }))
    }

    async fn send_blob(&self, request: Request<p::BlobRequest>) -> Reply<p::ChangeReply> {
        let request = request.into_inner();
        let op = match request.op() {
            p::blob_request::Op::Add => BlobOp::Add,
            p::blob_request::Op::Delete => BlobOp::Delete,
        };
        let p::BlobRequest { plugin, set, generation, bytes, .. } = request;
        let blob = Blob { plugin, set, op, generation, bytes };
        let lines = self.ask(move |c| c.plugin_blob(&blob)).await??;
        Ok(Response::new(p::ChangeReply { lines }))
    }

    async fn restart_plugin(&self, request: Request<p::RestartPluginRequest>) -> Reply<p::ChangeReply> {
        let p::RestartPluginRequest { name, path } = request.into_inner();
        let path = (!path.is_empty()).then(|| PathBuf::from(path));
        let lines = self.ask(move |c| c.restart_plugin(&name, path.as_deref())).await??;
        Ok(Response::new(p::ChangeReply { lines }))
    }

    async fn apply(&self, request: Request<p::ApplyRequest>) -> Reply<p::ChangeReply> {
        let file = request.into_inner().file;
        let file = (!file.is_empty()).then(|| PathBuf::from(file));
        let lines = self.ask(move |c| c.apply_services(file.as_deref())).await??;
        Ok(Response::new(p::ChangeReply { lines }))
    }
}

impl From<SetInfo> for p::ServiceSet {
    fn from(s: SetInfo) -> p::ServiceSet {
        let generation = |(generation, sessions)| p::PolicyGeneration { generation, sessions };
        let members = s.members.into_iter().map(|m| p::Member {
            plugin: m.plugin,
            attached: m.attached,
            generations: m.generations.into_iter().map(generation).collect(),
        });
        p::ServiceSet {
            name: s.name,
            id: s.id,
            state: if s.active { "active".into() } else { "inactive".into() },
            ports: s.ports,
            matches: s.matches,
            forward_flow: s.forward,
            reverse_flow: s.reverse,
            inactive_action: s.inactive_action,
            on_fault: s.on_fault,
            sessions: s.sessions,
            members: members.collect(),
        }
    }
}

impl From<PluginInfo> for p::Plugin {
    fn from(i: PluginInfo) -> p::Plugin {
        let worker = |w: crate::mgmt::control::WorkerCounts| p::PluginWorker {
            worker: w.worker,
            packets: w.packets,
            discards: w.discards,
            holds: w.holds,
            faults: w.faults,
        };
        let counter = |c: crate::mgmt::control::PluginSetCount| p::PluginCounter {
            set: c.set,
            name: c.name,
            value: c.value,
        };
        let cell = |(column, value)| p::PluginCell { column, value };
        let table = |(name, rows): (String, Vec<crate::service::plugin::ShownRow>)| {
            let row = |row: crate::service::plugin::ShownRow| p::PluginRow {
                cells: row.into_iter().map(cell).collect(),
            };
            p::PluginTable { name, rows: rows.into_iter().map(row).collect() }
        };
        p::Plugin {
            name: i.name,
            id: i.id,
            kind: i.kind,
            external: i.external,
            path: i.path,
            state: i.state,
            flags: i.flags,
            sets: i.sets,
            workers: i.workers.into_iter().map(worker).collect(),
            counters: i.counters.into_iter().map(counter).collect(),
            tables: i.tables.into_iter().map(table).collect(),
        }
    }
}
