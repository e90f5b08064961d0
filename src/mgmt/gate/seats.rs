//! The places of a gate: who sits at each, and who has to get up when all are taken.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// As many as there are.
#[derive(Debug)]
pub(super) struct Seats {
    most: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    /// Counts what happens: the order of events is all that matters of time.
    clock: u64,
    by: BTreeMap<u64, Sitter>,
}

impl Taken {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }
}

#[derive(Debug)]
struct Sitter {
    /// Requests under way.
    busy: usize,
    idle_since: u64,
    leave: oneshot::Sender<()>,
}

/// Told when the seat is somebody else's.
pub(super) type Leave = oneshot::Receiver<()>;

impl Seats {
    pub fn new(most: usize) -> Arc<Seats> {
        Arc::new(Seats { most, taken: Mutex::default() })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A seat that is free, or that of whoever has been idle for longest; none where all are busy.
    pub fn take(self: &Arc<Seats>) -> Option<(Arc<Seat>, Leave)> {
        let mut taken = self.taken();
        if taken.by.len() >= self.most {
            let idle = taken.by.iter().filter(|(_, sitter)| sitter.busy == 0);
            let number = *idle.min_by_key(|(_, sitter)| sitter.idle_since)?.0;
            // Who is gone already needs no telling.
            let _ = taken.by.remove(&number).map(|sitter| sitter.leave.send(()));
        }
        let (leave, told) = oneshot::channel();
        let number = taken.tick();
        taken.by.insert(number, Sitter { busy: 0, idle_since: number, leave });
        Some((Arc::new(Seat { number, seats: Arc::clone(self) }), told))
    }
}

/// A seat that is taken; free again when it is dropped.
#[derive(Debug)]
pub struct Seat {
    number: u64,
    seats: Arc<Seats>,
}

impl Seat {
    /// While this is kept a request is under way, and nobody has to leave.
    pub fn busy(self: &Arc<Seat>) -> Busy {
        if let Some(sitter) = self.seats.taken().by.get_mut(&self.number) {
            sitter.busy += 1;
        }
        Busy(Arc::clone(self))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken().by.remove(&self.number);
    }
}

#[derive(Debug)]
pub struct Busy(Arc<Seat>);

impl Drop for Busy {
    fn drop(&mut self) {
        let mut taken = self.0.seats.taken();
        let now = taken.tick();
        if let Some(sitter) = taken.by.get_mut(&self.0.number) {
            sitter.busy = sitter.busy.saturating_sub(1);
            sitter.idle_since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_idle_for_longest_has_to_leave_and_nobody_who_is_busy() {
        let seats = Seats::new(3);
        let (a, mut leave_a) = seats.take().unwrap();
        let (b, mut leave_b) = seats.take().unwrap();
        let (c, mut leave_c) = seats.take().unwrap();
        let busy = b.busy();
        drop(a.busy());
        let (_d, mut leave_d) = seats.take().unwrap();
        assert!(leave_c.try_recv().is_ok(), "the only one who never asked");
        let (_e, _leave_e) = seats.take().unwrap();
        assert!(leave_a.try_recv().is_ok());
        let (_f, _leave_f) = seats.take().unwrap();
        assert!(leave_d.try_recv().is_ok() && leave_b.try_recv().is_err());
        drop((a, c));
        assert_eq!(seats.taken().by.len(), 3, "seats that were given on are not given up twice");
        drop(busy);
    }

    #[test]
    fn where_all_are_busy_there_is_no_seat_until_one_is_free() {
        let seats = Seats::new(2);
        let (a, _leave_a) = seats.take().unwrap();
        let (b, _leave_b) = seats.take().unwrap();
        let (_busy_a, busy_b) = (a.busy(), b.busy());
        assert!(seats.take().is_none());
        let again = b.busy();
        drop(busy_b);
        assert!(seats.take().is_none(), "of two requests one goes on");
        drop((again, b));
        assert!(seats.take().is_some());
    }
}
