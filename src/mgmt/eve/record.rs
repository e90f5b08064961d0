//! The shape of eve.json's records: names, order and types of fields, as docs.suricata.io ("EVE JSON Format") gives them.

use super::anomaly::AnomalyPart;
use super::app::Form;
use super::dropped::DropPart;
use super::netflow::NetflowPart;
use super::time::Stamp;
use super::tunnel::{self, TunnelPart};
use super::verdict::{ExceptionPart, VerdictPart};
use crate::base::event::{AppNames, FlowEvent, FlowStats, Noted, Origin};
use crate::base::{Dir, FlowTuple, Time};
use crate::rules::Rule;
use crate::rules::ruleset::{Step, Target};
use serde::Serialize;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;

/// The protocol's name as Suricata writes it, or three digits.
pub fn proto_name(proto: u8) -> Cow<'static, str> {
    known_proto(proto).map_or_else(|| Cow::Owned(format!("{proto:03}")), Cow::Borrowed)
}

/// The protocol's name as Suricata writes it, if it has one there.
pub fn known_proto(proto: u8) -> Option<&'static str> {
    Some(match proto {
        1 => "ICMP",
        2 => "IGMP",
        4 => "IP-in-IP",
        TCP => "TCP",
        8 => "EGP",
        UDP => "UDP",
        33 => "DCCP",
        41 => "IPv6",
        43 => "IPv6-Route",
        44 => "IPv6-Frag",
        46 => "RSVP",
        47 => "GRE",
        50 => "ESP",
        51 => "AH",
        58 => "IPv6-ICMP",
        59 => "IPv6-NoNxt",
        60 => "IPv6-Opts",
        88 => "EIGRP",
        89 => "OSPF",
        103 => "PIM",
        108 => "IPComp",
        112 => "VRRP",
        115 => "L2TP",
        SCTP => "SCTP",
        136 => "UDPLite",
        137 => "MPLS-in-IP",
        _ => return None,
    })
}

fn has_ports(proto: u8) -> bool {
    matches!(proto, TCP | UDP | SCTP)
}

/// An address as Suricata writes it: IPv6 with all eight groups of four digits.
#[derive(Copy, Clone, Debug)]
pub struct IpText(IpAddr);

impl std::fmt::Display for IpText {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            IpAddr::V4(v4) => v4.fmt(out),
            IpAddr::V6(v6) => {
                let [a, b, c, d, e, f, g, h] = v6.segments();
                write!(out, "{a:04x}:{b:04x}:{c:04x}:{d:04x}:{e:04x}:{f:04x}:{g:04x}:{h:04x}")
            }
        }
    }
}

impl Serialize for IpText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Addresses and protocol; empty for a frame without IP.
#[derive(Debug, Default, Serialize)]
pub struct Ends {
    #[serde(skip_serializing_if = "Option::is_none")]
    src_ip: Option<IpText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_ip: Option<IpText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_port: Option<u16>,
}

impl Ends {
    pub fn of(tuple: &FlowTuple) -> Ends {
        if !is_ip(tuple) {
            return Ends::default();
        }
        let ports = has_ports(tuple.proto);
        Ends {
            src_ip: Some(IpText(tuple.src_ip())),
            src_port: ports.then_some(tuple.sport),
            dest_ip: Some(IpText(tuple.dst_ip())),
            dest_port: ports.then_some(tuple.dport),
        }
    }

    /// Source, then destination.
    pub fn addresses(&self) -> Option<(IpText, IpText)> {
        self.src_ip.zip(self.dest_ip)
    }

    pub fn ports(&self) -> Option<(u16, u16)> {
        self.src_port.zip(self.dest_port)
    }
}

fn is_ip(tuple: &FlowTuple) -> bool {
    tuple.src.0 != 0 || tuple.dst.0 != 0 || tuple.proto != 0
}

/// What is the same for all records of packets and sessions.
#[derive(Debug, Serialize)]
pub struct Record<'a> {
    timestamp: Stamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    flow_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_iface: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pcap_cnt: Option<u64>,
    event_type: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    vlan: Vec<u16>,
    #[serde(flatten)]
    ends: Ends,
    #[serde(skip_serializing_if = "Option::is_none")]
    proto: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip_v: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_type: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_code: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_icmp_type: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_icmp_code: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pkt_src: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tunnel: Option<TunnelPart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tx_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alert: Option<AlertPart<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drop: Option<DropPart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<VerdictPart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    anomaly: Option<AnomalyPart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flow: Option<FlowPart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    netflow: Option<NetflowPart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp: Option<TcpPart>,
    #[serde(flatten)]
    app: AppPart,
    /// The protocol's object, and what stands beside it.
    #[serde(flatten)]
    members: Map<String, Value>,
}

/// The session's application protocol; what a direction says by itself only where it says something else.
#[derive(Debug, Default, Serialize)]
struct AppPart {
    #[serde(skip_serializing_if = "Option::is_none")]
    app_proto: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_proto_ts: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_proto_tc: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_proto_orig: Option<&'static str>,
}

impl AppPart {
    fn new(app: &AppNames) -> AppPart {
        let other = |name: Option<&'static str>| name.filter(|name| app.proto != Some(name));
        AppPart {
            app_proto: app.proto,
            app_proto_ts: other(app.by_direction[Dir::ToServer]),
            app_proto_tc: other(app.by_direction[Dir::ToClient]),
            app_proto_orig: other(app.original),
        }
    }
}

/// Where the records come from.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Medium {
    Capture,
    Wire,
}

impl<'a> Record<'a> {
    /// The head of a record. `tuple` is the packet's own, or the session's for a flow record.
    pub fn new(
        event_type: &'static str,
        origin: &Origin,
        medium: Medium,
        iface: Option<&'a str>,
    ) -> Record<'a> {
        let tuple = &origin.tuple;
        let ip = is_ip(tuple);
        let capture = medium == Medium::Capture;
        Record {
            timestamp: Stamp(origin.time),
            flow_id: (origin.flow_id != 0).then_some(origin.flow_id),
            in_iface: iface.filter(|_| !capture),
            pcap_cnt: tunnel::number(origin.packet, origin.cause, medium),
            event_type,
            vlan: tuple.vlans().collect(),
            ends: Ends::of(tuple),
            proto: ip.then(|| proto_name(tuple.proto)),
            ip_v: ip.then_some(tuple.family as u8),
            icmp_type: origin.icmp.map(|(kind, _)| kind),
            icmp_code: origin.icmp.map(|(_, code)| code),
            response_icmp_type: None,
            response_icmp_code: None,
            pkt_src: Some(origin).filter(|o| o.packet != 0).and_then(tunnel::source),
            tunnel: None,
            alert: None,
            drop: None,
            verdict: None,
            anomaly: None,
            direction: None,
            flow: None,
            netflow: None,
            tcp: None,
            tx_id: None,
            app: AppPart::default(),
            members: Map::new(),
        }
    }

    pub fn alert(mut self, alert: AlertPart<'a>, dir: Dir, flow: Option<&FlowStats>) -> Record<'a> {
        self.alert = Some(alert);
        self.direction = self.flow_id.map(|_| dir.name());
        self.flow = flow.map(FlowPart::so_far);
        self
    }

    /// What is around the packet of an alert.
    pub fn within(mut self, outer: Option<TunnelPart>) -> Record<'a> {
        self.tunnel = outer;
        self
    }

    pub fn verdict(mut self, verdict: Option<VerdictPart>) -> Record<'a> {
        self.verdict = verdict;
        self
    }

    pub fn dropped(mut self, drop: DropPart, alert: Option<AlertPart<'a>>, dir: Dir) -> Record<'a> {
        self.drop = Some(drop);
        self.alert = alert;
        self.direction = self.flow_id.map(|_| dir.name());
        self
    }

    pub fn anomaly(mut self, anomaly: AnomalyPart) -> Record<'a> {
        self.anomaly = Some(anomaly);
        self
    }

    /// What an alert says of its session's protocol, and of the transaction that it matched in.
    pub fn application(mut self, app: &AppNames, tx: Option<u64>, members: Map<String, Value>) -> Record<'a> {
        self.app = AppPart::new(app);
        self.transaction(tx, members)
    }

    /// The protocol of which an anomaly is.
    pub fn speaking(mut self, form: Option<&Form>) -> Record<'a> {
        self.app.app_proto = form.map(|form| form.proto.log_name());
        self
    }

    pub fn transaction(mut self, tx: Option<u64>, members: Map<String, Value>) -> Record<'a> {
        (self.tx_id, self.members) = (tx, members);
        self
    }

    pub fn file(mut self, proto: &'static str, members: Map<String, Value>) -> Record<'a> {
        self.app.app_proto = Some(proto);
        self.members = members;
        self
    }

    fn icmp(&mut self, of: Option<(u8, u8)>) {
        (self.icmp_type, self.icmp_code) = of.unzip();
    }

    pub fn ended(mut self, flow: &FlowEvent) -> Record<'a> {
        self.icmp(flow.icmp[Dir::ToServer]);
        (self.response_icmp_type, self.response_icmp_code) = flow.icmp[Dir::ToClient].unzip();
        self.flow = Some(FlowPart::ended(flow));
        self.tcp = flow.tcp.as_ref().map(TcpPart::new);
        self.app = AppPart::new(&flow.app);
        self.tunnel = flow.outer.as_ref().map(TunnelPart::of_session);
        self
    }

    /// One direction of an ended session.
    pub fn one_way(mut self, flow: &FlowEvent, dir: Dir) -> Record<'a> {
        self.icmp(flow.icmp[dir]);
        self.netflow = Some(NetflowPart::new(flow, dir));
        self.tcp = flow.tcp.as_ref().map(|tcp| TcpPart::one_way(tcp, dir));
        self.app = AppPart { app_proto: flow.app.proto, ..AppPart::default() };
        self.tunnel = flow.outer.as_ref().map(TunnelPart::of_session);
        self
    }
}

/// `alert`
#[derive(Debug, Serialize)]
pub struct AlertPart<'a> {
    action: &'static str,
    gid: u32,
    signature_id: u32,
    rev: u32,
    signature: &'a str,
    category: &'a str,
    severity: u32,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<&'a str, Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<EndPart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<EndPart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    /// What lists say of the values that the rule found in them, by the names that the rule gives.
    #[serde(skip_serializing_if = "Map::is_empty")]
    context: Map<String, Value>,
}

/// Attacker (`source`) or victim (`target`), where the rule has `target:`.
#[derive(Debug, Serialize)]
struct EndPart {
    ip: IpText,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
}

impl EndPart {
    /// Source, then target. The rule speaks of the packet that raised the alert.
    fn both(rule: &Rule, tuple: &FlowTuple) -> (Option<EndPart>, Option<EndPart>) {
        let Some(target) = rule.target.filter(|_| is_ip(tuple)) else { return (None, None) };
        let end = |ip, port| Some(EndPart { ip: IpText(ip), port: has_ports(tuple.proto).then_some(port) });
        let (src, dst) = (end(tuple.src_ip(), tuple.sport), end(tuple.dst_ip(), tuple.dport));
        match target {
            Target::Source => (dst, src),
            Target::Destination => (src, dst),
        }
    }
}

impl<'a> AlertPart<'a> {
    pub fn new(rule: &'a Rule, tuple: &FlowTuple, blocked: bool, with_text: bool) -> AlertPart<'a> {
        let (source, target) = EndPart::both(rule, tuple);
        let mut metadata: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (key, value) in &rule.metadata {
            metadata.entry(key).or_default().push(value);
        }
        AlertPart {
            action: if blocked { "blocked" } else { "allowed" },
            gid: rule.gid,
            signature_id: rule.sid,
            rev: rule.rev,
            signature: &rule.msg,
            category: &rule.category,
            severity: rule.priority,
            metadata,
            source,
            target,
            rule: with_text.then_some(&rule.text),
            context: Map::new(),
        }
    }

    /// With the records that the rule's datasets have of what it found.
    pub fn noting(mut self, rule: &Rule, notes: &[Option<Noted>]) -> AlertPart<'a> {
        for noted in notes.iter().flatten() {
            let uses = rule.buffers.iter().flat_map(|buffer| &buffer.steps).filter_map(|step| match step {
                Step::Dataset(used) => Some(used),
                _ => None,
            });
            let found = uses.filter_map(|used| Some((used.context.as_deref()?, used.set.as_ref()?)));
            for (name, set) in found.filter(|(_, set)| set.number() == noted.set) {
                let record = set.record_text(noted.record).and_then(|text| serde_json::from_str(text).ok());
                self.context.extend(record.map(|record| (name.to_owned(), record)));
            }
        }
        self
    }
}

/// `flow`: in an alert the session so far, in a flow record all of it.
#[derive(Debug, Serialize)]
pub struct FlowPart {
    pkts_toserver: u64,
    pkts_toclient: u64,
    bytes_toserver: u64,
    bytes_toclient: u64,
    start: Stamp,
    /// Only in alerts: a flow record has them in its head.
    #[serde(flatten)]
    ends: Option<Ends>,
    #[serde(flatten)]
    end: Option<FlowEnd>,
}

#[derive(Debug, Serialize)]
struct FlowEnd {
    end: Stamp,
    /// Seconds.
    age: u64,
    state: &'static str,
    reason: &'static str,
    alerted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    exception_policy: Vec<ExceptionPart>,
}

impl FlowPart {
    fn so_far(stats: &FlowStats) -> FlowPart {
        FlowPart {
            pkts_toserver: stats.packets[Dir::ToServer],
            pkts_toclient: stats.packets[Dir::ToClient],
            bytes_toserver: stats.bytes[Dir::ToServer],
            bytes_toclient: stats.bytes[Dir::ToClient],
            start: Stamp(stats.start),
            ends: Some(Ends::of(&stats.tuple)),
            end: None,
        }
    }

    fn ended(flow: &FlowEvent) -> FlowPart {
        let age = |end: Time| end.secs().saturating_sub(flow.stats.start.secs());
        let end = FlowEnd {
            end: Stamp(flow.stats.last),
            age: age(flow.stats.last),
            state: flow.state,
            reason: flow.reason.name(),
            alerted: flow.alerted,
            action: flow.action,
            exception_policy: flow.exception.map(ExceptionPart::new).into_iter().collect(),
        };
        FlowPart { ends: None, end: Some(end), ..FlowPart::so_far(&flow.stats) }
    }
}

/// `tcp` of a flow record: flags as two hex digits, and each flag seen by name.
#[derive(Debug, Serialize)]
pub struct TcpPart {
    tcp_flags: String,
    /// These two, and the state, are of both directions together.
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp_flags_ts: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp_flags_tc: Option<String>,
    #[serde(flatten)]
    seen: BTreeMap<&'static str, bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
}

const FLAGS: [(&str, u8); 8] = [
    ("fin", 0x01),
    ("syn", 0x02),
    ("rst", 0x04),
    ("psh", 0x08),
    ("ack", 0x10),
    ("urg", 0x20),
    ("ecn", 0x40),
    ("cwr", 0x80),
];

impl TcpPart {
    fn new(tcp: &crate::base::event::TcpSummary) -> TcpPart {
        let (ts, tc) = (tcp.flags[Dir::ToServer], tcp.flags[Dir::ToClient]);
        TcpPart {
            tcp_flags_ts: Some(format!("{ts:02x}")),
            tcp_flags_tc: Some(format!("{tc:02x}")),
            state: Some(tcp.state),
            ..TcpPart::of(ts | tc)
        }
    }

    fn one_way(tcp: &crate::base::event::TcpSummary, dir: Dir) -> TcpPart {
        TcpPart::of(tcp.flags[dir])
    }

    fn of(flags: u8) -> TcpPart {
        TcpPart {
            tcp_flags: format!("{flags:02x}"),
            tcp_flags_ts: None,
            tcp_flags_tc: None,
            seen: FLAGS.iter().filter(|(_, bit)| flags & bit != 0).map(|(name, _)| (*name, true)).collect(),
            state: None,
        }
    }
}
