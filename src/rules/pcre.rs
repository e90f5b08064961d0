//! `pcre:` expressions -> a compiled engine: linear time where the syntax means the same in both, PCRE2 where not.
//!
//! The evaluator searches a slice that begins where the search may begin, so `^` and `\A` are that place (Suricata
//! treats `/R` so).

use super::ruleset::{PcreFlags, Regex};
use regex_automata::MatchKind;
use regex_automata::hybrid::dfa::{self, DFA};
use regex_automata::meta;
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::util::{prefilter::Prefilter, syntax};
use std::borrow::Cow;

/// Suricata's stock `pcre.match-limit` and `pcre.match-limit-recursion`: past them an expression does not match.
const MATCH_LIMIT: u32 = 3500;
const DEPTH_LIMIT: u32 = 1500;

/// Memory one linear expression may take, bytes; a larger one goes to PCRE2. The second bound is that of the states a
/// worker keeps of it: past it they are found anew.
const NFA_SIZE_LIMIT: usize = 1 << 20;
const CACHE_LIMIT: usize = 1 << 17;

/// What PCRE2 says of the expression when neither engine takes it, and at which byte.
#[derive(Clone, Debug)]
pub struct BadExpression {
    pub message: String,
    pub at: Option<usize>,
}

/// For its matches as a whole: groups are not told.
pub fn compile(expression: &str, flags: PcreFlags, unlimited: bool) -> Result<Regex, BadExpression> {
    let linear = same_in_both(expression, flags).then(|| linear(expression, flags)).flatten();
    linear.map_or_else(|| backtracking(expression, flags, unlimited), |dfa| Ok(Regex::Linear(Box::new(dfa))))
}

/// How many parts the expression captures, as far as it can be compiled.
pub fn groups(expression: &str) -> Option<usize> {
    compile_with_groups(expression).ok().map(|regex| regex.captures_len().saturating_sub(1))
}

/// For what its groups capture as well, which costs memory.
pub fn compile_with_groups(expression: &str) -> Result<Regex, BadExpression> {
    let flags = PcreFlags::default();
    let capturing = same_in_both(expression, flags).then(|| capturing(expression, flags)).flatten();
    capturing.map_or_else(|| backtracking(expression, flags, false), |regex| Ok(Regex::Capturing(regex)))
}

impl Regex {
    /// The whole match and its groups.
    pub fn captures_len(&self) -> usize {
        match self {
            Regex::Linear(_) => 1,
            Regex::Capturing(regex) => regex.captures_len(),
            Regex::Backtracking(regex) => regex.captures_len(),
        }
    }
}

fn backtracking(expression: &str, flags: PcreFlags, unlimited: bool) -> Result<Regex, BadExpression> {
    let mut pattern = String::new();
    if !unlimited {
        pattern = format!("(*LIMIT_MATCH={MATCH_LIMIT})(*LIMIT_DEPTH={DEPTH_LIMIT})");
    }
    pattern.push_str(if flags.ungreedy { "(?U)" } else { "" });
    let prefix = pattern.len() + if flags.anchored { 5 } else { 0 };
    // The newline ends a comment that /x allows.
    let wrapped = if flags.anchored {
        format!(r"\A(?:{expression}{})", "\n".repeat(usize::from(flags.extended)))
    } else {
        expression.to_owned()
    };
    pattern.push_str(&wrapped);
    pcre2::bytes::RegexBuilder::new()
        .caseless(flags.case_insensitive)
        .multi_line(flags.multi_line)
        .dotall(flags.dot_all)
        .extended(flags.extended)
        .utf(false)
        .jit_if_available(true)
        .build(&pattern)
        .map(Regex::Backtracking)
        .map_err(|e| BadExpression {
            message: reason(&e.to_string()),
            at: e.offset().map(|at| at.saturating_sub(prefix).min(expression.len())),
        })
}

/// PCRE2's own words, without its prefix.
fn reason(text: &str) -> String {
    text.rsplit(": ").next().unwrap_or(text).to_owned()
}

fn syntax(flags: PcreFlags) -> syntax::Config {
    syntax::Config::new()
        .unicode(false)
        .utf8(false)
        .case_insensitive(flags.case_insensitive)
        .multi_line(flags.multi_line)
        .dot_matches_new_line(flags.dot_all)
        .swap_greed(flags.ungreedy)
}

fn anchored(expression: &str, flags: PcreFlags) -> Cow<'_, str> {
    if flags.anchored { format!(r"\A(?:{expression})").into() } else { expression.into() }
}

/// Only what tells the end of a match: where a rule set has a hundred thousand expressions, each byte of one counts.
fn linear(expression: &str, flags: PcreFlags) -> Option<DFA> {
    let hir = syntax::parse_with(&anchored(expression, flags), &syntax(flags)).ok()?;
    let limits = thompson::Config::new()
        .utf8(false)
        .which_captures(WhichCaptures::Implicit)
        .nfa_size_limit(Some(NFA_SIZE_LIMIT));
    let nfa = NFA::compiler().configure(limits).build_from_hir(&hir).ok()?;
    // What is tied to the start is looked for nowhere else.
    let tied = hir.properties().look_set_prefix().contains_anchor_haystack();
    let prefilter = if tied { None } else { Prefilter::from_hir_prefix(MatchKind::LeftmostFirst, &hir) };
    let config = dfa::Config::new()
        .cache_capacity(CACHE_LIMIT)
        .skip_cache_capacity_check(true)
        .specialize_start_states(prefilter.is_some())
        .prefilter(prefilter);
    DFA::builder().configure(config).build_from_nfa(nfa).ok()
}

fn capturing(expression: &str, flags: PcreFlags) -> Option<meta::Regex> {
    let limits = meta::Config::new()
        .utf8_empty(false)
        .which_captures(WhichCaptures::All)
        .nfa_size_limit(Some(NFA_SIZE_LIMIT))
        .hybrid_cache_capacity(CACHE_LIMIT)
        .dfa(false)
        .onepass(false);
    meta::Builder::new().syntax(syntax(flags)).configure(limits).build(&anchored(expression, flags)).ok()
}

/// Whether regex-syntax, if it takes the expression at all, means by it what PCRE means. When in doubt, no.
fn same_in_both(expression: &str, flags: PcreFlags) -> bool {
    let bytes = expression.as_bytes();
    // PCRE keeps blanks in a class under /x; a byte above 127 is one byte there and a character here.
    if flags.extended || !expression.is_ascii() {
        return false;
    }
    let dollar_is_end = flags.dollar_end_only || flags.multi_line;
    let (mut at, mut in_class) = (0, false);
    while let Some(&byte) = bytes.get(at) {
        let next = bytes.get(at + 1).copied().unwrap_or(0);
        let fine = match byte {
            b'\\' => {
                at += 1;
                // \v is a class in PCRE; \< \> are word ends here; \Z, \h, \K, octals and back references are not taken here.
                !matches!(next, b'v' | b'<' | b'>' | b'b' if next != b'b' || in_class || bytes.get(at + 1) == Some(&b'{'))
            }
            // A class within a class, and set operations, exist only here.
            b'[' if in_class => next == b':',
            b'&' | b'-' | b'~' if in_class => next != byte,
            b'[' => {
                in_class = true;
                at += usize::from(next == b'^');
                at += usize::from(bytes.get(at + 1) == Some(&b']'));
                true
            }
            b']' if in_class => {
                // The end of [:alpha:] is not the end of the class.
                in_class = at > 0 && bytes[at - 1] == b':' && posix_open(bytes, at);
                true
            }
            // PCRE's $ also stands before a last newline.
            b'$' if !in_class => dollar_is_end,
            // Possessive in PCRE, repetition of a repetition here.
            b'+' | b'*' | b'?' | b'}' if !in_class => next != b'+',
            b'(' if !in_class => next != b'?' || inline_is_same(&bytes[at + 2..]),
            _ => true,
        };
        if !fine {
            return false;
        }
        at += 1;
    }
    true
}

fn posix_open(bytes: &[u8], end: usize) -> bool {
    let name_start = bytes[..end - 1].iter().rposition(|b| !b.is_ascii_lowercase() && *b != b'^');
    name_start.is_some_and(|at| at > 0 && bytes[at] == b':' && bytes[at - 1] == b'[')
}

/// Groups that both know alike. `(?i` and its like, but x changes what blanks mean and m what `$` means.
fn inline_is_same(rest: &[u8]) -> bool {
    match rest {
        [b':', ..] => true,
        [b'i' | b's' | b'-', ..] => {
            rest.iter().take_while(|b| !matches!(b, b')' | b':')).all(|b| b"is-".contains(b))
        }
        [b'P', b'<', ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex_automata::nfa::thompson::pikevm::PikeVM;

    fn build(expression: &str, letters: &str) -> Result<Regex, BadExpression> {
        let flags = PcreFlags {
            case_insensitive: letters.contains('i'),
            multi_line: letters.contains('m'),
            dot_all: letters.contains('s'),
            extended: letters.contains('x'),
            anchored: letters.contains('A'),
            dollar_end_only: letters.contains('E'),
            ungreedy: letters.contains('G'),
        };
        compile(expression, flags, false)
    }

    fn find(expression: &str, letters: &str, subject: &[u8]) -> Option<(usize, usize)> {
        match build(expression, letters).unwrap_or_else(|e| panic!("{expression}: {}", e.message)) {
            Regex::Linear(dfa) => {
                let input = regex_automata::Input::new(subject);
                let end = dfa.try_search_fwd(&mut dfa.create_cache(), &input).unwrap()?.offset();
                let vm = PikeVM::new_from_nfa(dfa.get_nfa().clone()).unwrap();
                let whole = vm.find(&mut vm.create_cache(), subject).unwrap();
                assert_eq!(whole.end(), end, "{expression}");
                Some((whole.start(), end))
            }
            Regex::Capturing(_) => None,
            Regex::Backtracking(regex) => regex.find(subject).unwrap().map(|m| (m.start(), m.end())),
        }
    }

    #[test]
    fn flags_mean_what_pcre_means() {
        assert_eq!(find("b+", "i", b"aBB"), Some((1, 3)));
        assert_eq!(find("^b", "", b"a\nb"), None);
        assert_eq!(find("^b", "m", b"a\nb"), Some((2, 3)));
        assert_eq!(find("a.b", "", b"a\nb"), None);
        assert_eq!(find("a.b", "s", b"a\nb"), Some((0, 3)));
        assert_eq!(find("a b # c", "x", b"ab"), Some((0, 2)));
        assert_eq!(find("a b # c", "xA", b"ab"), Some((0, 2)));
        assert_eq!(find("b", "A", b"ab"), None);
        assert_eq!(find("a$", "", b"a\n"), Some((0, 1)));
        assert_eq!(find("a$", "E", b"a\n"), None);
        assert_eq!(find("a+", "G", b"aaa"), Some((0, 1)));
        assert_eq!(find(r"\xff[\x80-\xfe]", "", b"\xff\x90"), Some((0, 2)));
    }

    #[test]
    fn what_differs_between_the_engines_goes_to_pcre2() {
        for expression in
            [r"(a)\1", "(?=a)a", "a++b", "[[]", "[a&&b]", "a$", r"\va", "(?>a)", r"\<a", "[^]a]++"]
        {
            assert!(matches!(build(expression, ""), Ok(Regex::Backtracking(_))), "{expression}");
        }
        for expression in
            [r"a\s*b", "[[:alpha:]x]+", "[]a]", r"\x2f\/x", "(?:a|b){2,3}?", "(?P<n>a)", "(?i)a"]
        {
            assert!(matches!(build(expression, ""), Ok(Regex::Linear(_))), "{expression}");
        }
        assert_eq!(find("[[]", "", b"a["), Some((1, 2)));
    }

    #[test]
    fn a_bad_expression_is_told_with_its_place() {
        let bad = build("ab(c", "").unwrap_err();
        assert_eq!((bad.message.as_str(), bad.at), ("missing closing parenthesis", Some(4)));
    }
}
