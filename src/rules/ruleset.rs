//! The compiled rule set: what `inspect` evaluates and `mgmt` prints. Immutable, shared, numbered by generation.

pub use super::alerting::{
    RateFilter, Suppress, SuppressSide, Tag, TagOf, TagUnit, Target, Threshold, ThresholdKind, Track,
    UniqueOn,
};
pub use super::app::{AppProto, Protos};
pub use super::context::BufferId;
use super::dataset;
pub use super::field::{FieldId, FieldTest, Occurrence};
pub use super::flowint::{FlowintOp, FlowintVerb};
use super::geo::GeoTest;
use super::reputation::ReputationTest;
use super::state::StateTest;
pub use super::step::*;
pub use super::transform::Transform;
use super::windows::Windows;
use crate::base::interval::IntervalSet;
use crate::base::{Anomaly, Dir, Family, Generation, RuleIndex};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// What a rule asks for, in Suricata's default order of precedence.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Action {
    Pass,
    Drop,
    /// Reset or unreachable to the source (`reject`, `rejectsrc`), to the destination, or to both.
    Reject(RejectTo),
    Alert,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RejectTo {
    Source,
    Destination,
    Both,
    /// Whoever opened the session, and whom it was opened to, whichever sent the packet.
    Client,
    Server,
}

/// The protocol word of a rule.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RuleProtocol {
    /// Any packet, even one that could not be decoded (`pkthdr`).
    Packet,
    /// `ether`: any frame with an Ethernet header.
    Ethernet,
    Arp,
    /// `ip`: either family.
    Ip,
    Ipv4,
    Ipv6,
    /// Packets and, for contents without offset or depth, the stream.
    Tcp,
    /// `tcp-pkt`: packets only.
    TcpPacket,
    /// `tcp-stream`: the reassembled stream only.
    TcpStream,
    Udp,
    /// An application protocol that both carry.
    TcpOrUdp,
    /// `icmp`: either family.
    Icmp,
    Icmpv4,
    Icmpv6,
    Sctp,
    /// IPv4 packets with IGMP.
    Igmp,
}

/// Addresses of both families; an IPv4 address never matches an IPv6 one of the same bits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AddrSet {
    pub v4: IntervalSet<u32>,
    pub v6: IntervalSet<u128>,
}

/// One side of a rule's header. Sets are shared between rules that say the same.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// `None` is `any`.
    pub addresses: Option<Arc<AddrSet>>,
    /// `None` is `any`.
    pub ports: Option<Arc<IntervalSet<u16>>>,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FlowState {
    Established,
    NotEstablished,
    Stateless,
}

/// `flow:`; `None` where the rule says nothing.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowMatch {
    pub dir: Option<Dir>,
    pub state: Option<FlowState>,
    /// `only_stream` (true) or `no_stream` (false).
    pub stream: Option<bool>,
    /// `only_frag` (true) or `no_frag` (false).
    pub fragment: Option<bool>,
}

/// An inclusive range of numbers, as `dsize:`, `ttl:`, `itype:` and their like write it; `negated` for `!`.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumRange {
    pub low: u64,
    pub high: u64,
    pub negated: bool,
    /// Bits that are compared.
    pub mask: u64,
}

impl NumRange {
    /// Over all bits.
    pub const fn new(low: u64, high: u64, negated: bool) -> NumRange {
        NumRange { low, high, negated, mask: u64::MAX }
    }

    pub fn contains(&self, value: u64) -> bool {
        (self.low..=self.high).contains(&(value & self.mask)) != self.negated
    }

    /// No larger number can be so.
    pub fn most(&self) -> u64 {
        if self.negated || self.mask != u64::MAX { u64::MAX } else { self.high }
    }
}

/// A cheap test of a packet's decoded fields or its session's counts; all of a rule's must hold.
///
/// To add one: a variant here, its parser in `rules/keyword/`, its test in `inspect/check.rs`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Check {
    PayloadSize(NumRange),
    TcpFlags(TcpFlagsTest),
    TcpSeq(NumRange),
    TcpAck(NumRange),
    TcpWindow(NumRange),
    TcpMss(NumRange),
    TcpWindowScale(NumRange),
    IcmpType(NumRange),
    IcmpCode(NumRange),
    IcmpId(NumRange),
    IcmpSeq(NumRange),
    /// The MTU of an ICMPv6 packet-too-big message.
    Icmpv6Mtu(NumRange),
    Ttl(NumRange),
    Tos(NumRange),
    /// Any of the ranges that is not negated, if there is one, and all that are.
    IpProto(Box<[NumRange]>),
    IpId(NumRange),
    /// An IPv4 option of this type; `None` is `any`.
    IpOption(Option<u8>),
    FragBits(FragBitsTest),
    /// The IPv4 fragment offset as the header has it, in units of 8 bytes.
    FragOffset(NumRange),
    SameIp,
    Anomaly(Anomaly),
    Checksum {
        of: ChecksumOf,
        valid: bool,
    },
    VlanId {
        layer: VlanLayer,
        id: NumRange,
    },
    VlanLayers(NumRange),
    SctpVerificationTag(NumRange),
    SctpChunkCount(NumRange),
    /// Of any chunk in the packet.
    SctpChunkType(NumRange),
    /// Of an IGMP message.
    IgmpType(NumRange),
    Rpc(RpcTest),
    /// The network that the packet's own VXLAN header names (RFC 7348).
    VxlanNetwork(NumRange),
    /// Whole seconds since the session's first packet.
    FlowAge(NumRange),
    FlowPackets {
        side: Side,
        count: NumRange,
    },
    FlowBytes {
        side: Side,
        count: NumRange,
    },
    /// TCP payload bytes by sequence numbers; the client's are those sent to the server.
    StreamSize {
        side: Side,
        bytes: NumRange,
    },
    /// `tcp:flow_start` and its like: the first packet of a direction of the session.
    FlowStart,
    /// `iprep:`
    Reputation(Box<ReputationTest>),
    /// `geoip:`
    Country(Box<GeoTest>),
    /// What only a decoder knows.
    App(Box<AppCheck>),
}

/// A check of what a decoder found in a session. Without a decoder none of them holds, negated or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum AppCheck {
    Field {
        field: FieldId,
        test: FieldTest,
        which: Occurrence,
    },
    /// `app-layer-event:`
    Event(Box<str>),
    /// `app-layer-protocol:`
    Protocol {
        protos: ProtocolWords,
        negated: bool,
        side: ProtocolSide,
    },
    /// `app-layer-state:` or the hook of a rule's protocol word (`tls:client_hello_done`).
    State {
        name: Box<str>,
        test: StateTest,
    },
    /// Something that this version does not have: `filestore`, ...
    Facility(Facility),
}

/// What `app-layer-protocol` names: any of these will do.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtocolWords {
    pub named: Protos,
    /// Not found out yet.
    pub unknown: bool,
    /// Will not be found out.
    pub failed: bool,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProtocolSide {
    /// The packet's direction.
    Direction,
    ToServer,
    ToClient,
    Either,
    Both,
    /// The session's protocol, once it is settled.
    Final,
    /// What it was before an upgrade.
    Original,
}

/// Parts of the engine that rules ask for and this version does not have.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Facility {
    IpReputation,
    FileStore,
}

impl Facility {
    pub const ALL: [Facility; 2] = [Facility::IpReputation, Facility::FileStore];

    pub fn name(self) -> &'static str {
        match self {
            Facility::IpReputation => "IP reputation",
            Facility::FileStore => "file store",
        }
    }
}

/// `rpc:` a call of ONC RPC (RFC 5531) in the packet's payload.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RpcTest {
    pub program: u32,
    /// `None` is any.
    pub version: Option<u32>,
    pub procedure: Option<u32>,
}

/// Which of a packet's VLAN tags.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VlanLayer {
    Any,
    /// All of them, and at least one.
    All,
    /// Counted from the outermost (0) or, negative, from the innermost (-1).
    At(i8),
}

/// Which direction's counter a check reads.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Side {
    One(Dir),
    /// One of the two is so.
    Either,
    /// Their sum for `flow.*`; each of the two for `stream_size`.
    Both,
}

/// `flags:`; how the bits under `mask` must compare with `value`.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpFlagsTest {
    pub value: u8,
    /// Bits looked at: all eight less the ignored ones.
    pub mask: u8,
    pub how: FlagsCompare,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FlagsCompare {
    Exactly,
    /// `+`
    AllOf,
    /// `*`
    AnyOf,
    /// `!`
    NoneOf,
}

/// `fragbits:` over the three bits above the IPv4 fragment offset.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FragBitsTest {
    /// Of [`FRAG_RESERVED`], [`FRAG_DONT`] and [`FRAG_MORE`].
    pub value: u8,
    pub how: FlagsCompare,
}

pub const FRAG_RESERVED: u8 = 4;
pub const FRAG_DONT: u8 = 2;
pub const FRAG_MORE: u8 = 1;

/// What a `*-csum` keyword verifies.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChecksumOf {
    Ipv4Header,
    Tcp(Family),
    Udp(Family),
    Icmp(Family),
    Igmp,
}

/// The named buffers that contents look into.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Context {
    /// A packet's payload, or the stream's bytes: see [`PayloadScope`].
    Payload,
    EtherHeader,
    Ipv4Header,
    Ipv6Header,
    /// 4 or 16 bytes.
    IpSource,
    IpDestination,
    TcpHeader,
    UdpHeader,
    Icmpv4Header,
    Icmpv6Header,
    /// A whole IGMP message.
    IgmpHeader,
    SctpHeader,
    /// The user data of each SCTP DATA chunk, one buffer a chunk.
    SctpChunkData,
    /// A decoder's.
    App(BufferId),
}

/// Where [`Context::Payload`] is looked for.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PayloadScope {
    Packet,
    Stream,
    /// Whichever has it.
    Both,
}

/// The content that the prefilter looks for; a rule without one is checked on every packet its group sees.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FastPattern {
    /// Index into [`Rule::buffers`].
    pub buffer: u16,
    /// Index into the buffer's steps; always a content that is not negated.
    pub step: u16,
    /// `fast_pattern:offset,length`: the part of the pattern to look for.
    pub chop: Option<(u16, u16)>,
    /// `fast_pattern:only`: found by the prefilter is found.
    pub only: bool,
}

/// `flowbits:`; names are numbered over the whole set.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BitAction {
    Set,
    Unset,
    Toggle,
    IsSet,
    IsNotSet,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowbitOp {
    pub action: BitAction,
    /// More than one for `isset,a|b`: any of them.
    pub bits: Box<[u32]>,
}

/// Whose bit an `xbits` or `hostbits` is.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum HostBitTrack {
    Source,
    Destination,
    /// Both addresses, whichever the direction.
    Pair,
    /// No host's: the transaction's at which the rule matches.
    Transaction,
}

/// `xbits:` or `hostbits:`; names are numbered over the whole set, the two keywords apart ([`RuleSet::host_bits`]).
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostBitOp {
    pub action: BitAction,
    pub bit: u32,
    pub track: HostBitTrack,
    /// How long a set bit stays.
    pub expire: Duration,
}

/// Where a rule was written.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Index into [`RuleSet::files`].
    pub file: u32,
    pub line: u32,
}

/// One compiled rule.
#[derive(Clone, Debug)]
pub struct Rule {
    pub gid: u32,
    pub sid: u32,
    pub rev: u32,
    pub action: Action,
    pub msg: String,
    /// The class's description, or empty.
    pub category: Arc<str>,
    /// 1 is the most severe.
    pub priority: u32,
    pub references: Box<[(Arc<str>, Arc<str>)]>,
    pub metadata: Box<[(Arc<str>, Arc<str>)]>,
    pub protocol: RuleProtocol,
    /// Application protocols one of which the session must have; none where any will do.
    pub app: Protos,
    pub src: Endpoint,
    pub dst: Endpoint,
    /// `<>`
    pub both_ways: bool,
    /// `=>`: buffers of a transaction's request and of its response.
    pub whole_transaction: bool,
    pub flow: FlowMatch,
    pub checks: Box<[Check]>,
    pub scope: PayloadScope,
    pub buffers: Box<[BufferMatch]>,
    pub fast_pattern: Option<FastPattern>,
    pub flowbits: Box<[FlowbitOp]>,
    pub flowints: Box<[FlowintOp]>,
    pub threshold: Option<Threshold>,
    pub detection_filter: Option<Threshold>,
    /// Of threshold.config, as `rate_filter` is.
    pub suppress: Vec<Suppress>,
    pub rate_filter: Option<RateFilter>,
    /// `xbits`, then `hostbits`.
    pub host_bits: Box<[HostBitOp]>,
    pub tags: Vec<Tag>,
    pub target: Option<Target>,
    /// `bypass`: after a match the session needs no more inspection.
    pub bypass: bool,
    /// `mark_dscp`: the code point (six bits, RFC 2474) that a packet it matches leaves with.
    pub mark_dscp: Option<u8>,
    /// `config`: the transaction that it matches gets no record of its own.
    pub unlogged: bool,
    /// `noalert`: acts, sets bits, writes nothing.
    pub noalert: bool,
    /// `alert`: a pass rule that writes an alert too.
    pub alert: bool,
    pub source: Source,
    /// The rule as written, for `weir rules show` and eve.json's `rule` field.
    pub text: Arc<str>,
}

/// All rules of one generation, in the order in which they are evaluated: by action, flowbits, priority, then as loaded.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    pub generation: Generation,
    pub rules: Box<[Rule]>,
    /// Names of the flowbits, by number.
    pub flowbits: Vec<String>,
    /// Names of the host bits, by number.
    pub host_bits: Vec<String>,
    /// Names of the sessions' counters, by number.
    pub flowints: Vec<String>,
    /// Chains of transformations; [`BufferMatch::transforms`] is an index, and number 0 the empty chain.
    pub transforms: Vec<Box<[Transform]>>,
    pub files: Vec<String>,
    /// What the rules' datasets are, and sets of earlier rules that are still to be written.
    pub datasets: Vec<Arc<dataset::Set>>,
    /// What a saved set tells the matchers; none in one compiled from text.
    pub windows: Windows,
}

impl RuleSet {
    pub fn rule(&self, index: RuleIndex) -> Option<&Rule> {
        self.rules.get(index.index())
    }

    /// The transformations of a buffer.
    pub fn transforms(&self, buffer: &BufferMatch) -> &[Transform] {
        self.transforms.get(usize::from(buffer.transforms)).map_or(&[], |chain| chain)
    }
}
