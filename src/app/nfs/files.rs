//! File handles: their names, and the transactions of their data.

use crate::app::{MAX_WAITING, Pieced, Sink, Transaction, TxId, few};
use crate::base::{Dir, PerDir};
use arrayvec::ArrayVec;

/// The longest handle (RFC 7530, 2.2).
pub const MAX_HANDLE: usize = 128;
/// Handles that are known at once; a further one takes the place of the one used longest ago.
const MAX_KNOWN: usize = 128;
/// Bytes of one file that rules look into; memory holds only the part that they have yet to see.
const MAX_FILE: u64 = 16 << 20;

pub type Handle = ArrayVec<u8, MAX_HANDLE>;

#[derive(Debug, Default)]
struct Known {
    handle: Handle,
    name: Vec<u8>,
    used: u64,
    tx: PerDir<Option<TxId>>,
    file: PerDir<Pieced>,
}

#[derive(Debug, Default)]
pub struct Files {
    known: Vec<Known>,
    clock: u64,
}

/// One of those that are known.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Place(usize);

impl Files {
    pub fn reset(&mut self) {
        self.known.clear();
        self.clock = 0;
    }

    fn place(&mut self, handle: &[u8], sink: &mut Sink<'_>) -> Place {
        self.clock += 1;
        let found = self.known.iter().position(|known| &known.handle[..] == handle);
        let at = match found {
            Some(at) => at,
            None if self.known.len() < MAX_KNOWN => {
                few::push(&mut self.known, Known::default());
                self.known.len() - 1
            }
            None => self.known.iter().enumerate().min_by_key(|(_, k)| k.used).map_or(0, |(at, _)| at),
        };
        if let Some(known) = self.known.get_mut(at) {
            if found.is_none() {
                known.close(sink);
                known.handle.clear();
                let _ = known.handle.try_extend_from_slice(handle.get(..MAX_HANDLE).unwrap_or(handle));
            }
            known.used = self.clock;
        }
        Place(at)
    }

    /// A handle is that of the file of that name.
    pub fn name(&mut self, handle: &[u8], name: &[u8], sink: &mut Sink<'_>) {
        let Place(at) = self.place(handle, sink);
        if let Some(known) = self.known.get_mut(at) {
            known.name.clear();
            known.name.extend_from_slice(name);
        }
    }

    pub fn name_of(&self, handle: &[u8]) -> Option<&[u8]> {
        let known = self.known.iter().find(|known| &known.handle[..] == handle)?;
        (!known.name.is_empty()).then_some(&known.name[..])
    }

    /// Data of a file begins at `offset`; `opened` gets the transaction when it is new.
    pub fn begin(
        &mut self,
        handle: &[u8],
        dir: Dir,
        offset: u64,
        opened: &mut dyn FnMut(&mut Transaction),
        sink: &mut Sink<'_>,
    ) -> Option<Place> {
        let place = self.place(handle, sink);
        let known = self.known.get_mut(place.0)?;
        if known.tx[dir].is_none_or(|id| sink.tx(id).is_none()) {
            let id = sink.open()?;
            if known.tx[dir].replace(id).is_some() {
                known.file[dir].restart(offset);
            }
            let tx = sink.tx(id)?;
            opened(tx);
            if !known.name.is_empty() {
                tx.note("filename", &known.name);
            }
        }
        let tx = sink.tx(known.tx[dir]?)?;
        known.file[dir].seek(offset, tx);
        Some(place)
    }

    pub fn grow(&mut self, place: Place, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) {
        let window = sink.limits.files(MAX_FILE.max(sink.limits.file));
        let Some(known) = self.known.get_mut(place.0) else { return };
        let Some(tx) = known.tx[dir].and_then(|id| sink.tx(id)) else { return };
        known.file[dir].open(dir, &known.name, window, tx);
        known.file[dir].grow(bytes, tx);
        if known.file[dir].waiting() > 0 {
            self.bound_waiting(place);
        }
    }

    /// Keeps what waits in all files within its bound, at the cost of this one's.
    fn bound_waiting(&mut self, place: Place) {
        let of = |known: &Known| Dir::BOTH.into_iter().map(|dir| known.file[dir].waiting()).sum::<usize>();
        let waiting: usize = self.known.iter().map(of).sum();
        if waiting > MAX_WAITING
            && let Some(known) = self.known.get_mut(place.0)
        {
            Dir::BOTH.into_iter().for_each(|dir| known.file[dir].give_up());
        }
    }

    pub fn lose(&mut self, place: Place, dir: Dir, missing: u64, sink: &mut Sink<'_>) {
        let Some(known) = self.known.get_mut(place.0) else { return };
        known.file[dir].lose(missing, known.tx[dir].and_then(|id| sink.tx(id)));
    }

    /// Nothing more comes of the file: it is committed, closed, or read to its end.
    pub fn close(&mut self, handle: &[u8], sink: &mut Sink<'_>) {
        if let Some(known) = self.known.iter_mut().find(|known| &known.handle[..] == handle) {
            known.end(false, sink);
        }
    }
}

impl Known {
    fn close(&mut self, sink: &mut Sink<'_>) {
        self.end(true, sink);
        self.handle.clear();
        self.name.clear();
    }

    fn end(&mut self, truncated: bool, sink: &mut Sink<'_>) {
        for dir in Dir::BOTH {
            let Some(tx) = self.tx[dir].take().and_then(|id| sink.tx(id)) else { continue };
            self.file[dir].end(truncated, tx);
            tx.complete(dir);
            tx.complete(dir.reversed());
        }
        self.file = PerDir::default();
    }
}
