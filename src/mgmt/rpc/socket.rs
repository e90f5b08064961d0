//! Where the control socket is, and how it is guarded.

use crate::mgmt::config::Rpc;
use crate::mgmt::config::value::Auto;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Why the socket cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    #[error("{path}: another weir answers on this socket; stop it, or set {key} to another path")]
    InUse { path: PathBuf, key: &'static str },
    #[error("{path} is there and is not a socket; move it away, or set {key} to another path")]
    NotASocket { path: PathBuf, key: &'static str },
    #[error("the folder {path} belongs to another user; set {key} to a path of your own")]
    NotOurs { path: PathBuf, key: &'static str },
    #[error("cannot make the socket {path}: {error}; set {key} to a path you may write to")]
    Io { path: PathBuf, key: &'static str, error: io::Error },
}

/// The key that names gRPC's socket.
pub const KEY: &str = "rpc.socket";

/// The user this process runs as.
fn user() -> u32 {
    // The owner of our own /proc entry is our effective user.
    fs::metadata("/proc/self").map_or(u32::MAX, |m| m.uid())
}

/// The socket's path when nothing else is said.
pub fn default_path() -> PathBuf {
    let user = user();
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty());
    match (user, runtime) {
        (0, _) => PathBuf::from("/run/weir/weir.sock"),
        (_, Some(dir)) => PathBuf::from(dir).join("weir/weir.sock"),
        (_, None) => PathBuf::from(format!("/tmp/weir-{user}/weir.sock")),
    }
}

/// The socket's path by the configuration.
pub fn path(rpc: &Rpc) -> PathBuf {
    match &rpc.socket {
        Auto::Auto => default_path(),
        Auto::Set(path) => path.clone(),
    }
}

/// A listening socket; its file is removed when this is dropped.
#[derive(Debug)]
pub struct Bound {
    pub listener: std::os::unix::net::UnixListener,
    pub path: PathBuf,
}

impl Drop for Bound {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = fs::remove_file(&self.path);
    }
}

/// Makes the socket for its owner (0600) or also its group (0660). A socket that nobody answers on is replaced. `key`: of the
/// configuration, that names it.
pub fn bind(path: &Path, group_access: bool, key: &'static str) -> Result<Bound, SocketError> {
    let owned = || path.to_owned();
    let io = |error| SocketError::Io { path: owned(), key, error };
    prepare_folder(path, group_access, key)?;
    if let Ok(there) = fs::symlink_metadata(path) {
        if !there.file_type().is_socket() {
            return Err(SocketError::NotASocket { path: owned(), key });
        }
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(SocketError::InUse { path: owned(), key });
        }
        fs::remove_file(path).map_err(io)?;
    }
    let listener = std::os::unix::net::UnixListener::bind(path).map_err(io)?;
    let bound = Bound { listener, path: owned() };
    let mode = if group_access { 0o660 } else { 0o600 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(io)?;
    bound.listener.set_nonblocking(true).map_err(io)?;
    Ok(bound)
}

/// A folder that is made is closed to others, so that nobody connects between bind and chmod. One in /tmp that somebody
/// else made first is refused: he could put his own socket there.
fn prepare_folder(path: &Path, group_access: bool, key: &'static str) -> Result<(), SocketError> {
    let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) else { return Ok(()) };
    let mode = if group_access { 0o750 } else { 0o700 };
    let made = fs::DirBuilder::new().recursive(true).mode(mode).create(folder);
    made.map_err(|error| SocketError::Io { path: path.to_owned(), key, error })?;
    let owner = fs::metadata(folder).map(|m| m.uid()).unwrap_or(u32::MAX);
    if default_path().parent() == Some(folder) && owner != user() {
        return Err(SocketError::NotOurs { path: folder.to_owned(), key });
    }
    Ok(())
}
