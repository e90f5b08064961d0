//! Hand-made rules for the tests of this layer.

use crate::rules::Rule;
use crate::rules::ruleset::*;
use std::sync::Arc;

/// `ACTION tcp any any -> any any (sid:SID;)`
pub(crate) fn rule(sid: u32, action: Action) -> Rule {
    let any = Endpoint { addresses: None, ports: None };
    Rule {
        gid: 1,
        sid,
        rev: 1,
        action,
        msg: String::new(),
        category: Arc::from(""),
        priority: 3,
        references: Box::default(),
        metadata: Box::default(),
        protocol: RuleProtocol::Tcp,
        app: Protos::NONE,
        src: any.clone(),
        dst: any,
        both_ways: false,
        whole_transaction: false,
        flow: FlowMatch::default(),
        checks: Box::default(),
        scope: PayloadScope::Packet,
        buffers: Box::default(),
        fast_pattern: None,
        flowbits: Box::default(),
        flowints: Box::default(),
        threshold: None,
        detection_filter: None,
        suppress: Vec::new(),
        rate_filter: None,
        host_bits: Box::default(),
        tags: Vec::new(),
        target: None,
        bypass: false,
        mark_dscp: None,
        unlogged: false,
        noalert: false,
        alert: false,
        source: Source { file: 0, line: sid },
        text: Arc::from(""),
    }
}

/// `content:"PATTERN";`
pub(crate) fn content(pattern: &[u8]) -> Content {
    Content {
        pattern: pattern.into(),
        nocase: false,
        negated: false,
        offset: None,
        depth: None,
        distance: None,
        within: None,
        ends_with: false,
    }
}

/// A rule that looks for `pattern` in the payload, by the prefilter.
pub(crate) fn payload_rule(sid: u32, action: Action, scope: PayloadScope, pattern: &[u8]) -> Rule {
    let steps: Box<[Step]> = Box::new([Step::Content(content(pattern))]);
    Rule {
        scope,
        buffers: Box::new([buffer(Context::Payload, steps)]),
        fast_pattern: Some(FastPattern { buffer: 0, step: 0, chop: None, only: false }),
        ..rule(sid, action)
    }
}

/// A buffer that must be there, as it is.
pub(crate) fn buffer(context: Context, steps: Box<[Step]>) -> BufferMatch {
    BufferMatch { context, transforms: 0, absence: Absence::Fails, dir: None, steps }
}

/// A set of these rules, in this order.
pub(crate) fn set(rules: Vec<Rule>) -> Arc<RuleSet> {
    Arc::new(RuleSet { rules: rules.into(), ..RuleSet::default() })
}
