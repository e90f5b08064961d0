//! `weir ctl events`: records as they come, a line each.

use super::{Answer, refused};
use crate::cli::Failure;
use crate::mgmt::rpc::client::Client;
use crate::mgmt::rpc::proto as p;
use clap::Args;
use p::events_reply::What;
use serde_json::Value;
use std::io::{self, Write};

#[derive(Debug, Args)]
pub(super) struct Events {
    /// Which records, as outputs.eve.types names them (default: those of outputs.eve)
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    types: Vec<String>,
    /// End after so many
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after so many seconds
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: Option<u64>,
}

/// As it is: what JSON says is for programs. False when whoever reads has had enough.
fn write(record: &str) -> Result<bool, Failure> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{record}").and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(format!("cannot write to stdout: {error}").into()),
    }
}

impl Events {
    /// Each record is a line of JSON, with `--json` or without: what is lost is told on stderr.
    pub(super) async fn ask(&self, client: &mut Client) -> Result<Answer, Failure> {
        let request = p::EventsRequest {
            types: self.types.clone(),
            count: self.count.unwrap_or(0),
            milliseconds: self.seconds.unwrap_or(0).saturating_mul(1000),
        };
        let mut stream = client.events.watch(request).await.map_err(refused)?.into_inner();
        let mut lost = 0;
        loop {
            let reply = tokio::select! {
                reply = stream.message() => reply.map_err(refused)?,
                _ = tokio::signal::ctrl_c() => break,
            };
            match reply.and_then(|reply| reply.what) {
                Some(What::Record(record)) if write(&record)? => {}
                Some(What::Record(_)) => break,
                Some(What::End(end)) => lost = end.lost,
                Some(What::Begin(_)) => {}
                None => break,
            }
        }
        if lost > 0 {
            crate::cli::tell(&format!(
                "warning: {lost} records were lost on their way: ask for fewer --types"
            ));
        }
        Ok(Answer { json: Value::Null, table: String::new() })
    }
}
