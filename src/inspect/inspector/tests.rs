//! Whole packets through whole rules: order of actions, scopes, streams, bits, budgets.

mod datasets;
mod frames;
mod near;
mod scope;
mod transactions;

use super::*;
use crate::base::event::FlowStats;
use crate::base::{Addr, FlowTuple, PerDir, Time};
use crate::decode::{Decoded, Ip, L4};
use crate::inspect::engine::Engine;
use crate::inspect::facts::FlowFacts;
use crate::inspect::{Settlement, StreamWindow};
use crate::rules::{Classifications, References, SourceFile, Vars};
use proptest::prelude::*;
use std::time::Duration;

/// An inspector and the one generation that it evaluates.
struct Inspecting {
    inspector: Inspector,
    rules: InForce,
}

impl Inspecting {
    fn inspect(
        &mut self,
        facts: &PacketFacts<'_>,
        session: Option<&mut StateHandle>,
        payload: Payload<'_>,
    ) -> &Outcome {
        self.inspector.inspect(&mut self.rules, facts, session, payload)
    }

    fn inspect_raised(&mut self, facts: &PacketFacts<'_>, raised: &[Anomaly]) -> &Outcome {
        self.inspector.inspect_raised(&mut self.rules, facts, raised)
    }
}

/// The inspector of a rule set written as text.
fn inspector(rules: &str) -> Inspecting {
    with(rules, Settings { flowbit_sessions: 4, thresholds: 64, host_bits: 64, ..Settings::default() })
}

fn with(rules: &str, settings: Settings) -> Inspecting {
    let (classes, _) = Classifications::parse(&SourceFile::new("c", ""));
    let (references, _) = References::parse(&SourceFile::new("r", ""));
    let (set, faults) =
        crate::rules::load(&[SourceFile::new("t", rules)], &Vars::default(), &classes, &references);
    assert_eq!(faults, [], "{rules}");
    let hosts = Arc::new(HostState::new(&settings));
    let engine = Arc::new(Engine::compile(Arc::new(set)).unwrap());
    Inspecting { inspector: Inspector::new(settings, hosts), rules: InForce::new(engine) }
}

/// A packet of the one session there is: 10.0.0.1:1000 -> 10.0.0.2:80.
struct Packet {
    decoded: Decoded,
    payload: Vec<u8>,
    flow: Option<FlowFacts>,
    time: Time,
}

fn packet(dir: Dir, number: u64, payload: &[u8]) -> Packet {
    let tuple = FlowTuple {
        src: Addr::v4([10, 0, 0, 1]),
        dst: Addr::v4([10, 0, 0, 2]),
        sport: 1000,
        dport: 80,
        proto: 6,
        ..FlowTuple::default()
    };
    let own = if dir == Dir::ToServer { tuple } else { tuple.reversed() };
    let ip = Ip { proto: 6, header_len: 20, ..Ip::default() };
    let stats = FlowStats { packets: PerDir([number; 2]), tuple, ..FlowStats::default() };
    Packet {
        decoded: Decoded {
            ether_type: 0x0800,
            ip: Some(ip),
            l4: L4::Tcp(Default::default()),
            payload_len: payload.len() as u32,
            tuple: own,
            ..Decoded::default()
        },
        payload: payload.to_vec(),
        flow: Some(FlowFacts {
            id: 1,
            dir,
            established: true,
            stats,
            stream: PerDir::default(),
            app: Default::default(),
            app_news: false,
        }),
        time: Time::from_secs(number),
    }
}

impl Packet {
    fn facts(&self) -> PacketFacts<'_> {
        PacketFacts {
            bytes: &self.payload,
            decoded: &self.decoded,
            time: self.time,
            flow: self.flow,
            app_events: &[],
        }
    }
}

fn sids(inspector: &Inspecting) -> Vec<u32> {
    let sid = |alert: &crate::inspect::Alert| inspector.rules.engine.rules().rule(alert.rule).unwrap().sid;
    inspector.inspector.outcome.alerts.iter().map(sid).collect()
}

/// A packet that belongs to no stream.
fn bare(inspector: &mut Inspecting, packet: &Packet) -> Outcome {
    let mut state = StateHandle::NONE;
    inspector.inspect(&packet.facts(), Some(&mut state), Payload::Packet).clone()
}

/// A window whose bytes before `fresh_from` are old.
fn stream(inspector: &mut Inspecting, dir: Dir, bytes: &[u8], fresh_from: usize, offset: u64) -> Outcome {
    let packet = packet(dir, 9, b"");
    let window = StreamWindow { dir, bytes, fresh_from, offset, end: false, rest: false, memo: None };
    let mut state = StateHandle::NONE;
    inspector.inspect(&packet.facts(), Some(&mut state), Payload::Stream(window)).clone()
}

const DROPPED: Verdict = Verdict::Drop(DropReason::RuleDrop);

#[test]
fn pass_comes_before_drop_before_alert_whatever_the_order_in_the_file() {
    let text = r#"
        alert tcp any any -> any any (content:"Hi all"; flow:no_stream; sid:1;)
        drop tcp any any -> any any (content:"Hi all"; flow:no_stream; sid:3;)
        pass tcp any any -> any any (content:"wo"; flow:no_stream; sid:2;)"#;
    let mut i = inspector(text);
    let outcome = bare(&mut i, &packet(Dir::ToServer, 2, b"Hi all"));
    assert_eq!((sids(&i), outcome.verdict, outcome.settled), (vec![3, 1], DROPPED, None));
    let outcome = bare(&mut i, &packet(Dir::ToClient, 2, b"Hi all wo"));
    assert_eq!((sids(&i), outcome.verdict, outcome.passed), (vec![], Verdict::Forward, true));
    assert_eq!(outcome.settled, None, "a match in a packet passes the packet");
}

#[test]
fn a_pass_rule_with_the_keyword_alert_writes_one() {
    let mut i = inspector("pass tcp any any -> any 80 (alert; sid:2;)\ndrop tcp any any -> any any (sid:1;)");
    let outcome = bare(&mut i, &packet(Dir::ToServer, 1, b""));
    assert_eq!((sids(&i), outcome.verdict), (vec![2], Verdict::Forward));
    assert_eq!(outcome.settled, Some(Settlement::Pass), "a header alone settles the session");
}

#[test]
fn header_rules_fire_for_the_first_packet_of_each_direction() {
    let mut i = inspector("alert ip any any -> any any (sid:1;)");
    let fires = |i: &mut Inspecting, dir, n| bare(i, &packet(dir, n, b"x")).alerts.len();
    assert_eq!([fires(&mut i, Dir::ToServer, 1), fires(&mut i, Dir::ToClient, 1)], [1, 1]);
    assert_eq!([fires(&mut i, Dir::ToServer, 2), fires(&mut i, Dir::ToClient, 3)], [0, 0]);
    let alone = Packet { flow: None, ..packet(Dir::ToServer, 5, b"x") };
    assert_eq!(i.inspect(&alone.facts(), None, Payload::Packet).alerts.len(), 1);
}

#[test]
fn noalert_acts_in_silence_and_takes_no_place() {
    let silent: String =
        (1..=15).map(|n| format!("alert tcp any any -> any any (noalert; sid:{n};)\n")).collect();
    let mut i = inspector(&(silent + "alert tcp any any -> any any (sid:16;)"));
    assert_eq!(bare(&mut i, &packet(Dir::ToServer, 1, b"")).lost, 0);
    assert_eq!(sids(&i), [16]);
    let mut i = inspector("drop tcp any any -> any any (noalert; sid:1;)");
    let outcome = bare(&mut i, &packet(Dir::ToServer, 1, b""));
    assert_eq!((outcome.alerts.len(), outcome.verdict), (0, DROPPED));
}

#[test]
fn alerts_beyond_the_maximum_are_lost_and_counted() {
    let rules: String =
        (1..=20).map(|n| format!("alert tcp any any -> any any (dsize:>0; sid:{n};)\n")).collect();
    let mut i = inspector(&rules);
    let outcome = bare(&mut i, &packet(Dir::ToServer, 4, b"x"));
    assert_eq!((sids(&i), outcome.lost), ((1..=15).collect(), 5));
    assert_eq!(i.inspector.counters().alerts_lost.get(), 5);
}

#[test]
fn drop_on_a_stream_settles_the_session_and_on_a_packet_does_not() {
    let mut i = inspector("drop tcp any any -> any any (content:\"evil\"; sid:1;)");
    let outcome = stream(&mut i, Dir::ToServer, b"so evil", 0, 0);
    assert_eq!((outcome.verdict, outcome.settled), (DROPPED, Some(Settlement::Drop)));
    assert!(outcome.alerts[0].on_stream);
    let outcome = bare(&mut i, &packet(Dir::ToServer, 4, b"so evil"));
    assert_eq!((outcome.verdict, outcome.settled), (DROPPED, None));
}

#[test]
fn reject_names_whom_to_tell() {
    use crate::rules::ruleset::RejectTo;
    for (word, to) in
        [("reject", RejectTo::Source), ("rejectdst", RejectTo::Destination), ("rejectboth", RejectTo::Both)]
    {
        let mut i = inspector(&format!("{word} tcp any any -> any any (content:\"evil\"; sid:1;)"));
        let outcome = stream(&mut i, Dir::ToServer, b"evil", 0, 0);
        assert_eq!(outcome.verdict, Verdict::Drop(DropReason::RuleReject));
        assert_eq!((outcome.reject, outcome.settled), (Some(to), Some(Settlement::Drop)));
    }
}

#[test]
fn bypass_settles_the_session() {
    let mut i = inspector("alert tcp any any -> any any (content:\"ok\"; bypass; sid:1;)");
    assert_eq!(stream(&mut i, Dir::ToServer, b"ok", 0, 0).settled, Some(Settlement::Bypass));
}

#[test]
fn a_segment_that_a_stream_took_is_the_streams() {
    let mut i = inspector(
        "alert tcp any any -> any any (content:\"evil\"; sid:1;)\nalert tcp-pkt any any -> any any (content:\"evil\"; sid:2;)",
    );
    let (p, mut state) = (packet(Dir::ToServer, 4, b"evil"), StateHandle::NONE);
    i.inspect(&p.facts(), Some(&mut state), Payload::Queued);
    assert_eq!(sids(&i), [2]);
    i.inspect(&p.facts(), Some(&mut state), Payload::Packet);
    assert_eq!(sids(&i), [1, 2]);
}

#[test]
fn a_further_window_is_for_rules_over_streams_only() {
    let mut i = inspector(
        r#"alert tcp any any -> any any (content:"evil"; sid:1;)
           alert tcp any any -> any any (dsize:>0; sid:2;)
           alert tcp-pkt any any -> any any (content:"evil"; sid:3;)
           alert tcp any any -> any any (content:"evil"; offset:0; depth:4; sid:4;)
           alert ip any any -> any any (sid:5;)"#,
    );
    let (p, mut state) = (packet(Dir::ToServer, 1, b"evil"), StateHandle::NONE);
    let window = StreamWindow {
        dir: Dir::ToServer,
        bytes: b"--evil",
        fresh_from: 0,
        offset: 50,
        end: false,
        rest: true,
        memo: None,
    };
    i.inspect(&p.facts(), Some(&mut state), Payload::Stream(window));
    assert_eq!(sids(&i), [1]);
    i.inspect(&p.facts(), Some(&mut state), Payload::Stream(StreamWindow { rest: false, ..window }));
    assert_eq!(sids(&i), [1, 2, 3, 4, 5]);
}

#[test]
fn every_split_of_a_signature_fires_once_in_its_direction() {
    let signature = b"attack-signature";
    let text = b"..some text, then attack-signature and more..";
    let mut i = inspector(
        r#"alert tcp any any -> any any (flow:to_server; content:"attack-"; content:"ture"; distance:5; within:4; sid:1;)
           alert tcp any any -> any any (flow:to_client; content:"attack-signature"; sid:2;)
           alert tcp any any -> any 81 (content:"attack-signature"; sid:3;)"#,
    );
    for cut in 0..=text.len() {
        for lookback in [signature.len(), cut] {
            for (dir, sid) in [(Dir::ToServer, 1), (Dir::ToClient, 2)] {
                let mut fired = Vec::new();
                stream(&mut i, dir, &text[..cut], 0, 0);
                fired.extend(sids(&i));
                let from = cut.saturating_sub(lookback);
                stream(&mut i, dir, &text[from..], cut - from, from as u64);
                fired.extend(sids(&i));
                assert_eq!(fired, [sid], "cut at {cut}, {lookback} bytes of lookback, {dir:?}");
            }
        }
    }
}

#[test]
fn flowbits_carry_from_one_packet_to_a_later_one() {
    let text = r#"
        alert tcp any any -> any any (content:"login"; flow:no_stream; flowbits:set,in; flowbits:noalert; sid:1;)
        alert tcp any any -> any any (content:"secret"; flow:no_stream; flowbits:isset,in; sid:2;)
        alert tcp any any -> any any (content:"secret"; flow:no_stream; flowbits:isnotset,in; sid:3;)
        alert tcp any any -> any any (content:"bye"; flow:no_stream; flowbits:unset,in; noalert; sid:4;)
        alert tcp any any -> any any (content:"flip"; flow:no_stream; flowbits:toggle,in; noalert; sid:5;)"#;
    let mut i = inspector(text);
    let mut state = StateHandle::NONE;
    let mut say = |i: &mut Inspecting, payload: &[u8]| {
        i.inspect(&packet(Dir::ToServer, 5, payload).facts(), Some(&mut state), Payload::Packet);
        sids(i)
    };
    let steps: [(&[u8], &[u32]); 8] = [
        (b"secret", &[3]),
        (b"login", &[]),
        (b"secret", &[2]),
        (b"bye", &[]),
        (b"secret", &[3]),
        (b"flip", &[]),
        (b"secret", &[2]),
        (b"login secret", &[2]),
    ];
    for (payload, fired) in steps {
        assert_eq!(say(&mut i, payload), fired, "{}", String::from_utf8_lossy(payload));
    }
    i.inspector.release(&mut state);
    assert!(state.is_none());
}

#[test]
fn a_host_bit_is_seen_by_the_hosts_other_sessions() {
    use crate::inspect::fixture;
    use crate::rules::ruleset::*;
    let op =
        |action| HostBitOp { action, bit: 1, track: HostBitTrack::Source, expire: Duration::from_secs(10) };
    let looks = |sid, text: &[u8], action| Rule {
        host_bits: Box::new([op(action)]),
        noalert: sid == 1,
        ..fixture::payload_rule(sid, Action::Alert, PayloadScope::Packet, text)
    };
    let set = fixture::set(vec![looks(1, b"mark", BitAction::Set), looks(2, b"ask", BitAction::IsSet)]);
    let (engine, settings) = (Arc::new(Engine::compile(set).unwrap()), Settings::default());
    let hosts = Arc::new(HostState::new(&settings));
    let worker = || Inspecting {
        inspector: Inspector::new(settings, Arc::clone(&hosts)),
        rules: InForce::new(Arc::clone(&engine)),
    };
    let (mut another, mut i) = (worker(), worker());
    bare(&mut i, &packet(Dir::ToServer, 1, b"mark"));
    assert_eq!(bare(&mut i, &packet(Dir::ToServer, 2, b"ask")).alerts.len(), 1);
    assert_eq!(bare(&mut another, &packet(Dir::ToServer, 2, b"ask")).alerts.len(), 1, "another worker's too");
    assert_eq!(bare(&mut i, &packet(Dir::ToClient, 2, b"ask")).alerts.len(), 0);
    assert_eq!(bare(&mut i, &packet(Dir::ToServer, 12, b"ask")).alerts.len(), 0, "it has ended");
}

#[test]
fn thresholds_hold_back_drops_here_and_alerts_elsewhere() {
    let options = "dsize:>0; detection_filter:track by_src, count 2, seconds 60;";
    let mut i = inspector(&format!("drop tcp any any -> any any ({options} sid:1;)"));
    let verdicts: Vec<bool> =
        (2..6).map(|n| bare(&mut i, &packet(Dir::ToServer, n, b"x")).verdict.is_drop()).collect();
    assert_eq!(verdicts, [false, false, true, true]);
    let mut i = inspector(&format!("alert tcp any any -> any any ({options} sid:1;)"));
    assert!((2..6).all(|n| bare(&mut i, &packet(Dir::ToServer, n, b"x")).alerts.len() == 1));
}

#[test]
fn rules_are_found_by_either_port() {
    let mut i = inspector(
        r#"alert tcp any any -> any 80 (dsize:>0; sid:1;)
           alert tcp any 1000 -> any any (dsize:>0; sid:2;)
           alert tcp any any -> any [1:79,81:65535] (dsize:>0; sid:3;)
           alert tcp any 80 <> any any (dsize:>0; sid:4;)
           alert tcp any 1000 -> any 80 (dsize:>0; sid:5;)
           alert udp any any -> any 80 (dsize:>0; sid:6;)"#,
    );
    bare(&mut i, &packet(Dir::ToServer, 3, b"x"));
    assert_eq!(sids(&i), [1, 2, 4, 5]);
    bare(&mut i, &packet(Dir::ToClient, 3, b"x"));
    assert_eq!(sids(&i), [3, 4]);
}

#[test]
fn a_packet_that_would_cost_too_much_ends_with_its_budget() {
    let text = "alert tcp any any -> any any (content:\"a\"; content:\"a\"; distance:0; content:\"a\"; distance:0; content:\"a\"; distance:0; content:\"b\"; distance:0; flow:no_stream; sid:1;)";
    let settings = Settings { work_per_packet: 1000, when_spent: WhenSpent::Drop, ..Settings::default() };
    let mut i = with(text, settings);
    let outcome = bare(&mut i, &packet(Dir::ToServer, 3, &[b'a'; 500]));
    assert!(outcome.out_of_budget);
    assert_eq!(outcome.verdict, Verdict::Drop(DropReason::InspectionBudget));
    assert_eq!(i.inspector.counters().out_of_budget.get(), 1);
    assert!(!bare(&mut i, &packet(Dir::ToServer, 3, b"aaa")).out_of_budget);
}

#[test]
fn a_new_generation_starts_with_its_own_rules() {
    let mut i = inspector("alert tcp any any -> any any (dsize:>0; sid:1;)");
    let other = inspector(
        "alert tcp any any -> any any (dsize:>0; sid:7;)\nalert tcp any any -> any any (dsize:1; sid:8;)",
    );
    i.rules = other.rules;
    bare(&mut i, &packet(Dir::ToServer, 3, b"x"));
    assert_eq!(sids(&i), [7, 8]);
}

proptest! {
    /// Cutting a stream anywhere, any number of times, with the whole stream as lookback, finds what one window finds.
    #[test]
    fn windows_together_find_what_the_whole_stream_holds(
        text in prop::collection::vec(prop::sample::select(&b"abc"[..]), 0..30),
        cuts in prop::collection::vec(0usize..30, 0..4),
    ) {
        let rules = r#"
            alert tcp any any -> any any (content:"abca"; sid:1;)
            alert tcp any any -> any any (content:"ab"; content:"cc"; distance:1; sid:2;)
            alert tcp any any -> any any (content:"b"; content:"ca"; sid:3;)"#;
        let mut i = inspector(rules);
        stream(&mut i, Dir::ToServer, &text, 0, 0);
        let whole = sids(&i);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(text.len())).collect();
        cuts.push(text.len());
        cuts.sort_unstable();
        let (mut seen, mut fired) = (0, std::collections::BTreeSet::new());
        for cut in cuts {
            stream(&mut i, Dir::ToServer, &text[..cut], seen, 0);
            fired.extend(sids(&i));
            seen = cut;
        }
        prop_assert_eq!(fired.into_iter().collect::<Vec<_>>(), whole);
    }

    #[test]
    fn no_packet_makes_it_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..80), payload: u32, payload_len: u32, l4_at: u32, l4_len: u16,
        ip_at: u32, header_len: u16, kind in 0u8..4, fresh in 0usize..90, offset: u64,
    ) {
        let mut i = inspector(
            r#"alert ip any any -> any any (content:"a"; sid:1;)
               alert tcp any any -> any any (ipv4.hdr; content:"b"; sid:2;)
               alert tcp any any -> any any (tcp.hdr; content:"c"; sid:3;)
               alert tcp any any -> any any (content:"a"; pcre:"/b+c/R"; byte_jump:2,1,relative; isdataat:2,relative; sid:4;)"#,
        );
        let l4 = [L4::Tcp(Default::default()), L4::Udp, L4::Sctp, L4::None][usize::from(kind)];
        let ip = Ip { at: ip_at % 100, header_len, ..Ip::default() };
        let decoded = Decoded {
            ip: Some(ip), l4, l4_at: l4_at % 1000, l4_len, payload: payload % 100, payload_len: payload_len % 100,
            ethernet: Some(3), ..Decoded::default()
        };
        let facts = PacketFacts { bytes: &bytes, decoded: &decoded, time: Time::ZERO, flow: None, app_events: &[] };
        let window = StreamWindow { dir: Dir::ToClient, bytes: &bytes, fresh_from: fresh, offset, end: true, rest: kind == 1, memo: None };
        for payload in [Payload::Packet, Payload::Queued, Payload::Stream(window)] {
            i.inspect(&facts, None, payload);
        }
    }
}

#[test]
fn sctp_rules_see_the_chunks_headers_and_the_first_data_chunks_payload() {
    use crate::wire::build::{IpFields, sctp_packet};
    let rules = r#"
        alert sctp any any -> any any (sctp.hdr; content:"|00 00 00 09 00 00 00 00 01 07|"; sid:1;)
        alert sctp any any -> any any (content:"one"; startswith; sid:2;)
        alert sctp any any -> any any (content:"two"; sid:3;)
        alert sctp any any -> any any (sctp.chunk_data; content:"two"; sid:4;)"#;
    let (a, b) = ("10.0.0.1:1".parse().unwrap(), "10.0.0.2:2".parse().unwrap());
    let data = |text: &[u8]| [&[0; 12], text].concat();
    let chunks = [(1, 7, &b"init"[..]), (0, 3, &data(b"one")), (0, 3, &data(b"two"))];
    let bytes = sctp_packet(a, b, &IpFields::default(), 9, &chunks);
    let mut decoded = Decoded::default();
    crate::decode::decode(&bytes, crate::io::LinkType::RawIp, &crate::decode::Tunnels::none(), &mut decoded);
    let mut i = inspector(rules);
    // The checksum stands between tag and chunks.
    let bytes = [&bytes[..28], &[0; 4], &bytes[32..]].concat();
    let facts =
        PacketFacts { bytes: &bytes, decoded: &decoded, time: Time::ZERO, flow: None, app_events: &[] };
    i.inspect(&facts, None, Payload::Packet);
    assert_eq!(sids(&i), [1, 2, 4]);
}

#[test]
fn anomalies_found_late_are_for_the_rules_that_ask_for_them() {
    let rules = r#"
        alert ip any any -> any any (sid:1;)
        alert pkthdr any any -> any any (decode-event:ipv4.frag_overlap; sid:2;)
        alert pkthdr any any -> any any (decode-event:ipv4.frag_ignored; sid:3;)"#;
    let mut i = inspector(rules);
    let mut late = packet(Dir::ToServer, 1, b"");
    late.decoded.l4 = L4::None;
    late.decoded.anomalies.extend([Anomaly::Ipv4FragOverlap, Anomaly::Ipv4FragIgnored]);
    i.inspect_raised(&late.facts(), &[Anomaly::Ipv4FragOverlap]);
    assert_eq!(sids(&i), [2], "the other was there before");
}

#[test]
fn a_broken_transport_leaves_the_packet_to_rules_for_ip() {
    let mut i = inspector("alert ip any any -> any any (sid:1;)\nalert tcp any any -> any any (sid:2;)");
    let mut broken = packet(Dir::ToServer, 1, b"");
    broken.decoded.l4 = L4::None;
    broken.decoded.invalid = Some(DropReason::Malformed);
    bare(&mut i, &broken);
    assert_eq!(sids(&i), [1]);
}

#[test]
fn a_header_alone_is_for_packets_whose_transport_could_be_read() {
    let mut i = inspector("alert tcp any any -> any any (sid:1;)\nalert ip any any -> any any (sid:2;)");
    let mut broken = packet(Dir::ToServer, 1, b"");
    broken.decoded.raise(Anomaly::TcpInvalidOptlen);
    bare(&mut i, &broken);
    assert_eq!(sids(&i), [2]);
    bare(&mut i, &packet(Dir::ToServer, 1, b""));
    assert_eq!(sids(&i), [1, 2]);
}

/// Rules over one packet's payload: what matches.
fn fires(rule: &str, payload: &[u8]) -> bool {
    let mut inspector = inspector(&format!("alert tcp any any -> any any ({rule} sid:1;)"));
    let packet = packet(Dir::ToServer, 1, payload);
    let facts = packet.facts();
    inspector.inspect(&facts, Some(&mut StateHandle::NONE.clone()), Payload::Packet).alerts.len() == 1
}

#[test]
fn what_is_decoded_from_base64_is_looked_into() {
    let rule = r#"content:"arg="; base64_decode:bytes 8, offset 1, relative; base64_data; content:"es"; offset:1; depth:2;"#;
    assert!(fires(rule, b"x arg=:dGVzdA==&") && !fires(rule, b"x arg=:dGFzdA==&") && !fires(rule, b"x arg="));
    let again = r#"content:"k="; base64_decode:relative; base64_data; content:"test"; endswith;"#;
    assert!(fires(again, b"k=!! k=dGVzdA==."), "a match further on is tried");
    let negated = r#"content:"k="; base64_decode:relative; base64_data; content:!"test";"#;
    assert!(fires(negated, b"k=dGFzdA==") && !fires(negated, b"k=dGVzdA==") && !fires(negated, b"k=!"));
    let whole = r#"base64_decode; base64_data; pcre:"/^t.st$/"; isdataat:!5;"#;
    assert!(fires(whole, b"dGVzdA==") && !fires(whole, b"dGVzdGVy"));
    let behind = r#"base64_decode:bytes 4; base64_data; content:"abc"; pkt_data; content:"tail";"#;
    assert!(fires(behind, b"YWJj tail") && !fires(behind, b"YWJj tial"));
}

#[test]
fn a_transformed_payload_is_looked_into() {
    let rule = r#"pkt_data; strip_whitespace; to_lowercase; content:"window.open(";"#;
    assert!(fires(rule, b"Window . OPEN (") && !fires(rule, b"Window ; open ("));
    let before = r#"pkt_data; content:"A B"; strip_whitespace; content:"AB"; startswith;"#;
    assert!(fires(before, b"A B") && !fires(before, b"AB") && !fires(before, b"xA B"));
    let hash = r#"pkt_data; to_md5; content:"|90 01 50 98 3c d2 4f b0 d6 96 3f 7d 28 e1 7f 72|"; bsize:16;"#;
    assert!(fires(hash, b"abc") && !fires(hash, b"abd"));
}

#[test]
fn entropy_and_broken_asn1_are_found_in_the_payload() {
    assert!(fires("entropy:value < 1;", b"aaaaaaaa") && !fires("entropy:value < 1;", b"abcdefgh"));
    let asn1 = r#"content:"snmp"; asn1:bitstring_overflow, relative_offset 0;"#;
    assert!(fires(asn1, b"snmp\x03\x01\x01") && !fires(asn1, b"snmp\x03\x02\x01\x01"));
    assert!(fires(asn1, b"snmp snmp\x03\x01\x01"), "a match further on is tried");
}

/// Rules that need a decoder, and would match if what is absent counted as not matching.
#[test]
fn a_rule_that_waits_for_a_decoder_never_matches() {
    for rule in [
        r#"http.uri; content:!"x";"#,
        r#"http.uri; bsize:!7;"#,
        r#"http.cookie; absent;"#,
        r#"content:!"x"; http_uri;"#,
        r#"content:"a"; pcre:!"/x/U";"#,
        r#"urilen:!7; content:"a";"#,
        "app-layer-protocol:!http;",
        "app-layer-protocol:failed;",
        "app-layer-event:applayer_proto_detection_skipped;",
        "tls.version:!1.2;",
        "ssl_version:!tls1.0;",
        r#"filename:!"x";"#,
        "iprep:src,CnC,>,0;",
        r#"base64_decode:bytes 4; base64_data; content:"0"; pkt_data; file_data; content:!"x";"#,
        r#"byte_test:1,!=,0,0,dce;"#,
    ] {
        assert!(!fires(rule, b"a GET / HTTP/1.1\r\n\r\n"), "{rule}");
    }
    for protocol in ["http", "tls", "dns", "http1"] {
        let mut inspector = inspector(&format!("drop {protocol} any any -> any any (sid:1;)"));
        let packet = packet(Dir::ToServer, 1, b"GET / HTTP/1.1\r\n\r\n");
        let outcome = inspector.inspect(&packet.facts(), None, Payload::Packet);
        assert_eq!((outcome.alerts.len(), outcome.verdict), (0, Verdict::Forward), "{protocol}");
    }
}

#[test]
fn numbers_of_a_session_are_counted_and_compared() {
    let rules = r#"
        alert tcp any any -> any any (content:"hit"; flowint:n,isnotset; flowint:n,=,1; noalert; sid:1;)
        alert tcp any any -> any any (content:"hit"; flowint:n,isset; flowint:n,+,1; noalert; sid:2;)
        alert tcp any any -> any any (content:"ask"; flowint:n,==,3; sid:3;)
        alert tcp any any -> any any (content:"ask"; flowint:n,>,2; flowint:m,notset; sid:4;)
        alert tcp any any -> any any (content:"ask"; flowint:m,<,9; sid:5;)
        alert tcp any any -> any any (content:"copy"; flowint:m,=,n; flowint:m,-,1; sid:6;)
    "#;
    let mut inspector = inspector(rules);
    let mut session = StateHandle::NONE;
    let mut sids = |payload: &[u8], number| {
        let packet = packet(Dir::ToServer, number, payload);
        let outcome = inspector.inspect(&packet.facts(), Some(&mut session), Payload::Packet).clone();
        let rules = inspector.rules.engine().rules();
        let mut sids: Vec<u32> =
            outcome.alerts.iter().filter_map(|a| rules.rule(a.rule).map(|rule| rule.sid)).collect();
        sids.sort_unstable();
        sids
    };
    assert_eq!(sids(b"ask", 1), [0u32; 0]);
    // The first sets it, and the rule behind it counts on at once: rules that write come first, in their order.
    assert_eq!((sids(b"hit", 2), sids(b"hit", 3)), (vec![], vec![]));
    assert_eq!(sids(b"ask", 4), [3, 4]);
    assert_eq!((sids(b"copy", 5), sids(b"ask", 6)), (vec![6], vec![3, 5]));
}

#[test]
fn a_session_begins_once_in_each_direction() {
    let mut inspector = inspector("alert tcp:flow_start any any -> any any (sid:1;)");
    let mut alerts = |dir, number| {
        let packet = packet(dir, number, b"x");
        inspector.inspect(&packet.facts(), None, Payload::Packet).alerts.len()
    };
    assert_eq!([alerts(Dir::ToServer, 1), alerts(Dir::ToClient, 1), alerts(Dir::ToServer, 2)], [1, 1, 0]);
}
