//! Where a decoder puts what it finds.

use super::expected::{Announcement, End, Expected};
use super::lent::Lent;
use super::limits::Limits;
use super::transaction::Transaction;
use super::transactions::{Transactions, TxId};
use super::wanted::Wanted;
use crate::base::{Dir, FlowTuple, Time};
use crate::rules::app::AppProto;

/// Lent to a decoder for one call.
pub struct Sink<'a> {
    pub(super) transactions: &'a mut Transactions,
    pub limits: &'a Limits,
    /// The session's, as its opener has it.
    pub tuple: FlowTuple,
    /// Capture time of the packet at work.
    pub time: Time,
    /// The session spoke another protocol before this one.
    pub changed: bool,
    pub(super) flush: &'a mut bool,
    pub(super) sealed: &'a mut bool,
    pub(super) expected: &'a mut Expected,
    pub(super) lent: &'a mut Lent,
}

impl<'a> Sink<'a> {
    /// A new transaction, the newest. `None` when memory ran out: the decoder goes on without.
    pub fn open(&mut self) -> Option<TxId> {
        self.transactions.open(self.limits)
    }

    /// One that is still there: a transaction that is complete and inspected goes, and so does the oldest of too many.
    pub fn tx(&mut self, id: TxId) -> Option<&mut Transaction> {
        self.transactions.get_mut(id)
    }

    /// The oldest that passes.
    pub fn find(&mut self, passes: impl FnMut(&Transaction) -> bool) -> Option<&mut Transaction> {
        self.transactions.find_mut(passes)
    }

    pub fn newest(&mut self) -> Option<&mut Transaction> {
        self.transactions.newest_mut()
    }

    /// So many are there.
    pub fn count(&self) -> usize {
        self.transactions.len()
    }

    pub fn wanted(&self) -> &Wanted {
        self.transactions.wanted()
    }

    /// The session's protocol turns out to be one that this one carries: all its transactions are of that.
    pub fn becomes(&mut self, proto: AppProto) {
        if self.transactions.proto != proto {
            self.transactions.proto = proto;
            self.transactions.iter_mut().for_each(|tx| tx.proto = proto);
        }
    }

    /// An event that belongs to no transaction in particular: to the newest, or to one made for it.
    pub fn event(&mut self, dir: Dir, name: &'static str) {
        if self.transactions.is_empty() {
            self.open();
        }
        if let Some(tx) = self.newest() {
            tx.event(dir, name);
        }
    }

    /// Someone will soon connect to that end, and carry that.
    pub fn expect(&mut self, end: End, announced: Announcement) {
        self.expected.add(end, &announced, self.time);
    }

    /// Both directions are encrypted from here on: there is nothing in their bytes that a rule could look for.
    pub fn seal(&mut self) {
        *self.sealed = true;
    }

    /// A message is whole: rules on the stream's bytes look now, without waiting for more of them.
    pub fn flush_stream(&mut self) {
        *self.flush = true;
    }
}
