//! A decoder under test: fed by hand, what it found read back.

use super::decoder::{Decoder, Next};
use super::expected::Expected;
use super::lent::Lent;
use super::limits::Limits;
use super::sink::Sink;
use super::transactions::Transactions;
use super::wanted::Wanted;
use crate::base::{Dir, FlowTuple, Time};
use crate::rules::app::AppProto;
use crate::rules::context;
use crate::rules::field;

pub(crate) struct Bench {
    pub(crate) decoder: Box<dyn Decoder>,
    pub(crate) transactions: Transactions,
    pub(crate) limits: Limits,
    pub(crate) tuple: FlowTuple,
    pub(crate) changed: bool,
    pub(crate) flushed: bool,
    pub(crate) sealed: bool,
    pub(crate) expected: Expected,
    lent: Lent,
}

impl Bench {
    /// Everything is wanted.
    pub(crate) fn new(proto: AppProto, decoder: Box<dyn Decoder>) -> Bench {
        let mut transactions = Transactions::new();
        transactions.renew(&Wanted::all());
        transactions.proto = proto;
        let (limits, tuple) = (Limits::default(), FlowTuple::default());
        Bench {
            decoder,
            transactions,
            limits,
            tuple,
            changed: false,
            flushed: false,
            sealed: false,
            expected: Expected::default(),
            lent: Lent::default(),
        }
    }

    fn with(&mut self, work: impl FnOnce(&mut dyn Decoder, &mut Sink<'_>) -> Next) -> Next {
        let Bench { decoder, transactions, limits, tuple, changed, flushed, sealed, expected, lent } = self;
        let (time, tuple, changed) = (Time::from_secs(0), *tuple, *changed);
        let mut sink =
            Sink { transactions, limits, tuple, time, changed, flush: flushed, sealed, expected, lent };
        let next = work(decoder.as_mut(), &mut sink);
        transactions.at_work();
        self.relieve();
        next
    }

    /// As whoever inspects does with too many transactions.
    fn relieve(&mut self) {
        if !self.transactions.are_too_many(&self.limits) {
            return;
        }
        self.transactions.end_oldest(&self.limits);
        for tx in self.transactions.iter_mut() {
            Dir::BOTH.into_iter().for_each(|dir| tx.looked_at(dir));
        }
        self.transactions.sweep();
    }

    pub(crate) fn data(&mut self, dir: Dir, bytes: &[u8]) -> Next {
        self.with(|decoder, sink| decoder.data(dir, bytes, sink))
    }

    /// In pieces of `size` bytes, until the decoder says something else than [`Next::More`].
    pub(crate) fn pieces(&mut self, dir: Dir, bytes: &[u8], size: usize) -> Next {
        let mut next = Next::More;
        for piece in bytes.chunks(size) {
            next = self.data(dir, piece);
            if next != Next::More {
                break;
            }
        }
        next
    }

    pub(crate) fn gap(&mut self, dir: Dir, missing: u64) -> Next {
        self.with(|decoder, sink| decoder.gap(dir, missing, sink))
    }

    pub(crate) fn end(&mut self, dir: Dir) {
        self.with(|decoder, sink| {
            decoder.end(dir, sink);
            Next::More
        });
    }

    /// All buffers of that name of the transaction, as text.
    pub(crate) fn texts(&self, tx: usize, buffer: &str) -> Vec<String> {
        let id = context::sticky(buffer)
            .or_else(|| context::all().find(|(_, b)| b.name == buffer).map(|(id, _)| id));
        let (Some(id), Some(tx)) = (id, self.transactions.iter().nth(tx)) else { return Vec::new() };
        tx.buffers(id).map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned()).collect()
    }

    pub(crate) fn text(&self, tx: usize, buffer: &str) -> Option<String> {
        self.texts(tx, buffer).into_iter().next()
    }

    /// What is there of a streamed buffer, as text.
    pub(crate) fn streamed(&self, tx: usize, buffer: &str) -> Option<String> {
        let id = context::sticky(buffer)?;
        let tx = self.transactions.iter().nth(tx)?;
        let found = tx.streamed().iter().find(|s| s.is(id))?;
        Some(String::from_utf8_lossy(found.kept()).into_owned())
    }

    pub(crate) fn numbers(&self, tx: usize, name: &str) -> Vec<u64> {
        let (Some(id), Some(tx)) = (field::named(name), self.transactions.iter().nth(tx)) else {
            return Vec::new();
        };
        tx.numbers(id).map(|(_, number)| number).collect()
    }

    pub(crate) fn events(&self) -> Vec<&'static str> {
        self.transactions.iter().flat_map(|tx| tx.events().iter().map(|(_, name)| *name)).collect()
    }

    pub(crate) fn complete(&self, tx: usize, dir: Dir) -> bool {
        self.transactions.iter().nth(tx).is_some_and(|tx| tx.is_complete(dir))
    }
}
