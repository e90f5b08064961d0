//! `weir ctl pass`: networks that no verdict stops, each until a time.

use super::span::up_to;
use super::{Answer, refused, show};
use crate::cli::Failure;
use crate::cli::table::Table;
use crate::mgmt::passes::LONGEST;
use crate::mgmt::rpc::client::Client;
use crate::mgmt::rpc::proto as p;
use clap::Subcommand;
use serde_json::{Value, json};
use std::time::Duration;

#[derive(Debug, Subcommand)]
pub(super) enum Pass {
    /// Let packets to and from a network pass, also in running sessions, whatever rules and policies say of them. They are inspected, and
    /// alerts say "allowed"
    Add {
        /// 192.0.2.0/24, 192.0.2.1, 192.0.2.0/24:443, 2001:db8::/48 or [2001:db8::/48]:443
        #[arg(value_name = "NET[:PORT]")]
        network: String,
        /// For how long ("300" seconds, "1h"); at most 31 days
        #[arg(long = "for", value_name = "SPAN", value_parser = up_to(LONGEST))]
        span: Duration,
        /// Why, for who reads the list
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Those in force, and how many packets went on against a verdict
    List,
    /// Take one off the list, by its number
    Remove { id: u64 },
}

impl Pass {
    pub(super) async fn ask(&self, client: &mut Client) -> Result<Answer, Failure> {
        let sessions = &mut client.sessions;
        Ok(match self {
            Pass::Add { network, span, note } => {
                let (network, note) = (network.clone(), note.clone());
                let request = p::AddPassRequest { network, seconds: span.as_secs(), note };
                added(&sessions.add_pass(request).await.map_err(refused)?.into_inner())
            }
            Pass::List => listed(&sessions.passes(p::PassesRequest {}).await.map_err(refused)?.into_inner()),
            Pass::Remove { id } => {
                let request = p::RemovePassRequest { id: *id };
                let pass = sessions.remove_pass(request).await.map_err(refused)?.into_inner();
                let table = format!("{} is off the list; it spared {} packets\n", pass.network, pass.spared);
                Answer { json: row(&pass, pass.until), table }
            }
        })
    }
}

fn added(pass: &p::Pass) -> Answer {
    let mut table = format!("{} passes, number {}\n", pass.network, pass.id);
    if pass.broad {
        table +=
            &format!("warning: {} is broad: nothing to or from it is stopped until then\n", pass.network);
    }
    Answer { json: row(pass, pass.since), table }
}

fn listed(reply: &p::PassesReply) -> Answer {
    let mut table = Table::with_head(["NUMBER", "NETWORK", "SECONDS LEFT", "SPARED", "NOTE"]);
    for pass in &reply.passes {
        let (id, left) = (pass.id.to_string(), left(pass, reply.now).to_string());
        let broad = if pass.broad { format!("{} (broad)", pass.network) } else { pass.network.clone() };
        table.row([&*id, &*broad, &*left, &*pass.spared.to_string(), &*pass.note]);
    }
    let json = Value::Array(reply.passes.iter().map(|pass| row(pass, reply.now)).collect());
    Answer { json, table: table.to_string() }
}

fn left(pass: &p::Pass, now: u64) -> u64 {
    pass.until.saturating_sub(now).div_ceil(1_000_000)
}

fn row(pass: &p::Pass, now: u64) -> Value {
    json!({
        "id": pass.id,
        "network": pass.network,
        "note": pass.note,
        "since": show::stamp(pass.since),
        "until": show::stamp(pass.until),
        "seconds_left": left(pass, now),
        "spared": pass.spared,
        "broad": pass.broad,
    })
}
