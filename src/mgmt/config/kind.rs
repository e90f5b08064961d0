//! What values of a key may be, in words: for `weir config explain`, the reference page, and tests that make wrong ones.

use super::value::quoted;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Boolean,
    Text,
    Path,
    /// `unit`: what is counted; empty where the key's own text says it.
    Number {
        low: i128,
        high: i128,
        unit: &'static str,
    },
    Span,
    Size,
    Words(Vec<&'static str>),
    /// A text or another value of this form.
    Form(&'static str),
    /// The same, or the word "auto".
    Auto(Box<Kind>),
    List(Box<Kind>),
}

impl Kind {
    /// The type, in a word or a few.
    pub fn name(&self) -> String {
        match self {
            Kind::Boolean => "boolean".into(),
            Kind::Text => "text".into(),
            Kind::Path => "path".into(),
            Kind::Number { .. } => "number".into(),
            Kind::Span => "time".into(),
            Kind::Size => "size".into(),
            Kind::Words(_) => "word".into(),
            Kind::Form(_) => "value of a form".into(),
            Kind::Auto(kind) => format!("{} or \"auto\"", kind.name()),
            Kind::List(kind) => format!("list, each a {}", kind.name()),
        }
    }

    /// The unit, where there is one.
    pub fn unit(&self) -> Option<&'static str> {
        match self {
            Kind::Number { unit, .. } => Some(*unit).filter(|unit| !unit.is_empty()),
            Kind::Span => Some("ms, s, m, h or d"),
            Kind::Size => Some("B, KiB, MiB or GiB; without one, bytes"),
            Kind::Auto(kind) | Kind::List(kind) => kind.unit(),
            Kind::Boolean | Kind::Text | Kind::Path | Kind::Words(_) | Kind::Form(_) => None,
        }
    }

    /// Which values are taken.
    pub fn allowed(&self) -> String {
        match self {
            Kind::Boolean => "true or false".into(),
            Kind::Text => "any text in quotes".into(),
            Kind::Path => "any path in quotes".into(),
            Kind::Number { low, high, .. } => format!("{low} to {high}"),
            Kind::Span => "a time with its unit, such as \"30s\", \"500ms\" or \"1h\"".into(),
            Kind::Size => "a size with its unit, such as \"64MiB\", or a number of bytes".into(),
            Kind::Words(words) => words.iter().map(|w| quoted(w)).collect::<Vec<_>>().join(", "),
            Kind::Form(form) => (*form).into(),
            Kind::Auto(kind) => format!("\"auto\", or {}", kind.allowed()),
            Kind::List(kind) => format!("[ ... ], each {}", kind.allowed()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_say_what_they_take() {
        let number = Kind::Number { low: 1, high: 9, unit: "frames" };
        let kind = Kind::List(Box::new(Kind::Auto(Box::new(number))));
        assert_eq!(kind.name(), "list, each a number or \"auto\"");
        assert_eq!(kind.unit(), Some("frames"));
        assert_eq!(kind.allowed(), "[ ... ], each \"auto\", or 1 to 9");
        assert_eq!(Kind::Words(vec!["a", "b"]).allowed(), "\"a\", \"b\"");
    }
}
