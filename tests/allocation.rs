//! In the steady state no frame costs an allocation: the appliance over EAL's pools, with all its lcores on this thread,
//! under a global allocator that counts. New sessions, streams in and out of order, fragments, alerts, drops and
//! resets are all part of it.

#![allow(unsafe_code)] // a global allocator cannot be had without
#![allow(clippy::unwrap_used)] // helpers of tests

#[path = "allocation/decoders.rs"]
mod decoders;
#[path = "allocation/records.rs"]
mod records;
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use support::{v4, v6, with_id};
use weir::base::event::{EventBody, EventFeed};
use weir::base::{Dir, DropReason, PluginId, PortId, SetId, Time, WorkerId};
use weir::inspect::Engine;
use weir::io::dpdk::{DpdkPort, Eal, EalConfig, Memory, Pool, PoolConfig, PortConfig};
use weir::io::{Burst, Frame, FrameAllocator, LinkType, PacketIo, RxQueue};
use weir::pipeline::launch::DpdkPlatform;
use weir::pipeline::mailbox::Command;
use weir::pipeline::{Appliance, Handle, Mode, PortPlan, Settings, Source, Spreading, Wanted};
use weir::rules::dataset::{self, attach::attach};
use weir::rules::geo;
use weir::rules::lists::Lists;
use weir::rules::{Classifications, References, SourceFile, Vars, load_listed};
use weir::service::builtin;
use weir::service::comparison::Comparison;
use weir::service::cos::Marking;
use weir::service::filter::{Database, Rules};
use weir::service::idp::{Candidate, Idp};
use weir::service::plan::Attached;
use weir::service::{Plugin, Policy, ServicePlan, services};
use weir::wire::build::{self, IpFields, Link, Random, TcpConversation, Tunnel, fragments, udp_packet};
use weir::{defrag, inspect, session, stream};

thread_local! {
    /// Counting now, on this thread.
    static ARMED: Cell<bool> = const { Cell::new(false) };
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// Where the first allocations came from.
static PLACES: Mutex<Vec<String>> = Mutex::new(Vec::new());
const PLACES_KEPT: usize = 3;

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count() {
    if !ARMED.get() {
        return;
    }
    COUNT.set(COUNT.get() + 1);
    if COUNT.get() <= PLACES_KEPT as u64 {
        ARMED.set(false);
        let place = std::backtrace::Backtrace::force_capture().to_string();
        PLACES.lock().unwrap().push(place);
        ARMED.set(true);
    }
}

// SAFETY: everything is the system allocator's; counting touches thread-locals without destructors, and the trace of a
// place is taken with counting off.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(old, layout) }
    }
}

/// Allocations of this thread while `work` runs.
fn allocations(work: impl FnOnce()) -> u64 {
    COUNT.set(0);
    ARMED.set(true);
    work();
    ARMED.set(false);
    COUNT.get()
}

/// Frames that were made before, from the last to the first.
#[derive(Clone, Default)]
struct Prepared(Arc<Mutex<Vec<Frame>>>);

impl RxQueue for Prepared {
    fn receive(&mut self, burst: &mut Burst) -> usize {
        let mut frames = self.0.lock().unwrap();
        let before = burst.len();
        while !burst.is_full() {
            let Some(frame) = frames.pop() else { break };
            burst.push(frame);
        }
        burst.len() - before
    }
}

const RULES: &str = r#"
alert tcp any any -> any 80 (flow:established,to_server; content:"/etc/"; fast_pattern; content:"passwd"; distance:0; sid:1;)
alert tcp any any -> any 80 (flow:established,to_server; content:"GET "; pcre:"/GET \/[a-z]+\.php\?id=\d+/"; sid:2;)
alert tcp any any -> any 80 (flow:established,to_server; content:"login"; flowbits:set,login; noalert; sid:3;)
alert tcp any 80 -> any any (flow:established,to_client; flowbits:isset,login; content:"welcome"; sid:4;)
alert udp any any -> any 53 (content:"|00 01|"; byte_test:1,>,3,0; sid:5;)
alert udp any any -> any any (dsize:>1500; content:"needle"; sid:6;)
alert icmp any any -> any any (itype:8; content:"ping"; threshold:type limit, track by_src, count 1, seconds 5; sid:7;)
alert tcp any any -> any any (flags:S; threshold:type both, track by_dst, count 5, seconds 60; sid:8;)
rejectboth udp any any -> any 6666 (content:"drop me"; sid:9;)
rejectboth tcp any any -> any 80 (flow:established,to_server; content:"/forbidden"; sid:10;)
alert udp any any -> any 53 (pkt_data; dataset:set,asked,type string,memcap 64kb; noalert; sid:11;)
alert udp any any -> any 53 (pkt_data; dataset:isset,asked; sid:12;)
alert udp any any -> any 53 (pkt_data; dataset:unset,asked; noalert; sid:13;)
alert udp any any -> any 53 (geoip:src,DE; ip.src; dataset:isset,hosts,type ip,load hosts.ndjson,format ndjson,value_key ip,context_key host; sid:14;)
alert udp any any -> any 53 (pkt_data; domain; content:"a"; pkt_data; tld; content:!"org"; sid:15;)
"#;

/// What the rules read beside their text: every host of the tests' networks, and countries.
fn beside(path: &Path) -> std::io::Result<Vec<u8>> {
    if !path.ends_with("hosts.ndjson") {
        return std::fs::read(path);
    }
    let line = |n: u32| format!("{{\"ip\": \"10.0.{}.{}\", \"n\": {n}}}\n", n >> 8, n & 255);
    Ok((0..1024).map(line).collect::<String>().into_bytes())
}

fn engine() -> Arc<Engine> {
    let file = SourceFile::new("test.rules", RULES);
    let (classes, references) = (Classifications::default(), References::default());
    let mut loading = load_listed(&[file], &Vars::default(), &classes, &references, Lists::default());
    attach(&mut loading, &dataset::Settings::default(), &[], beside);
    geo::attach::attach(&mut loading, Some(Path::new("tests/data/countries.mmdb")), beside);
    assert!(loading.diagnostics.is_empty(), "{:?}", loading.diagnostics);
    Arc::new(Engine::compile(Arc::new(loading.rules)).unwrap())
}

fn settings(mode: Mode, workers: usize) -> Settings {
    let port = |peer| PortPlan {
        link: LinkType::Ethernet,
        peer: Some(PortId(peer)),
        inspect: true,
        mode,
        non_ip: true,
        peer_mtu: 1500,
        ..PortPlan::default()
    };
    Settings {
        ports: vec![port(1), port(0)],
        workers,
        hash_ports: true,
        spreading: Spreading::Software,
        ring_size: 256,
        replay: false,
        polling: weir::pipeline::Polling::Busy,
        event_ring: 1 << 14,
        wanted: Wanted { flow: true, drop: true, anomaly: true, ..Wanted::default() },
        drop_invalid: true,
        checksums: weir::pipeline::Checking::Always,
        tunnels: weir::decode::Tunnels::default(),
        sessions: session::Settings { capacity: 4096, ..session::Settings::default() },
        fragments: defrag::Settings { datagrams: 512, pieces: 4096, ..defrag::Settings::default() },
    }
}

/// One round of everything. Each round has sessions of its own, and a long one that goes on.
fn round(n: u16, long: &mut TcpConversation) -> Vec<Vec<u8>> {
    let mut random = Random::new(u64::from(n));
    let mut packets = Vec::new();
    for (i, path) in ["/index", "/etc/passwd", "/x.php?id=77", "/login", "/forbidden"].into_iter().enumerate()
    {
        let client = v4(1 + i as u32, 10_000 + n);
        let mut talk = TcpConversation::new(client, v4(1000, 80), u64::from(n));
        let request = format!("GET {path} HTTP/1.1\r\nHost: example.org\r\n\r\n");
        talk.handshake().send(Dir::ToServer, request.as_bytes(), 9);
        let answer = [b"HTTP/1.1 200 OK\r\n\r\nwelcome ", &random.bytes(3000)[..]].concat();
        talk.send(Dir::ToClient, &answer, 1400);
        if i == 0 {
            // Out of order, twice, and over each other.
            let at = request.len() as u32;
            packets.append(&mut talk.packets);
            for (offset, len) in [(600, 300), (300, 300), (300, 300), (500, 200), (0, 300)] {
                packets.push(talk.segment(Dir::ToServer, at + offset, &vec![b'.'; len]));
            }
            talk.skip(Dir::ToServer, 900).acknowledge(Dir::ToClient);
        }
        if i % 2 == 0 {
            talk.close(Dir::ToServer)
        } else {
            talk.reset(Dir::ToClient)
        };
        packets.append(&mut talk.packets);
    }
    long.send(Dir::ToServer, &random.bytes(4000), 1300).send(Dir::ToClient, &random.bytes(4000), 1300);
    packets.append(&mut long.packets);
    for (client, server) in [(v4(1, 20_000 + n), v4(7, 53)), (v6(1, 20_000 + n), v6(7, 53))] {
        let question = udp_packet(client, server, &IpFields::default(), b"\x09\x01\x00\x01weir");
        packets.push(question.clone());
        packets.push(udp_packet(server, client, &IpFields::default(), &random.bytes(200)));
        let (kind, code) = if client.is_ipv4() { (3, 3) } else { (1, 4) };
        packets.extend(build::icmp_error(server.ip(), kind, code, 0, &question));
        let large = udp_packet(client, server, &with_id(n), &[&random.bytes(2000)[..], b"needle"].concat());
        let mut pieces = fragments(&large, u32::from(n), &[800, 400]);
        random.shuffle(&mut pieces);
        for piece in &pieces {
            let tunnel = if client.is_ipv4() { Tunnel::Vxlan(9) } else { Tunnel::Ip };
            packets.push(tunnel.wrap(v4(60, 999), v4(61, 999), &Link::ethernet(), piece));
        }
        packets.extend(pieces);
        let message = build::Message::echo(weir::base::Addr::from_ip(client.ip()).1, true, n, 1, b"ping");
        packets.push(build::icmp_packet(client.ip(), server.ip(), &IpFields::default(), &message));
        packets.push(udp_packet(client, v4(9, 6666), &IpFields::default(), b"please drop me"));
        packets.push(udp_packet(client, v4(9, 7777), &IpFields::default(), b"for the filter"));
    }
    // A fragment whose others never come, and bytes that are no packet.
    let lost = udp_packet(v4(3, 1), v4(4, 1), &with_id(n), &random.bytes(1000));
    packets.push(build::fragment(&lost, u32::from(n), 0..400, true));
    packets.push(vec![0x45, 0, 0, 200, 1, 2]);
    packets
}

const WARM_UP: u16 = 40;
const ROUNDS: u16 = 120;

/// How many events came, and the rules whose alerts are among them.
fn drain(feeds: &mut [EventFeed], engine: &Engine, sids: &mut BTreeSet<u32>) -> usize {
    let mut count = 0;
    for event in feeds.iter_mut().flat_map(|feed| std::iter::from_fn(|| feed.events.pop().ok())) {
        count += 1;
        if let EventBody::Alert(alert) = event.body {
            sids.extend(engine.rules().rule(alert.rule).map(|rule| rule.sid));
        }
    }
    count
}

/// Detection behind a filter that refuses some and a marker that changes headers.
fn chain(engine: &Arc<Engine>, streams: stream::Settings) -> ServicePlan {
    let inspection = inspect::Settings::default();
    let hosts = Arc::new(inspect::HostState::new(&inspection));
    let idp = Box::new(Idp::new(Arc::clone(engine), hosts, streams, inspection));
    let [filter, cos] = ["filter", "cos"].map(|name| builtin::make(name).unwrap());
    let plugins: Vec<Box<dyn Plugin>> = vec![filter, cos, idp];
    let mut plan = ServicePlan::of(plugins, 2);
    let rules = Rules::parse("deny udp to 10.0.0.9 port 7777\ndefault allow").unwrap();
    let marking = Marking::parse("mark 46 udp to any port 53\ndscp = 8").unwrap();
    let policies = [
        Policy { generation: 1, data: Arc::new(Database::compile(rules)) },
        Policy { generation: 1, data: Arc::new(marking) },
        Idp::policy(engine),
    ];
    let attach = |(n, policy)| Attached { set: SetId(0), plugin: PluginId(n as u8), policy };
    plan.policies.extend(policies.into_iter().enumerate().map(attach));
    plan
}

/// Has the same rules judge beside those in force, on all workers.
fn try_rules(engine: &Engine, plan: &ServicePlan, handle: &mut Handle) -> Arc<Candidate> {
    let workers = handle.workers();
    let candidate = Arc::new(Candidate::new(self::engine(), engine.rules(), workers, 4096));
    let idp = plan.plugins.last().unwrap();
    for worker in 0..workers {
        let made = idp.shadow(&*candidate, WorkerId(worker as u8)).unwrap();
        let command = services::Command::Shadow(PluginId(plan.plugins.len() as u8 - 1), Some(made));
        assert!(handle.command(worker, Command::Services(command)).is_ok());
    }
    candidate
}

/// The same rules say the same of the same packets.
fn judged_alike(comparison: &Comparison) {
    assert!(comparison.packets.get() > 1_000 && comparison.unfollowed.get() == 0, "{comparison:?}");
    for ((_, sid), counts) in comparison.rules() {
        let [alerts, drops] =
            [&counts.alerts, &counts.drops].map(|both| both.each_ref().map(|count| count.get()));
        assert_eq!((alerts[0], drops[0]), (alerts[1], drops[1]), "rule {sid}");
    }
}

/// How an appliance is set up.
#[derive(Copy, Clone, Debug)]
struct Line {
    mode: Mode,
    workers: usize,
    /// Other services before detection.
    chained: bool,
    /// Rules are tried beside those in force.
    tried: bool,
}

/// Workers, if any, take their turns on this thread too.
fn steady_state(platform: &DpdkPlatform, line: Line) {
    let Line { mode, workers, chained, tried } = line;
    let null = |n: u16| {
        let (name, device) =
            (format!("null{n}"), format!("net_null_{n}_{mode:?}_{workers}_{chained}_{tried}"));
        DpdkPort::open(&platform.eal, &platform.pool, &PortConfig { name, device, ..PortConfig::default() })
    };
    let mut ports: Vec<Option<Box<dyn PacketIo>>> =
        (0..2).map(|n| Some(Box::new(null(n).unwrap()) as Box<dyn PacketIo>)).collect();
    let engine = engine();
    let streams = stream::Settings { blocks: 4096, streams: 4096, ..stream::Settings::default() };
    let services = match chained {
        true => chain(&engine, streams),
        false => Idp::alone(&engine, streams, inspect::Settings::default(), 2),
    };
    let appliance = Appliance::build(&settings(mode, workers), &mut ports, platform, &services).unwrap();
    let Appliance { mut main, mut workers, mut handle, mut feeds } = appliance;
    let candidate = tried.then(|| try_rules(&engine, &services, &mut handle));
    let prepared = Prepared::default();
    main.set_sources(vec![Source { port: PortId(0), rx: Box::new(prepared.clone()) }]);
    let mut from = platform.pool.allocator();
    let mut long = TcpConversation::new(v4(50, 5000), v4(1000, 80), 50);
    long.handshake();
    let mut now = Time::from_secs(1_780_000_000);
    let (mut frames, mut events, mut counted, mut sids) = (0, 0, 0, BTreeSet::new());
    for n in 0..WARM_UP + ROUNDS {
        let mut packets = round(n, &mut long);
        packets.reverse();
        let link = Link::ethernet();
        prepared.0.lock().unwrap().extend(packets.iter().map(|p| from.allocate(&link.wrap(p)).unwrap()));
        let made = allocations(|| {
            while main.turn(now) + workers.iter_mut().map(|w| w.turn()).sum::<usize>() > 0 {
                now = now.plus(std::time::Duration::from_millis(50));
            }
        });
        let seen = drain(&mut feeds, &engine, &mut sids);
        if n >= WARM_UP {
            (frames, events, counted) = (frames + packets.len(), events + seen, counted + made);
        } else {
            PLACES.lock().unwrap().clear();
        }
    }
    let places = PLACES.lock().unwrap().join("\n\n");
    assert_eq!(counted, 0, "{line:?}: allocations for {frames} frames, the first at\n{places}");
    assert!(frames > 5_000 && events > 2_000, "{frames} frames, {events} events");
    assert_eq!(sids, BTreeSet::from([1, 2, 4, 5, 6, 7, 8, 9, 10, 12, 14, 15]), "every rule that alerts did");
    for comparison in candidate.iter().flat_map(|candidate| candidate.comparisons()) {
        judged_alike(comparison);
    }
    main.finish();
    for worker in &mut workers {
        while worker.turn() > 0 {}
        worker.finish();
    }
    main.serve_returns();
    let balance = handle.balance(0);
    assert!(balance.is_even() && balance.merged > 500, "{balance}");
    assert!(mode != Mode::Ips || balance.dropped > 500, "{balance}");
    let answers: u64 = handle.tables.iter().map(|tables| tables.answers.get()).sum();
    assert_eq!(answers > 100, mode == Mode::Ips, "{answers} resets and ICMP errors");
    let refused: u64 = handle.ledgers.iter().map(|l| l.dropped(DropReason::PluginDiscard)).sum();
    assert_eq!(refused > 100, chained && mode == Mode::Ips, "{refused} refused by the filter");
}

#[test]
fn frames_cost_no_allocation_in_the_steady_state() {
    assert!(allocations(|| drop(std::hint::black_box(vec![1u8; 10]))) >= 1, "the counter counts");
    let memory = Memory::NoHuge { megabytes: 128 };
    let eal = Eal::start(&EalConfig { memory, ..EalConfig::default() }).unwrap();
    let pool = Pool::new(&eal, &PoolConfig { segments: 16_383, ..PoolConfig::default() }).unwrap();
    let platform = DpdkPlatform { eal, pool };
    let alone = |mode, workers| Line { mode, workers, chained: false, tried: false };
    let chained = |workers| Line { chained: true, ..alone(Mode::Ips, workers) };
    let tried = |workers| Line { tried: true, ..alone(Mode::Ips, workers) };
    let lines = [
        alone(Mode::Ips, 0),
        alone(Mode::Tap, 0),
        alone(Mode::Ids, 0),
        alone(Mode::Ips, 2),
        chained(0),
        chained(2),
        tried(0),
        tried(2),
    ];
    for line in lines {
        steady_state(&platform, line);
        assert_eq!(platform.pool.in_use(), 0, "{line:?}: every buffer is back");
    }
}
