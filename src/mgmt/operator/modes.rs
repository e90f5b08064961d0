//! Modes of pairs, changed, confirmed and taken back.

use super::post::{LOOK, PATIENCE};
use super::{Operator, lock};
use crate::mgmt::config::{Mode, Pair};
use crate::mgmt::control::{ControlError, ModeChange, PairStatus};
use crate::mgmt::{convert, pair_modes};
use std::time::Duration;

impl Operator {
    pub(super) fn change_modes(&self, change: &ModeChange) -> Result<(), ControlError> {
        let pairs = pair_modes::meant(&self.loaded().config, change).map_err(ControlError::Unchanged)?;
        let mut unconfirmed = lock(&self.unconfirmed);
        let until = change.confirm.map(|span| self.now().plus(span));
        for pair in pairs {
            let before = self.switch(pair, change.mode);
            unconfirmed.changed(pair, before, until);
        }
        drop(unconfirmed);
        self.modes_taken()
    }

    /// As the configuration says from now on, whatever waits for a confirmation.
    pub(super) fn change_mode(&self, pair: usize, mode: Mode) {
        let mut unconfirmed = lock(&self.unconfirmed);
        let before = self.switch(pair, mode);
        unconfirmed.changed(pair, before, None);
    }

    pub(super) fn settle_modes(&self, keep: bool) -> Result<usize, ControlError> {
        let mut unconfirmed = lock(&self.unconfirmed);
        let waiting = unconfirmed.take_all();
        for taken_back in waiting.iter().filter(|_| !keep) {
            self.switch(taken_back.pair, taken_back.before);
        }
        drop(unconfirmed);
        self.modes_taken().map(|()| waiting.len())
    }

    pub(super) fn modes(&self) -> Vec<PairStatus> {
        let config = &self.loaded().config;
        let unconfirmed = lock(&self.unconfirmed);
        let status = |(place, pair): (usize, &Pair)| {
            let port = pair_modes::ports_of(config, place).first().copied();
            let mode = port.map_or(pair.mode, |port| pair_modes::word(self.board.modes.of(port)));
            PairStatus {
                ports: pair.ports.clone(),
                mode: mode.name().into(),
                goes_back: unconfirmed.of(place).map(|waiting| (waiting.before.name().into(), waiting.until)),
            }
        };
        config.pairs.iter().enumerate().map(status).collect()
    }

    /// Changes a pair's mode; what it was. Only who holds `unconfirmed`, or took from it, calls this.
    pub(super) fn switch(&self, pair: usize, mode: Mode) -> Mode {
        let config = &self.loaded().config;
        let ports = pair_modes::ports_of(config, pair);
        let board = &self.board;
        let before = ports.first().map_or(mode, |port| pair_modes::word(board.modes.of(*port)));
        board.modes.set(&ports, convert::mode(mode));
        let names = config.pairs.get(pair).map(|pair| pair.ports.join(" <-> ")).unwrap_or_default();
        tracing::warn!("pair {names}: mode {}, was {}", mode.name(), before.name());
        before
    }

    /// Waits until every worker goes by the newest modes.
    fn modes_taken(&self) -> Result<(), ControlError> {
        let board = &self.board;
        let mut waited = Duration::ZERO;
        while let Some(worker) = board.modes.behind() {
            if board.is_stopped() {
                return Err(ControlError::Stopping);
            }
            if waited >= PATIENCE {
                return Err(ControlError::Lagging { worker: worker as u32 });
            }
            std::thread::park_timeout(LOOK);
            waited += LOOK;
        }
        Ok(())
    }

    /// Modes that nobody confirmed in time go back. Never waits for a worker.
    pub fn turn_modes(&self) {
        let mut unconfirmed = lock(&self.unconfirmed);
        for waiting in unconfirmed.take_due(self.now()) {
            self.switch(waiting.pair, waiting.before);
        }
    }
}
