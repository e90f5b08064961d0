//! Rule text -> AST with spans -> compiled, immutable [`RuleSet`].
//!
//! Nothing here touches a packet: what a rule *means* is data ([`ruleset`]), and `inspect` evaluates it. A rule with a
//! keyword that is not supported is refused with a caret, never loaded in part.
//!
//! The way of a rule: [`lexer`] finds its lines, [`parser`] its words, [`header`] and [`keyword`] read them into a
//! [`draft`], [`finish`] checks the whole and compiles it, [`compile`] collects rules and faults.

pub mod address;
pub mod alerting;
pub mod app;
pub mod compile;
pub mod config_file;
pub mod context;
pub mod dataset;
pub mod diagnostic;
pub mod draft;
pub mod event;
pub mod field;
pub mod finish;
pub mod flowint;
pub mod geo;
pub mod group;
pub mod header;
pub mod ip_action;
pub mod keyword;
pub mod lexer;
pub mod lists;
pub mod logging;
pub mod number;
pub mod parser;
pub mod pcre;
mod pipe;
pub mod port;
pub mod refuse;
pub mod reputation;
pub mod ruleset;
pub mod saved;
pub mod source;
pub mod state;
pub mod step;
pub mod sum_list;
pub mod text;
pub mod threshold_config;
pub mod transform;
pub mod vars;
pub mod waiting;
pub mod windows;

pub use compile::{Disabled, Loading, Why, load, load_listed};
pub use config_file::{Classifications, References};
pub use diagnostic::{Diagnostic, Origin, Severity};
pub use ruleset::{Rule, RuleSet};
pub use source::SourceFile;
pub use vars::Vars;
pub use windows::Windows;
