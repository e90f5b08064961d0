//! Sessions that live: looked for in the workers' tables a part at a time, and ended by hand.

use super::{Operator, info, lock};
use crate::mgmt::config::Mode;
use crate::mgmt::control::{ControlError, SessionFilter, SessionInfo};
use crate::pipeline::mailbox::{Answer, Command, SessionRow};
use crate::pipeline::scan::{SLICE, SessionScan};

impl Operator {
    /// The first that a filter takes, worker by worker. Other questions have their turn between two parts of a table.
    pub(super) fn scan(&self, filter: &SessionFilter) -> Result<Vec<SessionRow>, ControlError> {
        let (mut found, limit) = (Vec::new(), filter.limit());
        let workers = self.handle().workers();
        for worker in 0..workers {
            let mut from = Some(0);
            while let Some(place) = from
                && found.len() < limit
            {
                let rows = Vec::with_capacity(SLICE.min(limit - found.len()));
                let command = Command::Sessions(SessionScan { from: place, pick: filter.pick(), rows });
                let _one = lock(&self.asking);
                let (rows, next) = self.ask(worker, command, |answer| match answer {
                    Answer::Sessions { rows, next } => Some((rows, next)),
                    _ => None,
                })?;
                found.extend(rows);
                from = next;
            }
        }
        Ok(found)
    }

    pub(super) fn kill_session(&self, flow_id: u64, who: &str) -> Result<SessionInfo, ControlError> {
        let unanswerable = |text: String| ControlError::Unanswerable(text);
        let acts = self.modes().iter().any(|pair| pair.mode == Mode::Ips.name());
        if !acts {
            return Err(unanswerable(
                "no pair is in mode ips, so no verdict acts: nothing can be ended".into(),
            ));
        }
        let none = || {
            unanswerable(format!("no live session has the number {flow_id}; `weir ctl sessions` lists them"))
        };
        let filter = SessionFilter { limit: 1, flow_id: Some(flow_id), ..SessionFilter::default() };
        let row = self.scan(&filter)?.into_iter().next().ok_or_else(none)?;
        let command = Command::Kill { tuple: row.tuple, flow_id };
        let _one = lock(&self.asking);
        let killed = self.ask(row.worker.into(), command, |answer| match answer {
            Answer::Killed(done) => Some(done),
            _ => None,
        })?;
        if !killed {
            return Err(none());
        }
        tracing::warn!("{who} ends the session {flow_id}: what belongs to it is dropped from now on");
        Ok(SessionInfo { verdict: "drop".into(), ..info(&row) })
    }
}
