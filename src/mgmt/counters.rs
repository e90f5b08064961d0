//! The pipeline's counters under the dotted names of eve.json's `stats`; where Suricata has the same thing, its name.

use crate::base::DropReason;
use crate::mgmt::control::NamedCount;
use crate::pipeline::Handle;
use crate::pipeline::tables::TableCounts;

type Get = fn(&TableCounts) -> u64;

const TABLES: &[(&str, Get)] = &[
    ("decoder.ipv4", |t| t.ipv4.get()),
    ("decoder.ipv6", |t| t.ipv6.get()),
    ("decoder.tcp", |t| t.tcp.get()),
    ("decoder.udp", |t| t.udp.get()),
    ("decoder.icmp", |t| t.icmp.get()),
    ("decoder.sctp", |t| t.sctp.get()),
    ("decoder.invalid", |t| t.invalid.get()),
    ("defrag.reassembled", |t| t.datagrams_rebuilt.get()),
    ("defrag.waiting", |t| t.datagrams_waiting.get()),
    ("defrag.memuse", |t| t.fragment_memory.get()),
    ("flow.active", |t| t.sessions.get()),
    ("flow.total", |t| t.sessions_opened.get()),
    ("flow.refused", |t| t.sessions_refused.get()),
    ("flow.untracked", |t| t.untracked.get()),
    ("tcp.streams", |t| t.streams.get()),
    ("tcp.reassembly_memuse", |t| t.stream_memory.get()),
    ("tcp.reassembly_gap", |t| t.stream_gaps.get()),
    ("tcp.overlap_diff_data", |t| t.stream_conflicts.get()),
];

/// All counters, summed over the lcores.
pub fn of(handle: &Handle) -> Vec<NamedCount> {
    let balance = handle.balance(0);
    let mut list = vec![
        NamedCount::new("capture.kernel_packets", balance.received),
        NamedCount::new("decoder.pkts", balance.received),
        NamedCount::new("decoder.bytes", balance.received_bytes),
    ];
    for (name, get) in TABLES {
        list.push(NamedCount::new(*name, handle.tables.iter().map(|t| get(t)).sum()));
    }
    list.push(NamedCount::new("ips.accepted", balance.transmitted));
    list.push(NamedCount::new("ips.blocked", balance.dropped));
    for &reason in DropReason::ALL {
        let dropped = handle.ledgers.iter().map(|l| l.dropped(reason)).sum();
        list.push(NamedCount::new(format!("ips.drop_reason.{}", reason.name()), dropped));
    }
    for (name, value) in [
        ("frames.generated", balance.generated),
        ("frames.held", balance.held),
        ("frames.consumed", balance.consumed),
        ("frames.merged", balance.merged),
        ("frames.misplaced", handle.ledgers.iter().map(|l| l.misplaced.get()).sum()),
    ] {
        list.push(NamedCount::new(name, value));
    }
    list
}
