//! What is wrong with a packet or a stream, under the names Suricata gives its decoder and stream events
//! (its `decoder-events.rules`, `stream-events.rules`, and the counters `decoder.event.*` of eve.json).
//!
//! Not every entry is raised by today's decoders: a rule may name any of them.

/// What a packet is worth once it shows the anomaly.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Remarkable, but the packet is what it says.
    Note,
    /// The packet cannot be decoded further; no session, and only rules for any packet see it.
    Invalid,
}

/// How to add one: one line below; rules find it by `decode-event:` or `stream-event:` and eve.json by the same name.
macro_rules! anomalies {
    ($($variant:ident = $kind:ident $effect:ident $name:literal;)*) => {
        #[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[repr(u16)]
        pub enum Anomaly { $($variant),* }

        impl Anomaly {
            pub const ALL: &'static [Anomaly] = &[$(Anomaly::$variant),*];

            /// The name after `decode-event:` or `stream-event:`.
            pub const fn name(self) -> &'static str {
                match self { $(Anomaly::$variant => $name),* }
            }

            pub const fn kind(self) -> AnomalyKind {
                match self { $(Anomaly::$variant => AnomalyKind::$kind),* }
            }

            pub const fn effect(self) -> Effect {
                match self { $(Anomaly::$variant => Effect::$effect),* }
            }
        }
    };
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum AnomalyKind {
    Decode,
    Stream,
}

impl AnomalyKind {
    /// As eve.json spells the anomaly's type.
    pub const fn name(self) -> &'static str {
        match self {
            AnomalyKind::Decode => "decode",
            AnomalyKind::Stream => "stream",
        }
    }

    /// What eve.json puts before the name of the event, with a dot between.
    pub const fn prefix(self) -> &'static str {
        match self {
            AnomalyKind::Decode => "decoder",
            AnomalyKind::Stream => "stream",
        }
    }
}

impl Anomaly {
    /// The anomaly that a rule names, with or without the kind's [prefix](AnomalyKind::prefix). A linear search: for
    /// set-up only.
    pub fn by_name(kind: AnomalyKind, name: &str) -> Option<Anomaly> {
        let bare = name.strip_prefix(kind.prefix()).and_then(|rest| rest.strip_prefix('.')).unwrap_or(name);
        Anomaly::ALL.iter().copied().find(|a| a.kind() == kind && a.name() == bare)
    }
}

anomalies! {
    Ipv4PktTooSmall = Decode Invalid "ipv4.pkt_too_small";
    Ipv4HlenTooSmall = Decode Invalid "ipv4.hlen_too_small";
    Ipv4IplenSmallerThanHlen = Decode Invalid "ipv4.iplen_smaller_than_hlen";
    Ipv4TruncPkt = Decode Invalid "ipv4.trunc_pkt";
    Ipv4OptInvalid = Decode Note "ipv4.opt_invalid";
    Ipv4OptInvalidLen = Decode Invalid "ipv4.opt_invalid_len";
    Ipv4OptMalformed = Decode Invalid "ipv4.opt_malformed";
    Ipv4OptPadRequired = Decode Note "ipv4.opt_pad_required";
    Ipv4OptEolRequired = Decode Note "ipv4.opt_eol_required";
    Ipv4OptDuplicate = Decode Note "ipv4.opt_duplicate";
    Ipv4OptUnknown = Decode Note "ipv4.opt_unknown";
    Ipv4WrongIpVersion = Decode Invalid "ipv4.wrong_ip_version";
    Ipv4Icmpv6 = Decode Note "ipv4.icmpv6";
    Ipv4UnknownProtocol = Decode Note "ipv4.unknown_protocol";
    Ipv4FragPktTooLarge = Decode Note "ipv4.frag_pkt_too_large";
    Ipv4FragOverlap = Decode Note "ipv4.frag_overlap";
    Ipv4FragIgnored = Decode Note "ipv4.frag_ignored";
    Icmpv4PktTooSmall = Decode Invalid "icmpv4.pkt_too_small";
    Icmpv4UnknownType = Decode Note "icmpv4.unknown_type";
    Icmpv4UnknownCode = Decode Note "icmpv4.unknown_code";
    Icmpv4Ipv4TruncPkt = Decode Note "icmpv4.ipv4_trunc_pkt";
    Icmpv4Ipv4UnknownVer = Decode Note "icmpv4.ipv4_unknown_ver";
    Icmpv6UnknownType = Decode Note "icmpv6.unknown_type";
    Icmpv6UnknownCode = Decode Note "icmpv6.unknown_code";
    Icmpv6PktTooSmall = Decode Invalid "icmpv6.pkt_too_small";
    Icmpv6Ipv6UnknownVersion = Decode Note "icmpv6.ipv6_unknown_version";
    Icmpv6Ipv6TruncPkt = Decode Note "icmpv6.ipv6_trunc_pkt";
    Icmpv6MldMessageWithInvalidHl = Decode Note "icmpv6.mld_message_with_invalid_hl";
    Icmpv6UnassignedType = Decode Note "icmpv6.unassigned_type";
    Icmpv6ExperimentationType = Decode Note "icmpv6.experimentation_type";
    Ipv6PktTooSmall = Decode Invalid "ipv6.pkt_too_small";
    Ipv6TruncPkt = Decode Invalid "ipv6.trunc_pkt";
    Ipv6TruncExthdr = Decode Invalid "ipv6.trunc_exthdr";
    Ipv6ExthdrDuplFh = Decode Note "ipv6.exthdr_dupl_fh";
    Ipv6ExthdrUselessFh = Decode Note "ipv6.exthdr_useless_fh";
    Ipv6ExthdrDuplRh = Decode Note "ipv6.exthdr_dupl_rh";
    Ipv6ExthdrDuplHh = Decode Note "ipv6.exthdr_dupl_hh";
    Ipv6ExthdrDuplDh = Decode Note "ipv6.exthdr_dupl_dh";
    Ipv6ExthdrDuplAh = Decode Note "ipv6.exthdr_dupl_ah";
    Ipv6ExthdrDuplEh = Decode Note "ipv6.exthdr_dupl_eh";
    Ipv6ExthdrInvalidOptlen = Decode Invalid "ipv6.exthdr_invalid_optlen";
    Ipv6WrongIpVersion = Decode Invalid "ipv6.wrong_ip_version";
    Ipv6ExthdrAhResNotNull = Decode Note "ipv6.exthdr_ah_res_not_null";
    Ipv6HopoptsUnknownOpt = Decode Note "ipv6.hopopts_unknown_opt";
    Ipv6HopoptsOnlyPadding = Decode Note "ipv6.hopopts_only_padding";
    Ipv6DstoptsUnknownOpt = Decode Note "ipv6.dstopts_unknown_opt";
    Ipv6DstoptsOnlyPadding = Decode Note "ipv6.dstopts_only_padding";
    Ipv6RhType0 = Decode Note "ipv6.rh_type_0";
    Ipv6ZeroLenPadn = Decode Note "ipv6.zero_len_padn";
    Ipv6FhNonZeroReservedField = Decode Note "ipv6.fh_non_zero_reserved_field";
    Ipv6DataAfterNoneHeader = Decode Note "ipv6.data_after_none_header";
    Ipv6UnknownNextHeader = Decode Note "ipv6.unknown_next_header";
    Ipv6Icmpv4 = Decode Note "ipv6.icmpv4";
    Ipv6FragPktTooLarge = Decode Note "ipv6.frag_pkt_too_large";
    Ipv6FragOverlap = Decode Note "ipv6.frag_overlap";
    Ipv6FragInvalidLength = Decode Note "ipv6.frag_invalid_length";
    Ipv6FragIgnored = Decode Note "ipv6.frag_ignored";
    Ipv6Ipv4InIpv6TooSmall = Decode Note "ipv6.ipv4_in_ipv6_too_small";
    Ipv6Ipv4InIpv6WrongVersion = Decode Note "ipv6.ipv4_in_ipv6_wrong_version";
    Ipv6Ipv6InIpv6TooSmall = Decode Note "ipv6.ipv6_in_ipv6_too_small";
    Ipv6Ipv6InIpv6WrongVersion = Decode Note "ipv6.ipv6_in_ipv6_wrong_version";
    TcpPktTooSmall = Decode Invalid "tcp.pkt_too_small";
    TcpHlenTooSmall = Decode Invalid "tcp.hlen_too_small";
    TcpInvalidOptlen = Decode Invalid "tcp.invalid_optlen";
    TcpOptInvalidLen = Decode Invalid "tcp.opt_invalid_len";
    TcpOptDuplicate = Decode Note "tcp.opt_duplicate";
    UdpPktTooSmall = Decode Invalid "udp.pkt_too_small";
    UdpHlenTooSmall = Decode Invalid "udp.hlen_too_small";
    UdpHlenInvalid = Decode Note "udp.hlen_invalid";
    UdpLenInvalid = Decode Invalid "udp.len_invalid";
    SctpPktTooSmall = Decode Invalid "sctp.pkt_too_small";
    EspPktTooSmall = Decode Invalid "esp.pkt_too_small";
    SllPktTooSmall = Decode Invalid "sll.pkt_too_small";
    Sll2PktTooSmall = Decode Invalid "sll2.pkt_too_small";
    EthernetPktTooSmall = Decode Invalid "ethernet.pkt_too_small";
    EthernetUnknownEthertype = Decode Note "ethernet.unknown_ethertype";
    PppPktTooSmall = Decode Invalid "ppp.pkt_too_small";
    PppVjuPktTooSmall = Decode Invalid "ppp.vju_pkt_too_small";
    PppIp4PktTooSmall = Decode Invalid "ppp.ip4_pkt_too_small";
    PppIp6PktTooSmall = Decode Invalid "ppp.ip6_pkt_too_small";
    PppWrongType = Decode Invalid "ppp.wrong_type";
    PppUnsupProto = Decode Note "ppp.unsup_proto";
    PppoePktTooSmall = Decode Invalid "pppoe.pkt_too_small";
    PppoeWrongCode = Decode Invalid "pppoe.wrong_code";
    PppoeMalformedTags = Decode Note "pppoe.malformed_tags";
    GrePktTooSmall = Decode Invalid "gre.pkt_too_small";
    GreWrongVersion = Decode Invalid "gre.wrong_version";
    GreVersion0Recur = Decode Invalid "gre.version0_recur";
    GreVersion0Flags = Decode Invalid "gre.version0_flags";
    GreVersion0HdrTooBig = Decode Invalid "gre.version0_hdr_too_big";
    GreVersion0MalformedSreHdr = Decode Invalid "gre.version0_malformed_sre_hdr";
    GreVersion1Chksum = Decode Invalid "gre.version1_chksum";
    GreVersion1Route = Decode Invalid "gre.version1_route";
    GreVersion1Ssr = Decode Invalid "gre.version1_ssr";
    GreVersion1Recur = Decode Invalid "gre.version1_recur";
    GreVersion1Flags = Decode Invalid "gre.version1_flags";
    GreVersion1NoKey = Decode Invalid "gre.version1_no_key";
    GreVersion1WrongProtocol = Decode Invalid "gre.version1_wrong_protocol";
    GreVersion1MalformedSreHdr = Decode Invalid "gre.version1_malformed_sre_hdr";
    GreVersion1HdrTooBig = Decode Invalid "gre.version1_hdr_too_big";
    VlanHeaderTooSmall = Decode Invalid "vlan.header_too_small";
    VlanUnknownType = Decode Note "vlan.unknown_type";
    VlanTooManyLayers = Decode Invalid "vlan.too_many_layers";
    Ieee8021ahHeaderTooSmall = Decode Invalid "ieee8021ah.header_too_small";
    VntagHeaderTooSmall = Decode Invalid "vntag.header_too_small";
    VntagUnknownType = Decode Note "vntag.unknown_type";
    EtagHeaderTooSmall = Decode Invalid "etag.header_too_small";
    EtagUnknownType = Decode Note "etag.unknown_type";
    IprawInvalidIpVersion = Decode Invalid "ipraw.invalid_ip_version";
    LtnullPktTooSmall = Decode Invalid "ltnull.pkt_too_small";
    LtnullUnsupportedType = Decode Invalid "ltnull.unsupported_type";
    MplsHeaderTooSmall = Decode Invalid "mpls.header_too_small";
    MplsPktTooSmall = Decode Invalid "mpls.pkt_too_small";
    MplsBadLabelRouterAlert = Decode Note "mpls.bad_label_router_alert";
    MplsBadLabelImplicitNull = Decode Note "mpls.bad_label_implicit_null";
    MplsBadLabelReserved = Decode Note "mpls.bad_label_reserved";
    MplsUnknownPayloadType = Decode Note "mpls.unknown_payload_type";
    VxlanUnknownPayloadType = Decode Note "vxlan.unknown_payload_type";
    GeneveUnknownPayloadType = Decode Note "geneve.unknown_payload_type";
    ErspanHeaderTooSmall = Decode Note "erspan.header_too_small";
    ErspanUnsupportedVersion = Decode Note "erspan.unsupported_version";
    ErspanTooManyVlanLayers = Decode Note "erspan.too_many_vlan_layers";
    DcePktTooSmall = Decode Invalid "dce.pkt_too_small";
    ChdlcPktTooSmall = Decode Invalid "chdlc.pkt_too_small";
    NshHeaderTooSmall = Decode Invalid "nsh.header_too_small";
    NshUnsupportedVersion = Decode Note "nsh.unsupported_version";
    NshBadHeaderLength = Decode Invalid "nsh.bad_header_length";
    NshReservedType = Decode Note "nsh.reserved_type";
    NshUnsupportedType = Decode Note "nsh.unsupported_type";
    NshUnknownPayload = Decode Note "nsh.unknown_payload";
    ArpPktTooSmall = Decode Invalid "arp.pkt_too_small";
    ArpUnsupportedHardware = Decode Note "arp.unsupported_hardware";
    ArpUnsupportedProtocol = Decode Note "arp.unsupported_protocol";
    ArpInvalidPkt = Decode Invalid "arp.invalid_pkt";
    ArpInvalidHardwareSize = Decode Invalid "arp.invalid_hardware_size";
    ArpInvalidProtocolSize = Decode Invalid "arp.invalid_protocol_size";
    ArpUnsupportedOpcode = Decode Note "arp.unsupported_opcode";
    TooManyLayers = Decode Invalid "too_many_layers";
    Stream3whsAckInWrongDir = Stream Note "3whs_ack_in_wrong_dir";
    Stream3whsAsyncWrongSeq = Stream Note "3whs_async_wrong_seq";
    Stream3whsRightSeqWrongAckEvasion = Stream Note "3whs_right_seq_wrong_ack_evasion";
    Stream3whsSynackInWrongDirection = Stream Note "3whs_synack_in_wrong_direction";
    Stream3whsSynackResendWithDifferentAck = Stream Note "3whs_synack_resend_with_different_ack";
    Stream3whsSynackResendWithDiffSeq = Stream Note "3whs_synack_resend_with_diff_seq";
    Stream3whsSynackToserverOnSynRecv = Stream Note "3whs_synack_toserver_on_syn_recv";
    Stream3whsSynackWithWrongAck = Stream Note "3whs_synack_with_wrong_ack";
    Stream3whsSynackFlood = Stream Note "3whs_synack_flood";
    Stream3whsSynackTfoDataIgnored = Stream Note "3whs_synack_tfo_data_ignored";
    Stream3whsSynResendDiffSeqOnSynRecv = Stream Note "3whs_syn_resend_diff_seq_on_syn_recv";
    Stream3whsSynToclientOnSynRecv = Stream Note "3whs_syn_toclient_on_syn_recv";
    Stream3whsSynFlood = Stream Note "3whs_syn_flood";
    Stream3whsWrongSeqWrongAck = Stream Note "3whs_wrong_seq_wrong_ack";
    Stream3whsAckDataInject = Stream Note "3whs_ack_data_inject";
    Stream4whsSynackWithWrongAck = Stream Note "4whs_synack_with_wrong_ack";
    Stream4whsSynackWithWrongSyn = Stream Note "4whs_synack_with_wrong_syn";
    Stream4whsWrongSeq = Stream Note "4whs_wrong_seq";
    Stream4whsInvalidAck = Stream Note "4whs_invalid_ack";
    StreamClosewaitAckOutOfWindow = Stream Note "closewait_ack_out_of_window";
    StreamClosewaitFinOutOfWindow = Stream Note "closewait_fin_out_of_window";
    StreamClosewaitPktBeforeLastAck = Stream Note "closewait_pkt_before_last_ack";
    StreamClosewaitInvalidAck = Stream Note "closewait_invalid_ack";
    StreamClosingAckWrongSeq = Stream Note "closing_ack_wrong_seq";
    StreamClosingInvalidAck = Stream Note "closing_invalid_ack";
    StreamEstPacketOutOfWindow = Stream Note "est_packet_out_of_window";
    StreamEstPktBeforeLastAck = Stream Note "est_pkt_before_last_ack";
    StreamEstSynackResend = Stream Note "est_synack_resend";
    StreamEstSynackResendWithDifferentAck = Stream Note "est_synack_resend_with_different_ack";
    StreamEstSynackResendWithDiffSeq = Stream Note "est_synack_resend_with_diff_seq";
    StreamEstSynackToserver = Stream Note "est_synack_toserver";
    StreamEstSynResend = Stream Note "est_syn_resend";
    StreamEstSynResendDiffSeq = Stream Note "est_syn_resend_diff_seq";
    StreamEstSynToclient = Stream Note "est_syn_toclient";
    StreamEstInvalidAck = Stream Note "est_invalid_ack";
    StreamFinInvalidAck = Stream Note "fin_invalid_ack";
    StreamFin1AckWrongSeq = Stream Note "fin1_ack_wrong_seq";
    StreamFin1FinWrongSeq = Stream Note "fin1_fin_wrong_seq";
    StreamFin1InvalidAck = Stream Note "fin1_invalid_ack";
    StreamFin2AckWrongSeq = Stream Note "fin2_ack_wrong_seq";
    StreamFin2FinWrongSeq = Stream Note "fin2_fin_wrong_seq";
    StreamFin2InvalidAck = Stream Note "fin2_invalid_ack";
    StreamFinButNoSession = Stream Note "fin_but_no_session";
    StreamFinOutOfWindow = Stream Note "fin_out_of_window";
    StreamFinSyn = Stream Note "fin_syn";
    StreamLastackAckWrongSeq = Stream Note "lastack_ack_wrong_seq";
    StreamLastackInvalidAck = Stream Note "lastack_invalid_ack";
    StreamRstButNoSession = Stream Note "rst_but_no_session";
    StreamTimewaitAckWrongSeq = Stream Note "timewait_ack_wrong_seq";
    StreamTimewaitInvalidAck = Stream Note "timewait_invalid_ack";
    StreamPktInvalidTimestamp = Stream Note "pkt_invalid_timestamp";
    StreamPktInvalidAck = Stream Note "pkt_invalid_ack";
    StreamPktBrokenAck = Stream Note "pkt_broken_ack";
    StreamPktRetransmission = Stream Note "pkt_retransmission";
    StreamPktBadWindowUpdate = Stream Note "pkt_bad_window_update";
    StreamRstInvalidAck = Stream Note "rst_invalid_ack";
    StreamShutdownSynResend = Stream Note "shutdown_syn_resend";
    StreamSuspectedRstInject = Stream Note "suspected_rst_inject";
    StreamWrongThread = Stream Note "wrong_thread";
    StreamReassemblySegmentBeforeBaseSeq = Stream Note "reassembly_segment_before_base_seq";
    StreamReassemblyNoSegment = Stream Note "reassembly_no_segment";
    StreamReassemblySeqGap = Stream Note "reassembly_seq_gap";
    StreamReassemblyOverlapDifferentData = Stream Note "reassembly_overlap_different_data";
    StreamReassemblyInsertMemcap = Stream Note "reassembly_insert_memcap";
    StreamReassemblyInsertLimit = Stream Note "reassembly_insert_limit";
    StreamReassemblyInsertInvalid = Stream Note "reassembly_insert_invalid";
    StreamReassemblyDepthReached = Stream Note "reassembly_depth_reached";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_anomaly_is_found_by_its_own_name_and_kind_only() {
        for &a in Anomaly::ALL {
            let other =
                if a.kind() == AnomalyKind::Decode { AnomalyKind::Stream } else { AnomalyKind::Decode };
            assert_eq!(Anomaly::by_name(a.kind(), a.name()), Some(a), "{}", a.name());
            assert_eq!(Anomaly::by_name(other, a.name()), None, "{}", a.name());
            let full = format!("{}.{}", a.kind().prefix(), a.name());
            assert_eq!(Anomaly::by_name(a.kind(), &full), Some(a), "{full}");
        }
        assert_eq!(Anomaly::by_name(AnomalyKind::Decode, "ipv4.no_such_event"), None);
    }
}
