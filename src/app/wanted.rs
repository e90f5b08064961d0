//! Which buffers anyone looks at: those that no rule and no log wants are not even made.

use crate::rules::context::{self, BufferId};

/// Room for as many buffers as the table of contexts has.
const WORDS: usize = 6;

/// What is wanted of files beside their bytes; each costs a pass over them.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct FileWants {
    pub md5: bool,
    pub sha1: bool,
    pub sha256: bool,
    /// Their type, as a library words it.
    pub magic: bool,
}

impl FileWants {
    pub const ALL: FileWants = FileWants { md5: true, sha1: true, sha256: true, magic: true };

    pub fn or(self, other: FileWants) -> FileWants {
        FileWants {
            md5: self.md5 || other.md5,
            sha1: self.sha1 || other.sha1,
            sha256: self.sha256 || other.sha256,
            magic: self.magic || other.magic,
        }
    }
}

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    buffers: [u64; WORDS],
    /// Notes for eve.json.
    pub notes: bool,
    pub files: FileWants,
}

impl Wanted {
    pub fn all() -> Wanted {
        let buffers = [u64::MAX; WORDS];
        Wanted { buffers, notes: true, files: FileWants::ALL }
    }

    pub fn add(&mut self, id: BufferId) {
        if let Some(word) = self.buffers.get_mut(usize::from(id.0 / 64)) {
            *word |= 1 << (id.0 % 64);
        }
    }

    pub fn has(&self, id: BufferId) -> bool {
        self.buffers.get(usize::from(id.0 / 64)).is_some_and(|word| word & 1 << (id.0 % 64) != 0)
    }

    /// What either wants.
    pub fn or(mut self, other: &Wanted) -> Wanted {
        self.buffers.iter_mut().zip(other.buffers).for_each(|(a, b)| *a |= b);
        self.notes |= other.notes;
        self.files = self.files.or(other.files);
        self
    }
}

const _: () = assert!(context::COUNT <= WORDS * 64);
