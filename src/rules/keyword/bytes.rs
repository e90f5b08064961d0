//! Numbers in the payload: `byte_test`, `byte_jump`, `byte_extract`, `byte_math`, `isdataat`.

use super::{Call, Keyword, Modifies, Value, choice};
use crate::rules::app;
use crate::rules::draft::Draft;
use crate::rules::number::{small, unsigned};
use crate::rules::ruleset::{
    ByteExtract, ByteJump, ByteMath, ByteTest, Compare, Endian, IsDataAt, MathOp, NumberForm, Operand, Step,
};
use crate::rules::text::{Fault, Text, nearest};

const fn step(
    name: &'static str,
    parse: fn(&mut Draft, Call<'_>) -> Result<(), Fault>,
    doc: &'static str,
) -> Keyword {
    Keyword { name, aliases: &[], modifies: Modifies::Buffer, value: Value::Needed, parse, doc }
}

pub(super) const KEYWORDS: &[Keyword] = &[
    step(
        "byte_test",
        byte_test,
        "compares a number in the buffer: bytes, [!]operator, value, offset[, options]",
    ),
    step("byte_jump", byte_jump, "moves by a number in the buffer: bytes, offset[, options]"),
    step(
        "byte_extract",
        byte_extract,
        "keeps a number of the buffer in a variable: bytes, offset, name[, options]",
    ),
    step(
        "byte_math",
        byte_math,
        "calculates with a number of the buffer: bytes N, offset N, oper +, rvalue N, result name",
    ),
    step("isdataat", isdataat, "whether the buffer goes on so far: [!]N[, relative]"),
];

/// Most bytes of a binary number, and of one in ASCII digits.
const MAX_BINARY: i64 = 8;
const MAX_DIGITS: i64 = 23;
/// Offsets are 32 bits and a sign.
const MAX_OFFSET: i64 = i32::MAX as i64;
const MAX_VALUE: i64 = i64::MAX;

/// The options that the four byte keywords share.
#[derive(Default)]
struct Options {
    relative: bool,
    endian: Option<Endian>,
    text: bool,
    base: Option<u8>,
    mask: Option<u32>,
    align: bool,
    from_beginning: bool,
    from_end: bool,
    multiplier: Option<u32>,
}

impl Options {
    /// Takes one option; false when it is none of these.
    fn take(&mut self, option: Text<'_>) -> Result<bool, Fault> {
        let (word, value) = option.first_word();
        match word.ascii() {
            "relative" => self.relative = true,
            "big" => self.order(Endian::Big, word)?,
            "little" => self.order(Endian::Little, word)?,
            "string" => self.text = true,
            "hex" => self.digits(16, word)?,
            "dec" => self.digits(10, word)?,
            "oct" => self.digits(8, word)?,
            "bitmask" => self.mask = Some(mask(value)?),
            "dce" => self.order(Endian::Dcerpc, word)?,
            _ => return Ok(false),
        }
        if !value.is_empty() && !word.is("bitmask") {
            return Err(value.fault(format!("`{}` takes no value", word.lossy())));
        }
        Ok(true)
    }

    /// A number has one order of bytes.
    fn order(&mut self, order: Endian, at: Text<'_>) -> Result<(), Fault> {
        match self.endian.replace(order) {
            Some(said) if said != order => {
                Err(at.fault(format!("`{}` contradicts the order that is said before", at.lossy())))
            }
            _ => Ok(()),
        }
    }

    fn digits(&mut self, base: u8, at: Text<'_>) -> Result<(), Fault> {
        match self.base.replace(base) {
            Some(said) if said != base => {
                Err(at.fault(format!("`{}` contradicts the base that is said before", at.lossy())))
            }
            _ => Ok(()),
        }
    }

    fn form(&self, at: Text<'_>) -> Result<NumberForm, Fault> {
        match (self.text, self.base) {
            (true, base) => Ok(NumberForm::Text { base: base.unwrap_or(10) }),
            (false, Some(_)) => Err(at.fault("hex, dec and oct are for `string` numbers")),
            (false, None) => Ok(NumberForm::Binary(self.endian.unwrap_or(Endian::Big))),
        }
    }

    fn check_size(&self, size: Operand, at: Text<'_>, smallest: i64) -> Result<(), Fault> {
        let most = if self.text { MAX_DIGITS } else { MAX_BINARY };
        match size {
            Operand::Value(n) if n < smallest || n > most => {
                Err(at.fault(format!("{smallest} to {most} bytes")))
            }
            _ => Ok(()),
        }
    }
}

/// A mask of four bytes that leaves something.
fn mask(text: Text<'_>) -> Result<u32, Fault> {
    let digits = text.strip("0x").or_else(|| text.strip("0X")).unwrap_or(text);
    match u32::from_str_radix(digits.ascii(), 16) {
        Ok(0) => Err(text.fault("a mask of 0 leaves nothing")),
        Ok(mask) if !digits.is_empty() => Ok(mask),
        _ => Err(text.fault("a mask is at most four bytes in hexadecimal")),
    }
}

/// All options of these keywords.
const OPTIONS: &[&str] = &[
    "relative",
    "big",
    "little",
    "string",
    "hex",
    "dec",
    "oct",
    "dce",
    "align",
    "multiplier",
    "bitmask",
    "from_beginning",
    "from_end",
    "post_offset",
    "endian",
    "rawbytes",
];

fn unknown(option: Text<'_>) -> Fault {
    let fault = option.fault(format!("`{}` is no option here", option.lossy()));
    match nearest(&option.lossy().to_ascii_lowercase(), OPTIONS.iter().copied()) {
        Some(near) => fault.help(format!("did you mean `{near}`?")),
        None => fault.help(format!("one of: {}; not each keyword has all of them", OPTIONS.join(", "))),
    }
}

/// A number whose order the decoder knows makes the rule one of that protocol.
fn check_order(draft: &mut Draft, options: &Options, call: Call<'_>) -> Result<(), Fault> {
    match (options.endian, app::named("dcerpc")) {
        (Some(Endian::Dcerpc), Some(protos)) => draft.require(protos, call.name),
        _ => Ok(()),
    }
}

fn parts<'a, const N: usize>(call: Call<'a>, form: &str) -> Result<([Text<'a>; N], Vec<Text<'a>>), Fault> {
    let mut all: Vec<Text<'a>> = call.value.split(b',').collect();
    let rest = all.split_off(N.min(all.len()));
    let first = all.try_into().map_err(|_| call.value.fault(format!("expected `{form}`")))?;
    Ok((first, rest))
}

fn byte_test(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let ([bytes, operator, value, offset], rest) = parts(call, "bytes, [!]operator, value, offset")?;
    let mut options = Options::default();
    for option in rest {
        if !options.take(option)? {
            return Err(unknown(option));
        }
    }
    check_order(draft, &options, call)?;
    let size = draft.operand(bytes, MAX_DIGITS)?;
    options.check_size(size, bytes, if options.text { 0 } else { 1 })?;
    let (negated, sign) = operator.negation();
    let compare = match sign.ascii() {
        "<" => Compare::Less,
        "<=" => Compare::LessEqual,
        "=" => Compare::Equal,
        "" if negated => Compare::Equal,
        ">" => Compare::Greater,
        ">=" => Compare::GreaterEqual,
        "&" => Compare::And,
        "^" => Compare::Xor,
        _ => return Err(operator.fault("expected one of < <= = != > >= & ^, `!` in front to negate")),
    };
    let against = draft.operand(value, MAX_VALUE)?;
    if !options.text && !negated {
        check_room(size, compare, against, value)?;
    }
    let test = ByteTest {
        bytes: size,
        compare,
        negated,
        value: against,
        offset: draft.operand(offset, MAX_OFFSET)?,
        relative: options.relative,
        form: options.form(call.value)?,
        mask: options.mask,
    };
    draft.step(Step::ByteTest(test), options.relative);
    Ok(())
}

/// So many bytes must be able to hold what they are compared with.
fn check_room(size: Operand, compare: Compare, with: Operand, at: Text<'_>) -> Result<(), Fault> {
    let (Operand::Value(bytes @ 1..8), Operand::Value(with)) = (size, with) else { return Ok(()) };
    let most = (1i64 << (8 * bytes)) - 1;
    let never = match compare {
        Compare::Equal | Compare::GreaterEqual => with > most,
        Compare::Greater => with >= most,
        _ => false,
    };
    match never {
        true => Err(at.fault(format!("{bytes} bytes hold at most {most}: no number can be so"))),
        false => Ok(()),
    }
}

fn byte_jump(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let ([bytes, offset], rest) = parts(call, "bytes, offset")?;
    let mut options = Options::default();
    let mut post_offset = Operand::Value(0);
    for option in rest {
        let (word, value) = option.first_word();
        match word.ascii() {
            "align" | "from_beginning" | "from_end" if !value.is_empty() => {
                return Err(value.fault(format!("`{}` takes no value here", word.lossy())));
            }
            "align" => options.align = true,
            "from_beginning" => options.from_beginning = true,
            "from_end" => options.from_end = true,
            "multiplier" => options.multiplier = Some(multiplier(value)?),
            "post_offset" => post_offset = draft.operand(value, MAX_OFFSET)?,
            _ if options.take(option)? => {}
            _ => return Err(unknown(option)),
        }
    }
    if options.from_beginning && options.from_end {
        return Err(call.value.fault("from_beginning contradicts from_end"));
    }
    check_order(draft, &options, call)?;
    let size = draft.operand(bytes, MAX_DIGITS)?;
    options.check_size(size, bytes, 0)?;
    let jump = ByteJump {
        bytes: size,
        offset: draft.operand(offset, MAX_OFFSET)?,
        relative: options.relative,
        form: options.form(call.value)?,
        multiplier: options.multiplier.unwrap_or(1),
        align: options.align,
        from_beginning: options.from_beginning,
        from_end: options.from_end,
        post_offset,
        mask: options.mask,
    };
    draft.step(Step::ByteJump(jump), options.relative);
    Ok(())
}

fn multiplier(text: Text<'_>) -> Result<u32, Fault> {
    match small(text, 65_535)? {
        0 => Err(text.fault("a multiplier is at least 1")),
        n => Ok(n),
    }
}

fn byte_extract(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let ([bytes, offset, name], rest) = parts(call, "bytes, offset, name")?;
    let mut options = Options::default();
    let mut align = None;
    for option in rest {
        let (word, value) = option.first_word();
        match word.ascii() {
            "align" => align = Some(choice(value, &[("2", 2u8), ("4", 4)])?),
            "multiplier" => options.multiplier = Some(multiplier(value)?),
            _ if options.take(option)? => {}
            _ => return Err(unknown(option)),
        }
    }
    check_order(draft, &options, call)?;
    let size = unsigned(bytes, MAX_DIGITS as u64)? as i64;
    options.check_size(Operand::Value(size), bytes, 1)?;
    let extract = ByteExtract {
        bytes: size as u8,
        offset: draft.operand(offset, MAX_OFFSET)?,
        relative: options.relative,
        form: options.form(call.value)?,
        multiplier: options.multiplier.unwrap_or(1),
        align,
        mask: options.mask,
        into: draft.define(name)?,
    };
    draft.step(Step::ByteExtract(extract), options.relative);
    Ok(())
}

const OPERATORS: &[(&str, MathOp)] = &[
    ("+", MathOp::Add),
    ("-", MathOp::Subtract),
    ("*", MathOp::Multiply),
    ("/", MathOp::Divide),
    ("<<", MathOp::ShiftLeft),
    (">>", MathOp::ShiftRight),
];

fn byte_math(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let mut options = Options::default();
    let (mut bytes, mut offset, mut oper, mut rvalue, mut result) = (None, None, None, None, None);
    let mut said: Vec<&str> = Vec::new();
    for option in call.value.split(b',') {
        let (word, value) = option.first_word();
        if said.contains(&word.ascii()) {
            return Err(word.fault(format!("`{}` is said twice", word.lossy())));
        }
        said.push(word.ascii());
        match word.ascii() {
            "bytes" => bytes = Some((draft.operand(value, MAX_DIGITS)?, value)),
            "offset" => offset = Some(draft.operand(value, MAX_OFFSET)?),
            "oper" => oper = Some(choice(value, OPERATORS)?),
            "rvalue" => rvalue = Some((draft.operand(value, i64::from(u32::MAX))?, value)),
            "result" => result = Some(value),
            "endian" => {
                options.endian = Some(choice(
                    value,
                    &[("big", Endian::Big), ("little", Endian::Little), ("dce", Endian::Dcerpc)],
                )?)
            }
            "string" => {
                options.text = true;
                options.base = Some(choice(value, &[("hex", 16), ("dec", 10), ("oct", 8)])?);
            }
            _ if options.take(option)? => {}
            _ => return Err(unknown(option)),
        }
    }
    check_order(draft, &options, call)?;
    let missing = |name: &str| call.value.fault(format!("`{name}` is missing")).help(MATH_FORM);
    let (bytes, bytes_at) = bytes.ok_or_else(|| missing("bytes"))?;
    options.check_size(bytes, bytes_at, 1)?;
    let (rvalue, rvalue_at) = rvalue.ok_or_else(|| missing("rvalue"))?;
    if matches!(rvalue, Operand::Value(..1)) {
        return Err(rvalue_at.fault("`rvalue` is at least 1"));
    }
    let math = ByteMath {
        bytes,
        offset: offset.ok_or_else(|| missing("offset"))?,
        relative: options.relative,
        form: options.form(call.value)?,
        op: oper.ok_or_else(|| missing("oper"))?,
        value: rvalue,
        mask: options.mask,
        into: draft.define(result.ok_or_else(|| missing("result"))?)?,
    };
    draft.step(Step::ByteMath(math), options.relative);
    Ok(())
}

const MATH_FORM: &str = "bytes N, offset N, oper + - * / << or >>, rvalue N, result name";

fn isdataat(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let (negated, rest) = call.value.unquoted().negation();
    let mut words = rest.split(b',');
    let at = words.next().unwrap_or(rest);
    let mut relative = false;
    for word in words {
        match word.ascii() {
            "relative" => relative = true,
            "rawbytes" => {}
            _ => return Err(unknown(word)),
        }
    }
    let at_text = at;
    let at = draft.operand(at, MAX_OFFSET)?;
    if matches!(at, Operand::Value(..0)) {
        return Err(at_text.fault("`isdataat` looks forward only"));
    }
    draft.step(Step::IsDataAt(IsDataAt { at, relative, negated }), relative);
    Ok(())
}
