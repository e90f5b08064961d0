//! What is scanned, and for what: TCP payload of the cases' captures, the pattern sets.

use std::path::{Path, PathBuf};
use weir::decode::{Decoded, decode};
use weir::io::capture::Reader;

/// Bytes scanned a round, made of the distinct ones again and again.
const BYTES: usize = 40_000_000;
/// Bytes of a block: the payload of a full frame, more or less.
pub const BLOCK: usize = 1400;
/// Blocks of a stream.
pub const STREAM: usize = 64;

pub const SETS: [&str; 5] = ["dns-query", "file-data", "http-uri", "payload", "payload-sample"];

/// `$WEIR_SHARED`, if the test data are there.
pub fn shared() -> Option<PathBuf> {
    let path = std::env::var_os("WEIR_SHARED").map_or_else(|| PathBuf::from("../shared"), PathBuf::from);
    path.join("cases/captures").is_dir().then_some(path)
}

/// The payload in blocks, and how much of it is distinct.
pub struct Payload {
    bytes: Vec<u8>,
    pub distinct: usize,
}

impl Payload {
    /// From the captures in order of their names, [`BYTES`] or `bytes` long.
    pub fn load(shared: &Path, bytes: Option<usize>) -> Payload {
        let entries = std::fs::read_dir(shared.join("cases/captures")).expect("the captures can be listed");
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        let mut distinct = Vec::new();
        let mut decoded = Decoded::default();
        for path in paths {
            let mut reader = Reader::open(&path).expect("a capture opens");
            let link = reader.link_type();
            // A capture cut short is used up to there.
            while let Ok(Some(record)) = reader.next_record() {
                decode(record.bytes, link, &weir::decode::Tunnels::none(), &mut decoded);
                if decoded.invalid.is_none() && decoded.tcp().is_some() && !decoded.is_fragment() {
                    distinct.extend_from_slice(record.bytes.get(decoded.payload_range()).unwrap_or_default());
                }
            }
        }
        assert!(!distinct.is_empty(), "the captures have no TCP payload");
        let bytes = bytes.unwrap_or(BYTES);
        let distinct_len = distinct.len().min(bytes);
        let bytes = distinct.iter().copied().cycle().take(bytes).collect();
        Payload { bytes, distinct: distinct_len }
    }

    pub fn blocks(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks(BLOCK)
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// A set's patterns in lower case, each once.
pub fn patterns(shared: &Path, set: &str) -> Vec<Vec<u8>> {
    let path = shared.join(format!("perf/patterns/{set}.hex"));
    let text = std::fs::read_to_string(&path).expect("the pattern sets lie beside the cases");
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).expect("ASCII");
        u8::from_str_radix(pair, 16).expect("two hexadecimal digits").to_ascii_lowercase()
    };
    let mut patterns: Vec<Vec<u8>> =
        text.lines().map(|line| line.as_bytes().chunks(2).map(byte).collect()).collect();
    patterns.sort();
    patterns.dedup();
    patterns
}
