//! Watches on all lcores that drop: begun, fed, ended.

use super::{Operator, lock};
use crate::mgmt::control::{Control, ControlError};
use crate::mgmt::watching::{self, Feed, Frames, Names, Steps, WatchRequest};
use crate::pipeline::mailbox::{Answer, Command};
use crate::pipeline::watch::{FrameWatch, Watch};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Bytes of each worker's ring of frames.
const FRAME_ROOM: usize = 2 << 20;

/// Packets in each worker's ring of steps.
const STEP_ROOM: usize = 1024;

impl Operator {
    pub(super) fn begin_watch(&self, request: &WatchRequest) -> Result<(u64, Box<dyn Feed>), ControlError> {
        let filter = watching::filter(&request.filter).map_err(ControlError::Unanswerable)?;
        let id = self.watch_ids.fetch_add(1, Ordering::Relaxed) + 1;
        let rules = self.rules.clone();
        let names = Names {
            ports: self.loaded().config.ports.iter().map(|port| port.name.clone()).collect(),
            plugins: self.plugins()?.into_iter().map(|plugin| (plugin.id, plugin.name)).collect(),
            rules: Arc::new(move || rules.sets()),
        };
        // The main lcore drops frames, and sees nothing of their steps.
        let lcores = if request.steps { self.handle().workers() } else { self.handle().watchers() };
        let (mut watches, mut frames, mut steps) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..lcores {
            if request.steps {
                let (watch, feed) = Watch::steps(id, filter.clone(), STEP_ROOM);
                watches.push(watch);
                steps.push(feed);
            } else {
                let of = FrameWatch { dropped: request.dropped, snaplen: request.snaplen, room: FRAME_ROOM };
                let (watch, feed) = Watch::frames(id, filter.clone(), of);
                watches.push(watch);
                frames.push(feed);
            }
        }
        let begun = self.place(watches);
        if let Err(error) = begun {
            self.end_watch(id);
            return Err(error);
        }
        let feed: Box<dyn Feed> = match request.steps {
            true => Box::new(Steps { feeds: steps, names }),
            false => Box::new(Frames { feeds: frames, names }),
        };
        Ok((id, feed))
    }

    /// One to each worker.
    fn place(&self, watches: impl IntoIterator<Item = Box<Watch>>) -> Result<(), ControlError> {
        let _one = lock(&self.asking);
        for (worker, watch) in watches.into_iter().enumerate() {
            let refused = self.ask(worker, Command::Watch(watch), watch_back)?;
            if refused.is_some() {
                let text =
                    "as many packets are being watched as can be: end another `weir ctl capture` or `trace`";
                return Err(ControlError::Unchanged(text.into()));
            }
        }
        Ok(())
    }

    /// What a worker does not give back now is asked for again at the next turn.
    pub(super) fn end_watch(&self, id: u64) {
        lock(&self.ended_watches).push(id);
        self.turn_watches();
    }

    /// Takes ended watches from the workers.
    pub fn turn_watches(&self) {
        let ended = std::mem::take(&mut *lock(&self.ended_watches));
        if ended.is_empty() {
            return;
        }
        let _one = lock(&self.asking);
        let lcores = self.handle().watchers();
        for id in ended {
            let gone = |lcore| self.ask(lcore, Command::Unwatch(id), watch_back).is_ok();
            if !(0..lcores).all(gone) && !self.board.is_stopped() {
                lock(&self.ended_watches).push(id);
            }
        }
    }
}

fn watch_back(answer: Answer) -> Option<Option<Box<Watch>>> {
    match answer {
        Answer::Watch(watch) => Some(watch),
        _ => None,
    }
}
