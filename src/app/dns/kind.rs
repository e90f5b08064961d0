//! What differs between DNS and its multicast kin: the buffers' and events' names.

use crate::rules::app::AppProto;
use crate::rules::context::{self, BufferId};

/// Events of one protocol.
pub(super) struct Events {
    pub(super) malformed_data: &'static str,
    pub(super) not_request: &'static str,
    pub(super) not_response: &'static str,
    pub(super) z_flag_set: &'static str,
    pub(super) invalid_opcode: &'static str,
    pub(super) name_too_long: &'static str,
    pub(super) infinite_loop: &'static str,
    pub(super) too_many_labels: &'static str,
    pub(super) invalid_additionals: &'static str,
    pub(super) invalid_authorities: &'static str,
}

pub struct Kind {
    pub(super) proto: AppProto,
    /// Names asked for in requests alone.
    pub(super) query: Option<BufferId>,
    /// Names of questions, answers, authorities, additionals.
    pub(super) names: [BufferId; 4],
    /// All names of a response, those in records' data too.
    pub(super) response: BufferId,
    pub(super) frame: Option<BufferId>,
    pub(super) events: Events,
}

macro_rules! kind {
    ($proto:ident, $name:literal, $query:expr, $frame:expr) => {
        Kind {
            proto: AppProto::$proto,
            query: $query,
            names: [
                context::id(concat!($name, ".queries.rrname")),
                context::id(concat!($name, ".answers.rrname")),
                context::id(concat!($name, ".authorities.rrname")),
                context::id(concat!($name, ".additionals.rrname")),
            ],
            response: context::id(concat!($name, ".response.rrname")),
            frame: $frame,
            events: Events {
                malformed_data: concat!($name, ".malformed_data"),
                not_request: concat!($name, ".not_request"),
                not_response: concat!($name, ".not_response"),
                z_flag_set: concat!($name, ".z_flag_set"),
                invalid_opcode: concat!($name, ".invalid_opcode"),
                name_too_long: concat!($name, ".name_too_long"),
                infinite_loop: concat!($name, ".infinite_loop"),
                too_many_labels: concat!($name, ".too_many_labels"),
                invalid_additionals: concat!($name, ".invalid_additionals"),
                invalid_authorities: concat!($name, ".invalid_authorities"),
            },
        }
    };
}

/// Unicast DNS (RFC 1035), over HTTPS too.
pub static DNS: Kind = kind!(Dns, "dns", Some(context::id("dns.query")), Some(context::id("dns.pdu")));
/// Multicast DNS (RFC 6762).
pub(super) static MDNS: Kind = kind!(Mdns, "mdns", None, None);
/// Link-Local Multicast Name Resolution (RFC 4795).
pub(super) static LLMNR: Kind = kind!(Llmnr, "llmnr", None, None);
