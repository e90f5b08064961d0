//! Rules as they are saved: what many of them share is a number in the head's lists.

use super::head::{Listed, Shared};
use super::seal::Unreadable;
use super::write::{Pool, Unsavable};
use crate::base::Dir;
use crate::rules::ruleset::{
    Absence, Action, AddrSet, Base64Step, BufferMatch, Capture, Check, Context, Endpoint, FastPattern,
    FlowMatch, FlowbitOp, FlowintOp, HostBitOp, PayloadScope, Pcre, PcreFlags, Protos, RateFilter, Rule,
    RuleProtocol, Source, Step, Suppress, SuppressSide, Tag, Target, Threshold,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A rule. Text is borrowed from the file.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredRule<'a> {
    id: (u32, u32, u32),
    action: Action,
    msg: &'a str,
    category: u32,
    priority: u32,
    references: Vec<(u32, u32)>,
    metadata: Vec<(u32, u32)>,
    protocol: RuleProtocol,
    app: Protos,
    /// Source and destination.
    ends: [StoredEndpoint; 2],
    both_ways: bool,
    whole_transaction: bool,
    flow: FlowMatch,
    checks: Box<[Check]>,
    scope: PayloadScope,
    buffers: Vec<StoredBuffer>,
    fast_pattern: Option<FastPattern>,
    flowbits: Box<[FlowbitOp]>,
    flowints: Box<[FlowintOp]>,
    threshold: Option<Threshold>,
    detection_filter: Option<Threshold>,
    suppress: Vec<StoredSuppress>,
    rate_filter: Option<RateFilter>,
    host_bits: Box<[HostBitOp]>,
    tags: Vec<Tag>,
    target: Option<Target>,
    bypass: bool,
    mark_dscp: Option<u8>,
    unlogged: bool,
    noalert: bool,
    alert: bool,
    source: Source,
    text: &'a str,
}

/// `None` is `any`.
#[derive(Serialize, Deserialize)]
struct StoredEndpoint {
    addresses: Option<u32>,
    ports: Option<u32>,
}

#[derive(Serialize, Deserialize)]
enum StoredSuppress {
    Always,
    Of(SuppressSide, u32),
}

#[derive(Serialize, Deserialize)]
struct StoredBuffer {
    context: Context,
    transforms: u16,
    absence: Absence,
    dir: Option<Dir>,
    steps: Vec<StoredStep>,
}

/// The steps over what `base64_decode` yields stand behind it in the same list.
#[derive(Serialize, Deserialize)]
enum StoredStep {
    Plain(Step),
    Pcre { flags: PcreFlags, negated: bool, relative: bool, expression: u32, captures: Box<[Capture]> },
    Base64 { bytes: Option<u32>, offset: u32, relative: bool, steps: u32 },
}

/// `base64_decode` within what another yields, within another, and so on: no rule has that many.
const MAX_NESTED: usize = 4;

impl<'a> StoredRule<'a> {
    pub(super) fn of(rule: &'a Rule, pool: &mut Pool<'a>) -> Result<StoredRule<'a>, Unsavable> {
        let endpoint = |end: &'a Endpoint, pool: &mut Pool<'a>| StoredEndpoint {
            addresses: end.addresses.as_ref().map(|set| pool.addresses(set)),
            ports: end.ports.as_ref().map(|set| pool.ports(set)),
        };
        let pairs = |pairs: &'a [(Arc<str>, Arc<str>)], pool: &mut Pool<'a>| {
            pairs.iter().map(|(a, b)| (pool.string(a), pool.string(b))).collect()
        };
        let suppress = |suppress: &'a Suppress| match suppress {
            Suppress::Always => StoredSuppress::Always,
            Suppress::Of(side, set) => StoredSuppress::Of(*side, pool.addresses(set)),
        };
        let suppress = rule.suppress.iter().map(suppress).collect();
        let buffers = rule.buffers.iter().map(|buffer| StoredBuffer::of(buffer, pool));
        let buffers = buffers.collect::<Result<_, _>>()?;
        Ok(StoredRule {
            id: (rule.gid, rule.sid, rule.rev),
            action: rule.action,
            msg: &rule.msg,
            category: pool.string(&rule.category),
            priority: rule.priority,
            references: pairs(&rule.references, pool),
            metadata: pairs(&rule.metadata, pool),
            protocol: rule.protocol,
            app: rule.app,
            ends: [endpoint(&rule.src, pool), endpoint(&rule.dst, pool)],
            both_ways: rule.both_ways,
            whole_transaction: rule.whole_transaction,
            flow: rule.flow,
            checks: rule.checks.clone(),
            scope: rule.scope,
            buffers,
            fast_pattern: rule.fast_pattern,
            flowbits: rule.flowbits.clone(),
            flowints: rule.flowints.clone(),
            threshold: rule.threshold,
            detection_filter: rule.detection_filter,
            suppress,
            rate_filter: rule.rate_filter,
            host_bits: rule.host_bits.clone(),
            tags: rule.tags.clone(),
            target: rule.target,
            bypass: rule.bypass,
            mark_dscp: rule.mark_dscp,
            unlogged: rule.unlogged,
            noalert: rule.noalert,
            alert: rule.alert,
            source: rule.source,
            text: &rule.text,
        })
    }

    pub(super) fn restore(self, shared: &Shared) -> Result<Rule, Unreadable> {
        let [src, dst] = self.ends;
        let buffers = self.buffers.into_iter().map(|buffer| buffer.restore(shared));
        let suppress = self.suppress.into_iter().map(|suppress| match suppress {
            StoredSuppress::Always => Ok(Suppress::Always),
            StoredSuppress::Of(side, set) => Ok(Suppress::Of(side, shared.addresses.get(set)?)),
        });
        let (gid, sid, rev) = self.id;
        Ok(Rule {
            gid,
            sid,
            rev,
            action: self.action,
            msg: self.msg.to_owned(),
            category: shared.strings.get(self.category)?,
            priority: self.priority,
            references: pairs(&self.references, &shared.strings)?,
            metadata: pairs(&self.metadata, &shared.strings)?,
            protocol: self.protocol,
            app: self.app,
            src: src.restore(shared)?,
            dst: dst.restore(shared)?,
            both_ways: self.both_ways,
            whole_transaction: self.whole_transaction,
            flow: self.flow,
            checks: self.checks,
            scope: self.scope,
            buffers: buffers.collect::<Result<_, _>>()?,
            fast_pattern: self.fast_pattern,
            flowbits: self.flowbits,
            flowints: self.flowints,
            threshold: self.threshold,
            detection_filter: self.detection_filter,
            suppress: suppress.collect::<Result<_, Unreadable>>()?,
            rate_filter: self.rate_filter,
            host_bits: self.host_bits,
            tags: self.tags,
            target: self.target,
            bypass: self.bypass,
            mark_dscp: self.mark_dscp,
            unlogged: self.unlogged,
            noalert: self.noalert,
            alert: self.alert,
            source: self.source,
            text: Arc::from(self.text),
        })
    }
}

/// Each shared by its number.
type Pairs = Box<[(Arc<str>, Arc<str>)]>;

fn pairs(numbers: &[(u32, u32)], strings: &Listed<Arc<str>>) -> Result<Pairs, Unreadable> {
    numbers.iter().map(|&(a, b)| Ok((strings.get(a)?, strings.get(b)?))).collect()
}

impl StoredEndpoint {
    fn restore(self, shared: &Shared) -> Result<Endpoint, Unreadable> {
        let addresses: Option<Arc<AddrSet>> =
            self.addresses.map(|number| shared.addresses.get(number)).transpose()?;
        let ports = self.ports.map(|number| shared.ports.get(number)).transpose()?;
        Ok(Endpoint { addresses, ports })
    }
}

impl StoredBuffer {
    fn of<'a>(buffer: &'a BufferMatch, pool: &mut Pool<'a>) -> Result<StoredBuffer, Unsavable> {
        let mut steps = Vec::with_capacity(buffer.steps.len());
        store_steps(&buffer.steps, pool, &mut steps, MAX_NESTED)?;
        Ok(StoredBuffer {
            context: buffer.context,
            transforms: buffer.transforms,
            absence: buffer.absence,
            dir: buffer.dir,
            steps,
        })
    }

    fn restore(self, shared: &Shared) -> Result<BufferMatch, Unreadable> {
        let steps = restore_steps(&mut self.steps.into_iter(), None, shared, MAX_NESTED)?;
        Ok(BufferMatch {
            context: self.context,
            transforms: self.transforms,
            absence: self.absence,
            dir: self.dir,
            steps,
        })
    }
}

fn store_steps<'a>(
    steps: &'a [Step],
    pool: &mut Pool<'a>,
    to: &mut Vec<StoredStep>,
    depth: usize,
) -> Result<(), Unsavable> {
    let depth = depth.checked_sub(1).ok_or(Unsavable::Nested)?;
    for step in steps {
        match step {
            Step::Pcre(pcre) => to.push(StoredStep::Pcre {
                flags: pcre.flags,
                negated: pcre.negated,
                relative: pcre.relative,
                expression: pool.expression(pcre),
                captures: pcre.captures.clone(),
            }),
            Step::Base64(base64) => {
                let &Base64Step { bytes, offset, relative, ref steps } = base64;
                to.push(StoredStep::Base64 { bytes, offset, relative, steps: steps.len() as u32 });
                store_steps(steps, pool, to, depth)?;
            }
            plain => to.push(StoredStep::Plain(plain.clone())),
        }
    }
    Ok(())
}

/// `count` of them, or all that are left.
fn restore_steps(
    steps: &mut std::vec::IntoIter<StoredStep>,
    count: Option<u32>,
    shared: &Shared,
    depth: usize,
) -> Result<Box<[Step]>, Unreadable> {
    let malformed = |what: &str| Unreadable::Malformed(what.to_owned());
    let depth = depth.checked_sub(1).ok_or_else(|| malformed("steps are nested too deep"))?;
    let most = count.map_or(steps.len(), |count| count as usize);
    let mut restored = Vec::with_capacity(most.min(steps.len()));
    while restored.len() < most {
        restored.push(match steps.next() {
            None if count.is_none() => break,
            None => return Err(malformed("steps are missing")),
            Some(StoredStep::Plain(step)) => step,
            Some(StoredStep::Pcre { flags, negated, relative, expression, captures }) => {
                let (source, regex) = shared.expressions.at(expression)?;
                let (expression, regex) = (Arc::clone(&source.text), Arc::clone(regex));
                let unlimited = source.unlimited;
                Step::Pcre(Pcre { flags, negated, relative, expression, unlimited, regex, captures })
            }
            Some(StoredStep::Base64 { bytes, offset, relative, steps: within }) => {
                let within = restore_steps(steps, Some(within), shared, depth)?;
                Step::Base64(Base64Step { bytes, offset, relative, steps: within })
            }
        });
    }
    Ok(restored.into())
}
