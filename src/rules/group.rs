//! Lists as rule headers write them, for addresses and ports alike: `any`, `!`, `[a,b,!c]` nested, `$NAME`.

use super::text::{Fault, Text, nearest};
use std::cell::Cell;
use std::collections::BTreeMap;

/// Lists and variables nested deeper than this are refused.
const MAX_DEPTH: usize = 32;
/// Parts of one expression, those of its variables each time they are named: variables that name others twice double them.
const MAX_PARTS: u32 = 1 << 20;

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
    let left = Cell::new(MAX_PARTS);
    let scope = Scope { variables, left: &left, inside: None, depth: MAX_DEPTH };
    let set: G = expression(text.trim(), &scope).map_err(|f| f.keyword(G::KIND))?;
    if set.is_empty() {
        return Err(text.fault(format!("no {} is left in this list", G::KIND)).keyword(G::KIND));
    }
    Ok(set)
}

/// What is known where a part is read.
#[derive(Copy, Clone)]
struct Scope<'a> {
    variables: &'a BTreeMap<String, String>,
    /// Parts that may still be read.
    left: &'a Cell<u32>,
    /// The variable that the part is of, and those that led to it.
    inside: Option<Inside<'a>>,
    depth: usize,
}

#[derive(Copy, Clone)]
struct Inside<'a> {
    name: &'a str,
    /// Where it was named.
    scope: &'a Scope<'a>,
}

impl<'a> Scope<'a> {
    /// The scope of a part of the part, or a fault that names the bound.
    fn within(&self, text: Text<'_>) -> Result<Scope<'a>, Fault> {
        let depth = self.depth.checked_sub(1);
        let depth = depth.ok_or_else(|| text.fault("lists and variables are nested too deep"))?;
        let left = self.left.get().checked_sub(1);
        self.left.set(left.ok_or_else(|| text.fault(format!("this comes to more than {MAX_PARTS} parts")))?);
        Ok(Scope { depth, ..*self })
    }

    /// The variables from `name` to here, if `name` is one of them: `$A -> $B`.
    fn way_from(&self, name: &str) -> Option<String> {
        let mut way = Vec::new();
        let mut scope = Some(self);
        while let Some(Inside { name: outer, scope: next }) = scope.and_then(|scope| scope.inside) {
            way.push(format!("${outer}"));
            if outer == name {
                way.reverse();
                return Some(way.join(" -> "));
            }
            scope = Some(next);
        }
        None
    }
}

fn expression<G: Group>(text: Text<'_>, scope: &Scope<'_>) -> Result<G, Fault> {
    let scope = &scope.within(text)?;
    // A list without brackets is a list too: `!5800,!445`.
    if split_outside_brackets(text).len() > 1 {
        return list(text, scope);
    }
    let (negated, rest) = text.negation();
    if negated {
        if rest.is("any") {
            return Err(text.fault(format!("`!any` matches no {}", G::KIND)));
        }
        return Ok(expression::<G>(rest, scope)?.complement());
    }
    match rest.bytes {
        [] => Err(rest.fault(format!("expected {} or a list", G::WANTED))),
        b"any" => Ok(G::full()),
        [b'$', ..] => variable(rest, scope),
        [b'[', inner @ .., b']'] => list(Text::new(inner, rest.at + 1), scope),
        [b'[', ..] => Err(rest.sub(0, 1).fault("this `[` is never closed")),
        _ => G::item(rest),
    }
}

fn variable<G: Group>(text: Text<'_>, scope: &Scope<'_>) -> Result<G, Fault> {
    let (name, vars) = (text.from(1), scope.variables);
    let Some((name, value)) = vars.get_key_value(&*name.lossy()) else {
        let fault = text.fault(format!("the {} variable `{}` is not defined", G::KIND, text.lossy()));
        return Err(match nearest(&name.lossy(), vars.keys().map(String::as_str)) {
            Some(near) => fault.help(format!("did you mean `${near}`?")),
            None => fault.help("define it in the configuration's variables"),
        });
    };
    if let Some(way) = scope.way_from(name) {
        let fault = text.fault(format!("the {} variable `${name}` names itself: {way} -> ${name}", G::KIND));
        return Err(fault
            .keyword(G::KIND)
            .help("take one of these names out of the configuration's variables"));
    }
    let within = Scope { inside: Some(Inside { name, scope }), ..*scope };
    // A fault inside the variable points at its use: the value stands in another file. Only the innermost is told: a fault
    // that is told has its keyword.
    let inside = |fault: Fault| match &fault.keyword {
        Some(_) => Fault { span: text.span(), ..fault },
        None => text.fault(format!("in `${name}` = `{value}`: {}", fault.message)).keyword(G::KIND),
    };
    expression(Text::new(value.as_bytes(), 0).trim(), &within).map_err(inside)
}

fn list<G: Group>(text: Text<'_>, scope: &Scope<'_>) -> Result<G, Fault> {
    let (mut wanted, mut unwanted): (Vec<G>, Vec<G>) = (Vec::new(), Vec::new());
    for part in split_outside_brackets(text) {
        match part.negation() {
            (true, rest) if rest.is("any") => {
                return Err(part.fault(format!("`!any` matches no {}", G::KIND)));
            }
            (true, rest) => unwanted.push(expression(rest, scope)?),
            (false, _) => wanted.push(expression(part, scope)?),
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

#[cfg(test)]
mod tests {
    use super::super::ruleset::AddrSet;
    use super::*;

    fn fault(text: &str, variables: &[(&str, &str)]) -> Fault {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        let variables = variables.iter().map(owned).collect();
        parse::<AddrSet>(Text::new(text.as_bytes(), 0), &variables).map(drop).unwrap_err()
    }

    #[test]
    fn a_variable_that_names_itself_is_told_with_the_way_round() {
        let fault_of = fault("$A", &[("A", "$A")]);
        assert_eq!(fault_of.message, "the address variable `$A` names itself: $A -> $A");
        let round = [("A", "[10.0.0.1,$B]"), ("B", "!$C"), ("C", "$B")];
        let fault_of = fault("[10.0.0.2,$A]", &round);
        assert_eq!(fault_of.message, "the address variable `$B` names itself: $B -> $C -> $B");
        assert_eq!(fault_of.span, Text::new(b"$A", 10).span());
    }

    #[test]
    fn the_innermost_variable_at_fault_is_named_once() {
        let fault = fault("$A", &[("A", "$B"), ("B", "10.0.0.300")]);
        assert_eq!(fault.message, "in `$B` = `10.0.0.300`: `10.0.0.300` is not an IP address");
    }

    #[test]
    fn variables_that_double_each_other_are_bounded() {
        let names: Vec<(String, String)> =
            (0..30).map(|n| (format!("V{n}"), format!("[$V{0},$V{0},$V{0},$V{0}]", n + 1))).collect();
        let mut variables: Vec<(&str, &str)> = names.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        variables.push(("V30", "10.0.0.1"));
        assert!(fault("$V16", &variables).message.ends_with("this comes to more than 1048576 parts"));
    }
}
