//! Frames of datagrams, whole or in pieces, each datagram with an identification of its own.

use std::time::Duration;
use weir::base::{PortId, Time};
use weir::io::dpdk::Allocator;
use weir::io::{BURST, Burst, Frame, FrameAllocator, FrameMeta};
use weir::wire::build::{IpFields, Link, fragments, udp_packet};
use weir::wire::checksum::internet;

const ETHERNET: usize = 14;
const IPV4: usize = 20;
const UDP: usize = 8;
/// An Ethernet frame without its checksum is no shorter.
const SHORTEST: usize = 60;

/// The clock of everything here; it moves a microsecond a burst.
pub const BEGIN: Time = Time::from_secs(1_780_000_000);

/// The same datagram over and over.
#[derive(Clone)]
pub struct Traffic {
    /// The frames of one datagram, in order.
    frames: Vec<Vec<u8>>,
    /// Datagrams under way at once: the first pieces of all come before the second of any.
    together: usize,
    /// How many identifications there are, then they begin anew.
    ids: usize,
    next: usize,
    clock: Time,
}

impl Traffic {
    /// A datagram of so many bytes with its IP header, in pieces that carry so many each.
    pub fn pieces(datagram: usize, carry: usize, together: usize) -> Traffic {
        Traffic::of(fragments(&packet(datagram), 0, &[carry]), together)
    }

    /// Whole packets, of so many bytes with the link header.
    pub fn whole(frame: usize) -> Traffic {
        Traffic::of(vec![packet(frame - ETHERNET)], 1)
    }

    /// With so few identifications, one after the other.
    pub fn ids(self, ids: usize) -> Traffic {
        Traffic { ids, ..self }
    }

    fn of(packets: Vec<Vec<u8>>, together: usize) -> Traffic {
        let frame = |packet: &Vec<u8>| {
            let mut frame = Link::ethernet().wrap(packet);
            frame.resize(frame.len().max(SHORTEST), 0);
            frame
        };
        Traffic { frames: packets.iter().map(frame).collect(), together, ids: 1 << 16, next: 0, clock: BEGIN }
    }

    /// A full burst; what is in `burst` already stays.
    pub fn fill(&mut self, burst: &mut Burst, pool: &mut Allocator) {
        self.clock = self.clock.plus(Duration::from_micros(1));
        while burst.len() < BURST {
            let block = self.frames.len() * self.together;
            let (number, within) = (self.next / block * self.together, self.next % block);
            let id = ((number + within % self.together) % self.ids) as u16;
            let bytes = &mut self.frames[within / self.together];
            bytes[ETHERNET + 4..ETHERNET + 6].copy_from_slice(&id.to_be_bytes());
            bytes[ETHERNET + 10..ETHERNET + 12].fill(0);
            let sum = internet(&bytes[ETHERNET..ETHERNET + IPV4]);
            bytes[ETHERNET + 10..ETHERNET + 12].copy_from_slice(&sum.to_be_bytes());
            burst.push(frame(pool, bytes, self.clock));
            self.next += 1;
        }
    }
}

/// A frame as a port would have stamped it.
pub fn frame(pool: &mut Allocator, bytes: &[u8], clock: Time) -> Frame {
    let mut frame = pool.allocate(bytes).expect("the pool is large enough");
    frame.set_meta(FrameMeta { time: clock, clock, port: PortId(0), ..FrameMeta::default() });
    frame
}

fn packet(len: usize) -> Vec<u8> {
    let (from, to) = ("10.0.0.1:1024".parse(), "192.0.2.1:53".parse());
    let payload: Vec<u8> = (0..len - IPV4 - UDP).map(|at| at as u8).collect();
    udp_packet(from.expect("an address"), to.expect("an address"), &IpFields::default(), &payload)
}
