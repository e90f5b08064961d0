//! Any bytes behind an HTTP/1 request line, in both directions, cut anyhow and with gaps: never a panic, and never more than
//! the limits allow.
//!
//! Each piece has a byte for its direction and kind, and one for its length.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run http1 -- -max_total_time=30`

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir::app::{Apps, Limits, Source, Wanted};
use weir::base::{Dir, FlowTuple, Time};

const TCP: u8 = 6;
const NONE: u32 = u32::MAX;
/// Bytes of a whole session's transactions.
const MOST: usize = 64 << 20;

fuzz_target!(|input: &[u8]| {
    let (mut apps, mut handle, wanted) = (Apps::new(Limits::default()), NONE, Wanted::all());
    let tuple = FlowTuple { sport: 40_000, dport: 80, proto: TCP, ..FlowTuple::default() };
    let mut source = Source { tuple, time: Time::from_secs(0), dir: Dir::ToServer, opening_seen: true };
    apps.data(&mut handle, &source, &wanted, b"GET / HTTP/1.1\r\n");
    let mut rest = input;
    while let [control, len, behind @ ..] = rest {
        source.dir = if control & 1 == 0 { Dir::ToServer } else { Dir::ToClient };
        let (piece, behind) = behind.split_at(behind.len().min(usize::from(*len)));
        rest = behind;
        match control >> 4 {
            0 => _ = apps.gap(handle, &source, piece.len() as u64 + 1),
            1 => apps.end(handle, &source),
            _ => drop(apps.data(&mut handle, &source, &wanted, piece)),
        }
        assert!(apps.memory() <= MOST);
    }
    apps.finish(handle, &source);
    apps.release(&mut handle);
    assert_eq!(apps.memory(), 0);
});
