//! The pipeline's counters under the dotted names of eve.json's `stats`; where Suricata has the same thing, its name.

use crate::base::{DropReason, ExceptionCause, ExceptionPolicy};
use crate::io::PortStats;
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
    ("defrag.timeouts", |t| t.datagrams_timed_out.get()),
    ("defrag.waiting", |t| t.datagrams_waiting.get()),
    ("defrag.memuse", |t| t.fragment_memory.get()),
    ("ips.rejected", |t| t.rejected.get()),
    ("ips.answers", |t| t.answers.get()),
    ("flow.active", |t| t.sessions.get()),
    ("flow.total", |t| t.sessions_opened.get()),
    ("flow.refused", |t| t.sessions_refused.get()),
    ("flow.untracked", |t| t.untracked.get()),
    ("tcp.invalid_checksum", |t| t.damaged_segments.get()),
    ("tcp.checksum_untrusted", |t| t.untrusted_checksums.get()),
    ("tcp.streams", |t| t.streams.get()),
    ("tcp.reassembly_memuse", |t| t.stream_memory.get()),
    ("tcp.reassembly_gap", |t| t.stream_gaps.get()),
    ("tcp.overlap_diff_data", |t| t.stream_conflicts.get()),
];

type GetStat = fn(&PortStats) -> u64;

/// What a port lost, as `port.NAME.` has it.
const LOSSES: &[(&str, GetStat)] = &[
    ("rx_missed", |s| s.rx_missed),
    ("rx_no_buffer", |s| s.rx_no_buffer),
    ("rx_errors", |s| s.rx_errors),
    ("tx_errors", |s| s.tx_errors),
];

const TRAFFIC: &[(&str, GetStat)] = &[
    ("rx_packets", |s| s.rx_packets),
    ("rx_bytes", |s| s.rx_bytes),
    ("tx_packets", |s| s.tx_packets),
    ("tx_bytes", |s| s.tx_bytes),
];

/// Suricata's names for the sums over all ports.
const CAPTURE: &[(&str, GetStat)] = &[
    ("capture.kernel_drops", |s| s.rx_missed + s.rx_no_buffer),
    ("capture.rx_errors", |s| s.rx_missed + s.rx_no_buffer + s.rx_errors),
    ("capture.tx_errors", |s| s.tx_errors),
    ("capture.dpdk.imissed", |s| s.rx_missed),
    ("capture.dpdk.no_mbufs", |s| s.rx_no_buffer),
    ("capture.dpdk.ierrors", |s| s.rx_errors),
];

/// What each port lost, of those that lost something.
pub fn losses(handle: &Handle) -> Vec<NamedCount> {
    let lost = |(name, stats): (String, PortStats)| {
        let each = LOSSES.iter().map(move |(what, get)| (format!("{name}.{what}"), get(&stats)));
        each.filter(|(_, lost)| *lost > 0).map(|(name, lost)| NamedCount::new(name, lost))
    };
    metered(handle).into_iter().flat_map(lost).collect()
}

fn metered(handle: &Handle) -> Vec<(String, PortStats)> {
    handle.meters.iter().map(|(name, meter)| (name.clone(), meter.stats())).collect()
}

/// How often exception policies acted, by cause and policy; those that never did are left out.
fn exceptions(handle: &Handle) -> Vec<NamedCount> {
    let mut list = Vec::new();
    for cause in ExceptionCause::ALL {
        for policy in ExceptionPolicy::ALL {
            let count = |t: &TableCounts| t.exceptions[cause as usize][policy as usize].get();
            let acted: u64 = handle.tables.iter().map(|t| count(t)).sum();
            if acted > 0 {
                let name = format!("exception_policy.{}.{}", cause.counter(), policy.name());
                list.push(NamedCount::new(name, acted));
            }
        }
    }
    list
}

/// All counters, summed over the lcores.
pub fn of(handle: &Handle) -> Vec<NamedCount> {
    let balance = handle.balance(0);
    let mut list = vec![NamedCount::new("capture.kernel_packets", balance.received)];
    let ports = metered(handle);
    for (name, get) in CAPTURE.iter().filter(|_| !ports.is_empty()) {
        list.push(NamedCount::new(*name, ports.iter().map(|(_, stats)| get(stats)).sum()));
    }
    list.push(NamedCount::new("decoder.pkts", balance.received));
    list.push(NamedCount::new("decoder.bytes", balance.received_bytes));
    for (name, get) in TABLES {
        list.push(NamedCount::new(*name, handle.tables.iter().map(|t| get(t)).sum()));
    }
    list.push(NamedCount::new("ips.accepted", balance.transmitted));
    list.push(NamedCount::new("ips.blocked", balance.dropped));
    for &reason in DropReason::ALL {
        let dropped = handle.ledgers.iter().map(|l| l.dropped(reason)).sum();
        list.push(NamedCount::new(format!("ips.drop_reason.{}", reason.name()), dropped));
    }
    list.extend(exceptions(handle));
    let hosts = handle.hosts.as_ref().map(|hosts| hosts.counts()).unwrap_or_default();
    let ip = handle.ip_actions.counts();
    for (name, value) in [
        ("ip_actions.made", ip.made),
        ("ip_actions.prolonged", ip.prolonged),
        ("ip_actions.evicted", ip.evicted),
        ("ip_actions.refused", ip.refused),
        ("ip_actions.contended", ip.contended),
        ("ip_actions.notified", ip.notified),
        ("pass_list.spared", handle.pass_list.spared()),
        ("detect.host_bits_evicted", hosts.bits_evicted),
        ("detect.thresholds_evicted", hosts.thresholds_evicted),
        ("detect.hosts_contended", hosts.contended),
        ("detect.alerts_suppressed", hosts.suppressed),
        ("frames.generated", balance.generated),
        ("frames.held", balance.held),
        ("frames.consumed", balance.consumed),
        ("frames.merged", balance.merged),
        ("overload.bypassed", handle.ledgers.iter().map(|l| l.bypassed.get()).sum()),
        ("frames.misplaced", handle.ledgers.iter().map(|l| l.misplaced.get()).sum()),
    ] {
        list.push(NamedCount::new(name, value));
    }
    list.push(NamedCount::new("lcores.failed", handle.board.failed().count() as u64));
    for (port, stats) in &ports {
        let counts = TRAFFIC.iter().chain(LOSSES);
        list.extend(counts.map(|(what, get)| NamedCount::new(format!("port.{port}.{what}"), get(stats))));
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::idle_handle;

    #[test]
    fn what_ports_lose_is_shown_by_port_and_summed_under_suricatas_names() {
        let lossy =
            PortStats { rx_missed: 7, rx_no_buffer: 2, rx_errors: 1, tx_errors: 4, ..PortStats::default() };
        let handle = idle_handle(&[("outside", lossy), ("inside", PortStats::default())]);
        let counters = of(&handle);
        let value = |name: &str| counters.iter().find(|c| c.name == name).map(|c| c.value);
        assert_eq!(value("port.outside.rx_missed"), Some(7));
        assert_eq!(value("port.inside.rx_missed"), Some(0));
        assert_eq!((value("capture.dpdk.imissed"), value("capture.dpdk.no_mbufs")), (Some(7), Some(2)));
        assert_eq!((value("capture.kernel_drops"), value("capture.rx_errors")), (Some(9), Some(10)));
        assert_eq!((value("capture.dpdk.ierrors"), value("capture.tx_errors")), (Some(1), Some(4)));
        let lost = losses(&handle);
        let lost: Vec<_> = lost.iter().map(|c| (c.name.as_str(), c.value)).collect();
        let names = ["rx_missed", "rx_no_buffer", "rx_errors", "tx_errors"].map(|n| format!("outside.{n}"));
        assert_eq!(lost, names.iter().map(String::as_str).zip([7, 2, 1, 4]).collect::<Vec<_>>());
    }
}
