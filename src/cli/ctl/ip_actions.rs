//! `weir ctl ip-action`: what rules have asked for against addresses, ports and services, listed and ended.

use super::{Answer, refused, show};
use crate::cli::Failure;
use crate::cli::table::Table;
use crate::mgmt::rpc::client::Client;
use crate::mgmt::rpc::proto as p;
use clap::Subcommand;
use serde_json::{Value, json};

#[derive(Debug, Subcommand)]
pub(super) enum IpAction {
    /// Those in force: against what, by which rule, for how long, and how many packets they acted on
    List {
        /// Only those against this address
        #[arg(value_name = "ADDRESS")]
        against: Option<String>,
    },
    /// End them
    Clear {
        /// Only those against this address
        #[arg(value_name = "ADDRESS", required_unless_present = "all")]
        against: Option<String>,
        /// All of them
        #[arg(long, conflicts_with = "against")]
        all: bool,
    },
}

impl IpAction {
    pub(super) async fn ask(&self, client: &mut Client) -> Result<Answer, Failure> {
        let sessions = &mut client.sessions;
        Ok(match self {
            IpAction::List { against } => {
                let request = p::IpActionsRequest { address: against.clone().unwrap_or_default() };
                listed(&sessions.ip_actions(request).await.map_err(refused)?.into_inner())
            }
            IpAction::Clear { against, .. } => {
                let request = p::ClearIpActionsRequest { address: against.clone().unwrap_or_default() };
                let reply = sessions.clear_ip_actions(request).await.map_err(refused)?.into_inner();
                let table = format!("{} ended\n", reply.cleared);
                Answer { json: json!({ "cleared": reply.cleared }), table }
            }
        })
    }
}

fn listed(reply: &p::IpActionsReply) -> Answer {
    let mut table = Table::with_head(["ACTION", "TARGET", "AGAINST", "RULE", "SECONDS LEFT", "PACKETS"]);
    for a in &reply.actions {
        let left = (a.until.saturating_sub(reply.now)).div_ceil(1_000_000).to_string();
        let packets = a.packets.to_string();
        table.row([&*a.deed, &*a.target, &*against(a), &*rule(a), &*left, &*packets]);
    }
    let json = Value::Array(reply.actions.iter().map(|a| action_json(a, reply.now)).collect());
    Answer { json, table: table.to_string() }
}

fn against(a: &p::IpAction) -> String {
    match a.target.as_str() {
        "zone" => format!("port {}", a.ingress),
        "service" => format!("{} -> {} {} {}", a.source, a.destination, a.proto, a.port),
        "destination" => a.destination.clone(),
        _ => a.source.clone(),
    }
}

fn rule(a: &p::IpAction) -> String {
    match &a.rule {
        Some(rule) if rule.known => format!("sid {}", rule.sid),
        Some(rule) => format!("of generation {}", rule.generation),
        None => String::new(),
    }
}

fn action_json(a: &p::IpAction, now: u64) -> Value {
    let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let rule = a.rule.as_ref().filter(|rule| rule.known);
    json!({
        "action": a.deed,
        "target": a.target,
        "source": said(&a.source),
        "destination": said(&a.destination),
        "proto": said(&a.proto),
        "port": (a.port != 0).then_some(a.port),
        "ingress": said(&a.ingress),
        "sid": rule.map(|rule| rule.sid),
        "msg": rule.map(|rule| rule.msg.clone()),
        "since": show::stamp(a.since),
        "until": show::stamp(a.until),
        "seconds_left": a.until.saturating_sub(now).div_ceil(1_000_000),
        "packets": a.packets,
    })
}
