//! From frame to verdict: any frames, in any order, through a whole appliance with rules. No panic, and every frame
//! accounted for.
//!
//! An input is a row of frames: two bytes of length (which also choose mode, port and time step), then the bytes.
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run verdict -- -max_total_time=60`

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::Arc;
use std::time::Duration;
use weir::base::{PortId, Time};
use weir::inspect::Engine;
use weir::io::memory::{HeapPool, MemoryPort, Wire};
use weir::io::{FrameMeta, LinkType, PacketIo, PortInfo};
use weir::pipeline::{
    Appliance, MemoryPlatform, Mode, Polling, PortPlan, Settings, Source, Spreading, Wanted,
};
use weir::rules::{Classifications, References, SourceFile, Vars, load};
use weir::service::idp::Idp;
use weir::{defrag, inspect, session, stream};

const RULES: &str = include_str!("../../signatures/weir.rules");
const LINKS: [u16; 4] = [1, 101, 0, 113];

struct Weir {
    appliance: Appliance,
    feeds_in: Vec<Wire>,
    out: Wire,
    pool: HeapPool,
    now: Time,
}

fn build() -> Weir {
    let (rules, _) = load(
        &[SourceFile::new("weir.rules", RULES)],
        &Vars::default(),
        &Classifications::default(),
        &References::default(),
    );
    let engine = Arc::new(Engine::compile(Arc::new(rules)).expect("our own rules compile"));
    let sink = PortId(LINKS.len() as u16);
    let plan = |(n, dlt): (usize, &u16)| PortPlan {
        link: LinkType::from_dlt(*dlt),
        peer: Some(sink),
        inspect: true,
        mode: [Mode::Ips, Mode::Tap, Mode::Ips, Mode::Ids][n],
        non_ip: true,
        peer_mtu: 576,
        ..PortPlan::default()
    };
    let mut ports: Vec<PortPlan> = LINKS.iter().enumerate().map(plan).collect();
    ports.push(PortPlan { peer: None, ..ports[0] });
    let settings = Settings {
        ports,
        workers: 0,
        hash_ports: true,
        spreading: Spreading::Software,
        ring_size: 64,
        polling: Polling::Busy,
        replay: true,
        event_ring: 1 << 14,
        wanted: Wanted { flow: true, drop: true, anomaly: true, ..Wanted::default() },
        drop_invalid: true,
        checksums: weir::pipeline::Checking::Auto,
        tunnels: weir::decode::Tunnels::default(),
        // Small, so that full tables are met.
        sessions: session::Settings { capacity: 16, ..session::Settings::default() },
        fragments: defrag::Settings { datagrams: 8, pieces: 64, ..defrag::Settings::default() },
    };
    let platform = MemoryPlatform::default();
    let info = || PortInfo { rx_queues: 1, tx_queues: 1, ..PortInfo::default() };
    let (mut sources, mut feeds_in) = (Vec::new(), Vec::new());
    let mut outlets: Vec<Option<Box<dyn PacketIo>>> = Vec::new();
    for n in 0..LINKS.len() {
        let (mut port, wire) = MemoryPort::new(PortId(n as u16), info());
        sources.extend(port.take_rx(0).map(|rx| Source { port: PortId(n as u16), rx }));
        feeds_in.push(wire);
        outlets.push(None);
    }
    let (port, out) = MemoryPort::new(sink, info());
    outlets.push(Some(Box::new(port)));
    let streams = stream::Settings { blocks: 32, streams: 8, ..stream::Settings::default() };
    let inspection = inspect::Settings { flowbit_sessions: 8, ..inspect::Settings::default() };
    let services = Idp::alone(&engine, streams, inspection, LINKS.len() + 1);
    let mut appliance =
        Appliance::build(&settings, &mut outlets, &platform, &services).expect("the settings are good");
    appliance.main.set_sources(sources);
    Weir { appliance, feeds_in, out, pool: platform.0, now: Time::from_secs(1_780_000_000) }
}

thread_local! {
    static WEIR: std::cell::RefCell<Weir> = std::cell::RefCell::new(build());
}

fuzz_target!(|input: &[u8]| WEIR.with_borrow_mut(|weir| {
    let mut rest = input;
    while let Some((head, tail)) = rest.split_first_chunk::<2>() {
        let head = u16::from_le_bytes(*head);
        let (bytes, tail) = tail.split_at(tail.len().min(usize::from(head & 0x7ff)));
        rest = tail;
        let step = [1, 1000, 700_000, 40_000_000][usize::from(head >> 13 & 3)];
        weir.now = weir.now.plus(Duration::from_micros(step));
        let mut frame = weir.pool.frame(bytes);
        frame.set_meta(FrameMeta { time: weir.now, ..FrameMeta::default() });
        weir.feeds_in[usize::from(head >> 11 & 3)].put(frame);
        weir.appliance.main.turn(weir.now);
    }
    weir.appliance.main.turn(weir.now);
    while weir.out.take().is_some() {}
    for feed in &mut weir.appliance.feeds {
        while feed.events.pop().is_ok() {}
    }
    let balance = weir.appliance.handle.balance(0);
    assert!(balance.is_even(), "{balance}");
    assert_eq!(balance.held, weir.pool.outstanding() as u64, "frames that nobody holds are alive");
}));
