//! TCP sessions whose beginning was not seen: picked up in the time after a start, and stopped in the line from then on.

use super::rig::Rig;
use super::*;
use crate::base::DropReason;
use crate::session::Midstream;
use crate::wire::build::{Segment, tcp_packet};
use crate::wire::tcp::flag::{ACK, PSH};
use std::time::Duration;

fn segment(client: u16, seq: u32) -> Vec<u8> {
    let segment = Segment { seq, ack: 9000, flags: ACK | PSH, payload: b"hello", ..Segment::default() };
    tcp_packet(addr(1, client), addr(2, 80), &IpFields::default(), &segment)
}

#[test]
fn sessions_that_live_at_the_start_go_on_and_later_ones_without_a_beginning_are_dropped_in_the_line() {
    for (mode, dropped) in [(Mode::Ips, 1), (Mode::Tap, 0)] {
        let mut settings = settings(0, mode);
        let grace = Duration::from_secs(120);
        settings.sessions.tcp.midstream = Midstream::Until(Time::from_secs(1_780_000_000).plus(grace));
        let mut rig = Rig::with(
            &detection(&engine("alert tcp any any -> any any (content:\"no\"; sid:1;)"), 2),
            &settings,
        );
        rig.packet(Dir::ToServer, &segment(4000, 1000));
        assert_eq!(rig.sent.len(), 1, "{mode:?}: picked up");
        rig.now = rig.now.plus(grace);
        rig.packet(Dir::ToServer, &segment(4000, 1005));
        assert_eq!(rig.sent.len(), 2, "{mode:?}: it goes on");
        rig.packet(Dir::ToServer, &segment(4001, 1000));
        assert_eq!(rig.sent.len(), 3 - dropped, "{mode:?}: the time is over");
        assert_eq!(rig.dropped(DropReason::StreamMidstream), dropped as u64, "{mode:?}");
        rig.finish();
    }
}
