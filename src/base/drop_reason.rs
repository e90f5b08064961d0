//! Every reason for which a frame is dropped: one entry here is one counter, one eve.json string and one
//! line of `weir ctl drops`.

/// How to add a reason: one line below.
macro_rules! drop_reasons {
    ($($variant:ident = $name:literal, $help:literal;)*) => {
        #[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum DropReason { $(#[doc = $help] $variant),* }

        impl DropReason {
            pub const ALL: &'static [DropReason] = &[$(DropReason::$variant),*];
            pub const COUNT: usize = Self::ALL.len();

            /// As eve.json, metrics and `weir ctl drops` spell it.
            pub const fn name(self) -> &'static str {
                match self { $(DropReason::$variant => $name),* }
            }

            pub const fn help(self) -> &'static str {
                match self { $(DropReason::$variant => $help),* }
            }

            pub const fn index(self) -> usize {
                self as usize
            }

            /// It counts at the port that the frame was to leave by; every other at the one that it came in by.
            pub const fn at_exit(self) -> bool {
                matches!(self, DropReason::TransmitFull)
            }
        }
    };
}

drop_reasons! {
    // decode
    Malformed = "malformed", "a header is cut short, contradicts itself or has an impossible length";
    UnknownLinkType = "unknown_link_type", "the port's link type has no decoder";
    NonIp = "non_ip", "not IP, and the pair passes only IP (`non-ip = \"drop\"`)";
    TooLong = "too_long", "the frame is longer than 65,535 bytes of IP can be";
    // defragmentation
    FragmentOverlapV6 = "frag_overlap_v6", "IPv6 fragments overlap (RFC 5722): the whole datagram goes";
    FragmentTooLarge = "frag_too_large", "a fragment reaches past 65,535 bytes";
    FragmentInvalid = "frag_invalid", "a fragment of zero length, past the last one, not a multiple of 8, that cuts TCP's header, behind headers too long, or of a datagram with another fragment header in it";
    IpChecksum = "ip_checksum", "the IPv4 header's checksum is wrong, of a fragment or of what has to be cut";
    FragmentTimeout = "frag_timeout", "the datagram was not completed in time";
    FragmentDatagramCap = "frag_datagram_cap", "one datagram holds more pieces or bytes than it may, or too many of its fragments were refused";
    FragmentSourceCap = "frag_source_cap", "one source holds more fragment memory than it may";
    FragmentMemoryCap = "frag_memory_cap", "the worker holds as much fragment memory as it may";
    FragmentDuplicate = "frag_duplicate", "a fragment that brings no new byte";
    PacketTooBig = "pkt_too_big", "larger than the MTU of the port it leaves by, and must not be cut (DF, IPv6)";
    // sessions and streams
    SessionTableFull = "session_table_full", "no slot for a new session, by the policy drop-new";
    StreamInvalid = "stream_invalid", "the segment does not belong to its TCP session's state or window";
    TcpChecksum = "tcp_checksum", "the checksum of a TCP segment, or of its IPv4 header, is wrong: its receiver would not take it";
    StreamMemoryCap = "stream_memory_cap", "the worker follows as many streams as it may";
    StreamReassemblyCap = "stream_reassembly", "the worker holds as much stream memory as it may";
    StreamInsertLimit = "stream_insert_limit", "too far ahead of what was inspected, one hole more than a stream may have, or data of a SYN when half of the streams are taken";
    StreamMidstream = "stream_midstream", "the beginning of its TCP session was not seen";
    // applications
    AppLayerError = "applayer_error", "a decoder met bytes that are not of the session's protocol";
    // rules
    RuleDrop = "rules", "a rule with the action drop";
    RuleReject = "rules_reject", "a rule with the action reject";
    SessionDropped = "flow_drop", "the session was settled as dropped by an earlier packet";
    InspectionBudget = "inspection_budget", "the work a packet may cost was spent before all rules were evaluated";
    Killed = "killed", "an operator ended its session (`weir ctl sessions kill`)";
    IpAction = "ip_action", "an IP action that a rule asked for is in force against its source, destination, port or service";
    // service sets and plugins
    PluginDiscard = "plugin", "a plugin discarded it";
    ServiceInactive = "service_inactive", "its service set has not all of its policies yet, and the inactive-action of its pair or set is drop";
    PluginOut = "plugin_out", "a plugin of its service set was taken out, and its on-fault policy is drop";
    HoldTimeout = "hold_timeout", "it was held, and what it waited for, a plugin's decision or bytes in front of it, did not come in time";
    HoldCap = "hold_cap", "it was to be held, and as many frames are held as may be";
    HoldSessionEnded = "hold_session_ended", "its session ended while a plugin held it";
    // queues and memory
    RingFull = "ring_full", "the ring to a worker is full";
    HandoverFull = "handover_full", "the ring between two workers is full";
    NoBuffer = "no_buffer", "a pool is empty";
    LcoreFailed = "lcore_failed", "an lcore that had the frame ended by a panic";
    TransmitFull = "tx_full", "the port did not take the frame";
    TransmitSegments = "tx_segments", "the frame has more segments than the port can send and could not be compacted";
    NoPeer = "no_peer", "the port it came in by has no other side to leave by";
    Shutdown = "shutdown", "still on its way when the appliance stopped";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_indices_dense() {
        let names: std::collections::HashSet<_> = DropReason::ALL.iter().map(|r| r.name()).collect();
        assert_eq!(names.len(), DropReason::COUNT);
        assert!(DropReason::ALL.iter().enumerate().all(|(i, r)| r.index() == i));
    }
}
