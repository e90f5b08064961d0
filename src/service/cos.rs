//! `cos`: marks packets with a class of service, the DSCP bits of RFC 2474, one by one and without sessions.
//!
//! Its configuration is a mark a line, the first that takes the packet wins: `mark 46 udp to 192.0.2.0/24 port 5060`;
//! `dscp = 46` is a mark for all that no line takes. A packet that nothing takes keeps what it came with.

use super::plugin::{About, BlobOp, ControlEvent, ControlFault, DataPlugin, Desk, Flags, Plugin, Reply};
use super::set::Match;
use super::text::{self, TextFault};
use super::{Context, Edit};
use crate::base::{FlowTuple, WorkerId};
use std::sync::Arc;

/// The name that configurations know it by.
pub const NAME: &str = "cos";
/// Marks a set may have: they are tried one after the other for each packet.
pub const MAX_MARKS: usize = 64;

/// Its counters, in this order.
const MARKED: usize = 0;
const UNMARKED: usize = 1;

/// What a set's packets are marked with. Immutable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marking {
    marks: Vec<(Match, u8)>,
    otherwise: Option<u8>,
}

impl Marking {
    /// All faults, or what the text says.
    pub fn parse(text: &str) -> Result<Marking, Vec<TextFault>> {
        let (mut marking, mut faults) = (Marking::default(), Vec::new());
        for mut line in text::lines(text) {
            if let Err(fault) = marking.line(&mut line) {
                faults.push(fault);
            }
            if faults.len() == text::MAX_FAULTS {
                break;
            }
        }
        if faults.is_empty() { Ok(marking) } else { Err(faults) }
    }

    fn line(&mut self, line: &mut text::Line<'_>) -> Result<(), TextFault> {
        let verb = line.want("`mark` or `dscp`", "mark 46 udp to 192.0.2.0/24 port 5060")?;
        match verb.text {
            "mark" if self.marks.len() == MAX_MARKS => Err(verb.fault(
                format!("more than {MAX_MARKS} marks"),
                "every packet tries them in turn: join some by wider prefixes or ranges",
            )),
            "mark" => {
                let dscp = dscp(line)?;
                self.marks.push((line.matches()?, dscp));
                Ok(())
            }
            "dscp" => {
                let equals = line.want("`=`", "dscp = 46")?;
                if equals.text != "=" {
                    return Err(equals.fault(format!("`{}` is not `=`", equals.text), "write `dscp = 46`"));
                }
                if self.otherwise.is_some() {
                    return Err(
                        verb.fault("a second `dscp`", "keep one: it holds for all that no mark takes")
                    );
                }
                self.otherwise = Some(dscp(line)?);
                line.end()
            }
            other => {
                let message = format!("`{other}` is neither `mark` nor `dscp`");
                Err(verb.fault(message, "write `mark 46 udp to 192.0.2.0/24 port 5060`, or `dscp = 46`"))
            }
        }
    }

    #[inline]
    pub fn of(&self, tuple: &FlowTuple) -> Option<u8> {
        self.marks.iter().find(|(takes, _)| takes.takes(tuple)).map(|&(_, dscp)| dscp).or(self.otherwise)
    }
}

fn dscp(line: &mut text::Line<'_>) -> Result<u8, TextFault> {
    let word = line.want("a code point", "dscp = 46")?;
    text::number(word.text).filter(|&dscp| dscp < 64).ok_or_else(|| {
        word.fault(format!("`{}` is no code point", word.text), "write a number from 0 to 63, as 46 for EF")
    })
}

pub struct Cos {
    about: About,
}

impl Cos {
    pub fn plugin() -> Box<dyn Plugin> {
        let counters = ["marked", "unmarked"].map(String::from).into();
        let flags = Flags { packet_mode: true, policy: true, ..Flags::default() };
        let about = About { name: NAME.into(), kind: "marking".into(), flags, counters, ..About::default() };
        Box::new(Cos { about })
    }
}

impl Plugin for Cos {
    fn about(&self) -> &About {
        &self.about
    }

    fn data(&self, _worker: WorkerId) -> Box<dyn DataPlugin> {
        Box::new(CosWorker)
    }

    fn control(&mut self, event: ControlEvent<'_>, desk: &mut dyn Desk) -> Result<(), ControlFault> {
        let (set, text) = match event {
            ControlEvent::Init { set, config, .. } => (set, config),
            ControlEvent::ConfigBlob { set, op: BlobOp::Add, bytes, .. } => {
                let text = std::str::from_utf8(bytes);
                (set, text.map_err(|at| ControlFault(format!("the marks are not UTF-8: {at}")))?)
            }
            ControlEvent::ConfigBlob { set, op: BlobOp::Delete, .. } => (set, ""),
            ControlEvent::HaInfo => return Ok(()),
        };
        let marking = Marking::parse(text).map_err(|faults| ControlFault(text::told(&faults)))?;
        desk.attach(set, Arc::new(marking));
        Ok(())
    }
}

struct CosWorker;

impl DataPlugin for CosWorker {
    fn packet(&mut self, context: &mut Context<'_>) -> Reply {
        let marking = context.policy().and_then(|policy| policy.data.downcast_ref::<Marking>());
        let (Some(marking), Some(packet)) = (marking, &context.packet) else { return Reply::Ok };
        let Some(ip) = packet.decoded.ip else { return Reply::Ok };
        let dscp = marking.of(&packet.decoded.tuple).filter(|&dscp| dscp != ip.tos >> 2);
        // False within a tunnel: what stands there is the sender's.
        let marked = dscp.is_some_and(|dscp| context.edit(Edit::Dscp(dscp)));
        context.host.count(context.set, if marked { MARKED } else { UNMARKED }, 1);
        Reply::Ok
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Addr;

    #[test]
    fn the_first_mark_that_takes_a_packet_wins_and_the_rest_get_the_general_one() {
        let text = "# voice\nmark 46 udp to any port 5060\nmark 10 from 10.0.0.0/8\ndscp = 8\n";
        let marking = Marking::parse(text).unwrap();
        let tuple =
            |proto, dport, src| FlowTuple { proto, dport, src: Addr::v4(src), ..FlowTuple::default() };
        assert_eq!(marking.of(&tuple(17, 5060, [10, 0, 0, 1])), Some(46));
        assert_eq!(marking.of(&tuple(6, 5060, [10, 0, 0, 1])), Some(10));
        assert_eq!(marking.of(&tuple(6, 5060, [11, 0, 0, 1])), Some(8));
        assert_eq!(Marking::parse("").unwrap().of(&tuple(6, 1, [1; 4])), None);
    }

    #[test]
    fn every_fault_of_a_text_is_named() {
        let faults = Marking::parse("dscp = 64\nmark\nmrak 1\ndscp 5\nmark 1 udp\n").unwrap_err();
        let places: Vec<_> = faults.iter().map(|f| (f.line, f.column)).collect();
        assert_eq!(places, [(1, 8), (2, 5), (3, 1), (4, 6)]);
        let many = "mark 1\n".repeat(MAX_MARKS + 1);
        assert_eq!(Marking::parse(&many).unwrap_err()[0].line, MAX_MARKS + 1);
    }
}
