//! Sessions that another session announced: FTP's data channels.
//!
//! One table a worker, of fixed size: an announcement finds its place by the end that will be connected to, and takes that of
//! the oldest of the few that share it. The session that fits takes it away; one that nobody opens is forgotten.

use crate::base::{Addr, Family, FlowTuple, Time};
use crate::rules::app::AppProto;
use arrayvec::ArrayVec;
use std::time::Duration;

/// As long is a session waited for.
pub const TIMEOUT: Duration = Duration::from_secs(30);
/// Announcements of one worker: sets of places.
const SETS: usize = 1024;
const WAYS: usize = 4;
/// A name is kept so far.
pub const MAX_NAME: usize = 255;

/// What the session will carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    pub proto: AppProto,
    /// Place of the command behind it in the words of its keyword (`ftpdata_command`).
    pub command: u64,
    /// Of the file.
    pub name: ArrayVec<u8, MAX_NAME>,
}

/// The end that someone will connect to, in the VLAN or tunnel of who announced it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct End {
    pub addr: Addr,
    pub family: Family,
    pub port: u16,
    pub context: u64,
}

impl End {
    /// A session's server, as its opener has it; and its client, should what opened it be lost.
    fn of(tuple: &FlowTuple) -> [End; 2] {
        let end = |addr, port| End { addr, family: tuple.family, port, context: tuple.context };
        [end(tuple.dst, tuple.dport), end(tuple.src, tuple.sport)]
    }

    fn set(&self) -> usize {
        let fold = (self.addr.0 as u64) ^ (self.addr.0 >> 64) as u64;
        let mixed = (fold ^ self.context.rotate_left(32))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .wrapping_add(self.port.into())
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 32) as usize % SETS
    }
}

#[derive(Debug)]
struct Place {
    end: End,
    since: Time,
    announced: Announced,
}

/// One worker's. It takes its memory, about 1.5 MB, with the first announcement.
#[derive(Debug, Default)]
pub struct Expected {
    places: Vec<Option<Place>>,
    waiting: usize,
}

impl Expected {
    pub fn add(&mut self, end: End, announced: Announced, now: Time) {
        if self.places.is_empty() {
            self.places.resize_with(SETS * WAYS, || None);
        }
        let start = end.set() * WAYS;
        let Some(set) = self.places.get_mut(start..start + WAYS) else { return };
        let same = set.iter().position(|place| place.as_ref().is_some_and(|p| p.end == end));
        let at = same.or_else(|| set.iter().position(Option::is_none)).unwrap_or_else(|| {
            let since = |place: &Option<Place>| place.as_ref().map(|p| p.since);
            (0..WAYS).min_by_key(|at| set.get(*at).and_then(since)).unwrap_or_default()
        });
        if let Some(place) = set.get_mut(at) {
            self.waiting += usize::from(place.is_none());
            *place = Some(Place { end, since: now, announced });
        }
    }

    /// What the session was announced to be; it is not waited for any more.
    pub fn take(&mut self, tuple: &FlowTuple, now: Time) -> Option<Announced> {
        if self.waiting == 0 {
            return None;
        }
        End::of(tuple).into_iter().find_map(|end| self.take_end(end, now))
    }

    fn take_end(&mut self, end: End, now: Time) -> Option<Announced> {
        let start = end.set() * WAYS;
        let set = self.places.get_mut(start..start + WAYS)?;
        let place = set.iter_mut().find(|place| place.as_ref().is_some_and(|p| p.end == end))?.take()?;
        self.waiting -= 1;
        (now.since(place.since) <= TIMEOUT).then_some(place.announced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ip_proto::TCP;

    fn announced(command: u64) -> Announced {
        Announced { proto: AppProto::FtpData, command, name: ArrayVec::new() }
    }

    fn end(port: u16) -> End {
        End { addr: Addr::v4([10, 0, 0, 1]), family: Family::V4, port, context: 0 }
    }

    fn session(dport: u16) -> FlowTuple {
        let (src, dst) = (Addr::v4([10, 0, 0, 2]), Addr::v4([10, 0, 0, 1]));
        FlowTuple { src, dst, sport: 20, dport, proto: TCP, family: Family::V4, context: 0 }
    }

    #[test]
    fn a_session_is_found_once_from_either_end_and_in_time() {
        let (mut expected, now) = (Expected::default(), Time::from_secs(100));
        assert_eq!(expected.take(&session(1000), now), None);
        for command in [0, 1] {
            expected.add(end(1000), announced(command), now);
        }
        expected.add(end(1001), announced(2), now);
        expected.add(end(1002), announced(3), now);
        assert_eq!(expected.take(&session(1000), now), Some(announced(1)), "the later one counts");
        assert_eq!(expected.take(&session(1000), now), None);
        assert_eq!(expected.take(&session(1001).reversed(), now), Some(announced(2)));
        assert_eq!(expected.take(&FlowTuple { context: 7, ..session(1002) }, now), None);
        assert_eq!(expected.take(&session(1002), now.plus(TIMEOUT * 2)), None);
        assert_eq!(expected.waiting, 0);
    }

    #[test]
    fn a_flood_of_announcements_takes_no_more_room() {
        let (mut expected, now) = (Expected::default(), Time::from_secs(100));
        for port in 0..u16::MAX {
            expected.add(end(port), announced(0), now.plus(Duration::from_micros(port.into())));
        }
        assert_eq!(expected.places.len(), SETS * WAYS);
        assert!(expected.waiting > SETS * WAYS / 2 && expected.waiting <= SETS * WAYS);
        assert!(expected.take(&session(u16::MAX - 1), now).is_some(), "the newest stays");
    }
}
