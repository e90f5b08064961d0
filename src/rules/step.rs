//! What one buffer must hold: the steps of a rule's chain, as data. `inspect` evaluates them.

use super::dataset::DatasetUse;
use super::ruleset::{Context, NumRange};
use crate::base::Dir;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A number written in the rule, or a variable that `byte_extract` or `byte_math` filled.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operand {
    Value(i64),
    /// Index into the rule's variables.
    Variable(u8),
}

/// Variables a rule may define.
pub const MAX_VARIABLES: usize = 16;

/// `content:` with its modifiers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// Lower case when `nocase`.
    pub pattern: Box<[u8]>,
    pub nocase: bool,
    pub negated: bool,
    /// From the buffer's start.
    pub offset: Option<Operand>,
    pub depth: Option<Operand>,
    /// From the previous match's end.
    pub distance: Option<Operand>,
    pub within: Option<Operand>,
    pub ends_with: bool,
}

/// `pcre:`. The expression is compiled with the rule.
#[derive(Clone, Debug)]
pub struct Pcre {
    pub flags: PcreFlags,
    pub negated: bool,
    /// `/R`: from the previous match's end.
    pub relative: bool,
    /// As written, without flags.
    pub expression: Arc<str>,
    /// `/O`: without the limits on backtracking.
    pub unlimited: bool,
    pub regex: Arc<Regex>,
    /// Variables that captures fill, in the order of the groups.
    pub captures: Box<[Capture]>,
}

/// Where a capture of an expression goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// `flow`: kept with the session; `pkt`: with the alert.
    pub scope: CaptureScope,
    pub name: Box<str>,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CaptureScope {
    Flow,
    Packet,
    Alert,
}

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PcreFlags {
    pub case_insensitive: bool,
    pub multi_line: bool,
    pub dot_all: bool,
    pub extended: bool,
    pub anchored: bool,
    pub dollar_end_only: bool,
    pub ungreedy: bool,
}

/// The engine behind a pcre: linear time where the expression allows it, backtracking with limits where not.
#[derive(Debug)]
pub enum Regex {
    /// Finds where the first match ends; where it begins its NFA says, when somebody asks.
    Linear(Box<regex_automata::hybrid::dfa::DFA>),
    /// For what its groups capture.
    Capturing(regex_automata::meta::Regex),
    Backtracking(pcre2::bytes::Regex),
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Endian {
    Big,
    Little,
    /// As the header of the DCE/RPC message says.
    Dcerpc,
}

/// How a number stands in the payload.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NumberForm {
    Binary(Endian),
    /// ASCII digits in this base: 8, 10, 16, or 0 for C's prefixes.
    Text {
        base: u8,
    },
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Compare {
    Less,
    LessEqual,
    Equal,
    GreaterEqual,
    Greater,
    And,
    Xor,
}

/// `byte_test:`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ByteTest {
    pub bytes: Operand,
    pub compare: Compare,
    pub negated: bool,
    pub value: Operand,
    pub offset: Operand,
    pub relative: bool,
    pub form: NumberForm,
    pub mask: Option<u32>,
}

/// `byte_jump:`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ByteJump {
    pub bytes: Operand,
    pub offset: Operand,
    pub relative: bool,
    pub form: NumberForm,
    pub multiplier: u32,
    pub align: bool,
    pub from_beginning: bool,
    pub from_end: bool,
    pub post_offset: Operand,
    pub mask: Option<u32>,
}

/// `byte_extract:`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ByteExtract {
    pub bytes: u8,
    pub offset: Operand,
    pub relative: bool,
    pub form: NumberForm,
    pub multiplier: u32,
    pub align: Option<u8>,
    pub mask: Option<u32>,
    pub into: u8,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MathOp {
    Add,
    Subtract,
    Multiply,
    Divide,
    ShiftLeft,
    ShiftRight,
}

/// `byte_math:`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ByteMath {
    pub bytes: Operand,
    pub offset: Operand,
    pub relative: bool,
    pub form: NumberForm,
    pub op: MathOp,
    pub value: Operand,
    pub mask: Option<u32>,
    pub into: u8,
}

/// `isdataat:`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IsDataAt {
    pub at: Operand,
    pub relative: bool,
    pub negated: bool,
}

/// One step over a buffer. Steps run in order; a relative step may send an earlier one looking for its next match. How those
/// are saved that hold an expression is for `saved`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Step {
    Content(Content),
    ByteTest(ByteTest),
    ByteJump(ByteJump),
    ByteExtract(ByteExtract),
    ByteMath(ByteMath),
    IsDataAt(IsDataAt),
    /// `bsize:` the buffer's whole length.
    BufferSize(NumRange),
    Entropy(EntropyTest),
    Asn1(Asn1Test),
    /// `dataset`, `datarep`: asked when all other steps hold.
    Dataset(DatasetUse),
    // What is skipped stands last: serde numbers the others without it when it reads.
    #[serde(skip)]
    Pcre(Pcre),
    /// `base64_decode` and what `base64_data` demands of its result.
    #[serde(skip)]
    Base64(Base64Step),
}

impl Step {
    /// Whether it counts from where the step before it ended; contents are placed by words of their own.
    pub(super) fn is_relative(&self) -> bool {
        match self {
            Step::ByteTest(step) => step.relative,
            Step::ByteJump(step) => step.relative,
            Step::ByteExtract(step) => step.relative,
            Step::ByteMath(step) => step.relative,
            Step::IsDataAt(step) => step.relative,
            Step::Asn1(step) => step.relative,
            Step::Pcre(step) => step.relative,
            Step::Base64(step) => step.relative,
            Step::Content(_) | Step::BufferSize(_) | Step::Entropy(_) | Step::Dataset(_) => false,
        }
    }
}

/// `base64_decode:`
#[derive(Clone, Debug)]
pub struct Base64Step {
    /// Bytes of encoded text; to the buffer's end where not said.
    pub bytes: Option<u32>,
    pub offset: u32,
    pub relative: bool,
    /// Over the decoded bytes.
    pub steps: Box<[Step]>,
}

/// `entropy:` Shannon's, in bits a byte.
#[derive(Copy, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EntropyTest {
    pub offset: u32,
    /// Bytes looked at; to the end where not said.
    pub bytes: Option<u32>,
    pub low: f64,
    pub high: f64,
    /// Whether the ends belong to the range.
    pub closed: (bool, bool),
    pub negated: bool,
}

/// `asn1:` what must be wrong with the BER objects at a place.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asn1Test {
    pub bitstring_overflow: bool,
    pub double_overflow: bool,
    pub oversize_length: Option<u32>,
    /// From the start, or from the last match.
    pub offset: i32,
    pub relative: bool,
}

/// What one buffer must hold.
#[derive(Clone, Debug)]
pub struct BufferMatch {
    pub context: Context,
    /// Index into the set's chains of transformations.
    pub transforms: u16,
    pub absence: Absence,
    /// Of a buffer that both directions have: the one that is meant.
    pub dir: Option<Dir>,
    pub steps: Box<[Step]>,
}

/// What a buffer that is not there means.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Absence {
    /// No match.
    #[default]
    Fails,
    /// `absent`: a match, and its presence none.
    Wanted,
    /// `absent: or_else`: a match; if it is there, its steps must hold.
    Allowed,
}
