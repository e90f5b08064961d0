//! Settings of a lane that may become others while it runs: those that no memory was taken by.

use super::checksums::Checking;
use super::lane::Lane;
use crate::service::{self, Wanted};
use crate::{defrag, session};

/// What a lane goes by from its next turn on. Afterwards it holds the tables that the lane went by before.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// Capacity and seed stay as they are.
    pub sessions: session::Settings,
    /// Room for datagrams, pieces and sources stays as it is.
    pub fragments: defrag::Settings,
    pub checksums: Checking,
    pub plugins: service::Tuning,
    /// Records of transactions only where some were wanted at the start.
    pub wanted: Wanted,
}

impl Lane {
    pub(super) fn tune(&mut self, tuning: &mut Tuning) {
        self.sessions.tune(&tuning.sessions);
        self.fragments.tune(&mut tuning.fragments);
        self.checksums.tune(tuning.checksums);
        self.services.tune(&mut tuning.plugins);
        self.report.want(tuning.wanted);
    }
}
