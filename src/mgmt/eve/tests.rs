use super::*;
use crate::base::event::{
    AlertEvent, AppEvent, AppKind, AppNames, Cause, CloseReason, DropEvent, FlowEvent, FlowStats, Headers,
    IpHeader, Origin, TcpSummary, TtlRange, UpperHeader,
};
use crate::base::{Addr, Anomaly, Dir, DropReason, FlowTuple, Outer, PerDir, PortId, TunnelKind};
use serde_json::{Value, json};

fn tuple(proto: u8, sport: u16, dport: u16) -> FlowTuple {
    FlowTuple {
        src: Addr::v4([192, 0, 2, 1]),
        dst: Addr::v4([198, 51, 100, 2]),
        sport,
        dport,
        proto,
        context: 100 | 200 << 12,
        ..FlowTuple::default()
    }
}

fn origin(tuple: FlowTuple) -> Origin {
    let time = Time::from_micros(1_795_225_173_123_456);
    Origin {
        time,
        packet: 7,
        port: PortId(1),
        tuple,
        icmp: None,
        flow_id: 42,
        dir: Dir::ToClient,
        cause: Cause::Packet,
        tunnel: None,
    }
}

/// The lines these events become.
fn written(medium: Medium, events: &[Event]) -> Vec<Value> {
    written_with(RuleBook::default(), medium, events)
}

fn written_with(rules: RuleBook, medium: Medium, events: &[Event]) -> Vec<Value> {
    lines(&mut Eve::new(style(medium), rules), events)
}

fn style(medium: Medium) -> Style {
    Style {
        types: vec![EventType::Alert, EventType::Anomaly, EventType::Drop, EventType::Flow],
        medium,
        ports: vec!["outside".into(), "inside".into()],
        rule_text: false,
        verdict: false,
    }
}

fn lines(eve: &mut Eve, events: &[Event]) -> Vec<Value> {
    let record = |event| {
        let mut line = Vec::new();
        let kind = eve.event(event, &[], &mut line)?;
        let record: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(record["event_type"], kind);
        Some(record)
    };
    events.iter().filter_map(record).collect()
}

fn flow_event() -> FlowEvent {
    FlowEvent {
        stats: FlowStats {
            start: Time::from_secs(1_795_225_100),
            last: Time::from_secs(1_795_225_173),
            packets: PerDir([5, 4]),
            bytes: PerDir([500, 4000]),
            tuple: tuple(6, 40000, 80),
        },
        reason: CloseReason::Fin,
        state: "closed",
        alerted: true,
        exception: None,
        action: None,
        tcp: Some(TcpSummary { flags: PerDir([0x1b, 0x12]), state: "closed" }),
        ttl: PerDir([TtlRange { least: 63, most: 64 }, TtlRange { least: 50, most: 55 }]),
        icmp: PerDir::default(),
        app: AppNames::default(),
        outer: None,
    }
}

#[test]
fn an_anomaly_of_an_application_names_its_protocol_where_other_records_do() {
    let kind = AppKind::Anomaly("http.missing_host_header");
    let app = AppEvent { kind, proto: "http1", tx: Some(0), record: 0 };
    let event = Event { origin: origin(tuple(6, 40000, 80)), body: EventBody::App(app) };
    let record = &written(Medium::Capture, &[event])[0];
    assert_eq!((&record["app_proto"], &record["tx_id"]), (&json!("http"), &json!(0)));
    let (kind, layer) = ("applayer", "proto_parser");
    let said = json!({ "app_proto": "http", "type": kind, "event": "MISSING_HOST_HEADER", "layer": layer });
    assert_eq!(record["anomaly"], said);
}

#[test]
fn a_flow_record_has_suricatas_fields_and_types() {
    let origin = Origin { packet: 0, ..origin(tuple(6, 40000, 80)) };
    let event = Event { origin, body: EventBody::Flow(flow_event()) };
    let expected = json!({
        "timestamp": "2026-11-21T01:39:33.123456+0000",
        "flow_id": 42,
        "event_type": "flow",
        "vlan": [100, 200],
        "src_ip": "192.0.2.1",
        "src_port": 40000,
        "dest_ip": "198.51.100.2",
        "dest_port": 80,
        "proto": "TCP",
        "ip_v": 4,
        "flow": {
            "pkts_toserver": 5,
            "pkts_toclient": 4,
            "bytes_toserver": 500,
            "bytes_toclient": 4000,
            "start": "2026-11-21T01:38:20.000000+0000",
            "end": "2026-11-21T01:39:33.000000+0000",
            "age": 73,
            "state": "closed",
            "reason": "fin",
            "alerted": true,
        },
        "tcp": {
            "tcp_flags": "1b",
            "tcp_flags_ts": "1b",
            "tcp_flags_tc": "12",
            "syn": true,
            "fin": true,
            "psh": true,
            "ack": true,
            "state": "closed",
        },
    });
    assert_eq!(written(Medium::Capture, &[event]), [expected]);
}

#[test]
fn netflow_has_a_record_for_each_direction_that_was_used() {
    let origin = Origin { packet: 0, ..origin(tuple(6, 40000, 80)) };
    let further = |flow: FlowEvent, types: &[EventType]| -> Vec<Value> {
        let event = Event { origin, body: EventBody::Flow(flow) };
        let style = Style { types: types.to_vec(), ..style(Medium::Capture) };
        let mut eve = Eve::new(style, RuleBook::default());
        assert_eq!(eve.event(&event, &[], &mut Vec::new()).is_some(), types.contains(&EventType::Flow));
        let line = |nth| {
            let mut line = Vec::new();
            eve.further(&event, nth, &mut line).map(|_| serde_json::from_slice(&line).unwrap())
        };
        (0..).map_while(line).collect()
    };
    let both = further(flow_event(), &[EventType::Netflow]);
    let answers = json!({
        "timestamp": "2026-11-21T01:39:33.123456+0000",
        "flow_id": 42,
        "event_type": "netflow",
        "vlan": [100, 200],
        "src_ip": "198.51.100.2",
        "src_port": 80,
        "dest_ip": "192.0.2.1",
        "dest_port": 40000,
        "proto": "TCP",
        "ip_v": 4,
        "netflow": {
            "pkts": 4,
            "bytes": 4000,
            "start": "2026-11-21T01:38:20.000000+0000",
            "end": "2026-11-21T01:39:33.000000+0000",
            "age": 73,
            "min_ttl": 50,
            "max_ttl": 55,
        },
        "tcp": { "tcp_flags": "12", "syn": true, "ack": true },
    });
    assert_eq!((both.len(), &both[0]["netflow"]["pkts"], &both[1]), (2, &json!(5), &answers));
    let mut unanswered = flow_event();
    unanswered.stats.packets[Dir::ToClient] = 0;
    assert_eq!(further(unanswered, &[EventType::Flow, EventType::Netflow]).len(), 1);
    assert!(further(flow_event(), &[EventType::Flow]).is_empty());
}

#[test]
fn a_drop_record_names_the_reason_and_on_the_wire_the_port() {
    let body = EventBody::Drop(DropEvent::new(DropReason::StreamInvalid, 60));
    let mut origin = origin(tuple(17, 53, 5353));
    origin.tuple.context = 0;
    let expected = json!({
        "timestamp": "2026-11-21T01:39:33.123456+0000",
        "flow_id": 42,
        "in_iface": "inside",
        "event_type": "drop",
        "src_ip": "192.0.2.1",
        "src_port": 53,
        "dest_ip": "198.51.100.2",
        "dest_port": 5353,
        "proto": "UDP",
        "ip_v": 4,
        "pkt_src": "wire/pcap",
        "drop": { "len": 60, "reason": "stream_invalid" },
        "direction": "to_client",
    });
    assert_eq!(written(Medium::Wire, &[Event { origin, body }]), [expected]);
}

#[test]
fn icmp_has_a_type_and_a_code_and_no_ports() {
    let mut origin = origin(tuple(58, 9, 9));
    (origin.icmp, origin.flow_id) = (Some((128, 0)), 0);
    let event = Event { origin, body: EventBody::Anomaly(Anomaly::Ipv4PktTooSmall) };
    let [record] = &written(Medium::Capture, &[event])[..] else { panic!("one record") };
    assert_eq!(record["proto"], "IPv6-ICMP");
    assert_eq!((&record["icmp_type"], &record["icmp_code"]), (&json!(128), &json!(0)));
    assert_eq!(record["pcap_cnt"], 7);
    assert!(record.get("src_port").is_none() && record.get("dest_port").is_none());
    assert!(record.get("flow_id").is_none(), "no session, no flow_id");
    assert_eq!(record["anomaly"], json!({ "type": "decode", "event": "decoder.ipv4.pkt_too_small" }));
}

#[test]
fn a_packet_within_another_says_how_it_came_and_an_alert_what_was_around_it() {
    for (kind, source) in [
        (TunnelKind::Gre, "gre tunnel"),
        (TunnelKind::ErspanII, "gre tunnel"),
        (TunnelKind::Vxlan, "vxlan encapsulation"),
        (TunnelKind::Ipv6, "ipv6 tunnel"),
    ] {
        let origin = Origin { cause: Cause::Inner, tunnel: Some(kind), ..origin(tuple(6, 1, 2)) };
        let event = Event { origin, body: EventBody::Anomaly(Anomaly::Ipv4PktTooSmall) };
        let [record] = &written(Medium::Capture, &[event])[..] else { panic!("one record") };
        assert_eq!(record["pkt_src"], source);
        assert!(record.get("pcap_cnt").is_none() && record.get("tunnel").is_none());
    }
    let outer =
        Outer { tuple: tuple(17, 40_000, 4789), cause: Cause::Packet, kind: TunnelKind::Vxlan, depth: 1 };
    let part =
        |cause, medium| serde_json::to_value(TunnelPart::new(&Outer { cause, ..outer }, 7, medium)).unwrap();
    let whole = part(Cause::Packet, Medium::Capture);
    let expected = json!({
        "src_ip": whole["src_ip"], "src_port": 40_000, "dest_ip": whole["dest_ip"], "dest_port": 4789,
        "proto": "UDP", "depth": 1, "pcap_cnt": 7, "pkt_src": "wire/pcap",
    });
    assert_eq!(whole, expected);
    assert!(part(Cause::Packet, Medium::Wire).get("pcap_cnt").is_none());
    let rebuilt = part(Cause::Rebuilt, Medium::Capture);
    assert_eq!((rebuilt.get("pcap_cnt"), &rebuilt["pkt_src"]), (None, &json!("defrag")));
}

#[test]
fn a_rebuilt_datagram_has_no_number_and_a_sessions_end_that_of_the_last_packet() {
    for (cause, number, source) in
        [(Cause::Rebuilt, None, "defrag"), (Cause::Ending, Some(7), "stream (flow timeout)")]
    {
        let origin = Origin { cause, ..origin(tuple(6, 1, 2)) };
        let event = Event { origin, body: EventBody::Anomaly(Anomaly::Ipv4PktTooSmall) };
        let [record] = &written(Medium::Capture, &[event])[..] else { panic!("one record") };
        assert_eq!(record.get("pcap_cnt").and_then(|n| n.as_u64()), number);
        assert_eq!(record["pkt_src"], source);
    }
}

#[test]
fn a_frame_without_ip_has_no_addresses() {
    let origin = Origin { flow_id: 0, ..origin(FlowTuple::default()) };
    let body = EventBody::Drop(DropEvent::new(DropReason::Malformed, 12));
    let [record] = &written(Medium::Capture, &[Event { origin, body }])[..] else { panic!("one record") };
    let keys: Vec<&String> = record.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["drop", "event_type", "pcap_cnt", "pkt_src", "timestamp"]);
}

#[test]
fn ipv6_addresses_are_written_in_full() {
    let (src, family) = Addr::from_ip("2001:db8::1".parse().unwrap());
    let tuple = FlowTuple { src, family, proto: 17, ..FlowTuple::default() };
    let body = EventBody::Drop(DropEvent::new(DropReason::Malformed, 60));
    let [record] = &written(Medium::Capture, &[Event { origin: origin(tuple), body }])[..] else {
        panic!("one record")
    };
    assert_eq!(record["src_ip"], "2001:0db8:0000:0000:0000:0000:0000:0001");
    assert_eq!(record["dest_ip"], "0000:0000:0000:0000:0000:0000:0000:0000");
}

#[test]
fn protocols_without_a_name_are_three_digits() {
    assert_eq!((proto_name(253).as_ref(), proto_name(99).as_ref()), ("253", "099"));
}

#[test]
fn types_that_are_not_wanted_are_not_written() {
    let style = Style {
        types: vec![EventType::Stats],
        medium: Medium::Wire,
        ports: Vec::new(),
        rule_text: false,
        verdict: false,
    };
    let mut eve = Eve::new(style, RuleBook::default());
    let mut line = Vec::new();
    let flow = Event { origin: origin(tuple(6, 1, 2)), body: EventBody::Flow(flow_event()) };
    assert_eq!((eve.event(&flow, &[], &mut line), line.len()), (None, 0));
    let counters = [NamedCount::new("decoder.pkts", 3)];
    assert_eq!(eve.stats(Time::from_secs(1), 1, &counters, &mut line), Some("stats"));
    assert!(String::from_utf8(line).unwrap().contains("\"decoder\":{\"pkts\":3}"));
}

const RULE: &str = "alert tcp any any -> any any (msg:\"WEIR test\"; content:\"x\"; target:dest_ip; \
                    classtype:attempted-recon; metadata:tag one, created_at 2026_11_21, tag two; sid:9000001; rev:3;)";

fn book() -> RuleBook {
    use crate::rules::{Classifications, References, SourceFile, Vars, load};
    let classes = "config classification: attempted-recon,Attempted Information Leak,2\n";
    let (classes, _) = Classifications::parse(&SourceFile::new("classes", classes));
    let files = [SourceFile::new("t", RULE)];
    let (mut set, faults) = load(&files, &Vars::default(), &classes, &References::default());
    assert!(faults.is_empty(), "{faults:?}");
    set.generation = Generation(4);
    RuleBook::new(std::sync::Arc::new(set), 0)
}

#[test]
fn an_alert_has_the_rule_the_session_so_far_and_who_is_the_target() {
    let origin = origin(tuple(6, 40000, 80));
    let flow = Some(flow_event().stats);
    let (rule, generation) = (RuleIndex(0), Generation(4));
    let app = AppNames::default();
    let alert = AlertEvent {
        rule,
        generation,
        blocked: true,
        verdict: crate::base::event::PacketVerdict::default(),
        flow,
        app,
        tx: None,
        outer: None,
        notes: Default::default(),
        tx_proto: None,
        record: 0,
    };
    let alerts = written_with(book(), Medium::Capture, &[Event { origin, body: EventBody::Alert(alert) }]);
    let expected = json!({
        "timestamp": "2026-11-21T01:39:33.123456+0000",
        "flow_id": 42,
        "pcap_cnt": 7,
        "event_type": "alert",
        "vlan": [100, 200],
        "src_ip": "192.0.2.1",
        "src_port": 40000,
        "dest_ip": "198.51.100.2",
        "dest_port": 80,
        "proto": "TCP",
        "ip_v": 4,
        "pkt_src": "wire/pcap",
        "alert": {
            "action": "blocked",
            "gid": 1,
            "signature_id": 9_000_001,
            "rev": 3,
            "signature": "WEIR test",
            "category": "Attempted Information Leak",
            "severity": 2,
            "metadata": { "created_at": ["2026_11_21"], "tag": ["one", "two"] },
            "source": { "ip": "192.0.2.1", "port": 40000 },
            "target": { "ip": "198.51.100.2", "port": 80 },
        },
        "direction": "to_client",
        "flow": {
            "pkts_toserver": 5,
            "pkts_toclient": 4,
            "bytes_toserver": 500,
            "bytes_toclient": 4000,
            "start": "2026-11-21T01:38:20.000000+0000",
            "src_ip": "192.0.2.1",
            "src_port": 40000,
            "dest_ip": "198.51.100.2",
            "dest_port": 80,
        },
    });
    assert_eq!(alerts, [expected]);
}

#[test]
fn a_drop_by_a_rule_names_the_rule_and_shows_the_packets_headers() {
    let mut told = PerDir([false; 2]);
    told[Dir::ToClient] = true;
    let upper = UpperHeader::Tcp { seq: 7, ack: 9, window: 100, flags: 0x12, reserved: 0, urgent: 0 };
    let headers = Headers { ip: Some(IpHeader::V4 { tos: 16, ttl: 64, id: 3 }), upper };
    let rule = Some((Generation(4), RuleIndex(0)));
    let dropped = DropEvent { rule, told, headers, ..DropEvent::new(DropReason::RuleReject, 60) };
    let event = Event { origin: origin(tuple(6, 1, 2)), body: EventBody::Drop(dropped) };
    let mut eve = Eve::new(Style { verdict: true, ..style(Medium::Capture) }, book());
    let [record] = &lines(&mut eve, &[event])[..] else { panic!("one record") };
    let expected = json!({
        "len": 60, "tos": 16, "ttl": 64, "ipid": 3, "tcpseq": 7, "tcpack": 9, "tcpwin": 100, "syn": true, "ack": true,
        "psh": false, "rst": false, "urg": false, "fin": false, "tcpres": 0, "tcpurgp": 0, "reason": "rules_reject",
    });
    assert_eq!(record["drop"], expected);
    let verdict = json!({"action": "drop", "reject-target": "to_client", "reject": ["tcp-reset"]});
    assert_eq!(record["verdict"], verdict);
    assert_eq!(
        (&record["alert"]["signature_id"], &record["alert"]["action"]),
        (&json!(9_000_001), &json!("blocked"))
    );
}

#[test]
fn a_drop_record_has_the_fields_of_its_protocols() {
    let part = |ip, upper| {
        let headers = Headers { ip: Some(ip), upper };
        let dropped = DropEvent { headers, ..DropEvent::new(DropReason::RuleDrop, 60) };
        serde_json::to_value(DropPart::new(&dropped)).unwrap()
    };
    let v6 = IpHeader::V6 { class: 1, hop_limit: 2, flow_label: 3 };
    let expected = json!({"len": 60, "tc": 1, "hoplimit": 2, "flowlbl": 3, "udplen": 20, "reason": "rules"});
    assert_eq!(part(v6, UpperHeader::Udp { length: 20 }), expected);
    let v4 = IpHeader::V4 { tos: 0, ttl: 1, id: 2 };
    let echo =
        json!({"len": 60, "tos": 0, "ttl": 1, "ipid": 2, "icmp_id": 5, "icmp_seq": 6, "reason": "rules"});
    assert_eq!(part(v4, UpperHeader::Icmp { id: 5, seq: 6 }), echo);
}

#[test]
fn the_record_of_an_inner_session_has_the_packet_around_it() {
    let outer =
        Outer { tuple: tuple(17, 999, 4789), cause: Cause::Packet, kind: TunnelKind::Vxlan, depth: 1 };
    let origin = origin(tuple(6, 40000, 80));
    let flow = FlowEvent { outer: Some(outer), ..flow_event() };
    let found = written(Medium::Wire, &[Event { origin, body: EventBody::Flow(flow) }]);
    let ends = &found[0]["tunnel"];
    assert_eq!(
        (&ends["src_port"], &ends["dest_port"], &ends["proto"]),
        (&json!(999), &json!(4789), &json!("UDP"))
    );
    assert_eq!((&ends["kind"], &ends["depth"]), (&json!("vxlan"), &json!(1)));
    assert!(ends.get("pkt_src").is_none() && ends.get("pcap_cnt").is_none(), "it is about no single packet");
}
