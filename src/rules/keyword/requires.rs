//! `requires` (docs.suricata.io, "Requires"): rules for other engines or versions are left out without a fault.

use super::{Keyword, Modifies, Value};
use crate::rules::text::{Fault, Text};

pub(super) const KEYWORDS: &[Keyword] = &[Keyword {
    name: "requires",
    aliases: &[],
    modifies: Modifies::Rule,
    value: Value::Needed,
    // Asked before anything else of the rule is read.
    parse: |_, call| unmet(call.value).map(|_| ()),
    doc: "leaves the rule out where a version, feature or keyword is missing",
}];

/// The version of the rule language that is understood: Suricata's.
const LANGUAGE: [u64; 3] = [9, 0, 0];

/// Of Suricata's features, which it names as it likes (`output::file-store`), those that are here.
const FEATURES: &[&str] = &["geoip"];

/// Which of the demands is not met, if one is not: such a rule is meant for others.
pub fn unmet(value: Text<'_>) -> Result<Option<String>, Fault> {
    let mut versions = 0;
    for demand in value.split(b',').filter(|demand| !demand.is_empty()) {
        let (word, rest) = demand.first_word();
        let met = match word.ascii() {
            "version" => {
                versions += 1;
                if versions > 1 {
                    let fault = word.fault("a rule requires one `version`");
                    return Err(fault.help("join both: `>= 7.0.4 < 8`, or with `|` where either will do"));
                }
                version(rest)?
            }
            "keyword" => super::names().any(|name| rest.is(name)),
            "feature" => FEATURES.iter().any(|name| rest.is(name)),
            // Of a language to come.
            _ if !rest.is_empty() => false,
            _ => return Err(demand.fault("expected `version`, `feature` or `keyword`")),
        };
        if !met {
            return Ok(Some(demand.lossy().into_owned()));
        }
    }
    Ok(None)
}

/// Alternatives between bars, each of comparisons that must all hold: `>= 7.0.3 < 8 | >= 8.0.1`.
fn version(text: Text<'_>) -> Result<bool, Fault> {
    let mut any = false;
    for alternative in text.split(b'|') {
        let (mut all, mut rest) = (true, alternative);
        while !rest.is_empty() {
            let length = rest.bytes.iter().take_while(|b| b"<>=".contains(b)).count();
            let (operator, behind) = (rest.sub(0, length), rest.from(length).trim());
            let end = behind.bytes.iter().position(|b| b.is_ascii_whitespace() || b"<>=".contains(b));
            let number = behind.sub(0, end.unwrap_or(behind.bytes.len()));
            let wanted = read(number)?;
            all &= match operator.ascii() {
                ">=" => LANGUAGE >= wanted,
                ">" => LANGUAGE > wanted,
                "<=" => LANGUAGE <= wanted,
                "<" => LANGUAGE < wanted,
                _ => return Err(rest.fault("expected one of < > <= >= and a version")),
            };
            rest = behind.from(number.bytes.len()).trim();
        }
        any |= all;
    }
    Ok(any)
}

fn read(text: Text<'_>) -> Result<[u64; 3], Fault> {
    let bad = || text.fault(format!("`{}` is no version", text.lossy())).help("for example 7.0.3");
    let mut version = [0; 3];
    let mut parts = text.ascii().split('.');
    for (at, place) in version.iter_mut().enumerate() {
        match parts.next() {
            Some(part) => *place = part.parse().map_err(|_| bad())?,
            None if at == 0 => return Err(bad()),
            None => {}
        }
    }
    if parts.next().is_some() { Err(bad()) } else { Ok(version) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_demand_is_met_or_named() {
        let asked = |text: &str| unmet(Text::new(text.as_bytes(), 0)).map_err(|f| f.message);
        for met in ["version >= 6", "version >= 7.0.3 < 8 | >= 8.0.1", "version  >= 9", "keyword http.uri"] {
            assert_eq!(asked(met), Ok(None), "{met}");
        }
        for unmet in [
            "version >= 10",
            "version >= 7 < 8",
            "feature output::file-store",
            "keyword nonsense",
            "luck much",
        ] {
            assert_eq!(asked(unmet), Ok(Some(unmet.into())), "{unmet}");
        }
        assert_eq!(asked("version 8"), Err("expected one of < > <= >= and a version".into()));
        assert_eq!(asked("feature geoip, version >= 8"), Ok(None));
        assert_eq!(asked("version >= 7, version < 9"), Err("a rule requires one `version`".into()));
        assert_eq!(asked("version >= x"), Err("`x` is no version".into()));
        assert_eq!(asked("luck"), Err("expected `version`, `feature` or `keyword`".into()));
    }
}
