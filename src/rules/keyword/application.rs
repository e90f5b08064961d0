//! What decoders find: sticky buffers, Snort 2's modifiers and fields from their tables
//! ([`context`](crate::rules::context), [`field`](crate::rules::field)), and the keywords that fit no table.

use super::{Call, Keyword, Modifies, Value, choice};
use crate::base::Dir;
use crate::base::anomaly::AnomalyKind;
use crate::rules::app::{self, AppProto, Protos};
use crate::rules::context::{self, Named};
use crate::rules::dataset::parse;
use crate::rules::draft::{Draft, DraftStep};
use crate::rules::event;
use crate::rules::field;
use crate::rules::geo::GeoTest;
use crate::rules::number;
use crate::rules::reputation::ReputationTest;
use crate::rules::ruleset::{
    Absence, AppCheck, BufferId, Check, Facility, ProtocolSide, ProtocolWords, Step,
};
use crate::rules::state::StateTest;
use crate::rules::text::{Fault, Text, nearest};

type Parse = fn(&mut Draft, Call<'_>) -> Result<(), Fault>;

const fn entry(
    name: &'static str,
    modifies: Modifies,
    value: Value,
    parse: Parse,
    doc: &'static str,
) -> Keyword {
    Keyword { name, aliases: &[], modifies, value, parse, doc }
}

pub(super) const KEYWORDS: &[Keyword] = &[
    entry("uricontent", Modifies::Buffer, Value::Needed, uri_content, "a content of http.uri"),
    entry(
        "urilen",
        Modifies::Buffer,
        Value::Needed,
        uri_length,
        "length of the URI: N, <N, >N, A<>B[, norm|raw]",
    ),
    entry("frame", Modifies::Buffer, Value::Needed, frame, "a record as it stands on the wire"),
    entry(
        "absent",
        Modifies::Buffer,
        Value::Optional,
        absent,
        "the buffer is not there; or_else: or its contents hold",
    ),
    entry(
        "app-layer-protocol",
        Modifies::Packet,
        Value::Needed,
        protocol,
        "[!]protocol[|protocol...][, which side][, exact]",
    ),
    entry("app-layer-event", Modifies::Packet, Value::Needed, event, "an anomaly that a decoder found"),
    entry("app-layer-state", Modifies::Packet, Value::Needed, state, "how far a transaction is: [<|>]state"),
    entry(
        "filestore",
        Modifies::Rule,
        Value::Optional,
        file_store,
        "keeps the file[: request|response|both[, file|tx|flow]]",
    ),
    entry(
        "dataset",
        Modifies::Buffer,
        Value::Needed,
        dataset,
        "set|unset|isset|isnotset, name[, type, load, save, state, memcap, hashsize, format, value_key, array_key, context_key, remove_key]: the buffer is in a set",
    ),
    entry(
        "datarep",
        Modifies::Buffer,
        Value::Needed,
        dataset,
        "name, operator, number[, type, load, memcap, hashsize]: what a list says of the buffer",
    ),
    entry(
        "iprep",
        Modifies::Packet,
        Value::Needed,
        ip_reputation,
        "what a list says of an address: any|src|dst|both, category, operator, score or isset|isnotset",
    ),
    entry(
        "geoip",
        Modifies::Packet,
        Value::Needed,
        country,
        "the country of an address: any|src|dst|both, country[, country...], each behind ! or none",
    ),
];

/// A word of the tables, if it is one.
pub(super) fn from_tables(draft: &mut Draft, call: Call<'_>) -> Option<Result<(), Fault>> {
    let word = call.name.ascii();
    if let Some(named) = context::named(word) {
        return Some(match named {
            Named::Sticky(id) => direction(id, call).and_then(|dir| {
                draft.enter_app(call.name, id)?;
                if let Some(dir) = dir {
                    draft.named_buffer(call.name)?.dir = Some(dir);
                }
                Ok(())
            }),
            Named::Modifier(_) if !call.value.is_empty() => {
                Err(call.value.fault(format!("`{word}` takes no value")))
            }
            Named::Modifier(id) => draft.move_content(call.name, id),
        });
    }
    let id = field::named(word)?;
    Some(field::parse(id.get(), call.value).and_then(|(test, which)| {
        draft.require(id.get().protos, call.name)?;
        draft.app_check(AppCheck::Field { field: id, test, which });
        Ok(())
    }))
}

/// `file.data:to_client`: of a buffer that both directions have, the one of this.
fn direction(id: BufferId, call: Call<'_>) -> Result<Option<Dir>, Fault> {
    match id.get().dir {
        _ if call.value.is_empty() => Ok(None),
        None => choice(call.value, &[("to_server", Dir::ToServer), ("to_client", Dir::ToClient)]).map(Some),
        Some(_) => Err(call.value.fault(format!("`{}` takes no value", call.name.lossy()))),
    }
}

fn uri_content(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    if draft.in_sticky() {
        let fault = call.name.fault("`uricontent` looks into http.uri, but another buffer is in force");
        return Err(fault.help("write `content` behind `http.uri`"));
    }
    super::content::content(draft, call)?;
    match context::sticky("http.uri") {
        Some(id) => draft.move_content(call.name, id),
        None => Ok(()),
    }
}

fn uri_length(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let (length, kind) = match call.value.split_once(b',') {
        Some((length, kind)) => (length, choice(kind, &[("norm", "http.uri"), ("raw", "http.uri.raw")])?),
        None => (call.value, "http.uri"),
    };
    let size = number::comparison(length, u64::from(u16::MAX))?;
    match context::sticky(kind) {
        Some(id) => draft.step_in(call.name, id, DraftStep::Other(Step::BufferSize(size))),
        None => Ok(()),
    }
}

fn frame(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let word = call.value.lossy();
    let protos = draft.app.unwrap_or_default();
    let Some(id) = context::frame(&word, protos) else {
        let fault = call.value.fault(format!("no frame is called `{word}`"));
        return Err(match nearest(&word, context::frames()) {
            Some(near) => fault.help(format!("did you mean `{near}`?")),
            None => fault.help("a frame is named with its protocol, for example `tls.pdu`"),
        });
    };
    draft.enter_app(call.value, id)
}

fn absent(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let absence = match call.value.is_empty() {
        true => Absence::Wanted,
        false => choice(call.value, &[("or_else", Absence::Allowed)])?,
    };
    let buffer = draft.named_buffer(call.name)?;
    if !buffer.steps.is_empty() {
        let fault = call.name.fault("`absent` stands directly behind the sticky buffer");
        return Err(fault.help("for example `http.referer; absent: or_else; content:\"x\";`"));
    }
    buffer.absence = absence;
    Ok(())
}

fn file_store(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    const DIRECTIONS: &[(&str, ())] =
        &[("request", ()), ("to_server", ()), ("response", ()), ("to_client", ()), ("both", ())];
    const SCOPES: &[(&str, ())] = &[("file", ()), ("tx", ()), ("flow", ()), ("ssn", ())];
    let mut parts = call.value.split(b',');
    if let Some(direction) = parts.next().filter(|_| !call.value.is_empty()) {
        choice(direction, DIRECTIONS)?;
    }
    if let Some(scope) = parts.next() {
        choice(scope, SCOPES)?;
    }
    if let Some(extra) = parts.next() {
        return Err(extra.fault("nothing stands behind direction and scope"));
    }
    draft.app_check(AppCheck::Facility(Facility::FileStore));
    Ok(())
}

fn dataset(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let used = match call.name.is("datarep") {
        true => parse::reputation(call.value)?,
        false => parse::dataset(call.value)?,
    };
    draft.named_buffer(call.name)?.used = true;
    draft.step(Step::Dataset(used), false);
    Ok(())
}

fn ip_reputation(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    draft.checks.push(Check::Reputation(Box::new(ReputationTest::parse(call.value)?)));
    Ok(())
}

fn country(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    draft.packet_check(Check::Country(Box::new(GeoTest::parse(call.value)?)));
    Ok(())
}

fn protocol(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let mut parts = call.value.split(b',');
    let (negated, list) = parts.next().unwrap_or(call.value).negation();
    let (mut side, mut exact) = (None, false);
    for part in parts {
        if part.is("exact") {
            exact = true;
        } else if side.replace(choice(part, SIDES)?).is_some() {
            return Err(part.fault("which side is said once"));
        }
    }
    let mut words = ProtocolWords::default();
    for word in list.split(b'|') {
        let name = word.lossy().to_ascii_lowercase();
        match name.as_str() {
            "unknown" if negated => {
                let fault = word.fault("`unknown` is not negated: what is not known yet is no protocol");
                return Err(fault.help("leave it out, or name the protocols that the session may have"));
            }
            "unknown" => words.unknown = true,
            "failed" => words.failed = true,
            _ => {
                let protos = if exact { app::exactly(&name) } else { app::named(&name) };
                words.named = words.named.or(protos.ok_or_else(|| no_protocol(word))?);
            }
        }
    }
    let side = side.unwrap_or(ProtocolSide::Direction);
    agrees(draft, call, words, negated, side)?;
    draft.app_check(AppCheck::Protocol { protos: words, negated, side });
    Ok(())
}

/// A session has one protocol: two keywords of one side that name none in common never hold.
fn agrees(
    draft: &Draft,
    call: Call<'_>,
    words: ProtocolWords,
    negated: bool,
    side: ProtocolSide,
) -> Result<(), Fault> {
    let other = |check: &Check| match check {
        Check::App(app) => match &**app {
            AppCheck::Protocol { protos, negated: false, side: said } if *said == side => Some(*protos),
            _ => None,
        },
        _ => None,
    };
    let apart = |other: ProtocolWords| {
        let common = !other.named.and(words.named).is_empty();
        !(common || other.unknown && words.unknown || other.failed && words.failed)
    };
    match !negated && draft.checks.iter().filter_map(other).any(apart) {
        true => Err(call
            .value
            .fault("the rule asks for other protocols too, and a session has one")
            .help("`app-layer-protocol:tls|http;` takes either")),
        false => Ok(()),
    }
}

const SIDES: &[(&str, ProtocolSide)] = &[
    ("direction", ProtocolSide::Direction),
    ("to_server", ProtocolSide::ToServer),
    ("to_client", ProtocolSide::ToClient),
    ("either", ProtocolSide::Either),
    ("both", ProtocolSide::Both),
    ("final", ProtocolSide::Final),
    ("original", ProtocolSide::Original),
];

fn no_protocol(word: Text<'_>) -> Fault {
    let name = word.lossy();
    let fault = word.fault(format!("no application protocol is called `{name}`"));
    match nearest(&name.to_ascii_lowercase(), app::words()) {
        Some(near) => fault.help(format!("did you mean `{near}`?")),
        None => fault,
    }
}

/// Events that belong to no protocol.
const GENERIC_EVENTS: &[&str] = &[
    "applayer_mismatch_protocol_both_directions",
    "applayer_wrong_direction_first_data",
    "applayer_detect_protocol_only_one_direction",
    "applayer_proto_detection_skipped",
    "applayer_no_tls_after_starttls",
    "applayer_unexpected_protocol",
];

/// Files that an event may be about are a matter of their own.
const FILE_EVENTS: Protos = Protos::of(&[AppProto::Smtp]);

fn event(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let word = call.value.unquoted();
    let name = word.lossy();
    if !GENERIC_EVENTS.contains(&&*name) {
        let Some((protocol, rest)) = word.split_once(b'.') else {
            let fault = word.fault(format!("`{name}` is no event of every protocol"));
            return Err(match nearest(&name, GENERIC_EVENTS.iter().copied()) {
                Some(near) => fault.help(format!("did you mean `{near}`?")),
                None => fault.help(format!(
                    "write protocol.event, for example `http.gzip_decompression_failed`; {} events are `decode-event`",
                    AnomalyKind::Decode.name()
                )),
            });
        };
        let plain = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
        if rest.is_empty() || !rest.bytes.iter().all(plain) {
            return Err(rest.fault(format!("`{}` is no event's name", rest.lossy())));
        }
        let word = protocol.lossy().to_ascii_lowercase();
        let protos = match word.as_str() {
            "file" => FILE_EVENTS,
            _ => app::named(&word).ok_or_else(|| no_protocol(protocol))?,
        };
        // Decoders know one name of theirs: `ikev2` and `ssl` are older ones. Nothing but the rule's protocol tells HTTP's
        // first version from the second's in the events of either.
        let word = match protos.only() {
            Some(AppProto::Http1) => "http",
            Some(_) if word == "file" => "file",
            Some(proto) => proto.name(),
            None => &word,
        };
        let known = event::of(word).filter(|known| !known.contains(&rest.ascii()));
        if let Some(known) = known {
            let fault = rest.fault(format!("{word} has no event `{}`", rest.lossy()));
            return Err(match nearest(&rest.lossy(), known.iter().copied()) {
                None if known.is_empty() => fault.help(format!("{word} has no events at all")),
                Some(near) => fault.help(format!("did you mean `{near}`?")),
                None => fault.help(some_of(known)),
            });
        }
        draft.require(protos, call.value)?;
        draft.app_check(AppCheck::Event(format!("{word}.{}", rest.ascii()).into()));
        return Ok(());
    }
    draft.app_check(AppCheck::Event(name.into()));
    Ok(())
}

/// Events that a help lists.
const LISTED_EVENTS: usize = 12;

fn some_of(known: &[&str]) -> String {
    let listed = known.iter().take(LISTED_EVENTS).copied().collect::<Vec<_>>().join(", ");
    match known.len().saturating_sub(LISTED_EVENTS) {
        0 => format!("one of: {listed}"),
        more => format!("one of: {listed} and {more} more (docs/events.md)"),
    }
}

fn state(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let (test, name) = match call.value.bytes {
        [b'<', ..] => (StateTest::Before, call.value.from(1).trim()),
        [b'>', ..] => (StateTest::Past, call.value.from(1).trim()),
        _ => (StateTest::In, call.value),
    };
    if draft.app.is_none() {
        let fault = call.name.fault("a state is one of a protocol, and this rule names none");
        return Err(fault.help("write the protocol in the rule's header, for example `alert tls ...`"));
    }
    draft.ask_state(name, test)
}
