//! The kinds of values: numbers in a range, words, durations, sizes, texts, lists of them.

mod size;

pub use size::{AtLeast, Bytes};

use super::fault::nearest;
use super::kind::Kind;
use super::visit::Value;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;
use toml::de::DeValue;

fn found(toml: &DeValue<'_>) -> String {
    match toml {
        DeValue::String(s) => format!("the text {s:?}"),
        DeValue::Integer(n) => format!("the number {n}"),
        DeValue::Float(n) => format!("the number {}", n.as_str()),
        DeValue::Boolean(b) => format!("{b}"),
        DeValue::Datetime(_) => "a date".into(),
        DeValue::Array(_) => "a list".into(),
        DeValue::Table(_) => "a table".into(),
    }
}

fn expected<T>(what: &str, toml: &DeValue<'_>) -> Result<T, String> {
    Err(format!("expected {what}, found {}", found(toml)))
}

/// A TOML basic string.
pub fn quoted(text: &str) -> String {
    // JSON's escapes are a subset of TOML's.
    serde_json::Value::from(text).to_string()
}

impl Value for bool {
    fn read(&mut self, toml: &DeValue<'_>) -> Result<(), String> {
        match toml {
            DeValue::Boolean(b) => *self = *b,
            other => return expected("true or false", other),
        }
        Ok(())
    }

    fn write(&self) -> String {
        self.to_string()
    }

    fn kind(&self) -> Kind {
        Kind::Boolean
    }
}

impl Value for String {
    fn read(&mut self, toml: &DeValue<'_>) -> Result<(), String> {
        match toml {
            DeValue::String(s) => *self = s.to_string(),
            other => return expected("a text in quotes", other),
        }
        Ok(())
    }

    fn write(&self) -> String {
        quoted(self)
    }

    fn kind(&self) -> Kind {
        Kind::Text
    }
}

impl Value for PathBuf {
    fn read(&mut self, toml: &DeValue<'_>) -> Result<(), String> {
        match toml {
            DeValue::String(s) => *self = PathBuf::from(s.as_ref()),
            other => return expected("a path in quotes", other),
        }
        Ok(())
    }

    fn write(&self) -> String {
        quoted(&self.to_string_lossy())
    }

    fn kind(&self) -> Kind {
        Kind::Path
    }
}

/// A list of values of one kind; the fault names the entry.
impl<T: Value + Default> Value for Vec<T> {
    fn read(&mut self, toml: &DeValue<'_>) -> Result<(), String> {
        let DeValue::Array(entries) = toml else {
            return expected("a list, [ ... ]", toml);
        };
        let mut list = Vec::with_capacity(entries.len());
        for (i, entry) in entries.iter().enumerate() {
            let mut value = T::default();
            value.read(entry.get_ref()).map_err(|m| format!("entry {}: {m}", i + 1))?;
            list.push(value);
        }
        *self = list;
        Ok(())
    }

    fn write(&self) -> String {
        format!("[{}]", self.iter().map(Value::write).collect::<Vec<_>>().join(", "))
    }

    fn kind(&self) -> Kind {
        Kind::List(Box::new(T::default().kind()))
    }
}

/// Numbers that fit `i128`.
pub trait Number: Copy + TryFrom<i128> + Into<i128> + std::fmt::Display {}
impl<T: Copy + TryFrom<i128> + Into<i128> + std::fmt::Display> Number for T {}

/// A number and the range it must keep to.
pub struct Within<'a, T>(pub &'a mut T, pub RangeInclusive<T>);

impl<'a, T> Within<'a, T> {
    /// Says what is counted.
    pub fn of(self, unit: &'static str) -> Counted<'a, T> {
        Counted(self, unit)
    }
}

/// A number of something.
pub struct Counted<'a, T>(Within<'a, T>, &'static str);

impl<T: Number> Value for Counted<'_, T> {
    fn read(&mut self, toml: &DeValue<'_>) -> Result<(), String> {
        self.0.read(toml)
    }

    fn write(&self) -> String {
        self.0.write()
    }

    fn kind(&self) -> Kind {
        match self.0.kind() {
            Kind::Number { low, high, .. } => Kind::Number { low, high, unit: self.1 },
            kind => kind,
        }
    }
}

fn integer(toml: &DeValue<'_>) -> Option<i128> {
    match toml {
        DeValue::Integer(n) => i128::from_str_radix(n.as_str(), n.radix()).ok(),
        _ => None,
    }
}

impl<T: Number> Value for Within<'_, T> {
    fn read(&mut self, toml: &DeValue<'_>) -> Result<(), String> {
        let (low, high): (i128, i128) = ((*self.1.start()).into(), (*self.1.end()).into());
        let value = integer(toml).filter(|n| (low..=high).contains(n));
        match value.and_then(|n| T::try_from(n).ok()) {
            Some(n) => *self.0 = n,
            None => return expected(&format!("a number from {low} to {high}"), toml),
        }
        Ok(())
    }

    fn write(&self) -> String {
        self.0.to_string()
    }

    fn kind(&self) -> Kind {
        Kind::Number { low: (*self.1.start()).into(), high: (*self.1.end()).into(), unit: "" }
    }
}

impl Value for u32 {
    fn read(&mut self, toml: &DeValue<'_>) -> Result<(), String> {
        Within(self, 0..=u32::MAX).read(toml)
    }

    fn write(&self) -> String {
        self.to_string()
    }

    fn kind(&self) -> Kind {
        Kind::Number { low: 0, high: u32::MAX.into(), unit: "" }
    }
}

/// A value, or "auto": chosen at start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Auto<T> {
    #[default]
    Auto,
    Set(T),
}

impl<T: Value + Default> Value for Auto<T> {
    fn read(&mut self, toml: &DeValue<'_>) -> Result<(), String> {
        if matches!(toml, DeValue::String(s) if s == "auto") {
            *self = Auto::Auto;
            return Ok(());
        }
        let mut value = T::default();
        value.read(toml).map_err(|m| m.replacen("expected ", "expected \"auto\" or ", 1))?;
        *self = Auto::Set(value);
        Ok(())
    }

    fn write(&self) -> String {
        match self {
            Auto::Auto => quoted("auto"),
            Auto::Set(value) => value.write(),
        }
    }

    fn kind(&self) -> Kind {
        Kind::Auto(Box::new(T::default().kind()))
    }
}

const SPANS: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// `"30s"`, `"500ms"`, `"1h"`.
pub fn parse_span(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, millis) = SPANS.iter().find(|(name, _)| *name == unit.trim())?;
    number.parse::<u64>().ok()?.checked_mul(*millis).map(Duration::from_millis)
}

/// No time that is set is longer.
const LONGEST_SPAN: Duration = Duration::from_secs(366 * 86_400);

/// For people: in the largest unit that it is a number of.
pub fn spell_span(span: Duration) -> String {
    let millis = span.as_millis();
    let fits = |(_, unit): &&(&str, u64)| millis > 0 && millis.is_multiple_of(u128::from(*unit));
    let (name, unit) = SPANS.iter().rev().find(fits).unwrap_or(&SPANS[0]);
    match (*name, millis / u128::from(*unit)) {
        ("d", 1) => "1 day".to_owned(),
        ("d", days) => format!("{days} days"),
        (name, number) => format!("{number}{name}"),
    }
}

pub fn write_span(span: Duration) -> String {
    let millis = span.as_millis();
    let fits = |(_, unit): &&(&str, u64)| millis > 0 && millis.is_multiple_of(u128::from(*unit));
    // Hours and minutes only for round ones: "3600s" reads better beside "30s" than a mix would.
    let (name, unit) = SPANS[..2].iter().rev().find(fits).unwrap_or(&SPANS[0]);
    format!("{}{name}", millis / u128::from(*unit))
}

impl Value for Duration {
    fn read(&mut self, toml: &DeValue<'_>) -> Result<(), String> {
        let span = match toml {
            DeValue::String(s) => parse_span(s),
            _ => None,
        };
        match span {
            Some(span) if span > LONGEST_SPAN => {
                return Err(format!("a time of at most {} goes here", spell_span(LONGEST_SPAN)));
            }
            Some(span) => *self = span,
            None => return expected("a time with its unit, such as \"30s\", \"500ms\" or \"1h\"", toml),
        }
        Ok(())
    }

    fn write(&self) -> String {
        quoted(&write_span(*self))
    }

    fn kind(&self) -> Kind {
        Kind::Span
    }
}

/// Why `found` is none of `words`.
pub(super) fn no_such_word(toml: &DeValue<'_>, words: &[&str]) -> String {
    let list = words.iter().map(|w| quoted(w)).collect::<Vec<_>>().join(", ");
    let near = match toml {
        DeValue::String(s) => nearest(s, words.iter().copied()),
        _ => None,
    };
    let near = near.map(|word| format!("; the nearest is {word:?}")).unwrap_or_default();
    format!("expected one of {list}, found {}{near}", found(toml))
}

/// An enum that the configuration writes as a word.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$vdoc])* $variant),* }

        impl $name {
            pub const WORDS: &'static [&'static str] = &[$($word),*];

            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $word),* }
            }

            pub fn parse(word: &str) -> Option<$name> {
                match word { $($word => Some($name::$variant),)* _ => None }
            }
        }

        impl $crate::mgmt::config::visit::Value for $name {
            fn read(&mut self, toml: &toml::de::DeValue<'_>) -> Result<(), String> {
                let word = match toml {
                    toml::de::DeValue::String(s) => $name::parse(s),
                    _ => None,
                };
                *self = word.ok_or_else(|| $crate::mgmt::config::value::no_such_word(toml, $name::WORDS))?;
                Ok(())
            }

            fn write(&self) -> String {
                $crate::mgmt::config::value::quoted(self.name())
            }

            fn kind(&self) -> $crate::mgmt::config::kind::Kind {
                $crate::mgmt::config::kind::Kind::Words($name::WORDS.to_vec())
            }
        }
    };
}
pub(super) use words;

#[cfg(test)]
mod tests;
