//! The server's side of the configuration.

use super::fault;
use super::proto as p;
use super::service::{Reply, Service};
use crate::io::clock::wall;
use crate::mgmt::config::edit::Edit;
use crate::mgmt::config::entries::Difference;
use crate::mgmt::config::visit::Change;
use crate::mgmt::configure::{Commit, Committed, Compared, Configure, Which};
use crate::mgmt::control::{ControlError, LONGEST_CONFIRM};
use crate::mgmt::gate::{Caller, Guest};
use crate::mgmt::revisions::State;
use std::time::Duration;
use tonic::{Code, Request, Response, Status as Fault};

/// Edits of one request.
const MOST_EDITS: usize = 1000;

/// Bytes of a comment.
const LONGEST_COMMENT: usize = 1000;

impl Service {
    async fn configure<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Configure) -> Result<T, ControlError> + Send + 'static,
    ) -> Result<T, Fault> {
        let answer = self.ask(move |control| control.configuration().map(question)).await?;
        let answer = answer
            .ok_or_else(|| fault::fault(Code::Unimplemented, "the configuration of this process is fixed"))?;
        answer.map_err(Fault::from)
    }
}

/// Who asks, as revisions tell it: the user at the other end of the socket, the subject of a certificate (which no user is called
/// like: it has a `=`), or the address, whose port is another one each time.
pub(super) fn who<T>(request: &Request<T>) -> String {
    let guest = request.extensions().get::<Guest>();
    if let Some(name) = guest.and_then(|guest| guest.name.as_deref()) {
        return name.to_owned();
    }
    match guest.map(|guest| guest.caller) {
        Some(Caller::User(Some(number))) => user(number),
        Some(Caller::Address(address)) => address.ip().to_string(),
        Some(Caller::User(None)) | None => "unknown".into(),
    }
}

fn user(uid: u32) -> String {
    let known = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = known.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("uid {uid}"))
}

fn commit(request: p::ConfigCommitRequest) -> Result<Commit, Fault> {
    let p::ConfigCommitRequest { confirm_ms, defer_restart, accept_refused, comment } = request;
    if comment.len() > LONGEST_COMMENT {
        return Err(fault::invalid(format!("a comment has at most {LONGEST_COMMENT} bytes")));
    }
    let confirm = (confirm_ms > 0).then(|| Duration::from_millis(confirm_ms));
    if confirm.is_some_and(|span| span > LONGEST_CONFIRM) {
        return Err(fault::invalid("a commit waits for its confirmation for 31 days at most (--confirm 5m)"));
    }
    Ok(Commit { confirm, defer_restart, accept_refused, comment })
}

fn state(state: State) -> p::config_revision::State {
    match state {
        State::Confirmed => p::config_revision::State::Confirmed,
        State::Unconfirmed => p::config_revision::State::Unconfirmed,
        State::WentBack => p::config_revision::State::WentBack,
        State::Damaged => p::config_revision::State::Damaged,
    }
}

#[tonic::async_trait]
impl p::config_server::Config for Service {
    async fn get(&self, request: Request<p::ConfigGetRequest>) -> Reply<p::ConfigGetReply> {
        let request = request.into_inner();
        let which = match request.which() {
            p::config_get_request::Which::Running => Which::Running,
            p::config_get_request::Which::Candidate => Which::Candidate,
            p::config_get_request::Which::Revision => Which::Revision(request.revision),
        };
        let key = request.key;
        let value =
            |s: crate::mgmt::configure::Setting| p::ConfigValue { key: s.path, value: s.value, from: s.from };
        let reply = self.configure(move |config| {
            let text = if key.is_empty() { config.show(which)? } else { String::new() };
            let values = config.values(which, &key)?.into_iter().map(value).collect();
            Ok(p::ConfigGetReply { text, values })
        });
        Ok(Response::new(reply.await?))
    }

    async fn set(&self, request: Request<p::ConfigSetRequest>) -> Reply<p::ConfigCompared> {
        let who = who(&request);
        let edits = request.into_inner().edits;
        if edits.len() > MOST_EDITS {
            return Err(fault::invalid(format!("a request makes at most {MOST_EDITS} edits")));
        }
        let edit = |p::ConfigEdit { key, value }| match value {
            Some(value) => Edit::Set { key, value },
            None => Edit::Unset { key },
        };
        let edits: Vec<Edit> = edits.into_iter().map(edit).collect();
        Ok(Response::new(self.configure(move |config| config.edit(&edits, &who)).await?.into()))
    }

    async fn load(&self, request: Request<p::ConfigLoadRequest>) -> Reply<p::ConfigCompared> {
        let who = who(&request);
        let p::ConfigLoadRequest { text, revision } = request.into_inner();
        let compared = self.configure(move |config| match revision {
            0 => config.load(text.as_deref(), &who),
            number => config.take_up(number, &who),
        });
        Ok(Response::new(compared.await?.into()))
    }

    async fn diff(&self, request: Request<p::ConfigDiffRequest>) -> Reply<p::ConfigCompared> {
        let with = Some(request.into_inner().revision).filter(|number| *number > 0);
        Ok(Response::new(self.configure(move |config| config.compare(with)).await?.into()))
    }

    async fn commit(&self, request: Request<p::ConfigCommitRequest>) -> Reply<p::ConfigCommitted> {
        let who = who(&request);
        let commit = commit(request.into_inner())?;
        Ok(Response::new(self.configure(move |config| config.commit(&commit, &who)).await?.into()))
    }

    async fn confirm(&self, request: Request<p::ConfigConfirmRequest>) -> Reply<p::ConfigCommitted> {
        let who = who(&request);
        Ok(Response::new(self.configure(move |config| config.confirm(&who)).await?.into()))
    }

    async fn discard(&self, _: Request<p::ConfigDiscardRequest>) -> Reply<p::ConfigDiscardReply> {
        let discarded = self.configure(|config| Ok(config.discard())).await?;
        Ok(Response::new(p::ConfigDiscardReply { discarded }))
    }

    async fn rollback(&self, request: Request<p::ConfigRollbackRequest>) -> Reply<p::ConfigCommitted> {
        let who = who(&request);
        let p::ConfigRollbackRequest { revision, commit: options } = request.into_inner();
        let commit = commit(options.unwrap_or_default())?;
        let to = Some(revision).filter(|number| *number > 0);
        Ok(Response::new(self.configure(move |config| config.rollback(to, &commit, &who)).await?.into()))
    }

    async fn revisions(&self, _: Request<p::ConfigRevisionsRequest>) -> Reply<p::ConfigRevisionsReply> {
        let history = self.configure(|config| config.history()).await?;
        let waiting = history.goes_back;
        let (confirm_by, back_to, confirm_who) = waiting.map_or_else(Default::default, |waiting| {
            (wall(waiting.at).micros(), waiting.to.unwrap_or_default(), waiting.who)
        });
        let revision = |r: crate::mgmt::revisions::Revision| p::ConfigRevision {
            number: r.number,
            time: r.time,
            state: state(r.state).into(),
            who: r.who,
            comment: r.comment,
        };
        Ok(Response::new(p::ConfigRevisionsReply {
            revisions: history.revisions.into_iter().map(revision).collect(),
            current: history.current.unwrap_or_default(),
            confirm_by,
            back_to,
            confirm_who,
            deferred: history.deferred.into_iter().map(Into::into).collect(),
        }))
    }
}

impl From<Difference> for p::ConfigDifference {
    fn from(d: Difference) -> p::ConfigDifference {
        let needs_restart = d.change == Change::Restart;
        p::ConfigDifference { key: d.path, before: d.old, after: d.new, needs_restart }
    }
}

impl From<Compared> for p::ConfigCompared {
    fn from(c: Compared) -> p::ConfigCompared {
        let differences = c.differences.into_iter().map(Into::into).collect();
        p::ConfigCompared { differences, faults: c.faults, by: c.by }
    }
}

impl From<Committed> for p::ConfigCommitted {
    fn from(c: Committed) -> p::ConfigCommitted {
        p::ConfigCommitted {
            revision: c.number,
            lines: c.lines,
            deferred: c.deferred.into_iter().map(Into::into).collect(),
            file: c.file.map(|file| file.display().to_string()).unwrap_or_default(),
            confirm_by: c.back_at.map_or(0, |time| wall(time).micros()),
        }
    }
}
