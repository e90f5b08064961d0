//! The contestants, and what they are given.

use super::traffic::{BEGIN, Traffic};
use crate::support::{Back, lane_in};
use weir::base::{DropReason, PortId};
use weir::decode::{Decoded, Tunnels, decode};
use weir::defrag::{self, Cut, Outcome, Reassembler, refragment};
use weir::io::dpdk::{Allocator, Pool, cycles};
use weir::io::{BURST, Burst, Frame, LinkType};
use weir::pipeline::Mode;
use weir::service::ServicePlan;

/// Where cutting cuts.
const MTU: u16 = 1500;
/// Room for gathering a chain.
const SCRATCH: usize = 66_000;

/// Something that is given a burst and gives what became of it.
pub type Run = Box<dyn FnMut(&mut Burst, &mut Vec<Frame>)>;

pub struct Row {
    pub name: &'static str,
    pub traffic: Traffic,
    /// DPDK's library, the reassembler (or the cutting) alone with decoding, the lane of `weir reassemble`.
    pub runs: [Option<Run>; 3],
}

pub fn rows(pool: &Pool) -> Vec<Row> {
    let together = |name, traffic: Traffic| Row {
        name,
        traffic,
        runs: [librte_reassemble(), Some(ours(pool)), Some(lane(pool, 9192))],
    };
    let whole = |name, frame| Row {
        name,
        traffic: Traffic::whole(frame),
        runs: [librte_reassemble(), None, Some(lane(pool, 9192))],
    };
    let alone = Row {
        name: "64 of 5,148 bytes",
        traffic: Traffic::pieces(20 + 64 * 80, 80, 1),
        runs: [None, Some(ours(pool)), Some(lane(pool, 9192))],
    };
    let cut = Row {
        name: "cutting 2,028 bytes into two",
        traffic: Traffic::whole(2042),
        runs: [librte_cut(), Some(our_cut(pool)), Some(lane(pool, MTU))],
    };
    vec![
        together("two small fragments", Traffic::pieces(68, 24, 1)),
        together("two small, always one key", Traffic::pieces(68, 24, 1).ids(1)),
        together("two of 2,028 bytes", Traffic::pieces(2028, 1480, 1)),
        together("two of 2,028 bytes, over 256", Traffic::pieces(2028, 1480, 256)),
        together("four of 5,928 bytes", Traffic::pieces(5928, 1480, 1)),
        alone,
        cut,
        whole("whole, 60 bytes", 60),
        whole("whole, 1,514 bytes", 1514),
    ]
}

#[cfg(feature = "ip-frag")]
fn librte_reassemble() -> Option<Run> {
    // For so long as nothing here times out.
    let mut table = super::librte::Table::new(4096, 1 << 40);
    Some(Box::new(move |burst, out| table.reassemble(burst, out)))
}

#[cfg(feature = "ip-frag")]
fn librte_cut() -> Option<Run> {
    Some(Box::new(|burst, out| super::librte::cut(burst, MTU, out)))
}

#[cfg(not(feature = "ip-frag"))]
fn librte_reassemble() -> Option<Run> {
    None
}

#[cfg(not(feature = "ip-frag"))]
fn librte_cut() -> Option<Run> {
    None
}

struct Quiet;

impl defrag::Sink for Quiet {
    fn dropped(&mut self, reason: DropReason, _: PortId, fragments: u32, _: bool) {
        panic!("{fragments} dropped: {}", reason.name());
    }

    fn anomaly(&mut self, anomaly: weir::base::Anomaly) {
        panic!("{anomaly:?}");
    }
}

fn ours(pool: &Pool) -> Run {
    let mut reassembler = Reassembler::new(defrag::Settings::default());
    let (mut allocator, mut decoded) = (pool.allocator(), Decoded::default());
    let (mut scratch, tunnels) = (vec![0; SCRATCH], Tunnels::default());
    Box::new(move |burst, out| {
        for frame in burst.drain(..) {
            decode(frame.view(&mut scratch), LinkType::Ethernet, &tunnels, &mut decoded);
            match reassembler.push(frame, &decoded, BEGIN, &mut allocator, &mut Quiet) {
                Outcome::Complete(whole) => out.push(whole),
                Outcome::Held => {}
                Outcome::Dropped(reason, _) | Outcome::GivenUp(reason) => {
                    panic!("dropped: {}", reason.name())
                }
            }
        }
    })
}

fn our_cut(pool: &Pool) -> Run {
    let (mut allocator, mut decoded) = (pool.allocator(), Decoded::default());
    let (mut scratch, tunnels) = (vec![0; SCRATCH], Tunnels::default());
    Box::new(move |burst, out| {
        for frame in burst.drain(..) {
            decode(frame.view(&mut scratch), LinkType::Ethernet, &tunnels, &mut decoded);
            let cut = refragment(
                frame,
                &decoded,
                Cut { mtu: MTU, port_sums: false },
                &mut allocator,
                &mut |piece| out.push(piece),
            );
            cut.expect("it can be cut");
        }
    })
}

fn lane(pool: &Pool, mtu: u16) -> Run {
    let (back, services) = (Back::default(), ServicePlan::of(Vec::new(), 1));
    let mut lane = lane_in(Mode::Reassemble, mtu, 64, &services, Box::new(pool.allocator()), &back);
    Box::new(move |burst, out| {
        lane.burst(burst, &mut |_, frame| Err(frame));
        lane.flush();
        out.append(&mut back.0.lock().expect("one thread"));
    })
}

/// Cycles a frame over so many bursts. What came out is freed beside the clock.
pub fn measure(run: &mut Run, traffic: &mut Traffic, pool: &mut Allocator, bursts: usize) -> f64 {
    let (mut burst, mut out) = (Burst::new(), Vec::with_capacity(4096));
    let spent = (0..bursts).map(|_| {
        traffic.fill(&mut burst, pool);
        let start = cycles();
        run(&mut burst, &mut out);
        let spent = cycles() - start;
        out.clear();
        spent
    });
    undisturbed(spent.collect()) / BURST as f64
}

/// The mean without the longest tenth: those were interrupted.
pub fn undisturbed(mut spent: Vec<u64>) -> f64 {
    spent.sort_unstable();
    spent.truncate(spent.len() - spent.len() / 10);
    spent.iter().sum::<u64>() as f64 / spent.len().max(1) as f64
}

/// What comes out of so many bursts, byte by byte.
pub fn output(run: &mut Run, traffic: &mut Traffic, pool: &mut Allocator, bursts: usize) -> Vec<Vec<u8>> {
    let (mut burst, mut out) = (Burst::new(), Vec::with_capacity(4096));
    for _ in 0..bursts {
        traffic.fill(&mut burst, pool);
        run(&mut burst, &mut out);
    }
    out.iter().map(|frame| frame.segments().flatten().copied().collect()).collect()
}
