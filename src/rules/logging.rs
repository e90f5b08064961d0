//! `config`: rules that change what is recorded of what they match (docs.suricata.io, "Config Rules").

use super::keyword::choice;
use super::ruleset::{AppCheck, Check, Context, Rule};
use super::text::{Fault, Text};

#[derive(Copy, Clone, PartialEq, Eq)]
enum Unit {
    Transaction,
    Flow,
    Packet,
}

/// `logging disable, type tx, scope tx`: the transaction that it matches gets no record of its own.
pub fn parse(value: Text<'_>) -> Result<(), Fault> {
    let form = |at: Text<'_>, what: &str| {
        at.fault(what).help("for example `config:logging disable, type tx, scope tx;`")
    };
    let (mut kind, mut scope) = (None, None);
    let mut parts = value.split(b',');
    let first = parts.next().unwrap_or(value);
    let (subsystem, verb) = first.first_word();
    let logging = choice(subsystem, &[("logging", true), ("tracking", false)])?;
    if verb.is_empty() {
        return Err(form(first, "`disable` is missing"));
    }
    choice(verb, &[("disable", ())])?;
    let units = [("tx", Unit::Transaction), ("flow", Unit::Flow), ("packet", Unit::Packet)];
    for part in parts {
        let (word, unit) = part.first_word();
        let place = if choice(word, &[("type", true), ("scope", false)])? { &mut kind } else { &mut scope };
        if place.replace((choice(unit, &units)?, unit)).is_some() {
            return Err(word.fault(format!("`{}` is said twice", word.lossy())));
        }
    }
    let Some((kind, of)) = kind else { return Err(form(value, "`type` is missing")) };
    let Some((scope, to)) = scope else { return Err(form(value, "`scope` is missing")) };
    if !logging {
        let fault =
            subsystem.fault("sessions are tracked whatever rules say: this is decided before rules look");
        return Err(
            fault.help("a pair of mode `bypass`, or the input filter of an interface, leaves traffic alone")
        );
    }
    for (unit, at) in [(kind, of), (scope, to)] {
        if unit != Unit::Transaction {
            let fault = at.fault("only records of transactions are switched off by rules");
            return Err(
                fault.help("`type tx, scope tx`; `outputs.eve.types` says which records there are at all")
            );
        }
    }
    Ok(())
}

impl Rule {
    /// Whether it is matched with transactions, not with packets.
    pub fn is_of_transactions(&self) -> bool {
        let of_decoder = |check: &Check| match check {
            Check::App(app) => match &**app {
                AppCheck::Field { .. } | AppCheck::State { .. } => true,
                AppCheck::Event(name) => name.contains('.'),
                AppCheck::Protocol { .. } | AppCheck::Facility(_) => false,
            },
            _ => false,
        };
        let app_buffer = |context: Context| matches!(context, Context::App(_));
        self.buffers.iter().any(|buffer| app_buffer(buffer.context)) || self.checks.iter().any(of_decoder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_done_is_pointed_at() {
        for (value, message, place) in [
            ("logging disable", "`type` is missing", "logging disable"),
            ("logging disable, type tx", "`scope` is missing", "logging disable, type tx"),
            ("logging", "`disable` is missing", "logging"),
            ("logging enable, type tx, scope tx", "`enable` is not known here", "enable"),
            ("loging disable, type tx, scope tx", "`loging` is not known here", "loging"),
            ("logging disable, type tx, scope tx, type tx", "`type` is said twice", "type"),
            (
                "logging disable, type flow, scope flow",
                "only records of transactions are switched off by rules",
                "flow",
            ),
            (
                "tracking disable, type flow, scope packet",
                "sessions are tracked whatever rules say: this is decided before rules look",
                "tracking",
            ),
        ] {
            let fault = parse(Text::new(value.as_bytes(), 0)).unwrap_err();
            assert_eq!((fault.message.as_str(), &value[fault.span.range()]), (message, place), "{value}");
        }
        assert!(parse(Text::new(b"logging disable, type tx, scope tx", 0)).is_ok());
    }
}
