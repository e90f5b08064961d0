//! What it costs that a session's frames meet on one worker: finding the owner of a frame, and handing a rebuilt datagram over.

use super::median;
use super::rows::undisturbed;
use super::traffic::{BEGIN, Traffic, frame};
use std::sync::Arc;
use weir::decode::Tunnels;
use weir::io::dpdk::{Allocator, Eal, Pool, cycles, ring};
use weir::io::{BURST, Burst, LinkType};
use weir::pipeline::Mode;
use weir::pipeline::PortPlan;
use weir::pipeline::handover::Handover;
use weir::pipeline::spreading::{Owners, Spreading};
use weir::wire::build::{IpFields, Link, fragments, icmp_error, udp_packet};

const BURSTS: usize = 256;

pub fn table(eal: &Arc<Eal>, pool: &Pool, rounds: usize) {
    let mut allocator = pool.allocator();
    println!("{:<46} {:>12}", "cycles/frame", "to its owner");
    for (name, bytes) in frames() {
        let found = median((0..rounds).map(|_| owner(&bytes, &mut allocator))).unwrap_or_default();
        println!("{name:<46} {found:>12.0}");
    }
    for (name, traffic) in [("one segment", Traffic::whole(60)), ("1,514 bytes", Traffic::whole(1514))] {
        let found =
            median((0..rounds).map(|_| handed(eal, traffic.clone(), &mut allocator))).unwrap_or_default();
        println!("{:<46} {found:>12.0}", format!("handed over through a ring, {name}"));
    }
}

fn frames() -> Vec<(&'static str, Vec<u8>)> {
    let udp = |from: &str, to: &str, len: usize| {
        let (from, to) = (from.parse().expect("an address"), to.parse().expect("an address"));
        udp_packet(from, to, &IpFields::default(), &vec![0; len])
    };
    let (v4, v6) =
        (udp("10.0.0.1:1024", "192.0.2.1:53", 100), udp("[2001:db8::1]:1024", "[2001:db8::2]:53", 100));
    let error = |packet: &[u8], from: &str, kind| {
        icmp_error(from.parse().expect("an address"), kind, 1, 0, packet).expect("an IP packet")
    };
    let packets = [
        ("UDP over IPv4", v4.clone()),
        ("UDP over IPv6", v6.clone()),
        ("a fragment, IPv4", fragments(&v4, 1, &[48]).swap_remove(1)),
        ("a fragment, IPv6", fragments(&v6, 1, &[48]).swap_remove(1)),
        ("an ICMP error, by the packet it quotes", error(&v4, "10.0.0.9", 3)),
        ("an ICMPv6 error, by the packet it quotes", error(&v6, "2001:db8::9", 1)),
    ];
    packets.map(|(name, packet)| (name, Link::ethernet().wrap(&packet))).into()
}

fn owner(bytes: &[u8], pool: &mut Allocator) -> f64 {
    let owners = Owners::new(8, true, Spreading::Software, Tunnels::default());
    let plan = PortPlan {
        link: LinkType::Ethernet,
        peer: None,
        inspect: true,
        mode: Mode::Ips,
        non_ip: true,
        peer_mtu: 1500,
        ..PortPlan::default()
    };
    let (mut spent, mut sum) = (Vec::new(), 0);
    for _ in 0..BURSTS {
        let burst: Vec<_> = (0..BURST).map(|_| frame(pool, bytes, BEGIN)).collect();
        let start = cycles();
        burst.iter().for_each(|frame| sum += owners.owner(frame, &plan));
        spent.push(cycles() - start);
    }
    std::hint::black_box(sum);
    undisturbed(spent) / BURST as f64
}

/// Both ends on one lcore: the ring's work without the way between two caches.
fn handed(eal: &Arc<Eal>, mut traffic: Traffic, pool: &mut Allocator) -> f64 {
    let (sender, receiver) = ring(eal, 64).expect("a ring");
    let mut from = Handover::new(vec![None, Some(sender)], Vec::new());
    let mut to = Handover::new(Vec::new(), vec![receiver]);
    let (mut burst, mut out, mut spent) = (Burst::new(), Vec::with_capacity(BURST), Vec::new());
    for _ in 0..BURSTS {
        traffic.fill(&mut burst, pool);
        let start = cycles();
        burst.drain(..).for_each(|frame| from.give(1, frame).expect("room in the ring"));
        while let Some(frame) = to.take() {
            out.push(frame);
        }
        spent.push(cycles() - start);
        out.clear();
    }
    undisturbed(spent) / BURST as f64
}
