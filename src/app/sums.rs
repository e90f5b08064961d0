//! MD5, SHA-1 and SHA-256 of what comes in pieces, those that somebody wants.

use super::wanted::FileWants;
use md5::digest::Output;
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::Sha256;

/// Which sum.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum SumKind {
    Md5,
    Sha1,
    Sha256,
}

/// One sum on its way.
#[derive(Clone, Debug, Default)]
enum Sum<H: Digest> {
    #[default]
    None,
    Running(H),
    Done(Output<H>),
}

impl<H: Digest> Sum<H> {
    fn new(wanted: bool) -> Sum<H> {
        if wanted { Sum::Running(H::new()) } else { Sum::None }
    }

    fn add(&mut self, bytes: &[u8]) {
        if let Sum::Running(hasher) = self {
            hasher.update(bytes);
        }
    }

    fn finish(&mut self) {
        if let Sum::Running(hasher) = std::mem::take(self) {
            *self = Sum::Done(hasher.finalize());
        }
    }

    fn get(&self) -> Option<&[u8]> {
        match self {
            Sum::Done(sum) => Some(sum.as_slice()),
            Sum::None | Sum::Running(_) => None,
        }
    }
}

/// The sums of one file.
#[derive(Clone, Debug, Default)]
pub struct Sums {
    md5: Sum<Md5>,
    sha1: Sum<Sha1>,
    sha256: Sum<Sha256>,
}

impl Sums {
    pub(super) fn new(wants: FileWants) -> Sums {
        Sums { md5: Sum::new(wants.md5), sha1: Sum::new(wants.sha1), sha256: Sum::new(wants.sha256) }
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.md5.add(bytes);
        self.sha1.add(bytes);
        self.sha256.add(bytes);
    }

    /// All bytes came: the sums stand.
    pub(super) fn finish(&mut self) {
        self.md5.finish();
        self.sha1.finish();
        self.sha256.finish();
    }

    /// Of all bytes; `None` while they come, where bytes are missing, and where nobody wanted it.
    pub fn get(&self, kind: SumKind) -> Option<&[u8]> {
        match kind {
            SumKind::Md5 => self.md5.get(),
            SumKind::Sha1 => self.sha1.get(),
            SumKind::Sha256 => self.sha256.get(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: Option<&[u8]>) -> String {
        bytes.unwrap_or_default().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn sums_are_those_of_the_whole_however_it_comes() {
        for size in [1, 2, 3] {
            let mut sums = Sums::new(FileWants { md5: true, sha1: true, sha256: true, magic: false });
            b"abc".chunks(size).for_each(|piece| sums.add(piece));
            assert_eq!(sums.get(SumKind::Md5), None, "not before the end");
            sums.finish();
            assert_eq!(hex(sums.get(SumKind::Md5)), "900150983cd24fb0d6963f7d28e17f72");
            assert_eq!(hex(sums.get(SumKind::Sha1)), "a9993e364706816aba3e25717850c26c9cd0d89d");
            let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
            assert_eq!(hex(sums.get(SumKind::Sha256)), sha256);
        }
    }

    #[test]
    fn what_nobody_wants_is_not_summed() {
        let mut sums = Sums::new(FileWants { sha1: true, ..FileWants::default() });
        sums.add(b"abc");
        sums.finish();
        assert_eq!((sums.get(SumKind::Md5), sums.get(SumKind::Sha256)), (None, None));
        assert!(sums.get(SumKind::Sha1).is_some());
    }
}
