//! What tells whether a saved set is of these rule files, lists and variables: a hash of all that went into it.

use crate::rules::pipe;
use std::fmt;
use std::io::Read;
use std::path::Path;
use twox_hash::XxHash3_128;

/// Of all that a rule set was made of. Two that differ in a byte of any file, in a name or in a variable differ here.
#[derive(Copy, Clone, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 16]);

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_le_bytes(self.0))
    }
}

/// Of one file's content.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    hash: u128,
    length: u64,
}

/// Bytes read from a file at a time.
const READ: usize = 1 << 18;

impl Digest {
    pub fn of(bytes: &[u8]) -> Digest {
        Digest { hash: XxHash3_128::oneshot(bytes), length: bytes.len() as u64 }
    }

    /// Reads the file once, without keeping it.
    pub fn of_file(path: &Path) -> std::io::Result<Digest> {
        let mut file = pipe::open(path)?;
        let (mut hasher, mut length) = (XxHash3_128::new(), 0);
        let mut some = vec![0; READ];
        loop {
            match file.read(&mut some) {
                Ok(0) => return Ok(Digest { hash: hasher.finish_128(), length }),
                Ok(read) => {
                    hasher.write(some.get(..read).unwrap_or_default());
                    length += read as u64;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Takes in what goes into a set, in order.
pub struct Printer(XxHash3_128);

impl Default for Printer {
    fn default() -> Printer {
        Printer(XxHash3_128::new())
    }
}

impl Printer {
    /// A text that matters, with its length: what stands next to each other must not run together.
    pub fn text(&mut self, text: &str) {
        self.0.write(&(text.len() as u64).to_le_bytes());
        self.0.write(text.as_bytes());
    }

    pub fn number(&mut self, number: u64) {
        self.0.write(&number.to_le_bytes());
    }

    /// A file, by the name that diagnostics call it, and what is in it.
    pub fn file(&mut self, name: &str, digest: Digest) {
        self.text(name);
        self.number(digest.length);
        self.0.write(&digest.hash.to_le_bytes());
    }

    pub fn finish(&self) -> Fingerprint {
        Fingerprint(self.0.finish_128().to_le_bytes())
    }
}
