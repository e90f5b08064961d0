//! `weir ctl profile`: hosts, services and application contexts that were seen.

use super::{Answer, refused, show};
use crate::cli::Failure;
use crate::cli::table::Table;
use crate::mgmt::rpc::client::Client;
use crate::mgmt::rpc::proto as p;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

#[derive(Debug, Subcommand)]
pub(super) enum Profile {
    /// Addresses that spoke and were answered
    Hosts(Which),
    /// Servers: address, protocol, port, application, banner
    Services(Which),
    /// User agents, server banners, TLS and DNS names, and the hosts that they are of
    Contexts {
        #[command(flatten)]
        which: Which,
        /// Only this kind: user-agent, server-banner, http-host, tls-name, tls-subject, dns-name, ssh-client, smtp-hello, rdp-client
        #[arg(long, default_value = "", hide_default_value = true)]
        kind: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Which {
    /// Only rows that hold this, whatever its case
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    filter: String,
    /// Only of this address
    #[arg(long, value_name = "ADDRESS", default_value = "", hide_default_value = true)]
    host: String,
    /// Most to show, at most 10000; those seen last come first
    #[arg(long, default_value_t = 100)]
    limit: u32,
}

impl Which {
    fn request(&self, kind: &str) -> p::ProfileRequest {
        p::ProfileRequest {
            filter: self.filter.clone(),
            host: self.host.clone(),
            kind: kind.to_owned(),
            limit: self.limit,
        }
    }
}

impl Profile {
    pub(super) async fn ask(&self, client: &mut Client) -> Result<Answer, Failure> {
        let profile = &mut client.profile;
        Ok(match self {
            Profile::Hosts(which) => {
                hosts(&profile.hosts(which.request("")).await.map_err(refused)?.into_inner().hosts)
            }
            Profile::Services(which) => {
                services(&profile.services(which.request("")).await.map_err(refused)?.into_inner().services)
            }
            Profile::Contexts { which, kind } => {
                contexts(&profile.contexts(which.request(kind)).await.map_err(refused)?.into_inner().contexts)
            }
        })
    }
}

/// An address, and where there are any its VLANs.
fn place(address: &str, vlan: &str) -> String {
    if vlan.is_empty() { address.to_owned() } else { format!("{address} (VLAN {vlan})") }
}

fn said(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn hosts(hosts: &[p::ProfileHost]) -> Answer {
    let mut table = Table::with_head(["HOST", "SESSIONS", "AS CLIENT", "SENT", "RECEIVED", "FIRST", "LAST"]);
    for h in hosts {
        table.row([
            place(&h.address, &h.vlan),
            h.sessions.to_string(),
            h.as_client.to_string(),
            h.sent.to_string(),
            h.received.to_string(),
            show::stamp(h.first),
            show::stamp(h.last),
        ]);
    }
    let json = |h: &p::ProfileHost| {
        json!({
            "address": h.address,
            "vlan": said(&h.vlan),
            "sessions": h.sessions,
            "as_client": h.as_client,
            "sent": h.sent,
            "received": h.received,
            "first": show::stamp(h.first),
            "last": show::stamp(h.last),
        })
    };
    Answer { json: Value::Array(hosts.iter().map(json).collect()), table: table.to_string() }
}

fn services(services: &[p::ProfileService]) -> Answer {
    let mut table =
        Table::with_head(["SERVER", "PROTO", "PORT", "APPLICATION", "BANNER", "SESSIONS", "FIRST", "LAST"]);
    for s in services {
        table.row([
            place(&s.address, &s.vlan),
            s.proto.clone(),
            s.port.to_string(),
            s.app.clone(),
            s.banner.clone(),
            s.sessions.to_string(),
            show::stamp(s.first),
            show::stamp(s.last),
        ]);
    }
    let json = |s: &p::ProfileService| {
        json!({
            "address": s.address,
            "vlan": said(&s.vlan),
            "proto": s.proto,
            "port": s.port,
            "app": said(&s.app),
            "banner": said(&s.banner),
            "sessions": s.sessions,
            "first": show::stamp(s.first),
            "last": show::stamp(s.last),
        })
    };
    Answer { json: Value::Array(services.iter().map(json).collect()), table: table.to_string() }
}

fn contexts(contexts: &[p::ProfileContext]) -> Answer {
    let mut table = Table::with_head(["KIND", "TEXT", "OF", "SEEN", "FIRST", "LAST"]);
    for c in contexts {
        table.row([
            c.kind.clone(),
            c.text.clone(),
            place(&c.address, &c.vlan),
            c.seen.to_string(),
            show::stamp(c.first),
            show::stamp(c.last),
        ]);
    }
    let json = |c: &p::ProfileContext| {
        json!({
            "kind": c.kind,
            "text": c.text,
            "address": c.address,
            "vlan": said(&c.vlan),
            "seen": c.seen,
            "first": show::stamp(c.first),
            "last": show::stamp(c.last),
        })
    };
    Answer { json: Value::Array(contexts.iter().map(json).collect()), table: table.to_string() }
}
