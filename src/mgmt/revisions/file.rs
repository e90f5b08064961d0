//! Files that are written whole or not at all, in two steps: all that can fail comes before the change that they tell of.

use crate::mgmt::leftovers;
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// A file that lies beside its place, on the disk. It goes when it is dropped.
#[derive(Debug)]
pub struct Prepared {
    /// None once it is in its place.
    temporary: Option<PathBuf>,
    place: PathBuf,
}

impl Prepared {
    /// For a place that a file has already: with its owner, group and permissions, as far as this process may give them ([`hand_over`]);
    /// else for its owner alone. A symbolic link stays and its target is replaced.
    pub fn write(place: &Path, bytes: &[u8]) -> io::Result<Prepared> {
        Prepared::write_beside(place, bytes, "")
    }

    /// The same, of a file that another may be prepared for the place of.
    fn write_beside(place: &Path, bytes: &[u8], ending: &str) -> io::Result<Prepared> {
        let place = fs::canonicalize(place).unwrap_or_else(|_| place.to_owned());
        let name = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name = name + ending;
        let temporary = place.with_file_name(beside(&name, std::process::id()));
        leftovers::remove(folder_of(&place), |other| {
            writer(other).filter(|pid| beside(&name, *pid) == other)
        });
        let prepared = Prepared { temporary: Some(temporary.clone()), place };
        // One of an earlier process, or a link that somebody laid there: neither is written through.
        let _ = fs::remove_file(&temporary);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        if let Ok(old) = fs::metadata(&prepared.place) {
            hand_over(&temporary, &old)?;
        }
        file.sync_all()?;
        Ok(prepared)
    }

    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Whether it can get into its place, which only an attempt shows (the place may be a mount point, or immutable): a copy of what is
    /// there takes it, so that whoever ends meanwhile leaves what was there.
    pub fn try_place(&self) -> io::Result<()> {
        Prepared::write_beside(&self.place, &fs::read(&self.place)?, ".same")?.keep()
    }

    /// Into its place; on an error it is not there.
    pub fn keep(mut self) -> io::Result<()> {
        let Some(temporary) = &self.temporary else { return Ok(()) };
        fs::rename(temporary, &self.place)?;
        self.temporary = None;
        if let Err(error) = File::open(folder_of(&self.place)).and_then(|folder| folder.sync_all()) {
            tracing::warn!("{} is written, but a power cut may undo that: {error}", self.place.display());
        }
        Ok(())
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // It may never have been made.
            let _ = fs::remove_file(temporary);
        }
    }
}

/// Gives a new file the owner, group and permissions of an old one. Only root may give a file away: what another user writes is
/// his, of the old one's group where he is in it; where he is not, his own group gets no rights.
fn hand_over(new: &Path, old: &Metadata) -> io::Result<()> {
    let own = fs::metadata(new)?;
    let refused = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    let give = |user: Option<u32>, group: Option<u32>| match chown(new, user, group) {
        Err(error) if refused(&error) => Ok(false),
        done => done.map(|()| true),
    };
    let (user, group) = (Some(old.uid()), Some(old.gid()));
    let same = (old.uid(), old.gid()) == (own.uid(), own.gid());
    let of_group = same || give(user, group)? || old.gid() == own.gid() || give(None, group)?;
    let rights = if of_group { 0o7777 } else { 0o7707 };
    fs::set_permissions(new, Permissions::from_mode(old.mode() & rights))
}

/// The name of a file that a process writes beside one of that name.
fn beside(name: &str, process: u32) -> String {
    format!(".{name}.{process}.new")
}

/// The process that wrote a file of such a name, whatever it is beside.
pub fn writer(name: &str) -> Option<u32> {
    name.strip_prefix('.')?.strip_suffix(".new")?.rsplit_once('.')?.1.parse().ok()
}

fn folder_of(place: &Path) -> &Path {
    place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A folder for its owner alone, where there is none.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}
