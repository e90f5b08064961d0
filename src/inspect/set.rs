//! A set: the fast patterns that are looked for in one place, and the rules that they announce.

use super::matcher::{Anchor, Anchored, Matcher, PatternId, Patterns, Seen, TooLarge};
use super::port_tests::{Ends, PortTests};
use super::side::Side;
use crate::base::RuleIndex;
use crate::rules::Windows;
use crate::rules::ruleset::Context;

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
    engine: Engine,
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

/// What looks for the patterns.
#[derive(Debug)]
enum Engine {
    Search(Matcher),
    Anchored(Anchored),
}

/// Where in its buffer a pattern can stand.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    Anywhere,
    /// It ends within so many bytes from the buffer's begin.
    Within(usize),
    /// It begins at that offset, or it is not there.
    At(usize),
}

/// A rule of a set, and the pattern that announces it.
#[derive(Copy, Clone)]
pub(crate) struct Member<'r> {
    pub(crate) rule: RuleIndex,
    pub(crate) pattern: &'r [u8],
    /// Ports without which it is no candidate.
    pub(crate) side: Side<'r>,
    pub(crate) reach: Reach,
}

impl<'r> Member<'r> {
    fn anchor(&self) -> Option<Anchor<'r>> {
        match self.reach {
            Reach::At(at) => Some((at as u64, self.pattern)),
            Reach::Anywhere | Reach::Within(_) => None,
        }
    }

    /// For any port, anywhere.
    pub(crate) fn of(rule: RuleIndex, pattern: &'r [u8]) -> Member<'r> {
        Member { rule, pattern, side: Side::Any, reach: Reach::Anywhere }
    }

    pub(crate) fn is_anchored(&self) -> bool {
        matches!(self.reach, Reach::At(_))
    }

    /// Bytes from the buffer's begin within which the pattern ends.
    pub(crate) fn end(&self) -> usize {
        match self.reach {
            Reach::Anywhere => usize::MAX,
            Reach::Within(end) => end,
            Reach::At(at) => at.saturating_add(self.pattern.len()),
        }
    }
}

impl Set {
    pub(crate) fn build(place: Place, members: &[Member<'_>], known: &Windows) -> Result<Set, TooLarge> {
        let anchors: Option<Vec<Anchor<'_>>> = members.iter().map(Member::anchor).collect();
        let (engine, ids, longest) = match anchors.filter(|anchors| !anchors.is_empty()) {
            Some(anchors) => {
                let longest = anchors.iter().map(|(_, pattern)| pattern.len()).max().unwrap_or(0);
                let (anchored, ids) = Anchored::build(&anchors);
                (Engine::Anchored(anchored), ids, longest)
            }
            None => {
                let mut patterns = Patterns::default();
                let ids = members.iter().map(|member| patterns.add(member.pattern)).collect();
                let longest = patterns.iter().map(|(_, pattern)| pattern.len()).max().unwrap_or(0);
                (Engine::Search(Matcher::build_with(&patterns, known)?), ids, longest)
            }
        };
        let listed = ids.into_iter().zip(members).enumerate();
        let mut filed: Vec<(PatternId, RuleIndex, usize)> =
            listed.filter_map(|(place, (id, member))| Some((id?, member.rule, place))).collect();
        filed.sort_unstable();
        let mut starts = vec![0u32; engine.patterns() + 1];
        for (id, ..) in &filed {
            starts[id.0 as usize + 1] += 1;
        }
        for n in 1..starts.len() {
            starts[n] += starts[n - 1];
        }
        let ports = PortTests::build(filed.iter().map(|&(.., place)| members[place].side));
        let rules = filed.into_iter().map(|(_, rule, _)| rule).collect();
        let reach = members.iter().map(Member::end).max().unwrap_or(0);
        Ok(Set { place, engine, starts: starts.into(), rules, ports, longest, reach })
    }

    /// For a decoder's buffer.
    pub(crate) fn build_app(members: &[Member<'_>], known: &Windows) -> Result<Set, TooLarge> {
        Set::build(Place::Buffer(Context::Payload), members, known)
    }

    /// Where its patterns are searched for.
    pub(crate) fn matcher(&self) -> Option<&Matcher> {
        match &self.engine {
            Engine::Search(matcher) => Some(matcher),
            Engine::Anchored(_) => None,
        }
    }

    /// Those behind its patterns; one may stand behind several.
    pub(crate) fn rules(&self) -> &[RuleIndex] {
        &self.rules
    }

    pub(crate) fn patterns(&self) -> usize {
        self.engine.patterns()
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

    /// Calls `found` for each pattern that occurs in `block`, which begins at `offset` of its buffer, once.
    pub(crate) fn search(&self, block: &[u8], offset: u64, seen: &mut Seen, found: impl FnMut(PatternId)) {
        match &self.engine {
            _ if block.is_empty() => {}
            Engine::Search(matcher) => matcher.scan(block, seen, found),
            Engine::Anchored(anchored) => anchored.look(block, offset, found),
        }
    }

    /// Calls `candidate` for each rule for these ports whose fast pattern occurs in `block`, which begins at `offset` of its
    /// buffer, where it may.
    pub(crate) fn scan(
        &self,
        block: &[u8],
        offset: u64,
        ends: Ends,
        seen: &mut Seen,
        mut candidate: impl FnMut(RuleIndex),
    ) {
        self.search(self.reaches(block, offset), offset, seen, |pattern| {
            self.behind(pattern, ends).for_each(&mut candidate)
        });
    }
}

impl Engine {
    fn patterns(&self) -> usize {
        match self {
            Engine::Search(matcher) => matcher.len(),
            Engine::Anchored(anchored) => anchored.len(),
        }
    }
}
