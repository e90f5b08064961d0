//! A compiled rule in words, in the order in which it is looked at.

use super::steps::{self, name};
use crate::base::Dir;
use crate::cli::table::Table;
use crate::inspect::{Class, Kind, PortSide, port_side, threshold};
use crate::rules::ruleset::{
    Absence, Action, BitAction, BufferMatch, Context, Endpoint, FlowMatch, FlowState, PayloadScope, RejectTo,
    Step, Suppress, Threshold, ThresholdKind, Track,
};
use crate::rules::{Rule, RuleSet, parser};

/// Lines of "what: words".
pub fn rule(rule: &Rule, set: &RuleSet) -> String {
    let mut table = Table::default();
    let mut say = |what: &str, words: String| table.row([what, &words]);
    say("rule", format!("{}:{} rev {}  {}", rule.gid, rule.sid, rule.rev, rule.msg));
    let file = set.files.get(rule.source.file as usize).map_or("", String::as_str);
    say("at", format!("{file}:{}", rule.source.line));
    say("state", state(rule));
    say("action", action(rule.action).to_owned());
    say("place", place(rule, set));
    say("evaluated", when(rule));
    say("group", group(rule));
    say("fast pattern", fast_pattern(rule));
    for (number, words) in checks(rule, set).into_iter().enumerate() {
        say(if number == 0 { "checks" } else { "" }, format!("{}. {words}", number + 1));
    }
    for (number, buffer) in rule.buffers.iter().enumerate() {
        let fast = rule.fast_pattern.filter(|f| usize::from(f.buffer) == number).map(|f| f.step);
        say(&format!("buffer {}", number + 1), looked_into(buffer, set, rule));
        for (at, step) in buffer.steps.iter().enumerate() {
            let mark = if fast == Some(at as u16) { "  (the fast pattern)" } else { "" };
            say("", format!("{}. {}{mark}", at + 1, steps::step(step)));
            if let Step::Base64(base64) = step {
                let inner = base64.steps.iter().enumerate();
                inner.for_each(|(n, inner)| {
                    say("", format!("   {}.{} {}", at + 1, n + 1, steps::step(inner)))
                });
            }
        }
    }
    for (number, words) in effects(rule, set).into_iter().enumerate() {
        say(if number == 0 { "then" } else { "" }, words);
    }
    say("text", rule.text.to_string());
    table.to_string()
}

fn state(rule: &Rule) -> String {
    match rule.waits_for() {
        Some(waits) => format!("loaded, and waits for {}: it cannot match yet", waits.name()),
        None => "active".to_owned(),
    }
}

fn action(action: Action) -> &'static str {
    match action {
        Action::Pass => "pass: ends the evaluation, nothing behind it acts or alerts",
        Action::Drop => "drop, with an alert",
        Action::Reject(RejectTo::Source) => "reject: drop, and reset or unreachable to the source",
        Action::Reject(RejectTo::Destination) => "reject: drop, and reset or unreachable to the destination",
        Action::Reject(RejectTo::Both) => "reject: drop, and reset or unreachable to both sides",
        Action::Reject(RejectTo::Client) => "close-client: drop, and reset or unreachable to the client",
        Action::Reject(RejectTo::Server) => "close-server: drop, and reset or unreachable to the server",
        Action::Alert => "alert",
    }
}

fn place(rule: &Rule, set: &RuleSet) -> String {
    let same = |other: &Rule| (other.gid, other.sid) == (rule.gid, rule.sid);
    let at = set.rules.iter().position(same).map_or(0, |at| at + 1);
    format!("{at} of {} (by action, bits set before bits asked for, priority)", set.rules.len())
}

fn when(rule: &Rule) -> String {
    match Kind::of(rule) {
        Kind::IpOnly => "for the first packet of each direction of a session (it has only a header)",
        Kind::Packet => "for each packet",
        Kind::Payload(PayloadScope::Packet) => "for each packet's payload",
        Kind::Payload(PayloadScope::Stream) => {
            "for the stream's bytes as they come, and payload without a stream"
        }
        Kind::Payload(PayloadScope::Both) => "for each packet's payload and for the stream's bytes",
        Kind::Protocol => "once for each direction of a session, when its protocol is known",
        Kind::Transaction => "for each transaction that a decoder finds",
        Kind::Waiting => "never, while it waits",
    }
    .to_owned()
}

fn group(rule: &Rule) -> String {
    if Kind::of(rule) == Kind::Waiting {
        return "none, while it waits".to_owned();
    }
    let taken = |class: &Class| class.takes(rule.protocol);
    let names: Vec<String> = Class::ALL
        .into_iter()
        .filter(taken)
        .map(|class| {
            let ports = match port_side(rule, class) {
                PortSide::Any => "any port".to_owned(),
                PortSide::Destination(ports) => format!("destination port {}", steps::ranges(ports)),
                PortSide::Source(ports) => format!("source port {}", steps::ranges(ports)),
            };
            format!("{} by {ports}", format!("{class:?}").to_ascii_lowercase())
        })
        .collect();
    let dir = match rule.flow.dir {
        Some(Dir::ToServer) => "to the server",
        Some(Dir::ToClient) => "to the client",
        None => "both directions",
    };
    format!("{} ({dir})", names.join(", "))
}

fn fast_pattern(rule: &Rule) -> String {
    let Some(fast) = rule.fast_pattern else {
        return "none: no content announces the rule, so it is checked whenever its group is".to_owned();
    };
    let Some(buffer) = rule.buffers.get(usize::from(fast.buffer)) else { return String::new() };
    let Some(Step::Content(content)) = buffer.steps.get(usize::from(fast.step)) else { return String::new() };
    let ast = parser::parse(rule.text.as_bytes());
    let asked = ast.is_ok_and(|ast| ast.option("fast_pattern").is_some());
    let others = rule.buffers.iter().flat_map(|b| &b.steps);
    let others = others.filter(|s| matches!(s, Step::Content(c) if !c.negated)).count();
    let why = match (asked, others) {
        (true, _) => "the rule says `fast_pattern`".to_owned(),
        (false, 1) => "its only content".to_owned(),
        (false, n) => format!("of {n} contents that with the most and the rarest bytes"),
    };
    let (from, len) = fast.chop.map_or((0, content.pattern.len()), |(from, len)| (from.into(), len.into()));
    let pattern = content.pattern.get(from..from + len).unwrap_or_default();
    format!("{} in {}: {why}", steps::bytes(pattern), name(buffer.context))
}

/// What is tested before any byte is looked for, the cheap first.
fn checks(rule: &Rule, set: &RuleSet) -> Vec<String> {
    let both = if rule.both_ways { ", either way" } else { "" };
    let word = rule.text.split_ascii_whitespace().nth(1).unwrap_or_default();
    let (src, dst) = (endpoint(&rule.src), endpoint(&rule.dst));
    let mut list = vec![format!("protocol {word}, from {src} to {dst}{both}")];
    list.extend(flow(&rule.flow));
    list.extend(rule.checks.iter().map(steps::check));
    for op in &rule.flowbits {
        let names: Vec<&str> =
            op.bits.iter().filter_map(|bit| set.flowbits.get(*bit as usize)).map(String::as_str).collect();
        match op.action {
            BitAction::IsSet => list.push(format!("the session has the bit {}", names.join(" or "))),
            BitAction::IsNotSet => {
                list.push(format!("the session does not have the bit {}", names.join(" or ")))
            }
            _ => {}
        }
    }
    for op in rule.flowints.iter().filter(|op| !op.verb.acts()) {
        let counter = set.flowints.get(op.counter as usize).map_or("", String::as_str);
        list.push(format!("the session's number {counter}: {:?} {:?}", op.verb, op.value));
    }
    for op in &rule.host_bits {
        let bit = set.host_bits.get(op.bit as usize).map_or("", String::as_str);
        match op.action {
            BitAction::IsSet => list.push(format!("the bit {bit} is set for the {:?}", op.track)),
            BitAction::IsNotSet => list.push(format!("the bit {bit} is not set for the {:?}", op.track)),
            _ => {}
        }
    }
    list
}

fn flow(flow: &FlowMatch) -> Vec<String> {
    let dir = flow.dir.map(|dir| match dir {
        Dir::ToServer => "sent to the server",
        Dir::ToClient => "sent to the client",
    });
    let state = flow.state.map(|state| match state {
        FlowState::Established => "of an established session",
        FlowState::NotEstablished => "of a session that is not established",
        FlowState::Stateless => "of a session in any state",
    });
    let stream = flow.stream.map(|only| if only { "in a stream" } else { "not in a stream" });
    let fragment = flow.fragment.map(|only| if only { "a fragment" } else { "not a fragment" });
    [dir, state, stream, fragment].into_iter().flatten().map(str::to_owned).collect()
}

fn endpoint(endpoint: &Endpoint) -> String {
    let addresses = endpoint.addresses.as_deref().map_or("any address".to_owned(), steps::addresses);
    match &endpoint.ports {
        None => addresses,
        Some(ports) => format!("{addresses} port {}", steps::ranges(ports)),
    }
}

fn looked_into(buffer: &BufferMatch, set: &RuleSet, rule: &Rule) -> String {
    let mut words = name(buffer.context);
    if buffer.context == Context::Payload && rule.scope != PayloadScope::Packet {
        words = "stream (or the payload of a packet without one)".to_owned();
    }
    for transform in set.transforms(buffer) {
        words += &format!(", then {}", steps::transform(transform));
    }
    match buffer.absence {
        Absence::Fails => words,
        Absence::Wanted => words + ", which must not be there",
        Absence::Allowed => words + ", if it is there",
    }
}

fn limit(threshold: &Threshold) -> String {
    let whose = match threshold.track {
        Track::BySource => "by source address",
        Track::ByDestination => "by destination address",
        Track::ByBoth => "by pair of addresses",
        Track::ByRule => "for all together",
        Track::ByFlow => "by session",
    };
    let (count, seconds) = (threshold.count, threshold.window.as_secs());
    match threshold.kind {
        ThresholdKind::Limit => format!("the first {count} matches in {seconds} s alert, {whose}"),
        ThresholdKind::Threshold => format!("each {count}th match within {seconds} s alerts, {whose}"),
        ThresholdKind::Both => format!("one alert in {seconds} s, at the {count}th match, {whose}"),
        ThresholdKind::Backoff { multiplier } => {
            format!("alerts at match {count}, then each time {multiplier} times as many, {whose}")
        }
        ThresholdKind::DetectionFilter => format!("acts beyond {count} matches in {seconds} s, {whose}"),
    }
}

/// What a match brings about.
fn effects(rule: &Rule, set: &RuleSet) -> Vec<String> {
    let mut list = Vec::new();
    for op in &rule.flowbits {
        let names = op.bits.iter().filter_map(|bit| set.flowbits.get(*bit as usize));
        let names = names.map(String::as_str).collect::<Vec<_>>().join(", ");
        match op.action {
            BitAction::Set => list.push(format!("the session gets the bit {names}")),
            BitAction::Unset => list.push(format!("the session loses the bit {names}")),
            BitAction::Toggle => list.push(format!("the session's bit {names} turns")),
            BitAction::IsSet | BitAction::IsNotSet => {}
        }
    }
    list.extend(rule.detection_filter.iter().chain(&rule.threshold).map(limit));
    if let Some(filter) = &rule.rate_filter {
        let (count, window, timeout) = (filter.count, filter.window.as_secs(), filter.timeout.as_secs());
        let new = action(filter.action);
        list.push(format!("beyond {count} matches in {window} s the action is, for {timeout} s, {new}"));
    }
    for suppress in &rule.suppress {
        list.push(match suppress {
            Suppress::Always => "no alert (suppressed), the action holds".to_owned(),
            Suppress::Of(side, set) => {
                let side = format!("{side:?}").to_ascii_lowercase();
                format!("no alert where the {side} address is one of {}", steps::addresses(set))
            }
        });
    }
    let counted = rule.threshold.is_some() || rule.detection_filter.is_some();
    if counted {
        let owner = if threshold::applied_by_worker(rule) { "the workers, together" } else { "management" };
        list.push(format!("matches are counted by {owner}"));
    }
    if rule.noalert {
        list.push("no alert (noalert)".to_owned());
    }
    if rule.bypass {
        list.push("the session is inspected no more (bypass)".to_owned());
    }
    if rule.unlogged {
        list.push("the transaction gets no record (config)".to_owned());
    }
    if let Some(dscp) = rule.mark_dscp {
        list.push(format!("the packet leaves with DSCP {dscp} (mark_dscp)"));
    }
    let priority = rule.priority;
    list.push(format!(
        "priority {priority}, class: {}",
        if rule.category.is_empty() { "none" } else { &rule.category }
    ));
    list
}
