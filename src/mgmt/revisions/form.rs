//! The form of a revision's file: a first line that is a comment of TOML, then the configuration as it was.
//!
//! `#weir-revision SHA256 LENGTH {...}`: sum and length are those of all bytes behind the length's space, the object with what
//! is said of the commit among them, so that a file that was cut, edited or half written is told from a whole one.

use super::Revision;
use sha2::{Digest, Sha256};

/// Begins the first line.
const HEAD: &[u8] = b"#weir-revision ";

fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn write(revision: &Revision, text: &str) -> serde_json::Result<Vec<u8>> {
    let said = serde_json::to_string(revision)?;
    let rest = format!("{said}\n{text}");
    let head = format!("{} {} ", sum(rest.as_bytes()), rest.len());
    Ok([HEAD, head.as_bytes(), rest.as_bytes()].concat())
}

/// What was written, or what is wrong with it.
pub(super) fn read(bytes: &[u8]) -> Result<(Revision, String), String> {
    let foreign = || "its first line is not as weir wrote it".to_owned();
    let rest = bytes.strip_prefix(HEAD).ok_or_else(foreign)?;
    let (wanted, rest) = word(rest).ok_or_else(foreign)?;
    let (length, rest) = word(rest).ok_or_else(foreign)?;
    let length: usize = length.parse().map_err(|_| foreign())?;
    if rest.len() != length {
        return Err(format!("{length} bytes were written and {} are there", rest.len()));
    }
    if sum(rest) != wanted {
        return Err("its checksum is not that of what was written".into());
    }
    let (said, text) =
        std::str::from_utf8(rest).ok().and_then(|rest| rest.split_once('\n')).ok_or_else(foreign)?;
    let revision = serde_json::from_str(said).map_err(|_| foreign())?;
    Ok((revision, text.to_owned()))
}

/// The word up to a space, and what stands behind that.
fn word(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = memchr::memchr(b' ', bytes)?;
    let (word, rest) = bytes.split_at_checked(end)?;
    Some((std::str::from_utf8(word).ok()?, rest.get(1..)?))
}
