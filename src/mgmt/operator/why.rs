//! Why packets between two ends are dropped: what the workers remember, in words.

use super::{Operator, info, lock};
use crate::base::{Addr, FlowTuple, Generation, RuleIndex};
use crate::mgmt::control::{Between, Control, ControlError, DropStory, RuleStory, Why};
use crate::pipeline::mailbox::{Answer, Command};
use crate::pipeline::recent::{DropRow, Ends};

/// Rows that one worker gives: more than one where VLANs, tunnels or ports differ.
const ROWS: usize = 64;

impl Operator {
    pub(super) fn tell_why(&self, between: &Between) -> Result<Why, ControlError> {
        let ends = ends(between).map_err(ControlError::Unanswerable)?;
        let plugins = self.plugins()?;
        let _one = lock(&self.asking);
        let workers = self.handle().workers();
        let mut why = Why::default();
        for worker in 0..workers {
            let command = Command::Why { ends, rows: Vec::with_capacity(ROWS) };
            let (session, rows) = self.ask(worker, command, |answer| match answer {
                Answer::Why { session, rows } => Some((session, rows)),
                _ => None,
            })?;
            why.sessions.extend(session.as_ref().map(info));
            why.drops.extend(rows.iter().map(|row| self.story(worker, row)));
            for (story, row) in why.drops.iter_mut().rev().zip(rows.iter().rev()) {
                let plugin = row.blame.plugin;
                let named =
                    plugins.iter().find(|info| plugin.is_some_and(|id| id.index() == info.id as usize));
                story.plugin = named.map(|info| info.name.clone()).unwrap_or_default();
            }
        }
        why.drops.sort_by_key(|story| std::cmp::Reverse(story.last));
        Ok(why)
    }

    pub(super) fn rule_story(&self, (generation, index): (Generation, RuleIndex)) -> RuleStory {
        let sets = self.rules.sets();
        let rule = sets.rule(generation, index);
        RuleStory {
            generation: generation.0,
            known: rule.is_some(),
            sid: rule.map_or(0, |rule| rule.sid),
            rev: rule.map_or(0, |rule| rule.rev),
            msg: rule.map(|rule| rule.msg.to_string()).unwrap_or_default(),
        }
    }

    fn story(&self, worker: usize, row: &DropRow) -> DropStory {
        let rule = row.blame.rule.map(|rule| self.rule_story(rule));
        let loaded = self.loaded();
        let port = loaded.config.ports.get(row.port.index());
        DropStory {
            worker: worker as u32,
            tuple: row.tuple,
            flow_id: row.flow_id,
            reason: row.reason,
            plugin: String::new(),
            rule,
            generation: row.generation.0,
            packet: row.packet,
            port: port.map(|port| port.name.clone()).unwrap_or_default(),
            first: row.first,
            last: row.last,
            frames: row.frames,
            spared: row.spared,
        }
    }
}

fn ends(between: &Between) -> Result<Ends, String> {
    let [(src, family), (dst, other)] = between.ends.map(Addr::from_ip);
    if family != other {
        return Err("one address is of IPv4, the other of IPv6".into());
    }
    let [sport, dport] = between.ports.unwrap_or_default();
    let tuple = FlowTuple { src, dst, sport, dport, proto: between.proto, family, context: 0, tunnel: 0 };
    Ok(Ends { tuple, with_ports: between.ports.is_some() })
}
