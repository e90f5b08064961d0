//! The pass list: told, and changed.

use super::{Operator, lock};
use crate::mgmt::control::ControlError;
use crate::mgmt::passes::{PassInfo, PassRequest, name};

impl Operator {
    pub(super) fn list_passes(&self) -> Vec<PassInfo> {
        let list = std::sync::Arc::clone(&self.handle().pass_list);
        lock(&self.passes).rows(&list, self.now())
    }

    pub(super) fn begin_pass(&self, asked: &PassRequest) -> Result<PassInfo, ControlError> {
        let (list, now) = (std::sync::Arc::clone(&self.handle().pass_list), self.now());
        let added = lock(&self.passes).add(&list, asked, now);
        let (added, left) = added.map_err(|fault| ControlError::Unanswerable(fault.to_string()))?;
        for info in &left {
            let why = if info.passed == added.passed { "it is put on anew" } else { OVER };
            tell_left(info, why);
        }
        let (network, secs, note) = (name(&added.passed), asked.span.as_secs(), &added.note);
        tracing::warn!(note = %note, "an operator lets {network} pass for {secs} s: no verdict stops it");
        if added.passed.is_broad() {
            tracing::warn!("{network} is a broad network to let pass");
        }
        Ok(added)
    }

    pub(super) fn end_pass(&self, id: u64) -> Option<PassInfo> {
        let list = std::sync::Arc::clone(&self.handle().pass_list);
        let ended = lock(&self.passes).remove(&list, id);
        if let Some(info) = &ended {
            tell_left(info, "an operator takes it off");
        }
        ended
    }

    /// Networks whose time is over leave the list. Never waits for a worker.
    pub fn turn_passes(&self) {
        let list = std::sync::Arc::clone(&self.handle().pass_list);
        for info in lock(&self.passes).turn(&list, self.now()) {
            tell_left(&info, OVER);
        }
    }
}

const OVER: &str = "its time is over";

fn tell_left(info: &PassInfo, why: &str) {
    let (network, spared, note) = (name(&info.passed), info.spared, &info.note);
    tracing::warn!(note = %note, "{network} leaves the pass list, {why}; it spared {spared} packets");
}
