//! Any bytes in both directions of a session, cut anyhow and with gaps, to any decoder: never a panic, and never more than
//! the limits allow.
//!
//! The first byte picks the decoder's port, each piece has a byte for its direction and kind, and one for its length.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run decoders -- -max_total_time=30`

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir::app::registry::{TABLE, is_only_told};
use weir::app::{AppProto, Apps, COMPLETE, Limits, Source, Wanted};
use weir::base::{Addr, Dir, FlowTuple, Time};

const TCP: u8 = 6;
const UDP: u8 = 17;
const NONE: u32 = u32::MAX;
/// Bytes of a whole session, decoder and transactions together.
const MOST: usize = 64 << 20;

fn tuple(which: u8) -> FlowTuple {
    let entry = &TABLE[usize::from(which >> 1) % TABLE.len()];
    let (tcp, udp) = (entry.tcp.first(), entry.udp.first());
    let is_tcp = match (entry.anywhere_tcp || tcp.is_some(), entry.anywhere_udp || udp.is_some()) {
        (true, true) => which & 1 == 0,
        (tcp, _) => tcp,
    };
    let port = if is_tcp { tcp } else { udp };
    let dport = port.copied().unwrap_or(40_001);
    FlowTuple { sport: 40_000, dport, proto: if is_tcp { TCP } else { UDP }, ..FlowTuple::default() }
}

fuzz_target!(|input: &[u8]| {
    let Some((&which, mut rest)) = input.split_first() else { return };
    let (mut apps, mut handle, wanted) = (Apps::new(Limits::default()), NONE, Wanted::all());
    let mut source = Source {
        tuple: tuple(which),
        time: Time::from_secs(0),
        dir: Dir::ToServer,
        opening_seen: which & 1 == 0,
    };
    lead_in(&mut apps, &mut handle, &mut source, &wanted, which);
    while let [control, len, behind @ ..] = rest {
        source.dir = if control & 1 == 0 { Dir::ToServer } else { Dir::ToClient };
        let (piece, behind) = behind.split_at(behind.len().min(usize::from(*len)));
        rest = behind;
        match control >> 4 {
            0 => {
                apps.gap(handle, &source, piece.len() as u64 + 1);
            }
            1 => apps.end(handle, &source),
            _ => drop(apps.data(&mut handle, &source, &wanted, piece)),
        }
        inspect(&mut apps, handle);
        assert!(apps.memory() <= MOST);
    }
    apps.finish(handle, &source);
    apps.release(&mut handle);
    assert_eq!(apps.memory(), 0);
});

/// What another protocol says before those that are found by nothing else.
fn lead_in(apps: &mut Apps, handle: &mut u32, source: &mut Source, wanted: &Wanted, which: u8) {
    let proto = TABLE[usize::from(which >> 1) % TABLE.len()].proto;
    if !is_only_told(proto) {
        return;
    }
    source.tuple.proto = TCP;
    if proto == AppProto::FtpData {
        let mut control = NONE;
        source.tuple.dst = Addr::v4([10, 0, 0, 1]);
        let announces = b"USER x\r\nPORT 10,0,0,1,156,65\r\nRETR name\r\n";
        apps.data(
            &mut control,
            &Source { tuple: FlowTuple { dport: 21, ..source.tuple }, ..*source },
            wanted,
            announces,
        );
        apps.finish(control, source);
        apps.release(&mut control);
    } else {
        let asks = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        apps.data(handle, source, wanted, asks);
        let agrees = b"HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        apps.data(handle, &Source { dir: Dir::ToClient, ..*source }, wanted, agrees);
    }
}

/// As inspection does: all that is there was looked at.
fn inspect(apps: &mut Apps, handle: u32) {
    let Some(state) = apps.get_mut(handle) else { return };
    for tx in state.transactions.iter_mut() {
        for dir in Dir::BOTH {
            assert!(tx.stage(dir) <= COMPLETE);
            tx.inspected[dir] = Some(tx.stage(dir));
            tx.changed[dir] = false;
        }
        tx.streamed_mut().iter_mut().for_each(|streamed| streamed.looked_at());
    }
    apps.sweep(handle);
}
