//! What a client has open: files and named pipes, their names, and the transactions of their data.

use crate::app::dcerpc::{self, Association};
use crate::app::{Carry, Framed, MAX_WAITING, Pieced, Sink, Transaction, TxId, few};
use crate::base::{Dir, PerDir};

/// Open at once in a session; a further one takes the place of the one opened longest ago.
const MAX_OPEN: usize = 128;
/// Of what was open, so many are kept for their memory from one session to the next.
const KEPT_OPEN: usize = 4;
/// Bytes of unfinished units in all pipes of a session; a pipe that would hold more loses its own.
const MAX_HELD: usize = 256 << 10;
/// Bytes of a name that are kept.
const MAX_NAME: usize = 4096;
/// Bytes of one file that rules look into; memory holds only the part that they have yet to see.
const MAX_FILE: u64 = 16 << 20;
/// A DCE/RPC unit's length has 16 bits.
const MAX_RPC: usize = 65_535;

/// A handle: SMB 2's 16 bytes, SMB 1's two and zeros.
pub type Handle = [u8; 16];

/// SMB 2: the handle that the message before, in the same compound, opened.
pub const RELATED: Handle = [0xff; 16];

/// One of what is open: its place, and which of those that stood there.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct OpenId {
    place: usize,
    age: u64,
}

#[derive(Debug, Default)]
pub struct Open {
    used: bool,
    /// Known from the answer on.
    handle: Option<Handle>,
    pub name: Vec<u8>,
    pub is_pipe: bool,
    /// Nobody saw it opened, nor its data yet.
    adopted: bool,
    /// Nobody saw where its data began, a direction: it is taken to begin where it is seen first.
    unseen: PerDir<bool>,
    age: u64,
    tx: PerDir<Option<TxId>>,
    file: PerDir<Pieced>,
    rpc: Association,
    carry: PerDir<Carry>,
}

#[derive(Debug, Default)]
pub struct Opens {
    all: Vec<Open>,
    clock: u64,
}

impl Opens {
    pub fn reset(&mut self) {
        self.all.truncate(KEPT_OPEN);
        self.all.iter_mut().for_each(Open::clear);
    }

    /// Keeps the unfinished units of all pipes within their bound, at the cost of this one's.
    pub fn bound(&mut self, id: OpenId) {
        let held: usize = self.all.iter().map(Open::held).sum();
        if held > MAX_HELD
            && let Some(open) = self.get_mut(id)
        {
            Dir::BOTH.into_iter().for_each(|dir| open.carry[dir].reset());
        }
    }

    /// Keeps what waits in all files within its bound, at the cost of this one's.
    pub fn bound_waiting(&mut self, id: OpenId) {
        if self.get_mut(id).is_none_or(|open| open.waiting() == 0) {
            return;
        }
        let waiting: usize = self.all.iter().map(Open::waiting).sum();
        if waiting > MAX_WAITING
            && let Some(open) = self.get_mut(id)
        {
            Dir::BOTH.into_iter().for_each(|dir| open.file[dir].give_up());
        }
    }

    pub fn get_mut(&mut self, id: OpenId) -> Option<&mut Open> {
        self.all.get_mut(id.place).filter(|open| open.used && open.age == id.age)
    }

    /// Something is to be opened; `name` writes what it is called.
    pub fn add(&mut self, is_pipe: bool, name: impl FnOnce(&mut Vec<u8>), sink: &mut Sink<'_>) -> OpenId {
        self.clock += 1;
        let place = match self.all.iter().position(|open| !open.used) {
            Some(place) => place,
            None if self.all.len() < MAX_OPEN => {
                few::push(&mut self.all, Open::default());
                self.all.len() - 1
            }
            None => {
                let oldest = self.all.iter().enumerate().min_by_key(|(_, open)| open.age);
                oldest.map_or(0, |(place, _)| place)
            }
        };
        if let Some(open) = self.all.get_mut(place) {
            open.close(true, sink);
            (open.used, open.is_pipe, open.age) = (true, is_pipe, self.clock);
            name(&mut open.name);
            open.name.truncate(MAX_NAME);
        }
        OpenId { place, age: self.clock }
    }

    pub fn find(&self, handle: &Handle) -> Option<OpenId> {
        let mut used = self.used();
        used.find(|(_, open)| open.handle.as_ref() == Some(handle)).map(|(id, _)| id)
    }

    /// The one opened or asked for last.
    pub fn newest(&self) -> Option<OpenId> {
        self.used().max_by_key(|(id, _)| id.age).map(|(id, _)| id)
    }

    fn used(&self) -> impl Iterator<Item = (OpenId, &Open)> {
        let all = self.all.iter().enumerate().filter(|(_, open)| open.used);
        all.map(|(place, open)| (OpenId { place, age: open.age }, open))
    }

    /// The server says by which handle it is known. Whoever had that one before is closed, seen or not.
    pub fn opened(&mut self, id: OpenId, handle: Handle, sink: &mut Sink<'_>) {
        if let Some(before) = self.find(&handle).filter(|before| *before != id) {
            self.close(before, sink);
        }
        if let Some(open) = self.get_mut(id) {
            open.handle = Some(handle);
        }
    }

    /// The handle was opened before anyone looked: it is known from now on.
    pub fn adopt(&mut self, handle: Handle, is_pipe: bool, sink: &mut Sink<'_>) -> OpenId {
        let id = self.add(is_pipe, |_| {}, sink);
        if let Some(open) = self.get_mut(id) {
            (open.handle, open.adopted, open.unseen) = (Some(handle), true, PerDir([true; 2]));
        }
        id
    }

    pub fn close(&mut self, id: OpenId, sink: &mut Sink<'_>) {
        if let Some(open) = self.get_mut(id) {
            open.close(false, sink);
        }
    }
}

impl Open {
    /// Forgets it; memory stays.
    fn clear(&mut self) {
        (self.used, self.handle, self.is_pipe, self.adopted) = Default::default();
        (self.tx, self.file, self.unseen) = Default::default();
        self.name.clear();
        self.rpc.reset();
        Dir::BOTH.into_iter().for_each(|dir| self.carry[dir].reset());
    }

    fn held(&self) -> usize {
        Dir::BOTH.into_iter().map(|dir| self.carry[dir].len()).sum()
    }

    fn waiting(&self) -> usize {
        Dir::BOTH.into_iter().map(|dir| self.file[dir].waiting()).sum()
    }

    pub fn is_adopted(&self) -> bool {
        self.adopted
    }

    /// Its data tells what it is.
    pub fn settle(&mut self, is_pipe: bool) {
        (self.adopted, self.is_pipe) = (false, is_pipe);
    }

    fn close(&mut self, truncated: bool, sink: &mut Sink<'_>) {
        for dir in Dir::BOTH {
            let Some(tx) = self.tx[dir].and_then(|id| sink.tx(id)) else { continue };
            self.file[dir].end(truncated, tx);
            tx.complete(dir);
            tx.complete(dir.reversed());
        }
        self.clear();
    }

    /// Data at a place of the file begins.
    pub fn seek(
        &mut self,
        dir: Dir,
        offset: u64,
        opened: &mut dyn FnMut(&mut Transaction),
        sink: &mut Sink<'_>,
    ) -> Option<TxId> {
        if self.tx[dir].is_none_or(|id| sink.tx(id).is_none()) {
            let id = sink.open()?;
            if self.tx[dir].replace(id).is_some() {
                self.file[dir].restart(offset);
            }
            let tx = sink.tx(id)?;
            opened(tx);
            if !self.name.is_empty() {
                tx.note("filename", &self.name);
            }
        }
        let tx = sink.tx(self.tx[dir]?)?;
        if std::mem::take(&mut self.unseen[dir]) {
            self.file[dir].restart(offset);
        }
        self.file[dir].seek(offset, tx);
        self.begin_piece(dir, sink);
        self.tx[dir]
    }

    /// Opens the file, or its next piece, where none is open.
    fn begin_piece(&mut self, dir: Dir, sink: &mut Sink<'_>) {
        let window = sink.limits.files(MAX_FILE.max(sink.limits.file));
        if let Some(tx) = self.tx[dir].and_then(|id| sink.tx(id)) {
            self.file[dir].open(dir, &self.name, window, tx);
        }
    }

    /// More of the data that [`seek`](Self::seek) began.
    pub fn grow(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) {
        self.begin_piece(dir, sink);
        if let Some(tx) = self.tx[dir].and_then(|id| sink.tx(id)) {
            self.file[dir].grow(bytes, tx);
        }
    }

    /// Bytes of the data are lost: what follows is a file of its own.
    pub fn lose(&mut self, dir: Dir, missing: u64, sink: &mut Sink<'_>) {
        self.file[dir].lose(missing, self.tx[dir].and_then(|id| sink.tx(id)));
        self.carry[dir].clear();
    }

    /// More of what a pipe carries: DCE/RPC. The newest transaction of it.
    pub fn rpc(
        &mut self,
        dir: Dir,
        bytes: &[u8],
        opened: &mut dyn FnMut(Dir, &mut Transaction),
        sink: &mut Sink<'_>,
    ) -> Option<TxId> {
        let mut found = None;
        let mut carrier = dcerpc::Carrier { names: &dcerpc::IN_SMB, opened };
        let Open { rpc, carry, .. } = self;
        let whole = carry[dir].cut(bytes, MAX_RPC, dcerpc::frame, |unit| {
            found = rpc.unit(dir, unit, &mut carrier, sink).or(found);
            true
        });
        if !whole || carry[dir].is_empty() {
            carry[dir].reset();
        }
        found
    }
}

/// Whether data of a handle that nobody saw opened is DCE/RPC by its looks.
pub fn looks_like_rpc(bytes: &[u8]) -> bool {
    matches!(dcerpc::frame(bytes), Framed::Whole(_))
}
