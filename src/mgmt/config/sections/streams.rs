//! `[streams]`.

use super::Overlap;
use crate::mgmt::config::Profile;
use crate::mgmt::config::value::{Auto, Bytes, Within, words};
use crate::mgmt::config::visit::{Section, Visitor};
words! {
    /// What becomes of the byte that TCP's urgent pointer names.
    Urgent {
        OutOfBand = "out-of-band",
        Inline = "inline",
        Cleared = "cleared",
    }
}

words! {
    /// What becomes of a segment that comes before those in front of it.
    OutOfOrder {
        Forward = "forward",
        Hold = "hold",
    }
}

words! {
    /// When bytes of a stream are inspected.
    Inspect {
        /// In the packet that brings them.
        Inline = "inline",
        /// Once the receiver has acknowledged them, in chunks.
        Acknowledged = "acknowledged",
    }
}

#[derive(Clone, Debug)]
pub struct Streams {
    pub inspect: Inspect,
    pub chunk: u32,
    pub depth: Bytes,
    pub lookback: u32,
    pub ahead: Bytes,
    pub memory: Bytes,
    pub streams: u32,
    pub policy: Overlap,
    pub urgent: Urgent,
    pub out_of_order: OutOfOrder,
    pub drop_invalid: bool,
    pub checksum_validation: Auto<bool>,
}

impl Streams {
    pub fn of(profile: Profile) -> Streams {
        let (inspect, policy, urgent) = match profile {
            Profile::Suricata => (Inspect::Acknowledged, Overlap::Bsd, Urgent::OutOfBand),
            Profile::Inline => (Inspect::Inline, Overlap::First, Urgent::Cleared),
        };
        Streams {
            inspect,
            chunk: 2560,
            depth: Bytes::mib(1),
            lookback: 2560,
            ahead: Bytes::mib(1),
            memory: Bytes::mib(256),
            streams: 1 << 18,
            policy,
            urgent,
            out_of_order: OutOfOrder::Forward,
            drop_invalid: true,
            checksum_validation: Auto::Auto,
        }
    }
}

impl Section for Streams {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.value(
            "inspect",
            "\"inline\": bytes are inspected in the packet that brings them, before it leaves. \"acknowledged\": once the\n\
             receiver has acknowledged them, as Suricata does when it only listens.",
            &mut self.inspect,
        );
        v.value(
            "chunk",
            "With \"acknowledged\": bytes that must wait before they are inspected.",
            &mut Within(&mut self.chunk, 0..=1 << 20).of("bytes"),
        );
        v.live(
            "depth",
            "Bytes of each direction of a TCP session that are inspected; 0 for all.",
            &mut self.depth,
        );
        v.value(
            "lookback",
            "Inspected bytes kept before fresh ones, so that a match over the border is found.",
            &mut Within(&mut self.lookback, 64..=1 << 16).of("bytes"),
        );
        v.live("ahead", "How far a direction may run before its inspected bytes.", &mut self.ahead);
        v.value("memory", "Bytes that data waiting for inspection may hold on one worker.", &mut self.memory);
        v.value(
            "streams",
            "Directions with payload that one worker follows at once.",
            &mut Within(&mut self.streams, 64..=1 << 26).of("directions of sessions"),
        );
        v.live(
            "policy",
            "Which of two overlapping segments holds where neither was inspected or acknowledged: as in [fragments].\n\
             [host-os-policy] says otherwise by destination. A line that drops lets no second version of a byte pass.",
            &mut self.policy,
        );
        v.live(
            "urgent",
            "The byte that the urgent pointer names: \"out-of-band\" is no part of the stream, \"inline\" stays in it. \"cleared\": in mode ips\n\
             the urgent flag is taken from what leaves, so that the receiver reads it in its place; in other modes as \"out-of-band\".",
            &mut self.urgent,
        );
        v.live(
            "out-of-order",
            "A segment that comes before those in front of it: \"forward\" lets it go on, its bytes kept for inspection; \"hold\" keeps\n\
             it until they have come, in mode ips, within the hold- settings of [services] and 32 a session. The receiver's\n\
             duplicate acknowledgements then fail to come, and the sender learns of a loss by its own timer only.",
            &mut self.out_of_order,
        );
        v.live(
            "drop-invalid",
            "Whether payload that does not belong to its TCP session's state or windows is dropped in mode ips (stream_invalid), as by\n\
             Suricata's stream.drop-invalid. No stream takes it, so no rule over streams or decoders has looked at it; a receiver may\n\
             see the session otherwise and take it.",
            &mut self.drop_invalid,
        );
        v.live(
            "checksum-validation",
            "Whether TCP segments with a wrong checksum, or a wrong one in their IPv4 header, are kept from sessions and, in mode ips,\n\
             dropped (tcp_checksum): their receiver does not take them. Rules still look at the packet. \"auto\": a port's first 100\n\
             segments pass, and if more than 10 of them are wrong (hosts beside it leave checksums to a NIC), so do all others.\n\
             `weir replay`: \"auto\" is false, -k all is true.",
            &mut self.checksum_validation,
        );
    }
}
