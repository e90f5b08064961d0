//! Management's side of a running appliance.

use super::board::Board;
use super::ledger::{Balance, Ledger};
use super::mailbox::{Answer, Command, MailboxSender};
use super::settings::PortPlan;
use super::tables::TableCounts;
use crate::base::{DropReason, PluginId};
use crate::inspect::HostState;
use crate::io::PortMeter;
use crate::service::Running;
use crate::service::ip_actions::IpActions;
use crate::service::pass_list::PassList;
use crate::service::table::PluginCounts;
use std::sync::Arc;

/// What management keeps: counters to read, mailboxes to write, the board to stop by.
pub struct Handle {
    pub board: Arc<Board>,
    /// The main lcore's first, then each worker's.
    pub ledgers: Vec<Arc<Ledger>>,
    pub tables: Vec<Arc<TableCounts>>,
    pub plans: Arc<[PortPlan]>,
    /// By worker: which plugin it is in now, and what each plugin counts there.
    pub running: Vec<Arc<Running>>,
    pub plugins: Vec<Vec<(PluginId, Arc<PluginCounts>)>>,
    /// What the workers' detection shares, where there is detection.
    pub hosts: Option<Arc<HostState>>,
    pub ip_actions: Arc<IpActions>,
    pub pass_list: Arc<PassList>,
    /// By name, those that count.
    pub meters: Vec<(String, Box<dyn PortMeter>)>,
    /// The workers', then the main lcore's, if it has one.
    pub(super) mailboxes: Vec<MailboxSender>,
    pub(super) workers: usize,
}

impl Handle {
    /// The sum over all lcores. Exact when they are quiet; `in_rings` is then what the rings hold.
    pub fn balance(&self, in_rings: u64) -> Balance {
        Balance::of(self.ledgers.iter().map(Arc::as_ref), in_rings)
    }

    /// After some lcores failed, and all have ended: what they had is gone, and counts as dropped. How many frames that were.
    pub fn write_off(&self, in_rings: u64) -> u64 {
        for lcore in self.board.failed() {
            self.ledgers.get(lcore).into_iter().for_each(|ledger| ledger.held.set(0));
        }
        let balance = self.balance(in_rings);
        let missing = balance.came_in().saturating_sub(balance.went_out());
        if let Some(main) = self.ledgers.first() {
            main.count_drop(DropReason::LcoreFailed, None, missing);
        }
        missing
    }

    /// As [`balance`](Self::balance), with what the lcores last counted in their rings: exact in a pause.
    pub fn balance_in_pause(&self) -> Balance {
        self.balance(self.ledgers.iter().map(|ledger| ledger.in_rings.get()).sum())
    }

    pub fn workers(&self) -> usize {
        self.workers
    }

    /// Who can be asked for a watch: the workers, and behind them the main lcore where it may drop what comes for them.
    pub fn watchers(&self) -> usize {
        self.mailboxes.len()
    }

    /// Puts a command into a worker's mailbox; gives it back when that is full.
    pub fn command(&mut self, worker: usize, command: Command) -> Result<(), Command> {
        match self.mailboxes.get_mut(worker) {
            Some(mailbox) => mailbox.commands.push(command).map_err(|rtrb::PushError::Full(command)| command),
            None => Err(command),
        }
    }

    /// The next answer of a worker.
    pub fn answer(&mut self, worker: usize) -> Option<Answer> {
        self.mailboxes.get_mut(worker)?.answers.pop().ok()
    }
}
