//! Packet filters as programs of the classic BPF machine (McCanne and Jacobson, USENIX Winter 1993), as libpcap makes them of
//! its filter language. A program is checked once; then it runs on any bytes, ends, and cannot read beyond them.

use thiserror::Error;

/// Instructions of a program at most, as in the kernels of old.
pub const MAX_INSTRUCTIONS: usize = 4096;

const MEMORY: usize = 16;

/// As libpcap numbers it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    pub code: u16,
    pub jump_true: u8,
    pub jump_false: u8,
    pub k: u32,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Error)]
pub enum BadProgram {
    #[error("the filter has {0} instructions, 1 to {MAX_INSTRUCTIONS} are possible: make it simpler")]
    Length(usize),
    #[error("instruction {0} of the filter is none of the machine's, or names memory that it has not")]
    Instruction(usize),
    #[error("the jump of instruction {0} of the filter leaves the program")]
    Jump(usize),
}

#[derive(Copy, Clone, Debug)]
enum Size {
    Word,
    Half,
    Byte,
}

#[derive(Copy, Clone, Debug)]
enum Operand {
    K(u32),
    X,
}

#[derive(Copy, Clone, Debug)]
enum Load {
    Immediate(u32),
    At(Size, u32),
    /// From X on.
    Indirect(Size, u32),
    Memory(usize),
    Length,
    /// Four times the low half of a byte: the length of an IPv4 header.
    HeaderLength(u32),
}

#[derive(Copy, Clone, Debug)]
enum Alu {
    Add,
    Sub,
    Mul,
    Div,
    Or,
    And,
    ShiftLeft,
    ShiftRight,
    Mod,
    Xor,
}

#[derive(Copy, Clone, Debug)]
enum Test {
    Equal,
    Greater,
    GreaterOrEqual,
    AnyBit,
}

#[derive(Copy, Clone, Debug)]
enum Step {
    LoadA(Load),
    LoadX(Load),
    StoreA(usize),
    StoreX(usize),
    Alu(Alu, Operand),
    Negate,
    Jump(usize),
    Branch(Test, Operand, usize, usize),
    ReturnK(u32),
    ReturnA,
    AToX,
    XToA,
}

/// A checked program: all jumps go forward and stay within, the last step returns.
#[derive(Clone, Debug)]
pub struct Program(Box<[Step]>);

impl Program {
    pub fn new(instructions: &[Instruction]) -> Result<Program, BadProgram> {
        let count = instructions.len();
        if count == 0 || count > MAX_INSTRUCTIONS {
            return Err(BadProgram::Length(count));
        }
        let mut steps = Vec::with_capacity(count);
        for (at, instruction) in instructions.iter().enumerate() {
            let step = step(at, instruction).ok_or(BadProgram::Instruction(at))?;
            let farthest = match step {
                Step::Jump(to) => to,
                Step::Branch(_, _, yes, no) => yes.max(no),
                Step::ReturnA | Step::ReturnK(_) => at,
                _ => at + 1,
            };
            if farthest >= count {
                return Err(BadProgram::Jump(at));
            }
            steps.push(step);
        }
        Ok(Program(steps.into()))
    }

    /// Whether it takes the packet. A read beyond the packet's end refuses it.
    pub fn matches(&self, packet: &[u8]) -> bool {
        self.run(packet).is_some_and(|kept| kept > 0)
    }

    fn run(&self, packet: &[u8]) -> Option<u32> {
        let (mut a, mut x, mut memory, mut at) = (0u32, 0u32, [0u32; MEMORY], 0usize);
        // Forward jumps only: each step is taken once at most.
        loop {
            let step = *self.0.get(at)?;
            at += 1;
            let value = |operand| match operand {
                Operand::K(k) => k,
                Operand::X => x,
            };
            match step {
                Step::LoadA(from) => a = load(packet, x, &memory, from)?,
                Step::LoadX(from) => x = load(packet, x, &memory, from)?,
                Step::StoreA(cell) => *memory.get_mut(cell)? = a,
                Step::StoreX(cell) => *memory.get_mut(cell)? = x,
                Step::Alu(operation, operand) => a = compute(operation, a, value(operand))?,
                Step::Negate => a = a.wrapping_neg(),
                Step::Jump(to) => at = to,
                Step::Branch(test, operand, yes, no) => {
                    let with = value(operand);
                    let holds = match test {
                        Test::Equal => a == with,
                        Test::Greater => a > with,
                        Test::GreaterOrEqual => a >= with,
                        Test::AnyBit => a & with != 0,
                    };
                    at = if holds { yes } else { no };
                }
                Step::ReturnK(k) => return Some(k),
                Step::ReturnA => return Some(a),
                Step::AToX => x = a,
                Step::XToA => a = x,
            }
        }
    }
}

fn load(packet: &[u8], x: u32, memory: &[u32; MEMORY], from: Load) -> Option<u32> {
    match from {
        Load::Immediate(k) => Some(k),
        Load::At(size, k) => read(packet, k, size),
        Load::Indirect(size, k) => read(packet, x.checked_add(k)?, size),
        Load::Memory(cell) => memory.get(cell).copied(),
        Load::Length => u32::try_from(packet.len()).ok(),
        Load::HeaderLength(k) => read(packet, k, Size::Byte).map(|byte| (byte & 15) << 2),
    }
}

fn read(packet: &[u8], at: u32, size: Size) -> Option<u32> {
    let rest = packet.get(at as usize..)?;
    match size {
        Size::Word => rest.first_chunk().map(|bytes| u32::from_be_bytes(*bytes)),
        Size::Half => rest.first_chunk().map(|bytes| u16::from_be_bytes(*bytes).into()),
        Size::Byte => rest.first().map(|byte| (*byte).into()),
    }
}

fn compute(operation: Alu, a: u32, with: u32) -> Option<u32> {
    Some(match operation {
        Alu::Add => a.wrapping_add(with),
        Alu::Sub => a.wrapping_sub(with),
        Alu::Mul => a.wrapping_mul(with),
        Alu::Div => a.checked_div(with)?,
        Alu::Mod => a.checked_rem(with)?,
        Alu::Or => a | with,
        Alu::And => a & with,
        Alu::Xor => a ^ with,
        // All bits are gone.
        Alu::ShiftLeft => a.checked_shl(with).unwrap_or(0),
        Alu::ShiftRight => a.checked_shr(with).unwrap_or(0),
    })
}

/// The classes, modes and operations of `net/bpf.h`.
fn step(at: usize, i: &Instruction) -> Option<Step> {
    let operand = if i.code & 0x08 == 0 { Operand::K(i.k) } else { Operand::X };
    let cell = || usize::try_from(i.k).ok().filter(|&cell| cell < MEMORY);
    Some(match i.code & 0x07 {
        0x00 => Step::LoadA(load_of(i, cell)?),
        0x01 => Step::LoadX(load_of(i, cell)?),
        0x02 => Step::StoreA(cell()?),
        0x03 => Step::StoreX(cell()?),
        0x04 => match i.code & 0xf0 {
            0x80 => Step::Negate,
            operation => Step::Alu(alu(operation)?, operand),
        },
        0x05 => branch(at, i, operand)?,
        0x06 => match i.code & 0x18 {
            0x00 => Step::ReturnK(i.k),
            0x10 => Step::ReturnA,
            _ => return None,
        },
        _ => match i.code & 0xf8 {
            0x00 => Step::AToX,
            0x80 => Step::XToA,
            _ => return None,
        },
    })
}

fn load_of(i: &Instruction, cell: impl Fn() -> Option<usize>) -> Option<Load> {
    let size = match i.code & 0x18 {
        0x00 => Some(Size::Word),
        0x08 => Some(Size::Half),
        0x10 => Some(Size::Byte),
        _ => None,
    };
    Some(match i.code & 0xe0 {
        0x00 => Load::Immediate(i.k),
        0x20 => Load::At(size?, i.k),
        0x40 => Load::Indirect(size?, i.k),
        0x60 => Load::Memory(cell()?),
        0x80 => Load::Length,
        0xa0 => Load::HeaderLength(i.k),
        _ => return None,
    })
}

fn alu(operation: u16) -> Option<Alu> {
    Some(match operation {
        0x00 => Alu::Add,
        0x10 => Alu::Sub,
        0x20 => Alu::Mul,
        0x30 => Alu::Div,
        0x40 => Alu::Or,
        0x50 => Alu::And,
        0x60 => Alu::ShiftLeft,
        0x70 => Alu::ShiftRight,
        0x90 => Alu::Mod,
        0xa0 => Alu::Xor,
        _ => return None,
    })
}

fn branch(at: usize, i: &Instruction, operand: Operand) -> Option<Step> {
    let after = |distance: usize| at.saturating_add(1).saturating_add(distance);
    let test = match i.code & 0xf0 {
        0x00 => return Some(Step::Jump(after(usize::try_from(i.k).ok()?))),
        0x10 => Test::Equal,
        0x20 => Test::Greater,
        0x30 => Test::GreaterOrEqual,
        0x40 => Test::AnyBit,
        _ => return None,
    };
    Some(Step::Branch(test, operand, after(i.jump_true.into()), after(i.jump_false.into())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn instruction(code: u16, jump_true: u8, jump_false: u8, k: u32) -> Instruction {
        Instruction { code, jump_true, jump_false, k }
    }

    #[test]
    fn a_packet_too_short_for_what_is_asked_is_refused() {
        // ldh [12]; jeq #0x800, take, leave
        let ip = [
            instruction(0x28, 0, 0, 12),
            instruction(0x15, 0, 1, 0x800),
            instruction(0x06, 0, 0, 65_535),
            instruction(0x06, 0, 0, 0),
        ];
        let program = Program::new(&ip).unwrap();
        let mut frame = vec![0; 14];
        frame[12] = 8;
        assert!(program.matches(&frame));
        assert!(!program.matches(&frame[..13]) && !program.matches(&[]));
        frame[13] = 6;
        assert!(!program.matches(&frame));
    }

    #[test]
    fn programs_that_could_run_away_are_refused() {
        let ret = instruction(0x06, 0, 0, 1);
        let bad = |program: &[Instruction]| Program::new(program).unwrap_err();
        assert_eq!(bad(&[]), BadProgram::Length(0));
        assert_eq!(bad(&vec![ret; MAX_INSTRUCTIONS + 1]), BadProgram::Length(MAX_INSTRUCTIONS + 1));
        assert_eq!(bad(&[instruction(0x28, 0, 0, 12)]), BadProgram::Jump(0), "it ends nowhere");
        assert_eq!(bad(&[instruction(0x05, 0, 0, u32::MAX), ret]), BadProgram::Jump(0));
        assert_eq!(bad(&[instruction(0x15, 0, 1, 0), ret]), BadProgram::Jump(0));
        assert_eq!(bad(&[instruction(0x02, 0, 0, 16), ret]), BadProgram::Instruction(0));
        assert_eq!(bad(&[ret, instruction(0xffff, 0, 0, 0)]), BadProgram::Instruction(1));
    }

    proptest! {
        #[test]
        fn any_program_that_is_taken_ends_on_any_bytes(
            raw in prop::collection::vec((0u16..0x100, 0u8..4, 0u8..4, 0u32..40), 1..40),
            packet in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let mut program: Vec<_> = raw.into_iter().map(|(c, t, f, k)| instruction(c, t, f, k)).collect();
            (0..5).for_each(|_| program.push(instruction(0x16, 0, 0, 0)));
            // Those that are no instructions become returns, so that many programs are taken.
            for (at, instruction) in program.iter_mut().enumerate() {
                if step(at, instruction).is_none() {
                    *instruction = super::tests::instruction(0x06, 0, 0, 7);
                }
            }
            if let Ok(program) = Program::new(&program) {
                program.matches(&packet);
            }
        }
    }
}
