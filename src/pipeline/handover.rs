//! Rebuilt datagrams on their way to the worker that owns their session, and the order between workers.
//!
//! Fragments are spread by addresses, their datagram belongs where its ports hash: one single-producer ring lies between each
//! two workers. On the fast path a datagram is taken when it comes. A replay promises the same alerts for any number
//! of workers, so there a worker takes frames exactly as one worker alone would:
//!
//! - the distributor numbers frames, and gives each the count of fragments before it, and whether it is one (its epoch);
//! - a worker starts a frame only when all fragments of earlier epochs have been taken through reassembly, by whomever;
//! - by then every datagram that an earlier fragment completed lies in a ring: those with smaller numbers go first.
//!
//! Each wait is for frames with smaller numbers only, so two workers never wait for each other. What the workers share
//! needs more: [`super::order`].

use crate::io::{Burst, Frame, FrameReceiver, FrameSender};
use std::collections::VecDeque;

/// One worker's rings to and from the others.
#[derive(Default)]
pub struct Handover {
    /// By worker; none to itself.
    to: Vec<Option<Box<dyn FrameSender>>>,
    from: Vec<Box<dyn FrameReceiver>>,
    /// Replay only: received, not yet due; by packet number.
    pending: VecDeque<Frame>,
    outgoing: Burst,
    incoming: Burst,
}

impl Handover {
    pub fn new(to: Vec<Option<Box<dyn FrameSender>>>, from: Vec<Box<dyn FrameReceiver>>) -> Handover {
        Handover { to, from, ..Handover::default() }
    }

    /// Hands a datagram to its owner. Gives it back when the ring is full, or when there is no such worker.
    pub fn give(&mut self, worker: usize, frame: Frame) -> Result<(), Frame> {
        let Some(ring) = self.to.get_mut(worker).and_then(Option::as_mut) else {
            return Err(frame);
        };
        self.outgoing.push(frame);
        ring.send(&mut self.outgoing);
        self.outgoing.pop().map_or(Ok(()), Err)
    }

    /// The next datagram, in whatever order they come.
    pub fn take(&mut self) -> Option<Frame> {
        if self.incoming.is_empty() {
            for ring in &mut self.from {
                ring.receive(&mut self.incoming);
                if self.incoming.is_full() {
                    break;
                }
            }
            // Taken from the back: the oldest stands there.
            self.incoming.reverse();
        }
        self.incoming.pop()
    }

    /// Replay: moves what has come to the ordered list.
    pub fn collect(&mut self) {
        while let Some(frame) = self.take() {
            let number = frame.meta().packet;
            let at = self.pending.partition_point(|f| !is_before(number, f.meta().packet));
            self.pending.insert(at, frame);
        }
    }

    /// Replay: the first datagram with a number below `packet`.
    pub fn take_before(&mut self, packet: u32) -> Option<Frame> {
        let due = self.pending.front().is_some_and(|f| is_before(f.meta().packet, packet));
        if due { self.pending.pop_front() } else { None }
    }

    /// Datagrams in the rings towards this worker, or received and not yet due.
    pub fn waiting(&self) -> usize {
        self.from.iter().map(|ring| ring.waiting()).sum::<usize>() + self.pending.len() + self.incoming.len()
    }
}

/// Numbers wrap; two that are compared are never half their range apart.
fn is_before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}
