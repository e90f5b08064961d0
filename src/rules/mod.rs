//! Rule text -> AST with spans -> compiled, immutable [`RuleSet`].
//!
//! Nothing here touches a packet: what a rule *means* is data ([`ruleset`]), and `inspect` evaluates it. A rule with a
//! keyword that is not supported is refused with a caret, never loaded in part.

pub mod ruleset;

pub use ruleset::{Rule, RuleSet};
