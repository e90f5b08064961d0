//! `byte_test`, `byte_jump`, `byte_extract`, `byte_math`, `isdataat`: arithmetic on what stands at a place.
//!
//! Each gives the place it moved on to, or `None` where it does not hold. Places are those of the whole stream.

use super::number;
use super::program::{Variables, operand};
use super::subject::Subject;
use crate::rules::ruleset::{
    ByteExtract, ByteJump, ByteMath, ByteTest, Compare, IsDataAt, MathOp, NumberForm, Operand,
};

/// A number, and the place behind it.
struct Field {
    value: u64,
    end: i64,
}

fn field(subject: &Subject<'_>, at: i64, width: i64, form: NumberForm) -> Option<Field> {
    let bytes = subject.bytes.get(subject.index(at)?..)?;
    let (value, taken) = number::read(bytes, usize::try_from(width).ok()?, subject.form(form)?)?;
    Some(Field { value, end: at.checked_add(taken as i64)? })
}

fn place(relative: bool, last: i64, offset: Operand, variables: &Variables) -> Option<i64> {
    let start = if relative { last } else { 0 };
    start.checked_add(operand(offset, variables))
}

/// The place behind the number looked at.
pub(super) fn test(test: &ByteTest, subject: &Subject<'_>, last: i64, variables: &Variables) -> Option<i64> {
    let at = place(test.relative, last, test.offset, variables)?;
    let field = field(subject, at, operand(test.bytes, variables), test.form)?;
    let (value, with) = (number::masked(field.value, test.mask), operand(test.value, variables) as u64);
    let holds = match test.compare {
        Compare::Less => value < with,
        Compare::LessEqual => value <= with,
        Compare::Equal => value == with,
        Compare::GreaterEqual => value >= with,
        Compare::Greater => value > with,
        Compare::And => value & with != 0,
        Compare::Xor => value ^ with != 0,
    };
    (holds != test.negated).then_some(field.end)
}

/// The place jumped to, which must be one of a byte.
pub(super) fn jump(jump: &ByteJump, subject: &Subject<'_>, last: i64, variables: &Variables) -> Option<i64> {
    let at = place(jump.relative, last, jump.offset, variables)?;
    let field = field(subject, at, operand(jump.bytes, variables), jump.form)?;
    let value = number::masked(field.value, jump.mask).checked_mul(u64::from(jump.multiplier.max(1)))?;
    let value = if jump.align { value.checked_next_multiple_of(4)? } else { value };
    let start = match (jump.from_beginning, jump.from_end) {
        (true, _) => 0,
        (_, true) => subject.end(),
        _ => field.end,
    };
    let to =
        start.checked_add(i64::try_from(value).ok()?)?.checked_add(operand(jump.post_offset, variables))?;
    (subject.index(to)? < subject.bytes.len()).then_some(to)
}

pub(super) fn extract(
    extract: &ByteExtract,
    subject: &Subject<'_>,
    last: i64,
    variables: &mut Variables,
) -> Option<i64> {
    let at = place(extract.relative, last, extract.offset, variables)?;
    let field = field(subject, at, i64::from(extract.bytes), extract.form)?;
    let value = number::masked(field.value, extract.mask).wrapping_mul(u64::from(extract.multiplier.max(1)));
    let value = match extract.align {
        Some(align @ 1..) => value.checked_next_multiple_of(u64::from(align))?,
        _ => value,
    };
    *variables.get_mut(usize::from(extract.into))? = value;
    Some(field.end)
}

pub(super) fn math(
    math: &ByteMath,
    subject: &Subject<'_>,
    last: i64,
    variables: &mut Variables,
) -> Option<i64> {
    let at = place(math.relative, last, math.offset, variables)?;
    let field = field(subject, at, operand(math.bytes, variables), math.form)?;
    let with = operand(math.value, variables) as u64;
    // Suricata computes in 64 bits that wrap; a shift past them leaves nothing.
    let value = match math.op {
        MathOp::Add => field.value.wrapping_add(with),
        MathOp::Subtract => field.value.wrapping_sub(with),
        MathOp::Multiply => field.value.wrapping_mul(with),
        MathOp::Divide => field.value.checked_div(with)?,
        MathOp::ShiftLeft => shift(with, |by| field.value.checked_shl(by)),
        MathOp::ShiftRight => shift(with, |by| field.value.checked_shr(by)),
    };
    *variables.get_mut(usize::from(math.into))? = number::masked(value, math.mask);
    Some(field.end)
}

fn shift(by: u64, shifted: impl FnOnce(u32) -> Option<u64>) -> u64 {
    u32::try_from(by).ok().and_then(shifted).unwrap_or(0)
}

/// The place asked for. A relative one may be the buffer's very end, an absolute one may not: Suricata's documented
/// difference between the two.
pub(super) fn is_data_at(
    is: &IsDataAt,
    subject: &Subject<'_>,
    last: i64,
    variables: &Variables,
) -> Option<i64> {
    let at = place(is.relative, last, is.at, variables)?;
    let there = if is.relative { at <= subject.end() } else { at < subject.end() };
    (there != is.negated).then_some(at)
}
