//! Workers that poll queues of their own: whatever a NIC makes of the frames, each session is on one worker, what is
//! detected is the same, and every frame is accounted for.

use super::super::settings::OnOverload;
use super::*;
use crate::base::toeplitz::KEY_WORD;
use crate::base::{DropReason, FlowTuple};
use crate::io::memory::Wire;

/// How the fake port spreads frames over its queues.
type Nic<'a> = &'a mut dyn FnMut(&[u8], usize) -> usize;

/// A NIC of the plain kind: bit by bit, under the symmetric key, and only what stands right behind Ethernet.
fn symmetric(frame: &[u8], queues: usize) -> usize {
    let input: Vec<u8> = match (&frame[12..14], frame.get(23), frame.get(20)) {
        ([8, 0], Some(6 | 17), _) if frame[20] & 0x3f == 0 && frame[21] == 0 => frame[26..38].to_vec(),
        ([8, 0], ..) => frame[26..34].to_vec(),
        ([0x86, 0xdd], _, Some(6 | 17)) => frame[22..58].to_vec(),
        ([0x86, 0xdd], ..) => frame[22..54].to_vec(),
        _ => return 0,
    };
    let window = |at: u32| u32::from(KEY_WORD).wrapping_mul(0x1_0001).rotate_left(at);
    let set = |at: &u32| input[*at as usize / 8] & (0x80 >> (at % 8)) != 0;
    let hash = (0..input.len() as u32 * 8).filter(set).fold(0, |hash, at| hash ^ window(at));
    (hash % 128) as usize % queues
}

/// An alert by what does not depend on who numbered its packet.
type Seen = (u32, FlowTuple, Dir);

struct Outcome {
    alerts: Vec<Seen>,
    flows: Vec<(u64, u64, CloseReason)>,
    /// Workers that saw each session, by its tuple in one direction.
    owners: std::collections::HashMap<FlowTuple, std::collections::BTreeSet<usize>>,
    balance: Balance,
    misplaced: u64,
    handover_full: u64,
    bypassed: u64,
    inspected: Vec<u64>,
    sent: usize,
}

/// Feeds the frames to `workers` workers of an RSS appliance. One `at_a_time` makes the order that of one worker.
struct Run<'a> {
    settings: Settings,
    rules: &'a str,
    at_a_time: bool,
}

fn rss(workers: usize, mode: Mode) -> Settings {
    let spreading = Spreading::Rss { table: 128 };
    Settings { spreading, replay: false, ring_size: 4096, ..settings(workers, mode) }
}

impl Run<'_> {
    fn of(self, frames: &[(Time, Vec<u8>)], nic: Nic<'_>) -> Outcome {
        let (platform, workers) = (MemoryPlatform::default(), self.settings.workers);
        let queues = workers as u16;
        let info = || PortInfo { rx_queues: queues, tx_queues: queues, ..PortInfo::default() };
        let (inside, feeds_in) = MemoryPort::with_queues(INSIDE, info());
        let (outside, line) = MemoryPort::with_queues(OUTSIDE, info());
        let engine = engine(self.rules);
        let mut ports: [Option<Box<dyn PacketIo>>; 2] = [Some(Box::new(inside)), Some(Box::new(outside))];
        let appliance = Appliance::build(
            &self.settings,
            &mut ports,
            &platform,
            &detection(&engine, self.settings.ports.len()),
        )
        .unwrap();
        let Appliance { mut main, mut workers, handle, mut feeds } = appliance;
        let queue_of = |bytes: &[u8], nic: Nic<'_>| nic(bytes, usize::from(queues));
        for (_, bytes) in frames {
            feeds_in[queue_of(bytes, nic)].put(platform.0.frame(bytes));
            if self.at_a_time {
                main.turn(Time::ZERO);
                // Received; taken by its owner; the datagram that it completes taken by its own.
                for _ in 0..3 {
                    let moved: usize = workers.iter_mut().map(|worker| worker.turn()).sum();
                    assert!(moved <= 3);
                }
            }
        }
        let threads: Vec<_> =
            workers.into_iter().map(|worker| std::thread::spawn(move || worker.run())).collect();
        while feeds_in.iter().any(|wire| wire.pending() > 0) {
            main.turn(Time::ZERO);
            std::thread::yield_now();
        }
        main.finish();
        threads.into_iter().for_each(|t| drop(t.join().unwrap()));
        let events: Vec<Vec<Event>> =
            feeds.iter_mut().map(|feed| std::iter::from_fn(|| feed.events.pop().ok()).collect()).collect();
        let ledgers = &handle.ledgers;
        let mut outcome = Outcome {
            alerts: seen(&engine, &events),
            flows: flows(&events.concat()),
            owners: owners(&events),
            balance: handle.balance(0),
            misplaced: ledgers.iter().map(|l| l.misplaced.get()).sum(),
            handover_full: ledgers.iter().map(|l| l.dropped(DropReason::HandoverFull)).sum(),
            bypassed: ledgers.iter().map(|l| l.bypassed.get()).sum(),
            inspected: ledgers.iter().skip(1).map(|l| l.inspected.get()).collect(),
            sent: 0,
        };
        drop((main, handle, feeds, ports));
        let take = |wire: &Wire| std::iter::from_fn(|| wire.take()).count();
        outcome.sent = line.iter().map(take).sum();
        drop((feeds_in, line));
        assert_eq!(platform.0.outstanding(), 0, "every frame is back");
        assert!(outcome.balance.is_even(), "{}", outcome.balance);
        assert_eq!(outcome.balance.received, frames.len() as u64);
        outcome
    }
}

fn seen(engine: &Engine, events: &[Vec<Event>]) -> Vec<Seen> {
    let one = |e: &Event| match &e.body {
        EventBody::Alert(a) => Some((engine.rules().rule(a.rule)?.sid, e.origin.tuple, e.origin.dir)),
        _ => None,
    };
    let mut seen: Vec<Seen> = events.iter().flatten().filter_map(one).collect();
    seen.sort_by_key(|&(sid, t, dir)| (sid, t.src.0, t.dst.0, t.sport, t.dport, dir.index()));
    seen
}

fn owners(events: &[Vec<Event>]) -> std::collections::HashMap<FlowTuple, std::collections::BTreeSet<usize>> {
    let mut owners = std::collections::HashMap::<_, std::collections::BTreeSet<_>>::new();
    for (worker, events) in events.iter().enumerate() {
        for event in events.iter().filter(|e| matches!(e.body, EventBody::Flow(_))) {
            let tuple = event.origin.tuple;
            let other = tuple.reversed();
            let low = if (tuple.src.0, tuple.sport) <= (other.src.0, other.sport) { tuple } else { other };
            owners.entry(low).or_default().insert(worker);
        }
    }
    owners
}

/// As a broken NIC would: every frame to any queue.
fn sprayed() -> impl FnMut(&[u8], usize) -> usize {
    let mut random = Random::new(11);
    move |_, queues| random.below(queues)
}

#[test]
fn any_number_of_workers_and_any_nic_give_the_same_alerts_as_one_worker() {
    let frames = many_flows();
    let run = |workers, nic: Nic<'_>| {
        Run { settings: rss(workers, Mode::Tap), rules: RULES, at_a_time: true }.of(&frames, nic)
    };
    let one = run(1, &mut symmetric);
    assert_eq!(one.alerts.len(), replay(&frames, RULES, &settings(1, Mode::Tap)).alerts.len());
    assert_eq!((one.flows.len(), one.misplaced), (500, 0));
    for workers in [2, 3, 4] {
        let (good, bad) = (run(workers, &mut symmetric), run(workers, &mut sprayed()));
        for (outcome, name) in [(&good, "symmetric"), (&bad, "sprayed")] {
            assert_eq!(outcome.flows, one.flows, "{workers} workers, {name}");
            assert!(outcome.alerts == one.alerts, "{workers} workers, {name}");
            assert!(outcome.inspected.iter().all(|n| *n > 100), "{name}: {:?}", outcome.inspected);
            assert_eq!(outcome.sent, frames.len(), "a tap forwards every frame");
        }
        // Only the errors come where the router's address hashes; the rest is where it belongs.
        assert!(good.misplaced > 0 && good.misplaced <= 50, "{}", good.misplaced);
        assert!(bad.misplaced > frames.len() as u64 / 3, "{}", bad.misplaced);
    }
}

#[test]
fn at_full_speed_each_session_is_still_on_one_worker() {
    let frames = many_flows();
    for workers in [1, 2, 4] {
        for nic in [&mut symmetric as Nic<'_>, &mut sprayed()] {
            let run = Run { settings: rss(workers, Mode::Ips), rules: "", at_a_time: false };
            let outcome = run.of(&frames, nic);
            assert_eq!(outcome.flows.len(), 500, "{workers} workers");
            assert!(outcome.owners.len() == 500 && outcome.owners.values().all(|w| w.len() == 1));
            assert_eq!(outcome.handover_full, 0);
        }
    }
}

#[test]
fn tags_and_tunnels_that_the_nic_does_not_look_into_find_their_owner() {
    let talk = |host| {
        let (a, b) = (addr(host, 4000 + host as u16), addr(1000 + host % 5, 80));
        [
            build::udp_packet(a, b, &IpFields::default(), b"q"),
            build::udp_packet(b, a, &IpFields::default(), b"r"),
        ]
    };
    let mut tagged = Capture::new(Link::tagged(&[7, 8]));
    let mut tunnels = Capture::new(Link::ethernet());
    for host in 0..60 {
        let [question, answer] = talk(host);
        tunnels.packets([vxlan(Dir::ToServer, &question), vxlan(Dir::ToClient, &answer)]);
        tagged.packets([question, answer]);
    }
    let rules = "alert udp any any -> any 80 (flow:to_server; content:\"q\"; sid:1;)
        alert udp any 80 -> any any (flow:to_client; content:\"r\"; sid:2;)";
    for capture in [tagged, tunnels] {
        let run = |workers, nic: Nic<'_>| {
            Run { settings: rss(workers, Mode::Ips), rules, at_a_time: true }.of(&capture.frames, nic)
        };
        let one = run(1, &mut symmetric);
        assert!(one.alerts.len() >= 120, "{}", one.alerts.len());
        for nic in [&mut symmetric as Nic<'_>, &mut sprayed()] {
            let four = run(4, nic);
            assert!(four.alerts == one.alerts && four.flows == one.flows);
            assert!(four.misplaced > 0 && four.sent == capture.frames.len());
        }
    }
}

#[test]
fn what_finds_no_room_on_its_way_to_its_owner_is_a_counted_drop() {
    let frames = many_flows();
    let settings = Settings { ring_size: 2, ..rss(4, Mode::Ips) };
    let outcome = Run { settings, rules: "", at_a_time: false }.of(&frames, &mut sprayed());
    assert!(outcome.handover_full > 0 && outcome.balance.dropped >= outcome.handover_full);
}

/// With their datagrams in pieces: those find no room either.
#[test]
fn where_the_policy_bypasses_what_finds_no_room_goes_on_uninspected() {
    let mut frames = many_flows();
    for (n, client) in (1..60).enumerate() {
        let packet = build::udp_packet(addr(client, 5), addr(99, 7), &IpFields::default(), &[7; 900]);
        let wrap = |piece: &Vec<u8>| (Time::from_secs(1_780_000_000), Link::ethernet().wrap(piece));
        frames.extend(build::fragments(&packet, n as u32, &[304]).iter().map(wrap));
    }
    for (mode, lost) in [(Mode::Ips, false), (Mode::Tap, false), (Mode::Ids, true)] {
        let mut settings = Settings { ring_size: 2, ..rss(4, mode) };
        settings.ports.iter_mut().for_each(|plan| plan.on_overload = OnOverload::Bypass);
        let outcome = Run { settings, rules: "", at_a_time: false }.of(&frames, &mut sprayed());
        assert_eq!(outcome.handover_full > 0, lost, "{mode:?}: {}", outcome.balance);
        assert!(outcome.bypassed > 0 || lost, "{mode:?}");
        let inspected: u64 = outcome.inspected.iter().sum();
        assert!(inspected < frames.len() as u64, "{mode:?}: some went on uninspected");
    }
}

#[test]
fn a_pair_without_inspection_crosses_the_worker_that_received_it() {
    let frames = many_flows();
    let mut settings = rss(2, Mode::Ips);
    settings.ports.iter_mut().for_each(|plan| plan.inspect = false);
    let outcome = Run { settings, rules: "", at_a_time: false }.of(&frames, &mut sprayed());
    assert_eq!((outcome.sent, outcome.misplaced), (frames.len(), 0));
    assert_eq!(outcome.balance.transmitted, frames.len() as u64);
}
