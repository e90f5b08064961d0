//! What never ends costs no decoder more than its bytes: heads, lines and lengths without an end, many bytes a packet and one,
//! with every allocation of the thread counted, and its own CPU time: bytes that come late cost what early ones did.
//!
//! `scripts/hostile` runs the same in a release build, with 10 MB of each.

#![allow(unsafe_code)] // a global allocator cannot be had without
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

#[path = "hostile/openings.rs"]
mod openings;

use openings::{DATAGRAMS, OPENINGS};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use weir::app::{Apps, Limits, Source, Wanted};
use weir::base::{Addr, Dir, FlowTuple, Time};

/// Bytes of what never ends, and of those that come one at a time.
const MUCH: usize = if cfg!(debug_assertions) { 1 << 20 } else { 10 << 20 };
const SINGLE: usize = if cfg!(debug_assertions) { 16 << 10 } else { 10 << 20 };
/// Bytes of memory that one session may take for it, decoder, transactions and all.
const MOST: isize = 6 << 20;
const SEGMENT: usize = 1400;
/// What the last quarter of the bytes may cost of the first one's time, and so much anyway: other programs are at work too.
const STEEPEST: u64 = 4;
const ANYWAY_NANOS: u64 = 60_000_000;

const NONE: u32 = u32::MAX;
const TCP: u8 = 6;
const UDP: u8 = 17;

thread_local! {
    /// Bytes that this thread has in use, and the most so far.
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(more: usize, less: usize) {
    LIVE.set(LIVE.get() + more as isize - less as isize);
    PEAK.set(PEAK.get().max(LIVE.get()));
}

// SAFETY: everything is the system allocator's; counting touches thread-locals without destructors.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(old, layout) }
    }
}

/// Nanoseconds that this thread was on a CPU.
fn cpu_nanos() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}

struct Session {
    apps: Apps,
    handle: u32,
    wanted: Wanted,
    source: Source,
}

impl Session {
    fn new(proto: u8, port: u16) -> Session {
        let tuple = FlowTuple {
            src: Addr::v4([10, 0, 0, 1]),
            dst: Addr::v4([10, 0, 0, 2]),
            sport: 40_000,
            dport: port,
            proto,
            ..FlowTuple::default()
        };
        let source = Source { tuple, time: Time::from_secs(0), dir: Dir::ToServer, opening_seen: true };
        Session { apps: Apps::new(Limits::default()), handle: NONE, wanted: Wanted::all(), source }
    }

    fn data(&mut self, dir: Dir, bytes: &[u8]) {
        self.source.dir = dir;
        self.apps.data(&mut self.handle, &self.source, &self.wanted, bytes);
        let Some(state) = self.apps.get_mut(self.handle) else { return };
        // As inspection does: all that is there was looked at.
        for tx in state.transactions.iter_mut() {
            for dir in Dir::BOTH {
                tx.inspected[dir] = Some(tx.stage(dir));
                tx.changed[dir] = false;
            }
            tx.streamed_mut().iter_mut().for_each(|streamed| streamed.looked_at());
        }
        self.apps.sweep(self.handle);
    }

    /// What a session of control says of the one to come.
    fn announce(&mut self, commands: &[u8]) {
        let mut control = NONE;
        let mut source = self.source;
        source.tuple.dport = 21;
        self.apps.data(&mut control, &source, &self.wanted, commands);
    }

    fn proto(&self) -> &'static str {
        self.apps.get(self.handle).and_then(|state| state.known.proto).map_or("none", |proto| proto.name())
    }
}

/// Feeds `total` bytes in pieces, and holds memory and time to what they may be.
fn endless(
    what: &str,
    session: &mut Session,
    dir: Dir,
    total: usize,
    mut piece: impl FnMut(usize) -> Vec<u8>,
) {
    let before = LIVE.get();
    PEAK.set(before);
    let (mut quarters, mut fed) = ([0; 4], 0);
    for quarter in &mut quarters {
        let start = cpu_nanos();
        let until = fed + total / 4;
        while fed < until {
            let bytes = piece(fed);
            fed += bytes.len();
            session.data(dir, &bytes);
        }
        *quarter = cpu_nanos() - start;
    }
    let grown = PEAK.get() - before;
    assert!(grown <= MOST, "{what}: {grown} bytes of memory");
    let [first, .., last] = quarters;
    assert!(last <= first * STEEPEST + ANYWAY_NANOS, "{what}: the quarters took {quarters:?} ns");
}

/// What follows: letters without end, zeros, all ones, and lines that look like fields.
fn fillers() -> [(&'static str, Vec<u8>); 4] {
    let lines: Vec<u8> = b"a: b\r\n".iter().copied().cycle().take(SEGMENT).collect();
    [
        ("letters", vec![b'a'; SEGMENT]),
        ("zeros", vec![0; SEGMENT]),
        ("ones", vec![0xff; SEGMENT]),
        ("lines", lines),
    ]
}

fn begun(opening: &openings::Opening) -> Session {
    let mut session = Session::new(TCP, opening.port);
    if opening.proto == "ftp-data" {
        session.announce(b"USER x\r\nPORT 10,0,0,2,156,65\r\nRETR name\r\n");
    }
    opening.said.iter().for_each(|(dir, bytes)| session.data(*dir, bytes));
    session
}

/// Or the rest would be about nothing.
#[test]
fn each_opening_is_known_for_what_it_is() {
    let mut wrong = Vec::new();
    for opening in OPENINGS {
        let mut session = begun(opening);
        let (dir, _) = opening.said.last().unwrap();
        // Some are told by more than their first bytes.
        session.data(*dir, &[b'a'; 64]);
        if session.proto() != opening.proto {
            wrong.push(format!("{} is {}", opening.proto, session.proto()));
        }
    }
    for (proto, port, bytes) in DATAGRAMS {
        let mut session = Session::new(UDP, *port);
        session.data(Dir::ToServer, &[*bytes, &[0; 1372][..]].concat());
        if session.proto() != *proto {
            wrong.push(format!("{proto} is {}", session.proto()));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn heads_lines_and_lengths_without_end_cost_their_bytes() {
    for opening in OPENINGS {
        for (name, filler) in fillers() {
            let (dir, bytes) = opening.said.last().unwrap();
            let what = format!("{} {} {name}", opening.proto, bytes.escape_ascii());
            endless(&what, &mut begun(opening), *dir, MUCH, |_| filler.clone());
        }
    }
}

#[test]
fn a_byte_a_packet_costs_a_byte() {
    for opening in OPENINGS {
        let telling =
            fillers().into_iter().filter(|(name, _)| cfg!(not(debug_assertions)) || name.starts_with('l'));
        for (name, filler) in telling {
            let (dir, bytes) = opening.said.last().unwrap();
            let what = format!("{} {} {name}, one at a time", opening.proto, bytes.escape_ascii());
            endless(&what, &mut begun(opening), *dir, SINGLE, |at| vec![filler[at % SEGMENT]]);
        }
    }
}

#[test]
fn datagrams_without_end_cost_their_bytes() {
    for (proto, port, head) in DATAGRAMS {
        for (name, filler) in fillers() {
            let mut session = Session::new(UDP, *port);
            let datagram = [*head, &filler[head.len()..]].concat();
            endless(&format!("{proto} {name}"), &mut session, Dir::ToServer, MUCH, |_| datagram.clone());
        }
    }
}
