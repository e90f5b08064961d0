//! A session's transactions, oldest first.

use super::limits::Limits;
use super::transaction::Transaction;
use super::wanted::{FileWants, Wanted};
use crate::base::{Dir, PerDir};
use crate::rules::app::AppProto;
use std::collections::VecDeque;

/// Counted within the session, from 0.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TxId(pub u64);

/// Transactions kept for later use, by all sessions of a worker together.
#[derive(Default)]
pub(super) struct Spares {
    #[expect(clippy::vec_box, reason = "they move between sessions, and are large")]
    free: Vec<Box<Transaction>>,
    /// Memory for what they say: that of the one before is the next one's, however many wait in `free`.
    stores: Vec<Vec<u8>>,
    /// Bytes of those in use.
    pub(super) memory: usize,
    /// Refused for want of memory.
    pub(super) refused: u64,
    /// Ended before their time because a session had too many.
    pub(super) cut_short: u64,
}

/// Bytes that a decoder gets before it is looked whether its session has too many transactions. A byte opens one at most.
pub const BETWEEN_LOOKS: usize = 8 << 10;
/// Transactions beyond a session's limit until someone looks: those that the first bytes of a direction and those between two
/// looks may open.
const MAX_UNSEEN: usize = 2 * BETWEEN_LOOKS;

/// Spare transactions kept at most.
const MAX_SPARES: usize = 4096;
/// And of what they said the memory of so many.
const MAX_STORES: usize = 64;

impl Spares {
    fn give_back(&mut self, mut tx: Box<Transaction>) {
        if self.free.len() < MAX_SPARES {
            tx.put_by();
            let store = std::mem::take(tx.store_mut());
            if store.capacity() > 0 && self.stores.len() < MAX_STORES {
                self.stores.push(store);
            }
            self.free.push(tx);
        }
    }
}

/// Protocols for which too many transactions at once are an event; others count what waits for an answer themselves.
fn too_many(proto: AppProto) -> Option<&'static str> {
    Some(match proto {
        AppProto::Http1 => "http.too_many_transactions",
        AppProto::Smtp => "smtp.too_many_transactions",
        AppProto::Smb => "smb.too_many_transactions",
        AppProto::Dcerpc => "dcerpc.too_many_transactions",
        AppProto::Nfs => "nfs.too_many_transactions",
        AppProto::Imap => "imap.too_many_transactions",
        _ => return None,
    })
}

pub struct Transactions {
    live: VecDeque<Box<Transaction>>,
    next: u64,
    /// Of those that are opened now.
    pub(super) proto: AppProto,
    wanted: Wanted,
    /// Of that what rules want of notes and files; of a protocol, records may want more.
    by_rules: (bool, FileWants),
    /// One may have come to be through since the last sweep.
    unswept: bool,
    /// One may have changed since rules last looked at all of a direction.
    news: PerDir<bool>,
    /// Taken from the worker's before a decoder runs, so that opening needs no other borrow.
    pub(super) spares: Spares,
}

impl Transactions {
    pub(super) fn new() -> Transactions {
        Transactions {
            live: VecDeque::new(),
            next: 0,
            proto: AppProto::Http1,
            wanted: Wanted::default(),
            by_rules: Default::default(),
            unswept: false,
            news: PerDir::default(),
            spares: Spares::default(),
        }
    }

    pub(super) fn renew(&mut self, wanted: &Wanted) {
        self.next = 0;
        (self.wanted, self.by_rules) = (*wanted, (wanted.notes, wanted.files));
    }

    /// Those that are opened from now on are of that protocol, and keep what records want beside what rules do.
    pub(super) fn begin(&mut self, proto: AppProto, notes: bool, files: FileWants) {
        self.proto = proto;
        self.wanted.notes = self.by_rules.0 || notes;
        self.wanted.files = self.by_rules.1.or(files);
    }

    pub fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    pub(super) fn open(&mut self, limits: &Limits) -> Option<TxId> {
        if self.spares.memory >= limits.memory {
            self.spares.refused += 1;
            return None;
        }
        while self.live.len() >= limits.transactions.saturating_add(MAX_UNSEEN) {
            self.spares.cut_short += 1;
            self.drop_oldest();
        }
        let mut tx = self.spares.free.pop().unwrap_or_else(|| Box::new(Transaction::new()));
        tx.renew(self.next, self.proto, &self.wanted, limits);
        *tx.store_mut() = self.spares.stores.pop().unwrap_or_default();
        if self.live.len() >= limits.transactions
            && let Some(event) = too_many(self.proto)
        {
            tx.event(Dir::ToServer, event);
        }
        self.live.push_back(tx);
        let id = TxId(self.next);
        self.next += 1;
        Some(id)
    }

    fn drop_oldest(&mut self) {
        if let Some(tx) = self.live.pop_front() {
            self.spares.give_back(tx);
        }
    }

    fn place(&self, id: TxId) -> Option<usize> {
        self.live.binary_search_by_key(&id.0, |tx| tx.id).ok()
    }

    pub fn get(&self, id: TxId) -> Option<&Transaction> {
        self.live.get(self.place(id)?).map(|tx| &**tx)
    }

    pub fn get_mut(&mut self, id: TxId) -> Option<&mut Transaction> {
        let at = self.place(id)?;
        self.live.get_mut(at).map(|tx| &mut **tx)
    }

    pub(super) fn find_mut(
        &mut self,
        mut passes: impl FnMut(&Transaction) -> bool,
    ) -> Option<&mut Transaction> {
        self.live.iter_mut().map(|tx| &mut **tx).find(|tx| passes(tx))
    }

    pub(super) fn newest_mut(&mut self) -> Option<&mut Transaction> {
        self.live.back_mut().map(|tx| &mut **tx)
    }

    pub fn newest(&self) -> Option<&Transaction> {
        self.live.back().map(|tx| &**tx)
    }

    pub fn len(&self) -> usize {
        self.live.len()
    }

    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// Oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Transaction> {
        self.live.iter().map(|tx| &**tx)
    }

    /// Oldest first.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Transaction> {
        self.live.iter_mut().map(|tx| &mut **tx)
    }

    /// Whether there are more than a session may have: inspection is to look, so that the oldest can go.
    pub fn are_too_many(&self, limits: &Limits) -> bool {
        self.live.len() > limits.transactions
    }

    /// Rules that wait for something beside a transaction look at all of them once more.
    pub fn look_again(&mut self) {
        self.live.iter_mut().for_each(|tx| tx.changed = PerDir([true; 2]));
        self.at_work();
    }

    /// The oldest of too many end as they stand, down to half of what a session may have. They go with the next sweep behind
    /// inspection's look.
    pub fn end_oldest(&mut self, limits: &Limits) {
        let end = self.live.len().saturating_sub(limits.transactions / 2);
        for tx in self.live.iter_mut().take(end) {
            tx.keep_open(false);
            Dir::BOTH.into_iter().for_each(|dir| tx.complete(dir));
        }
        self.spares.cut_short += end as u64;
        self.at_work();
    }

    /// Nothing more will come: all end as they stand.
    pub(super) fn complete_all(&mut self) {
        for tx in self.iter_mut() {
            tx.keep_open(false);
            Dir::BOTH.into_iter().for_each(|dir| tx.complete(dir));
        }
        self.at_work();
    }

    /// They change.
    pub(super) fn at_work(&mut self) {
        (self.unswept, self.news) = (true, PerDir([true; 2]));
    }

    /// Whether one may have changed since the last call for that direction. Then rules look, which may be the last that one
    /// waited for.
    pub fn take_news(&mut self, dir: Dir) -> bool {
        let news = std::mem::take(&mut self.news[dir]);
        self.unswept |= news;
        news
    }

    /// Rules did not get to the last of them.
    pub fn put_back_news(&mut self, dir: Dir) {
        self.news[dir] = true;
    }

    /// Something was done to them since the last sweep.
    pub fn is_unswept(&self) -> bool {
        self.unswept
    }

    /// Takes back those that are complete and were inspected both ways.
    pub(super) fn sweep(&mut self) {
        self.unswept = false;
        while self.live.front().is_some_and(|tx| tx.is_through()) {
            self.drop_oldest();
        }
        // Those behind one that is slow go too, where there are any.
        if self.live.iter().any(|tx| tx.is_through()) {
            for _ in 0..self.live.len() {
                if let Some(tx) = self.live.pop_front() {
                    if tx.is_through() { self.spares.give_back(tx) } else { self.live.push_back(tx) }
                }
            }
        }
    }

    pub(super) fn clear(&mut self) {
        while !self.live.is_empty() {
            self.drop_oldest();
        }
    }

    /// Bytes that those which are open occupy.
    pub(super) fn memory(&self) -> usize {
        self.live.iter().map(|tx| tx.memory()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::event;
    use crate::rules::field::FieldId;

    #[test]
    fn too_many_stay_until_they_were_looked_at_and_the_oldest_go() {
        let limits = Limits { transactions: 8, ..Limits::default() };
        let mut all = Transactions::new();
        for _ in 0..20 {
            let id = all.open(&limits).unwrap();
            all.get_mut(id).unwrap().field(Dir::ToServer, FieldId(0), 1);
        }
        assert!(all.are_too_many(&limits));
        all.end_oldest(&limits);
        all.sweep();
        assert_eq!(all.len(), 20, "nobody looked at them");
        all.iter_mut().for_each(|tx| Dir::BOTH.into_iter().for_each(|dir| tx.looked_at(dir)));
        all.sweep();
        assert_eq!(all.iter().map(|tx| tx.id).collect::<Vec<_>>(), [16, 17, 18, 19]);
    }

    #[test]
    fn an_event_alone_stays_until_rules_looked_at_it_both_ways() {
        let limits = Limits::default();
        let mut all = Transactions::new();
        let id = all.open(&limits).unwrap();
        let tx = all.get_mut(id).unwrap();
        tx.event(Dir::ToServer, "http.missing_host_header");
        Dir::BOTH.into_iter().for_each(|dir| tx.complete(dir));
        for dir in Dir::BOTH {
            all.sweep();
            assert_eq!(all.len(), 1, "{dir:?} was not looked at");
            all.get_mut(id).unwrap().looked_at(dir);
        }
        all.sweep();
        assert!(all.is_empty());
    }

    #[test]
    fn a_used_one_is_new_and_small() {
        let limits = Limits::default();
        let mut all = Transactions::new();
        all.renew(&Wanted::all());
        let id = all.open(&limits).unwrap();
        let tx = all.get_mut(id).unwrap();
        let small = tx.memory();
        (0..5000).for_each(|n| tx.field(Dir::ToServer, FieldId(0), n));
        assert!(tx.memory() > small + 4096 * 16);
        tx.complete_one_way(Dir::ToServer);
        tx.looked_at(Dir::ToServer);
        all.sweep();
        assert_eq!(all.spares.free.len(), 1);
        assert!(all.spares.free[0].memory() < small + (32 << 10));
        let id = all.open(&limits).unwrap();
        let tx = all.get_mut(id).unwrap();
        tx.event(Dir::ToServer, "http.missing_host_header");
        assert_eq!(tx.changed, crate::base::PerDir([true; 2]), "it has two directions again");
    }

    #[test]
    fn where_nobody_looks_they_are_bounded_too() {
        let limits = Limits { transactions: 8, ..Limits::default() };
        let mut all = Transactions::new();
        for _ in 0..MAX_UNSEEN + 100 {
            all.open(&limits);
        }
        assert_eq!((all.len(), all.spares.cut_short), (8 + MAX_UNSEEN, 92));
        assert_eq!(all.newest().unwrap().id, MAX_UNSEEN as u64 + 99);
    }

    #[test]
    fn more_than_a_session_may_have_are_an_event_of_their_protocol() {
        let limits = Limits { transactions: 2, ..Limits::default() };
        for proto in AppProto::ALL.iter().copied() {
            let Some(event) = too_many(proto) else { continue };
            let mut all = Transactions::new();
            all.proto = proto;
            let told: Vec<_> = (0..3)
                .map(|_| {
                    let id = all.open(&limits).unwrap();
                    all.get(id).unwrap().events().iter().map(|(_, event)| *event).collect::<Vec<_>>()
                })
                .collect();
            assert_eq!(told, [vec![], vec![], vec![event]]);
            let (word, name) = event.split_once('.').unwrap();
            assert!(event::of(word).unwrap().contains(&name), "{event}");
        }
    }
}
