//! What an operator says of single rules while the appliance runs: it wins over the files and their lists.

use super::super::header;
use super::super::text::Text;

/// Of one rule.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Overrule {
    Disable,
    /// In force with this action, also where the files have it commented out.
    Action(&'static str),
}

/// The words, `disable` first.
pub const WORDS: [&str; 11] = [
    "disable",
    "alert",
    "drop",
    "pass",
    "reject",
    "rejectsrc",
    "rejectdst",
    "rejectboth",
    "close-client",
    "close-server",
    "close-both",
];

impl Overrule {
    pub fn parse(word: &str) -> Option<Overrule> {
        let word = WORDS.into_iter().find(|known| *known == word)?;
        Some(if word == "disable" { Overrule::Disable } else { Overrule::Action(word) })
    }

    pub const fn word(self) -> &'static str {
        match self {
            Overrule::Disable => "disable",
            Overrule::Action(word) => word,
        }
    }
}

/// The rule with that action in the place of its own; `None` where it has it. A `config` rule has none that could be another.
pub(super) fn with_action(text: &[u8], action: &str) -> Option<Vec<u8>> {
    let end = text.iter().position(u8::is_ascii_whitespace)?;
    let (own, rest) = text.split_at(end);
    let known = header::action(Text::new(own, 0)).is_ok() && own != b"config";
    (known && own != action.as_bytes()).then(|| [action.as_bytes(), rest].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_but_the_first_is_an_action_of_rules() {
        for word in WORDS {
            let overrule = Overrule::parse(word).unwrap();
            assert_eq!(overrule.word(), word);
            assert_eq!(header::action(Text::new(word.as_bytes(), 0)).is_ok(), overrule != Overrule::Disable);
        }
        assert_eq!(Overrule::parse("config"), None);
    }

    #[test]
    fn an_action_takes_the_place_of_another() {
        let with = |text: &str, action| with_action(text.as_bytes(), action);
        assert_eq!(with("alert tcp any", "drop").as_deref(), Some(&b"drop tcp any"[..]));
        assert_eq!(with("close-both tcp any", "pass").as_deref(), Some(&b"pass tcp any"[..]));
        assert_eq!((with("drop tcp any", "drop"), with("config x", "drop")), (None, None));
    }
}
