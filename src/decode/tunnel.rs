//! The packet within a packet. An inner packet is decoded and judged by itself; [`find`] says where it stands and to which
//! tunnel it belongs.

use super::affinity;
use super::around::{self, Numbers};
use super::carried::{Carried, Inner, is_tunnel, over_ip, over_udp};
use super::tunnels::Tunnels;
use super::{Decoded, L4, Layer, decode_at};
use crate::base::key::absorb;
use std::ops::Range;

/// Looks for the packet that a decoded one carries, and puts it into [`inner`](Decoded::inner). What is wrong with the tunnel's
/// header is an anomaly of the packet that has it.
#[inline]
pub(super) fn find(bytes: &[u8], out: &mut Decoded, tunnels: &Tunnels) {
    match out.l4 {
        L4::Tcp(_) => {}
        L4::Udp if tunnels.may_carry(out.tuple.sport, out.tuple.dport) => find_in(bytes, out, tunnels),
        L4::None if is_tunnel(out.tuple.proto) => find_in(bytes, out, tunnels),
        _ => {}
    }
}

fn find_in(bytes: &[u8], out: &mut Decoded, tunnels: &Tunnels) {
    if out.invalid.is_some() || out.is_fragment() {
        return;
    }
    let range = out.payload_range();
    let Some(payload) = bytes.get(range.clone()) else { return };
    let carried = match out.l4 {
        L4::Udp => over_udp(payload, payload.len(), (out.tuple.sport, out.tuple.dport), tunnels),
        _ => over_ip(payload, out.tuple.proto, tunnels),
    };
    match carried {
        Ok(Some(carried)) => {
            let (at, end) = ((range.start + carried.skip) as u32, range.end as u32);
            let depth = out.depth.saturating_add(1);
            let around = around::within(out, depth, &carried.numbers, tunnels);
            let Carried { layer, numbers: Numbers { kind, .. }, vlan, .. } = carried;
            let inner = Inner { layer, at, end, kind, depth, vlan, around };
            out.inner = Some(inner);
            out.tuple.tunnel ^= share(bytes, &inner, tunnels);
        }
        Ok(None) => {}
        Err(anomaly) => out.raise(anomaly),
    }
}

/// Packets of one tunnel go to the workers of the sessions they carry, so what is known of the tunnel itself is known by
/// shares: one for the inner packets between two addresses. Thus all of a share is on one worker, and however many workers there are
/// makes no difference.
fn share(bytes: &[u8], inner: &Inner, tunnels: &Tunnels) -> u64 {
    affinity::carried_share(bytes, inner, tunnels).map_or(0, |hash| absorb(0, u64::from(hash), tunnels.key))
}

/// Decodes an inner packet of `bytes`, the frame that it was [found](Decoded::inner) in, into `out`, which is reset first.
pub fn decode_inner(bytes: &[u8], inner: &Inner, layers: u8, tunnels: &Tunnels, out: &mut Decoded) {
    out.reset();
    (out.depth, out.layers) = (inner.depth, layers.saturating_add(1));
    if inner.vlan != 0 {
        let _room = out.vlans.try_push(inner.vlan); // before those that the packet has itself
    }
    let bytes = bytes.get(..inner.end as usize).unwrap_or(bytes);
    out.around = inner.around;
    decode_at(bytes, inner.at as usize, inner.layer, tunnels, out);
    find(bytes, out, tunnels);
}

/// Makes a piece of an inner datagram look as if its frame began with its IP header; which bytes of the frame those are.
pub fn cut_out(piece: &mut Decoded) -> Option<Range<usize>> {
    let ip = piece.ip.as_mut()?;
    let at = ip.at;
    if let Some(fragment) = &mut ip.fragment {
        fragment.payload = fragment.payload.checked_sub(at)?;
        fragment.next_header_at = fragment.next_header_at.saturating_sub(at); // 0 for IPv4
    }
    (ip.at, ip.pppoe, ip.llc) = (0, None, None);
    Some(at as usize..(at + ip.total_len) as usize)
}

/// Decodes a datagram that was put together of inner pieces in the place of the last one: it is in the same tunnel and VLANs.
/// `bytes` begin with its IP header.
pub fn decode_rebuilt(bytes: &[u8], tunnels: &Tunnels, out: &mut Decoded) {
    let (depth, layers, around) = (out.depth, out.layers, out.around);
    let vlans = out.vlans.clone();
    out.reset();
    (out.depth, out.layers, out.vlans, out.around) = (depth, layers, vlans, around);
    decode_at(bytes, 0, Layer::RawIp, tunnels, out);
    find(bytes, out, tunnels);
}
