//! Bits that rules set and other rules ask for: of a session, or of a host.

use super::{Call, Keyword, Modifies, Value, choice};
use crate::rules::draft::{Draft, DraftHostBit};
use crate::rules::number::unsigned;
use crate::rules::ruleset::{BitAction, HostBitTrack};
use crate::rules::text::{Fault, Text};
use std::time::Duration;

const fn bits(
    name: &'static str,
    parse: fn(&mut Draft, Call<'_>) -> Result<(), Fault>,
    doc: &'static str,
) -> Keyword {
    Keyword { name, aliases: &[], modifies: Modifies::Packet, value: Value::Needed, parse, doc }
}

pub(super) const KEYWORDS: &[Keyword] = &[
    bits("flowbits", flowbits, "set, unset, toggle, isset, isnotset a session's bit; noalert"),
    bits(
        "xbits",
        |d, c| host_bits(d, c, xbits),
        "a bit of hosts or of a transaction: action, name, track ip_src|ip_dst|ip_pair[, expire seconds], or track tx",
    ),
    bits(
        "hostbits",
        |d, c| host_bits(d, c, hostbits),
        "a host's bit: action, name[, src|dst|both[, seconds]]",
    ),
];

const ACTIONS: &[(&str, BitAction)] = &[
    ("set", BitAction::Set),
    ("unset", BitAction::Unset),
    ("toggle", BitAction::Toggle),
    ("isset", BitAction::IsSet),
    ("isnotset", BitAction::IsNotSet),
];

fn flowbits(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    if call.value.is("noalert") {
        draft.noalert = true;
        return Ok(());
    }
    if let Some((word, rest)) = call.value.split_once(b',').filter(|(word, _)| word.is("noalert")) {
        let fault = word.fault("`noalert` is about the rule, and no bit stands behind it");
        return Err(fault
            .help(format!("write `flowbits:noalert;`, and a `flowbits` of its own for `{}`", rest.lossy())));
    }
    let (action, names) = action_and_rest(call.value)?;
    let names: Vec<String> = names.split(b'|').map(name).collect::<Result<_, _>>()?;
    if names.len() > 1 && !matches!(action, BitAction::IsSet | BitAction::IsNotSet) {
        return Err(call.value.fault("`|` is for isset and isnotset only"));
    }
    draft.flowbits.push((action, names));
    Ok(())
}

fn action_and_rest(text: Text<'_>) -> Result<(BitAction, Text<'_>), Fault> {
    match text.split_once(b',') {
        Some((action, rest)) => Ok((choice(action, ACTIONS)?, rest)),
        None => {
            choice(text, ACTIONS)?;
            Err(text.fault("a bit's name is missing"))
        }
    }
}

fn name(text: Text<'_>) -> Result<String, Fault> {
    if text.is_empty() || text.bytes.iter().any(|b| b.is_ascii_whitespace() || *b == b',') {
        return Err(text.fault("a bit's name is one word"));
    }
    Ok(text.lossy().into_owned())
}

/// Reads what stands behind the name, each part with its number.
type Tail = fn(&mut DraftHostBit, usize, Text<'_>) -> Result<(), Fault>;

fn host_bits(draft: &mut Draft, call: Call<'_>, tail: Tail) -> Result<(), Fault> {
    if call.value.is("noalert") {
        draft.noalert = true;
        return Ok(());
    }
    let (action, rest) = action_and_rest(call.value)?;
    let mut words = rest.split(b',');
    let first = words.next().unwrap_or(rest);
    let mut bit =
        DraftHostBit { action, name: name(first)?, track: HostBitTrack::Source, expire: DEFAULT_EXPIRE };
    if let Some(kind) = call.name.ascii().strip_suffix("bits") {
        // The two keywords' names are apart.
        bit.name = format!("{kind}:{}", bit.name);
    }
    let mut said: Vec<Text<'_>> = Vec::new();
    for (at, word) in words.enumerate() {
        tail(&mut bit, at, word)?;
        let (key, _) = word.first_word();
        if call.name.is("xbits") && said.iter().any(|said| said.bytes == key.bytes) {
            return Err(key.fault(format!("`{}` is said twice", key.lossy())));
        }
        said.push(key);
    }
    if bit.track == HostBitTrack::Transaction {
        let stays = said.iter().find(|key| key.is("expire"));
        if let Some(key) = stays {
            return Err(key.fault("a transaction's bit stays as long as the transaction"));
        }
        if !matches!(action, BitAction::Set | BitAction::IsSet) {
            return Err(call.value.fault("a transaction's bit is only set and asked for: set or isset"));
        }
        draft.of_transaction = Some(call.value.span());
    }
    if call.name.is("xbits") && !said.iter().any(|key| key.is("track")) {
        let fault = call.value.fault("`track` is missing: whose bit this is");
        return Err(fault.help("`track ip_src`, `track ip_dst` or `track ip_pair`"));
    }
    draft.host_bits.push(bit);
    Ok(())
}

/// Suricata's: a bit without `expire` stays 30 seconds.
const DEFAULT_EXPIRE: Duration = Duration::from_secs(30);

fn seconds(text: Text<'_>) -> Result<Duration, Fault> {
    match unsigned(text, u64::from(u32::MAX))? {
        0 => Err(text.fault("a bit that stays 0 seconds is never set")),
        seconds => Ok(Duration::from_secs(seconds)),
    }
}

fn xbits(bit: &mut DraftHostBit, _: usize, word: Text<'_>) -> Result<(), Fault> {
    let (key, value) = word.first_word();
    match key.ascii() {
        "track" => {
            let tracks = [
                ("ip_src", HostBitTrack::Source),
                ("ip_dst", HostBitTrack::Destination),
                ("ip_pair", HostBitTrack::Pair),
                ("tx", HostBitTrack::Transaction),
            ];
            bit.track = choice(value, &tracks)?;
        }
        "expire" => bit.expire = seconds(value)?,
        _ => {
            let fault = word.fault(format!("`{}` is no option here", word.lossy()));
            return Err(fault.help("`track ip_src`, `track ip_dst` or `track ip_pair`, and `expire SECONDS`"));
        }
    }
    Ok(())
}

fn hostbits(bit: &mut DraftHostBit, at: usize, word: Text<'_>) -> Result<(), Fault> {
    if at > 1 {
        return Err(word
            .fault("nothing stands behind the seconds")
            .help("action, name[, src|dst|both[, seconds]]"));
    }
    if at == 1 {
        bit.expire = seconds(word)?;
        return Ok(());
    }
    let tracks =
        [("src", HostBitTrack::Source), ("dst", HostBitTrack::Destination), ("both", HostBitTrack::Pair)];
    bit.track = choice(word, &tracks)?;
    Ok(())
}
