//! `weir ctl`: the client of the management RPC. Tables for people, `--json` for programs.

mod config;
mod dataset;
mod drops;
mod events;
mod ip_actions;
mod mode;
mod packets;
mod pass;
mod profile;
mod rules;
mod services;
mod sessions;
mod shadow;
mod show;
mod span;
mod why;

use super::{Failure, Outcome, misuse};
use crate::mgmt::rpc::client::{self, Address, Client, connect};
use crate::mgmt::rpc::tls::TlsFiles;
use crate::mgmt::rpc::{proto as p, socket};
use clap::{Args, Subcommand};
use serde_json::Value;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Ctl {
    /// Control socket (default: where weir puts it for this user)
    #[arg(long, value_name = "PATH", global = true)]
    socket: Option<PathBuf>,
    /// An appliance by TCP: https://HOST:PORT, or http://127.0.0.1:PORT on this machine (its key rpc.listen)
    #[arg(long, value_name = "URL", global = true, conflicts_with = "socket")]
    address: Option<String>,
    /// With https: CA of the appliance's certificate (PEM)
    #[arg(long, value_name = "FILE", global = true)]
    ca: Option<PathBuf>,
    /// With https: your certificate (PEM)
    #[arg(long, value_name = "FILE", global = true)]
    cert: Option<PathBuf>,
    /// With https: your certificate's key (PEM)
    #[arg(long, value_name = "FILE", global = true)]
    key: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Version of the running appliance
    Version,
    /// What it is doing
    Status,
    /// Memory by part, against what it may be
    Memory,
    /// All counters, or those whose name begins with PREFIX
    Counters {
        #[arg(default_value = "")]
        prefix: String,
    },
    /// Live sessions, everything about one, or an end for one
    Sessions(sessions::Sessions),
    /// Frames dropped: how many, and what is new since the last look
    Drops(drops::Drops),
    /// Why packets between two ends are dropped: reason, rule, generation, packet
    Why(why::Why),
    /// IP actions in force, which rules have asked for
    #[command(subcommand)]
    IpAction(ip_actions::IpAction),
    /// Networks that no verdict stops, each until a time
    #[command(subcommand)]
    Pass(pass::Pass),
    /// Packets as they pass, or only dropped ones, into a pcapng file with each one's fate
    Capture(packets::Capture),
    /// The steps that packets take
    Trace(packets::Trace),
    /// Events as they come, the records of eve.json, until Ctrl-C or a bound
    Events(events::Events),
    /// How much the daemon's own log tells, or another level until the next start
    LogLevel {
        /// error, warn, info, debug or trace
        #[arg(value_parser = ["error", "warn", "info", "debug", "trace"])]
        level: Option<String>,
    },
    /// Modes of pairs, or another mode: `mode ips --confirm 300`
    Mode(mode::Mode),
    /// What each lcore does
    Lcores,
    /// Stop all lcores between two turns (50 ms at most) and count every frame; exit code 1 if they do not add up
    Balance,
    /// Rules in force
    #[command(subcommand)]
    Rules(rules::Rules),
    /// Datasets of the rules in force: look into them, change them, write them
    #[command(subcommand)]
    Dataset(dataset::Dataset),
    /// Service sets, or everything about one
    ServiceSet { name: Option<String> },
    /// Plugins
    #[command(subcommand)]
    Plugin(services::Plugin),
    /// Change plugins and service sets of a running appliance
    #[command(subcommand)]
    Services(services::Services),
    /// Hosts, services and application contexts that were seen
    #[command(subcommand)]
    Profile(profile::Profile),
    /// The configuration: show and change it, commit, roll back
    #[command(subcommand)]
    Config(config::Config),
    /// Ask the appliance to stop
    Stop,
}

/// An answer in both forms.
struct Answer {
    json: Value,
    table: String,
}

impl Ctl {
    fn whom(&self) -> Result<Address, client::ClientError> {
        let files = match (&self.ca, &self.cert, &self.key) {
            (Some(ca), Some(certificate), Some(key)) => {
                Some(TlsFiles { ca: ca.clone(), certificate: certificate.clone(), key: key.clone() })
            }
            _ => None,
        };
        match &self.address {
            Some(address) => Address::parse(address, files.as_ref()),
            None => Ok(Address::Socket(self.socket.clone().unwrap_or_else(socket::default_path))),
        }
    }
}

/// A request that failed.
fn refused(status: tonic::Status) -> Failure {
    let text = client::told(&status);
    if status.code() == tonic::Code::InvalidArgument { misuse(text) } else { text.into() }
}

impl Command {
    /// What can be told without asking.
    fn check(&self) -> Result<(), Failure> {
        match self {
            Command::Mode(args) => args.check(),
            Command::Why(args) => args.check(),
            Command::Config(command) => command.check(),
            _ => Ok(()),
        }
    }
}

pub fn run(args: Ctl) -> Result<Outcome, Failure> {
    args.command.check()?;
    let whom = args.whom().map_err(|error| match error {
        client::ClientError::Tls(_) => Failure::from(error),
        _ => misuse(error.to_string()),
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(async {
        let mut client = connect(&whom).await?;
        ask(&mut client, &args.command, args.json).await
    })?;
    if args.json && !answer.json.is_null() {
        super::print(&(serde_json::to_string_pretty(&answer.json)? + "\n"))?;
    } else {
        super::print(&answer.table)?;
    }
    let no = |key: &str| answer.json.get(key) == Some(&Value::Bool(false));
    Ok(if no("even") || no("found") { Outcome::Flawed } else { Outcome::Clean })
}

async fn ask(client: &mut Client, command: &Command, as_json: bool) -> Result<Answer, Failure> {
    let appliance = &mut client.appliance;
    Ok(match command {
        Command::Version => {
            show::version(&appliance.version(p::VersionRequest {}).await.map_err(refused)?.into_inner())
        }
        Command::Status => {
            show::status(&appliance.status(p::StatusRequest {}).await.map_err(refused)?.into_inner())
        }
        Command::Memory => {
            show::memory(&appliance.status(p::StatusRequest {}).await.map_err(refused)?.into_inner().memory)
        }
        Command::Counters { prefix } => {
            let request = p::CountersRequest { prefix: prefix.clone() };
            show::counters(&appliance.counters(request).await.map_err(refused)?.into_inner())
        }
        Command::Drops(args) => args.ask(client).await?,
        Command::Why(args) => args.ask(client).await?,
        Command::IpAction(command) => command.ask(client).await?,
        Command::Pass(command) => command.ask(client).await?,
        Command::Capture(args) => args.ask(client).await?,
        Command::Trace(args) => args.ask(client, as_json).await?,
        Command::Mode(args) => args.ask(client).await?,
        Command::Lcores => {
            show::lcores(&appliance.lcores(p::LcoresRequest {}).await.map_err(refused)?.into_inner())
        }
        Command::Balance => {
            show::balance(&appliance.balance(p::BalanceRequest {}).await.map_err(refused)?.into_inner())
        }
        Command::Sessions(args) => args.ask(client).await?,
        Command::Events(args) => args.ask(client).await?,
        Command::LogLevel { level } => {
            let reply = match level {
                Some(level) => appliance.set_log_level(p::SetLogLevelRequest { level: level.clone() }).await,
                None => appliance.log_level(p::LogLevelRequest {}).await,
            };
            let level = reply.map_err(refused)?.into_inner().level;
            Answer { json: serde_json::json!({ "level": level }), table: level + "\n" }
        }
        Command::Rules(command) => command.ask(client).await?,
        Command::Dataset(command) => command.ask(client).await?,
        Command::ServiceSet { name } => services::sets(client, name.as_deref()).await?,
        Command::Plugin(command) => services::plugin(client, command).await?,
        Command::Services(command) => services::services(client, command).await?,
        Command::Profile(command) => command.ask(client).await?,
        Command::Config(command) => command.ask(client).await?,
        Command::Stop => {
            appliance.stop(p::StopRequest {}).await.map_err(refused)?;
            Answer { json: serde_json::json!({ "stopping": true }), table: "stopping\n".into() }
        }
    })
}
