//! `weir ctl service-set`, `plugin` and `services`.

use super::{Answer, refused};
use crate::cli::Failure;
use crate::cli::table::Table;
use crate::mgmt::rpc::client::Client;
use crate::mgmt::rpc::proto as p;
use crate::rules::source::read_bounded;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// Bytes that one request of the RPC brings.
const MOST_OF_BLOB: u64 = 4 << 20;

#[derive(Debug, Subcommand)]
pub(super) enum Services {
    /// Put the plugins and service sets of a configuration in force, for sessions to come
    Apply {
        /// Configuration file (default: the one weir was started with, read again)
        #[arg(short, long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Plugin {
    /// All plugins
    List,
    /// Everything about one: counters by worker and set, tables, faults
    Show { name: String },
    /// Put a new instance in its place; its sessions are closed, others go on
    Restart { name: String },
    /// Put another shared object in its place
    Replace { name: String, path: PathBuf },
    /// Send it a block of configuration
    Blob(Blob),
}

#[derive(Debug, Args)]
pub(super) struct Blob {
    name: String,
    /// The service set it is for
    #[arg(long)]
    set: String,
    /// A file to hand over
    #[arg(long, value_name = "FILE", required_unless_present = "delete")]
    add: Option<PathBuf>,
    /// Take away what was added
    #[arg(long, conflicts_with = "add")]
    delete: bool,
    /// Your own count of what you send
    #[arg(long, default_value_t = 0)]
    generation: u32,
}

/// The daemon's folder is another: it gets full paths.
fn full(path: &Path) -> Result<String, Failure> {
    let found = path.canonicalize().map_err(|error| format!("{}: {error}", path.display()))?;
    let text = found.to_str().ok_or_else(|| format!("{}: the path is not UTF-8", path.display()))?;
    Ok(text.to_owned())
}

pub(super) async fn sets(client: &mut Client, name: Option<&str>) -> Result<Answer, Failure> {
    let request = p::SetsRequest { name: name.unwrap_or_default().to_owned() };
    let reply = client.services.list_sets(request).await.map_err(refused)?.into_inner();
    Ok(match name {
        None => set_list(&reply.sets),
        Some(_) => reply.sets.first().map(set_shown).unwrap_or_else(|| set_list(&[])),
    })
}

pub(super) async fn services(client: &mut Client, command: &Services) -> Result<Answer, Failure> {
    let Services::Apply { config } = command;
    let file = config.as_deref().map(full).transpose()?.unwrap_or_default();
    let reply = client.services.apply(p::ApplyRequest { file }).await.map_err(refused)?;
    Ok(changed(&reply.into_inner()))
}

pub(super) async fn plugin(client: &mut Client, command: &Plugin) -> Result<Answer, Failure> {
    let services = &mut client.services;
    let restart = |name: &String, path| p::RestartPluginRequest { name: name.clone(), path };
    let reply = match command {
        Plugin::List => {
            let reply = services.list_plugins(p::PluginsRequest::default()).await.map_err(refused)?;
            return Ok(plugin_list(&reply.into_inner().plugins));
        }
        Plugin::Show { name } => {
            let request = p::PluginsRequest { name: name.clone() };
            let reply = services.list_plugins(request).await.map_err(refused)?;
            return Ok(plugins_shown(&reply.into_inner().plugins));
        }
        Plugin::Restart { name } => services.restart_plugin(restart(name, String::new())).await,
        Plugin::Replace { name, path } => services.restart_plugin(restart(name, full(path)?)).await,
        Plugin::Blob(blob) => services.send_blob(blob_request(blob)?).await,
    };
    Ok(changed(&reply.map_err(refused)?.into_inner()))
}

fn blob_request(blob: &Blob) -> Result<p::BlobRequest, Failure> {
    let read = |path: &PathBuf| {
        read_bounded(path, MOST_OF_BLOB)
            .map_err(|error| Failure::from(format!("{}: {error}", path.display())))
    };
    let op = if blob.delete { p::blob_request::Op::Delete } else { p::blob_request::Op::Add };
    Ok(p::BlobRequest {
        plugin: blob.name.clone(),
        set: blob.set.clone(),
        op: op.into(),
        generation: blob.generation,
        bytes: blob.add.as_ref().map(read).transpose()?.unwrap_or_default(),
    })
}

fn changed(reply: &p::ChangeReply) -> Answer {
    let table = match reply.lines.as_slice() {
        [] => "nothing to change\n".to_owned(),
        lines => lines.iter().map(|line| format!("{line}\n")).collect(),
    };
    Answer { json: json!({ "changes": reply.lines }), table }
}

fn listed(words: &[String]) -> String {
    if words.is_empty() { "-".into() } else { words.join(", ") }
}

fn ordered(words: &[String]) -> String {
    if words.is_empty() { "-".into() } else { words.join(" > ") }
}

fn set_list(sets: &[p::ServiceSet]) -> Answer {
    let mut table = Table::with_head(["set", "state", "ports", "forward", "reverse", "sessions"]);
    for set in sets {
        let ports = if set.ports.is_empty() { "all".into() } else { set.ports.join(", ") };
        let (forward, reverse) = (ordered(&set.forward_flow), ordered(&set.reverse_flow));
        table.row([&set.name, &set.state, &ports, &forward, &reverse, &set.sessions.to_string()]);
    }
    Answer { json: Value::Array(sets.iter().map(set_json).collect()), table: table.to_string() }
}

fn set_shown(set: &p::ServiceSet) -> Answer {
    let mut table = Table::default();
    table.row(["set", &set.name]);
    table.row(["state", &set.state]);
    table.row(["ports", &if set.ports.is_empty() { "all".into() } else { set.ports.join(", ") }]);
    for rule in &set.matches {
        table.row(["match", rule]);
    }
    table.row(["forward", &ordered(&set.forward_flow)]);
    table.row(["reverse", &ordered(&set.reverse_flow)]);
    table.row(["inactive-action", &set.inactive_action]);
    table.row(["on-fault", &set.on_fault]);
    table.row(["sessions", &set.sessions.to_string()]);
    let mut members = Table::with_head(["plugin", "generation", "sessions"]);
    for member in &set.members {
        if member.generations.is_empty() {
            let why = if member.attached { "-" } else { "awaited" };
            members.row([member.plugin.as_str(), why, "-"]);
        }
        for g in &member.generations {
            members.row([&member.plugin, &g.generation.to_string(), &g.sessions.to_string()]);
        }
    }
    let table = if members.is_empty() { table.to_string() } else { format!("{table}\n{members}") };
    Answer { json: set_json(set), table }
}

fn set_json(set: &p::ServiceSet) -> Value {
    let generation = |g: &p::PolicyGeneration| json!({ "generation": g.generation, "sessions": g.sessions });
    let member = |m: &p::Member| {
        json!({
            "plugin": m.plugin,
            "attached": m.attached,
            "generations": m.generations.iter().map(generation).collect::<Vec<_>>(),
        })
    };
    json!({
        "name": set.name,
        "id": set.id,
        "state": set.state,
        "ports": set.ports,
        "match": set.matches,
        "forward_flow": set.forward_flow,
        "reverse_flow": set.reverse_flow,
        "inactive_action": set.inactive_action,
        "on_fault": set.on_fault,
        "sessions": set.sessions,
        "members": set.members.iter().map(member).collect::<Vec<_>>(),
    })
}

fn total(plugin: &p::Plugin, get: fn(&p::PluginWorker) -> u64) -> u64 {
    plugin.workers.iter().map(get).sum()
}

fn plugin_list(plugins: &[p::Plugin]) -> Answer {
    let mut table =
        Table::with_head(["plugin", "kind", "from", "state", "sets", "packets", "discards", "holds"]);
    for plugin in plugins {
        let sums = [total(plugin, |w| w.packets), total(plugin, |w| w.discards), total(plugin, |w| w.holds)];
        let [packets, discards, holds] = sums.map(|sum| sum.to_string());
        let from = if plugin.external { plugin.path.as_str() } else { "built in" };
        let sets = listed(&plugin.sets);
        table.row([&plugin.name, &plugin.kind, from, &plugin.state, &sets, &packets, &discards, &holds]);
    }
    Answer { json: Value::Array(plugins.iter().map(plugin_json).collect()), table: table.to_string() }
}

/// More than one while an instance takes another's place.
fn plugins_shown(plugins: &[p::Plugin]) -> Answer {
    let table = plugins.iter().map(plugin_table).collect::<Vec<_>>().join("\n");
    // The one that runs stands for the name.
    let shown = plugins.iter().find(|plugin| plugin.state != "leaving").or(plugins.first());
    Answer { json: shown.map_or(Value::Null, plugin_json), table }
}

fn plugin_table(plugin: &p::Plugin) -> String {
    let mut head = Table::default();
    head.row(["plugin", &plugin.name]);
    head.row(["number", &plugin.id.to_string()]);
    head.row(["kind", &plugin.kind]);
    head.row(["from", if plugin.external { &plugin.path } else { "built in" }]);
    head.row(["state", &plugin.state]);
    head.row(["flags", &listed(&plugin.flags)]);
    head.row(["sets", &listed(&plugin.sets)]);
    let mut workers = Table::with_head(["worker", "packets", "discards", "holds", "faults"]);
    for w in &plugin.workers {
        workers.row([u64::from(w.worker), w.packets, w.discards, w.holds, w.faults].map(|n| n.to_string()));
    }
    let mut out = format!("{head}\n{workers}");
    if !plugin.counters.is_empty() {
        let mut counters = Table::with_head(["set", "counter", "value"]);
        for c in &plugin.counters {
            counters.row([&c.set, &c.name, &c.value.to_string()]);
        }
        out += &format!("\n{counters}");
    }
    for table in &plugin.tables {
        out += &format!("\n{}\n{}", table.name, own_table(table));
    }
    out
}

/// Columns are those of the first row.
fn own_table(table: &p::PluginTable) -> String {
    let mut shown = Table::default();
    if let Some(first) = table.rows.first() {
        shown.line(first.cells.iter().map(|cell| cell.column.clone()).collect());
    }
    for row in &table.rows {
        shown.line(row.cells.iter().map(|cell| cell.value.clone()).collect());
    }
    shown.to_string()
}

fn plugin_json(plugin: &p::Plugin) -> Value {
    let worker = |w: &p::PluginWorker| {
        json!({
            "worker": w.worker,
            "packets": w.packets,
            "discards": w.discards,
            "holds": w.holds,
            "faults": w.faults,
        })
    };
    let counter = |c: &p::PluginCounter| json!({ "set": c.set, "name": c.name, "value": c.value });
    let row = |row: &p::PluginRow| {
        let cells = row.cells.iter().map(|cell| (cell.column.clone(), Value::from(cell.value.as_str())));
        Value::Object(cells.collect())
    };
    let tables: Map<String, Value> = plugin
        .tables
        .iter()
        .map(|table| (table.name.clone(), Value::Array(table.rows.iter().map(row).collect())))
        .collect();
    json!({
        "name": plugin.name,
        "id": plugin.id,
        "kind": plugin.kind,
        "external": plugin.external,
        "path": plugin.path,
        "state": plugin.state,
        "flags": plugin.flags,
        "sets": plugin.sets,
        "workers": plugin.workers.iter().map(worker).collect::<Vec<_>>(),
        "counters": plugin.counters.iter().map(counter).collect::<Vec<_>>(),
        "tables": tables,
    })
}
