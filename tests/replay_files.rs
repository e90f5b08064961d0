//! `weir replay` and its files: link types, formats, folders, damage, rules that are refused, and what `-w` writes.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use support::{Bench, Replayed, conserved, ethernet, v4, v6, with_id};
use weir::base::{Dir, Time};
use weir::wire::build::{self, Capture, IpFields, Link, Random, TcpConversation, udp_packet};

const RULE: &str = r#"alert udp any any -> any 53 (msg:"question"; content:"weir?"; sid:1;)
alert tcp any any -> any 80 (msg:"request"; flow:established,to_server; content:"GET /"; sid:2;)
"#;

/// One UDP question of each family and a TCP request.
fn packets() -> Vec<Vec<u8>> {
    let mut talk = TcpConversation::new(v4(1, 4000), v4(2, 80), 1);
    talk.handshake().send(Dir::ToServer, b"GET / HTTP/1.1\r\n\r\n", 7).close(Dir::ToServer);
    let mut packets = talk.packets;
    packets.push(udp_packet(v4(1, 4000), v4(2, 53), &IpFields::default(), b"weir?"));
    packets.push(udp_packet(v6(1, 4000), v6(2, 53), &IpFields::default(), b"weir?"));
    packets
}

#[track_caller]
fn sorted_sids(replayed: &Replayed) -> Vec<u64> {
    let mut sids = replayed.events.sids();
    sids.sort_unstable();
    sids
}

#[test]
fn captures_of_every_link_type_are_understood() {
    let links = [
        Link::ethernet(),
        Link::tagged(&[5]),
        Link::tagged(&[100, 5]),
        Link::RawIp,
        Link::Null,
        Link::Loop,
        Link::Ppp,
        Link::CiscoHdlc,
        Link::Sll,
        Link::Sll2,
    ];
    let bench = Bench::new();
    for link in links {
        let mut capture = Capture::new(link.clone());
        capture.packets(packets());
        for workers in ["0", "2"] {
            let replayed = bench.replay(&bench.capture(&capture), RULE, &["--workers", workers]);
            assert_eq!(replayed.code(), Some(0), "{link:?}: {}", replayed.stderr());
            replayed.even();
            assert_eq!(sorted_sids(&replayed), [1, 1, 2], "{link:?}, {workers} workers");
        }
    }
}

/// A pcapng file of one section and one Ethernet interface with microsecond times (draft-ietf-opsawg-pcapng).
fn pcapng(frames: &[(Time, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut block = |kind: u32, body: &[u8]| {
        let total = (body.len().next_multiple_of(4) + 12) as u32;
        out.extend(kind.to_le_bytes());
        out.extend(total.to_le_bytes());
        out.extend(body);
        out.resize(out.len().next_multiple_of(4), 0);
        out.extend(total.to_le_bytes());
    };
    let section = [&0x1a2b_3c4du32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat();
    block(0x0a0d_0d0a, &section);
    block(1, &[1, 0, 0, 0, 0, 0, 4, 0]);
    for (time, frame) in frames {
        let (micros, len) = (time.micros(), frame.len() as u32);
        let words = [0, (micros >> 32) as u32, micros as u32, len, len];
        let body: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).chain(frame.iter().copied()).collect();
        block(6, &body);
    }
    out
}

#[test]
fn a_pcapng_gives_what_the_pcap_of_the_same_frames_gives() {
    let bench = Bench::new();
    let capture = ethernet(packets());
    let plain = bench.replay(&bench.capture(&capture), RULE, &[]).clean();
    let newer = bench.replay(&bench.file("capture.pcapng", pcapng(&capture.frames)), RULE, &[]).clean();
    assert_eq!(newer.events.alert_facts(), plain.events.alert_facts());
    let times = |r: &Replayed| -> Vec<String> {
        r.events.of("alert").iter().map(|e| e["timestamp"].to_string()).collect()
    };
    assert_eq!(times(&newer), times(&plain));
}

#[test]
fn a_folder_is_replayed_in_the_order_of_its_names_and_other_files_are_left_alone() {
    let bench = Bench::new();
    let all = packets();
    for (name, part) in [("b.pcap", &all[3..]), ("a.pcap", &all[..3])] {
        bench.file(&format!("captures/{name}"), ethernet(part).pcap());
    }
    bench.file("captures/notes.txt", "not a capture");
    let replayed = bench.replay(&bench.path("captures"), RULE, &["--workers", "2"]).clean();
    assert_eq!(replayed.summary("captures"), "2");
    assert_eq!(sorted_sids(&replayed), [1, 1, 2], "the session goes on from one file into the next");
    bench.file("nothing/notes.txt", "not a capture");
    let refused = bench.replay(&bench.path("nothing"), RULE, &[]);
    assert_eq!(refused.code(), Some(1));
    assert!(refused.stderr().contains("holds no .pcap, .pcapng or .cap file"), "{}", refused.stderr());
}

#[test]
fn a_damaged_capture_is_replayed_as_far_as_it_is_good_and_the_place_is_named() {
    let bench = Bench::new();
    let capture = ethernet(packets());
    let whole = capture.pcap();
    let last = capture.frames.last().map_or(0, |(_, frame)| frame.len());
    let cut = &whole[..whole.len() - last / 2];
    let replayed = bench.replay(&bench.file("cut.pcap", cut), RULE, &[]);
    assert_eq!(replayed.code(), Some(1), "{}", replayed.stdout());
    assert_eq!(conserved(&replayed.stdout()), capture.frames.len() as u64 - 1);
    assert_eq!(sorted_sids(&replayed), [1, 2]);
    let (text, offset) = (replayed.stderr(), whole.len() - last - 16);
    assert!(text.contains("cut.pcap") && text.contains(&offset.to_string()), "{offset}: {text}");
}

#[test]
fn a_record_of_an_impossible_length_ends_the_capture_there() {
    let bench = Bench::new();
    let capture = ethernet(packets());
    let mut bytes = capture.pcap();
    let last = capture.frames.last().map_or(0, |(_, frame)| frame.len());
    let record = bytes.len() - last - 16;
    bytes[record + 8..record + 12].copy_from_slice(&u32::MAX.to_le_bytes());
    let replayed = bench.replay(&bench.file("long.pcap", bytes), RULE, &[]);
    assert_eq!(replayed.code(), Some(1));
    assert_eq!(sorted_sids(&replayed), [1, 2]);
    let text = replayed.stderr();
    assert!(text.contains("long.pcap") && text.contains(&record.to_string()), "{record}: {text}");
}

#[test]
fn files_that_are_no_captures_are_refused_by_name() {
    let bench = Bench::new();
    for (name, bytes) in [("text.pcap", &b"this is no capture at all, only text"[..]), ("void.pcap", b"")] {
        let replayed = bench.replay(&bench.file(name, bytes), RULE, &[]);
        assert_eq!(replayed.code(), Some(1), "{name}");
        assert!(replayed.stderr().contains(name), "{name}: {}", replayed.stderr());
    }
    let missing = bench.replay(&bench.path("missing.pcap"), RULE, &[]);
    assert_eq!(missing.code(), Some(1));
    assert!(missing.stderr().contains("missing.pcap"), "{}", missing.stderr());
}

#[test]
fn a_capture_without_frames_is_no_error() {
    let bench = Bench::new();
    let capture = bench.capture(&Capture::new(Link::ethernet()));
    for workers in ["0", "2"] {
        let replayed = bench.replay(&capture, RULE, &["--workers", workers]).clean();
        assert_eq!(replayed.summary("frames"), "0");
    }
}

#[test]
fn a_refused_rule_is_shown_with_a_caret_and_the_others_load() {
    let bench = Bench::new();
    let rules = format!("{RULE}alert tcp any any -> any any (msg:\"x\"; contnet:\"a\"; sid:3;)\n");
    let replayed = bench.replay(&bench.capture(&ethernet(packets())), &rules, &[]);
    assert_eq!(replayed.code(), Some(1));
    assert_eq!(replayed.summary("rules"), "2 loaded, 1 refused");
    assert_eq!(sorted_sids(&replayed), [1, 1, 2]);
    let text = replayed.stderr();
    assert!(text.contains("test.rules:3"), "{text}");
    assert!(text.contains("contnet") && text.contains('^'), "{text}");
    assert!(text.contains("content"), "the keyword that was meant is named: {text}");
}

/// Frames of all lengths, some of them jumbo, at uneven times.
fn assorted() -> Capture {
    let mut random = Random::new(3);
    let mut capture = Capture::new(Link::ethernet());
    for n in 0..400u32 {
        let len = if n % 9 == 0 { 9000 - 28 } else { random.below(1400) };
        let payload = random.bytes(len);
        capture.packets([udp_packet(v4(n % 50 + 1, 700), v4(1000, 9), &IpFields::default(), &payload)]);
        capture.wait(std::time::Duration::from_micros(random.below(5000) as u64));
    }
    capture.frame(
        Link::ethernet()
            .wrap_as(0x0806, &build::arp(1, ([2; 6], [10, 0, 0, 1].into()), ([0; 6], [10, 0, 0, 2].into()))),
    );
    capture
}

#[test]
fn what_is_forwarded_is_written_byte_for_byte_with_its_times() {
    let bench = Bench::new();
    let capture = bench.capture(&assorted());
    for workers in ["0", "1"] {
        let out = bench.path("out.pcap");
        bench.replay(&capture, RULE, &["--workers", workers, "-w", out.to_str().unwrap()]).clean();
        let (came, went) = (std::fs::read(&capture).unwrap(), std::fs::read(&out).unwrap());
        assert!(records(&came) == records(&went), "{workers} workers");
    }
    // Between workers the order of sessions is free, within a session it is not.
    for workers in ["2", "4"] {
        let out = bench.path("out.pcap");
        bench.replay(&capture, RULE, &["--workers", workers, "-w", out.to_str().unwrap()]).clean();
        let (came, went) = (std::fs::read(&capture).unwrap(), std::fs::read(&out).unwrap());
        let sorted = |bytes| {
            let mut all = records(bytes);
            all.sort();
            all
        };
        assert!(sorted(&came) == sorted(&went), "{workers} workers");
        let of_host = |bytes, host: u8| -> Vec<Vec<u8>> {
            records(bytes).into_iter().filter(|r| r.get(16 + 14 + 15) == Some(&host)).collect()
        };
        let moved: Vec<u8> = (1..51).filter(|host| of_host(&came, *host) != of_host(&went, *host)).collect();
        assert!(moved.is_empty(), "{workers} workers: {moved:?}");
    }
}

/// The records of a pcap file, each with its head (pcap-savefile(5)).
fn records(pcap: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = &pcap[24..];
    let mut found = Vec::new();
    while let Some(len) = rest.get(8..12) {
        let (record, behind) = rest.split_at(16 + u32::from_le_bytes(len.try_into().unwrap()) as usize);
        found.push(record.to_vec());
        rest = behind;
    }
    assert!(rest.is_empty());
    found
}

fn occurrences(frames: &[Vec<u8>], needle: &[u8]) -> usize {
    frames.iter().filter(|f| f.windows(needle.len()).any(|w| w == needle)).count()
}

#[test]
fn with_w_a_drop_rule_keeps_its_session_and_no_other_out_of_the_file() {
    let bench = Bench::new();
    let mut packets = Vec::new();
    for (client, path) in [(1, "/good"), (2, "/evil"), (3, "/fine")] {
        let mut talk = TcpConversation::new(v4(client, 4000), v4(99, 80), u64::from(client));
        talk.handshake().send(Dir::ToServer, format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes(), 6);
        talk.send(Dir::ToClient, b"the answer", 100).close(Dir::ToClient);
        packets.extend(talk.packets);
    }
    packets.push(udp_packet(v4(1, 9), v4(99, 9), &with_id(3), b"the answer is not dropped over UDP"));
    let capture = bench.capture(&ethernet(packets));
    let rule =
        r#"drop tcp any any -> any 80 (msg:"evil"; flow:established,to_server; content:"/evil"; sid:7;)"#;
    for workers in ["0", "2"] {
        let out = bench.path("out.pcap");
        let more = ["--workers", workers, "--profile", "inline", "-w", out.to_str().unwrap()];
        let replayed = bench.replay(&capture, rule, &more).clean();
        assert_eq!(replayed.events.sids(), [7], "{workers} workers");
        assert_eq!(replayed.events.of("alert")[0]["alert"]["action"], "blocked");
        let written = records(&std::fs::read(&out).unwrap());
        assert_eq!(occurrences(&written, b"the answer"), 3, "{workers} workers");
        assert_eq!(occurrences(&written, b"evil"), 0, "what completes the match stays here");
        let drops = replayed.events.of("drop");
        assert!(drops.iter().any(|d| d["drop"]["reason"] == "rules"), "{drops:?}");
        assert!(drops.iter().any(|d| d["drop"]["reason"] == "flow_drop"), "{drops:?}");
        assert_eq!(replayed.summary("dropped: rules"), "1");
    }
    // Without -w the same rule only tells.
    let told = bench.replay(&capture, rule, &["--profile", "inline"]).clean();
    assert_eq!((told.events.sids(), told.events.of("drop").len()), (vec![7], 0));
}
