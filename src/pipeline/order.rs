//! A replay's order among its workers, for what they share: state keyed by host.
//!
//! Everything that is inspected has a position: a frame its number; a rebuilt datagram that of its last piece, behind the
//! piece; the last bytes of a session that is open when the capture ends, the last frame's number plus that of the frame
//! that opened it. Who is about to touch shared state waits until everything at smaller positions is done ([`Turnstile`]);
//! nobody else waits. So the state is touched as by one worker alone.
//!
//! A worker says on the board up to where it is done. Its frames come in order, so before frame `n` it has done its own up
//! to `n - 1`; with an empty ring, up to what the distributor says is in the rings. Datagrams come from others: it may only
//! say `n` when nobody can hand it one up to `n` any more, because all others have taken their own frames up to there
//! (`frames`), and it has taken what was handed over.
//!
//! Nobody waits for ever. Look at the smallest position that is not done, and whose it is:
//!
//! - in the distributor's hands: its worker's ring, which holds smaller ones only, has room, and while the distributor
//!   waits for room in some ring it goes on filling the others and says what is in them;
//! - a frame in a ring, or a datagram: its worker's earlier items are done, so it comes to it. In front of a later item it
//!   does not stand waiting: it starts that only when all fragments before it are through reassembly and their
//!   datagrams are taken, and takes what is due while it waits for this;
//! - being inspected: the others have done all that is smaller. They come to say so: whoever waits at a later item has
//!   said that all before is done, and whoever is idle says it again and again.
//!
//! A datagram is handed over only before its fragment is done, and whoever waits at `n` knows that all fragments before `n`
//! are through: so a full ring between two workers never waits for a worker that waits here.
//!
//! Sessions that time out end when their next packet comes, at its position, or with the capture: a timer does not end one
//! that still has bytes which may touch shared state, unless memory is short ([`super::ending`]).

use super::board::Board;
use crate::base::Order;
use std::sync::Arc;

/// One worker's wait for the others.
#[derive(Clone)]
pub struct Turnstile {
    board: Arc<Board>,
    worker: usize,
    /// Everybody else has come so far.
    passed: u64,
}

impl Turnstile {
    pub fn new(board: Arc<Board>, worker: usize) -> Turnstile {
        Turnstile { board, worker, passed: 0 }
    }
}

impl Order for Turnstile {
    fn wait_before(&mut self, position: u64) {
        if self.passed.saturating_add(1) < position {
            self.board.completed(self.worker, position - 1);
        }
        let over = || self.board.is_stopped() || self.board.has_failed();
        while self.passed.saturating_add(1) < position && !over() {
            self.passed = self.board.completed_by_others(self.worker);
            if self.passed.saturating_add(1) < position {
                std::thread::yield_now();
            }
        }
    }

    fn another(&self) -> Box<dyn Order> {
        Box::new(self.clone())
    }
}
