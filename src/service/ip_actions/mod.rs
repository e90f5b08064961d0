//! IP actions in force: what rules have asked for against an address, a port or a service, until its time is over.
//!
//! One table for all workers ([`table`]), allocated at start: a match on one worker acts on the next packet of any. The fast
//! path asks for each packet of a pair whose verdicts act; where nothing is in force that is one load. Time is an argument. A
//! full bucket goes by [`WhenFull`], and what that costs is counted.

mod table;

#[cfg(test)]
mod tests;

use crate::base::ip_action::{IpAction, IpDeed, IpTarget};
use crate::base::{Addr, Family, FlowTuple, Generation, PortId, RuleIndex, Time};
use std::sync::atomic::{AtomicBool, Ordering};
use table::Table;

/// What becomes of a new entry when its place in the table is full.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// The entry that ends soonest gives way.
    #[default]
    Evict,
    /// The new one is not made.
    Keep,
}

#[derive(Copy, Clone, Debug)]
pub struct Settings {
    /// Entries, rounded up to a power of two.
    pub size: usize,
    pub when_full: WhenFull,
    /// Keeps others from aiming at one bucket.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { size: 4096, when_full: WhenFull::default(), seed: 0 }
    }
}

/// Of a packet: its own tuple and port, and its session's tuple, the opener's.
#[derive(Copy, Clone, Debug)]
pub struct Ends<'a> {
    pub packet: &'a FlowTuple,
    pub session: Option<&'a FlowTuple>,
    pub port: PortId,
}

/// What an entry is against. What the target leaves open is 0.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub target: IpTarget,
    pub family: Family,
    pub src: Addr,
    pub dst: Addr,
    pub proto: u8,
    pub dport: u16,
    /// For the target zone.
    pub port: u16,
    /// VLANs and tunnel: two tenants never mix.
    pub context: u64,
}

impl Key {
    const fn empty(target: IpTarget, tuple: &FlowTuple) -> Key {
        let (family, context) = (tuple.family, tuple.tenant());
        Key { target, family, src: Addr(0), dst: Addr(0), proto: 0, dport: 0, port: 0, context }
    }

    /// Of the packet that a rule matched.
    fn of(target: IpTarget, ends: &Ends<'_>) -> Key {
        let packet = ends.packet;
        match target {
            IpTarget::Source => Key { src: packet.src, ..Key::empty(target, packet) },
            IpTarget::Destination => Key { dst: packet.dst, ..Key::empty(target, packet) },
            IpTarget::Zone => {
                Key { port: ends.port.0, family: Family::V4, context: 0, ..Key::empty(target, packet) }
            }
            IpTarget::Service => {
                let opener = ends.session.unwrap_or(packet);
                let (src, dst, proto, dport) = (opener.src, opener.dst, opener.proto, opener.dport);
                Key { src, dst, proto, dport, ..Key::empty(target, opener) }
            }
        }
    }

    /// Those by which a packet may be found: its own, and that of its session.
    fn all(target: IpTarget, ends: &Ends<'_>) -> [Option<Key>; 2] {
        let own = Key::of(target, ends);
        let opener = match target {
            IpTarget::Source | IpTarget::Destination => {
                ends.session.map(|packet| Key::of(target, &Ends { packet, ..*ends }))
            }
            IpTarget::Zone | IpTarget::Service => None,
        };
        [Some(own), opener.filter(|opener| *opener != own)]
    }
}

/// An entry, as it is at one moment.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub key: Key,
    pub deed: IpDeed,
    pub rule: (Generation, RuleIndex),
    /// By the appliance's clock.
    pub since: Time,
    pub until: Time,
    /// Packets that it acted on.
    pub packets: u64,
}

/// Since the start.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Entries made, and matches that prolonged one.
    pub made: u64,
    pub prolonged: u64,
    /// Living entries that gave way, or new ones that were not made.
    pub evicted: u64,
    pub refused: u64,
    /// Changes given up because other workers kept changing the same bucket.
    pub contended: u64,
    /// Packets that passed an entry which only notifies.
    pub notified: u64,
}

pub struct IpActions {
    table: Table,
    /// Some rule asks for them.
    armed: AtomicBool,
}

impl Default for IpActions {
    fn default() -> IpActions {
        IpActions::new(&Settings::default())
    }
}

impl IpActions {
    pub fn new(settings: &Settings) -> IpActions {
        IpActions { table: Table::new(settings), armed: AtomicBool::new(false) }
    }

    /// Whether some rule asks for them: the workers of a replay then take packets in their order.
    pub fn arm(&self, armed: bool) {
        self.armed.store(armed, Ordering::Relaxed);
    }

    #[inline]
    pub fn is_armed(&self) -> bool {
        self.armed.load(Ordering::Relaxed)
    }

    /// Whether anything may be in force.
    #[inline]
    pub fn any(&self, now: Time) -> bool {
        self.table.latest() > now
    }

    /// A rule has matched a packet, and asks for an action.
    pub fn add(&self, action: &IpAction, ends: &Ends<'_>, rule: (Generation, RuleIndex), now: Time) {
        let key = Key::of(action.target, ends);
        let until = now.plus(action.timeout);
        self.table.put(&Row { key, deed: action.deed, rule, since: now, until, packets: 0 }, now);
    }

    /// What is in force against a packet: the strictest, which is counted; of those that only notify each is.
    pub fn against(&self, ends: &Ends<'_>, now: Time) -> Option<(IpDeed, (Generation, RuleIndex))> {
        let mut strictest: Option<(IpDeed, (Generation, RuleIndex))> = None;
        for target in IpTarget::ALL {
            if self.table.latest_of(target) <= now {
                continue;
            }
            for key in Key::all(target, ends).iter().flatten() {
                let Some(found) = self.table.strike(key, now) else { continue };
                if strictest.is_none_or(|(deed, _)| deed < found.0) {
                    strictest = Some(found);
                }
            }
        }
        strictest
    }

    /// Those in force, in no order; at most so many as the table holds.
    pub fn rows(&self, now: Time) -> Vec<Row> {
        self.table.rows(now)
    }

    /// Ends those that `meant` picks; how many.
    pub fn clear(&self, meant: impl Fn(&Row) -> bool, now: Time) -> usize {
        self.table.clear(meant, now)
    }

    pub fn counts(&self) -> Counts {
        self.table.counts()
    }
}
