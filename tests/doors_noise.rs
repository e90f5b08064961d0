//! Requests that nobody meant to send: every RPC with messages of all kinds, and clients that ask without end and read nothing.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use prost::bytes::{Buf, BufMut};
use serde_json::json;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::Duration;
use support::Bench;
use support::doors::{Appliance, Noise, Suricatasc, get};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Request, Status};
use weir::mgmt::rpc::client::{Address, connect};

/// Messages as the bytes that they are.
#[derive(Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = usize;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = usize;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<usize>, Status> {
        let length = from.remaining();
        from.advance(length);
        Ok(Some(length))
    }
}

/// `/weir.v1.Service/Method`, and whether it answers with a stream; all but the one that ends the appliance.
fn methods() -> Vec<(String, bool)> {
    let (mut service, mut found) = (String::new(), Vec::new());
    for line in std::fs::read_to_string("proto/weir.proto").unwrap().lines() {
        if let Some(rest) = line.strip_prefix("service ") {
            service = rest.trim_end_matches(" {").to_owned();
        } else if let Some(rest) = line.trim().strip_prefix("rpc ") {
            let (method, rest) = rest.split_once('(').unwrap();
            found.push((format!("/weir.v1.{service}/{method}"), rest.contains("returns (stream ")));
        }
    }
    found.retain(|(path, _)| path != "/weir.v1.Appliance/Stop");
    found
}

/// Bytes, or fields as protobuf has them, with values at the ends of their ranges and words that mean something.
fn message(noise: &mut Noise) -> Vec<u8> {
    if noise.below(4) == 0 {
        let length = noise.below(200);
        return noise.bytes(length);
    }
    let words =
        ["", "outside", "ips", "idp", "default", "10.0.0.1", "::1", "tcp and (", "/dev/null", "\u{0}", "ü"];
    let mut message = Vec::new();
    for _ in 0..noise.below(6) {
        let (field, kind) = (1 + noise.below(7), [0, 0, 2, 2, 2, 1, 5][noise.below(7)]);
        message.push((field << 3 | kind) as u8);
        match kind {
            0 => message.extend(
                [
                    &b"\x00"[..],
                    b"\x01",
                    b"\x7f",
                    b"\xff\xff\xff\xff\x0f",
                    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
                ][noise.below(5)],
            ),
            1 => message.extend(noise.bytes(8)),
            5 => message.extend(noise.bytes(4)),
            _ => {
                let word = words[noise.below(words.len())];
                message.push(word.len() as u8);
                message.extend(word.as_bytes());
            }
        }
    }
    message
}

#[test]
fn every_rpc_bears_every_message() {
    let appliance = Appliance::start(Bench::new(), &[]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let methods = methods();
    assert!(methods.len() >= 18, "{methods:?}");
    let (mut taken, mut refused) = (0, 0);
    runtime.block_on(async {
        let client = connect(&Address::Socket(appliance.bench.path("weir.sock"))).await.unwrap();
        for (number, (path, streams)) in methods.iter().enumerate() {
            let mut noise = Noise::new(number as u64);
            for _ in 0..40 {
                let message = message(&mut noise);
                let mut grpc = tonic::client::Grpc::new(client.channel.clone());
                grpc.ready().await.unwrap();
                let (request, to) = (Request::new(message.clone()), path.parse::<PathAndQuery>().unwrap());
                let asked = async {
                    match streams {
                        false => grpc.unary(request, to, Raw).await.map(|_| ()),
                        true => {
                            let stream =
                                grpc.server_streaming(request, to, Raw).await?.into_inner().message().await;
                            stream.map(|_| ())
                        }
                    }
                };
                let answer = tokio::time::timeout(Duration::from_secs(20), asked).await;
                match answer.unwrap_or_else(|_| panic!("{path} does not answer {message:?}")) {
                    Ok(()) => taken += 1,
                    Err(status) => {
                        // An internal fault is a panic behind the door, an unavailable one a door that broke.
                        let fault = matches!(status.code(), tonic::Code::Unavailable | tonic::Code::Unknown);
                        let panic = status.message().contains("the request ended early");
                        assert!(!fault && !panic, "{path} {message:?}: {status}");
                        refused += 1;
                    }
                }
            }
        }
    });
    assert!(taken > 100 && refused > 100, "{taken} taken, {refused} refused");
    assert!(appliance.ctl(&["status"]).status.success());
    let log = appliance.running.stderr();
    assert!(!log.contains("panicked"), "{log}");
    appliance.end();
}

#[test]
fn who_asks_without_end_and_reads_nothing_holds_up_nobody() {
    let appliance = Appliance::start(Bench::new(), &[]);
    let mut greedy = Vec::new();
    for _ in 0..4 {
        let mut io = UnixStream::connect(appliance.bench.path("suricata-command.socket")).unwrap();
        io.write_all(b"{\"version\": \"0.1\"}").unwrap();
        io.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
        let question = json!({ "command": "dump-counters" }).to_string().repeat(1000);
        // Until nobody takes it any more: the answers fill the other direction.
        let stopped = (0..200).find(|_| io.write_all(question.as_bytes()).is_err());
        assert!(stopped.is_some(), "8 MB of questions were taken");
        greedy.push(io);
    }
    assert!(Suricatasc::new(&appliance).done("uptime").is_u64());
    assert!(appliance.ctl(&["status"]).status.success());
    assert_eq!(get(appliance.http(), "/metrics").0, 200);
    appliance.end();
}
