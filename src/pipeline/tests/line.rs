//! A running line, not a replay: several pairs, every lcore's turns on this thread.

use super::*;
use crate::base::DropReason;
use crate::decode::{Decoded, Tunnels, decode};
use crate::io::memory::Wire;

/// An appliance whose ports are wires; the device of a port has another number than its place.
pub(super) struct Line {
    pub(super) main: MainLcore,
    #[allow(clippy::vec_box)] // as the appliance has them
    pub(super) workers: Vec<Box<Worker>>,
    pub(super) handle: Handle,
    wires: Vec<Wire>,
    platform: MemoryPlatform,
}

impl Line {
    /// Each of `modes` is a pair: ports 0 and 1, 2 and 3, and so on.
    pub(super) fn new(workers: usize, modes: &[Mode], adapt: impl FnOnce(&mut Settings)) -> Line {
        let mut settings = Settings { replay: false, ..settings(workers, Mode::Ips) };
        let template = settings.ports[0];
        let pair = |(n, mode): (usize, &Mode)| {
            [2 * n + 1, 2 * n].map(|to| PortPlan { peer: Some(PortId(to as u16)), mode: *mode, ..template })
        };
        settings.ports = modes.iter().enumerate().flat_map(pair).collect();
        adapt(&mut settings);
        let platform = MemoryPlatform::default();
        let (mut ports, mut sources, mut wires): (Vec<Option<Box<dyn PacketIo>>>, _, _) =
            (Vec::new(), Vec::new(), Vec::new());
        for n in 0..settings.ports.len() as u16 {
            let device = PortId(settings.ports.len() as u16 - 1 - n);
            let info = PortInfo { rx_queues: 1, tx_queues: 1, ..PortInfo::default() };
            let (mut port, wire) = MemoryPort::new(device, info);
            sources.push(Source { port: PortId(n), rx: port.take_rx(0).unwrap() });
            ports.push(Some(Box::new(port)));
            wires.push(wire);
        }
        let built =
            Appliance::build(&settings, &mut ports, &platform, &detection(&engine(""), settings.ports.len()))
                .unwrap();
        let Appliance { mut main, workers, handle, .. } = built;
        main.set_sources(sources);
        Line { main, workers, handle, wires, platform }
    }

    pub(super) fn put(&self, port: usize, bytes: &[u8]) {
        self.wires[port].put(self.platform.0.frame(bytes));
    }

    /// Everybody's turns until nothing moves.
    pub(super) fn settle(&mut self, now: Time) {
        while self.main.turn(now) + self.workers.iter_mut().map(|w| w.turn()).sum::<usize>() > 0 {}
        self.main.turn(now);
    }

    pub(super) fn sent(&self, port: usize) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.wires[port].take()).map(|f| bytes_of(&f)).collect()
    }

    /// Ends all lcores.
    pub(super) fn finish(&mut self) {
        self.main.finish();
        for worker in &mut self.workers {
            while worker.turn() > 0 {}
            worker.finish();
        }
        self.main.serve_returns();
    }
}

const NOW: Time = Time::from_secs(1_780_000_000);

fn udp(client: u32) -> Vec<u8> {
    Link::ethernet().wrap(&build::udp_packet(addr(client, 1), addr(99, 2), &IpFields::default(), b"text"))
}

#[test]
fn frames_leave_by_the_configured_peer_whatever_numbers_the_devices_have() {
    for (workers, inspect) in [0, 1, 2].into_iter().flat_map(|w| [(w, false), (w, true)]) {
        let modes = [Mode::Ips, Mode::Tap];
        let mut line = Line::new(workers, &modes, |s| s.ports.iter_mut().for_each(|p| p.inspect = inspect));
        for port in 0..4 {
            (0..20).for_each(|n| line.put(port, &udp(1 + n + 100 * port as u32)));
        }
        line.settle(NOW);
        for (port, from) in [(0, 1), (1, 0), (2, 3), (3, 2)] {
            let (mut sent, mut came) =
                (line.sent(port), (0..20).map(|n| udp(1 + n + 100 * from)).collect::<Vec<_>>());
            sent.sort();
            came.sort();
            assert!(sent == came, "{workers} workers, inspected: {inspect}, port {port}: {}", sent.len());
        }
        line.finish();
        assert!(line.handle.balance(0).is_even(), "{}", line.handle.balance(0));
    }
}

#[test]
fn how_full_a_ring_is_shows_also_when_its_worker_hangs() {
    let mut line = Line::new(1, &[Mode::Ips], |s| s.ring_size = 64);
    (0..70).for_each(|n| line.put(0, &udp(n)));
    let mut seen = Vec::new();
    for _ in 0..3 {
        line.main.turn(NOW);
        seen.push(line.handle.board.ring_fill(0));
    }
    assert_eq!(seen, [(32, 64), (64, 64), (64, 64)]);
    line.settle(NOW);
    assert_eq!(line.handle.board.ring_fill(0), (0, 64));
    line.finish();
}

#[test]
fn fragments_are_counted_by_their_own_pair_and_copies_are_not_put_together_with_originals() {
    let packet = build::udp_packet(addr(1, 9), addr(2, 9), &IpFields::default(), &[7; 200]);
    let pieces = build::fragments(&packet, 5, &[104]).into_iter().map(|piece| Link::ethernet().wrap(&piece));
    let pieces: Vec<_> = pieces.collect();
    let mut line = Line::new(0, &[Mode::Ips, Mode::Tap], |_| {});
    // One half came in the line, the other only past the tap.
    line.put(0, &pieces[0]);
    line.put(2, &pieces[1]);
    line.settle(NOW);
    assert_eq!((line.sent(1).len(), line.sent(3)), (0, vec![pieces[1].clone()]));
    let balance = line.handle.balance(0);
    assert_eq!((balance.held, balance.generated, balance.merged), (2, 1, 0), "{balance}");
    line.settle(NOW.plus(std::time::Duration::from_secs(3600)));
    let counted = |f: fn(&Ledger, DropReason) -> u64| f(&line.handle.ledgers[0], DropReason::FragmentTimeout);
    assert_eq!((counted(Ledger::dropped), counted(Ledger::spared)), (1, 1));
    let balance = line.handle.balance(0);
    assert_eq!((balance.dropped, balance.consumed, balance.held), (1, 1, 0), "{balance}");
    assert!(balance.is_even(), "{balance}");
    line.finish();
}

#[test]
fn in_a_pause_all_frames_are_counted_and_the_main_lcore_lifts_one_that_lasts() {
    let mut line = Line::new(2, &[Mode::Ips], |_| {});
    (0..200).for_each(|n| line.put(0, &udp(n)));
    let _ = [0; 3].map(|_| line.main.turn(NOW));
    line.workers[0].turn();
    let board = Arc::clone(&line.handle.board);
    let parked = board.pause.begin();
    assert!(!board.pause.all_done(parked));
    let turns = |line: &mut Line, now| {
        line.main.turn(now);
        for worker in &mut line.workers {
            worker.turn();
        }
    };
    turns(&mut line, NOW);
    assert!(board.pause.all_done(parked));
    let count = board.pause.advance(parked, pause::Step::Count).unwrap();
    turns(&mut line, NOW);
    assert!(board.pause.all_done(count));
    let balance = line.handle.balance_in_pause();
    assert!(balance.is_even() && balance.received == 96 && balance.in_rings > 30, "{balance}");
    turns(&mut line, NOW.plus(pause::LONGEST / 2));
    assert!(board.pause.holds(count));
    turns(&mut line, NOW.plus(pause::LONGEST));
    assert!(!board.pause.holds(count), "lifted by the main lcore");
    line.settle(NOW.plus(pause::LONGEST));
    assert_eq!(line.sent(1).len(), 200);
    line.finish();
}

#[test]
fn pieces_in_llc_are_put_together_and_leave_without_it_and_whole_packets_as_they_came() {
    for v6 in [false, true] {
        let ends = if v6 { ["[fd00::1]:1", "[fd00::2]:2"] } else { ["10.0.0.1:1", "10.0.0.2:2"] };
        let [from, to] = ends.map(|end| end.parse().unwrap());
        for mode in [Mode::Ips, Mode::Reassemble] {
            let mut line = Line::new(0, &[mode], |_| {});
            let packet = build::udp_packet(from, to, &IpFields::default(), &[7; 3000]);
            for piece in build::fragments(&packet, 5, &[1000]) {
                line.put(0, &Link::ethernet().wrap_snap(&piece));
            }
            line.settle(NOW);
            let mut payload = 0;
            for frame in line.sent(1) {
                let mut decoded = Decoded::default();
                decode(&frame, LinkType::Ethernet, &Tunnels::none(), &mut decoded);
                let ip = decoded.ip.unwrap();
                assert_eq!((ip.at, ip.llc, frame.len() as u32), (14, None, 14 + ip.total_len), "{mode:?}");
                payload += ip.fragment.unwrap().payload_len;
            }
            assert_eq!(payload, 3008, "{mode:?}");
            let whole =
                Link::ethernet().wrap_snap(&build::udp_packet(from, to, &IpFields::default(), &[7; 1000]));
            line.put(0, &whole);
            line.settle(NOW);
            assert_eq!(line.sent(1), [whole]);
            line.finish();
        }
    }
}

/// What stands between link header and IP takes its part of the port's MTU where the frame is made here.
#[test]
fn a_rebuilt_datagram_is_cut_so_that_its_frames_fit_with_labels_and_pppoe() {
    let packet = build::udp_packet(addr(1, 1), addr(2, 2), &IpFields::default(), &[7; 3000]);
    type Wrap = fn(&[u8]) -> Vec<u8>;
    let wraps: [Wrap; 3] = [
        |packet| Link::ethernet().wrap_as(0x8864, &build::pppoe(7, packet)),
        |packet| Link::tagged(&[5]).wrap_as(0x8847, &build::mpls(&[17, 18], packet)),
        |packet| Link::tagged(&[5, 6]).wrap(packet),
    ];
    for (wrap, link, longest) in [(wraps[0], 14, 1500), (wraps[1], 18, 1500), (wraps[2], 22, 1500)] {
        for mode in [Mode::Ips, Mode::Reassemble] {
            let mut line = Line::new(0, &[mode], |_| {});
            for piece in build::fragments(&packet, 5, &[1000]) {
                line.put(0, &wrap(&piece));
            }
            line.settle(Time::from_secs(1_780_000_000));
            let sent = line.sent(1);
            assert_eq!(sent.len(), 3, "{mode:?}");
            assert!(sent.iter().all(|frame| frame.len() - link <= longest), "{mode:?}");
            // Whole, a packet that fills the MTU passes with whatever it came in: there was room for it.
            let whole = wrap(&build::udp_packet(addr(1, 1), addr(2, 2), &IpFields::default(), &[7; 1472]));
            line.put(0, &whole);
            line.settle(Time::from_secs(1_780_000_000));
            assert_eq!(line.sent(1), [whole], "{mode:?}");
            line.finish();
        }
    }
}
