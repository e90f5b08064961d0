//! The way out of an lcore: one small burst a port, sent when full and at the end of each turn.

use super::ledger::Ledger;
use crate::base::{DropReason, PortId};
use crate::io::{BURST, Burst, Frame, FrameSender, TxQueue, free_burst};
use std::sync::Arc;

/// How frames leave this lcore for a port.
pub enum Outlet {
    /// A transmit queue of the port that is this lcore's alone.
    Queue(Box<dyn TxQueue>),
    /// The port has no queue for this lcore: the main lcore sends for it.
    Ring(Box<dyn FrameSender>),
}

struct Exit {
    port: PortId,
    outlet: Outlet,
    waiting: Burst,
}

/// Frames that ports did not take, kept while somebody watches what is dropped. They are counted already.
#[derive(Default)]
pub(super) struct Untaken {
    kept: Burst,
    watched: bool,
}

impl Untaken {
    /// What finds no room here goes unseen.
    #[cold]
    fn take(&mut self, burst: &mut Burst) {
        if self.watched {
            for frame in burst.drain(..) {
                let _ = self.kept.try_push(frame);
            }
        }
        free_burst(burst);
    }
}

/// An lcore's exits, by port.
pub struct Exits {
    ports: Vec<Option<Exit>>,
    untaken: Untaken,
    /// Wait for room (replay) instead of dropping.
    lossless: bool,
    ledger: Arc<Ledger>,
}

impl Exits {
    pub fn new(outlets: Vec<Option<Outlet>>, lossless: bool, ledger: Arc<Ledger>) -> Exits {
        let exit = |(port, outlet): (u16, Option<Outlet>)| {
            Some(Exit { port: PortId(port), outlet: outlet?, waiting: Burst::new() })
        };
        let ports = (0..).zip(outlets).map(exit).collect();
        Exits { ports, untaken: Untaken::default(), lossless, ledger }
    }

    /// Whether frames can leave by this port.
    pub fn leads_to(&self, port: PortId) -> bool {
        self.ports.get(port.index()).is_some_and(Option::is_some)
    }

    /// Queues a frame for a port. One without a way out is dropped with a reason.
    #[inline]
    pub fn send(&mut self, frame: Frame, to: Option<PortId>) {
        let exit = to.and_then(|port| self.ports.get_mut(port.index())).and_then(Option::as_mut);
        let Some(exit) = exit else {
            self.ledger.count_drop(DropReason::NoPeer, Some(frame.meta().port), 1);
            return;
        };
        exit.waiting.push(frame);
        if exit.waiting.is_full() {
            exit.flush(self.lossless, &self.ledger, &mut self.untaken);
        }
    }

    /// Sends a whole burst that is for one port, without looking at its frames; `from`: where they came in, if by one port.
    #[inline]
    pub fn send_all(&mut self, burst: &mut Burst, from: Option<PortId>, to: Option<PortId>) {
        let exit = to.and_then(|port| self.ports.get_mut(port.index())).and_then(Option::as_mut);
        let Some(exit) = exit else {
            self.ledger.count_drop(DropReason::NoPeer, from, burst.len() as u64);
            free_burst(burst);
            return;
        };
        if !exit.waiting.is_empty() {
            exit.flush(self.lossless, &self.ledger, &mut self.untaken);
        }
        drain(exit.port, &mut exit.outlet, burst, self.lossless, &self.ledger, &mut self.untaken);
    }

    /// From now on what ports do not take is kept for a look, or is not.
    pub(super) fn watch_untaken(&mut self, watched: bool) {
        self.untaken.watched = watched;
        if !watched {
            free_burst(&mut self.untaken.kept);
        }
    }

    /// One that a port did not take.
    #[inline]
    pub(super) fn untaken(&mut self) -> Option<Frame> {
        self.untaken.kept.pop()
    }

    pub fn flush(&mut self) {
        for exit in self.ports.iter_mut().flatten() {
            if !exit.waiting.is_empty() {
                exit.flush(self.lossless, &self.ledger, &mut self.untaken);
            }
        }
    }
}

impl Exit {
    fn flush(&mut self, lossless: bool, ledger: &Ledger, untaken: &mut Untaken) {
        drain(self.port, &mut self.outlet, &mut self.waiting, lossless, ledger, untaken);
    }
}

/// Tries before a port that takes nothing costs the rest of the burst.
const ATTEMPTS: usize = 4;

fn drain(
    port: PortId,
    outlet: &mut Outlet,
    burst: &mut Burst,
    lossless: bool,
    ledger: &Ledger,
    untaken: &mut Untaken,
) {
    let mut attempts = 0;
    while !burst.is_empty() {
        let sent = match outlet {
            Outlet::Queue(queue) => {
                let sent = queue.send(burst);
                ledger.transmitted.add(sent as u64);
                sent
            }
            // Counted as transmitted by the main lcore, which sends them.
            Outlet::Ring(ring) => ring.send(burst),
        };
        if sent > 0 {
            continue;
        }
        attempts += 1;
        if lossless {
            std::thread::yield_now();
        } else if attempts >= ATTEMPTS {
            ledger.count_drop(DropReason::TransmitFull, Some(port), burst.len() as u64);
            untaken.take(burst);
        }
    }
    debug_assert!(burst.capacity() == BURST);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::memory::HeapPool;

    /// A port whose queue is always full.
    struct Full;

    impl TxQueue for Full {
        fn send(&mut self, _: &mut Burst) -> usize {
            0
        }
    }

    #[test]
    fn what_a_port_does_not_take_is_counted_there_and_kept_only_while_somebody_watches() {
        let (pool, ledger) = (HeapPool::default(), Arc::<Ledger>::default());
        let mut exits = Exits::new(vec![Some(Outlet::Queue(Box::new(Full)))], false, Arc::clone(&ledger));
        let send = |exits: &mut Exits, frames: usize| {
            (0..frames).for_each(|_| exits.send(pool.frame(&[7; 60]), Some(PortId(0))));
            exits.flush();
        };
        send(&mut exits, 3);
        assert!(exits.untaken().is_none());
        exits.watch_untaken(true);
        send(&mut exits, 2);
        assert!(exits.untaken().is_some() && exits.untaken().is_some() && exits.untaken().is_none());
        send(&mut exits, 3 * BURST);
        assert_eq!(std::iter::from_fn(|| exits.untaken()).count(), BURST, "what finds no room goes unseen");
        send(&mut exits, 1);
        exits.watch_untaken(false);
        assert_eq!(pool.outstanding(), 0);
        let port = Some(PortId(0));
        assert_eq!(ledger.drops_of(port, DropReason::TransmitFull), (6 + 3 * BURST as u64, 0));
    }
}
