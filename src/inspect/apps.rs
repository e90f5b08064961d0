//! Rules over transactions as a transaction meets them: by the buffer that announces them, by a pattern in the bytes the
//! session's packet brings, or by protocol.
//!
//! Ports and addresses are not looked at here: a rule's header is compared when it is evaluated.

use super::compiled::Compiled;
use super::group::{fast_pattern, reach_of};
use super::kind::Kind;
use super::matcher::TooLarge;
use super::set::{Member, Set};
use crate::app::Wanted;
use crate::base::{Dir, PerDir, RuleIndex, parallel};
use crate::rules::app::AppProto;
use crate::rules::context;
use crate::rules::field::{self, FieldId};
use crate::rules::ruleset::{AppCheck, BufferId, Check, Context, PayloadScope, Transform};
use crate::rules::{Rule, RuleSet, Windows, state};
use std::collections::BTreeMap;

/// One buffer's, each with the number of its chain of transformations; of a chain there may be two.
type Sets = Box<[(u16, Set)]>;

/// Immutable, a part of the engine.
#[derive(Debug, Default)]
pub(crate) struct Apps {
    /// By buffer: one set a chain of transformations, with the chain's number.
    sets: PerDir<Box<[Sets]>>,
    /// Of what is a body and a file at once: the sets of both buffers as one, so that its bytes are gone through once.
    of_bodies: PerDir<Sets>,
    /// By protocol: rules whose fast pattern stands in the payload or the stream.
    payload: PerDir<Box<[Option<Set>]>>,
    /// By protocol: rules that no pattern announces.
    bare: PerDir<Box<[Box<[RuleIndex]>]>>,
    /// By protocol: rules that ask for an event.
    events: PerDir<Box<[Box<[RuleIndex]>]>>,
    wanted: Wanted,
    /// Any rule asks for a session's protocol, or looks into what decoders yield.
    used: bool,
    reads_payload: bool,
}

impl Apps {
    pub(crate) fn build(set: &RuleSet, compiled: &[Compiled]) -> Result<Apps, TooLarge> {
        let rules = || set.rules.iter().zip(compiled).filter(|(_, c)| c.kind != Kind::Waiting);
        let mut apps = Apps { used: rules().any(|(rule, c)| uses_apps(rule, c.kind)), ..Apps::default() };
        for (rule, _) in rules() {
            want(rule, &mut apps.wanted);
        }
        let of_transactions = || rules().filter(|(_, c)| c.kind == Kind::Transaction).map(|(rule, _)| rule);
        apps.reads_payload =
            of_transactions().any(|rule| rule.buffers.iter().any(|b| b.context == Context::Payload));
        for dir in Dir::BOTH {
            let members = set.rules.iter().zip(compiled).enumerate();
            let members = members.filter(|(_, (rule, c))| {
                c.kind == Kind::Transaction && direction(rule).is_none_or(|only| only == dir)
            });
            let members: Vec<(RuleIndex, &Rule)> =
                members.map(|(n, (rule, _))| (RuleIndex(n as u32), rule)).collect();
            (apps.sets[dir], apps.of_bodies[dir]) = build_sets(&members, dir, &set.windows)?;
            let others = members.into_iter().filter(|(_, rule)| announced(rule).is_none());
            let (events, others): (Vec<_>, Vec<_>) = others.partition(asks_event);
            let (in_payload, bare): (Vec<_>, Vec<_>) =
                others.into_iter().partition(|(_, rule)| announced_by_payload(rule).is_some());
            apps.payload[dir] = build_payload_sets(&in_payload, &set.windows)?;
            apps.bare[dir] = by_protocol(&bare);
            apps.events[dir] = by_protocol(&events);
        }
        Ok(apps)
    }

    pub(crate) fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    pub(crate) fn used(&self) -> bool {
        self.used
    }

    pub(crate) fn reads_payload(&self) -> bool {
        self.reads_payload
    }

    /// The sets to scan a buffer with, each behind its chain of transformations.
    pub(crate) fn sets(&self, dir: Dir, buffer: BufferId) -> &[(u16, Set)] {
        self.sets[dir].get(usize::from(buffer.0)).map_or(&[], |sets| sets)
    }

    /// One pass' sets for bytes that are both buffers', where there are such.
    pub(crate) fn sets_of_both(&self, dir: Dir, buffer: BufferId, also: BufferId) -> Option<&[(u16, Set)]> {
        (buffer == body_of(dir) && also == FILE_DATA).then(|| &*self.of_bodies[dir])
    }

    /// The set to search the bytes behind a transaction with, as far as rules over transactions look there.
    pub(crate) fn payload_set(&self, dir: Dir, proto: AppProto) -> Option<&Set> {
        self.payload[dir].get(proto as usize)?.as_ref()
    }

    /// The most rules that one payload can announce.
    pub(crate) fn most_by_payload(&self) -> usize {
        self.payload_sets().map(|set| set.rules().len()).max().unwrap_or(0)
    }

    fn payload_sets(&self) -> impl Iterator<Item = &Set> {
        self.payload.0.iter().flat_map(|sets| sets.iter().flatten())
    }

    pub(crate) fn bare(&self, dir: Dir, proto: AppProto) -> &[RuleIndex] {
        self.bare[dir].get(proto as usize).map_or(&[], |rules| rules)
    }

    pub(crate) fn on_events(&self, dir: Dir, proto: AppProto) -> &[RuleIndex] {
        self.events[dir].get(proto as usize).map_or(&[], |rules| rules)
    }

    pub(crate) fn all_sets(&self) -> impl Iterator<Item = &Set> {
        let of_buffers = self.sets.0.iter().flat_map(|sets| sets.iter()).flat_map(|sets| sets.iter());
        let of_bodies = self.of_bodies.0.iter().flat_map(|sets| sets.iter());
        of_buffers.chain(of_bodies).map(|(_, set)| set).chain(self.payload_sets())
    }
}

/// The direction that a part of a rule is about; `None` for both.
pub(crate) fn direction_of(rule: &Rule, buffer: BufferId, said: Option<Dir>) -> Option<Dir> {
    let own = if rule.whole_transaction { None } else { rule.flow.dir };
    buffer.get().dir.or(said).or(own)
}

/// The direction in which a rule is looked at, if it is only one.
fn direction(rule: &Rule) -> Option<Dir> {
    if rule.whole_transaction {
        return None;
    }
    let of_buffers = rule.buffers.iter().find_map(|buffer| match buffer.context {
        Context::App(id) => id.get().dir.or(buffer.dir),
        _ => None,
    });
    rule.flow.dir.or(of_buffers).or_else(|| of_state(rule))
}

/// The direction whose state the rule asks for.
fn of_state(rule: &Rule) -> Option<Dir> {
    rule.checks.iter().find_map(|check| match check {
        Check::App(app) => match &**app {
            AppCheck::State { name, .. } => state::direction(rule.app, name),
            _ => None,
        },
        _ => None,
    })
}

/// The content of a decoder's buffer that announces the rule.
fn announced(rule: &Rule) -> Option<(BufferId, u16, Option<Dir>, &[u8])> {
    let (buffer, pattern) = fast_pattern(rule)?;
    let Context::App(id) = buffer.context else { return None };
    Some((id, buffer.transforms, direction_of(rule, id, buffer.dir), pattern))
}

/// The content of the payload that announces the rule. Rules over packets alone are not among them: a transaction's turn may
/// show them other bytes than the stream's.
fn announced_by_payload(rule: &Rule) -> Option<&[u8]> {
    let (buffer, pattern) = fast_pattern(rule)?;
    let plain = buffer.context == Context::Payload && buffer.transforms == 0;
    (plain && rule.scope != PayloadScope::Packet).then_some(pattern)
}

fn asks_event(&(_, rule): &(RuleIndex, &Rule)) -> bool {
    let event = |check: &Check| matches!(check, Check::App(app) if matches!(**app, AppCheck::Event(_)));
    rule.checks.iter().any(event)
}

fn uses_apps(rule: &Rule, kind: Kind) -> bool {
    let asks = |check: &Check| matches!(check, Check::App(_));
    kind == Kind::Transaction || !rule.app.is_empty() || rule.checks.iter().any(asks)
}

/// By chain, and what can stand at one offset apart, which is no search: but not where bytes would be transformed twice for it.
type Chains<'r> = BTreeMap<(u16, bool), Vec<Member<'r>>>;

/// Each buffer's sets, and those of a body that is a file.
fn build_sets(
    members: &[(RuleIndex, &Rule)],
    dir: Dir,
    known: &Windows,
) -> Result<(Box<[Sets]>, Sets), TooLarge> {
    let mut buffers: Vec<Chains<'_>> = vec![BTreeMap::new(); context::COUNT + 1];
    for &(index, rule) in members {
        let Some((id, chain, only, pattern)) = announced(rule) else { continue };
        if only.is_none_or(|only| only == dir)
            && let Some(chains) = buffers.get_mut(usize::from(id.0))
        {
            let member = Member { reach: reach_of(rule), ..Member::of(index, pattern) };
            chains.entry((chain, chain == 0 && member.is_anchored())).or_default().push(member);
        }
    }
    let of = |id: BufferId| buffers.get(usize::from(id.0)).into_iter().flatten();
    let mut both = Chains::new();
    for (key, members) in of(body_of(dir)).chain(of(FILE_DATA)) {
        both.entry(*key).or_default().extend_from_slice(members);
    }
    if let Some(last) = buffers.last_mut() {
        *last = both;
    }
    let build = |chains: &Chains<'_>| {
        let sets = chains.iter().map(|(&(chain, _), members)| Ok((chain, Set::build_app(members, known)?)));
        sets.collect::<Result<Sets, TooLarge>>()
    };
    let mut built: Vec<Sets> = parallel::map(&buffers, build).into_iter().collect::<Result<_, TooLarge>>()?;
    let both = built.pop().unwrap_or_default();
    Ok((built.into(), both))
}

/// What a direction's messages of HTTP carry.
const fn body_of(dir: Dir) -> BufferId {
    match dir {
        Dir::ToServer => REQUEST_BODY,
        Dir::ToClient => RESPONSE_BODY,
    }
}

const REQUEST_BODY: BufferId = context::id("http.request_body");
const RESPONSE_BODY: BufferId = context::id("http.response_body");
const FILE_DATA: BufferId = context::id("file.data");

fn build_payload_sets(rules: &[(RuleIndex, &Rule)], known: &Windows) -> Result<Box<[Option<Set>]>, TooLarge> {
    let of = |proto: &AppProto| {
        let fits = rules.iter().filter(|(_, rule)| rule.app.is_empty() || rule.app.contains(*proto));
        let members: Vec<_> =
            fits.filter_map(|&(index, rule)| Some(Member::of(index, announced_by_payload(rule)?))).collect();
        if members.is_empty() { Ok(None) } else { Set::build_app(&members, known).map(Some) }
    };
    parallel::map(AppProto::ALL, of).into_iter().collect()
}

fn by_protocol(rules: &[(RuleIndex, &Rule)]) -> Box<[Box<[RuleIndex]>]> {
    let of = |proto: AppProto| {
        let fits = |rule: &Rule| rule.app.is_empty() || rule.app.contains(proto);
        rules.iter().filter(|(_, rule)| fits(rule)).map(|&(index, _)| index).collect()
    };
    AppProto::ALL.iter().map(|&proto| of(proto)).collect()
}

/// What the rule looks into must be made.
fn want(rule: &Rule, wanted: &mut Wanted) {
    for buffer in &rule.buffers {
        if let Context::App(id) = buffer.context {
            wanted.add(id);
        }
    }
    let files = &mut wanted.files;
    for check in &rule.checks {
        if let Check::App(app) = check
            && let AppCheck::Field { field, .. } = &**app
        {
            files.md5 |= *field == MD5;
            files.sha1 |= *field == SHA1;
            files.sha256 |= *field == SHA256;
            files.magic |= *field == TYPE;
        }
    }
    wanted.files.magic |= wanted.has(MAGIC);
}

const MD5: FieldId = field::id("filemd5");
const SHA1: FieldId = field::id("filesha1");
const SHA256: FieldId = field::id("filesha256");
const TYPE: FieldId = field::id("filemagic");
const MAGIC: BufferId = context::id("file.magic");

/// A chain's steps, by number; number 0 is the empty one.
pub(crate) fn chain(set: &RuleSet, number: u16) -> &[Transform] {
    set.transforms.get(usize::from(number)).map_or(&[], |chain| chain)
}
