//! Lists as rule headers write them, for addresses and ports alike: `any`, `!`, `[a,b,!c]` nested, `$NAME`.

use super::text::{Fault, Text, nearest};
use std::collections::BTreeMap;

/// Lists and variables nested deeper than this are refused (a variable may name itself).
const MAX_DEPTH: usize = 32;

/// A set that lists are made of.
pub trait Group: Clone + Default {
    /// `address` or `port`.
    const KIND: &'static str;
    /// The same with its article.
    const WANTED: &'static str;
    fn full() -> Self;
    fn union(&self, other: &Self) -> Self;
    fn complement(&self) -> Self;
    fn is_empty(&self) -> bool;
    fn is_full(&self) -> bool;
    /// A single item that is no list, variable or `any`.
    fn item(text: Text<'_>) -> Result<Self, Fault>;

    fn minus(&self, other: &Self) -> Self {
        self.complement().union(other).complement()
    }
}

/// Reads a whole expression. `variables` are those of this kind.
pub fn parse<G: Group>(text: Text<'_>, variables: &BTreeMap<String, String>) -> Result<G, Fault> {
    let set: G = expression(text.trim(), variables, MAX_DEPTH).map_err(|f| f.keyword(G::KIND))?;
    if set.is_empty() {
        return Err(text.fault(format!("no {} is left in this list", G::KIND)).keyword(G::KIND));
    }
    Ok(set)
}

fn expression<G: Group>(text: Text<'_>, vars: &BTreeMap<String, String>, depth: usize) -> Result<G, Fault> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(text.fault("lists and variables are nested too deep"));
    };
    // A list without brackets is a list too: `!5800,!445`.
    if split_outside_brackets(text).len() > 1 {
        return list(text, vars, depth);
    }
    let (negated, rest) = text.negation();
    if negated {
        if rest.is("any") {
            return Err(text.fault(format!("`!any` matches no {}", G::KIND)));
        }
        return Ok(expression::<G>(rest, vars, depth)?.complement());
    }
    match rest.bytes {
        [] => Err(rest.fault(format!("expected {} or a list", G::WANTED))),
        b"any" => Ok(G::full()),
        [b'$', ..] => variable(rest, vars, depth),
        [b'[', inner @ .., b']'] => list(Text::new(inner, rest.at + 1), vars, depth),
        [b'[', ..] => Err(rest.sub(0, 1).fault("this `[` is never closed")),
        _ => G::item(rest),
    }
}

fn variable<G: Group>(text: Text<'_>, vars: &BTreeMap<String, String>, depth: usize) -> Result<G, Fault> {
    let name = text.from(1);
    let Some(value) = vars.get(&*name.lossy()) else {
        let fault = text.fault(format!("the {} variable `{}` is not defined", G::KIND, text.lossy()));
        return Err(match nearest(&name.lossy(), vars.keys().map(String::as_str)) {
            Some(near) => fault.help(format!("did you mean `${near}`?")),
            None => fault.help("define it in the configuration's variables"),
        });
    };
    // A fault inside the variable points at its use: the value stands in another file.
    let inside = |f: Fault| text.fault(format!("in `{}` = `{value}`: {}", text.lossy(), f.message));
    expression(Text::new(value.as_bytes(), 0).trim(), vars, depth).map_err(inside)
}

fn list<G: Group>(text: Text<'_>, vars: &BTreeMap<String, String>, depth: usize) -> Result<G, Fault> {
    let (mut wanted, mut unwanted): (Vec<G>, Vec<G>) = (Vec::new(), Vec::new());
    for part in split_outside_brackets(text) {
        match part.negation() {
            (true, rest) if rest.is("any") => {
                return Err(part.fault(format!("`!any` matches no {}", G::KIND)));
            }
            (true, rest) => unwanted.push(expression(rest, vars, depth)?),
            (false, _) => wanted.push(expression(part, vars, depth)?),
        }
    }
    let yes = if wanted.is_empty() { G::full() } else { union_all(wanted) };
    Ok(if unwanted.is_empty() { yes } else { yes.minus(&union_all(unwanted)) })
}

/// Unions pairwise, so that a long list costs n log n.
fn union_all<G: Group>(mut sets: Vec<G>) -> G {
    while sets.len() > 1 {
        sets = sets
            .chunks(2)
            .map(|pair| match pair {
                [a, b] => a.union(b),
                _ => pair.first().cloned().unwrap_or_default(),
            })
            .collect();
    }
    sets.pop().unwrap_or_default()
}

/// The parts between commas that stand in no bracket.
pub(super) fn split_outside_brackets(text: Text<'_>) -> Vec<Text<'_>> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0i32);
    for (at, byte) in text.bytes.iter().enumerate() {
        match byte {
            b'[' => depth += 1,
            b']' => depth -= 1,
            b',' if depth == 0 => {
                parts.push(text.sub(start, at).trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text.from(start).trim());
    parts
}
