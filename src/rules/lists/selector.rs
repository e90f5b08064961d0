//! Which rules a line of a list means: suricata-update's matchers (suricata-update.readthedocs.io, "Rule Matching").

use crate::rules::number::small;
use crate::rules::parser::RuleAst;
use crate::rules::text::{Fault, Text, nearest};
use ahash::AHashSet;
use pcre2::bytes::{Regex, RegexBuilder};

/// A rule as selectors see it.
#[derive(Copy, Clone)]
pub struct Subject<'a> {
    /// Without the `#` of a rule that is commented out.
    pub text: &'a [u8],
    pub file: &'a str,
    /// In the file, from 1.
    pub line: u32,
    /// `None` where the rule cannot be read: only its text and its place are known then.
    pub ast: Option<&'a RuleAst<'a>>,
    /// What [`id_of`] finds in it.
    pub id: Option<(u32, u32)>,
}

impl<'a> Subject<'a> {
    pub fn new(text: &'a [u8], file: &'a str, line: u32, ast: Option<&'a RuleAst<'a>>) -> Subject<'a> {
        Subject { text, file, line, ast, id: ast.and_then(id_of) }
    }
}

/// An expression that met PCRE's limit on backtracking: whether it is in the text is not known.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the expression gave up")]
pub struct GaveUp;

#[derive(Debug)]
pub enum Selector {
    /// (gid, sid)
    Ids(AHashSet<(u32, u32)>),
    /// Anywhere in the rule, in any case.
    Regex(Regex),
    /// The file's name without its folder, with or without its ending.
    Group(Regex),
    /// The file's whole path.
    Filename(Regex),
    Metadata {
        key: String,
        value: String,
    },
    /// All of these.
    Multi(Vec<Selector>),
}

const PREFIXES: &[&str] = &["re", "group", "filename", "metadata", "multi"];
const FORMS: &str =
    "a sid, gid:sid, re:REGEX, group:FILE, filename:PATH, metadata:KEY VALUE or multi:SELECTOR;SELECTOR";

impl Selector {
    pub fn parse(text: Text<'_>) -> Result<Selector, Fault> {
        let text = text.trim();
        if text.is("*") {
            return Ok(Selector::Regex(regex(Text::new(b".", text.at), true)?));
        }
        let (prefix, rest) = match text.split_once(b':') {
            Some((prefix, rest)) if !prefix.bytes.first().is_none_or(u8::is_ascii_digit) => (prefix, rest),
            _ => return ids(text).map(Selector::Ids),
        };
        if PREFIXES.contains(&prefix.ascii()) && rest.is_empty() {
            return Err(prefix.fault(format!("nothing stands after `{}:`", prefix.lossy())).help(FORMS));
        }
        match prefix.ascii() {
            "re" => Ok(Selector::Regex(regex(rest, true)?)),
            "group" => Ok(Selector::Group(glob(rest)?)),
            "filename" => Ok(Selector::Filename(glob(rest)?)),
            "metadata" => metadata(rest),
            "multi" => multi(prefix, rest),
            word => {
                let fault = prefix.fault(format!("`{}:` selects nothing", prefix.lossy()));
                Err(match nearest(&word.to_ascii_lowercase(), PREFIXES.iter().copied()) {
                    Some(near) => fault.help(format!("did you mean `{near}:`?")),
                    None => fault.help(FORMS),
                })
            }
        }
    }

    pub fn selects(&self, rule: &Subject<'_>) -> Result<bool, GaveUp> {
        match self {
            Selector::Ids(ids) => Ok(rule.id.is_some_and(|id| ids.contains(&id))),
            Selector::Regex(regex) => found(regex, rule.text),
            Selector::Group(regex) => {
                let name = rule.file.rsplit('/').next().unwrap_or(rule.file);
                let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
                Ok(found(regex, name.as_bytes())? || found(regex, stem.as_bytes())?)
            }
            Selector::Filename(regex) => found(regex, rule.file.as_bytes()),
            Selector::Metadata { key, value } => {
                Ok(rule.ast.is_some_and(|ast| has_metadata(ast, key, value)))
            }
            Selector::Multi(all) => {
                for one in all {
                    if !one.selects(rule)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        }
    }
}

/// One level: a selector that held others of its kind would nest as deep as its line is long.
fn multi(prefix: Text<'_>, rest: Text<'_>) -> Result<Selector, Fault> {
    let mut all = Vec::new();
    for part in rest.split(b';').filter(|part| !part.is_empty()) {
        if let Some((inner, _)) = part.split_once(b':').filter(|(word, _)| word.is("multi")) {
            return Err(inner.fault("a `multi:` holds no other").help("put the parts of both into one"));
        }
        all.push(Selector::parse(part)?);
    }
    if all.is_empty() {
        return Err(prefix.fault("nothing stands after `multi:`").help(FORMS));
    }
    Ok(Selector::Multi(all))
}

fn found(regex: &Regex, text: &[u8]) -> Result<bool, GaveUp> {
    regex.is_match(text).map_err(|_| GaveUp)
}

/// A rule's gid (1 unless it says one) and sid.
pub fn id_of(ast: &RuleAst<'_>) -> Option<(u32, u32)> {
    let number = |name| ast.option(name).and_then(|o| o.value)?.ascii().parse().ok();
    Some((number("gid").unwrap_or(1), number("sid")?))
}

fn ids(text: Text<'_>) -> Result<AHashSet<(u32, u32)>, Fault> {
    let number = |part: Text<'_>| {
        small::<u32>(part, u64::from(u32::MAX))
            .map_err(|_| part.fault(format!("`{}` is no selector", part.lossy())).help(FORMS))
    };
    let one = |part: Text<'_>| match part.split_once(b':') {
        Some((gid, sid)) => Ok((number(gid)?, number(sid)?)),
        None => Ok((1, number(part)?)),
    };
    text.split(b',').map(one).collect()
}

fn metadata(text: Text<'_>) -> Result<Selector, Fault> {
    let (key, value) = text.first_word();
    if value.is_empty() {
        let fault = text.fault("metadata is selected by a key and a value");
        return Err(fault.help("for example `metadata: deployment Perimeter`"));
    }
    let lower = |text: Text<'_>| text.lossy().to_ascii_lowercase();
    Ok(Selector::Metadata { key: lower(key), value: lower(value) })
}

fn has_metadata(ast: &RuleAst<'_>, key: &str, value: &str) -> bool {
    let values = ast.options.iter().filter(|option| option.name.is("metadata")).filter_map(|o| o.value);
    let mut pairs = values.flat_map(|value| value.split(b',')).map(Text::first_word);
    pairs.any(|(k, v)| k.lossy().eq_ignore_ascii_case(key) && v.lossy().eq_ignore_ascii_case(value))
}

/// A Perl expression; faults point into it.
pub fn regex(text: Text<'_>, caseless: bool) -> Result<Regex, Fault> {
    let built = RegexBuilder::new().caseless(caseless).jit_if_available(true).build(&text.lossy());
    built.map_err(|error| {
        let at = error.offset().unwrap_or(0).min(text.bytes.len().saturating_sub(1));
        text.sub(at, at + 1).fault(format!("not a regular expression: {}", reason(&error)))
    })
}

/// PCRE2's own words, without its prefix.
fn reason(error: &pcre2::Error) -> String {
    let text = error.to_string();
    text.rsplit(": ").next().unwrap_or(&text).to_owned()
}

/// A shell's wildcards over the whole name: `*`, `?`, `[a-z]`, `[!a-z]`.
fn glob(text: Text<'_>) -> Result<Regex, Fault> {
    let mut expression = String::from("(?s)\\A");
    let word = text.lossy();
    let mut rest = word.chars();
    while let Some(letter) = rest.next() {
        match letter {
            '*' => expression.push_str(".*"),
            '?' => expression.push('.'),
            '[' => {
                let set = rest.as_str();
                let Some(end) = set.char_indices().skip(1).find(|(_, c)| *c == ']').map(|(at, _)| at) else {
                    expression.push_str("\\[");
                    continue;
                };
                let (inside, after) = (&set[..end], &set[end + 1..]);
                let (not, inside) = inside.strip_prefix('!').map_or(("", inside), |rest| ("^", rest));
                if inside.is_empty() {
                    let fault = text.fault("`[!]` excludes no letter");
                    return Err(fault
                        .help("write what it excludes, as in [!a-z], or [[]!] for the letters themselves"));
                }
                let inside = inside.replace('\\', "\\\\").replace('[', "\\[").replace('^', "\\^");
                expression.extend(["[", not, &inside, "]"]);
                rest = after.chars();
            }
            letter if letter.is_ascii_punctuation() => expression.extend(['\\', letter]),
            letter => expression.push(letter),
        }
    }
    expression.push_str("\\z");
    let built = RegexBuilder::new().build(&expression);
    built.map_err(|error| text.fault(format!("no pattern of file names: {}", reason(&error))))
}

#[cfg(test)]
mod tests {
    use super::super::super::parser;
    use super::*;

    const RULE: &str = "alert tcp any any -> any any (msg:\"ET SCAN Heartbleed\"; \
        metadata:deployment Perimeter, created_at 2020_01_01; gid:3; sid:7;)";

    fn selects(selector: &str) -> bool {
        let ast = parser::parse(RULE.as_bytes()).unwrap();
        let subject = Subject::new(RULE.as_bytes(), "/etc/rules/emerging-scan.rules", 1, Some(&ast));
        Selector::parse(Text::new(selector.as_bytes(), 0)).unwrap().selects(&subject).unwrap()
    }

    #[test]
    fn each_form_selects_what_it_says() {
        let table = [
            ("3:7", true),
            ("7", false),
            ("1, 3:7", true),
            ("re:heartbleed", true),
            ("re:^alert.*(?=bleed)", true),
            ("re:ET MALWARE", false),
            ("group:emerging-scan.rules", true),
            ("group:emerging-scan", true),
            ("group:*scan*", true),
            ("group:emerging-[a-r]*", false),
            ("group:emerging-[!a-r]can", true),
            ("group:emerging.scan", false),
            ("group:scan", false),
            ("filename:/etc/*/emerging-????.rules", true),
            ("filename:emerging*", false),
            ("metadata: DEPLOYMENT perimeter", true),
            ("metadata: deployment per", false),
            ("multi:group:emerging-*;re:heartbleed;", true),
            ("multi:group:emerging-*;re:nmap", false),
            ("*", true),
        ];
        for (selector, expected) in table {
            assert_eq!(selects(selector), expected, "{selector}");
        }
    }

    #[test]
    fn what_is_no_selector_is_named_and_pointed_at() {
        let table = [
            ("grp:x", 0, "`grp:` selects nothing"),
            ("heartbleed", 0, "`heartbleed` is no selector"),
            ("12, 1:x", 6, "`x` is no selector"),
            ("re:", 0, "nothing stands after `re:`"),
            ("metadata: key", 10, "metadata is selected by a key and a value"),
            ("", 0, "`` is no selector"),
            ("group:a[!]", 6, "`[!]` excludes no letter"),
            ("multi:;;", 0, "nothing stands after `multi:`"),
            ("multi:1;multi:2", 8, "a `multi:` holds no other"),
        ];
        for (selector, at, message) in table {
            let fault = Selector::parse(Text::new(selector.as_bytes(), 0)).unwrap_err();
            assert_eq!((fault.span.start, fault.message.as_str()), (at, message), "{selector}");
        }
        let deep = "multi:".repeat(200_000);
        let fault = Selector::parse(Text::new(deep.as_bytes(), 0)).unwrap_err();
        assert_eq!((fault.span.start, fault.message.as_str()), (6, "a `multi:` holds no other"));
        let fault = Selector::parse(Text::new(b"re:a(b", 0)).unwrap_err();
        assert!(
            fault.message.starts_with("not a regular expression: ") && fault.span.start >= 3,
            "{fault:?}"
        );
    }
}
