//! The configuration in the words of the layers below: their settings, ports and pools.

use crate::base::{Addr, NetworkTable, PerDir, PortId, Time};
use crate::inspect::{CostBook, Engine, MAX_ALERTS};
use crate::io::dpdk::{EalConfig, HashFields, LogLevel, Memory, PoolConfig, PortConfig, Stamp};
use crate::io::{LinkType, PortInfo};
use crate::mgmt::config::value::Auto;
use crate::mgmt::config::{
    ChecksumOffload, Config, EventType, FullTable, HashKey, Inspect, Midstream, Mode, NonIp, OutOfOrder,
    Overlap, PairInactive, Poll, Profile, Urgent, WhenCrowded, check,
};
use crate::mgmt::doctor::Host;
use crate::mgmt::profiler::PROFILED;
use crate::mgmt::services::{Draft, Layout, Ports, StartFault, Stock};
use crate::pipeline::settings::{self as pipeline, OnOverload, PortPlan, Wanted};
use crate::pipeline::{Checking, Polling, Spreading};
use crate::rules::app::Protos;
use crate::service::InactiveAction;
use crate::service::Tuning;
use crate::service::ip_actions::{self, IpActions};
use crate::service::watchdog::Restarted;
use crate::{app, defrag, inspect, session, stream};
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
        drop_bad_checksum: f.drop_bad_checksum,
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
            Urgent::Cleared => stream::Urgent::Cleared,
        },
        hold: s.out_of_order == OutOfOrder::Hold,
        drop_invalid: s.drop_invalid,
        depth: s.depth.0,
        lookback: s.lookback,
        ahead: u32::try_from(s.ahead.0).unwrap_or(u32::MAX),
        blocks: u32::try_from(s.memory.0 / STREAM_BLOCK).unwrap_or(u32::MAX),
        streams: s.streams,
        decode: true,
    }
}

/// A replay has no trial of its ports: what it finds must not hang on how many workers share the packets.
pub fn checksums(config: &Config, replay: bool) -> Checking {
    match config.streams.checksum_validation {
        Auto::Set(true) => Checking::Always,
        Auto::Auto if !replay => Checking::Auto,
        Auto::Set(false) | Auto::Auto => Checking::Never,
    }
}

/// What management wants to be told.
pub fn wanted(config: &Config) -> Wanted {
    let outputs = &config.outputs;
    let profile = config.profiler.enabled;
    let mut apps = EventType::protocols(&outputs.types());
    if profile {
        apps = apps.or(Protos::of(&PROFILED));
    }
    Wanted {
        flow: outputs.want(EventType::Flow) || outputs.want(EventType::Netflow) || profile,
        drop: outputs.want(EventType::Drop),
        anomaly: outputs.want(EventType::Anomaly),
        apps,
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
        checksums: checksums(config, start.replay),
        tunnels: config.tunnels.convert().keyed(start.seed),
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

/// Services as the configuration has them. `awaits_rules`: detection has no policy until the first rules come, and `engine` has
/// none.
pub fn services(
    config: &Config,
    engine: &Arc<Engine>,
    awaits_rules: bool,
    place: Place,
    seed: u64,
    restarted: Restarted,
    costs: Option<Arc<CostBook>>,
) -> Result<Draft, StartFault> {
    let (packet_alert_max, exceptions) = (alerts(config), config.exceptions.policies());
    // What has left cannot be dropped any more.
    let at_once = config.streams.inspect == Inspect::Inline;
    let apps = app::Limits { at_once, ..config.app_layer.limits() };
    let inspection =
        inspect::Settings { packet_alert_max, seed, exceptions, apps, ..inspect::Settings::default() };
    let hosts = Arc::new(inspect::HostState::new(&inspection));
    let shared = Arc::clone(&hosts);
    let engine = Arc::clone(engine);
    let stock = Stock { engine, hosts, streams: streams(config), inspection, costs, awaits_rules };
    let (layout, ports) = match place {
        Place::Line => (Layout::of(config), Ports::of(config)),
        Place::Captures(count) => (Layout::of(config).fixed(), Ports::Captures(count)),
    };
    let asks = stock.engine.asks_ip_actions();
    let mut draft = Draft::new(layout, Box::new(stock), ports, restarted)?;
    draft.plan.hosts = Some(shared);
    draft.plan.ip_actions = Arc::new(IpActions::new(&ip_actions::Settings {
        size: config.ip_actions.size as usize,
        when_full: match config.ip_actions.when_full {
            WhenCrowded::Evict => ip_actions::WhenFull::Evict,
            WhenCrowded::Keep => ip_actions::WhenFull::Keep,
        },
        seed,
    }));
    draft.plan.ip_actions.arm(asks);
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

/// What a pair says of the time before the first policy, if anything.
fn inactive(word: PairInactive) -> Option<InactiveAction> {
    match word {
        PairInactive::Auto => None,
        PairInactive::Drop => Some(InactiveAction::Drop),
        PairInactive::Forward => Some(InactiveAction::Forward),
    }
}

/// Whether the ports start before the rules are ready: some inspected pair says what becomes of its traffic until then.
pub fn starts_early(config: &Config) -> bool {
    config.pairs.iter().any(|pair| pair.inspection && pair.inactive != PairInactive::Auto)
}

fn overload(config: &Config) -> OnOverload {
    if config.exceptions.passes_overload() { OnOverload::Bypass } else { OnOverload::Drop }
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
            peer_checksums: other.and_then(|n| infos.get(n)).is_some_and(|info| info.ipv4_checksums),
            inactive: pair.and_then(|pair| inactive(pair.inactive)),
            on_overload: overload(config),
        }
    };
    config.ports.iter().enumerate().map(plan).collect()
}

/// `cpus`: the main lcore's, then each worker's.
pub fn eal(config: &Config, cpus: Vec<u32>, free_hugepages: u64) -> EalConfig {
    let megabytes = u32::try_from(config.eal.memory.0 >> 20).unwrap_or(u32::MAX);
    let huge = match config.eal.hugepages {
        Auto::Set(set) => set,
        Auto::Auto => free_hugepages >= hugepages_wanted(config),
    };
    EalConfig {
        memory: if huge { Memory::HugePages } else { Memory::NoHuge { megabytes } },
        cpus,
        among: Vec::new(),
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

/// Bytes of hugepages that "auto" wants to find free.
pub fn hugepages_wanted(config: &Config) -> u64 {
    config.pools.bytes().0.max(HUGEPAGES_WANTED << 20)
}

/// Bytes of free hugepages, of all sizes, when this process may use them; 0 otherwise.
pub fn free_hugepages() -> u64 {
    let host = Host::this();
    if host.may_use_hugepages() { host.free_hugepages() } else { 0 }
}

pub fn pool(config: &Config) -> PoolConfig {
    PoolConfig {
        name: "frames".into(),
        segments: config.pools.frames,
        at_first: config.pools.frames,
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

/// A transmit queue a worker, and one for the main lcore where that sends what they have no room for; or as many as the device
/// has (then the main lcore sends for all). A receive queue a worker where NICs
/// spread the frames of inspected pairs, else as configured.
pub fn ports(config: &Config, spreading: Spreading) -> Vec<PortConfig> {
    let workers = u16::from(config.lcores.workers.max(1));
    // What workers have no room for the main lcore sends itself.
    let main_sends = spreading == Spreading::Software && overload(config) == OnOverload::Bypass;
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
        tx_queues: workers + u16::from(main_sends),
        hash: hash_fields(config),
        table: table(p),
        rx_descriptors: p.rx_descriptors,
        tx_descriptors: p.tx_descriptors,
        mtu: Some(p.mtu),
        promiscuous: p.promiscuous,
        checksum_offload: p.checksum_offload == ChecksumOffload::Auto,
        link_type: LinkType::Ethernet,
        stamp: Stamp::Clock,
    };
    config.ports.iter().map(port).collect()
}

#[cfg(test)]
mod tests;
