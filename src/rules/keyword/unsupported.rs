//! What Suricata's language has and this version does not: refused by name, with the reason and what to write in its place.
//! An entry leaves this file when its evaluation arrives.

use crate::rules::text::{Fault, Text};

/// The keyword, why it is refused, and what helps; an empty help is none.
const NOT_HERE: &[(&str, &str, &str)] = &[
    ("lua", LUA, LUA_HELP),
    ("luajit", LUA, LUA_HELP),
    ("luaxform", LUA, LUA_HELP),
    ("flowvar", CAPTURED, ""),
    ("pktvar", CAPTURED, ""),
    ("hostvar", CAPTURED, ""),
    (
        "replace",
        "changes bytes of a packet, and Weir forwards a packet's payload as it came or not at all",
        "`drop` or `reject` in place of `alert` stop what it would change",
    ),
    (
        "nfq_set_mark",
        "sets a mark of Linux's NFQUEUE, which Weir does not use",
        "`mark_dscp` marks the packet itself",
    ),
    (
        "flow.elephant",
        "needs rates of sessions, which this version does not measure",
        "`flow.bytes:either,>N` with `flow.age:<SECONDS` finds sessions that carry much in a short time",
    ),
    ("l3_proto", "says what the rule's header says", "write `ip4` or `ip6` as the rule's protocol"),
    ("ndpi-protocol", NDPI, NDPI_HELP),
    ("ndpi-risk", NDPI, NDPI_HELP),
    ("bypass_flow", "is not supported by this version", "`bypass` ends the inspection of the session"),
    ("cluster", "is not supported by this version", ""),
    ("decode-layer", "is a chapter of Suricata's documentation", "its keyword is `decode-event`"),
];

const LUA: &str = "runs a Lua script, and Weir has no interpreter where packets pass";
const LUA_HELP: &str =
    "`byte_test`, `byte_math`, `pcre`, `entropy` and `dataset` say much of what such scripts do";
const CAPTURED: &str = "asks for text that is kept from packet to packet, which this version does not keep";
const NDPI: &str = "needs nDPI, which Weir does not have";
const NDPI_HELP: &str = "`app-layer-protocol` asks for what Weir's own decoders find";

/// Why a keyword is refused, when Suricata knows it.
pub(super) fn refused(name: Text<'_>) -> Option<Fault> {
    let (word, why, help) = NOT_HERE.iter().find(|(word, ..)| name.is(word))?;
    let fault = name.fault(format!("`{word}` {why}"));
    Some(if help.is_empty() { fault } else { fault.help(*help) })
}

/// Whether Suricata knows a keyword that is refused here.
pub fn is_refused(name: &str) -> bool {
    NOT_HERE.iter().any(|(word, ..)| *word == name)
}

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    NOT_HERE.iter().map(|(word, ..)| *word)
}
