//! A file of lines that may vanish, fill its disk and come back, and is set aside by size and time.

use super::backlog::{Backlog, FLUSH_AT};
use super::rotation::{self, Rotation};
use super::{Line, Sink, SinkCounts};
use crate::base::Time;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// An append-only file of lines.
#[derive(Debug)]
pub struct FileSink {
    path: PathBuf,
    file: Option<File>,
    backlog: Backlog,
    rotation: Rotation,
    /// As the last turn told; before the first nothing is set aside.
    now: Option<Time>,
    /// Bytes in the file.
    size: u64,
    /// It is a file, and no pipe or device, which cannot be set aside.
    regular: bool,
    /// The interval that the file began in; unknown before the first turn.
    period: Option<u64>,
    /// Setting aside failed, which was said.
    stuck: bool,
}

impl FileSink {
    /// The first opening must succeed: a wrong path is the user's to mend.
    pub fn create(path: &Path, rotation: Rotation) -> io::Result<FileSink> {
        let mut sink = FileSink::with(path, rotation);
        sink.take(open(path)?);
        Ok(sink)
    }

    /// One that cannot be opened yet, and why: each flush tries.
    pub fn later(path: &Path, rotation: Rotation, why: &io::Error) -> FileSink {
        let mut sink = FileSink::with(path, rotation);
        sink.backlog.fails(why);
        sink
    }

    fn with(path: &Path, rotation: Rotation) -> FileSink {
        FileSink {
            path: path.to_owned(),
            file: None,
            backlog: Backlog::new(path.display().to_string()),
            rotation,
            now: None,
            size: 0,
            regular: false,
            period: None,
            stuck: false,
        }
    }

    fn write_out(&mut self) {
        if self.is_deleted() {
            self.file = None;
            self.open();
        }
        if self.is_due() {
            self.rotate();
        }
        self.pour();
    }

    /// Into the file that is open, whatever its name is by now.
    fn pour(&mut self) {
        let (size, Some(file)) = (&mut self.size, &mut self.file) else { return };
        let something = !self.backlog.waiting().is_empty();
        let poured = self.backlog.pour(|bytes| {
            let written = file.write(bytes)?;
            *size += written as u64;
            Ok(written)
        });
        match poured {
            Ok(()) if something => self.backlog.works(),
            Ok(()) => {}
            Err(error) => self.backlog.fails(&error),
        }
    }

    /// A file without a name is one that nobody will read.
    fn is_deleted(&self) -> bool {
        let links = |file: &File| file.metadata().map(|m| m.nlink());
        self.file.as_ref().is_some_and(|file| links(file).is_ok_and(|links| links == 0))
    }

    fn is_the_one_at_the_path(&self) -> bool {
        let there = std::fs::metadata(&self.path).map(|m| identity(&m));
        self.identity().is_some_and(|open| there.is_ok_and(|there| there == open))
    }

    fn identity(&self) -> Option<(u64, u64)> {
        self.file.as_ref().and_then(|file| file.metadata().ok()).map(|m| identity(&m))
    }

    fn open(&mut self) {
        match open(&self.path) {
            Ok(opened) => self.take(opened),
            Err(error) => self.refused(&error),
        }
    }

    fn take(&mut self, (file, there): (File, Metadata)) {
        let before = self.identity();
        self.file = Some(file);
        (self.size, self.regular) = (there.len(), there.is_file());
        if self.identity() != before {
            self.backlog.forget_cut();
            self.period = self.now.map(|now| self.rotation.period(now));
        }
    }

    /// The path cannot be opened. What is open stays if it is what lies there; else lines wait, rather than go where nobody
    /// looks for them.
    fn refused(&mut self, error: &io::Error) {
        if self.file.is_some() && !self.is_the_one_at_the_path() {
            self.file = None;
            self.backlog.forget_cut();
        }
        self.backlog.fails(error);
    }

    /// Never between the parts of a line.
    fn is_due(&self) -> bool {
        let (rotation, waiting) = (&self.rotation, self.backlog.waiting().len() as u64);
        let Some(now) = self.now.filter(|_| self.size > 0 && waiting > 0 && !self.backlog.is_cut()) else {
            return false;
        };
        if !self.regular {
            return false;
        }
        let full = rotation.size > 0 && self.size + waiting > rotation.size;
        full || self.period.is_some_and(|period| rotation.period(now) != period)
    }

    fn rotate(&mut self) {
        let Some(now) = self.now else { return };
        // Somebody else did it already, as logrotate does.
        if !self.is_the_one_at_the_path() {
            return self.open();
        }
        let done = rotation::set_aside(&self.path, now).and_then(|_| {
            self.open();
            if self.rotation.keep > 0 {
                rotation::forget_oldest(&self.path, self.rotation.keep)
            } else {
                Ok(())
            }
        });
        match done {
            Ok(()) => self.stuck = false,
            Err(error) if !self.stuck => {
                self.stuck = true;
                tracing::error!("cannot set {} aside, or old ones of it: {error}", self.path.display());
            }
            Err(_) => {}
        }
    }
}

impl Sink for FileSink {
    fn write_line(&mut self, line: &Line<'_>) {
        self.backlog.push(line.text);
        // While failing only the timed flush tries again: a full disk is not asked for each line.
        if self.backlog.waiting().len() >= FLUSH_AT && !self.backlog.is_failing() {
            self.write_out();
        }
    }

    fn turn(&mut self, now: Time) {
        self.now = Some(now);
        self.backlog.turn(now);
        if self.period.is_none() {
            // The file may be one of an earlier run: it counts where it was last written to.
            let written = self.file.as_ref().filter(|_| self.size > 0).and_then(|file| file.metadata().ok());
            let began = written.map_or(now, |m| Time::from_secs(u64::try_from(m.mtime()).unwrap_or(0)));
            self.period = Some(self.rotation.period(began));
        }
    }

    fn flush(&mut self) {
        if self.is_the_one_at_the_path() { self.write_out() } else { self.reopen() }
    }

    /// What waits goes to the old file first, unless that was deleted or there is no new one.
    fn reopen(&mut self) {
        match open(&self.path) {
            Ok(opened) => {
                if !self.is_deleted() {
                    self.pour();
                }
                self.take(opened);
                self.write_out();
            }
            Err(error) => self.refused(&error),
        }
    }

    fn counts(&self) -> SinkCounts {
        self.backlog.counts()
    }

    fn waiting(&self) -> usize {
        self.backlog.waiting().len()
    }

    fn finish(&mut self) -> SinkCounts {
        self.flush();
        self.backlog.lose_all();
        self.backlog.counts()
    }
}

/// The file and what the system tells of it. A pipe that nobody reads is not waited for, and one that is full takes nothing.
fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let mut options = OpenOptions::new();
    let file =
        options.create(true).append(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(|error| {
            let pipe = std::fs::metadata(path).is_ok_and(|there| there.file_type().is_fifo());
            match error.raw_os_error() {
                Some(libc::ENXIO) if pipe => io::Error::new(error.kind(), "it is a pipe that nobody reads"),
                _ => error,
            }
        })?;
    let there = file.metadata()?;
    Ok((file, there))
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}
