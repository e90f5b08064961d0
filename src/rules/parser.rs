//! One rule's text -> its parts, each with its place: header words and options. What they mean is for
//! [`keyword`](super::keyword) and [`compile`](super::compile).

use super::text::{Fault, Text};

/// The parts of one rule.
#[derive(Clone, Debug)]
pub struct RuleAst<'a> {
    pub action: Text<'a>,
    pub protocol: Text<'a>,
    pub src: Text<'a>,
    pub src_ports: Text<'a>,
    pub direction: Text<'a>,
    pub dst: Text<'a>,
    pub dst_ports: Text<'a>,
    pub options: Vec<RuleOption<'a>>,
}

/// `name;` or `name:value;`. The value is as written, quotes and escapes included.
#[derive(Copy, Clone, Debug)]
pub struct RuleOption<'a> {
    pub name: Text<'a>,
    pub value: Option<Text<'a>>,
}

impl<'a> RuleAst<'a> {
    pub fn option(&self, name: &str) -> Option<&RuleOption<'a>> {
        self.options.iter().find(|o| o.name.is(name))
    }

    /// What the rule says of its sid, for diagnostics of rules that are refused before it is looked at.
    pub fn sid(&self) -> Option<u32> {
        self.option("sid").and_then(|o| o.value)?.ascii().parse().ok()
    }
}

/// Reads the header's words, then the options.
pub fn parse(line: &[u8]) -> Result<RuleAst<'_>, Fault> {
    let text = Text::new(line, 0);
    if let Some(at) = memchr::memchr(0, line) {
        let fault = text.sub(at, at + 1).fault("a NUL byte stands here, and a rule is text");
        return Err(fault.keyword("text").help("in a `content` write it as |00|"));
    }
    foreign(text)?;
    let mut header = Header { text: Text::new(line, 0), at: 0 };
    let action = header.word("action", "an action (alert, pass, drop, reject)")?;
    let protocol = header.word("protocol", "a protocol")?;
    let src = header.word("address", "a source address")?;
    let src_ports = header.word("port", "a source port")?;
    let direction = header.arrow()?;
    let dst = header.word("address", "a destination address")?;
    let dst_ports = header.word("port", "a destination port")?;
    let options = options(header.body()?)?;
    Ok(RuleAst { action, protocol, src, src_ports, direction, dst, dst_ports, options })
}

/// First words of lines that rule files do not have, and where such lines belong.
const FOREIGN: &[(&str, &str)] = &[
    ("include", "name the file in `rules.files`, or behind -s or -S, where wildcards may stand"),
    ("var", VARIABLES),
    ("ipvar", VARIABLES),
    ("portvar", VARIABLES),
    ("preprocessor", SNORT),
    ("dynamicpreprocessor", SNORT),
    ("output", "outputs are the configuration's: `outputs.eve`, `outputs.fast`"),
    ("suppress", THRESHOLDS),
    ("event_filter", THRESHOLDS),
    ("threshold", THRESHOLDS),
    ("rate_filter", THRESHOLDS),
];
const VARIABLES: &str = "variables are the configuration's: `vars.address` and `vars.port`";
const SNORT: &str = "it is of Snort's configuration, and Weir's decoders need none";
const THRESHOLDS: &str = "it belongs into a file of `rules.threshold`, or of --threshold-file";

/// A line of another file than one of rules.
fn foreign(line: Text<'_>) -> Result<(), Fault> {
    let (word, rest) = line.first_word();
    let of_lists = ["classification:", "reference:"].into_iter().find(|kind| rest.strip(kind).is_some());
    let help = match of_lists.filter(|_| word.is("config")) {
        Some("classification:") => "it belongs into the file of `rules.classification`",
        Some(_) => "it belongs into the file of `rules.reference`",
        None => match FOREIGN.iter().find(|(known, _)| word.is(known)) {
            Some((_, help)) => help,
            None => return Ok(()),
        },
    };
    let fault = word.fault(format!("rule files have no lines of `{}`", word.lossy()));
    Err(fault.keyword(word.ascii()).help(help))
}

struct Header<'a> {
    text: Text<'a>,
    at: usize,
}

impl<'a> Header<'a> {
    fn skip_blanks(&mut self) {
        while self.text.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    /// A word ends at a blank outside brackets, or where the options begin.
    fn word(&mut self, part: &str, wanted: &str) -> Result<Text<'a>, Fault> {
        self.skip_blanks();
        let start = self.at;
        let mut depth = 0u32;
        while let Some(&byte) = self.text.bytes.get(self.at) {
            match byte {
                b'[' => depth += 1,
                b']' => depth = depth.saturating_sub(1),
                b'(' => break,
                _ if byte.is_ascii_whitespace() && depth == 0 => break,
                _ => {}
            }
            self.at += 1;
        }
        let word = self.text.sub(start, self.at).trim();
        if word.is_empty() {
            let here = self.text.sub(start, (start + 1).min(self.text.bytes.len()));
            return Err(here.fault(format!("expected {wanted} here")).keyword(part).help(FORM));
        }
        if depth > 0 {
            return Err(word.sub(0, 1).fault("this `[` is never closed").keyword(part));
        }
        Ok(word)
    }

    /// The direction. Where an arrow stands one word too early or too late, a part before it is missing or too much.
    fn arrow(&mut self) -> Result<Text<'a>, Fault> {
        let is_arrow = |word: Text<'_>| matches!(word.bytes, b"->" | b"<>" | b"=>" | b"<-");
        let direction = self.word("direction", "a direction (`->` or `<>`)")?;
        if is_arrow(direction) {
            return Ok(direction);
        }
        if direction.bytes.iter().all(|byte| b"<>=-".contains(byte)) {
            let fault = direction.fault(format!("`{}` is no direction", direction.lossy()));
            return Err(fault.keyword("direction").help("`->`, `<>` or `=>`"));
        }
        let fault = direction.fault(format!("expected `->` or `<>` here, not `{}`", direction.lossy()));
        Err(fault.keyword("direction").help(FORM))
    }

    /// What stands between the parentheses.
    fn body(&mut self) -> Result<Text<'a>, Fault> {
        self.skip_blanks();
        let rest = self.text.from(self.at);
        if rest.bytes.first() != Some(&b'(') {
            return Err(rest
                .sub(0, rest.bytes.len().min(1))
                .fault("expected `(` and the options")
                .help(FORM));
        }
        if rest.bytes.last() != Some(&b')') {
            let end = rest.from(rest.bytes.len() - 1);
            return Err(end.fault("the rule does not end in `)`"));
        }
        Ok(rest.sub(1, rest.bytes.len() - 1))
    }
}

const FORM: &str = "a rule is: action protocol address port direction address port (options)";

fn options(body: Text<'_>) -> Result<Vec<RuleOption<'_>>, Fault> {
    let mut options = Vec::with_capacity(16);
    let mut rest = body.trim();
    while !rest.is_empty() {
        let Some(end) = option_end(rest.bytes) else {
            if rest.bytes.iter().all(|byte| *byte == b')') {
                return Err(rest.fault("a `)` too many"));
            }
            return Err(last_word(rest).fault("this option does not end in `;`"));
        };
        let text = rest.sub(0, end).trim();
        rest = rest.from(end + 1).trim();
        if text.is_empty() {
            continue;
        }
        let option = match text.split_once(b':') {
            Some((name, value)) => RuleOption { name, value: Some(value) },
            None => RuleOption { name: text, value: None },
        };
        if option.name.is_empty() {
            return Err(text.fault("an option without a name"));
        }
        options.push(option);
    }
    Ok(options)
}

/// The first `;` that no backslash stands before.
fn option_end(bytes: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b';', bytes).find(|&at| at == 0 || bytes[at - 1] != b'\\')
}

fn last_word(text: Text<'_>) -> Text<'_> {
    let end = text.bytes.iter().position(|&b| b == b':').unwrap_or(text.bytes.len());
    text.sub(0, end).trim()
}
