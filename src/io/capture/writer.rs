//! Writing a capture: microsecond pcap, with the frames' own times, whole chains and any length.

use super::CaptureError;
use crate::base::Time;
use crate::io::Frame;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

const MAGIC_MICROS: u32 = 0xa1b2_c3d4;
const VERSION: (u16, u16) = (2, 4);

/// Bytes kept before they go to the file.
const BUFFER: usize = 1 << 18;

/// A capture being written; [`finish`](Writer::finish) tells whether all of it arrived.
pub struct Writer {
    path: PathBuf,
    out: BufWriter<File>,
    frames: u64,
}

impl Writer {
    /// Replaces the file if there is one. `dlt` is the link type's number ([`Reader::dlt`](super::Reader::dlt)).
    pub fn create(path: &Path, dlt: u16) -> Result<Writer, CaptureError> {
        let io = |source| fault(path, source);
        let file = File::create(path).map_err(io)?;
        let mut out = BufWriter::with_capacity(BUFFER, file);
        header(&mut out, dlt).map_err(io)?;
        Ok(Writer { path: path.to_owned(), out, frames: 0 })
    }

    /// Appends the frame, at the time in its meta.
    pub fn write(&mut self, frame: &Frame) -> Result<(), CaptureError> {
        self.write_pieces(frame.meta().time, frame.len(), frame.segments())
    }

    /// Appends a frame of these bytes.
    pub fn write_bytes(&mut self, time: Time, bytes: &[u8]) -> Result<(), CaptureError> {
        self.write_pieces(time, bytes.len(), std::iter::once(bytes))
    }

    /// Frames written so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Brings everything to the file.
    pub fn finish(mut self) -> Result<u64, CaptureError> {
        let flushed = self.out.flush();
        flushed.map_err(|source| self.io(source))?;
        Ok(self.frames)
    }

    fn write_pieces<'a>(
        &mut self,
        time: Time,
        len: usize,
        pieces: impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), CaptureError> {
        let written = record(&mut self.out, time, len, pieces);
        written.map_err(|source| self.io(source))?;
        self.frames += 1;
        Ok(())
    }

    fn io(&self, source: io::Error) -> CaptureError {
        fault(&self.path, source)
    }
}

/// With what to do about it.
fn fault(path: &Path, source: io::Error) -> CaptureError {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mend = match source.kind() {
        io::ErrorKind::NotFound if !folder.exists() => {
            format!(
                "there is no folder {f}: make it (`mkdir -p {f}`) or name another file",
                f = folder.display()
            )
        }
        io::ErrorKind::IsADirectory => "it is a folder: name a file in it".to_owned(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            format!("{} is not ours to write: name a file in a folder of yours", folder.display())
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room, or name a file on another disk".to_owned()
        }
        _ => "correct the path, or name another file".to_owned(),
    };
    CaptureError::Write { path: path.to_owned(), source, mend }
}

fn header(out: &mut impl Write, dlt: u16) -> io::Result<()> {
    out.write_all(&MAGIC_MICROS.to_le_bytes())?;
    out.write_all(&VERSION.0.to_le_bytes())?;
    out.write_all(&VERSION.1.to_le_bytes())?;
    // Time zone and accuracy: always zero.
    out.write_all(&[0; 8])?;
    out.write_all(&super::MAX_FRAME.to_le_bytes())?;
    out.write_all(&u32::from(dlt).to_le_bytes())
}

fn record<'a>(
    out: &mut impl Write,
    time: Time,
    len: usize,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> io::Result<()> {
    let len = u32::try_from(len).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    // 32 bits of seconds, read as unsigned: until 2106.
    let seconds = u32::try_from(time.secs()).unwrap_or(u32::MAX);
    let micros = (time.micros() % 1_000_000) as u32;
    for field in [seconds, micros, len, len] {
        out.write_all(&field.to_le_bytes())?;
    }
    for piece in pieces {
        out.write_all(piece)?;
    }
    Ok(())
}
