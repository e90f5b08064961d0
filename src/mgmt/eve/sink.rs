//! Where lines go: a file, buffered, that may vanish, fill its disk and come back.
//!
//! `generated = exported + lost + waiting`, always, in lines. A fault is said once, as is its end.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Written when this much waits, without waiting for the flush.
const FLUSH_AT: usize = 64 << 10;

/// What may wait while the file cannot be written; further lines are lost.
const MOST_WAITING: usize = 4 << 20;

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkCounts {
    pub generated: u64,
    pub exported: u64,
    pub lost: u64,
}

/// An append-only file of lines.
#[derive(Debug)]
pub struct FileSink {
    path: PathBuf,
    file: Option<File>,
    waiting: Vec<u8>,
    counts: SinkCounts,
    failing: bool,
}

impl FileSink {
    /// The first opening must succeed: a wrong path is the user's to mend.
    pub fn create(path: &Path) -> io::Result<FileSink> {
        let file = Some(open(path)?);
        Ok(FileSink {
            path: path.to_owned(),
            file,
            waiting: Vec::with_capacity(2 * FLUSH_AT),
            counts: SinkCounts::default(),
            failing: false,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn counts(&self) -> SinkCounts {
        self.counts
    }

    /// Adds one line; `line` comes without its end.
    pub fn write_line(&mut self, line: &[u8]) {
        self.counts.generated += 1;
        if self.waiting.len() + line.len() >= MOST_WAITING {
            self.counts.lost += 1;
            return;
        }
        self.waiting.extend_from_slice(line);
        self.waiting.push(b'\n');
        // While failing only the timed flush tries again: a full disk is not asked for each line.
        if self.waiting.len() >= FLUSH_AT && !self.failing {
            self.write_out();
        }
    }

    /// Writes what waits; finds out whether the file is still the one at the path.
    pub fn flush(&mut self) {
        if self.file.as_ref().is_none_or(|file| !is_same(file, &self.path)) {
            self.reopen();
        }
        self.write_out();
    }

    /// Closes and opens again, as logrotate asks for with SIGHUP. What waits goes to the old file first.
    pub fn reopen(&mut self) {
        self.write_out();
        match open(&self.path) {
            Ok(file) => {
                self.forget_cut_line();
                self.file = Some(file);
            }
            Err(error) => self.fails(&error),
        }
    }

    /// Flushes; what cannot be written now is lost.
    pub fn finish(&mut self) -> SinkCounts {
        self.flush();
        self.counts.lost += lines(&self.waiting);
        self.waiting.clear();
        self.counts
    }

    fn write_out(&mut self) {
        let Some(file) = &mut self.file else { return };
        let mut written = 0;
        let mut fault = None;
        while let Some(rest) = self.waiting.get(written..).filter(|r| !r.is_empty()) {
            match file.write(rest) {
                Ok(0) => fault = Some(io::Error::from(io::ErrorKind::WriteZero)),
                Ok(n) => written += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => fault = Some(e),
            }
            if fault.is_some() {
                break;
            }
        }
        self.counts.exported += lines(self.waiting.get(..written).unwrap_or_default());
        self.waiting.drain(..written);
        match fault {
            Some(error) => self.fails(&error),
            None => self.works(),
        }
    }

    /// A line that was cut by a fault cannot go on in another file.
    fn forget_cut_line(&mut self) {
        let cut = self.failing && self.waiting.first().is_some_and(|b| *b != b'{');
        if cut && let Some(end) = self.waiting.iter().position(|b| *b == b'\n') {
            self.waiting.drain(..=end);
            self.counts.lost += 1;
        }
    }

    fn fails(&mut self, error: &io::Error) {
        if !self.failing {
            let path = self.path.display();
            tracing::error!("cannot write {path}: {error}; events wait in memory, then are lost and counted");
        }
        self.failing = true;
    }

    fn works(&mut self) {
        if self.failing {
            let lost = self.counts.lost;
            tracing::info!("{} can be written again; {lost} lines were lost so far", self.path.display());
        }
        self.failing = false;
    }
}

fn lines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn is_same(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(open), Ok(there)) => (open.dev(), open.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn lines_wait_until_the_flush_and_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("eve.json");
        let mut sink = FileSink::create(&path).unwrap();
        sink.write_line(b"{1}");
        assert_eq!((read(&path).as_str(), sink.counts().exported), ("", 0));
        sink.flush();
        assert_eq!((read(&path).as_str(), sink.counts().exported), ("{1}\n", 1));
    }

    #[test]
    fn a_file_that_is_moved_away_or_deleted_is_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("eve.json"), dir.path().join("eve.json.1"));
        let mut sink = FileSink::create(&path).unwrap();
        sink.write_line(b"{1}");
        std::fs::rename(&path, &old).unwrap();
        sink.reopen();
        sink.write_line(b"{2}");
        sink.flush();
        assert_eq!((read(&old).as_str(), read(&path).as_str()), ("{1}\n", "{2}\n"));
        std::fs::remove_file(&path).unwrap();
        sink.write_line(b"{3}");
        sink.flush();
        sink.write_line(b"{4}");
        assert_eq!(sink.finish(), SinkCounts { generated: 4, exported: 4, lost: 0 });
        assert!(read(&path).ends_with("{4}\n"));
    }

    #[test]
    fn a_full_disk_costs_lines_which_are_counted_and_no_more() {
        // /dev/full takes nothing: every write says that the disk is full.
        let mut sink = FileSink::create(Path::new("/dev/full")).unwrap();
        let line = vec![b'{'; 1000];
        let sent = 2 * MOST_WAITING as u64 / 1000;
        for _ in 0..sent {
            sink.write_line(&line);
        }
        assert!(sink.waiting.len() <= MOST_WAITING);
        let counts = sink.finish();
        assert_eq!(counts, SinkCounts { generated: sent, exported: 0, lost: sent });
    }

    #[test]
    fn a_path_that_cannot_be_opened_is_an_error_at_the_start() {
        assert!(FileSink::create(Path::new("/nonexistent/eve.json")).is_err());
    }
}
