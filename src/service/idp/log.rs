//! Records of transactions and their files, once each: as they are complete, or as their session ends.

use super::at_work::{AppEvents, AtWork};
use crate::app::Apps;
use crate::base::Dir;
use crate::base::event::{Cause, Origin};
use crate::service::Reporter;
use crate::session::Session;

impl AtWork<'_> {
    /// Writes what is due; with `ended` nothing more will come, and all is. Each origin is that of the packet at work, or of the
    /// end; a record's addresses are the session's, client first, a file's its sender's.
    pub(super) fn log(&mut self, session: &Session, ended: bool, origin: impl Fn() -> Origin) {
        log(self.apps, self.report, session, ended, origin);
    }

    /// What the protocol's detection had to say of the session.
    pub(super) fn log_detection(
        &mut self,
        session: &Session,
        events: &AppEvents,
        origin: impl Fn() -> Origin,
    ) {
        let proto = session.spoken.proto.map_or("", |proto| proto.name());
        for &(_, event) in events {
            self.report.app_anomaly(&origin(), event, proto, None);
        }
    }
}

/// As [`AtWork::log`], with no more than it takes.
pub(super) fn log(
    apps: &mut Apps,
    report: &mut Reporter,
    session: &Session,
    ended: bool,
    origin: impl Fn() -> Origin,
) {
    let wants = report.wants();
    if !wants.decodes() && !wants.anomaly {
        return;
    }
    let Some(app) = apps.get_mut(session.app) else { return };
    let known = app.known;
    let from = |dir: Dir| {
        let opener = if known.reversed { session.tuple.reversed() } else { session.tuple };
        let tuple = if dir == Dir::ToServer { opener } else { opener.reversed() };
        Origin { tuple, dir, icmp: None, ..origin() }
    };
    for tx in app.transactions.iter_mut().filter(|tx| !tx.logged) {
        let all = ended || Dir::BOTH.into_iter().all(|dir| tx.is_complete(dir));
        while let Some(file) = wants.files.then(|| tx.take_file_to_log(all)).flatten() {
            let sender = tx.file(file).map_or(Dir::ToServer, |file| file.dir);
            report.file(&from(sender), tx, file);
        }
        if !all {
            continue;
        }
        tx.logged = true;
        for &(_, event) in tx.events() {
            report.app_anomaly(&from(Dir::ToServer), event, tx.proto.name(), Some(tx.id));
        }
        if !tx.marks.unlogged {
            report.transaction(&from(Dir::ToServer), tx);
        }
    }
}

/// Where the events of a session's end come from: the packet with that number was the last.
pub(super) fn ending(session: &Session, dir: Dir, number: u64) -> Origin {
    let tuple = if dir == Dir::ToServer { session.tuple } else { session.tuple.reversed() };
    Origin {
        time: session.last,
        packet: number,
        tuple,
        flow_id: session.flow_id,
        dir,
        cause: Cause::Ending,
        ..Origin::default()
    }
}
