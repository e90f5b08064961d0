//! Which metric each of `weir ctl counters` is: its family and labels, from its dotted name.

use super::exposition::{Family, Kind};

const fn counter(name: &'static str, help: &'static str) -> Family {
    Family { name, kind: Kind::Counter, help }
}

const fn gauge(name: &'static str, help: &'static str) -> Family {
    Family { name, kind: Kind::Gauge, help }
}

/// What becomes of a counter.
pub enum Place<'a> {
    /// A sample of this family with these labels.
    Sample(&'static Family, Vec<(&'static str, &'a str)>),
    /// The sum of others that are shown, or one of them by another name.
    Shown,
}

const DECODED: Family =
    counter("weir_decoded_packets_total", "Packets decoded, by protocol; inner ones of tunnels too.");
const EXCEPTIONS: Family =
    counter("weir_exception_policy_total", "How often an exception policy acted, by cause.");
const DROPPED: Family = counter("weir_dropped_frames_total", "Frames dropped, by reason.");
const PORT_LOST: Family = counter(
    "weir_port_lost_packets_total",
    "Packets that a port lost: rx_missed and rx_no_buffer before anybody saw them, rx_errors, tx_errors.",
);
const OTHER: Family = Family {
    name: "weir_counter",
    kind: Kind::Untyped,
    help: "Other counters, by the names that weir ctl counters has.",
};
const PLUGIN_OWN: Family = Family {
    name: "weir_plugin_own",
    kind: Kind::Untyped,
    help: "What a plugin itself counts, by service set and the plugin's own name for it.",
};

/// Those that have no labels. An empty name: shown elsewhere.
const PLAIN: &[(&str, Family)] = &[
    ("capture.kernel_packets", counter("weir_received_frames_total", "Frames received from ports.")),
    ("decoder.bytes", counter("weir_received_bytes_total", "Bytes of frames received on inspected pairs.")),
    ("decoder.invalid", counter("weir_invalid_packets_total", "Packets with a header that cannot be.")),
    ("ips.accepted", counter("weir_transmitted_frames_total", "Frames given to ports.")),
    ("ips.rejected", counter("weir_rejected_packets_total", "Packets rejected by a rule.")),
    (
        "ips.answers",
        counter("weir_reject_answers_total", "Resets and ICMP errors sent about rejected packets."),
    ),
    ("defrag.reassembled", counter("weir_rebuilt_datagrams_total", "Datagrams put together from fragments.")),
    (
        "defrag.timeouts",
        counter("weir_timed_out_datagrams_total", "Datagrams of which not all fragments came in time."),
    ),
    ("defrag.waiting", gauge("weir_waiting_datagrams", "Datagrams that wait for fragments.")),
    ("flow.active", gauge("weir_sessions", "Sessions that live.")),
    ("flow.total", counter("weir_sessions_opened_total", "Sessions opened.")),
    ("flow.refused", counter("weir_sessions_refused_total", "Sessions for which the table had no room.")),
    (
        "tcp.invalid_checksum",
        counter(
            "weir_tcp_invalid_checksums_total",
            "TCP segments with a wrong checksum, which belong to no session.",
        ),
    ),
    (
        "tcp.checksum_untrusted",
        gauge("weir_tcp_untrusted_checksums", "Ports, of each worker, whose TCP checksums mean nothing."),
    ),
    ("flow.untracked", counter("weir_untracked_packets_total", "Packets that went on without a session.")),
    ("tcp.streams", gauge("weir_streams", "TCP directions followed.")),
    ("tcp.reassembly_gap", counter("weir_stream_gaps_total", "Holes in TCP streams that were given up.")),
    (
        "tcp.overlap_diff_data",
        counter(
            "weir_stream_conflicts_total",
            "TCP segments that brought other bytes for a place than an earlier one.",
        ),
    ),
    ("detect.alert", counter("weir_alerts_total", "Alerts that went to the outputs.")),
    (
        "detect.alerts_suppressed",
        counter(
            "weir_suppressed_alerts_total",
            "Alerts kept back by a threshold or suppression on a worker.",
        ),
    ),
    (
        "detect.host_bits_evicted",
        counter("weir_evicted_hostbits_total", "Bits of hosts given up for others."),
    ),
    (
        "detect.thresholds_evicted",
        counter("weir_evicted_thresholds_total", "Counts of thresholds given up for others."),
    ),
    (
        "detect.hosts_contended",
        counter("weir_contended_hosts_total", "Looks at state of hosts that another worker was changing."),
    ),
    (
        "frames.generated",
        counter("weir_generated_frames_total", "Frames made: rebuilt datagrams, pieces, inspected copies."),
    ),
    ("frames.held", gauge("weir_held_frames", "Frames that wait: fragments, and those that a plugin holds.")),
    ("frames.consumed", counter("weir_consumed_frames_total", "Copies that ended here after inspection.")),
    (
        "frames.merged",
        counter(
            "weir_merged_frames_total",
            "Fragments that became part of a datagram, and datagrams that were cut.",
        ),
    ),
    (
        "frames.misplaced",
        counter("weir_misplaced_frames_total", "Frames that a NIC gave to another worker than their owner."),
    ),
    ("lcores.failed", gauge("weir_failed_lcores", "Lcores that ended by a panic.")),
    ("lcores.stalled", counter("weir_lcore_stalls_total", "Times that an lcore did not turn for too long.")),
    (
        "overload.bypassed",
        counter(
            "weir_overload_bypassed_frames_total",
            "Frames that went on uninspected because a worker had no room for them.",
        ),
    ),
    ("ip_actions.made", counter("weir_ip_actions_total", "IP actions that rules asked for.")),
    (
        "ip_actions.prolonged",
        counter("weir_ip_actions_prolonged_total", "IP actions asked for again while they were in force."),
    ),
    ("ip_actions.evicted", counter("weir_ip_actions_evicted_total", "IP actions given up for newer ones.")),
    (
        "ip_actions.refused",
        counter("weir_ip_actions_refused_total", "IP actions for which the table had no room."),
    ),
    (
        "ip_actions.contended",
        counter(
            "weir_ip_actions_contended_total",
            "IP actions given up because other workers were changing their place.",
        ),
    ),
    (
        "ip_actions.notified",
        counter("weir_ip_action_notices_total", "Packets that an IP action only took note of."),
    ),
    (
        "pass_list.spared",
        counter(
            "weir_pass_list_spared_packets_total",
            "Packets that went on against a verdict, being on the pass list.",
        ),
    ),
    ("events.sent", counter("weir_events_total", "Events that workers put into their rings.")),
    ("events.lost", counter("weir_lost_events_total", "Events that found their ring full.")),
    (
        "watchdog.restarts_stuck",
        counter("weir_restarts_stuck_total", "Restarts because a plugin did not return."),
    ),
    (
        "watchdog.restarts_crashed",
        counter("weir_restarts_crashed_total", "Restarts because a plugin crashed."),
    ),
    (
        "profiler.observed",
        counter("weir_profiler_observed_total", "Things that events told of, for the profile of hosts."),
    ),
    ("profiler.written", counter("weir_profiler_written_total", "Of these, those that the database has.")),
    (
        "profiler.lost",
        counter(
            "weir_profiler_lost_total",
            "Of these, those that found the profiler's queue or tables full.",
        ),
    ),
    (
        "profiler.evicted",
        counter("weir_profiler_evicted_rows_total", "Rows of the database given up for newer ones."),
    ),
    (
        "profiler.failures",
        counter("weir_profiler_failures_total", "Times that the database could not be written."),
    ),
    (
        "profiler.set_aside",
        counter("weir_profiler_files_set_aside_total", "Files of the database set aside, being damaged."),
    ),
    (
        "log.lost",
        counter("weir_log_lost_lines_total", "Lines of the daemon's own log that stderr did not take."),
    ),
    ("watchdog.plugins_left_out", gauge("weir_plugins_left_out", "Plugins that the watchdog has left out.")),
];

/// Sums, other names, and what `weir_memory_*` has.
const SHOWN: &[&str] = &[
    "decoder.pkts",
    "ips.blocked",
    "defrag.memuse",
    "tcp.reassembly_memuse",
    "capture.kernel_drops",
    "capture.rx_errors",
    "capture.tx_errors",
    "capture.dpdk.imissed",
    "capture.dpdk.no_mbufs",
    "capture.dpdk.ierrors",
];

const PORT: &[(&str, Family)] = &[
    ("rx_packets", counter("weir_port_received_packets_total", "Packets received by a port.")),
    ("rx_bytes", counter("weir_port_received_bytes_total", "Bytes received by a port.")),
    ("tx_packets", counter("weir_port_transmitted_packets_total", "Packets sent by a port.")),
    ("tx_bytes", counter("weir_port_transmitted_bytes_total", "Bytes sent by a port.")),
];

const OUTPUT: &[(&str, Family)] = &[
    ("generated", counter("weir_output_generated_lines_total", "Lines made for an output.")),
    ("exported", counter("weir_output_exported_lines_total", "Lines that an output's file or socket took.")),
    ("lost", counter("weir_output_lost_lines_total", "Lines that found no room or that nobody took.")),
];

const PLUGIN: &[(&str, Family)] = &[
    ("packets", counter("weir_plugin_packets_total", "Packets that a plugin saw.")),
    ("discards", counter("weir_plugin_discards_total", "Packets that a plugin discarded.")),
    ("holds", counter("weir_plugin_holds_total", "Packets that a plugin held.")),
    ("faults", counter("weir_plugin_faults_total", "Calls in which a plugin misbehaved.")),
];

const DATASET: &[(&str, Family)] = &[
    ("values", gauge("weir_dataset_values", "Values in a set that rules change.")),
    ("refused", counter("weir_dataset_refused_values_total", "Values for which a set had no room.")),
];

fn find(families: &'static [(&'static str, Family)], name: &str) -> Option<&'static Family> {
    families.iter().find(|(known, _)| *known == name).map(|(_, family)| family)
}

/// Where a counter is shown.
pub fn place(name: &str) -> Place<'_> {
    if let Some(family) = find(PLAIN, name) {
        return Place::Sample(family, Vec::new());
    }
    if SHOWN.contains(&name) {
        return Place::Shown;
    }
    labelled(name).unwrap_or_else(|| Place::Sample(&OTHER, vec![("name", name)]))
}

fn labelled(name: &str) -> Option<Place<'_>> {
    let (head, rest) = name.split_once('.')?;
    let sample = |family, labels| Some(Place::Sample(family, labels));
    match head {
        "decoder" => sample(&DECODED, vec![("protocol", rest)]),
        "ips" => sample(&DROPPED, vec![("reason", rest.strip_prefix("drop_reason.")?)]),
        "exception_policy" => {
            let (cause, policy) = rest.rsplit_once('.')?;
            sample(&EXCEPTIONS, vec![("cause", cause), ("policy", policy)])
        }
        "port" => {
            let (port, what) = rest.rsplit_once('.')?;
            match find(PORT, what) {
                Some(family) => sample(family, vec![("port", port)]),
                None => sample(&PORT_LOST, vec![("port", port), ("reason", what)]),
            }
        }
        "output" => {
            let (output, what) = rest.rsplit_once('.')?;
            sample(find(OUTPUT, what)?, vec![("output", output)])
        }
        "dataset" => {
            let (dataset, what) = rest.rsplit_once('.')?;
            sample(find(DATASET, what)?, vec![("dataset", dataset)])
        }
        "plugin" => {
            let (plugin, what) = rest.split_once('.')?;
            match (find(PLUGIN, what), what.split_once('.')) {
                (Some(family), _) => sample(family, vec![("plugin", plugin)]),
                (None, Some((set, own))) => {
                    sample(&PLUGIN_OWN, vec![("plugin", plugin), ("set", set), ("name", own)])
                }
                (None, None) => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dotted_name_becomes_a_family_with_labels() {
        let told = |name: &str| match place(name) {
            Place::Sample(family, labels) => {
                let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
                format!("{} {}", family.name, labels.join(","))
            }
            Place::Shown => "shown".into(),
        };
        for (name, expected) in [
            ("flow.active", "weir_sessions "),
            ("decoder.pkts", "shown"),
            ("decoder.tcp", "weir_decoded_packets_total protocol=tcp"),
            ("ips.drop_reason.rules", "weir_dropped_frames_total reason=rules"),
            ("port.a.b.rx_bytes", "weir_port_received_bytes_total port=a.b"),
            ("port.a.rx_missed", "weir_port_lost_packets_total port=a,reason=rx_missed"),
            ("output.eve.lost", "weir_output_lost_lines_total output=eve"),
            ("plugin.idp.faults", "weir_plugin_faults_total plugin=idp"),
            ("plugin.x.web.hits", "weir_plugin_own plugin=x,set=web,name=hits"),
            ("profiler.lost", "weir_profiler_lost_total "),
            ("dataset.a.b.values", "weir_dataset_values dataset=a.b"),
            (
                "exception_policy.flow.memcap.drop-flow",
                "weir_exception_policy_total cause=flow.memcap,policy=drop-flow",
            ),
            ("something.new", "weir_counter name=something.new"),
            ("plugin.idp.new", "weir_counter name=plugin.idp.new"),
        ] {
            assert_eq!(told(name), expected, "{name}");
        }
    }
}
