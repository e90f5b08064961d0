//! Rule files as bytes, and where in them something stands.

use std::ops::Range;

/// A half-open range of byte offsets.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    pub fn new(start: usize, end: usize) -> Span {
        Span { start: start as u32, end: end as u32 }
    }

    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Line and column, both from 1; a column counts characters.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub line: u32,
    pub column: u32,
}

/// Longest file read: spans are 32 bits wide.
pub const MAX_FILE_BYTES: usize = u32::MAX as usize;

/// A rule file, or rules given on the command line. Any bytes: rules may hold what is not UTF-8.
#[derive(Clone, Debug)]
pub struct SourceFile {
    pub name: String,
    pub bytes: Vec<u8>,
}

impl SourceFile {
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> SourceFile {
        SourceFile { name: name.into(), bytes: bytes.into() }
    }

    pub fn read(path: &std::path::Path) -> std::io::Result<SourceFile> {
        let bytes = std::fs::read(path)?;
        if bytes.len() > MAX_FILE_BYTES {
            return Err(std::io::Error::other("a rule file may have at most 4 GiB"));
        }
        Ok(SourceFile::new(path.display().to_string(), bytes))
    }

    /// The lines' first offsets, for [`LineIndex::position`].
    pub fn index(&self) -> LineIndex<'_> {
        let starts =
            std::iter::once(0).chain(memchr::memchr_iter(b'\n', &self.bytes).map(|at| at as u32 + 1));
        LineIndex { bytes: &self.bytes, starts: starts.collect() }
    }
}

/// Finds lines by offset without walking the file again.
pub struct LineIndex<'a> {
    bytes: &'a [u8],
    starts: Vec<u32>,
}

impl LineIndex<'_> {
    fn line_of(&self, offset: u32) -> usize {
        self.starts.partition_point(|&start| start <= offset).saturating_sub(1)
    }

    pub fn line(&self, offset: u32) -> u32 {
        self.line_of(offset) as u32 + 1
    }

    pub fn position(&self, offset: u32) -> Position {
        let line = self.line_of(offset);
        let start = self.starts.get(line).copied().unwrap_or(0) as usize;
        let before = self.bytes.get(start..offset as usize).unwrap_or_default();
        Position { line: line as u32 + 1, column: String::from_utf8_lossy(before).chars().count() as u32 + 1 }
    }

    /// The bytes of the line that holds `offset`, without its end, and where it starts.
    pub fn text(&self, offset: u32) -> (&[u8], u32) {
        let line = self.line_of(offset);
        let start = self.starts.get(line).copied().unwrap_or(0);
        let end = self.starts.get(line + 1).map_or(self.bytes.len(), |&next| next as usize - 1);
        let bytes = self.bytes.get(start as usize..end).unwrap_or_default();
        (bytes.strip_suffix(b"\r").unwrap_or(bytes), start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let file = SourceFile::new("f", "ab\r\n\u{e9}x\n".as_bytes());
        let index = file.index();
        assert_eq!(index.position(1), Position { line: 1, column: 2 });
        assert_eq!(index.position(6), Position { line: 2, column: 2 });
        assert_eq!(index.text(0), (&b"ab"[..], 0));
        assert_eq!(index.position(99).line, 3);
    }
}
