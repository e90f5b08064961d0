//! The files that a transaction carries: their names, how much of them came, what they are.

use super::{MAX_STREAMED, Transaction};
use crate::app::few;
use crate::app::streamed::Window;
use crate::app::sums::{SumKind, Sums};
use crate::app::wanted::FileWants;
use crate::base::Dir;
use crate::rules::context::{self, BufferId};
use std::ops::Range;

const FILE_NAME: BufferId = context::id("file.name");
const FILE_DATA: BufferId = context::id("file.data");
const FILE_MAGIC: BufferId = context::id("file.magic");

/// Bytes of a file's type, as a library words it, that are kept.
const MAX_TYPE: usize = 1024;

/// One of the transaction's files: its place among [`Transaction::files`].
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct FileId(u16);

/// What is known of a file's type.
#[derive(Clone, Debug, Default)]
enum Type {
    /// Nobody asks, or nobody could tell.
    #[default]
    None,
    /// Its first bytes, of which more are to come.
    Waits(Vec<u8>),
    /// Enough of them.
    Due(Vec<u8>),
    /// In the transaction's store.
    Known(Range<u32>),
}

/// A file that a transaction carries.
#[derive(Clone, Debug)]
pub struct File {
    pub dir: Dir,
    name: Range<u32>,
    /// Number of its bytes among the streamed buffers, where anyone wants them.
    data: Option<usize>,
    /// Who opened it has them grow.
    shared: bool,
    /// It is a part of a larger one: its first and last byte there.
    pub part: Option<(u64, u64)>,
    /// Bytes, with those that are missing.
    pub size: u64,
    pub closed: bool,
    /// It did not come to its end.
    pub truncated: bool,
    /// Bytes within it are missing.
    pub gaps: bool,
    /// Its record was written.
    logged: bool,
    /// Where somebody wants any.
    sums: Option<Box<Sums>>,
    kind: Type,
}

impl File {
    /// All its bytes came, from the first to the last.
    pub fn is_whole(&self) -> bool {
        self.closed && !self.truncated && !self.gaps
    }

    /// Bytes it occupies, but for those of its buffer.
    pub(super) fn memory(&self) -> usize {
        let first = match &self.kind {
            Type::Waits(first) | Type::Due(first) => first.capacity(),
            Type::None | Type::Known(_) => 0,
        };
        size_of::<File>() + first
    }

    /// The sum of a file that is whole, where it was wanted.
    pub fn sum(&self, kind: SumKind) -> Option<&[u8]> {
        self.sums.as_ref()?.get(kind)
    }
}

impl Transaction {
    // For decoders.

    /// A file begins. `name` may be empty; `window` is that of its bytes, the buffer `file.data`.
    pub fn open_file(&mut self, dir: Dir, name: &[u8], window: Window) -> Option<FileId> {
        self.open_with(dir, name, |tx| (tx.begin(dir, FILE_DATA, window), false))
    }

    /// A file begins that is a body, byte for byte. Where somebody wants the body, its buffer is the file's too, and grows by the
    /// body's [`grow`](Transaction::grow) alone.
    pub fn open_file_of(
        &mut self,
        dir: Dir,
        name: &[u8],
        body: Option<usize>,
        window: Window,
    ) -> Option<FileId> {
        let Some(streamed) = body else { return self.open_file(dir, name, window) };
        self.open_with(dir, name, |tx| {
            let wanted = tx.wants(FILE_DATA);
            let buffer = tx.streamed.get_mut(streamed).filter(|_| wanted);
            (buffer.map(|buffer| buffer.name_also(FILE_DATA)).map(|()| streamed), true)
        })
    }

    /// `data` begins its bytes, or says which are; and whether they grow by themselves.
    fn open_with(
        &mut self,
        dir: Dir,
        name: &[u8],
        data: impl FnOnce(&mut Self) -> (Option<usize>, bool),
    ) -> Option<FileId> {
        if self.files.len() >= MAX_STREAMED {
            return None;
        }
        let kept = self.keep(|out| out.extend_from_slice(name))?;
        if !name.is_empty() {
            self.put(dir, FILE_NAME, name);
        }
        let (data, shared) = data(self);
        let FileWants { magic, md5, sha1, sha256 } = self.wanted.files;
        let sums = md5 || sha1 || sha256;
        let file = File {
            dir,
            name: kept,
            data,
            shared,
            part: None,
            size: 0,
            closed: false,
            truncated: false,
            gaps: false,
            logged: false,
            sums: sums.then(|| Box::new(Sums::new(self.wanted.files))),
            kind: if magic { Type::Waits(Vec::new()) } else { Type::None },
        };
        few::push(&mut self.files, file);
        self.touch(dir);
        Some(FileId(self.files.len() as u16 - 1))
    }

    /// The file is that part of a larger one.
    pub fn file_is_part(&mut self, id: Option<FileId>, part: Option<(u64, u64)>) {
        if let Some(file) = id.and_then(|id| self.files.get_mut(usize::from(id.0))) {
            file.part = part;
        }
    }

    pub fn grow_file(&mut self, id: FileId, bytes: &[u8]) {
        let first_bytes = self.first_bytes;
        let Some(file) = self.files.get_mut(usize::from(id.0)) else { return };
        file.size = file.size.saturating_add(bytes.len() as u64);
        file.sums.iter_mut().for_each(|sums| sums.add(bytes));
        file.keep_first(bytes, first_bytes);
        if let Some(data) = file.data.filter(|_| !file.shared) {
            self.grow(data, bytes);
        }
    }

    /// So many bytes of the file are missing just before those that come next. It goes on, without sums.
    pub fn skip_in_file(&mut self, id: FileId, missing: u64) {
        let Some(file) = self.files.get_mut(usize::from(id.0)) else { return };
        file.size = file.size.saturating_add(missing);
        file.gaps = true;
        file.sums = None;
        file.no_more_first();
        if let Some(data) = file.data.and_then(|at| self.streamed.get_mut(at)) {
            data.hole();
        }
    }

    /// `truncated`: it did not come to its end.
    pub fn close_file(&mut self, id: FileId, truncated: bool) {
        let Some(file) = self.files.get_mut(usize::from(id.0)) else { return };
        (file.closed, file.truncated) = (true, truncated);
        if file.is_whole() {
            file.sums.iter_mut().for_each(|sums| sums.finish());
        } else {
            file.sums = None;
        }
        file.no_more_first();
        let (dir, data) = (file.dir, file.data);
        self.changed[dir] = true;
        match data {
            Some(data) if truncated => self.truncate_streamed(data),
            Some(data) => self.end_streamed(data),
            None => {}
        }
    }

    // For inspection and logs.

    pub fn files(&self) -> &[File] {
        &self.files
    }

    pub fn file_name(&self, file: &File) -> &[u8] {
        self.stored(&file.name)
    }

    /// What the file is, as a library words it; empty while that is not known.
    pub fn file_type(&self, file: &File) -> &[u8] {
        match &file.kind {
            Type::Known(range) => self.stored(range),
            Type::None | Type::Waits(_) | Type::Due(_) => &[],
        }
    }

    /// Files of which enough came to say what they are: `tell` gets their first bytes and writes what that is, or nothing.
    pub fn name_types(&mut self, mut tell: impl FnMut(&[u8], &mut Vec<u8>)) {
        for at in 0..self.files.len() {
            let Some(file) = self.files.get_mut(at) else { return };
            let Type::Due(first) = &mut file.kind else { continue };
            let (first, dir) = (std::mem::take(first), file.dir);
            let kept = self.keep(|out| {
                let before = out.len();
                tell(&first, out);
                out.truncate(before.saturating_add(MAX_TYPE));
            });
            let kept = kept.filter(|range| !range.is_empty());
            let told = kept.as_ref().map(|range| self.stored(range).to_vec());
            if let Some(file) = self.files.get_mut(at) {
                file.kind = kept.map_or(Type::None, Type::Known);
            }
            if let Some(told) = told {
                self.put(dir, FILE_MAGIC, &told);
                self.touch(dir);
            }
        }
    }

    /// A file whose record is due: one that ended, or with `any` one that never will. From now on its record is written.
    pub fn take_file_to_log(&mut self, any: bool) -> Option<FileId> {
        let due = |file: &File| (file.closed || any) && !file.logged;
        let at = self.files.iter().position(due)?;
        self.files.get_mut(at)?.logged = true;
        Some(FileId(u16::try_from(at).ok()?))
    }

    pub fn file(&self, id: FileId) -> Option<&File> {
        self.files.get(usize::from(id.0))
    }
}

impl File {
    fn keep_first(&mut self, bytes: &[u8], most: usize) {
        let Type::Waits(first) = &mut self.kind else { return };
        let room = most.saturating_sub(first.len()).min(bytes.len());
        first.extend_from_slice(bytes.get(..room).unwrap_or_default());
        if first.len() >= most {
            self.no_more_first();
        }
    }

    fn no_more_first(&mut self) {
        if let Type::Waits(first) = &mut self.kind {
            self.kind = Type::Due(std::mem::take(first));
        }
    }
}

#[cfg(test)]
mod tests;
