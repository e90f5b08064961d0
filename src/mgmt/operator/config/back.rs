//! The way back from what nobody confirmed: first what is in force, in memory alone, then the files that tell of it. A disk
//! without room must not keep an appliance in a configuration that nobody wanted.

use super::desk::{Desk, Draft, Unconfirmed};
use super::force::{Lenience, told};
use super::papers::Papers;
use super::{plain, unchanged};
use crate::mgmt::config::edit::{self, Edit};
use crate::mgmt::config::entries::{Difference, differences, entries};
use crate::mgmt::configure::Committed;
use crate::mgmt::control::ControlError;
use crate::mgmt::operator::Operator;
use crate::mgmt::outputs::Opening;
use crate::mgmt::revisions::{Revision, State};

/// What the way back came to.
pub(super) struct WayBack {
    pub done: Committed,
    /// What could not be written.
    pub unwritten: Vec<String>,
}

impl Operator {
    /// In force again is what was before `waiting`; on an error nothing was changed.
    pub(super) fn go_back(
        &self,
        desk: &mut Desk,
        waiting: &Unconfirmed,
        who: &str,
        comment: String,
    ) -> Result<WayBack, ControlError> {
        let running = self.loaded();
        let file = self.file()?;
        let text = waiting.back.text.clone();
        let wanted = running.with_text(&file.display().to_string(), &text).loaded;
        let lenience = Lenience { refused_rules: true, no_room: true, outputs: Opening::Whenever };
        let mut lines = self.put_in_force(&running, &wanted, lenience, || Ok(()))?;
        let draft = desk.draft.take();
        let left = std::mem::replace(&mut desk.committed, text);
        desk.unconfirmed = None;
        desk.number = waiting.back.number;
        if let Some(draft) = draft {
            lines.push(self.take_apart(desk, draft, &left));
        }
        let mut unwritten = Vec::new();
        let settled = self.restated(&running, waiting, State::WentBack).map_err(|error| error.to_string());
        let faults = settled.map_or_else(
            |fault| vec![fault],
            |settled| Papers { settled, ..Papers::default() }.keep().faults,
        );
        if !faults.is_empty() {
            desk.untold.extend(&waiting.numbers);
        }
        unwritten.extend(faults);
        let revision = Revision { who: who.to_owned(), comment, ..Revision::default() };
        let in_file = match self.tell_of_way_back(desk, revision) {
            Ok(in_file) => in_file,
            Err(fault) => {
                unwritten.push(fault);
                false
            }
        };
        unwritten.dedup();
        let done = Committed {
            number: desk.number.unwrap_or_default(),
            lines,
            deferred: self.deferred(&desk.committed),
            file: in_file.then_some(file),
            back_at: None,
        };
        Ok(WayBack { done, unwritten })
    }

    /// A revision of its own, and the configuration file where it says something else. Whether that was written.
    fn tell_of_way_back(&self, desk: &mut Desk, revision: Revision) -> Result<bool, String> {
        let text = desk.committed.clone();
        let running = self.loaded();
        let file = self.file().map_err(|error| error.to_string())?;
        let mut papers = Papers::default();
        let number = self.revision(desk, &running, &text, revision, &mut papers);
        let written = self.file_to_be(desk, &file, &running, &text);
        let mut faults = Vec::new();
        let (mut number, before) = match number {
            Ok((number, _)) => (Some(number), desk.number),
            Err(error) => {
                faults.push(plain(&error));
                (None, desk.number)
            }
        };
        papers.file = written.unwrap_or_else(|error| {
            faults.push(plain(&error));
            None
        });
        let kept = papers.keep();
        faults.extend(kept.faults);
        number = number.filter(|_| kept.revision);
        desk.number = number.or(before);
        if kept.file {
            desk.on_disk.clone_from(&desk.committed);
        }
        if faults.is_empty() { Ok(kept.file) } else { Err(faults.join("; ")) }
    }

    /// Whoever edits goes on editing, but without what went back: his own changes are made anew upon what is in force. Where
    /// they cannot be told apart, the candidate is gone.
    fn take_apart(&self, desk: &mut Desk, draft: Draft, left: &str) -> String {
        let who = draft.who;
        match self.anew(left, &draft.text, &desk.committed) {
            Ok(text) => {
                desk.draft =
                    Some(Draft { text, who: who.clone() }).filter(|draft| draft.text != desk.committed);
                format!("the candidate by {who} goes on without what went back")
            }
            Err(why) => format!("the candidate by {who} was upon what went back and is dropped: {why}"),
        }
    }

    /// What makes `to` of `from`, done to another text.
    fn anew(&self, from: &str, to: &str, onto: &str) -> Result<String, String> {
        let running = self.loaded();
        let config = |text: &str| running.with_text("", text).loaded.config;
        let wanted = differences(&config(from), &config(to));
        let edit = |d: &Difference| match &d.new {
            Some(value) => Edit::Set { key: d.path.clone(), value: value.clone() },
            None => Edit::Unset { key: d.path.clone() },
        };
        let edits: Vec<Edit> = wanted.iter().map(edit).collect();
        let text = edit::edit(onto, &edits)?;
        let (made, before) = (config(&text), config(onto));
        let has = entries(&made);
        let value = |path: &str| has.iter().find(|entry| entry.path == path).map(|entry| &entry.value);
        let all = wanted.iter().all(|d| value(&d.path) == d.new.as_ref());
        let ours = |d: &Difference| wanted.iter().any(|wanted| wanted.path == d.path);
        let no_more = differences(&before, &made).iter().all(ours);
        if all && no_more { Ok(text) } else { Err("its changes depend on it".into()) }
    }

    /// Takes back what waits, at once, though nobody's time is up.
    pub(super) fn take_back(&self, desk: &mut Desk, who: &str, why: &str) -> Result<Committed, ControlError> {
        let Some(waiting) = desk.unconfirmed.clone() else {
            return Err(unchanged("no commit waits for a confirmation"));
        };
        let mut comment = format!("taken back before its time: {}", back_to(&waiting));
        if !why.is_empty() {
            comment += &format!(": {why}");
        }
        let WayBack { mut done, unwritten } = self.go_back(desk, &waiting, who, comment)?;
        tell(&waiting, &done, &unwritten);
        done.lines.extend(unwritten.iter().map(|fault| format!("not written: {fault}")));
        Ok(done)
    }
}

pub(super) fn back_to(waiting: &Unconfirmed) -> String {
    waiting.back.number.map_or_else(|| "back to what was before".into(), |number| format!("back to {number}"))
}

/// In the log: where the appliance is, and loudly what no file tells.
pub(super) fn tell(waiting: &Unconfirmed, done: &Committed, unwritten: &[String]) {
    let from = waiting.numbers.last().copied().unwrap_or_default();
    let lines = told(&done.lines);
    tracing::warn!("configuration: revision {from} went back, {} is in force{lines}", done.number);
    if !unwritten.is_empty() {
        tracing::error!(
            "configuration: the way back from revision {from} acts, but these files do not tell of it: {}; the next \
             commit tells of it",
            unwritten.join("; ")
        );
    }
}
