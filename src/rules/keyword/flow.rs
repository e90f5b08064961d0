//! The session a packet belongs to: direction, state, counters (docs.suricata.io, "Flow Keywords").

use super::{Call, Keyword, Modifies, Value, choice};
use crate::base::Dir;
use crate::rules::draft::Draft;
use crate::rules::number::{comparison, range, unsigned};
use crate::rules::ruleset::{Check, FlowMatch, FlowState, NumRange, Side};
use crate::rules::text::{Fault, Text};

type Parse = fn(&mut Draft, Call<'_>) -> Result<(), Fault>;

const fn session(name: &'static str, parse: Parse, doc: &'static str) -> Keyword {
    Keyword { name, aliases: &[], modifies: Modifies::Packet, value: Value::Needed, parse, doc }
}

const CLIENT: Side = Side::One(Dir::ToServer);
const SERVER: Side = Side::One(Dir::ToClient);

pub(super) const KEYWORDS: &[Keyword] = &[
    session("flow", flow, "direction and state of the session"),
    session("flow.age", age, "seconds since the session began"),
    session("flow.pkts", |d, c| counter(d, c, packets), "packets so far: direction, number"),
    session("flow.bytes", |d, c| counter(d, c, bytes), "bytes so far: direction, number"),
    session("flow.pkts_toserver", |d, c| count(d, c.value, packets, CLIENT), "packets sent to the server"),
    session("flow.pkts_toclient", |d, c| count(d, c.value, packets, SERVER), "packets sent to the client"),
    session("flow.bytes_toserver", |d, c| count(d, c.value, bytes, CLIENT), "bytes sent to the server"),
    session("flow.bytes_toclient", |d, c| count(d, c.value, bytes, SERVER), "bytes sent to the client"),
    session(
        "stream_size",
        stream_size,
        "TCP payload bytes so far: client|server|both|either, operator, number",
    ),
];

fn flow(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let mut flow = FlowMatch::default();
    for word in call.value.split(b',') {
        match word.ascii().to_ascii_lowercase().as_str() {
            "to_server" | "from_client" => agree(&mut flow.dir, Dir::ToServer, word)?,
            "to_client" | "from_server" => agree(&mut flow.dir, Dir::ToClient, word)?,
            "established" => agree(&mut flow.state, FlowState::Established, word)?,
            "not_established" => agree(&mut flow.state, FlowState::NotEstablished, word)?,
            "stateless" => agree(&mut flow.state, FlowState::Stateless, word)?,
            "only_stream" => agree(&mut flow.stream, true, word)?,
            "no_stream" => agree(&mut flow.stream, false, word)?,
            "only_frag" => agree(&mut flow.fragment, true, word)?,
            "no_frag" => agree(&mut flow.fragment, false, word)?,
            _ => {
                choice(word, WORDS)?;
            }
        }
    }
    super::once(&mut draft.flow, flow, call)
}

const WORDS: &[(&str, ())] = &[
    ("to_server", ()),
    ("to_client", ()),
    ("from_server", ()),
    ("from_client", ()),
    ("established", ()),
    ("not_established", ()),
    ("stateless", ()),
    ("only_stream", ()),
    ("no_stream", ()),
    ("only_frag", ()),
    ("no_frag", ()),
];

fn agree<T: PartialEq>(place: &mut Option<T>, value: T, word: Text<'_>) -> Result<(), Fault> {
    match place {
        Some(said) if *said != value => {
            Err(word.fault(format!("`{}` contradicts what the same `flow` says before", word.lossy())))
        }
        Some(_) => Err(word.fault(format!("`{}` is said twice", word.lossy()))),
        None => {
            *place = Some(value);
            Ok(())
        }
    }
}

fn age(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    draft.checks.push(Check::FlowAge(comparison(call.value, u64::from(u32::MAX))?));
    Ok(())
}

fn packets(side: Side, count: NumRange) -> Check {
    Check::FlowPackets { side, count }
}

fn bytes(side: Side, count: NumRange) -> Check {
    Check::FlowBytes { side, count }
}

fn counter(draft: &mut Draft, call: Call<'_>, check: fn(Side, NumRange) -> Check) -> Result<(), Fault> {
    let Some((side, number)) = call.value.split_once(b',') else {
        return Err(call
            .value
            .fault("expected `direction, number`")
            .help("toserver, toclient, either or both"));
    };
    let sides = [("toserver", CLIENT), ("toclient", SERVER), ("either", Side::Either), ("both", Side::Both)];
    let side = choice(side, &sides)?;
    count(draft, number, check, side)
}

fn count(
    draft: &mut Draft,
    number: Text<'_>,
    check: fn(Side, NumRange) -> Check,
    side: Side,
) -> Result<(), Fault> {
    draft.checks.push(check(side, comparison(number, u64::MAX)?));
    Ok(())
}

fn stream_size(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let form = || call.value.fault("expected `client|server|both|either, operator, number`");
    let (side, rest) = call.value.split_once(b',').ok_or_else(form)?;
    let (operator, number) = rest.split_once(b',').ok_or_else(form)?;
    let sides = [("client", CLIENT), ("server", SERVER), ("either", Side::Either), ("both", Side::Both)];
    let side = choice(side, &sides)?;
    if !matches!(operator.ascii(), "<" | ">" | "=" | "!=" | "<=" | ">=") {
        return Err(operator.fault("expected one of < > = != <= >="));
    }
    let max = u64::from(u32::MAX);
    unsigned(number, max)?;
    let joined = [operator.bytes, number.bytes].concat();
    let bytes = range(Text::new(&joined, number.at), max).map_err(|f| number.fault(f.message))?;
    draft.packet_check(Check::StreamSize { side, bytes });
    Ok(())
}
