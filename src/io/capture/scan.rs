//! What a capture holds, from one pass over it.

use super::{CaptureError, Reader};
use crate::base::Time;
use crate::io::LinkType;
use std::path::{Path, PathBuf};

/// A capture's contents.
#[derive(Debug)]
pub struct Summary {
    pub path: PathBuf,
    pub link_type: LinkType,
    /// The link type's number in the file.
    pub dlt: u16,
    /// Good frames.
    pub frames: u64,
    /// As captured.
    pub bytes: u64,
    pub longest: usize,
    /// Time of the first frame, and of the last: captures may run backwards in between, and over all.
    pub first: Option<Time>,
    pub last: Option<Time>,
    /// What ended the pass before the file's end. The frames before it are good.
    pub damage: Option<CaptureError>,
}

impl Summary {
    /// Reads the whole file. An error when nothing in it can be used; a file whose end is damaged gives what stands
    /// before.
    pub fn scan(path: &Path) -> Result<Summary, CaptureError> {
        let mut reader = Reader::open(path)?;
        let mut summary = Summary {
            path: path.to_owned(),
            link_type: reader.link_type(),
            dlt: reader.dlt(),
            frames: 0,
            bytes: 0,
            longest: 0,
            first: None,
            last: None,
            damage: None,
        };
        loop {
            match reader.next_record() {
                Ok(Some(record)) => {
                    summary.frames += 1;
                    summary.bytes += record.bytes.len() as u64;
                    summary.longest = summary.longest.max(record.bytes.len());
                    summary.first = summary.first.or(Some(record.time));
                    summary.last = Some(record.time);
                }
                Ok(None) => return Ok(summary),
                Err(CaptureError::Damaged { path, offset, good, reason }) => {
                    summary.damage = Some(CaptureError::Damaged { path, offset, good, reason });
                    return Ok(summary);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The summary of a file without damage, or the damage.
    pub fn whole(mut self) -> Result<Summary, CaptureError> {
        match self.damage.take() {
            None => Ok(self),
            Some(damage) => Err(damage),
        }
    }
}
