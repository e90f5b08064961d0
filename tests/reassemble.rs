//! `weir reassemble`: captures in, captures out, and what it refuses.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use std::path::Path;
use std::process::Output;
use support::{Bench, conserved, ethernet, v4, v6, weir};
use weir::io::capture::Reader;
use weir::wire::build::{
    Capture, IpFields, Link, Random, fragment, fragments, mpls, pppoe, spoil_ip_checksum, udp_packet,
};

fn reassemble(arguments: &[&str]) -> Output {
    weir().arg("reassemble").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// From capture to capture; what was said.
#[track_caller]
fn through(from: &Path, to: &Path, more: &[&str]) -> String {
    let (from, to) = (from.to_str().unwrap(), to.to_str().unwrap());
    let output = reassemble(&[&["-r", from, "-w", to], more].concat());
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}{}", text(&output.stderr));
    conserved(&said);
    said
}

/// The IP packets of a capture, sorted.
fn packets(path: &Path) -> Vec<Vec<u8>> {
    let mut reader = Reader::open(path).unwrap();
    let mut found = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        found.push(record.bytes[14..].to_vec());
    }
    found.sort();
    found
}

/// What stands behind `head` in the summary.
fn number(said: &str, head: &str) -> u64 {
    said.lines().find_map(|line| line.strip_prefix(head)).map_or(0, |n| n.trim().parse().unwrap())
}

fn datagrams(count: u16) -> Vec<Vec<u8>> {
    let mut random = Random::new(7);
    let datagram = |n: u16| {
        let options = vec![1; 4 * random.below(4)];
        let fields = IpFields { id: n, options, ..IpFields::default() };
        let len = 1 + random.below(9000);
        let host = u32::from(n % 5) + 1;
        match n % 3 {
            0 => udp_packet(v6(host as u16, n), v6(99, 53), &IpFields::default(), &random.bytes(len)),
            _ => udp_packet(v4(host, n), v4(99, 53), &fields, &random.bytes(len)),
        }
    };
    (1..=count).map(datagram).collect()
}

#[test]
fn random_datagrams_in_pieces_of_random_order_come_out_whole_and_go_in_pieces_and_back() {
    for workers in ["0", "2"] {
        let bench = Bench::new();
        let (whole, mut random) = (datagrams(120), Random::new(3));
        let sizes = |random: &mut Random| (0..3).map(|_| 256 + random.below(1200)).collect::<Vec<_>>();
        let mut pieces: Vec<Vec<u8>> =
            whole.iter().zip(1..).flat_map(|(p, id)| fragments(p, id, &sizes(&mut random))).collect();
        random.shuffle(&mut pieces);
        let capture = bench.capture(&ethernet(&pieces));
        let (wide, narrow, back) =
            (bench.path("wide.pcap"), bench.path("narrow.pcap"), bench.path("back.pcap"));
        through(&capture, &wide, &["--workers", workers]);
        let said = through(&capture, &narrow, &["-m", "1500", "--workers", workers]);
        assert!(number(&said, "frames written") > 120);
        assert!(packets(&narrow).iter().all(|packet| packet.len() <= 1500));
        through(&narrow, &back, &["--workers", workers]);
        // A lone IPv6 fragment is the whole packet, and passes as it came (RFC 6946).
        let plain = |packet: &[u8]| match packet[0] >> 4 == 6 && packet[6] == 44 {
            true => [
                &packet[..4],
                &(packet.len() as u16 - 48).to_be_bytes(),
                &[packet[40]],
                &packet[7..40],
                &packet[48..],
            ]
            .concat(),
            false => packet.to_vec(),
        };
        let sorted = |path: &Path| {
            let mut all: Vec<_> = packets(path).iter().map(|packet| plain(packet)).collect();
            all.sort();
            all
        };
        let mut expected = whole.clone();
        expected.sort();
        assert!(sorted(&wide) == expected, "{workers} workers: whole");
        assert!(sorted(&back) == expected, "{workers} workers: there and back");
    }
}

/// Frames of a packet behind tags, labels, PPPoE and both.
fn wrapped(n: usize, packet: &[u8]) -> Vec<u8> {
    match n % 5 {
        0 => Link::ethernet().wrap(packet),
        1 => Link::tagged(&[5, 6]).wrap(packet),
        2 => Link::ethernet().wrap_as(0x8847, &mpls(&[17, 18], packet)),
        3 => Link::ethernet().wrap_as(0x8864, &pppoe(9, packet)),
        _ => Link::tagged(&[5]).wrap_as(0x8864, &pppoe(9, packet)),
    }
}

/// The frames of a capture, sorted.
fn frames(path: &Path) -> Vec<Vec<u8>> {
    let mut reader = Reader::open(path).unwrap();
    let mut found = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        found.push(record.bytes.to_vec());
    }
    found.sort();
    found
}

#[test]
fn behind_tags_labels_and_pppoe_frames_come_out_whole_and_go_in_pieces_that_fit_and_back() {
    let bench = Bench::new();
    let (mut capture, mut whole, mut random) = (Capture::new(Link::ethernet()), Vec::new(), Random::new(5));
    let mut pieces = Vec::new();
    for (n, packet) in datagrams(60).iter().enumerate().filter(|(_, packet)| packet.len() > 1500) {
        whole.push(wrapped(n, packet));
        pieces.extend(
            fragments(packet, n as u32 + 1, &[256 + random.below(1200)]).iter().map(|p| wrapped(n, p)),
        );
    }
    random.shuffle(&mut pieces);
    pieces.into_iter().for_each(|piece| {
        capture.frame(piece);
    });
    whole.sort();
    let from = bench.capture(&capture);
    let (wide, narrow, back) = (bench.path("wide.pcap"), bench.path("narrow.pcap"), bench.path("back.pcap"));
    through(&from, &wide, &[]);
    through(&from, &narrow, &["-m", "1500"]);
    through(&narrow, &back, &[]);
    assert!(frames(&wide) == whole && frames(&back) == whole);
    for frame in frames(&narrow) {
        let at =
            (12..).step_by(4).find(|&at| !matches!(frame[at..at + 2], [0x81, 0] | [0x88, 0xa8])).unwrap();
        assert!(frame.len() - at - 2 <= 1500, "what stands behind the tags fits the port");
    }
}

#[test]
fn a_missing_piece_lets_nothing_out_and_counts_one_timeout() {
    let bench = Bench::new();
    let packet = udp_packet(v4(1, 1), v4(2, 2), &IpFields::default(), &[7; 4000]);
    let mut pieces = fragments(&packet, 5, &[1000]);
    pieces.remove(1);
    let mut capture = ethernet(&pieces);
    // So that time passes.
    let other = udp_packet(v4(3, 1), v4(2, 2), &IpFields::default(), b"later");
    capture
        .wait(std::time::Duration::from_secs(31))
        .packets([&other])
        .wait(std::time::Duration::from_secs(1));
    capture.packets([&other]);
    let (from, to) = (bench.capture(&capture), bench.path("out.pcap"));
    let said = through(&from, &to, &[]);
    assert_eq!(packets(&to), [other.clone(), other]);
    assert_eq!((number(&said, "datagrams rebuilt"), number(&said, "datagrams timed out")), (0, 1));
    assert_eq!(number(&said, "dropped: frag_timeout"), pieces.len() as u64);
}

#[test]
fn the_receivers_network_decides_over_conflicting_pieces() {
    let bench = Bench::new();
    let packet = udp_packet(v4(1, 1), v4(2, 2), &IpFields::default(), &[b'a'; 24]);
    let mut liar = packet.clone();
    liar[20 + 8..].fill(b'b');
    let piece = |packet: &[u8], range, more| fragment(packet, 9, range, more);
    let pieces = [
        piece(&packet, 8..16, true),
        piece(&liar, 8..16, true),
        piece(&packet, 0..8, true),
        piece(&packet, 16..32, false),
    ];
    let (from, to) = (bench.capture(&ethernet(&pieces)), bench.path("out.pcap"));
    for (policy, byte) in [("first", b'a'), ("last", b'b'), ("linux", b'b'), ("windows", b'a')] {
        let config = bench.file("weir.toml", format!("[host-os-policy]\n\"10.0.0.2/32\" = \"{policy}\"\n"));
        through(&from, &to, &["-c", config.to_str().unwrap(), "--workers", "0"]);
        assert_eq!(packets(&to)[0][28..36], [byte; 8], "{policy}");
    }
}

#[test]
fn what_cannot_be_done_is_refused_with_what_to_do() {
    let bench = Bench::new();
    let capture = bench.capture(&ethernet([[0u8; 40]]));
    let capture = capture.to_str().unwrap();
    for (code, arguments, says) in [
        (2, &["-N", "-m", "575"][..], "an MTU is a number from 576 to 9192"),
        (2, &["-m", "9193", "-N"], "an MTU is a number from 576 to 9192"),
        (1, &["-N", "--set", "fragments.mtu=9193"], "fragments.mtu"),
        (2, &["-N", "-m", "-1"], "an MTU is a number from 576 to 9192"),
        (2, &["-N", "-m", "abc"], "an MTU is a number from 576 to 9192"),
        (2, &["-N", "-m", ""], "an MTU is a number from 576 to 9192"),
        (2, &["-N", "-d", "5"], "a level is a number from 0"),
        (2, &["-N", "-d", "much"], "a level is a number from 0"),
        (2, &["-N"], "-- --vdev DEVICE --vdev DEVICE"),
        (2, &["-N", "--", "--vdev", "net_null0"], "an odd number of devices (1), and a pair has two"),
        (2, &["-N", "--", "-l"], "-l behind `--` wants a value"),
        (2, &["-r", capture], "--write"),
        (1, &["-r", capture, "-w", capture], "would overwrite the capture"),
        (1, &["-r", "/nonesuch.pcap", "-w", "/tmp/never.pcap"], "/nonesuch.pcap"),
    ] {
        let output = reassemble(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(text(&output.stderr).contains(says), "{arguments:?}: {}", text(&output.stderr));
    }
    let version = reassemble(&["-v"]);
    assert!(version.status.success() && text(&version.stdout).starts_with("weir "));
}

/// Nothing in it would be put together, and nobody would know.
#[test]
fn a_capture_of_a_link_without_decoder_is_refused() {
    let bench = Bench::new();
    let frames: Vec<_> = datagrams(2).into_iter().map(|packet| (weir::base::Time::ZERO, packet)).collect();
    let capture = bench.file("in.pcap", weir::wire::build::pcap(&frames, 147));
    let (from, to) = (capture.to_str().unwrap(), bench.path("out.pcap"));
    let output = reassemble(&["-r", from, "-w", to.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains(&format!("{from}: link type 147 has no decoder")), "{said}");
    assert!(said.contains("give a capture of Ethernet (1)"), "{said}");
    assert!(!to.exists(), "no file that looks like a result");
}

#[test]
fn what_is_too_large_and_cannot_be_cut_does_not_leave() {
    let bench = Bench::new();
    let of = |options: &[u8], size| {
        let fields = IpFields { options: options.to_vec(), ..IpFields::default() };
        udp_packet(v4(1, 1), v4(2, 2), &fields, &vec![7; size])
    };
    // An option longer than the header, and one that is merely repeated.
    let (broken, odd) = ([7, 255, 1, 1], [0x44, 4, 5, 0, 0x44, 4, 5, 0]);
    for (packet, sent, malformed) in
        [(of(&broken, 2000), 0, 1), (of(&broken, 1000), 1, 0), (of(&odd, 2000), 2, 0)]
    {
        for link in [Link::ethernet(), Link::tagged(&[5])] {
            let mut capture = Capture::new(link);
            capture.packets([&packet]);
            let (from, to) = (bench.capture(&capture), bench.path("out.pcap"));
            let said = through(&from, &to, &["-m", "1500"]);
            assert_eq!(
                (number(&said, "frames written"), number(&said, "dropped: malformed")),
                (sent, malformed)
            );
        }
    }
}

#[test]
fn a_wrong_header_checksum_leaves_as_it_came_or_not_at_all() {
    let bench = Bench::new();
    let packet = udp_packet(v4(1, 1), v4(2, 2), &IpFields::default(), &[7; 2000]);
    let mut pieces = fragments(&packet, 9, &[1000]);
    let mut whole = packet.clone();
    [&mut pieces[0], &mut whole].into_iter().for_each(|packet| spoil_ip_checksum(packet));
    let small = [&whole[..2], &[0, 120], &whole[4..120]].concat();
    let (from, to) =
        (bench.capture(&ethernet(pieces.into_iter().chain([whole, small.clone()]))), bench.path("out.pcap"));
    let said = through(&from, &to, &["-m", "1500"]);
    assert_eq!((number(&said, "dropped: ip_checksum"), number(&said, "datagrams rebuilt")), (2, 0));
    assert_eq!(packets(&to), [small], "what is whole and fits is not looked at");
    let said = through(&from, &to, &["-m", "1500", "--set", "fragments.drop-bad-checksum=false"]);
    assert_eq!((number(&said, "dropped: ip_checksum"), number(&said, "datagrams rebuilt")), (0, 1));
}

/// Pieces of pieces leave neither as they came nor put together by half.
#[test]
fn a_fragment_in_a_fragment_does_not_leave() {
    let bench = Bench::new();
    let packet = udp_packet(v6(1, 1), v6(2, 2), &IpFields::default(), &[7; 1992]);
    let mut capture = Capture::new(Link::ethernet());
    for (piece, id) in fragments(&packet, 9, &[1000]).iter().zip(20..) {
        capture.packets(fragments(piece, id, &[400]));
    }
    let (from, to) = (bench.capture(&capture), bench.path("out.pcap"));
    let said = through(&from, &to, &[]);
    let counted =
        ["frames written", "datagrams rebuilt", "dropped: frag_invalid"].map(|head| number(&said, head));
    assert_eq!(counted, [0, 0, capture.frames.len() as u64], "{said}");
}

#[test]
fn eal_options_behind_two_dashes_make_the_ports() {
    let bench = Bench::new();
    let mut command = weir();
    let line = "reassemble -N -l -m 1500 -- -l 0,0 --no-huge -m 512 --vdev net_null0 --vdev net_null1";
    command.args(line.split(' '));
    let mut running = support::child::Running::start(command, &bench, "reassemble");
    support::wait::until("it to forward", || {
        assert!(running.ended().is_none(), "{}", running.stderr());
        running.stderr().contains("reassembling between 2 ports on 2 lcores, MTU 1500").then_some(())
    });
    running.terminate();
    let status = running.wait();
    assert!(status.success(), "{}", running.stderr());
    conserved(&running.stdout());
}

/// The log of the machine, where there is none.
struct Syslog(std::os::unix::net::UnixDatagram);

impl Syslog {
    const PATH: &str = "/dev/log";

    fn start() -> Option<Syslog> {
        let socket = std::os::unix::net::UnixDatagram::bind(Syslog::PATH).ok()?;
        socket.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
        Some(Syslog(socket))
    }

    /// Waits for a line of this process (facility daemon, severity informational) that begins with these words.
    #[track_caller]
    fn hears(&self, process: &str, words: &str) -> String {
        let (mut room, begin) = ([0; 4096], format!("<30>weir[{process}]: {words}"));
        loop {
            let n = self.0.recv(&mut room).unwrap_or_else(|error| panic!("{words}: {error}"));
            let line = text(&room[..n]);
            if line.starts_with(&begin) {
                return line;
            }
        }
    }
}

impl Drop for Syslog {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(Syslog::PATH);
    }
}

/// Asks a process in the background to end, also when the test fails.
struct KillOnDrop(String);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let _ = std::process::Command::new("kill").args(["-TERM", &self.0]).status();
    }
}

#[test]
fn without_n_it_goes_to_the_background_once_it_forwards_and_logs_to_syslog() {
    let Some(syslog) = Syslog::start() else {
        println!("skipped: {} is taken, or not ours to make", Syslog::PATH);
        return;
    };
    let eal = ["--", "-l", "0,0", "--no-huge", "-m", "512", "--vdev", "net_null0", "--vdev"];
    let output = reassemble(&[&["-m", "1500"][..], &eal, &["net_nonesuch1"]].concat());
    assert_eq!(output.status.code(), Some(1), "what cannot start says so in the foreground");
    let output = reassemble(&[&["-m", "1500"][..], &eal, &["net_null1"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    let process = said.trim().strip_prefix("weir reassemble runs in the background as process ").unwrap();
    let kill = KillOnDrop(process.to_owned());
    syslog.hears(process, "reassembling between 2 ports");
    drop(kill);
    let ended = syslog.hears(process, "ended: received");
    conserved(&ended.replace("<30>", "").replace(&format!("weir[{process}]: ended:"), "conservation"));
}
