//! `weir ctl capture` and `weir ctl trace`: packets as they pass.

use super::{Answer, refused, show};
use crate::base::Time;
use crate::cli::Failure;
use crate::io::capture::pcapng::{PacketRecord, PcapngWriter};
use crate::mgmt::rpc::client::Client;
use crate::mgmt::rpc::proto as p;
use clap::Args;
use p::watch_reply::What;
use serde_json::json;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use tonic::Streaming;

const ETHERNET: u16 = 1;

#[derive(Debug, Args)]
pub(super) struct Capture {
    /// Which packets, in libpcap's language: host 10.0.0.5 and tcp port 80 (default: all)
    #[arg(value_name = "FILTER", num_args = 0.., trailing_var_arg = true)]
    filter: Vec<String>,
    /// Only packets that a verdict drops, or would if the pair's mode let it
    #[arg(long)]
    dropped: bool,
    /// The pcapng file, each packet with its fate as a comment; - for standard output
    #[arg(short, long = "write", value_name = "FILE")]
    write: PathBuf,
    #[command(flatten)]
    bounds: Bounds,
    /// Bytes kept of each frame (default: all)
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(14..))]
    snaplen: Option<u32>,
}

#[derive(Debug, Args)]
pub(super) struct Trace {
    /// Which packets, in libpcap's language: host 10.0.0.5 and tcp port 80 (default: all)
    #[arg(value_name = "FILTER", num_args = 0.., trailing_var_arg = true)]
    filter: Vec<String>,
    #[command(flatten)]
    bounds: Bounds,
}

#[derive(Debug, Args)]
struct Bounds {
    /// End after so many packets (default: 10000 captured, 10 traced)
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after so many seconds
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
}

/// How a stream ended.
#[derive(Default)]
struct Ended {
    packets: u64,
    /// None where we went first.
    totals: Option<p::WatchEnd>,
}

async fn watch(
    client: &mut Client,
    request: p::WatchRequest,
) -> Result<(Vec<String>, Streaming<p::WatchReply>), Failure> {
    let mut stream = client.packets.watch(request).await.map_err(refused)?.into_inner();
    let first = stream.message().await.map_err(refused)?.and_then(|reply| reply.what);
    match first {
        Some(What::Begin(begin)) => Ok((begin.ports, stream)),
        _ => Err(Failure::from("the appliance ended the stream before its first packet".to_owned())),
    }
}

/// Until the appliance ends the stream, or Ctrl-C.
async fn each(
    mut stream: Streaming<p::WatchReply>,
    mut packet: impl FnMut(p::ShownPacket) -> Result<(), Failure>,
) -> Result<Ended, Failure> {
    let mut ended = Ended::default();
    loop {
        let reply = tokio::select! {
            reply = stream.message() => reply.map_err(refused)?,
            _ = tokio::signal::ctrl_c() => return Ok(ended),
        };
        match reply.and_then(|reply| reply.what) {
            Some(What::Packet(shown)) => {
                packet(shown)?;
                ended.packets += 1;
            }
            Some(What::End(totals)) => ended.totals = Some(totals),
            Some(What::Begin(_)) => {}
            None => return Ok(ended),
        }
    }
}

impl Ended {
    fn lost(&self) -> u64 {
        self.totals.as_ref().map_or(0, |totals| totals.lost)
    }

    fn told(&self, what: &str) -> String {
        match self.lost() {
            0 => format!("{} packets {what}\n", self.packets),
            lost => format!(
                "{} packets {what}, {lost} lost on their way: narrow the filter or lower --snaplen\n",
                self.packets
            ),
        }
    }
}

impl Capture {
    pub(super) async fn ask(&self, client: &mut Client) -> Result<Answer, Failure> {
        let request = p::WatchRequest {
            filter: self.filter.join(" "),
            dropped: self.dropped,
            steps: false,
            snaplen: self.snaplen.unwrap_or(0),
            count: self.bounds.count.unwrap_or(0),
            milliseconds: self.bounds.seconds.saturating_mul(1000),
        };
        // Before the file is touched: a wrong filter leaves it as it is.
        let (ports, stream) = watch(client, request).await?;
        let path = self.write.display().to_string();
        let fault = |error: io::Error| {
            Failure::from(format!("cannot write {path}: {error}; name another file with -w"))
        };
        let standard = path == "-";
        let out: Box<dyn Write> = match standard {
            true => Box::new(io::stdout()),
            false => Box::new(BufWriter::new(File::create(&self.write).map_err(fault)?)),
        };
        let mut writer = PcapngWriter::begin(out, ETHERNET, &ports).map_err(fault)?;
        let ended = each(stream, |shown| {
            let comment = match shown.packet {
                0 => shown.lines.join("\n"),
                number => format!("packet {number}: {}", shown.lines.join("\n")),
            };
            let record = PacketRecord {
                interface: shown.port,
                time: Time::from_micros(shown.time),
                length: shown.length,
                bytes: &shown.bytes,
                comment: &comment,
            };
            writer
                .packet(&record)
                .and_then(|()| if standard { writer.flush() } else { Ok(()) })
                .map_err(fault)
        })
        .await?;
        writer.flush().map_err(fault)?;
        if standard {
            eprint!("{}", ended.told("written"));
            return Ok(Answer { json: serde_json::Value::Null, table: String::new() });
        }
        let json = json!({ "file": path, "packets": ended.packets, "lost": ended.lost() });
        Ok(Answer { json, table: ended.told(&format!("written to {path}")) })
    }
}

impl Trace {
    pub(super) async fn ask(&self, client: &mut Client, as_json: bool) -> Result<Answer, Failure> {
        let request = p::WatchRequest {
            filter: self.filter.join(" "),
            steps: true,
            count: self.bounds.count.unwrap_or(10),
            milliseconds: self.bounds.seconds.saturating_mul(1000),
            ..p::WatchRequest::default()
        };
        let (ports, stream) = watch(client, request).await?;
        let mut packets = Vec::new();
        let ended = each(stream, |shown| {
            if as_json {
                packets.push(json!({
                    "packet": shown.packet,
                    "time": show::stamp(shown.time),
                    "port": ports.get(shown.port as usize),
                    "length": shown.length,
                    "steps": shown.lines,
                }));
            } else {
                let mut text = format!("packet {}, {}\n", shown.packet, show::stamp(shown.time));
                shown.lines.iter().for_each(|line| text += &format!("  {line}\n"));
                crate::cli::terminal::print(&text)?;
            }
            Ok(())
        })
        .await?;
        let json = json!({ "packets": packets, "lost": ended.lost() });
        Ok(Answer { json, table: ended.told("traced") })
    }
}
