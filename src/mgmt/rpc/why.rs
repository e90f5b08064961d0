//! `Sessions.Why` in the words of the contract.

use super::fault;
use super::proto as p;
use crate::io::clock::wall;
use crate::mgmt::control::{Between, DropStory, RuleStory, Why};
use crate::mgmt::eve::proto_name;
use std::net::IpAddr;
use tonic::Status as Fault;

pub(super) fn between(request: &p::WhyRequest) -> Result<Between, Fault> {
    let refused = |text: &str| fault::invalid(text);
    let address =
        |text: &str| text.parse::<IpAddr>().map_err(|_| fault::invalid(format!("{text:?} is no address")));
    let port = |port: u32| u16::try_from(port).map_err(|_| refused("a port is at most 65535"));
    let ports = match (request.a_port, request.b_port) {
        (Some(a), Some(b)) => Some([port(a)?, port(b)?]),
        (None, None) => None,
        _ => return Err(refused("give the ports of both ends, or of neither")),
    };
    Ok(Between {
        proto: u8::try_from(request.proto).map_err(|_| refused("an IP protocol is at most 255"))?,
        ends: [address(&request.a)?, address(&request.b)?],
        ports,
    })
}

pub(super) fn reply(why: Why) -> p::WhyReply {
    p::WhyReply {
        sessions: why.sessions.into_iter().map(Into::into).collect(),
        drops: why.drops.into_iter().map(story).collect(),
    }
}

pub(super) fn rule(rule: RuleStory) -> p::DropRule {
    let RuleStory { generation, known, sid, rev, msg } = rule;
    p::DropRule { generation, known, sid, rev, msg }
}

fn story(s: DropStory) -> p::DropStory {
    let rule = s.rule.map(rule);
    p::DropStory {
        worker: s.worker,
        source: s.tuple.src_ip().to_string(),
        source_port: s.tuple.sport.into(),
        destination: s.tuple.dst_ip().to_string(),
        destination_port: s.tuple.dport.into(),
        proto: proto_name(s.tuple.proto).into_owned(),
        flow_id: s.flow_id,
        reason: s.reason.name().into(),
        help: s.reason.help().into(),
        plugin: s.plugin,
        rule,
        generation: s.generation,
        packet: s.packet,
        port: s.port,
        first: wall(s.first).micros(),
        last: wall(s.last).micros(),
        frames: s.frames,
        spared: s.spared,
        vlans: s.tuple.vlans().map(u32::from).collect(),
    }
}
