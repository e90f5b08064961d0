//! What plugins can ask of their host over the C border, through `weir replay`: classes of events, public data, frames of
//! their own, changes of headers, frames held and let go.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use std::net::SocketAddr;
use std::time::Duration;
use support::samples::c_sample;
use support::services::{plugin, set};
use support::{Bench, ethernet, v4, v6, with_id};
use weir::base::{Dir, Family};
use weir::wire::build::{Capture, IpFields, Message, TcpConversation, icmp_packet, udp_packet};

fn question(payload: &str) -> Vec<u8> {
    udp_packet(v4(1, 4000), v4(2, 53), &with_id(1), payload.as_bytes())
}

fn texts(sent: &[Vec<u8>]) -> Vec<String> {
    sent.iter().map(|frame| String::from_utf8_lossy(&frame[42..]).into_owned()).collect()
}

#[test]
fn an_event_of_a_class_reaches_its_subscribers_at_once() {
    let bench = Bench::new();
    let tally = plugin("tally", &c_sample("tally", &[]), "news");
    let config = "[services]\nexternal-plugins = 3\n\n".to_owned()
        + &bench.probe("teller", "publishes=news dispatch=tell")
        + &bench.probe("hearer", "subscribes=news")
        + &tally
        + &set("s", &["teller", "hearer", "tally"], "");
    let capture = bench.capture(&ethernet([question("quiet"), question("tell one"), question("quiet")]));
    let (done, sent) = bench.replay_services(&config, &capture);
    done.clean();
    assert_eq!(sent.len(), 3);
    let events = bench.events();
    let at = events.iter().position(|line| line == "hearer user 0 forward 4000 tell one").unwrap();
    assert_eq!(events[at - 1], "teller packet 0 forward 4000", "within the teller's own call");
    assert_eq!(events[at + 1], "teller dispatched to Some(2)", "the other is in C");
    assert_eq!(events[at + 2], "hearer packet 0 forward 4000");
    assert_eq!(events.iter().filter(|line| line.contains(" user ")).count(), 1);
}

#[test]
fn a_plugin_lends_public_data_to_another() {
    let bench = Bench::new();
    let config = bench.probe("asker", "publishes=news dispatch=tell ask=ask of=tally")
        + &plugin("tally", &c_sample("tally", &[]), "news")
        + &set("s", &["asker", "tally"], "");
    let capture = bench.capture(&ethernet([question("open"), question("tell"), question("ask")]));
    let (done, _) = bench.replay_services(&config, &capture);
    done.clean();
    let events = bench.events();
    // Four bytes were told; to them comes the argument.
    assert!(events.contains(&"asker answer Some((\"tally\", 44))".to_owned()), "{events:#?}");
}

#[test]
fn who_is_not_there_has_no_public_data_and_a_rust_plugin_answers_too() {
    for (of, expected) in
        [("b", "a answer Some((\"b\", 42))"), ("nobody", "a answer None"), ("a", "a answer None")]
    {
        let bench = Bench::new();
        let config = bench.probe("a", &format!("ask=ask of={of}"))
            + &bench.probe("b", "")
            + &set("s", &["a", "b"], "");
        let capture = bench.capture(&ethernet([question("open"), question("ask")]));
        let (done, _) = bench.replay_services(&config, &capture);
        done.clean();
        assert!(bench.events().contains(&expected.to_owned()), "{of}: {:#?}", bench.events());
    }
}

#[test]
fn a_plugin_sends_frames_of_its_own() {
    let bench = Bench::new();
    let config = bench.pair("emit=shout to=1");
    let capture = bench.capture(&ethernet([question("one"), question("shout"), question("two")]));
    let (done, sent) = bench.replay_services(&config, &capture);
    done.clean();
    assert!(bench.events().contains(&"b emitted 2".to_owned()));
    let arps: Vec<_> = sent.iter().filter(|frame| frame[12..14] == [8, 6]).collect();
    assert_eq!(arps.len(), 1);
    assert_eq!((&arps[0][..6], arps[0].len()), (&[0xff; 6][..], 42));
    let ip: Vec<_> = sent.iter().filter(|frame| frame[12..14] == [8, 0]).cloned().collect();
    let mut texts = texts(&ip);
    texts.sort();
    assert_eq!(texts, ["SHOUT", "one", "shout", "two"]);
}

/// One's complement sum over a pseudo header and what follows: 0 when the checksum within is right.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0u32;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Both checksums of an Ethernet frame with IP and TCP or UDP are right.
#[track_caller]
fn sound(frame: &[u8]) {
    let ip = &frame[14..];
    let (header, addresses, protocol) = match ip[0] >> 4 {
        4 => (20, &ip[12..20], ip[9]),
        _ => (40, &ip[8..40], ip[6]),
    };
    if header == 20 {
        assert_eq!(checksum(&[&ip[..20]]), 0, "the header's");
    }
    let l4 = &ip[header..];
    let length = (l4.len() as u32).to_be_bytes();
    assert_eq!(checksum(&[addresses, &length, &[0, 0, 0, protocol], l4]), 0, "of {protocol}");
}

/// (DSCP, source, destination) of a frame.
fn ends(frame: &[u8]) -> (u8, SocketAddr, SocketAddr) {
    let ip = &frame[14..];
    let port = |at: usize| u16::from_be_bytes([ip[at], ip[at + 1]]);
    if ip[0] >> 4 == 4 {
        let addr = |at: usize| <[u8; 4]>::try_from(&ip[at..at + 4]).unwrap();
        (ip[1] >> 2, SocketAddr::from((addr(12), port(20))), SocketAddr::from((addr(16), port(22))))
    } else {
        let addr = |at: usize| <[u8; 16]>::try_from(&ip[at..at + 16]).unwrap();
        let class = ip[0] << 4 | ip[1] >> 4;
        (class >> 2, SocketAddr::from((addr(8), port(40))), SocketAddr::from((addr(24), port(42))))
    }
}

#[test]
fn headers_are_changed_and_their_checksums_mended() {
    let news = |v4: bool| match v4 {
        true => ("192.0.2.1:1111", "198.51.100.2:2222"),
        false => ("[2001:db8:ffff::1]:1111", "[2001:db8:ffff::2]:2222"),
    };
    for (client, server) in [(v4(1, 4000), v4(2, 53)), (v6(1, 4000), v6(2, 53))] {
        let (source, destination) = news(client.is_ipv4());
        let (source, destination): (SocketAddr, SocketAddr) =
            (source.parse().unwrap(), destination.parse().unwrap());
        let bench = Bench::new();
        let config = bench.pair(&format!(
            "edit=change dscp=46 source={} destination={} source-port=1111 destination-port=2222",
            source.ip(),
            destination.ip()
        ));
        let mut tcp = TcpConversation::new(client, server, 7);
        tcp.handshake().send(Dir::ToServer, b"change tcp", 100).send(Dir::ToServer, b"as it was", 100);
        let udp = [&b"open"[..], b"change udp", b"as it was"];
        let udp = udp.map(|payload| udp_packet(client, server, &IpFields::default(), payload));
        let capture = bench.capture(&ethernet(tcp.packets.iter().chain(&udp)));
        let (done, sent) = bench.replay_services(&config, &capture);
        done.clean();
        assert_eq!(sent.len(), tcp.packets.len() + udp.len());
        let changed: Vec<_> =
            sent.iter().filter(|frame| frame.windows(6).any(|text| text == b"change")).collect();
        assert_eq!(changed.len(), 2, "one over TCP and one over UDP");
        for frame in changed {
            assert_eq!(ends(frame), (46, source, destination));
        }
        sent.iter().for_each(|frame| sound(frame));
        let unchanged =
            |frame: &&Vec<u8>| frame.ends_with(b"as it was") && ends(frame) == (0, client, server);
        assert_eq!(sent.iter().filter(unchanged).count(), 2);
        assert_eq!(bench.events().iter().filter(|line| *line == "b edits 5").count(), 2);
    }
}

#[test]
fn a_change_that_a_packet_has_no_place_for_is_not_done() {
    // An address of the other family, and ports of what has none.
    let bench = Bench::new();
    let config = bench.pair("edit=change source=2001:db8::9 source-port=9");
    let ping = Message::echo(Family::V4, true, 1, 1, b"change");
    let packets =
        [question("open"), question("change"), icmp_packet(v4(3, 0).ip(), v4(2, 0).ip(), &with_id(1), &ping)];
    let capture = bench.capture(&ethernet(&packets));
    let (done, sent) = bench.replay_services(&config, &capture);
    done.clean();
    assert_eq!(ends(&sent[1]), (0, v4(1, 9), v4(2, 53)), "the port is, the address not");
    sound(&sent[1]);
    assert_eq!(sent[2][14..], packets[2][..], "no port, no change");
    let edits: Vec<_> = bench.events().into_iter().filter(|line| line.contains("edits")).collect();
    assert_eq!(edits, ["b edits 1", "b edits 0"]);
}

#[test]
fn a_held_frame_goes_on_by_a_later_packet() {
    let talk = ["one", "wait", "release", "end"].map(question);
    let bench = Bench::new();
    let (config, capture) = (bench.pair("hold=wait"), bench.capture(&ethernet(&talk)));
    let (done, sent) = bench.replay_services(&config, &capture);
    done.clean();
    assert_eq!(texts(&sent), ["one", "release", "wait", "end"]);
}

#[test]
fn a_held_frame_goes_on_at_a_turn() {
    let talk = ["one", "wait", "three", "end"].map(question);
    let bench = Bench::new();
    let (config, capture) = (bench.pair("hold=wait turns"), bench.capture(&ethernet(&talk)));
    let (done, sent) = bench.replay_services(&config, &capture);
    done.clean();
    let mut sent = texts(&sent);
    assert!(bench.events().contains(&"b lets go at a turn".to_owned()), "{:#?}", bench.events());
    // Before or behind those of the same burst.
    sent.sort();
    assert_eq!(sent, ["end", "one", "three", "wait"]);
}

#[test]
fn references_to_frames_that_are_given_back_are_no_leak() {
    let bench = Bench::new();
    let talk = std::iter::once(question("open")).chain(std::iter::repeat_n(question("keep"), 100));
    let (config, capture) = (bench.pair("keep=keep"), bench.capture(&ethernet(talk)));
    let (done, sent) = bench.replay_services(&config, &capture);
    done.clean();
    assert_eq!(sent.len(), 101);
    assert_eq!(bench.events().iter().filter(|line| *line == "b kept Some(46)").count(), 100);
}

#[test]
fn what_nobody_lets_go_meets_its_timeout() {
    for (end, forwarded) in [("drop", 3), ("forward", 4)] {
        let bench = Bench::new();
        let settings = format!("[services]\nhold-timeout = \"500ms\"\nhold-on-timeout = \"{end}\"\n\n");
        let mut talk: Capture = ethernet([question("one"), question("wait")]);
        talk.wait(Duration::from_millis(400)).packets([question("early")]);
        talk.wait(Duration::from_millis(400)).packets([question("late")]);
        let (config, capture) = (settings + &bench.pair("hold=wait"), bench.capture(&talk));
        let (done, sent) = bench.replay_services(&config, &capture);
        done.clean();
        assert_eq!(sent.len(), forwarded, "{end}: {:?}", texts(&sent));
        if end == "forward" {
            let order = texts(&sent);
            let at = |text: &str| order.iter().position(|other| other == text).unwrap();
            assert!(at("early") < at("wait"), "{order:?}");
        }
    }
}
