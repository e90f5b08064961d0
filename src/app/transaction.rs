//! A transaction: a request and its answer, a handshake, a message; what a decoder found in it.

use super::cursor::Order;
use super::few;
use super::limits::Limits;
use super::streamed::{Streamed, Window};
use super::wanted::Wanted;
use crate::base::{Dir, PerDir};
use crate::rules::app::AppProto;
use crate::rules::context::BufferId;
use crate::rules::field::FieldId;
use std::mem::take;
use std::ops::Range;

mod files;
mod marks;
mod notes;

pub use files::{File, FileId};
pub use marks::{Marks, Pending};
pub use notes::{Note, NoteRef};

/// Nothing of that direction came yet.
pub const START: u8 = 0;
/// All of that direction came.
pub const COMPLETE: u8 = u8::MAX;

/// Items, fields and files of one transaction at most; further ones are not kept.
const MAX_ITEMS: usize = 4096;
const MAX_FIELDS: usize = 4096;
const MAX_STREAMED: usize = 64;
/// Bytes of memory for its texts that are kept for the next: most need no more.
const KEPT_STORE: usize = 4096;
/// Different events of one transaction.
const MAX_EVENTS: usize = 16;

/// A buffer that is whole.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub id: BufferId,
    pub dir: Dir,
    at: u32,
    len: u32,
}

/// A number or a text that rules ask for by a keyword.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct FieldValue {
    pub id: FieldId,
    pub dir: Dir,
    value: Value,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Value {
    Number(u64),
    Text { at: u32, len: u32 },
}

#[derive(Clone, Debug)]
pub struct Transaction {
    /// Counted within the session, from 0.
    pub id: u64,
    /// Whose transaction it is.
    pub proto: AppProto,
    stage: PerDir<u8>,
    /// How its message writes numbers, for `byte_test` and its like with `dce`.
    order: Order,
    /// The direction was inspected at this stage.
    pub inspected: PerDir<Option<u8>>,
    /// Its only direction, where it has but one.
    only: Option<Dir>,
    /// Something was added since inspection last looked, a direction.
    pub changed: PerDir<bool>,
    /// Something of that direction was found.
    touched: PerDir<bool>,
    store: Vec<u8>,
    items: Vec<Item>,
    fields: Vec<FieldValue>,
    streamed: Vec<Streamed>,
    files: Vec<File>,
    events: Vec<(Dir, &'static str)>,
    notes: Vec<Note>,
    /// Of the notes to come.
    below: &'static str,
    /// Its record was written.
    pub logged: bool,
    /// More may come though it is complete.
    kept: bool,
    pub marks: Marks,
    wanted: Wanted,
    limit: usize,
    /// Of a file, for its type.
    first_bytes: usize,
}

impl Transaction {
    pub(super) fn new() -> Transaction {
        Transaction {
            id: 0,
            proto: AppProto::Http1,
            stage: PerDir::default(),
            order: Order::default(),
            inspected: PerDir::default(),
            only: None,
            changed: PerDir::default(),
            touched: PerDir::default(),
            store: Vec::new(),
            items: Vec::new(),
            fields: Vec::new(),
            streamed: Vec::new(),
            files: Vec::new(),
            events: Vec::new(),
            notes: Vec::new(),
            below: "",
            logged: false,
            kept: false,
            marks: Marks::default(),
            wanted: Wanted::default(),
            limit: 0,
            first_bytes: 0,
        }
    }

    /// Makes a used one new: only its lists' memory stays.
    pub(super) fn renew(&mut self, id: u64, proto: AppProto, wanted: &Wanted, limits: &Limits) {
        self.put_by();
        let marks = &mut self.marks;
        *self = Transaction {
            id,
            proto,
            store: take(&mut self.store),
            items: take(&mut self.items),
            fields: take(&mut self.fields),
            streamed: take(&mut self.streamed),
            files: take(&mut self.files),
            events: take(&mut self.events),
            notes: take(&mut self.notes),
            marks: Marks {
                pending: take(&mut marks.pending),
                matched: take(&mut marks.matched),
                bits: take(&mut marks.bits),
                ..Marks::default()
            },
            wanted: *wanted,
            limit: limits.transaction,
            first_bytes: limits.file_type,
            ..Transaction::new()
        };
    }

    /// Empty, to wait for its next use: what its lists occupy beyond a small part is given back now, not then.
    pub(super) fn put_by(&mut self) {
        self.store.clear();
        self.store.shrink_to(KEPT_STORE);
        self.streamed.clear();
        self.files.clear();
        self.events.clear();
        self.marks.bits.clear();
        empty(&mut self.items);
        empty(&mut self.fields);
        empty(&mut self.notes);
        empty(&mut self.marks.pending);
        empty(&mut self.marks.matched);
    }

    /// The memory of its texts, to be given or taken while it has none.
    pub(super) fn store_mut(&mut self) -> &mut Vec<u8> {
        &mut self.store
    }

    /// Bytes it occupies.
    pub(super) fn memory(&self) -> usize {
        let streamed: usize = self.streamed.iter().map(Streamed::memory).sum();
        let files: usize = self.files.iter().map(File::memory).sum();
        let lists =
            bytes(&self.items) + bytes(&self.fields) + bytes(&self.notes) + bytes(&self.marks.pending);
        size_of::<Transaction>() + self.store.capacity() + streamed + files + lists
    }

    fn touch(&mut self, dir: Dir) {
        (self.changed[dir], self.touched[dir]) = (true, true);
    }

    // For decoders.

    pub fn wants(&self, id: BufferId) -> bool {
        self.wanted.has(id)
    }

    pub fn set_order(&mut self, order: Order) {
        self.order = order;
    }

    pub fn wants_notes(&self) -> bool {
        self.wanted.notes
    }

    pub fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// A buffer, whole. Put again it is a further one of the same name.
    pub fn put(&mut self, dir: Dir, id: BufferId, bytes: &[u8]) {
        self.put_with(dir, id, |out| out.extend_from_slice(bytes));
    }

    /// A buffer that `build` writes behind what is there; it must only append.
    pub fn put_with(&mut self, dir: Dir, id: BufferId, build: impl FnOnce(&mut Vec<u8>)) {
        if self.wants(id) {
            self.add_item(dir, id, build);
        }
    }

    /// A buffer that [`rename`](Self::rename) may yet make `or`: it is there where anybody wants either.
    pub fn put_or(&mut self, dir: Dir, id: BufferId, or: BufferId, build: impl FnOnce(&mut Vec<u8>)) {
        if self.wants(id) || self.wants(or) {
            self.add_item(dir, id, build);
        }
    }

    /// Gives a buffer that nobody looked at yet another name.
    pub fn rename(&mut self, dir: Dir, from: BufferId, to: BufferId) {
        if self.inspected[dir].is_none() {
            let named = self.items.iter_mut().filter(|item| item.dir == dir && item.id == from);
            named.for_each(|item| item.id = to);
        }
    }

    fn add_item(&mut self, dir: Dir, id: BufferId, build: impl FnOnce(&mut Vec<u8>)) {
        if self.items.len() >= MAX_ITEMS {
            return;
        }
        let Some(Range { start, end }) = self.keep(build) else { return };
        self.items.push(Item { id, dir, at: start, len: end - start });
        self.touch(dir);
    }

    fn keep(&mut self, build: impl FnOnce(&mut Vec<u8>)) -> Option<Range<u32>> {
        let at = self.store.len();
        if at > self.limit {
            return None;
        }
        build(&mut self.store);
        self.store.truncate(self.limit.max(at));
        Some(u32::try_from(at).ok()?..u32::try_from(self.store.len()).ok()?)
    }

    pub fn field(&mut self, dir: Dir, id: FieldId, value: u64) {
        self.add_field(FieldValue { id, dir, value: Value::Number(value) });
    }

    pub fn text_field(&mut self, dir: Dir, id: FieldId, text: &[u8]) {
        if let Some(Range { start, end }) = self.keep(|out| out.extend_from_slice(text)) {
            self.add_field(FieldValue { id, dir, value: Value::Text { at: start, len: end - start } });
        }
    }

    fn add_field(&mut self, value: FieldValue) {
        if self.fields.len() < MAX_FIELDS {
            self.touch(value.dir);
            self.fields.push(value);
        }
    }

    /// An event under its whole name (`http.invalid_content_length`), once a transaction.
    pub fn event(&mut self, dir: Dir, name: &'static str) {
        if self.events.len() < MAX_EVENTS && !self.events.iter().any(|(_, known)| *known == name) {
            self.events.push((dir, name));
            let only = self.only;
            let ways = Dir::BOTH.into_iter().filter(|way| only.is_none_or(|only| only == *way));
            ways.for_each(|way| self.touch(way));
        }
    }

    /// The direction has come so far: numbers are the protocol's, ascending. A buffer that belongs to an earlier stage
    /// and was not put will not come.
    pub fn advance(&mut self, dir: Dir, stage: u8) {
        if stage > self.stage[dir] {
            self.stage[dir] = stage;
            self.changed[dir] = true;
        }
    }

    pub fn complete(&mut self, dir: Dir) {
        self.advance(dir, COMPLETE);
        for at in 0..self.streamed.len() {
            if self.streamed.get(at).is_some_and(|s| s.dir == dir && !s.ended) {
                self.end_streamed(at);
            }
        }
    }

    /// It stays when it is complete, because more of its content may come all the same; until this is said again with
    /// `false`, or the session ends.
    pub fn keep_open(&mut self, kept: bool) {
        self.kept = kept;
    }

    /// The transaction has one direction only: the other is not looked into at all, so that what is absent there says
    /// nothing, and an event is seen once.
    pub fn only_way(&mut self, dir: Dir) {
        let other = dir.reversed();
        self.only = Some(dir);
        self.stage[other] = COMPLETE;
        self.inspected[other] = Some(COMPLETE);
        self.changed[other] = false;
    }

    /// All there is of a transaction that has one direction only.
    pub fn complete_one_way(&mut self, dir: Dir) {
        self.complete(dir);
        self.only_way(dir);
    }

    /// Begins a buffer that comes in pieces; its number is for [`grow`](Self::grow). `None` when nobody wants it.
    pub fn begin(&mut self, dir: Dir, id: BufferId, window: Window) -> Option<usize> {
        if !self.wants(id) || self.streamed.len() >= MAX_STREAMED {
            return None;
        }
        few::push(&mut self.streamed, Streamed::new(dir, id, window, Vec::new()));
        Some(self.streamed.len() - 1)
    }

    pub fn grow(&mut self, streamed: usize, bytes: &[u8]) {
        let Some(buffer) = self.streamed.get_mut(streamed) else { return };
        buffer.grow(bytes);
        let dir = buffer.dir;
        self.touch(dir);
    }

    /// Bytes are missing just before those that come next of what the direction carries: nothing is found that would lie on both
    /// sides.
    pub fn hole(&mut self, dir: Dir) {
        self.streamed.iter_mut().filter(|s| s.dir == dir && !s.ended).for_each(Streamed::hole);
    }

    pub fn end_streamed(&mut self, streamed: usize) {
        let Some(buffer) = self.streamed.get_mut(streamed) else { return };
        buffer.ended = true;
        let dir = buffer.dir;
        self.changed[dir] = true;
    }

    pub fn truncate_streamed(&mut self, streamed: usize) {
        if let Some(buffer) = self.streamed.get_mut(streamed) {
            buffer.truncated = true;
        }
        self.end_streamed(streamed);
    }

    // For inspection and logs.

    pub fn order(&self) -> Order {
        self.order
    }

    pub fn stage(&self, dir: Dir) -> u8 {
        self.stage[dir]
    }

    pub fn is_complete(&self, dir: Dir) -> bool {
        self.stage[dir] == COMPLETE
    }

    pub fn items(&self) -> &[Item] {
        &self.items
    }

    fn stored(&self, range: &Range<u32>) -> &[u8] {
        self.store.get(range.start as usize..range.end as usize).unwrap_or_default()
    }

    pub fn bytes(&self, item: &Item) -> &[u8] {
        self.store.get(item.at as usize..(item.at + item.len) as usize).unwrap_or_default()
    }

    /// All buffers of that name that are whole.
    pub fn buffers(&self, id: BufferId) -> impl Iterator<Item = (Dir, &[u8])> {
        self.items.iter().filter(move |item| item.id == id).map(|item| (item.dir, self.bytes(item)))
    }

    pub fn streamed(&self) -> &[Streamed] {
        &self.streamed
    }

    pub fn streamed_mut(&mut self) -> &mut [Streamed] {
        &mut self.streamed
    }

    /// Numbers of that name.
    pub fn numbers(&self, id: FieldId) -> impl DoubleEndedIterator<Item = (Dir, u64)> + Clone {
        self.fields.iter().filter(move |f| f.id == id).filter_map(|f| match f.value {
            Value::Number(number) => Some((f.dir, number)),
            Value::Text { .. } => None,
        })
    }

    pub fn texts(&self, id: FieldId) -> impl Iterator<Item = (Dir, &[u8])> {
        self.fields.iter().filter(move |f| f.id == id).filter_map(|f| match f.value {
            Value::Number(_) => None,
            Value::Text { at, len } => {
                Some((f.dir, self.store.get(at as usize..(at + len) as usize).unwrap_or_default()))
            }
        })
    }

    pub fn events(&self) -> &[(Dir, &'static str)] {
        &self.events
    }

    /// Complete both ways, and inspected so where anything was found.
    pub(super) fn is_through(&self) -> bool {
        let seen = |dir| self.inspected[dir] == Some(COMPLETE) && !self.changed[dir];
        let over = |dir| self.is_complete(dir) && (!self.touched[dir] || seen(dir));
        !self.kept && Dir::BOTH.into_iter().all(over)
    }

    /// Inspection looked at all that is there of the direction.
    pub fn looked_at(&mut self, dir: Dir) {
        self.changed[dir] = false;
        self.inspected[dir] = Some(self.stage[dir]);
        for streamed in self.streamed.iter_mut().filter(|s| s.dir == dir) {
            streamed.looked_at();
            // Behind a hole there is more to look at.
            self.changed[dir] |= streamed.is_due();
        }
    }
}

/// Entries of each list that a transaction keeps for its next use.
const KEPT_ENTRIES: usize = 256;

fn empty<T>(list: &mut Vec<T>) {
    list.clear();
    list.shrink_to(KEPT_ENTRIES);
}

fn bytes<T>(list: &Vec<T>) -> usize {
    list.capacity() * size_of::<T>()
}
