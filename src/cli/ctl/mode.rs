//! `weir ctl mode`: modes of pairs, changed while traffic flows.

use super::span::up_to;
use super::{Answer, refused};
use crate::cli::table::Table;
use crate::cli::{Failure, misuse};
use crate::mgmt::control::LONGEST_CONFIRM;
use crate::mgmt::rpc::client::Client;
use crate::mgmt::rpc::proto as p;
use clap::Args;
use serde_json::{Value, json};
use std::time::Duration;

/// Without words it shows the modes.
#[derive(Debug, Args)]
pub(super) struct Mode {
    /// [PAIR] ips|tap|ids: another mode for a pair (named by one of its ports, or both with a comma), or for all.
    /// confirm: keep what was changed. revert: take it back now
    #[arg(value_name = "WORD", num_args = 0..=2)]
    words: Vec<String>,
    /// Go back by itself after so long ("300" seconds, "5m") unless `weir ctl mode confirm` comes before
    #[arg(long, value_name = "SPAN", value_parser = up_to(LONGEST_CONFIRM))]
    confirm: Option<Duration>,
}

impl Mode {
    fn words(&self) -> Vec<&str> {
        self.words.iter().map(String::as_str).collect()
    }

    pub(super) fn check(&self) -> Result<(), Failure> {
        match self.words()[..] {
            [] | ["confirm" | "revert"] if self.confirm.is_some() => {
                Err(misuse("--confirm goes with a new mode: weir ctl mode ips --confirm 300"))
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn ask(&self, client: &mut Client) -> Result<Answer, Failure> {
        let words = self.words();
        let appliance = &mut client.appliance;
        let change = |pair: &str, mode: &str| p::SetModeRequest {
            pair: pair.to_owned(),
            mode: mode.to_owned(),
            confirm_ms: self.confirm.map_or(0, |span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
        };
        let confirm = |revert| p::ConfirmModesRequest { revert };
        let reply = match words[..] {
            [] => appliance.modes(p::ModesRequest {}).await,
            ["confirm"] => appliance.confirm_modes(confirm(false)).await,
            ["revert"] => appliance.confirm_modes(confirm(true)).await,
            [mode] => appliance.set_mode(change("", mode)).await,
            [pair, mode, ..] => appliance.set_mode(change(pair, mode)).await,
        };
        Ok(show(&reply.map_err(refused)?.into_inner()))
    }
}

fn show(reply: &p::ModesReply) -> Answer {
    let mut table = Table::with_head(["pair", "mode", "unless confirmed"]);
    let mut json = Vec::new();
    for pair in &reply.pairs {
        let seconds = pair.confirm_by.saturating_sub(reply.now).div_ceil(1_000_000);
        let back = match pair.confirm_by {
            0 => "-".to_owned(),
            _ => format!("{} in {seconds} s", pair.before),
        };
        table.row([&pair.ports.join(" <-> "), &pair.mode, &back]);
        let back = (pair.confirm_by > 0).then(|| json!({ "mode": pair.before, "seconds": seconds }));
        json.push(json!({ "ports": pair.ports, "mode": pair.mode, "unless_confirmed": back }));
    }
    Answer { json: Value::Array(json), table: table.to_string() }
}
