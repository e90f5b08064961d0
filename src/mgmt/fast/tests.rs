use super::*;
use crate::base::event::{AlertEvent, AppNames, DropEvent, PacketVerdict};
use crate::base::{Addr, FlowTuple, Generation, RuleIndex};
use crate::rules::{Classifications, References, SourceFile, Vars, load};
use std::sync::Arc;

fn book(text: &str) -> RuleBook {
    let files = [SourceFile::new("t", text)];
    let (mut set, faults) =
        load(&files, &Vars::default(), &Classifications::default(), &References::default());
    assert!(faults.iter().all(|d| !d.is_fault()), "{faults:?}");
    set.generation = Generation(1);
    RuleBook::new(Arc::new(set), 0)
}

fn tuple(proto: u8) -> FlowTuple {
    FlowTuple {
        src: Addr::v4([192, 0, 2, 1]),
        dst: Addr::v4([198, 51, 100, 2]),
        sport: 40000,
        dport: 80,
        proto,
        ..FlowTuple::default()
    }
}

/// The line of an alert of the only rule.
fn line(rule: &str, tuple: FlowTuple, icmp: Option<(u8, u8)>, blocked: bool, medium: Medium) -> String {
    let alert = AlertEvent {
        rule: RuleIndex(0),
        generation: Generation(1),
        blocked,
        verdict: PacketVerdict::default(),
        flow: None,
        app: AppNames::default(),
        tx: None,
        outer: None,
        notes: Default::default(),
        tx_proto: None,
        record: 0,
    };
    let time = Time::from_micros(1_795_225_173_000_456);
    let origin = Origin { time, packet: 7, tuple, icmp, ..Origin::default() };
    let event = Event { origin, body: EventBody::Alert(alert) };
    let mut line = Vec::new();
    assert_eq!(Fast::new(book(rule), medium).event(&event, &[], &mut line), Some("alert"));
    String::from_utf8(line).unwrap()
}

const ALERT: &str = "alert ip any any -> any any (msg:\"a b\"; sid:5; rev:2; priority:1;)";
const DROP: &str = "drop ip any any -> any any (msg:\"a b\"; gid:9; sid:5; rev:2;)";
const REJECT: &str = "reject ip any any -> any any (msg:\"a b\"; sid:5;)";

fn of(rule: &str, proto: u8, blocked: bool) -> String {
    line(rule, tuple(proto), None, blocked, Medium::Wire)
}

#[test]
fn an_alert_is_a_line_in_suricatas_form() {
    assert_eq!(
        of(ALERT, 6, false),
        "11/21/2026-01:39:33.000456  [**] [1:5:2] a b [**] [Classification: (null)] [Priority: 1] \
         {TCP} 192.0.2.1:40000 -> 198.51.100.2:80"
    );
}

#[test]
fn marks_say_what_was_dropped_and_what_would_have_been() {
    let start = |line: String| line.split(" a b ").next().unwrap().to_owned();
    assert_eq!(start(of(DROP, 6, true)), "11/21/2026-01:39:33.000456  [Drop] [**] [9:5:2]");
    assert_eq!(start(of(DROP, 6, false)), "11/21/2026-01:39:33.000456  [wDrop] [**] [9:5:2]");
    assert!(of(REJECT, 6, true).contains("  [Drop] [**] [1:5:0]"));
    assert!(of(REJECT, 6, false).contains("  [wDrop] [**] [1:5:0]"));
}

#[test]
fn icmp_shows_type_and_code_and_other_protocols_zero() {
    let echo = line(ALERT, FlowTuple { sport: 0, dport: 0, ..tuple(1) }, Some((8, 0)), false, Medium::Wire);
    assert!(echo.ends_with("{ICMP} 192.0.2.1:8 -> 198.51.100.2:0"), "{echo}");
    assert!(of(ALERT, 47, false).ends_with("{GRE} 192.0.2.1:0 -> 198.51.100.2:0"));
    assert!(of(ALERT, 201, false).ends_with("{PROTO:201} 192.0.2.1:0 -> 198.51.100.2:0"));
}

#[test]
fn what_has_no_addresses_ends_with_the_packets_number() {
    let wire = line(ALERT, FlowTuple::default(), None, false, Medium::Wire);
    let capture = line(ALERT, FlowTuple::default(), None, false, Medium::Capture);
    assert!(wire.ends_with("[Priority: 1] [**] [packet: 7]"), "{wire}");
    assert!(capture.ends_with("[Priority: 1] [**] [pcap file packet: 7]"), "{capture}");
}

#[test]
fn other_events_make_no_line() {
    let body = EventBody::Drop(DropEvent::new(crate::base::DropReason::RuleDrop, 60));
    let event = Event { origin: Origin::default(), body };
    let mut line = Vec::new();
    assert_eq!(Fast::new(book(ALERT), Medium::Wire).event(&event, &[], &mut line), None);
    assert!(line.is_empty());
}
