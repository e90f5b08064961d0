//! Any bytes, on any link type: no panic, no range outside of the frame, and the distributor agrees with the decoder.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run decode -- -max_total_time=30`

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir::decode::{
    Decoded, HashBy, HashFunction, Tunnels, affinity, checksum_valid, decode, decode_inner, ip_checksum_valid,
};
use weir::io::LinkType;

const LINKS: [u16; 8] = [1, 0, 9, 101, 104, 108, 113, 276];

fuzz_target!(|input: &[u8]| {
    let Some((&first, frame)) = input.split_first() else { return };
    let link = LinkType::from_dlt(LINKS[usize::from(first) % LINKS.len()]);
    let mut out = Decoded::default();
    let tunnels = Tunnels::default();
    decode(frame, link, &tunnels, &mut out);
    within(&out, frame);
    let (mut next, mut layers) = (out.inner, out.layers);
    let mut inner = Decoded::default();
    while let Some(found) = next {
        decode_inner(frame, &found, layers, &tunnels, &mut inner);
        within(&inner, frame);
        assert!(inner.layers > layers);
        (next, layers) = (inner.inner, inner.layers);
    }
    let _ = (ip_checksum_valid(&out, frame), checksum_valid(&out, frame));
    for function in [HashFunction::Mixed, HashFunction::Toeplitz] {
        for ports in [false, true] {
            let by = HashBy { ports, function, tunnels };
            let found = affinity(frame, link, &by);
            if out.invalid.is_none() {
                assert_eq!(found.hash, out.affinity_hash(frame, &by));
                assert_eq!(found.fragment, out.is_fragment());
            }
        }
    }
});

/// No range points outside of the frame.
fn within(out: &Decoded, frame: &[u8]) {
    assert!(out.payload_range().end <= frame.len());
    assert!(out.l4_at as usize + usize::from(out.l4_len) <= frame.len());
    if let Some(ip) = out.ip {
        assert!((ip.at + ip.total_len) as usize <= frame.len());
        if let Some(piece) = ip.fragment {
            assert!((piece.payload + u32::from(piece.payload_len)) as usize <= frame.len());
        }
    }
}
