//! Answers as tables and as JSON.

use super::Answer;
use crate::base::Time;
use crate::cli::table::Table;
use crate::mgmt::eve::Stamp;
use crate::mgmt::rpc::proto as p;
use crate::pipeline::Balance;
use serde_json::{Map, Value, json};

pub(super) fn stamp(micros: u64) -> String {
    Stamp(Time::from_micros(micros)).to_string()
}

pub(super) fn version(v: &p::VersionReply) -> Answer {
    let mut table = Table::default();
    table.row(["weir", &v.version]);
    table.row(["commit", &v.commit]);
    table.row(["dpdk", &v.dpdk]);
    let json = json!({ "version": v.version, "commit": v.commit, "dpdk": v.dpdk, "api": v.api });
    Answer { json, table: table.to_string() }
}

pub(super) fn status(s: &p::StatusReply) -> Answer {
    let uptime = s.now.saturating_sub(s.started) / 1_000_000;
    let mut table = Table::default();
    table.row(["mode", &s.running_mode]);
    table.row(["profile", &s.profile]);
    table.row(["started", &stamp(s.started)]);
    table.row(["uptime", &format!("{uptime} s")]);
    table.row(["rules", &format!("{} loaded, {} refused", s.rules_loaded, s.rules_refused)]);
    table.row(["generation", &s.generation.to_string()]);
    table.row(["workers", &s.workers.to_string()]);
    table.row(["sessions", &s.sessions.to_string()]);
    table.row(["events", &format!("{} sent, {} lost", s.events_sent, s.events_lost)]);
    for pair in &s.pairs {
        table.row(["pair", &format!("{} ({})", pair.ports.join(" <-> "), pair.mode)]);
    }
    for port in &s.links_down {
        table.row(["link down", port]);
    }
    for loss in &s.port_losses {
        table.row([&format!("lost: {}", loss.name), &loss.value.to_string()]);
    }
    for memory in &s.memory {
        let text = match memory.cap {
            0 => format!("{} KiB", memory.used >> 10),
            cap => format!("{} KiB of {} KiB", memory.used >> 10, cap >> 10),
        };
        table.row([&format!("memory {}", memory.part), &text]);
    }
    let pair = |x: &p::Pair| json!({ "ports": x.ports, "mode": x.mode });
    let json = json!({
        "running_mode": s.running_mode,
        "profile": s.profile,
        "started": stamp(s.started),
        "uptime": uptime,
        "generation": s.generation,
        "rules": { "loaded": s.rules_loaded, "refused": s.rules_refused },
        "workers": s.workers,
        "sessions": s.sessions,
        "events": { "sent": s.events_sent, "lost": s.events_lost },
        "port_losses": s.port_losses.iter().map(|c| (c.name.clone(), c.value.into())).collect::<Map<_, _>>(),
        "links_down": s.links_down,
        "pairs": s.pairs.iter().map(pair).collect::<Vec<_>>(),
        "memory": s.memory.iter().map(memory_json).collect::<Vec<_>>(),
    });
    Answer { json, table: table.to_string() }
}

fn memory_json(m: &p::Memory) -> Value {
    json!({ "part": m.part, "used": m.used, "cap": (m.cap > 0).then_some(m.cap) })
}

pub(super) fn memory(parts: &[p::Memory]) -> Answer {
    let mut table = Table::with_head(["part", "KiB", "of KiB", "%"]);
    for part in parts {
        let (cap, percent) = match part.cap {
            0 => ("-".into(), "-".into()),
            cap => ((cap >> 10).to_string(), format!("{:.1}", 100.0 * part.used as f64 / cap as f64)),
        };
        table.row([part.part.clone(), (part.used >> 10).to_string(), cap, percent]);
    }
    Answer { json: Value::Array(parts.iter().map(memory_json).collect()), table: table.to_string() }
}

pub(super) fn counters(c: &p::CountersReply) -> Answer {
    let mut table = Table::default();
    let mut json = Map::new();
    for counter in &c.counters {
        table.row([&counter.name, &counter.value.to_string()]);
        json.insert(counter.name.clone(), counter.value.into());
    }
    Answer { json: Value::Object(json), table: table.to_string() }
}

pub(super) fn lcores(l: &p::LcoresReply) -> Answer {
    let mut table = Table::with_head(["lcore", "cpu", "frames", "bytes", "sessions", "ring", "busy %"]);
    let mut json = Vec::new();
    for lcore in &l.lcores {
        let cpu = lcore.cpu.map_or("-".into(), |cpu| cpu.to_string());
        let ring = if lcore.ring_size == 0 {
            "-".into()
        } else {
            format!("{}/{}", lcore.ring_used, lcore.ring_size)
        };
        let busy = match lcore.turns {
            0 => "-".into(),
            turns => format!("{:.1}", 100.0 * (turns - lcore.idle_turns.min(turns)) as f64 / turns as f64),
        };
        let numbers = [lcore.frames, lcore.bytes, lcore.sessions].map(|n| n.to_string());
        let [frames, bytes, sessions] = &numbers;
        table.row([&lcore.role, &cpu, frames, bytes, sessions, &ring, &busy]);
        json.push(json!({
            "role": lcore.role,
            "cpu": lcore.cpu,
            "frames": lcore.frames,
            "bytes": lcore.bytes,
            "sessions": lcore.sessions,
            "ring_used": lcore.ring_used,
            "ring_size": lcore.ring_size,
            "turns": lcore.turns,
            "idle_turns": lcore.idle_turns,
        }));
    }
    Answer { json: Value::Array(json), table: table.to_string() }
}

pub(super) fn balance(b: &p::BalanceReply) -> Answer {
    let balance = Balance {
        received: b.received,
        generated: b.generated,
        transmitted: b.transmitted,
        dropped: b.dropped,
        held: b.held,
        consumed: b.consumed,
        merged: b.merged,
        in_rings: b.in_rings,
        ..Balance::default()
    };
    let table = format!("{balance}\nlcores stood still for {} us\n", b.paused);
    let json = json!({
        "received": b.received,
        "generated": b.generated,
        "transmitted": b.transmitted,
        "dropped": b.dropped,
        "held": b.held,
        "consumed": b.consumed,
        "merged": b.merged,
        "in_rings": b.in_rings,
        "even": balance.is_even(),
        "paused_us": b.paused,
    });
    Answer { json, table }
}

pub(super) fn sessions(s: &p::SessionsReply) -> Answer {
    let head = [
        "flow id",
        "proto",
        "client",
        "server",
        "state",
        "to server",
        "to client",
        "worker",
        "application",
        "verdict",
    ];
    let mut table = Table::with_head(head);
    let mut json = Vec::new();
    for x in &s.sessions {
        let end = |address: &str, port: u32| {
            if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
        };
        let state =
            if x.tcp_state.is_empty() { x.state.clone() } else { format!("{} ({})", x.state, x.tcp_state) };
        let sums = [(x.packets_to_server, x.bytes_to_server), (x.packets_to_client, x.bytes_to_client)];
        let [up, down] = sums.map(|(packets, bytes)| format!("{packets} p, {bytes} B"));
        let (client, server) = (end(&x.client, x.client_port), end(&x.server, x.server_port));
        table.row([
            &x.flow_id.to_string(),
            &x.proto,
            &client,
            &server,
            &state,
            &up,
            &down,
            &x.worker.to_string(),
            &x.application,
            &x.verdict,
        ]);
        json.push(json!({
            "flow_id": x.flow_id,
            "worker": x.worker,
            "proto": x.proto,
            "client": x.client,
            "client_port": x.client_port,
            "server": x.server,
            "server_port": x.server_port,
            "state": x.state,
            "tcp_state": x.tcp_state,
            "application": x.application,
            "verdict": x.verdict,
            "start": stamp(x.start),
            "last": stamp(x.last),
            "packets_to_server": x.packets_to_server,
            "packets_to_client": x.packets_to_client,
            "bytes_to_server": x.bytes_to_server,
            "bytes_to_client": x.bytes_to_client,
            "generation": x.generation,
            "vlan": x.vlans,
        }));
    }
    Answer { json: Value::Array(json), table: table.to_string() }
}

pub(super) fn reload(r: &p::ReloadReply) -> Answer {
    let table = format!("generation {}: {} rules loaded, {} refused\n", r.generation, r.loaded, r.refused);
    let json = json!({ "generation": r.generation, "loaded": r.loaded, "refused": r.refused });
    Answer { json, table }
}
