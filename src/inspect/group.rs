//! A group: the rules that packets of one protocol, direction and port share, behind one matcher a buffer.

use super::facts::PacketFacts;
use super::kind::{Class, Kind};
use super::matcher::TooLarge;
use super::set::{Member, Place, Reach, Set};
use super::side::{Side, side};
use crate::base::{RuleIndex, parallel};
use crate::rules::app::Protos;
use crate::rules::ruleset::{BufferMatch, Check, Context, NumRange, Operand, PayloadScope, Step};
use crate::rules::{Rule, RuleSet, Windows};
use arrayvec::ArrayVec;
use std::collections::BTreeMap;

/// Bytes from a buffer's begin within which patterns are near it.
const NEAR: usize = 64;
/// Near patterns that are worth one more search a packet.
const WORTH_A_SET: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) sets: Box<[Set]>,
    /// Rules that no pattern announces, in order.
    pub(crate) bare: Box<[Bare]>,
}

/// A rule that no pattern announces: evaluated for each packet of its group that is not of another protocol.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Bare {
    pub(crate) rule: RuleIndex,
    /// The only protocol above IP that it asks for.
    ip_proto: Option<u8>,
    /// What the session must speak; none for anything.
    app: Protos,
}

impl Bare {
    fn of(rule: &Rule, index: RuleIndex) -> Bare {
        Bare { rule: index, ip_proto: rule.checks.iter().find_map(only_ip_proto), app: rule.app }
    }

    /// False where the rule's own tests would say no.
    #[inline]
    pub(crate) fn may_match(&self, facts: &PacketFacts<'_>) -> bool {
        let speaks = || facts.flow.as_ref().and_then(|flow| flow.app.proto);
        self.ip_proto.is_none_or(|only| facts.decoded.ip.is_some_and(|ip| ip.proto == only))
            && (self.app.is_empty() || speaks().is_some_and(|proto| self.app.contains(proto)))
    }
}

fn only_ip_proto(check: &Check) -> Option<u8> {
    let Check::IpProto(ranges) = check else { return None };
    let [NumRange { low, high, negated: false, mask: u64::MAX }] = &**ranges else { return None };
    if low == high { u8::try_from(*low).ok() } else { None }
}

/// A group before its matchers are made: the patterns of each place, and the rules without.
#[derive(Default)]
pub(crate) struct Plan<'r> {
    places: BTreeMap<Place, Vec<Member<'r>>>,
    /// What becomes a set each.
    sets: Vec<(Place, Vec<Member<'r>>)>,
    bare: Vec<Bare>,
}

impl<'r> Plan<'r> {
    /// Of rules that packets of the class meet; `of_all_ports`: packets of all ports do.
    pub(crate) fn of(set: &'r RuleSet, members: &[RuleIndex], class: Class, of_all_ports: bool) -> Plan<'r> {
        let mut plan = Plan::default();
        for &index in members {
            let Some(rule) = set.rule(index) else { continue };
            match fast_pattern(rule) {
                None => plan.bare.push(Bare::of(rule, index)),
                Some((buffer, pattern)) => {
                    let side = if of_all_ports { side(rule, class) } else { Side::Any };
                    let member = Member { rule: index, pattern, side, reach: reach_of(rule) };
                    for place in places_of(rule, buffer, class) {
                        plan.places.entry(place).or_default().push(member);
                    }
                }
            }
        }
        plan.set_apart_what_is_near();
        plan
    }

    /// Gives those that can stand at one offset only a set of their own, which is no search; and those that stand near the begin
    /// of a place one that is searched in a few bytes. What is left is smaller by them, and searched for in all.
    fn set_apart_what_is_near(&mut self) {
        for (place, members) in std::mem::take(&mut self.places) {
            let (anchored, others): (Vec<_>, Vec<_>) = members.into_iter().partition(Member::is_anchored);
            let (near, far): (Vec<_>, Vec<_>) = others.into_iter().partition(|member| member.end() <= NEAR);
            let parts = if near.len() < WORTH_A_SET && !far.is_empty() {
                [anchored, [far, near].concat(), Vec::new()]
            } else {
                [anchored, near, far]
            };
            self.sets.extend(parts.into_iter().filter(|part| !part.is_empty()).map(|part| (place, part)));
        }
    }
}

impl Group {
    /// The groups of these plans. Their sets are made over all cores, the largest first: they take longest.
    pub(crate) fn build_all(plans: &[Plan<'_>], known: &Windows) -> Result<Vec<Group>, TooLarge> {
        let sets = plans.iter().flat_map(|plan| &plan.sets).enumerate();
        let mut sets: Vec<_> = sets.map(|(number, (place, members))| (number, *place, members)).collect();
        sets.sort_by_key(|(_, _, members)| std::cmp::Reverse(members.len()));
        let built =
            parallel::map(&sets, |(number, place, members)| (*number, Set::build(*place, members, known)));
        let mut built: Vec<(usize, Set)> =
            built.into_iter().map(|(number, set)| Ok((number, set?))).collect::<Result<_, TooLarge>>()?;
        built.sort_by_key(|(number, _)| *number);
        let mut built = built.into_iter().map(|(_, set)| set);
        let group = |plan: &Plan<'_>| Group {
            sets: built.by_ref().take(plan.sets.len()).collect(),
            bare: plan.bare.as_slice().into(),
        };
        Ok(plans.iter().map(group).collect())
    }
}

/// The rule's fast pattern and the buffer it stands in.
pub(crate) fn fast_pattern(rule: &Rule) -> Option<(&BufferMatch, &[u8])> {
    let fast = rule.fast_pattern?;
    let buffer = rule.buffers.get(usize::from(fast.buffer))?;
    let Step::Content(content) = buffer.steps.get(usize::from(fast.step))? else { return None };
    let pattern = match fast.chop {
        Some((offset, len)) => content.pattern.get(usize::from(offset)..)?.get(..usize::from(len))?,
        None => &content.pattern,
    };
    (!content.negated && !pattern.is_empty()).then_some((buffer, pattern))
}

/// Where in its buffer the fast pattern can stand: its `offset` and `depth`, if they are numbers.
pub(crate) fn reach_of(rule: &Rule) -> Reach {
    let number = |operand| match operand {
        Operand::Value(value) => usize::try_from(value.max(0)).ok(),
        Operand::Variable(_) => None,
    };
    let reach = || {
        let fast = rule.fast_pattern?;
        let step = rule.buffers.get(usize::from(fast.buffer))?.steps.get(usize::from(fast.step))?;
        let Step::Content(content) = step else { return None };
        let offset = number(content.offset.unwrap_or(Operand::Value(0)))?;
        let depth = number(content.depth?)?;
        let end = offset.checked_add(depth)?;
        let chopped = fast.chop.map_or(0, |(from, _)| usize::from(from));
        Some(if depth == content.pattern.len() {
            Reach::At(offset.checked_add(chopped)?)
        } else {
            Reach::Within(end)
        })
    };
    reach().unwrap_or(Reach::Anywhere)
}

fn places_of(rule: &Rule, buffer: &BufferMatch, class: Class) -> ArrayVec<Place, 2> {
    let mut places = ArrayVec::new();
    match (buffer.context, Kind::of(rule)) {
        // Where there are no streams a rule over streams looks into packets.
        (Context::Payload, Kind::Payload(_)) if class != Class::Tcp => places.push(Place::Packet),
        (Context::Payload, Kind::Payload(scope)) => {
            if scope != PayloadScope::Stream {
                places.push(Place::Packet);
            }
            if scope != PayloadScope::Packet {
                places.push(Place::Stream);
            }
        }
        (context, _) => places.push(Place::Buffer(context)),
    }
    places
}
