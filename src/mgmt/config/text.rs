//! A configuration's file as text.

use crate::rules::source::read_bounded;
use std::io;
use std::path::{Path, PathBuf};

/// Bytes of a configuration: no more than one request of the RPC can bring.
pub const MOST: u64 = 2 << 20;

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    #[error("cannot read the configuration {}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    /// `line` from 1, `at` from 0.
    #[error("the configuration {} is not UTF-8: byte {at} (0x{byte:02x}), on line {line}, is no part of a character", path.display())]
    NotUtf8 { path: PathBuf, at: usize, byte: u8, line: usize },
}

impl Unread {
    pub fn mend(&self) -> &'static str {
        match self {
            Unread::File { error, .. } if error.kind() == io::ErrorKind::Other => {
                "name a TOML file with -c; conf/weir.toml is a commented one to start from"
            }
            Unread::File { .. } => "give its path with -c; conf/weir.toml is a commented one to start from",
            Unread::NotUtf8 { .. } => "save it as UTF-8: iconv -f LATIN1 -t UTF-8",
        }
    }
}

pub fn read(path: &Path) -> Result<String, Unread> {
    let bytes = read_bounded(path, MOST).map_err(|error| Unread::File { path: path.to_owned(), error })?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let (before, rest) = error.as_bytes().split_at(at);
        let line = 1 + memchr::memchr_iter(b'\n', before).count();
        Unread::NotUtf8 { path: path.to_owned(), at, byte: rest.first().copied().unwrap_or_default(), line }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_end_or_too_much_before_it_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weir.toml");
        std::fs::File::create(&path).unwrap().set_len(MOST + 1).unwrap();
        let said = |path: &Path| read(path).unwrap_err().to_string();
        assert!(said(&path).contains("it is longer than the 2 MiB"), "{}", said(&path));
        assert!(said(Path::new("/dev/zero")).contains("it is a device or socket"));
        assert!(said(folder.path()).contains("it is a folder"));
        std::fs::File::create(&path).unwrap().set_len(MOST).unwrap();
        assert_eq!(read(&path).unwrap().len() as u64, MOST);
    }

    #[test]
    fn bytes_that_are_no_text_are_named_with_their_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weir.toml");
        std::fs::write(&path, b"# \xc3\xa9\nname = \"caf\xe9\"\n").unwrap();
        let unread = read(&path).unwrap_err();
        let text = unread.to_string();
        assert!(text.contains("weir.toml is not UTF-8: byte 16 (0xe9), on line 2"), "{text}");
        assert!(unread.mend().contains("iconv"));
        assert!(
            read(&folder.path().join("none"))
                .unwrap_err()
                .to_string()
                .contains("cannot read the configuration")
        );
    }
}
