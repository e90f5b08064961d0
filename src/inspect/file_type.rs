//! What a file is, in the words that rules write (`filemagic:"PDF document"`): those of libmagic, by the file's first bytes.
//!
//! Its work is bounded by how many bytes it gets ([`Limits::file_type`](crate::app::Limits::file_type)), and is done once a
//! file, where a rule or a record asks; it allocates.

#![allow(unsafe_code)] // one promise about a C library; it says why it is sound

use magic::cookie::{Cookie, Flags, Load};

/// libmagic with its database, for one worker.
#[derive(Debug)]
pub struct FileTypes(Cookie<Load>);

// SAFETY: a cookie is memory that libmagic reaches through its pointer alone, with nothing kept by thread; it may be used by
// any one thread at a time, and owning it, without `Sync`, is to be that thread.
unsafe impl Send for FileTypes {}

/// Why files' types cannot be told.
#[derive(Debug, thiserror::Error)]
#[error(
    "files' types are not known, and rules with filemagic or file.magic will not match: {0}; install libmagic's database (Debian: libmagic-mgc)"
)]
pub struct NoTypes(String);

impl FileTypes {
    /// Loads the database of the host: some ten milliseconds, not on an lcore that forwards.
    pub fn open() -> Result<FileTypes, NoTypes> {
        let cookie = Cookie::open(Flags::empty()).map_err(|why| NoTypes(why.to_string()))?;
        cookie.load(&Default::default()).map(FileTypes).map_err(|why| NoTypes(why.to_string()))
    }

    /// Writes behind `out` what the file with these first bytes is.
    pub fn tell(&self, first: &[u8], out: &mut Vec<u8>) {
        // It has a name for everything, and fails for want of memory.
        if let Ok(name) = self.0.buffer(first) {
            out.extend_from_slice(name.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(types: &FileTypes, first: &[u8]) -> String {
        let mut out = Vec::new();
        types.tell(first, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn types_have_the_names_that_rules_write() {
        let types = FileTypes::open().unwrap();
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\0\0\0\x01\0\x08\x02\0\0\0";
        for (first, name) in [
            (&b"%PDF-1.4\n%\xe2\xe3\n1 0 obj\n"[..], "PDF document, version 1.4"),
            (png, "PNG image data, 256 x 256, 8-bit/color RGB, non-interlaced"),
            (b"GIF89a\x01\0\x01\0", "GIF image data, version 89a, 1 x 1"),
            (b"#!/bin/sh\necho\n", "POSIX shell script, ASCII text executable"),
            (b"", "empty"),
        ] {
            assert_eq!(told(&types, first), name);
        }
    }

    #[test]
    fn a_worker_uses_it_in_its_own_thread() {
        let types = FileTypes::open().unwrap();
        let thread = std::thread::spawn(move || told(&types, b"%PDF-1.4\n"));
        assert!(thread.join().unwrap().starts_with("PDF document"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_bytes_are_something(first in proptest::collection::vec(any::<u8>(), 0..600)) {
            let types = FileTypes::open().unwrap();
            prop_assert!(!told(&types, &first).is_empty());
        }
    }
}
