//! Questions to the database, each on a connection of its own that cannot write.

use super::seen::Kind;
use super::store::may_be_opened;
use super::{Counts, Keeper};
use crate::mgmt::control::NamedCount;
use rusqlite::{Connection, ErrorCode, OpenFlags, Row, ToSql};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Rows of an answer at most, and where none are asked for.
pub const MOST_ROWS: u32 = 10_000;
const ROWS: u32 = 100;

/// How long a question may wait for a checkpoint.
const PATIENCE: Duration = Duration::from_secs(2);

/// Which rows: those seen last come first.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// In one of the texts, whatever its case; empty for all.
    pub filter: String,
    pub host: Option<IpAddr>,
    /// Of contexts.
    pub kind: Option<Kind>,
    /// 0: as many as one likes to look at.
    pub limit: u32,
}

impl Ask {
    fn rows(&self) -> u32 {
        if self.limit == 0 { ROWS } else { self.limit.min(MOST_ROWS) }
    }
}

/// Times are microseconds since the Unix epoch, sizes bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRow {
    pub address: String,
    /// Ids with dots between; empty without.
    pub vlan: String,
    pub first: u64,
    pub last: u64,
    pub sessions: u64,
    pub as_client: u64,
    pub sent: u64,
    pub received: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRow {
    pub address: String,
    pub vlan: String,
    /// IP protocol number.
    pub proto: u8,
    pub port: u16,
    pub first: u64,
    pub last: u64,
    pub sessions: u64,
    pub app: Option<String>,
    pub banner: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextRow {
    pub address: String,
    pub vlan: String,
    pub kind: String,
    pub text: String,
    pub first: u64,
    pub last: u64,
    pub seen: u64,
}

fn number(row: &Row<'_>, at: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(at).map(|number| u64::try_from(number).unwrap_or(0))
}

/// Who asks. Cheap to make; every question opens the file.
#[derive(Clone)]
pub struct Reader {
    path: PathBuf,
    counts: Arc<Counts>,
}

impl Reader {
    pub fn new(path: PathBuf, keeper: &Keeper) -> Reader {
        Reader::of(path, keeper.counts())
    }

    pub(super) fn of(path: PathBuf, counts: Arc<Counts>) -> Reader {
        Reader { path, counts }
    }

    pub fn counters(&self) -> Vec<NamedCount> {
        self.counts.named()
    }

    pub fn hosts(&self, ask: &Ask) -> Result<Vec<HostRow>, String> {
        let columns = "address, vlan, first, last, sessions, as_client, sent, received";
        self.ask("hosts", columns, "instr(lower(address), :filter)", ask, |row| {
            Ok(HostRow {
                address: row.get(0)?,
                vlan: row.get(1)?,
                first: number(row, 2)?,
                last: number(row, 3)?,
                sessions: number(row, 4)?,
                as_client: number(row, 5)?,
                sent: number(row, 6)?,
                received: number(row, 7)?,
            })
        })
    }

    pub fn services(&self, ask: &Ask) -> Result<Vec<ServiceRow>, String> {
        let columns = "address, vlan, proto, port, first, last, sessions, app, banner";
        let holds = "instr(lower(address || ' ' || port || ' ' || coalesce(app, '') || ' ' || coalesce(banner, '')), :filter)";
        self.ask("services", columns, holds, ask, |row| {
            Ok(ServiceRow {
                address: row.get(0)?,
                vlan: row.get(1)?,
                proto: row.get(2)?,
                port: row.get(3)?,
                first: number(row, 4)?,
                last: number(row, 5)?,
                sessions: number(row, 6)?,
                app: row.get(7)?,
                banner: row.get(8)?,
            })
        })
    }

    pub fn contexts(&self, ask: &Ask) -> Result<Vec<ContextRow>, String> {
        let columns = "address, vlan, kind, text, first, last, seen";
        let holds = "instr(lower(address || ' ' || text), :filter)";
        self.ask("contexts", columns, holds, ask, |row| {
            Ok(ContextRow {
                address: row.get(0)?,
                vlan: row.get(1)?,
                kind: row.get(2)?,
                text: row.get(3)?,
                first: number(row, 4)?,
                last: number(row, 5)?,
                seen: number(row, 6)?,
            })
        })
    }

    fn ask<T>(
        &self,
        table: &str,
        columns: &str,
        holds: &str,
        ask: &Ask,
        row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, String> {
        let filter = ask.filter.to_lowercase();
        let (host, kind) = (ask.host.map(|host| host.to_string()), ask.kind.map(Kind::name));
        let limit = ask.rows();
        let mut given: Vec<(&str, &dyn ToSql)> = vec![(":limit", &limit)];
        let mut wanted = vec!["1"];
        if !filter.is_empty() {
            wanted.push(holds);
            given.push((":filter", &filter));
        }
        if let Some(host) = &host {
            wanted.push("address = :host");
            given.push((":host", host));
        }
        if let Some(kind) = &kind {
            wanted.push("kind = :kind");
            given.push((":kind", kind));
        }
        let wanted = wanted.join(" AND ");
        let question =
            format!("SELECT {columns} FROM {table} WHERE {wanted} ORDER BY last DESC, rowid LIMIT :limit");
        let answer = || -> rusqlite::Result<Vec<T>> {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(&self.path, flags)?;
            connection.busy_timeout(PATIENCE)?;
            let mut asked = connection.prepare(&question)?;
            asked.query_map(&*given, row)?.collect()
        };
        let refused = |why: &dyn std::fmt::Display| {
            format!("the profile {} cannot be read: {why}", self.path.display())
        };
        may_be_opened(&self.path).map_err(|why| refused(&why))?;
        answer().map_err(|error| {
            if let Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) = error.sqlite_error_code() {
                self.counts.suspect.store(true, Ordering::Relaxed);
            }
            refused(&error)
        })
    }
}
