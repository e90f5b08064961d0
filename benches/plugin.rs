//! What a chain costs a packet: none, detection without rules, an empty plugin built in, an empty external one, one that
//! looks at each packet and its session, and an empty one behind detection. The difference between the two empty ones is
//! the border's, the rest is the chain's own.
//!
//! `cargo bench --bench plugin [-- CHAIN...]`, all chains or those named (`empty`, `idp+external`). Prints the lower quartile
//! of rounds (of a shared machine the steadier number) in nanoseconds and cycles a packet, and the difference to the first chain
//! of the list. UDP packets of a thousand live sessions in a random order, in frames of the memory backend that are used
//! again and again; the chains are measured in turn, round by round, so that a machine's mood meets all alike.

mod support;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::{Back, lane};
use weir::base::{Time, WorkerId};
use weir::inspect::{self, Engine};
use weir::io::dpdk::cycles;
use weir::io::memory::HeapPool;
use weir::io::{BURST, Burst, FrameMeta};
use weir::pipeline::lane::Lane;
use weir::rules::{Classifications, References, SourceFile, Vars, load as load_rules};
use weir::service::external::{ExternalSpec, load};
use weir::service::idp::Idp;
use weir::service::plan::Attached;
use weir::service::{About, ControlEvent, ControlFault, DataPlugin, Desk, Plugin, ServicePlan};
use weir::stream;
use weir::wire::build::{self, IpFields, Link};

const ROUNDS: usize = 101;
const BURSTS: usize = 400;
const SESSIONS: u32 = 1000;

/// The empty sample; or one that looks at each packet and its session.
fn external(name: &str) -> Box<dyn Plugin> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = top.join(format!("target/{name}-bench.so"));
    let mut cc = Command::new("cc");
    cc.args(if name == "looking" { &["-DLOOKS"][..] } else { &[] });
    cc.args(["-shared", "-fPIC", "-O2", "-I"]).arg(top.join("plugins/include"));
    let built = cc.arg(top.join("plugins/samples/empty/empty.c")).arg("-o").arg(&out).status();
    assert!(built.is_ok_and(|status| status.success()), "cc builds the sample");
    Box::new(load(&[ExternalSpec::at("empty", &out, "")]).expect("it loads").remove(0))
}

/// As empty, and built in.
struct Nothing(About);

struct NothingHalf;

impl DataPlugin for NothingHalf {}

impl Plugin for Nothing {
    fn about(&self) -> &About {
        &self.0
    }

    fn data(&self, _worker: WorkerId) -> Box<dyn DataPlugin> {
        Box::new(NothingHalf)
    }

    fn control(&mut self, _event: ControlEvent<'_>, _desk: &mut dyn Desk) -> Result<(), ControlFault> {
        Ok(())
    }
}

fn plan(names: &[&str]) -> ServicePlan {
    let file = SourceFile::new("bench.rules", "");
    let (rules, _) =
        load_rules(&[file], &Vars::default(), &Classifications::default(), &References::default());
    let engine = Arc::new(Engine::compile(Arc::new(rules)).expect("the rules compile"));
    let (streams, inspection) = (stream::Settings::default(), inspect::Settings::default());
    let mut plugins: Vec<Box<dyn Plugin>> = Vec::new();
    for &name in names {
        plugins.push(match name {
            "idp" => {
                let hosts = Arc::new(weir::inspect::HostState::new(&inspection));
                Box::new(Idp::new(Arc::clone(&engine), hosts, streams.clone(), inspection))
            }
            "built-in" => Box::new(Nothing(About { name: name.into(), ..About::default() })),
            name => external(name),
        });
    }
    let mut plan = ServicePlan::of(plugins, 1);
    if names.contains(&"idp") {
        let (set, plugin) = Default::default();
        plan.policies.push(Attached { set, plugin, policy: Idp::policy(&engine) });
    }
    plan
}

struct Bench {
    name: String,
    lane: Lane,
    back: Back,
    state: u64,
    clock: Time,
    rounds: Vec<(f64, f64)>,
}

impl Bench {
    fn new(name: String, services: &ServicePlan) -> Bench {
        let (back, pool) = (Back::default(), HeapPool::default());
        let ends = ("10.0.0.1:1024".parse(), "192.0.2.1:53".parse());
        let (client, server) = (ends.0.expect("an address"), ends.1.expect("an address"));
        let bytes = Link::ethernet().wrap(&build::udp_packet(client, server, &IpFields::default(), &[0; 18]));
        back.0.lock().expect("one thread").extend((0..256).map(|_| pool.frame(&bytes)));
        let lane = lane(2 * SESSIONS, services, Box::new(pool), &back);
        Bench { name, lane, back, state: 1, clock: Time::from_secs(1_780_000_000), rounds: Vec::new() }
    }

    fn fill(&mut self, burst: &mut Burst) {
        self.clock = self.clock.plus(Duration::from_micros(1));
        while burst.len() < BURST {
            let Some(mut frame) = self.back.0.lock().expect("one thread").pop() else { break };
            self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let flow = ((self.state >> 33) as u32) % SESSIONS;
            let meta = FrameMeta { time: self.clock, clock: self.clock, ..FrameMeta::default() };
            frame.set_meta(meta);
            if let Some(bytes) = frame.first_mut() {
                bytes[34..36].copy_from_slice(&(1024 + flow as u16).to_be_bytes());
            }
            burst.push(frame);
        }
    }

    #[allow(clippy::disallowed_methods)] // a bench measures time
    fn round(&mut self) {
        let (mut burst, mut spent, mut ticks, mut packets) = (Burst::new(), Duration::ZERO, 0, 0);
        for _ in 0..BURSTS {
            self.fill(&mut burst);
            packets += burst.len();
            let (start, first) = (Instant::now(), cycles());
            self.lane.burst(&mut burst, &mut |_, frame| Err(frame));
            self.lane.timers(self.clock, 64);
            self.lane.flush();
            ticks += cycles() - first;
            spent += start.elapsed();
        }
        self.rounds.push((spent.as_nanos() as f64 / packets as f64, ticks as f64 / packets as f64));
    }

    fn quartile(&mut self) -> (f64, f64) {
        let middle = |mut all: Vec<f64>| {
            all.sort_by(f64::total_cmp);
            all[all.len() / 4]
        };
        (middle(self.rounds.iter().map(|r| r.0).collect()), middle(self.rounds.iter().map(|r| r.1).collect()))
    }
}

fn main() {
    let chains: [&[&str]; 6] =
        [&[], &["idp"], &["built-in"], &["external"], &["looking"], &["idp", "external"]];
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let named = |names: &[&str]| if names.is_empty() { "empty".to_owned() } else { names.join("+") };
    let mut benches: Vec<Bench> = chains
        .iter()
        .map(|names| (named(names), plan(names)))
        .filter(|(name, _)| wanted.is_empty() || wanted.contains(name))
        .map(|(name, plan)| Bench::new(name, &plan))
        .collect();
    benches.iter_mut().for_each(Bench::round);
    benches.iter_mut().for_each(|bench| bench.rounds.clear());
    for _ in 0..ROUNDS {
        benches.iter_mut().for_each(Bench::round);
    }
    println!(
        "{:<14} {:>10} {:>14} {:>10} {:>14}",
        "chain", "ns/packet", "cycles/packet", "more ns", "more cycles"
    );
    let mut first = None;
    for bench in &mut benches {
        let (ns, ticks) = bench.quartile();
        let (none_ns, none_ticks) = *first.get_or_insert((ns, ticks));
        println!(
            "{:<14} {ns:>10.1} {ticks:>14.0} {:>10.1} {:>14.0}",
            bench.name,
            ns - none_ns,
            ticks - none_ticks
        );
    }
}
