//! Frames that wait for a plugin's decision: by reference, with a timeout, a cap a session and a cap a worker.

use super::outbox::{Decision, Edits};
use crate::base::{Dir, DropReason, LinkSet, PluginId, Time};
use crate::io::Frame;
use crate::session::{SessionId, Tracked};
use std::time::Duration;

/// What happens at a bound of holding.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum WhenHeld {
    #[default]
    Drop,
    Forward,
}

/// Frames one worker may hold, whatever the setting says.
pub const MAX_HELD: usize = 1 << 20;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct HoldSettings {
    /// Frames one worker may hold.
    pub frames: usize,
    /// Frames one session may have held.
    pub session_frames: u8,
    pub timeout: Duration,
    pub on_timeout: WhenHeld,
    pub on_cap: WhenHeld,
}

impl Default for HoldSettings {
    fn default() -> HoldSettings {
        HoldSettings {
            frames: 1024,
            session_frames: 16,
            timeout: Duration::from_secs(2),
            on_timeout: WhenHeld::Drop,
            on_cap: WhenHeld::Drop,
        }
    }
}

/// Names a held frame on its worker: its place, and the number of the place's use, so that an old ticket finds nothing.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Ticket(pub u64);

/// A frame and where it goes on.
pub struct Held {
    pub frame: Frame,
    pub session: SessionId,
    pub dir: Dir,
    /// Who holds it.
    pub plugin: PluginId,
    /// The place in the direction's order that comes next.
    pub next: u8,
    /// What TCP tracking found when it came: those behind the holder go by that.
    pub tracked: Option<Tracked>,
    /// What those in front of the holder, and itself, want changed when the packet leaves.
    pub edits: Edits,
}

/// Where a packet that is to be held goes on.
#[derive(Clone, Debug)]
pub struct Holding {
    pub session: SessionId,
    pub dir: Dir,
    pub plugin: PluginId,
    pub next: u8,
    pub tracked: Option<Tracked>,
    pub edits: Edits,
}

struct Place {
    uses: u32,
    since: Time,
    held: Option<Held>,
}

/// One worker's.
pub struct HoldTable {
    settings: HoldSettings,
    places: Vec<Place>,
    free: Vec<u32>,
    /// Places with a frame, in the order in which they came: one timeout for all, so that is the order in which they go.
    order: LinkSet,
}

/// The one list of the [`LinkSet`].
const WAITING: u32 = 0;

impl HoldTable {
    pub fn new(settings: HoldSettings) -> HoldTable {
        let count = settings.frames.min(MAX_HELD) as u32;
        HoldTable {
            places: (0..count).map(|_| Place { uses: 0, since: Time::ZERO, held: None }).collect(),
            free: (0..count).rev().collect(),
            order: LinkSet::new(1, count),
            settings,
        }
    }

    pub fn settings(&self) -> &HoldSettings {
        &self.settings
    }

    /// New settings, for what is held already as well. Where they ask for more frames than there are places for, `larger` is
    /// an empty table with more, made where memory may be asked for; what is not used any more comes back.
    pub fn change(
        &mut self,
        settings: HoldSettings,
        mut larger: Option<Box<HoldTable>>,
    ) -> Option<Box<HoldTable>> {
        if let Some(table) = larger.as_deref_mut().filter(|table| table.places.len() > self.places.len()) {
            std::mem::swap(self, table);
            self.take_over(table);
        }
        self.settings = settings;
        larger
    }

    /// All that another table holds. Places keep their numbers, so that tickets find them.
    fn take_over(&mut self, old: &mut HoldTable) {
        for (place, old) in self.places.iter_mut().zip(&mut old.places) {
            std::mem::swap(place, old);
        }
        while let Some(index) = old.order.front(WAITING) {
            old.order.remove(index);
            self.order.push_back(WAITING, index);
        }
        let places = &self.places;
        let empty = |index: &u32| places.get(*index as usize).is_some_and(|place| place.held.is_none());
        self.free.retain(empty);
    }

    /// A frame more than the setting allows: it may have become less than there are places.
    fn is_full(&self) -> bool {
        self.len() >= self.settings.frames
    }

    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The ticket that the next frame will get; `None` when the table is full.
    pub fn next_ticket(&self) -> Option<Ticket> {
        let place = *self.free.last().filter(|_| !self.is_full())?;
        Some(ticket(place, self.places.get(place as usize)?.uses))
    }

    /// Gives the frame back when the table is full.
    pub fn hold(&mut self, frame: Frame, on: Holding, now: Time) -> Result<Ticket, Frame> {
        let place = if self.is_full() { None } else { self.free.pop() };
        let Some(index) = place else { return Err(frame) };
        let Holding { session, dir, plugin, next, tracked, edits } = on;
        let place = &mut self.places[index as usize];
        place.since = now;
        place.held = Some(Held { frame, session, dir, plugin, next, tracked, edits });
        self.order.push_back(WAITING, index);
        Ok(ticket(index, place.uses))
    }

    /// Takes a frame out; `None` for a ticket whose frame has gone.
    pub fn take(&mut self, ticket: Ticket) -> Option<Held> {
        let (index, uses) = (ticket.0 as u32, (ticket.0 >> 32) as u32);
        let place = self.places.get_mut(index as usize).filter(|place| place.uses == uses)?;
        let held = place.held.take()?;
        place.uses = place.uses.wrapping_add(1);
        self.order.remove(index);
        self.free.push(index);
        Some(held)
    }

    /// The next frame whose time is over, and what the setting says of it.
    pub fn expire(&mut self, now: Time) -> Option<(Held, Decision)> {
        let front = self.order.front(WAITING)?;
        let place = self.places.get(front as usize)?;
        if place.since.plus(self.settings.timeout) > now {
            return None;
        }
        let front = ticket(front, place.uses);
        let decision = match self.settings.on_timeout {
            WhenHeld::Drop => Decision::Discard(DropReason::HoldTimeout),
            WhenHeld::Forward => Decision::Forward,
        };
        self.take(front).map(|held| (held, decision))
    }

    /// A frame of a plugin that is taken out, or of a session that ends, or any.
    pub fn take_where(&mut self, wanted: impl Fn(&Held) -> bool) -> Option<Held> {
        let found = self.places.iter().position(|place| place.held.as_ref().is_some_and(&wanted))?;
        let uses = self.places.get(found)?.uses;
        self.take(ticket(found as u32, uses))
    }
}

fn ticket(place: u32, uses: u32) -> Ticket {
    Ticket(u64::from(uses) << 32 | u64::from(place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::memory::HeapPool;

    const NOW: Time = Time::from_secs(100);
    const ANY: SessionId = SessionId { slot: 0, generation: 0 };

    fn table(frames: usize) -> (HoldTable, HeapPool) {
        (HoldTable::new(HoldSettings { frames, ..HoldSettings::default() }), HeapPool::default())
    }

    fn hold(table: &mut HoldTable, pool: &HeapPool, at: Time) -> Result<Ticket, Frame> {
        let on = Holding {
            session: ANY,
            dir: Dir::ToServer,
            plugin: PluginId(1),
            next: 1,
            tracked: None,
            edits: Edits::new(),
        };
        table.hold(pool.frame(b"frame"), on, at)
    }

    #[test]
    fn a_ticket_takes_its_frame_once() {
        let (mut table, pool) = table(1);
        let announced = table.next_ticket();
        let ticket = hold(&mut table, &pool, NOW).unwrap();
        assert_eq!(announced, Some(ticket));
        assert!(hold(&mut table, &pool, NOW).is_err(), "the table is full");
        assert!(table.take(ticket).is_some() && table.take(ticket).is_none());
        let next = hold(&mut table, &pool, NOW).unwrap();
        assert!(table.take(ticket).is_none(), "the place is another's now");
        assert!(table.take(next).is_some());
        assert_eq!(pool.outstanding(), 0);
    }

    #[test]
    fn frames_expire_in_order_and_only_when_their_time_is_over() {
        let (mut table, pool) = table(4);
        let first = hold(&mut table, &pool, NOW).unwrap();
        hold(&mut table, &pool, NOW.plus(Duration::from_secs(1))).unwrap();
        assert!(table.expire(NOW.plus(Duration::from_millis(1999))).is_none());
        drop(table.take(first));
        assert!(table.expire(NOW.plus(Duration::from_secs(2))).is_none(), "the first was released");
        let (_, decision) = table.expire(NOW.plus(Duration::from_secs(3))).unwrap();
        assert_eq!(decision, Decision::Discard(DropReason::HoldTimeout));
        assert!(table.is_empty() && table.expire(Time::from_secs(999)).is_none());
        assert_eq!(pool.outstanding(), 0);
    }

    #[test]
    fn a_larger_table_takes_over_what_is_held_with_its_tickets() {
        let (mut table, pool) = table(2);
        let first = hold(&mut table, &pool, NOW).unwrap();
        let second = hold(&mut table, &pool, NOW).unwrap();
        assert!(table.take(first).is_some());
        let third = hold(&mut table, &pool, NOW.plus(Duration::from_secs(1))).unwrap();
        let settings = HoldSettings { frames: 4, timeout: Duration::from_secs(9), ..*table.settings() };
        assert!(table.change(settings, Some(Box::new(HoldTable::new(settings)))).is_some());
        assert_eq!(table.len(), 2);
        assert!(table.take(first).is_none(), "an old ticket still finds nothing");
        let more = [(); 2].map(|()| hold(&mut table, &pool, NOW.plus(Duration::from_secs(2))).unwrap());
        assert!(hold(&mut table, &pool, NOW).is_err() && table.next_ticket().is_none());
        let expired: Vec<_> =
            std::iter::from_fn(|| table.expire(NOW.plus(Duration::from_secs(10)))).collect();
        assert_eq!(expired.len(), 2, "by the new timeout, in the order in which they came");
        drop(expired);
        assert!(table.take(second).is_none() && table.take(third).is_none());
        assert!(more.iter().all(|ticket| table.take(*ticket).is_some()));
        assert_eq!(pool.outstanding(), 0);
    }

    #[test]
    fn fewer_frames_are_a_bound_for_those_to_come() {
        let (mut table, pool) = table(4);
        let tickets = [(); 3].map(|()| hold(&mut table, &pool, NOW).unwrap());
        assert!(table.change(HoldSettings { frames: 2, ..*table.settings() }, None).is_none());
        assert_eq!((table.len(), table.next_ticket()), (3, None), "what is held stays");
        assert!(table.take(tickets[0]).is_some() && hold(&mut table, &pool, NOW).is_err());
        assert!(table.take(tickets[1]).is_some() && hold(&mut table, &pool, NOW).is_ok());
        table.take_where(|_| true);
        table.take_where(|_| true);
        assert_eq!(pool.outstanding(), 0);
    }

    #[test]
    fn one_frame_that_stays_does_not_keep_others_from_coming_and_going() {
        let (mut table, pool) = table(2);
        let stays = hold(&mut table, &pool, NOW).unwrap();
        for _ in 0..100 {
            let ticket = hold(&mut table, &pool, NOW).unwrap();
            assert!(table.take(ticket).is_some());
        }
        assert!(table.take(stays).is_some());
    }
}
