//! Cycles per packet of a worker's stages: decode, reassembly check and session lookup among a million live sessions, with a
//! chain of no services; and what detection without a rule, `passthru` in front of it, our own rules, and a trial of these add. The same packets
//! within VXLAN beside those that are not: there a frame has two packets and two sessions, its own and the tunnel's.
//!
//! `cargo bench --bench lane [-- SESSIONS]`. Prints the median of rounds, in cycles of the processor's counter. Each round
//! gives the lane bursts of small UDP or TCP frames of flows in a random order; the frames go out into a queue that hands
//! them back, so nothing but the lane is measured. The cost of making the next burst is taken off.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use support::{Back, lane};
use weir::base::{PluginId, PortId, SetId, Time, WorkerId};
use weir::inspect::{self, Engine};
use weir::io::dpdk::{Eal, EalConfig, Memory, Pool, PoolConfig, cycles};
use weir::io::{BURST, Burst, FrameAllocator, FrameMeta};
use weir::pipeline::lane::Lane;
use weir::rules::{Classifications, References, SourceFile, Vars, load};
use weir::service::idp::{Candidate, Idp};
use weir::service::plan::Attached;
use weir::service::services::Command;
use weir::service::{Plugin, ServicePlan, builtin};
use weir::stream;
use weir::wire::build::{self, IpFields, Link, Tunnel};

const ROUNDS: usize = 41;
const BURSTS: usize = 4096;
/// Outer Ethernet, IPv4, UDP and VXLAN headers.
const VXLAN: usize = 14 + 20 + 8 + 8;

/// Which services a row has.
#[derive(Copy, Clone)]
enum Services {
    /// A chain without members.
    Empty,
    Idp,
    /// `passthru` in front of detection.
    Passthru,
    /// Detection with the same rules tried beside those in force.
    Tried,
}

fn service_plan(services: Services, engine: &Arc<Engine>) -> ServicePlan {
    let (streams, inspection) = (stream::Settings::default(), inspect::Settings::default());
    match services {
        Services::Empty => ServicePlan::of(Vec::new(), 1),
        Services::Idp | Services::Tried => Idp::alone(engine, streams, inspection, 1),
        Services::Passthru => {
            let passthru = builtin::make("passthru").expect("it is built in");
            let hosts = Arc::new(inspect::HostState::new(&inspection));
            let idp: Box<dyn Plugin> = Box::new(Idp::new(Arc::clone(engine), hosts, streams, inspection));
            let mut plan = ServicePlan::of(vec![passthru, idp], 1);
            let policy = Idp::policy(engine);
            plan.policies.push(Attached { set: SetId(0), plugin: PluginId(1), policy });
            plan
        }
    }
}

/// Has the lane try the engine's rules beside those in force.
fn try_rules(lane: &mut Lane, plan: &ServicePlan, engine: &Arc<Engine>, sessions: u32) {
    let candidate = Candidate::new(Arc::clone(engine), engine.rules(), 1, sessions as usize);
    let made = plan.plugins[0].shadow(&candidate, WorkerId(0));
    lane.command(Command::Shadow(PluginId(0), made));
}

/// A burst of frames of the flows that a generator names; each frame is an old one with other addresses and ports.
struct Maker {
    back: Back,
    sessions: u32,
    state: u64,
    clock: Time,
    /// Where the Ethernet header of the packet stands that has the flow's addresses.
    at: usize,
}

impl Maker {
    fn fill(&mut self, burst: &mut Burst, next: impl Fn(&mut Maker) -> u32) {
        self.clock = self.clock.plus(Duration::from_micros(1));
        while burst.len() < BURST {
            let flow = next(self);
            let frame = self.back.0.lock().expect("one thread").pop();
            let Some(mut frame) = frame else { break };
            let meta = FrameMeta { time: self.clock, clock: self.clock, ..FrameMeta::default() };
            frame.set_meta(FrameMeta { port: PortId(0), ..meta });
            if let Some(bytes) = frame.first_mut() {
                // Source 10.x.y.z and source port: the flow; no checksum is looked at.
                let bytes = &mut bytes[self.at..];
                bytes[27..30].copy_from_slice(&(flow >> 4).to_be_bytes()[1..]);
                bytes[34..36].copy_from_slice(&(1024 + (flow & 15) as u16).to_be_bytes());
            }
            burst.push(frame);
        }
    }

    fn random(&mut self) -> u32 {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.state >> 33) as u32) % self.sessions
    }
}

/// Median cycles a packet over the rounds.
fn measure(lane: &mut Lane, maker: &mut Maker) -> f64 {
    let mut burst = Burst::new();
    for flow in 0..maker.sessions.div_ceil(BURST as u32) {
        let first = AtomicU64::new(u64::from(flow) * BURST as u64);
        let sessions = maker.sessions;
        maker.fill(&mut burst, |_| (first.fetch_add(1, Ordering::Relaxed) as u32).min(sessions - 1));
        lane.burst(&mut burst, &mut |_, frame| Err(frame));
        lane.flush();
    }
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let mut spent = 0;
            for _ in 0..BURSTS / ROUNDS {
                maker.fill(&mut burst, Maker::random);
                let n = burst.len() as u64;
                let start = cycles();
                lane.burst(&mut burst, &mut |_, frame| Err(frame));
                lane.timers(maker.clock, 64);
                lane.flush();
                spent += (cycles() - start) / n;
            }
            spent as f64 / (BURSTS / ROUNDS) as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

fn main() {
    let sessions = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(1_000_000);
    let huge = std::env::var_os("WEIR_BENCH_HUGE").is_some();
    let memory = if huge { Memory::HugePages } else { Memory::NoHuge { megabytes: 256 } };
    let eal = Eal::start(&EalConfig { memory, cpus: vec![1], ..EalConfig::default() }).expect("EAL starts");
    let config = PoolConfig { name: "bench".into(), segments: 8191, ..PoolConfig::default() };
    let pool = Pool::new(&eal, &config).expect("a pool");
    println!("frames in {}, sessions in ordinary pages", if huge { "2 MiB pages" } else { "4 KiB pages" });
    println!("{:<46} {:>10} {:>14}", "stage", "sessions", "cycles/packet");
    let ours = std::fs::read_to_string("signatures/weir.rules").expect("run from the repository");
    let sets = [
        ("decode, session lookup, an empty chain", Services::Empty, "", false),
        ("the same, with idp without a rule", Services::Idp, "", false),
        ("the same, with passthru in front of it", Services::Passthru, "", false),
        ("idp alone, with signatures/weir.rules", Services::Idp, &ours, false),
        ("the same, and the same rules tried beside them", Services::Tried, &ours, false),
        ("within VXLAN, an empty chain", Services::Empty, "", true),
        ("within VXLAN, with idp without a rule", Services::Idp, "", true),
    ];
    for (name, services, text, tunnelled) in sets {
        for live in [1_000, sessions] {
            let (rules, _) = load(
                &[SourceFile::new("bench.rules", text)],
                &Vars::default(),
                &Classifications::default(),
                &References::default(),
            );
            let back = Back::default();
            let mut allocator = pool.allocator();
            let (client, server) = ("10.0.0.1:1024".parse(), "192.0.2.1:53".parse());
            let (client, server) = (client.expect("an address"), server.expect("an address"));
            let packet = build::udp_packet(client, server, &IpFields::default(), &[0; 18]);
            let (bytes, at) = match tunnelled {
                true => {
                    let (a, b) = ("10.9.0.1:999".parse(), "10.9.0.2:999".parse());
                    let (a, b) = (a.expect("an address"), b.expect("an address"));
                    (Link::ethernet().wrap(&Tunnel::Vxlan(7).wrap(a, b, &Link::ethernet(), &packet)), VXLAN)
                }
                false => (Link::ethernet().wrap(&packet), 0),
            };
            let frames = (0..256).map(|_| allocator.allocate(&bytes).expect("the pool is large enough"));
            back.0.lock().expect("one thread").extend(frames);
            let engine = Arc::new(Engine::compile(Arc::new(rules)).expect("the rules compile"));
            let plan = service_plan(services, &engine);
            let mut lane = lane(live + live / 4, &plan, Box::new(pool.allocator()), &back);
            if matches!(services, Services::Tried) {
                try_rules(&mut lane, &plan, &engine, live + live / 4);
            }
            let clock = Time::from_secs(1_780_000_000);
            let mut maker = Maker { back: back.clone(), sessions: live, state: 1, clock, at };
            let median = measure(&mut lane, &mut maker);
            // The tunnel's own session is kept in shares, one for the inner packets between two addresses.
            let shares = if tunnelled { live.div_ceil(16) } else { 0 };
            let alive = lane.sessions().len() as u32;
            assert!(alive >= live && alive <= live + shares, "{alive} sessions are alive");
            println!("{name:<46} {live:>10} {median:>14.0}");
            drop((lane, maker));
            back.0.lock().expect("one thread").clear();
        }
    }
}
