//! The chain of IPv6 extension headers (RFC 8200, section 4): where it ends, and what is odd on the way.

use super::{Decoded, MAX_EXTENSION_HEADERS, tail};
use crate::base::Anomaly;
use crate::wire::ip_proto;
use crate::wire::ipv6::{self, Extension, FragmentHeader, Options, option};

/// The end of a chain.
#[derive(Copy, Clone, Debug, Default)]
pub(super) struct Upper {
    /// The upper protocol; 44 for a fragment, whose upper protocol is only known once it is whole.
    pub(super) proto: u8,
    /// Bytes of extension headers behind the fixed header.
    pub(super) skipped: usize,
    pub(super) fragment: Option<FragmentHeader>,
    /// Where, from the fixed header's first byte, stands the number that announced the last header.
    pub(super) named_at: usize,
}

/// Destination options may stand twice: before a routing header and last.
const DESTINATION_HEADERS: u8 = 2;

/// Offset of the next-header field in the fixed header.
const NEXT_HEADER_AT: usize = 6;

/// Steps over the chain without judging it. `None` when it is cut short or too long.
pub(super) fn skip(payload: &[u8], first: u8) -> Option<Upper> {
    let mut upper = Upper { proto: first, skipped: 0, fragment: None, named_at: NEXT_HEADER_AT };
    for _ in 0..MAX_EXTENSION_HEADERS {
        if !ipv6::is_extension(upper.proto) {
            return Some(upper);
        }
        let header = Extension::parse(upper.proto, tail(payload, upper.skipped)).ok()?;
        if advance(&mut upper, &header) {
            return Some(upper);
        }
    }
    None
}

/// Moves behind `header`; whether it was that of a true fragment, where the chain ends.
fn advance(upper: &mut Upper, header: &Extension<'_>) -> bool {
    let at = upper.skipped;
    upper.skipped += header.bytes.len();
    if header.kind == ip_proto::FRAGMENT
        && let Ok(fragment) = FragmentHeader::parse(header.bytes)
        && !fragment.is_atomic()
    {
        upper.fragment = Some(fragment);
        return true;
    }
    (upper.proto, upper.named_at) = (header.next_header, ipv6::HEADER_LEN + at);
    false
}

/// As [`skip`], and raises what is odd. On `Err`, `out` has the last header that was whole as its protocol.
#[cold]
pub(super) fn walk(payload: &[u8], first: u8, out: &mut Decoded) -> Result<Upper, Anomaly> {
    let mut upper = Upper { proto: first, skipped: 0, fragment: None, named_at: NEXT_HEADER_AT };
    let mut seen = Seen::default();
    for _ in 0..MAX_EXTENSION_HEADERS {
        let header = Extension::parse(upper.proto, tail(payload, upper.skipped))?;
        set_proto(out, header.kind, ipv6::HEADER_LEN + upper.skipped + header.bytes.len());
        seen.judge(&header, out);
        inspect(&header, out)?;
        if advance(&mut upper, &header) {
            return Ok(upper);
        }
        let rest = tail(payload, upper.skipped);
        match upper.proto {
            ip_proto::NO_NEXT => {}
            // A header that announces another must be followed by some of it.
            _ if rest.is_empty() => return Err(Anomaly::Ipv6TruncExthdr),
            next if ipv6::is_extension(next) => continue,
            _ => {}
        }
        set_proto(out, upper.proto, ipv6::HEADER_LEN + upper.skipped);
        return Ok(upper);
    }
    Err(Anomaly::TooManyLayers)
}

/// The protocol in force.
fn set_proto(out: &mut Decoded, proto: u8, header_len: usize) {
    out.tuple.proto = proto;
    if let Some(ip) = &mut out.ip {
        ip.proto = proto;
        ip.header_len = header_len as u16;
    }
}

/// How often each kind of header came.
#[derive(Default)]
struct Seen {
    hop_by_hop: u8,
    routing: u8,
    fragment: u8,
    destination: u8,
    authentication: u8,
}

impl Seen {
    fn judge(&mut self, header: &Extension<'_>, out: &mut Decoded) {
        let (count, allowed, anomaly) = match header.kind {
            ip_proto::HOP_BY_HOP => (&mut self.hop_by_hop, 1, Anomaly::Ipv6ExthdrDuplHh),
            ip_proto::ROUTING => (&mut self.routing, 1, Anomaly::Ipv6ExthdrDuplRh),
            ip_proto::FRAGMENT => (&mut self.fragment, 1, Anomaly::Ipv6ExthdrDuplFh),
            ip_proto::DESTINATION => (&mut self.destination, DESTINATION_HEADERS, Anomaly::Ipv6ExthdrDuplDh),
            ip_proto::AH => (&mut self.authentication, 1, Anomaly::Ipv6ExthdrDuplAh),
            _ => return,
        };
        *count = count.saturating_add(1);
        if *count > allowed {
            out.raise(anomaly);
        }
    }
}

fn inspect(header: &Extension<'_>, out: &mut Decoded) -> Result<(), Anomaly> {
    match header.kind {
        ip_proto::HOP_BY_HOP => {
            options(header, Anomaly::Ipv6HopoptsUnknownOpt, Anomaly::Ipv6HopoptsOnlyPadding, out)?;
        }
        ip_proto::DESTINATION => {
            options(header, Anomaly::Ipv6DstoptsUnknownOpt, Anomaly::Ipv6DstoptsOnlyPadding, out)?;
        }
        // Deprecated, for it makes a packet travel in circles (RFC 5095).
        ip_proto::ROUTING if header.bytes.get(2) == Some(&0) => out.raise(Anomaly::Ipv6RhType0),
        ip_proto::FRAGMENT => {
            let fragment = FragmentHeader::parse(header.bytes)?;
            if fragment.reserved != 0 {
                out.raise(Anomaly::Ipv6FhNonZeroReservedField);
            }
            if fragment.is_atomic() {
                out.raise(Anomaly::Ipv6ExthdrUselessFh);
            }
        }
        ip_proto::AH if header.bytes.get(2..4) != Some(&[0, 0]) => out.raise(Anomaly::Ipv6ExthdrAhResNotNull),
        ip_proto::MOBILITY | ip_proto::HIP | ip_proto::SHIM6 => out.raise(Anomaly::Ipv6UnknownNextHeader),
        _ => {}
    }
    Ok(())
}

/// Options of a hop-by-hop or destination header. A jumbo payload option (RFC 2675) is refused: its packet is longer
/// than any frame Weir takes, or its length contradicts the fixed header's.
fn options(
    header: &Extension<'_>,
    unknown: Anomaly,
    padding: Anomaly,
    out: &mut Decoded,
) -> Result<(), Anomaly> {
    let mut only_padding = true;
    for item in Options(header.bytes.get(2..).unwrap_or_default()) {
        let (kind, data) = item?;
        match (kind, data.len()) {
            (option::PAD1, _) => continue,
            (option::PADN, 0) => out.raise(Anomaly::Ipv6ZeroLenPadn),
            (option::PADN, _) => {}
            (option::ROUTER_ALERT, 2) | (option::HOME_ADDRESS, 16) => {}
            (option::ROUTER_ALERT | option::HOME_ADDRESS | option::JUMBO, _) => {
                return Err(Anomaly::Ipv6ExthdrInvalidOptlen);
            }
            _ => out.raise(unknown),
        }
        only_padding &= kind == option::PADN;
    }
    if only_padding {
        out.raise(padding);
    }
    Ok(())
}
