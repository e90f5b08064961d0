//! The database: its tables, writes in one transaction, its bounds.

use super::tally::{Host, Tally, Times};
use crate::base::Time;
use crate::io::clock::wall;
use crate::mgmt::revisions::file::make_folder;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior, params};
use std::fs;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Of the tables below. A database of another one is set aside.
const VERSION: i64 = 1;

/// How long a write may wait for somebody else's (a shell that looks into the file).
const PATIENCE: Duration = Duration::from_secs(2);

/// Bytes to which the write-ahead log is cut back.
const LOG: i64 = 4 << 20;

/// Where a table is full, this part of it goes at once, so that not each write has to look for the oldest rows.
const GIVES_WAY: u64 = 16;

const TABLES: &str = "
CREATE TABLE hosts (
  address TEXT NOT NULL, vlan TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
  sessions INTEGER NOT NULL, as_client INTEGER NOT NULL, sent INTEGER NOT NULL, received INTEGER NOT NULL,
  UNIQUE (address, vlan));
CREATE INDEX hosts_last ON hosts (last);
CREATE TABLE services (
  address TEXT NOT NULL, vlan TEXT NOT NULL, proto INTEGER NOT NULL, port INTEGER NOT NULL,
  first INTEGER NOT NULL, last INTEGER NOT NULL, sessions INTEGER NOT NULL, app TEXT, banner TEXT,
  UNIQUE (address, vlan, proto, port));
CREATE INDEX services_last ON services (last);
CREATE TABLE contexts (
  address TEXT NOT NULL, vlan TEXT NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL,
  first INTEGER NOT NULL, last INTEGER NOT NULL, seen INTEGER NOT NULL,
  UNIQUE (address, vlan, kind, text));
CREATE INDEX contexts_last ON contexts (last);
";

const TABLE_NAMES: [&str; 3] = ["hosts", "services", "contexts"];

const ADD_HOST: &str = "INSERT INTO hosts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
  ON CONFLICT (address, vlan) DO UPDATE SET first = min(first, excluded.first), last = max(last, excluded.last),
  sessions = sessions + excluded.sessions, as_client = as_client + excluded.as_client,
  sent = sent + excluded.sent, received = received + excluded.received";

const ADD_SERVICE: &str = "INSERT INTO services VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
  ON CONFLICT (address, vlan, proto, port) DO UPDATE SET first = min(first, excluded.first),
  last = max(last, excluded.last), sessions = sessions + excluded.sessions,
  app = coalesce(excluded.app, app), banner = coalesce(excluded.banner, banner)";

const ADD_CONTEXT: &str = "INSERT INTO contexts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
  ON CONFLICT (address, vlan, kind, text) DO UPDATE SET first = min(first, excluded.first),
  last = max(last, excluded.last), seen = seen + excluded.seen";

/// Rows of each table at most.
#[derive(Copy, Clone, Debug)]
pub struct Bounds {
    pub hosts: u32,
    pub services: u32,
    pub contexts: u32,
}

/// What is wrong with it.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The file is none of ours, or damaged: it is to be set aside.
    Useless(String),
    /// Anything else: it may pass.
    Other(String),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::Useless(text) | Trouble::Other(text) => text.fmt(f),
        }
    }
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Trouble {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Trouble::Useless(error.to_string()),
            _ => Trouble::Other(error.to_string()),
        }
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Trouble {
        Trouble::Other(error.to_string())
    }
}

/// Open for writing.
pub(super) struct Store {
    connection: Connection,
    path: PathBuf,
    /// Device and inode, by which a file that was deleted or replaced is told.
    file: (u64, u64),
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()))
}

/// A pipe in its place would hold up who opens it for ever.
pub(super) fn may_be_opened(path: &Path) -> Result<(), String> {
    match fs::metadata(path) {
        Ok(there) if !there.is_file() => Err("it is no file".into()),
        _ => Ok(()),
    }
}

impl Store {
    /// Opens or makes it; what is made is for its owner alone.
    pub(super) fn open(path: &Path) -> Result<Store, Trouble> {
        may_be_opened(path).map_err(Trouble::Other)?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            make_folder(folder)?;
        }
        // SQLite's files beside it get its permissions.
        fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // A power cut may cost the last writes, never the file.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "journal_size_limit", LOG)?;
        let mut store = Store { connection, path: path.to_owned(), file: identity(path).unwrap_or_default() };
        store.prepare()?;
        Ok(store)
    }

    fn prepare(&mut self) -> Result<(), Trouble> {
        let version: i64 = self.connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let tables: i64 =
            self.connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
        match (version, tables) {
            (VERSION, _) => Ok(()),
            (0, 0) => {
                let making = self.connection.transaction()?;
                making.execute_batch(TABLES)?;
                making.pragma_update(None, "user_version", VERSION)?;
                Ok(making.commit()?)
            }
            _ => Err(Trouble::Useless(format!("it is no profile of this version of weir ({version})"))),
        }
    }

    /// Whether the path still leads to the file that is open.
    pub(super) fn is_there(&self) -> bool {
        identity(&self.path) == Some(self.file)
    }

    /// Whether others still read a profile in the file: this connection keeps pages in memory, and would not notice that somebody
    /// emptied or overwrote it. `all`: every page is read.
    pub(super) fn look(&self, all: bool) -> Result<(), Trouble> {
        match Store::read(&self.path, all) {
            Ok(None) => Ok(()),
            Ok(Some(why)) => Err(Trouble::Useless(why)),
            Err(error) => Err(match error.sqlite_error_code() {
                // "no such table" has no code of its own.
                Some(ErrorCode::Unknown) => Trouble::Useless(error.to_string()),
                _ => error.into(),
            }),
        }
    }

    fn read(path: &Path, all: bool) -> rusqlite::Result<Option<String>> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version != VERSION {
            return Ok(Some("what was in it is gone".into()));
        }
        for table in TABLE_NAMES {
            let first = format!("SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT 1)");
            connection.query_row(&first, [], |row| row.get::<_, i64>(0))?;
        }
        if !all {
            return Ok(None);
        }
        let word: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        Ok((word != "ok").then_some(word))
    }

    /// Adds what was seen, all or nothing. How many rows gave way.
    pub(super) fn write(&mut self, tally: &Tally, bounds: &Bounds) -> Result<u64, Trouble> {
        let writing = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        put(&writing, tally)?;
        let mut evicted = 0;
        for (table, most) in TABLE_NAMES.into_iter().zip([bounds.hosts, bounds.services, bounds.contexts]) {
            evicted += keep_newest(&writing, table, u64::from(most))?;
        }
        writing.commit()?;
        Ok(evicted)
    }
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn at(time: Time) -> i64 {
    whole(wall(time).micros())
}

/// VLAN ids, outermost first (12 bits each of the context), with dots between.
fn vlan(host: &Host) -> String {
    let ids = (0..3).map(|n| host.vlans >> (12 * n) & 0xfff).take_while(|id| *id != 0);
    ids.map(|id| id.to_string()).collect::<Vec<_>>().join(".")
}

fn put(writing: &Transaction<'_>, tally: &Tally) -> Result<(), Trouble> {
    let mut add = writing.prepare(ADD_HOST)?;
    for (host, sum) in &tally.hosts {
        let Times { first, last, count } = sum.times;
        let numbers = [at(first), at(last), whole(count), whole(sum.as_client)];
        let [first, last, count, as_client] = numbers;
        let (address, sent, received) = (host.address.to_string(), whole(sum.sent), whole(sum.received));
        add.execute(params![address, vlan(host), first, last, count, as_client, sent, received])?;
    }
    let mut add = writing.prepare(ADD_SERVICE)?;
    for ((host, service), sum) in &tally.services {
        let Times { first, last, count } = sum.times;
        let (address, vlan) = (host.address.to_string(), vlan(host));
        let (first, last, count) = (at(first), at(last), whole(count));
        let banner = sum.banner.as_deref();
        add.execute(params![
            address,
            vlan,
            service.proto,
            service.port,
            first,
            last,
            count,
            sum.app,
            banner
        ])?;
    }
    let mut add = writing.prepare(ADD_CONTEXT)?;
    for ((host, kind, text), times) in &tally.contexts {
        let Times { first, last, count } = *times;
        let (address, vlan) = (host.address.to_string(), vlan(host));
        add.execute(params![address, vlan, kind.name(), &**text, at(first), at(last), whole(count)])?;
    }
    Ok(())
}

/// Those that were seen longest ago give way.
fn keep_newest(writing: &Transaction<'_>, table: &str, most: u64) -> Result<u64, Trouble> {
    let rows: i64 = writing.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?;
    let rows = u64::try_from(rows).unwrap_or(0);
    if rows <= most {
        return Ok(0);
    }
    let excess = rows - most + most / GIVES_WAY;
    let gone = writing.execute(
        &format!("DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} ORDER BY last LIMIT ?1)"),
        [whole(excess)],
    )?;
    Ok(gone as u64)
}

/// Beside its place under another name, in place of an earlier one: the disk holds one of these at most. Where it is now.
pub(super) fn set_aside(path: &Path) -> std::io::Result<PathBuf> {
    let beside = |ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let aside = beside(".damaged");
    fs::rename(path, &aside)?;
    for ending in ["-wal", "-shm"] {
        match fs::remove_file(beside(ending)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(aside)
}
