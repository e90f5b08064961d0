//! A field's value as a rule writes it -> a test.

use super::{Field, FieldKind, FieldTest, Occurrence};
use crate::rules::number::{self, range, unsigned};
use crate::rules::ruleset::NumRange;
use crate::rules::sum_list::SumList;
use crate::rules::text::{Fault, Text, nearest};

/// Reads what stands behind the keyword, and behind its last comma which of several values is meant.
pub fn parse(field: &Field, value: Text<'_>) -> Result<(FieldTest, Occurrence), Fault> {
    match (field.kind, value.is_empty()) {
        (FieldKind::Present | FieldKind::Free, true) => return Ok((FieldTest::Present, Occurrence::Any)),
        (FieldKind::Present, false) => {
            return Err(value.fault(format!("`{}` takes no value", field.name)));
        }
        (_, true) => return Err(value.fault(format!("`{}` needs a value", field.name))),
        _ => {}
    }
    // So many values, whatever they are.
    if let Some(count) = value.strip("count").filter(|_| field.many) {
        let count = number::comparison(count, u64::from(u32::MAX))?;
        return Ok((FieldTest::Present, Occurrence::Count(count)));
    }
    let (value, which) = match value.split_once(b',') {
        Some((value, which)) if field.many => (value, occurrence(which)?),
        _ => (value, Occurrence::Any),
    };
    let test = test(field.kind, value).map_err(|mut fault| {
        fault.help.get_or_insert_with(|| format!("`{}`: {}; {}", field.name, field.doc, form(field.kind)));
        fault
    })?;
    Ok((test, which))
}

/// Words of a field that a help lists.
const LISTED: usize = 32;

/// What stands behind a field's name.
fn form(kind: FieldKind) -> String {
    const NUMBER: &str = "a number, alone or behind `<`, `>` or `!`, a range `A-B`, or `&MASK=VALUE`";
    match kind {
        FieldKind::Names { names, .. }
        | FieldKind::ClosedNames { names, .. }
        | FieldKind::HexNames { names, .. } => {
            let listed: Vec<_> = names.iter().take(LISTED).map(|(name, _)| *name).collect();
            let more = names.len().saturating_sub(LISTED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("a number, or one of: {}{more}", listed.join(", "))
        }
        FieldKind::Number { .. } | FieldKind::Ranges { .. } => NUMBER.to_owned(),
        _ => "docs.suricata.io has its forms".to_owned(),
    }
}

fn test(kind: FieldKind, value: Text<'_>) -> Result<FieldTest, Fault> {
    match kind {
        FieldKind::Number { max } => numeric(value.unquoted(), max, &[]),
        FieldKind::Names { max, names } => numeric(value.unquoted(), max, names),
        FieldKind::HexNames { max, names } => {
            let value = value.unquoted();
            let known = names.iter().any(|(name, _)| value.negation().1.is(name));
            match known || value.bytes.iter().any(|byte| b"xX".contains(byte)) {
                true => numeric(value, max, names),
                false => Err(value.fault(format!("`{}` is not known here", value.lossy()))),
            }
        }
        FieldKind::ClosedNames { max, names } => closed(value.unquoted(), max, names),
        FieldKind::Flags { max, names } => flags(value, max, names, b'+'),
        FieldKind::AnyFlags { max, names } => flags(value, max, names, b'*'),
        FieldKind::Words(words) => some_of(value, words),
        FieldKind::Ranges { max } => ranges(value, max),
        FieldKind::Text => text(value, false),
        FieldKind::LowerText => text(value, true),
        FieldKind::SshVersion => ssh_version(value),
        FieldKind::Date => date(value.unquoted()),
        FieldKind::Interface => interface(value),
        FieldKind::Encryption => super::kerberos::parse(value),
        FieldKind::Setting => super::http2::parse(value),
        FieldKind::Modbus => super::modbus::parse(value),
        FieldKind::Pair => pair(value),
        FieldKind::CipService => super::enip::parse(value),
        FieldKind::Attribute => super::ike::parse(value),
        FieldKind::Sums(width) => SumList::parse(value, width).map(FieldTest::Sums),
        FieldKind::Present => Ok(FieldTest::Present),
        FieldKind::Free => Ok(FieldTest::Text { text: value.bytes.into(), negated: false }),
    }
}

const OCCURRENCES: &str = "a place counted from 0, or from the end (-1), `any`, `all`, `all_or_absent`, `or_absent`, `oob_or` and a place, or `nb` and a number";

/// `index[, from:to]`.
fn occurrence(text: Text<'_>) -> Result<Occurrence, Fault> {
    let Some((which, part)) = text.split_once(b',') else { return index(text) };
    let ends = part.split_once(b':');
    let (from, to) = ends.ok_or_else(|| {
        part.fault("expected two places with a colon between").help("for example `2:4`, or `-4:-1`")
    })?;
    let place = |text| number::signed(text, i64::from(i32::MAX)).map(|at| at as i32);
    Ok(Occurrence::Part(place(from)?, place(to)?, Box::new(index(which)?)))
}

fn index(text: Text<'_>) -> Result<Occurrence, Fault> {
    let place = |text| {
        let at = number::signed(text, i64::from(i32::MAX)).map_err(|fault| fault.help(OCCURRENCES))?;
        Ok(at as i32)
    };
    let (word, rest) = text.first_word();
    match word.ascii() {
        "any" | "all" | "all1" | "all_or_absent" | "or_absent" if !rest.is_empty() => {
            Err(rest.fault(format!("nothing stands behind `{}`", word.lossy())))
        }
        "any" => Ok(Occurrence::Any),
        "or_absent" => Ok(Occurrence::AnyOrNone),
        "all_or_absent" => Ok(Occurrence::All),
        "all" | "all1" => Ok(Occurrence::AllOfSome),
        "oob_or" => place(rest).map(Occurrence::AtOrBeyond),
        _ if text.bytes.starts_with(b"nb") => {
            Ok(Occurrence::Count(number::comparison(text.from(2).trim(), u64::from(u32::MAX))?))
        }
        _ => place(text).map(Occurrence::At),
    }
}

/// A number, a range, a comparison, a mask, or a name.
fn numeric(text: Text<'_>, max: u64, names: &'static [(&'static str, u64)]) -> Result<FieldTest, Fault> {
    let (negated, rest) = text.negation();
    let rest = if negated { rest.strip("=").unwrap_or(rest).trim() } else { rest };
    let word = rest.lossy().to_ascii_lowercase();
    if let Some((_, value)) = names.iter().find(|(name, _)| name.eq_ignore_ascii_case(&word)) {
        let range = NumRange::new(*value, *value, negated);
        return Ok(FieldTest::Number { mask: u64::MAX, range });
    }
    let range = number::comparison(text, max).map_err(|fault| {
        let known = names.iter().map(|(name, _)| *name);
        match nearest(&word, known) {
            Some(near) => fault.help(format!("did you mean `{near}`?")),
            None => fault,
        }
    })?;
    Ok(FieldTest::Number { mask: u64::MAX, range })
}

/// The same, and a range takes in its ends.
fn closed(text: Text<'_>, max: u64, names: &'static [(&'static str, u64)]) -> Result<FieldTest, Fault> {
    let Some(at) = memchr::memmem::find(text.bytes, b"<>") else { return numeric(text, max, names) };
    let (low, high) = (unsigned(text.sub(0, at).trim(), max)?, unsigned(text.from(at + 2).trim(), max)?);
    if low > high {
        return Err(text.fault("a range goes from the lower to the higher number"));
    }
    Ok(FieldTest::Number { mask: u64::MAX, range: NumRange::new(low, high, false) })
}

/// Names of bits behind a modifier: `+` all of them, `*` any, `-` not all, `=` all and no other.
fn flags(
    value: Text<'_>,
    max: u64,
    names: &'static [(&'static str, u64)],
    modifier: u8,
) -> Result<FieldTest, Fault> {
    let value = value.unquoted();
    let given = value.bytes.first().copied().filter(|byte| b"+*-=".contains(byte));
    let list = if given.is_some() { value.from(1).trim() } else { value };
    if value.bytes.first().is_some_and(|b| b"&<>".contains(b))
        || list.bytes.first().is_some_and(u8::is_ascii_digit)
    {
        return numeric(value, max, &[]);
    }
    let (mut set, mut clear) = (0, 0);
    for word in list.split(b',') {
        let (negated, name) = word.negation();
        let lower = name.lossy().to_ascii_lowercase();
        let Some((_, bit)) = names.iter().find(|(known, _)| *known == lower) else {
            return Err(no_word(name, names.iter().map(|(known, _)| *known)));
        };
        *(if negated { &mut clear } else { &mut set }) |= bit;
    }
    if set & clear != 0 {
        return Err(value.fault("a flag cannot be set and clear"));
    }
    let under =
        |mask, value, negated| FieldTest::Number { mask, range: NumRange::new(value, value, negated) };
    Ok(match given.unwrap_or(modifier) {
        // Not all bits the other way round.
        b'*' => under(set | clear, clear, true),
        b'-' => under(set | clear, set, true),
        b'=' => under(u64::MAX, set, false),
        _ => FieldTest::Flags { set, clear },
    })
}

/// `12,1`
fn pair(value: Text<'_>) -> Result<FieldTest, Fault> {
    let value = value.unquoted();
    let Some((first, second)) = value.split_once(b',') else {
        return Err(value.fault("expected two numbers").help("for example 12,1"));
    };
    let both = unsigned(first, 0xff)? << 8 | unsigned(second, 0xff)?;
    Ok(FieldTest::Number { mask: u64::MAX, range: NumRange::new(both, both, false) })
}

fn no_word(word: Text<'_>, known: impl Iterator<Item = &'static str> + Clone) -> Fault {
    let fault = word.fault(format!("`{}` is not known here", word.lossy()));
    match nearest(&word.lossy().to_ascii_lowercase(), known.clone()) {
        Some(near) => fault.help(format!("did you mean `{near}`?")),
        None => fault.help(format!("one of: {}", known.collect::<Vec<_>>().join(", "))),
    }
}

fn some_of(value: Text<'_>, words: &'static [&'static str]) -> Result<FieldTest, Fault> {
    let (mut any, mut none) = (Vec::new(), Vec::new());
    for part in value.unquoted().split(b',').flat_map(|part| part.split(b'|')) {
        let (negated, word) = part.negation();
        let lower = word.lossy().to_ascii_lowercase();
        let Some(at) = words.iter().position(|known| known.eq_ignore_ascii_case(&lower)) else {
            return Err(no_word(word, words.iter().copied()));
        };
        if negated { none.push(at as u16) } else { any.push(at as u16) }
    }
    Ok(FieldTest::Words { any: any.into(), none: none.into() })
}

fn ranges(value: Text<'_>, max: u64) -> Result<FieldTest, Fault> {
    let one = |part: Text<'_>| match part.split_once(b'-') {
        Some((low, high)) => {
            let (low, high) = (unsigned(low, max)?, unsigned(high, max)?);
            if low > high {
                return Err(part.fault("a range goes from the lower to the higher number"));
            }
            Ok(NumRange::new(low, high, false))
        }
        None => range(part, max),
    };
    Ok(FieldTest::Ranges(value.unquoted().split(b',').map(one).collect::<Result<_, _>>()?))
}

fn text(value: Text<'_>, lower: bool) -> Result<FieldTest, Fault> {
    let (negated, rest) = value.negation();
    let inner = rest.unquoted();
    if rest.bytes.first() == Some(&b'"') && inner.bytes.len() == rest.bytes.len() {
        return Err(rest.fault("this quote is never closed"));
    }
    if inner.is_empty() {
        return Err(value.fault("an empty text says nothing"));
    }
    let text = if lower { inner.bytes.to_ascii_lowercase() } else { inner.bytes.to_vec() };
    Ok(FieldTest::Text { text: text.into(), negated })
}

/// `2`, `1.99`, `2_compat`.
fn ssh_version(value: Text<'_>) -> Result<FieldTest, Fault> {
    let word = value.negation().1.unquoted();
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (major, minor) = word.ascii().split_once('.').unwrap_or((word.ascii(), "0"));
    match word.is("2_compat") || digits(major) && digits(minor) {
        true => text(value, false),
        false => Err(word
            .fault(format!("`{}` is no version of SSH", word.lossy()))
            .help("for example 2, 1.99 or 2_compat")),
    }
}

/// Seconds since 1970 of `2015`, `2015-10`, `2015-10-22`, `2015-10-22T23:59[:59]`, as the start of what it names.
fn moment(text: Text<'_>) -> Result<u64, Fault> {
    let bad = || text.fault("expected a date").help("for example 2015, 2015-10-22 or 2015-10-22T23:59:59");
    let word = text.ascii();
    let (day, time) = word.split_once('T').unwrap_or((word, ""));
    let parts = |text: &str, separator| {
        let each = text.split(separator).map(|part| part.parse::<i64>());
        each.collect::<Result<Vec<_>, _>>()
    };
    let day = parts(day, '-').map_err(|_| bad())?;
    let time = if time.is_empty() { Vec::new() } else { parts(time, ':').map_err(|_| bad())? };
    let part = |list: &[i64], at: usize, first| list.get(at).copied().unwrap_or(first);
    let (year, month, date) = (part(&day, 0, 0), part(&day, 1, 1), part(&day, 2, 1));
    let (hour, minute, second) = (part(&time, 0, 0), part(&time, 1, 0), part(&time, 2, 0));
    let fits = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&date)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second)
        && day.len() <= 3
        && time.len() <= 3;
    if !fits {
        return Err(bad());
    }
    // Days since 1970 of the civil date, with years that begin in March.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + date - 1 - 719_468;
    Ok((days * 86_400 + hour * 3_600 + minute * 60 + second) as u64)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

fn date(text: Text<'_>) -> Result<FieldTest, Fault> {
    let is = |low, high| Ok(FieldTest::Number { mask: u64::MAX, range: NumRange::new(low, high, false) });
    if let Some(rest) = text.strip("<") {
        return is(0, moment(rest.trim())?.saturating_sub(1));
    }
    if let Some(rest) = text.strip(">") {
        return is(moment(rest.trim())?.saturating_add(1), u64::MAX);
    }
    if let Some(at) = memchr::memmem::find(text.bytes, b"<>") {
        let (low, high) = (moment(text.sub(0, at).trim())?, moment(text.from(at + 2).trim())?);
        if low > high {
            return Err(text.fault("a range goes from the earlier to the later date"));
        }
        return is(low, high);
    }
    let at = moment(text)?;
    is(at, at)
}

fn interface(value: Text<'_>) -> Result<FieldTest, Fault> {
    let mut parts = value.split(b',');
    let first = parts.next().unwrap_or(value);
    let bad = || first.fault("expected a UUID").help("for example 367abb81-9844-35f1-ad32-98f038001003");
    let groups: Vec<&str> = first.ascii().split('-').collect();
    if groups.iter().map(|group| group.len()).collect::<Vec<_>>() != [8, 4, 4, 4, 12] {
        return Err(bad());
    }
    let number = u128::from_str_radix(&groups.concat(), 16).map_err(|_| bad())?;
    let (mut version, mut any_fragment) = (None, false);
    for part in parts {
        if part.is("any_frag") {
            any_fragment = true;
        } else {
            version = Some(range(part, 0xffff).map_err(|fault| fault.help("a version or `any_frag`"))?);
        }
    }
    Ok(FieldTest::Interface { uuid: number.to_be_bytes(), version, any_fragment })
}
