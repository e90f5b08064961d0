//! `weir ctl sessions`: those that live, everything about one, and an end for one.

use super::{Answer, refused, show};
use crate::cli::Failure;
use crate::cli::table::Table;
use crate::mgmt::rpc::client::Client;
use crate::mgmt::rpc::proto as p;
use clap::{Args, Subcommand};
use serde_json::Value;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Sessions {
    /// Most to show
    #[arg(long, default_value_t = 100)]
    limit: u32,
    /// Only with this address at either end (`--address` is the appliance's own)
    #[arg(long, value_name = "ADDRESS")]
    host: Option<String>,
    /// Only with this port at either end
    #[arg(long)]
    port: Option<u16>,
    /// Only this IP protocol number (6 TCP, 17 UDP)
    #[arg(long)]
    proto: Option<u8>,
    #[command(subcommand)]
    one: Option<One>,
}

#[derive(Debug, Subcommand)]
enum One {
    /// Everything about one
    Show {
        #[arg(value_name = "FLOW_ID")]
        flow_id: u64,
    },
    /// End one: from now on its packets are dropped, and both ends are told (where the pair's mode is ips)
    Kill {
        #[arg(value_name = "FLOW_ID")]
        flow_id: u64,
    },
}

impl Sessions {
    pub(super) async fn ask(&self, client: &mut Client) -> Result<Answer, Failure> {
        let sessions = &mut client.sessions;
        Ok(match self.one {
            None => {
                let request = p::SessionsRequest {
                    limit: self.limit,
                    address: self.host.clone().unwrap_or_default(),
                    port: self.port.map(u32::from),
                    proto: self.proto.map(u32::from),
                };
                show::sessions(&sessions.list(request).await.map_err(refused)?.into_inner())
            }
            Some(One::Show { flow_id }) => {
                one(sessions.show(p::SessionRequest { flow_id }).await.map_err(refused)?.into_inner())
            }
            Some(One::Kill { flow_id }) => {
                one(sessions.kill(p::SessionRequest { flow_id }).await.map_err(refused)?.into_inner())
            }
        })
    }
}

/// A line for each member.
fn one(session: p::Session) -> Answer {
    let all = show::sessions(&p::SessionsReply { sessions: vec![session] });
    let json = all.json.get(0).cloned().unwrap_or_default();
    let mut table = Table::default();
    for (name, value) in json.as_object().into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        table.row([name.replace('_', " "), if *value == Value::Null { "-".into() } else { text }]);
    }
    Answer { table: table.to_string(), json }
}
