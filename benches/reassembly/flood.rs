//! As many fragments that never come together as whole packets: what they hold, and what a whole packet costs then.

use super::median;
use super::rows::undisturbed;
use super::support::{Back, lane, lane_in};
use super::traffic::{BEGIN, Traffic, frame};
use std::time::Duration;
use weir::base::Time;
use weir::io::dpdk::{Allocator, Pool, cycles};
use weir::io::{BURST, Burst};
use weir::pipeline::Mode;
use weir::pipeline::lane::Lane;
use weir::service::ServicePlan;
use weir::wire::build::{IpFields, Link, Random, fragment, udp_packet};

/// Of whole packets, and of the flood, a round.
const BURSTS: usize = 256;
/// More than a lane will hold of it.
const PILE: usize = 2048;

/// First fragments of ever new datagrams from ever new sources.
struct Flood {
    random: Random,
    bytes: Vec<u8>,
}

impl Flood {
    fn new() -> Flood {
        let (from, to) = ("10.0.0.1:1024".parse(), "192.0.2.1:53".parse());
        let (from, to) = (from.expect("an address"), to.expect("an address"));
        let packet = udp_packet(from, to, &IpFields::default(), &[0; 2000]);
        let bytes = Link::ethernet().wrap(&fragment(&packet, 0, 0..1480, true));
        Flood { random: Random::new(1), bytes }
    }

    fn fill(&mut self, burst: &mut Burst, pool: &mut Allocator, clock: Time) {
        while burst.len() < BURST {
            let number = self.random.number().to_be_bytes();
            self.bytes[18..20].copy_from_slice(&number[..2]);
            self.bytes[27..30].copy_from_slice(&number[2..5]);
            burst.push(frame(pool, &self.bytes, clock));
        }
    }
}

/// A lane, with what it is given.
struct Side {
    lane: Lane,
    back: Back,
    whole: Traffic,
    flood: Option<Flood>,
    clock: Time,
}

impl Side {
    fn pass(&mut self, burst: &mut Burst) -> u64 {
        self.clock = self.clock.plus(Duration::from_micros(1));
        let start = cycles();
        self.lane.burst(burst, &mut |_, frame| Err(frame));
        self.lane.timers(self.clock, 64);
        self.lane.flush();
        let spent = cycles() - start;
        self.back.0.lock().expect("one thread").clear();
        spent
    }

    /// Cycles a whole packet, and a fragment of the flood between.
    fn round(&mut self, pool: &mut Allocator) -> [f64; 2] {
        let (mut burst, mut spent) = (Burst::new(), [Vec::new(), Vec::new()]);
        for _ in 0..BURSTS {
            if let Some(flood) = &mut self.flood {
                flood.fill(&mut burst, pool, self.clock);
                spent[1].push(self.pass(&mut burst));
            }
            self.whole.fill(&mut burst, pool);
            spent[0].push(self.pass(&mut burst));
        }
        spent.map(|spent| undisturbed(spent) / BURST as f64)
    }
}

pub fn table(pool: &Pool, rounds: usize) {
    println!(
        "{:<34} {:>10} {:>14} {:>6} {:>16} {:>13}",
        "cycles", "whole", "whole, flooded", "more", "flood's fragment", "buffers held"
    );
    for (name, mode) in [("weir run, an empty chain", Mode::Ips), ("weir reassemble", Mode::Reassemble)] {
        let side = |flood| {
            let (back, services) = (Back::default(), ServicePlan::of(Vec::new(), 1));
            let pool = Box::new(pool.allocator());
            let lane = match mode {
                Mode::Ips => lane(1024, &services, pool, &back),
                _ => lane_in(mode, 9192, 64, &services, pool, &back),
            };
            Side { lane, back, whole: Traffic::whole(60), flood, clock: BEGIN }
        };
        let (mut calm, mut flooded) = (side(None), side(Some(Flood::new())));
        let mut allocator = pool.allocator();
        let before = pool.in_use();
        let mut burst = Burst::new();
        for _ in 0..PILE {
            if let Some(flood) = &mut flooded.flood {
                flood.fill(&mut burst, &mut allocator, flooded.clock);
            }
            flooded.pass(&mut burst);
        }
        let held = pool.in_use() - before;
        let found: Vec<_> =
            (0..rounds).map(|_| (calm.round(&mut allocator), flooded.round(&mut allocator))).collect();
        assert!(pool.in_use() - before <= held + BURST as u32, "memory stays where it is");
        let middle = |of: fn(&([f64; 2], [f64; 2])) -> f64| median(found.iter().map(of)).unwrap_or_default();
        let (calm, beside, flood) = (middle(|r| r.0[0]), middle(|r| r.1[0]), middle(|r| r.1[1]));
        let more = middle(|(calm, flooded)| flooded[0] / calm[0] - 1.0);
        println!("{name:<34} {calm:>10.0} {beside:>14.0} {:>5.1}% {flood:>16.0} {held:>13}", more * 100.0);
    }
}
