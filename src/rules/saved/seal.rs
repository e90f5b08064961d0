//! What stands before a saved set: which format, of which build, of which rules, how long, and whether it is whole.
//!
//! Little-endian: magic (8 bytes), format (4), build (8), version (32, text padded with zeroes), fingerprint (16), length of
//! the body (8), XXH3-64 (8) of all before it and of the body.

use super::fingerprint::Fingerprint;
use twox_hash::XxHash3_64;

const MAGIC: [u8; 8] = *b"\x93WeirSet";
/// Of this header. What is behind it is for the build alone.
const FORMAT: u32 = 1;
/// Of the sources that say what a set is and how it is saved (stamped by the build script).
const BUILD: &str = env!("WEIR_RULES_BUILD");
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("WEIR_COMMIT"), ")");

const VERSION_LENGTH: usize = 32;
/// Bytes before the body.
pub const HEADER: usize = MAGIC.len() + 4 + 8 + VERSION_LENGTH + 16 + 8 + 8;
const CHECKSUM: usize = 8;

/// Why a file is not read as a saved set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("it is no saved rule set")]
    Foreign,
    #[error("it has format {found}, and this version of weir reads format {FORMAT}")]
    Format { found: u32 },
    #[error("it was written by another build of weir, {by}; this one is {VERSION}")]
    Build { by: String },
    #[error("it is cut: {have} of {want} bytes are there")]
    Cut { have: u64, want: u64 },
    #[error("it goes on {0} bytes behind its end")]
    Longer(u64),
    #[error("it is damaged: its checksum is wrong")]
    Damaged,
    #[error("it is damaged: {0}")]
    Malformed(String),
    #[error("the expression {expression} cannot be compiled: {message}")]
    Expression { expression: String, message: String },
}

/// Whether a file that begins so is a saved set, of whatever build.
pub fn is_saved(begin: &[u8]) -> bool {
    begin.starts_with(&MAGIC)
}

/// The whole file for this body.
pub fn seal(fingerprint: Fingerprint, body: &[u8]) -> Vec<u8> {
    let mut version = [0; VERSION_LENGTH];
    version.iter_mut().zip(VERSION.bytes()).for_each(|(to, byte)| *to = byte);
    let mut file = Vec::with_capacity(HEADER + body.len());
    file.extend_from_slice(&MAGIC);
    file.extend_from_slice(&FORMAT.to_le_bytes());
    file.extend_from_slice(&build().to_le_bytes());
    file.extend_from_slice(&version);
    file.extend_from_slice(&fingerprint.0);
    file.extend_from_slice(&(body.len() as u64).to_le_bytes());
    let checksum = checksum(&file, body);
    file.extend_from_slice(&checksum.to_le_bytes());
    file.extend_from_slice(body);
    file
}

/// What a file's header says; the body is not looked at.
pub(super) struct Seal {
    pub(super) fingerprint: Fingerprint,
    body: u64,
    checksum: u64,
}

impl Seal {
    pub(super) fn read(file: &[u8]) -> Result<Seal, Unreadable> {
        let mut rest = file;
        let short = Unreadable::Cut { have: file.len() as u64, want: HEADER as u64 };
        if take(&mut rest) != Some(MAGIC) {
            return Err(if MAGIC.starts_with(file) && !file.is_empty() {
                short
            } else {
                Unreadable::Foreign
            });
        }
        let found = u32::from_le_bytes(take(&mut rest).ok_or_else(|| short.clone())?);
        if found != FORMAT {
            return Err(Unreadable::Format { found });
        }
        let build_found = u64::from_le_bytes(take(&mut rest).ok_or_else(|| short.clone())?);
        let version: [u8; VERSION_LENGTH] = take(&mut rest).ok_or_else(|| short.clone())?;
        if build_found != build() {
            let by = String::from_utf8_lossy(&version).trim_end_matches('\0').to_owned();
            return Err(Unreadable::Build { by });
        }
        let mut eight = || take(&mut rest).map(u64::from_le_bytes).ok_or_else(|| short.clone());
        let (low, high, body, checksum) = (eight()?, eight()?, eight()?, eight()?);
        let fingerprint = Fingerprint((u128::from(high) << 64 | u128::from(low)).to_le_bytes());
        Ok(Seal { fingerprint, body, checksum })
    }

    /// Whether the whole file has that many bytes.
    pub(super) fn fits(&self, have: u64) -> Result<(), Unreadable> {
        let want = self.body.saturating_add(HEADER as u64);
        match have.checked_sub(want) {
            None => Err(Unreadable::Cut { have, want }),
            Some(0) => Ok(()),
            Some(more) => Err(Unreadable::Longer(more)),
        }
    }

    /// The body, if it is whole.
    pub(super) fn open<'f>(&self, file: &'f [u8]) -> Result<&'f [u8], Unreadable> {
        let (header, body) = file.split_at_checked(HEADER).ok_or(Unreadable::Foreign)?;
        self.fits(file.len() as u64)?;
        let before = header.get(..HEADER - CHECKSUM).unwrap_or_default();
        if checksum(before, body) == self.checksum { Ok(body) } else { Err(Unreadable::Damaged) }
    }
}

fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = from.split_first_chunk::<N>()?;
    *from = rest;
    Some(*taken)
}

fn build() -> u64 {
    u64::from_str_radix(BUILD, 16).unwrap_or_default()
}

fn checksum(header: &[u8], body: &[u8]) -> u64 {
    let mut hasher = XxHash3_64::new();
    std::hash::Hasher::write(&mut hasher, header);
    std::hash::Hasher::write(&mut hasher, body);
    std::hash::Hasher::finish(&hasher)
}
