//! Rule files as bytes, and where in them something stands.

use super::pipe;
use super::text::{Fault, Text};
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

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

/// Longest file read, bytes. (Spans are 32 bits wide.)
pub const MAX_FILE_BYTES: u64 = 1 << 29;

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

    pub fn read(path: &Path) -> io::Result<SourceFile> {
        Ok(SourceFile::new(path.display().to_string(), read_bounded(path, MAX_FILE_BYTES)?))
    }

    /// Why the bytes are not those of rules, if it shows: another encoding than ASCII or UTF-8.
    pub fn is_no_text(&self) -> Option<Fault> {
        const MARKS: [(&[u8], &str); 4] = [
            (b"\xff\xfe\0\0", "UTF-32LE"),
            (b"\0\0\xfe\xff", "UTF-32BE"),
            (b"\xff\xfe", "UTF-16LE"),
            (b"\xfe\xff", "UTF-16BE"),
        ];
        // Without a mark: every other byte of the first characters is 0.
        let bare = match self.bytes.as_slice() {
            [first, 0, second, 0, ..] if *first != 0 && *second != 0 => Some((0, "UTF-16LE")),
            [0, first, 0, second, ..] if *first != 0 && *second != 0 => Some((0, "UTF-16BE")),
            _ => None,
        };
        let marked = MARKS.into_iter().find(|(mark, _)| self.bytes.starts_with(mark));
        let (length, encoding) = marked.map(|(mark, encoding)| (mark.len(), encoding)).or(bare)?;
        let fault = Text::new(self.bytes.get(..length)?, 0)
            .fault(format!("the file is {encoding}, and rules are ASCII or UTF-8: none of it is read"));
        let help = format!("convert it: iconv -f {encoding} -t UTF-8 {0} > {0}.new", self.name);
        Some(fault.keyword("text").help(help))
    }

    /// The lines' first offsets, for [`LineIndex::position`].
    pub fn index(&self) -> LineIndex<'_> {
        let starts =
            std::iter::once(0).chain(memchr::memchr_iter(b'\n', &self.bytes).map(|at| at as u32 + 1));
        LineIndex { bytes: &self.bytes, starts: starts.collect() }
    }
}

/// What is in a file or comes out of a pipe (`-S <(command)`), if that has at most so many bytes.
pub fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let opened = pipe::open(path)?;
    let length = opened.length()?;
    let mut bytes = Vec::with_capacity(usize::try_from(length.min(limit)).unwrap_or_default());
    // A pipe does not say; a file may grow while it is read.
    opened.take(limit + 1).read_to_end(&mut bytes)?;
    match length.max(bytes.len() as u64) {
        found if found > limit => Err(io::Error::other(format!(
            "it is longer than the {} MiB that are read of such a file",
            limit >> 20
        ))),
        _ => Ok(bytes),
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
    fn what_has_no_end_or_is_too_long_is_not_read() {
        let told = |path: &Path, limit| read_bounded(path, limit).unwrap_err().to_string();
        assert!(told(Path::new("/dev/zero"), 9).starts_with("it is a device or socket"));
        let dir = tempfile::tempdir().unwrap();
        assert!(told(dir.path(), 9).starts_with("it is a folder"));
        let path = dir.path().join("x");
        std::fs::write(&path, vec![b'x'; 3 << 20]).unwrap();
        assert_eq!(told(&path, 2 << 20), "it is longer than the 2 MiB that are read of such a file");
        assert_eq!(read_bounded(&path, 3 << 20).unwrap().len(), 3 << 20);
    }

    #[test]
    fn other_encodings_are_named() {
        let found = |bytes: &[u8]| SourceFile::new("f", bytes).is_no_text().map(|fault| fault.message);
        let is = |bytes: &[u8], name: &str| assert!(found(bytes).unwrap().contains(name), "{bytes:?}");
        is(b"\xff\xfea\0", "UTF-16LE,");
        is(b"\xfe\xff\0a", "UTF-16BE,");
        is(b"\xff\xfe\0\0a\0\0\0", "UTF-32LE,");
        is(b"#\0 \0a\0", "UTF-16LE,");
        is(b"\0a\0l", "UTF-16BE,");
        for fine in [&b""[..], b"alert", b"\xef\xbb\xbf# x", b"\xe9\xff", b"a\0b"] {
            assert_eq!(found(fine), None, "{fine:?}");
        }
    }

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
