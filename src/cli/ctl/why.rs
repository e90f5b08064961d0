//! `weir ctl why`: why packets between two ends are dropped.

use super::{Answer, show};
use crate::cli::{Failure, misuse};
use crate::mgmt::rpc::client::Client;
use crate::mgmt::rpc::proto as p;
use clap::Args;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

#[derive(Debug, Args)]
pub(super) struct Why {
    /// Protocol and both ends, in either direction: tcp 10.0.0.1:4000 10.0.0.2:80 ([2001:db8::1]:4000 of IPv6; without ports: all)
    #[arg(value_name = "5-TUPLE", required = true, num_args = 1..)]
    words: Vec<String>,
}

impl Why {
    pub(super) fn check(&self) -> Result<(), Failure> {
        request(&self.words).map(drop).map_err(misuse)
    }

    pub(super) async fn ask(&self, client: &mut Client) -> Result<Answer, Failure> {
        let request = request(&self.words).map_err(misuse)?;
        let reply = client.sessions.why(request).await;
        Ok(answer(&reply.map_err(super::refused)?.into_inner()))
    }
}

const FORM: &str = "write: weir ctl why tcp 10.0.0.1:4000 10.0.0.2:80";

/// The words may come as one; arrows between the ends say nothing.
fn request(words: &[String]) -> Result<p::WhyRequest, String> {
    let words = words.iter().flat_map(|word| word.split_whitespace());
    let words: Vec<&str> = words.filter(|word| !["->", "<-", "<->", ">"].contains(word)).collect();
    let [proto, a, b] = words[..] else {
        return Err(format!("a protocol and two ends are needed; {FORM}"));
    };
    let proto = protocol(proto).ok_or_else(|| {
        format!("{proto:?} is no protocol: write tcp, udp, icmp, icmp6, sctp or a number; {FORM}")
    })?;
    let ((a, a_port), (b, b_port)) = (end(a)?, end(b)?);
    if a_port.is_some() != b_port.is_some() {
        return Err(format!("give the ports of both ends, or of neither; {FORM}"));
    }
    let (a, b) = (a.to_string(), b.to_string());
    Ok(p::WhyRequest { proto, a, b, a_port: a_port.map(u32::from), b_port: b_port.map(u32::from) })
}

fn protocol(word: &str) -> Option<u32> {
    Some(match word.to_ascii_lowercase().as_str() {
        "icmp" => 1,
        "tcp" => 6,
        "udp" => 17,
        "icmp6" | "icmpv6" | "ipv6-icmp" => 58,
        "sctp" => 132,
        number => u32::from(number.parse::<u8>().ok()?),
    })
}

fn end(text: &str) -> Result<(IpAddr, Option<u16>), String> {
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Ok((socket.ip(), Some(socket.port())));
    }
    let address = text
        .parse::<IpAddr>()
        .map_err(|_| format!("{text:?} is no address with or without a port; {FORM}"))?;
    Ok((address, None))
}

fn socket(address: &str, port: u32) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

/// In which VLANs, outermost first; nothing for none.
fn tagged(vlans: &[u32]) -> String {
    let ids: Vec<String> = vlans.iter().map(u32::to_string).collect();
    if ids.is_empty() { String::new() } else { format!(" in VLAN {}", ids.join(".")) }
}

fn answer(reply: &p::WhyReply) -> Answer {
    let sessions = show::sessions(&p::SessionsReply { sessions: reply.sessions.clone() });
    let mut table = String::new();
    for s in &reply.sessions {
        let (client, server) = (socket(&s.client, s.client_port), socket(&s.server, s.server_port));
        let packets = s.packets_to_server + s.packets_to_client;
        let _ = writeln!(
            table,
            "session {} {} {client} -> {server}{} lives on worker {}: {}, verdict {}, {packets} packets, rules of generation {}",
            s.flow_id,
            s.proto,
            tagged(&s.vlans),
            s.worker,
            s.state,
            s.verdict,
            s.generation
        );
    }
    for drop in &reply.drops {
        table += &told(drop);
    }
    if reply.drops.is_empty() {
        table += "no drop between these ends is remembered (each worker remembers 4096 conversations; what never reached a worker shows in `weir ctl drops`)\n";
    }
    let json = json!({
        "sessions": sessions.json,
        "drops": Value::Array(reply.drops.iter().map(drop_json).collect()),
    });
    Answer { json, table }
}

/// A few lines for people.
fn told(d: &p::DropStory) -> String {
    let ends = format!(
        "{} {} -> {}{}",
        d.proto,
        socket(&d.source, d.source_port),
        socket(&d.destination, d.destination_port),
        tagged(&d.vlans)
    );
    let what = if d.spared == d.frames { "would be dropped" } else { "dropped" };
    let mut out = format!("{ends}: {what}: {} ({})\n", d.reason, d.help);
    match &d.rule {
        Some(rule) if rule.known => {
            let _ = writeln!(
                out,
                "  rule         sid {} rev {}: {}, generation {}",
                rule.sid, rule.rev, rule.msg, rule.generation
            );
        }
        Some(rule) => {
            let _ = writeln!(
                out,
                "  rule         one of generation {}, which is no longer in memory",
                rule.generation
            );
        }
        None => {}
    }
    if !d.plugin.is_empty() {
        let _ = writeln!(out, "  plugin       {}", d.plugin);
    }
    if d.flow_id != 0 {
        let _ = writeln!(out, "  session      {}, opened under generation {}", d.flow_id, d.generation);
    }
    let _ = writeln!(
        out,
        "  first        packet {} of port {}, worker {}, {}",
        d.packet,
        d.port,
        d.worker,
        show::stamp(d.first)
    );
    let spared = if d.spared > 0 {
        format!(", {} of them forwarded because of the mode", d.spared)
    } else {
        String::new()
    };
    let _ = writeln!(out, "  frames       {}{spared}, the last {}", d.frames, show::stamp(d.last));
    out
}

fn drop_json(d: &p::DropStory) -> Value {
    let rule = d.rule.as_ref().map(|rule| {
        json!({
            "generation": rule.generation,
            "sid": rule.known.then_some(rule.sid),
            "rev": rule.known.then_some(rule.rev),
            "msg": rule.known.then_some(&rule.msg),
        })
    });
    json!({
        "worker": d.worker,
        "src_ip": d.source,
        "src_port": d.source_port,
        "dest_ip": d.destination,
        "dest_port": d.destination_port,
        "proto": d.proto,
        "flow_id": d.flow_id,
        "reason": d.reason,
        "help": d.help,
        "plugin": (!d.plugin.is_empty()).then_some(&d.plugin),
        "rule": rule,
        "generation": d.generation,
        "packet": d.packet,
        "port": d.port,
        "first": show::stamp(d.first),
        "last": show::stamp(d.last),
        "frames": d.frames,
        "would_drop": d.spared,
        "vlan": d.vlans,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Result<p::WhyRequest, String> {
        request(&[text.to_owned()])
    }

    #[test]
    fn a_tuple_is_read_in_the_forms_people_write() {
        let (a, b) = ("10.0.0.1".to_owned(), "10.0.0.2".to_owned());
        let expected = p::WhyRequest { proto: 6, a, b, a_port: Some(4000), b_port: Some(80) };
        assert_eq!(asked("tcp 10.0.0.1:4000 -> 10.0.0.2:80"), Ok(expected.clone()));
        assert_eq!(asked("6 10.0.0.1:4000 10.0.0.2:80"), Ok(expected));
        let v6 = asked("UDP [2001:db8::1]:5 [2001:db8::2]:53").unwrap();
        assert_eq!((v6.proto, v6.a.as_str(), v6.b_port), (17, "2001:db8::1", Some(53)));
        assert_eq!(asked("icmp6 fe80::1 fe80::2").unwrap().a_port, None);
    }

    #[test]
    fn what_is_no_tuple_is_told_how_to_be_one() {
        for (text, said) in [
            ("tcp 10.0.0.1:4000", "two ends are needed"),
            ("tpc 10.0.0.1:1 10.0.0.2:2", "is no protocol"),
            ("tcp host:1 10.0.0.2:2", "is no address"),
            ("tcp 10.0.0.1 10.0.0.2:2", "both ends, or of neither"),
        ] {
            let error = asked(text).unwrap_err();
            assert!(error.contains(said) && error.contains("write: weir ctl why"), "{text}: {error}");
        }
    }
}
