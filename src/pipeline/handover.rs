//! Frames on their way to the worker that owns their session, and the order between workers.
//!
//! Fragments are spread by addresses, their datagram belongs where its ports hash: one single-producer ring lies between each
//! two workers. Where NICs spread the frames, those that came to the wrong worker take the same rings, several at once. On
//! the fast path what comes is taken when it comes. A replay promises the same alerts for any number
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
    to: Vec<Option<Towards>>,
    from: Vec<Box<dyn FrameReceiver>>,
    /// Replay only: received, not yet due; by packet number.
    pending: VecDeque<Frame>,
    incoming: Burst,
}

/// The way to one other worker.
struct Towards {
    ring: Box<dyn FrameSender>,
    /// Put into the ring when there are many, or by [`Handover::flush`].
    waiting: Burst,
}

impl Towards {
    /// Those that find no room are lost.
    fn flush(&mut self, lost: &mut dyn FnMut(Frame)) {
        self.ring.send(&mut self.waiting);
        self.waiting.drain(..).for_each(lost);
    }
}

impl Handover {
    pub fn new(to: Vec<Option<Box<dyn FrameSender>>>, from: Vec<Box<dyn FrameReceiver>>) -> Handover {
        let towards = |ring| Towards { ring, waiting: Burst::new() };
        let to = to.into_iter().map(|ring| ring.map(towards)).collect();
        Handover { to, from, ..Handover::default() }
    }

    /// Hands a datagram to its owner. Gives it back when the ring is full, or when there is no such worker.
    pub fn give(&mut self, worker: usize, frame: Frame) -> Result<(), Frame> {
        let Some(to) = self.to.get_mut(worker).and_then(Option::as_mut) else {
            return Err(frame);
        };
        // There is room: a full one was flushed.
        to.waiting.push(frame);
        to.ring.send(&mut to.waiting);
        to.waiting.pop().map_or(Ok(()), Err)
    }

    /// Puts a frame to those that are handed over together. `lost` takes those whose ring is full.
    pub fn queue(&mut self, worker: usize, frame: Frame, lost: &mut dyn FnMut(Frame)) {
        let Some(to) = self.to.get_mut(worker).and_then(Option::as_mut) else { return lost(frame) };
        to.waiting.push(frame);
        if to.waiting.is_full() {
            to.flush(lost);
        }
    }

    /// Hands over what was queued.
    pub fn flush(&mut self, lost: &mut dyn FnMut(Frame)) {
        let queued = self.to.iter_mut().flatten().filter(|to| !to.waiting.is_empty());
        queued.for_each(|to| to.flush(lost));
    }

    /// The next frame, in whatever order they come.
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

    /// Frames in the rings towards this worker, or received and not yet due.
    pub fn waiting(&self) -> usize {
        self.from.iter().map(|ring| ring.waiting()).sum::<usize>() + self.pending.len() + self.incoming.len()
    }
}

/// Numbers wrap; two that are compared are never half their range apart.
fn is_before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}
