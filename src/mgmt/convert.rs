//! The configuration in the words of the layers below: their settings, ports and pools.

use crate::base::{Addr, NetworkTable, PerDir, PortId, Time};
use crate::inspect::{CostBook, Engine, MAX_ALERTS};
use crate::io::dpdk::{EalConfig, HashFields, LogLevel, Memory, PoolConfig, PortConfig, Stamp};
use crate::io::{LinkType, PortInfo};
use crate::mgmt::config::value::Auto;
use crate::mgmt::config::{
    Config, EventType, FullTable, HashKey, Inspect, Midstream, Mode, NonIp, Overlap, Poll, Profile, Urgent,
    check,
};
use crate::mgmt::services::{Draft, Layout, Ports, StartFault, Stock};
use crate::pipeline::settings::{self as pipeline, PortPlan, Wanted};
use crate::pipeline::{Polling, Spreading};
use crate::service::Tuning;
use crate::service::watchdog::Restarted;
use crate::{defrag, inspect, session, stream};
use std::sync::Arc;

/// Bytes of one block of the stream store ([`stream::Settings::blocks`]).
const STREAM_BLOCK: u64 = 2048;

/// Megabytes of hugepages below which "auto" does without.
const HUGEPAGES_WANTED: u64 = 128;

/// `now` is the start: a midstream grace ends relative to it. `seed` makes table hashes unpredictable; a replay's is fixed.
pub fn sessions(config: &Config, now: Time, seed: u64) -> session::Settings {
    let t = &config.timeouts;
    // How long a closed session other than TCP lingers makes no difference that anyone sees: as the layer has it.
    let stock = match config.profile {
        Profile::Suricata => session::Timeouts::SURICATA,
        Profile::Inline => session::Timeouts::WEIR,
    };
    let phases = |new, established, closed| session::PhaseTimeouts { new, established, closed };
    session::Settings {
        capacity: config.sessions.size,
        timeouts: session::Timeouts {
            tcp: phases(t.tcp_new, t.tcp_established, t.tcp_closing),
            udp: phases(t.udp_new, t.udp_established, stock.udp.closed),
            icmp: phases(t.icmp_new, t.icmp_established, stock.icmp.closed),
            other: phases(t.other_new, t.other_established, stock.other.closed),
        },
        when_full: match config.sessions.full {
            FullTable::EvictOldestUnestablished => session::WhenFull::EvictOldestUnestablished,
            FullTable::DropNew => session::WhenFull::DropNew,
            FullTable::ForwardUntracked => session::WhenFull::ForwardUntracked,
        },
        tcp: session::TcpSettings {
            midstream: match config.sessions.midstream {
                Midstream::Never => session::Midstream::Never,
                Midstream::Always => session::Midstream::Always,
                Midstream::Grace(span) => session::Midstream::Until(now.plus(span)),
            },
            async_one_side: config.sessions.async_one_side,
        },
        exceptions: config.exceptions.policies(),
        seed,
    }
}

/// A policy for fragments; systems of old that TCP alone sets apart are filed with their kin.
fn fragment_overlap(policy: Overlap) -> defrag::OverlapPolicy {
    match policy {
        Overlap::First | Overlap::OldSolaris | Overlap::Hpux11 | Overlap::Macos => {
            defrag::OverlapPolicy::First
        }
        Overlap::Last => defrag::OverlapPolicy::Last,
        Overlap::Bsd | Overlap::Hpux10 | Overlap::Irix => defrag::OverlapPolicy::Bsd,
        Overlap::BsdRight => defrag::OverlapPolicy::BsdRight,
        Overlap::Linux | Overlap::OldLinux => defrag::OverlapPolicy::Linux,
        Overlap::Solaris => defrag::OverlapPolicy::Solaris,
        Overlap::Windows | Overlap::Vista | Overlap::Windows2k3 => defrag::OverlapPolicy::Windows,
    }
}

/// A policy for TCP segments.
fn segment_overlap(policy: Overlap) -> stream::OverlapPolicy {
    match policy {
        Overlap::First | Overlap::Vista => stream::OverlapPolicy::First,
        Overlap::Last => stream::OverlapPolicy::Last,
        Overlap::Bsd | Overlap::BsdRight | Overlap::Windows | Overlap::Windows2k3 | Overlap::Macos => {
            stream::OverlapPolicy::Bsd
        }
        Overlap::Linux | Overlap::Hpux11 | Overlap::Irix => stream::OverlapPolicy::Linux,
        Overlap::OldLinux => stream::OverlapPolicy::OldLinux,
        Overlap::Solaris | Overlap::OldSolaris => stream::OverlapPolicy::Solaris,
        Overlap::Hpux10 => stream::OverlapPolicy::Hpux10,
    }
}

/// `[host-os-policy]` over a default, in the words of a layer.
fn by_network<T: Copy>(config: &Config, default: Overlap, word: fn(Overlap) -> T) -> NetworkTable<T> {
    let mut table = NetworkTable::new(word(default));
    for (network, policy) in &config.host_os_policy {
        // Both were checked when the configuration was read.
        if let (Some((ip, length)), Some(policy)) = (check::parse_network(network), Overlap::parse(policy)) {
            let (address, family) = Addr::from_ip(ip);
            table.add(family, address, length, word(policy));
        }
    }
    table
}

pub fn fragments(config: &Config, seed: u64) -> defrag::Settings {
    let f = &config.fragments;
    defrag::Settings {
        datagrams: f.datagrams,
        pieces: f.pieces,
        // Never so much of the pool that nothing more could be received, and with it no time would pass for what is held.
        memory: f.memory.0.min(config.pools.bytes().0 / 2 / u64::from(config.lcores.workers.max(1))),
        source_memory: f.source_memory.0,
        datagram_memory: f.datagram_memory.0,
        datagram_fragments: f.datagram_fragments,
        timeout: f.timeout,
        tell_timeouts: f.icmp_time_exceeded,
        policies: by_network(config, f.policy, fragment_overlap),
        drop_v6_overlaps: f.drop_v6_overlaps,
        drop_tiny_first: f.drop_tiny_first,
        buffer_bytes: u32::try_from(config.pools.buffer_bytes()).unwrap_or(u32::MAX),
        seed,
    }
}

pub fn streams(config: &Config) -> stream::Settings {
    let s = &config.streams;
    stream::Settings {
        delivery: match s.inspect {
            Inspect::Inline => stream::Delivery::Inline,
            Inspect::Acknowledged => stream::Delivery::Acknowledged { chunk: PerDir([s.chunk; 2]) },
        },
        overlap: by_network(config, s.policy, segment_overlap),
        urgent: match s.urgent {
            Urgent::OutOfBand => stream::Urgent::OutOfBand,
            Urgent::Inline => stream::Urgent::Inline,
        },
        depth: s.depth.0,
        lookback: s.lookback,
        ahead: u32::try_from(s.ahead.0).unwrap_or(u32::MAX),
        blocks: u32::try_from(s.memory.0 / STREAM_BLOCK).unwrap_or(u32::MAX),
        streams: s.streams,
        decode: true,
    }
}

/// What management wants to be told.
pub fn wanted(config: &Config) -> Wanted {
    let outputs = &config.outputs;
    Wanted {
        flow: outputs.want(EventType::Flow),
        drop: outputs.want(EventType::Drop),
        anomaly: outputs.want(EventType::Anomaly),
        apps: EventType::protocols(&outputs.types()),
        files: outputs.want(EventType::Files),
    }
}

/// Everything for the pipeline but its ports.
pub fn pipeline(config: &Config, ports: Vec<PortPlan>, start: Start) -> pipeline::Settings {
    pipeline::Settings {
        ports,
        workers: usize::from(config.lcores.workers),
        hash_ports: config.lcores.hash_key == HashKey::Layer4,
        spreading: start.spreading,
        ring_size: config.lcores.ring_size as usize,
        polling: match config.lcores.poll {
            _ if start.replay => Polling::Busy,
            Poll::Busy => Polling::Busy,
            Poll::Adaptive => Polling::Adaptive,
        },
        replay: start.replay,
        event_ring: config.lcores.event_ring_size as usize,
        wanted: wanted(config),
        sessions: sessions(config, start.now, start.seed),
        fragments: fragments(config, start.seed),
        drop_invalid: config.profile == Profile::Inline,
        tunnels: config.tunnels.convert(),
    }
}

/// Settings of plugins that may change while they run.
pub fn tuning(config: &Config) -> Tuning {
    Tuning {
        streams: streams(config),
        exceptions: config.exceptions.policies(),
        packet_alert_max: alerts(config),
    }
}

fn alerts(config: &Config) -> usize {
    usize::from(config.rules.packet_alert_max).min(MAX_ALERTS)
}

/// Services as the configuration has them.
pub fn services(
    config: &Config,
    engine: &Arc<Engine>,
    place: Place,
    seed: u64,
    restarted: Restarted,
    costs: Option<Arc<CostBook>>,
) -> Result<Draft, StartFault> {
    let (packet_alert_max, exceptions) = (alerts(config), config.exceptions.policies());
    let inspection = inspect::Settings { packet_alert_max, seed, exceptions, ..inspect::Settings::default() };
    let hosts = Arc::new(inspect::HostState::new(&inspection));
    let shared = Arc::clone(&hosts);
    let stock = Stock { engine: Arc::clone(engine), hosts, streams: streams(config), inspection, costs };
    let (layout, ports) = match place {
        Place::Line => (Layout::of(config), Ports::of(config)),
        Place::Captures(count) => (Layout::of(config).fixed(), Ports::Captures(count)),
    };
    let mut draft = Draft::new(layout, Box::new(stock), ports, restarted)?;
    draft.plan.hosts = Some(shared);
    Ok(draft)
}

/// Where frames come from.
#[derive(Copy, Clone, Debug)]
pub enum Place {
    Line,
    /// A replay's ports.
    Captures(usize),
}

/// What differs from start to start.
#[derive(Copy, Clone, Debug)]
pub struct Start {
    pub now: Time,
    pub seed: u64,
    pub replay: bool,
    pub spreading: Spreading,
}

pub fn mode(mode: Mode) -> pipeline::Mode {
    match mode {
        Mode::Ips => pipeline::Mode::Ips,
        Mode::Tap => pipeline::Mode::Tap,
        Mode::Ids => pipeline::Mode::Ids,
    }
}

/// Whether frames that a port receives are looked at.
pub fn inspected(config: &Config, port: &str) -> bool {
    let pair = config.pairs.iter().find(|pair| pair.ports.iter().any(|name| name == port));
    pair.is_none_or(|pair| pair.inspection)
}

/// Each configured port's part, by its number. A port in no pair is received from and not forwarded, as in mode `ids`.
pub fn plans(config: &Config, infos: &[&PortInfo]) -> Vec<PortPlan> {
    let number = |name: &str| config.ports.iter().position(|p| p.name == name);
    let plan = |(at, port): (usize, &crate::mgmt::config::Port)| {
        let pair = config.pairs.iter().find(|pair| pair.ports.contains(&port.name));
        let other = pair.and_then(|pair| pair.ports.iter().find(|name| **name != port.name));
        let other = other.and_then(|name| number(name));
        // An inspected pair may get another mode while it runs; in mode "ids" it has an other side and sends nothing there.
        let forwards = pair.is_some_and(|pair| pair.inspection || pair.mode != Mode::Ids);
        PortPlan {
            link: infos.get(at).map_or(LinkType::Ethernet, |info| info.link_type),
            peer: other.filter(|_| forwards).map(|n| PortId(n as u16)),
            inspect: pair.is_none_or(|pair| pair.inspection),
            mode: pair.map_or(pipeline::Mode::Ids, |pair| mode(pair.mode)),
            non_ip: pair.is_none_or(|pair| pair.non_ip == NonIp::Forward),
            peer_mtu: match config.fragments.mtu {
                Auto::Set(mtu) => mtu.0,
                Auto::Auto => other.and_then(|n| config.ports.get(n)).map_or(port.mtu, |p| p.mtu),
            },
        }
    };
    config.ports.iter().enumerate().map(plan).collect()
}

/// `cpus`: the main lcore's, then each worker's.
pub fn eal(config: &Config, cpus: Vec<u32>, free_hugepages: u64) -> EalConfig {
    let megabytes = u32::try_from(config.eal.memory.0 >> 20).unwrap_or(u32::MAX);
    let huge = match config.eal.hugepages {
        Auto::Set(set) => set,
        Auto::Auto => free_hugepages >> 20 >= HUGEPAGES_WANTED.max(config.pools.bytes().0 >> 20),
    };
    EalConfig {
        memory: if huge { Memory::HugePages } else { Memory::NoHuge { megabytes } },
        cpus,
        pci: config.ports.iter().map(|p| p.device.clone()).filter(|d| is_pci(d)).collect(),
        log: LogLevel::Error,
        more: Vec::new(),
    }
}

/// `0000:03:00.0`, or without the domain.
pub fn is_pci(device: &str) -> bool {
    let address = device.split(',').next().unwrap_or_default();
    let mut parts = address.rsplit([':', '.']);
    let is_hex = |part: Option<&str>, digits: usize| {
        part.is_some_and(|p| p.len() == digits && p.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    is_hex(parts.next(), 1) && is_hex(parts.next(), 2) && is_hex(parts.next(), 2)
}

/// Bytes of free hugepages, of all sizes, when this process may use them; 0 otherwise.
pub fn free_hugepages() -> u64 {
    use std::os::unix::fs::MetadataExt;
    let root = std::fs::metadata("/proc/self").is_ok_and(|m| m.uid() == 0);
    let Ok(sizes) = std::fs::read_dir("/sys/kernel/mm/hugepages").map(Iterator::flatten) else { return 0 };
    let bytes = |entry: std::fs::DirEntry| {
        let name = entry.file_name();
        let kb = name.to_str()?.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse::<u64>().ok()?;
        let free = std::fs::read_to_string(entry.path().join("free_hugepages")).ok()?;
        free.trim().parse::<u64>().ok().map(|pages| (pages * kb) << 10)
    };
    if root { sizes.filter_map(bytes).sum() } else { 0 }
}

pub fn pool(config: &Config) -> PoolConfig {
    PoolConfig {
        name: "frames".into(),
        segments: config.pools.frames,
        cache: config.pools.cache,
        segment_bytes: config.pools.data_room,
        numa_node: None,
    }
}

/// By what a NIC is to hash.
pub fn hash_fields(config: &Config) -> HashFields {
    match config.lcores.hash_key {
        HashKey::Layer4 => HashFields::Layer4,
        HashKey::Layer3 => HashFields::Layer3,
    }
}

/// A transmit queue a worker, or as many as the device has (then the main lcore sends). A receive queue a worker where NICs
/// spread the frames of inspected pairs, else as configured.
pub fn ports(config: &Config, spreading: Spreading) -> Vec<PortConfig> {
    let workers = u16::from(config.lcores.workers.max(1));
    let table = |p: &crate::mgmt::config::Port| match spreading {
        Spreading::Rss { table } if inspected(config, &p.name) => Some(table),
        _ => None,
    };
    let port = |p: &crate::mgmt::config::Port| PortConfig {
        name: p.name.clone(),
        device: p.device.clone(),
        rx_queues: match p.rx_queues {
            _ if table(p).is_some() => workers,
            Auto::Auto => 1,
            Auto::Set(n) => u16::try_from(n).unwrap_or(u16::MAX),
        },
        tx_queues: workers,
        hash: hash_fields(config),
        table: table(p),
        rx_descriptors: p.rx_descriptors,
        tx_descriptors: p.tx_descriptors,
        mtu: Some(p.mtu),
        promiscuous: p.promiscuous,
        link_type: LinkType::Ethernet,
        stamp: Stamp::Clock,
    };
    config.ports.iter().map(port).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Family;
    use crate::mgmt::config::{Pair, Port};

    fn config() -> Config {
        let mut config = Config::defaults(Profile::Inline);
        let port =
            |name: &str, mtu| Port { name: name.into(), device: "net_null0".into(), mtu, ..Port::default() };
        config.ports = vec![port("a", 1500), port("b", 9000), port("c", 1500)];
        config.pairs = vec![Pair { ports: vec!["b".into(), "a".into()], mode: Mode::Ips, ..Pair::default() }];
        config
    }

    #[test]
    fn what_enters_one_port_of_a_pair_leaves_by_the_other_and_a_single_port_only_listens() {
        let plans = plans(&config(), &[]);
        assert_eq!(
            plans.iter().map(|p| p.peer).collect::<Vec<_>>(),
            [Some(PortId(1)), Some(PortId(0)), None]
        );
        assert_eq!(plans[0].peer_mtu, 9000);
        assert_eq!((plans[1].mode, plans[2].mode), (pipeline::Mode::Ips, pipeline::Mode::Ids));
    }

    #[test]
    fn the_profiles_are_the_layers_own_defaults() {
        let start = |profile| sessions(&Config::defaults(profile), Time::ZERO, 1).timeouts;
        assert_eq!(start(Profile::Suricata), session::Timeouts::SURICATA);
        assert_eq!(start(Profile::Inline), session::Timeouts::WEIR);
        let suricata = Config::defaults(Profile::Suricata);
        assert_eq!(streams(&suricata).delivery, stream::Settings::suricata().delivery);
        assert_eq!(fragments(&suricata, 1).datagrams, defrag::Settings::suricata().datagrams);
        assert_eq!(fragments(&suricata, 1).timeout, defrag::Settings::suricata().timeout);
        let inline = fragments(&Config::defaults(Profile::Inline), 1);
        assert_eq!(inline.datagram_memory, defrag::Settings::default().datagram_memory);
    }

    #[test]
    fn the_receivers_network_chooses_the_overlap_policy_of_fragments_and_streams() {
        let mut config = Config::defaults(Profile::Suricata);
        config.host_os_policy.insert("10.0.0.0/8".into(), "hpux11".into());
        let (v4, v6) = (Family::V4, Family::V6);
        let (streams, fragments) = (streams(&config).overlap, fragments(&config, 1).policies);
        assert_eq!(streams.of(v4, Addr::v4([10, 1, 1, 1])), stream::OverlapPolicy::Linux);
        assert_eq!(fragments.of(v4, Addr::v4([10, 1, 1, 1])), defrag::OverlapPolicy::First);
        assert_eq!(fragments.of(v4, Addr::v4([11, 1, 1, 1])), defrag::OverlapPolicy::Windows);
        assert_eq!(streams.of(v6, Addr(1)), stream::OverlapPolicy::Bsd);
    }

    #[test]
    fn pci_addresses_are_told_from_vdevs() {
        assert!(is_pci("0000:03:00.0") && is_pci("03:00.1,arg=1"));
        assert!(!is_pci("net_pcap0,rx_pcap=/a:b.c") && !is_pci("net_null0") && !is_pci(""));
    }
}
