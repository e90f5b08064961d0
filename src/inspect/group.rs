//! A group: the rules that packets of one protocol, direction and port share, behind one matcher a buffer.

use super::engine::{Side, side};
use super::facts::PacketFacts;
use super::kind::{Class, Kind};
use super::matcher::{Matcher, PatternId, Patterns, Seen, TooLarge};
use super::port_tests::{Ends, PortTests};
use crate::base::{RuleIndex, parallel};
use crate::rules::app::Protos;
use crate::rules::ruleset::{BufferMatch, Check, Context, NumRange, Operand, PayloadScope, Step};
use crate::rules::{Rule, RuleSet, Windows};
use arrayvec::ArrayVec;
use std::collections::BTreeMap;

/// Bytes from a buffer's begin within which patterns are near it.
const NEAR: usize = 64;
/// Near patterns that are worth one more search a packet.
const WORTH_A_SET: usize = 16;

/// Where a fast pattern is looked for.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// The packet's payload.
    Packet,
    /// The stream's bytes; the payload of a packet that belongs to no stream.
    Stream,
    /// A header, or another buffer that each packet has.
    Buffer(Context),
}

/// Fast patterns of one place and the rules behind each.
#[derive(Debug)]
pub(crate) struct Set {
    pub(crate) place: Place,
    matcher: Matcher,
    /// Rules of pattern `p` are `rules[starts[p]..starts[p + 1]]`.
    starts: Box<[u32]>,
    rules: Box<[RuleIndex]>,
    /// Of `rules`, one each.
    ports: PortTests,
    /// Bytes of the longest pattern.
    longest: usize,
    /// No pattern can end further from the begin of what is searched: `usize::MAX` where one may stand anywhere.
    reach: usize,
}

/// A rule of a set, and the pattern that announces it.
#[derive(Copy, Clone)]
pub(crate) struct Member<'r> {
    pub(crate) rule: RuleIndex,
    pub(crate) pattern: &'r [u8],
    /// Ports without which it is no candidate.
    pub(crate) side: Side<'r>,
    /// The pattern ends within this many bytes from its buffer's begin; `usize::MAX` if it may stand anywhere.
    pub(crate) reach: usize,
}

impl<'r> Member<'r> {
    /// For any port, anywhere.
    pub(crate) fn of(rule: RuleIndex, pattern: &'r [u8]) -> Member<'r> {
        Member { rule, pattern, side: Side::Any, reach: usize::MAX }
    }
}

impl Set {
    fn build(place: Place, members: &[Member<'_>], known: &Windows) -> Result<Set, TooLarge> {
        let mut patterns = Patterns::default();
        let file =
            |(place, member): (usize, &Member<'_>)| Some((patterns.add(member.pattern)?, member.rule, place));
        let mut filed: Vec<(PatternId, RuleIndex, usize)> =
            members.iter().enumerate().filter_map(file).collect();
        filed.sort_unstable();
        let mut starts = vec![0u32; patterns.len() + 1];
        for (id, ..) in &filed {
            starts[id.0 as usize + 1] += 1;
        }
        for n in 1..starts.len() {
            starts[n] += starts[n - 1];
        }
        let ports = PortTests::build(filed.iter().map(|&(.., place)| members[place].side));
        let rules = filed.into_iter().map(|(_, rule, _)| rule).collect();
        let longest = patterns.iter().map(|(_, pattern)| pattern.len()).max().unwrap_or(0);
        let reach = members.iter().map(|member| member.reach).max().unwrap_or(0);
        let matcher = Matcher::build_with(&patterns, known)?;
        Ok(Set { place, matcher, starts: starts.into(), rules, ports, longest, reach })
    }

    /// For a decoder's buffer.
    pub(crate) fn build_app(members: &[Member<'_>], known: &Windows) -> Result<Set, TooLarge> {
        Set::build(Place::Buffer(Context::Payload), members, known)
    }

    pub(crate) fn matcher(&self) -> &Matcher {
        &self.matcher
    }

    /// Those behind its patterns; one may stand behind several.
    pub(crate) fn rules(&self) -> &[RuleIndex] {
        &self.rules
    }

    pub(crate) fn patterns(&self) -> usize {
        self.matcher.len()
    }

    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// The rules of a pattern that are for these ports.
    pub(crate) fn behind(&self, pattern: PatternId, ends: Ends) -> impl Iterator<Item = RuleIndex> {
        let at = pattern.0 as usize;
        let start = |at: usize| self.starts.get(at).map_or(0, |&start| start as usize);
        let (from, to) = (start(at), start(at + 1));
        let rules = self.rules.get(from..to).unwrap_or_default().iter().copied();
        (from..).zip(rules).filter(move |&(place, _)| self.ports.admit(place, ends)).map(|(_, rule)| rule)
    }

    /// What of `bytes`, which begin at `offset` of their buffer, its patterns can stand in.
    pub(crate) fn reaches<'b>(&self, bytes: &'b [u8], offset: u64) -> &'b [u8] {
        let left = (self.reach as u64).saturating_sub(offset);
        usize::try_from(left).ok().and_then(|left| bytes.get(..left)).unwrap_or(bytes)
    }

    /// Calls `found` for each pattern that occurs in `block`, once.
    pub(crate) fn search(&self, block: &[u8], seen: &mut Seen, found: impl FnMut(PatternId)) {
        if !block.is_empty() {
            self.matcher.scan(block, seen, found);
        }
    }

    /// Calls `candidate` for each rule for these ports whose fast pattern occurs in the buffer `block`, where it may.
    pub(crate) fn scan(
        &self,
        block: &[u8],
        ends: Ends,
        seen: &mut Seen,
        mut candidate: impl FnMut(RuleIndex),
    ) {
        self.search(self.reaches(block, 0), seen, |pattern| {
            self.behind(pattern, ends).for_each(&mut candidate)
        });
    }
}

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

    /// Gives those that stand near the begin of a place a set of their own: it is searched in a few bytes, and the other,
    /// which is smaller by them, in all.
    fn set_apart_what_is_near(&mut self) {
        for (place, members) in std::mem::take(&mut self.places) {
            let (near, far): (Vec<_>, Vec<_>) = members.into_iter().partition(|member| member.reach <= NEAR);
            if near.len() < WORTH_A_SET && !far.is_empty() {
                self.sets.push((place, [far, near].concat()));
                continue;
            }
            let parts = [near, far].into_iter().filter(|part| !part.is_empty());
            self.sets.extend(parts.map(|part| (place, part)));
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

/// How far from the begin of its buffer the fast pattern can end: its `depth`, if that is a number.
fn reach_of(rule: &Rule) -> usize {
    let content = || {
        let fast = rule.fast_pattern?;
        let step = rule.buffers.get(usize::from(fast.buffer))?.steps.get(usize::from(fast.step))?;
        if let Step::Content(content) = step { Some(content) } else { None }
    };
    let number = |operand| match operand {
        Operand::Value(value) => usize::try_from(value.max(0)).ok(),
        Operand::Variable(_) => None,
    };
    let reach = || {
        let content = content()?;
        number(content.offset.unwrap_or(Operand::Value(0)))?.checked_add(number(content.depth?)?)
    };
    reach().unwrap_or(usize::MAX)
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
