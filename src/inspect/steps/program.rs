//! A buffer's steps, prepared: literals ready to be searched for, and which step may be asked for its next match.

use super::needle::Needle;
use super::pcre::{PcreOp, Pcres};
use crate::rules::dataset::{Set, Verb};
use crate::rules::ruleset::{
    Asn1Test, ByteExtract, ByteJump, ByteMath, ByteTest, Content, EntropyTest, IsDataAt, NumRange, Operand,
    Step,
};
use std::sync::Arc;

/// `content` with its pattern prepared.
#[derive(Debug)]
pub(super) struct ContentOp {
    pub(super) needle: Needle,
    pub(super) negated: bool,
    pub(super) offset: Option<Operand>,
    pub(super) depth: Option<Operand>,
    pub(super) distance: Option<Operand>,
    pub(super) within: Option<Operand>,
    pub(super) ends_with: bool,
}

impl ContentOp {
    fn new(content: &Content) -> ContentOp {
        ContentOp {
            needle: Needle::new(&content.pattern, content.nocase),
            negated: content.negated,
            offset: content.offset,
            depth: content.depth,
            distance: content.distance,
            within: content.within,
            ends_with: content.ends_with,
        }
    }

    pub(super) fn is_relative(&self) -> bool {
        self.distance.is_some() || self.within.is_some()
    }
}

/// `base64_decode` with the steps over its result.
#[derive(Debug)]
pub(super) struct Base64Op {
    pub(super) bytes: Option<u32>,
    pub(super) offset: u32,
    pub(super) relative: bool,
    pub(super) program: Program,
}

/// How much of a growing buffer must be there for a step to be asked of it.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// Whatever is there: further bytes cannot take back that it holds.
    Beginning,
    /// The minimal size: further bytes could take it back, and Suricata concludes from so many.
    Enough,
    /// All: it asks where the buffer ends.
    End,
}

#[derive(Debug)]
pub(super) enum Op {
    Content(ContentOp),
    Pcre(PcreOp),
    ByteTest(ByteTest),
    ByteJump(ByteJump),
    ByteExtract(ByteExtract),
    ByteMath(ByteMath),
    IsDataAt(IsDataAt),
    Base64(Box<Base64Op>),
    Entropy(EntropyTest),
    Asn1(Asn1Test),
}

impl Op {
    /// Whether it depends on where the step before it ended.
    pub(super) fn is_relative(&self) -> bool {
        match self {
            Op::Content(op) => op.is_relative(),
            Op::Pcre(pcre) => pcre.relative,
            Op::ByteTest(test) => test.relative,
            Op::ByteJump(jump) => jump.relative,
            Op::ByteExtract(extract) => extract.relative,
            Op::ByteMath(math) => math.relative,
            Op::IsDataAt(is) => is.relative,
            Op::Base64(base64) => base64.relative,
            Op::Asn1(asn1) => asn1.relative,
            Op::Entropy(_) => false,
        }
    }

    /// Whether a match of it stands at a place (so that it can lie in old or in new bytes).
    fn has_a_place(&self) -> bool {
        match self {
            Op::Content(op) => !op.negated,
            Op::Pcre(pcre) => !pcre.negated,
            Op::ByteTest(_) | Op::ByteJump(_) | Op::ByteExtract(_) | Op::ByteMath(_) => true,
            Op::IsDataAt(is) => !is.negated,
            Op::Base64(_) => true,
            Op::Entropy(_) | Op::Asn1(_) => false,
        }
    }

    /// How much of a growing buffer it is asked of.
    fn need(&self) -> Need {
        match self {
            Op::Content(op) if op.ends_with => Need::End,
            Op::ByteJump(jump) if jump.from_end => Need::End,
            Op::IsDataAt(is) if is.negated => Need::End,
            Op::Base64(base64) if base64.program.sizes.is_empty() => base64.program.need,
            Op::Base64(_) => Need::End,
            op if op.has_a_place() => Need::Beginning,
            _ => Need::Enough,
        }
    }
}

/// `dataset` or `datarep`.
#[derive(Debug)]
pub(crate) struct SetOp {
    pub(crate) verb: Verb,
    /// Without one it holds for nothing.
    pub(crate) set: Option<Arc<Set>>,
}

/// The steps over one buffer.
#[derive(Debug)]
pub(crate) struct Program {
    pub(super) ops: Box<[Op]>,
    /// How long the buffer must be, all of them.
    sizes: Box<[NumRange]>,
    /// Asked of the whole buffer when the steps hold.
    pub(super) sets: Box<[SetOp]>,
    /// No step's match has a place: such a program holds of a buffer as a whole.
    pub(super) placeless: bool,
    need: Need,
}

impl Program {
    /// `pcres` has the expressions of the whole engine.
    pub(crate) fn compile(steps: &[Step], pcres: &Pcres) -> Program {
        let ops: Box<[Op]> = steps.iter().filter_map(|step| op(step, pcres)).collect();
        let sets = steps.iter().filter_map(|step| match step {
            Step::Dataset(used) => Some(SetOp { verb: used.verb, set: used.set.clone() }),
            _ => None,
        });
        let sets: Box<[SetOp]> = sets.collect();
        let sizes = steps.iter().filter_map(|step| match step {
            Step::BufferSize(size) => Some(*size),
            _ => None,
        });
        let placeless = !ops.iter().any(Op::has_a_place);
        let of_sets = if sets.is_empty() { Need::Beginning } else { Need::Enough };
        let need = ops.iter().map(Op::need).fold(of_sets, Need::max);
        Program { ops, sizes: sizes.collect(), sets, placeless, need }
    }

    /// What its steps ask of a growing buffer, sizes apart.
    pub(crate) fn need(&self) -> Need {
        self.need
    }

    pub(crate) fn is_sized(&self) -> bool {
        !self.sizes.is_empty()
    }

    /// Whether a buffer of that length is as long as it must be.
    pub(crate) fn fits(&self, length: u64) -> bool {
        self.sizes.iter().all(|size| size.contains(length))
    }

    /// The same of a buffer of which that much is there, and more may come.
    pub(crate) fn fits_however_long(&self, length: u64) -> bool {
        self.sizes.iter().all(|size| size.contains(length) && !size.negated && size.high == u64::MAX)
    }

    pub(crate) fn sets(&self) -> &[SetOp] {
        &self.sets
    }

    /// Whether something goes with the values of a set that it asks for.
    pub(crate) fn notes(&self) -> bool {
        self.sets.iter().any(|op| op.set.as_ref().is_some_and(|set| set.has_records()))
    }

    /// Whether it changes a set: to be evaluated when all else of the rule holds.
    pub(crate) fn acts(&self) -> bool {
        self.sets.iter().any(|op| op.verb.acts())
    }
}

fn op(step: &Step, pcres: &Pcres) -> Option<Op> {
    Some(match step {
        Step::Content(content) => Op::Content(ContentOp::new(content)),
        Step::Pcre(pcre) => {
            let id = pcres.number(&pcre.regex);
            let regex = Arc::clone(&pcre.regex);
            Op::Pcre(PcreOp { id, regex, negated: pcre.negated, relative: pcre.relative })
        }
        Step::ByteTest(test) => Op::ByteTest(test.clone()),
        Step::ByteJump(jump) => Op::ByteJump(jump.clone()),
        Step::ByteExtract(extract) => Op::ByteExtract(extract.clone()),
        Step::ByteMath(math) => Op::ByteMath(math.clone()),
        Step::IsDataAt(is) => Op::IsDataAt(is.clone()),
        Step::Base64(base64) => Op::Base64(Box::new(Base64Op {
            bytes: base64.bytes,
            offset: base64.offset,
            relative: base64.relative,
            program: Program::compile(&base64.steps, pcres),
        })),
        Step::Entropy(test) => Op::Entropy(*test),
        Step::Asn1(test) => Op::Asn1(*test),
        Step::BufferSize(_) | Step::Dataset(_) => return None,
    })
}

/// The variables that a rule's steps fill.
pub(super) type Variables = [u64; crate::rules::ruleset::MAX_VARIABLES];

pub(super) fn operand(operand: Operand, variables: &Variables) -> i64 {
    match operand {
        Operand::Value(value) => value,
        Operand::Variable(n) => variables.get(usize::from(n)).map_or(0, |&v| v as i64),
    }
}
