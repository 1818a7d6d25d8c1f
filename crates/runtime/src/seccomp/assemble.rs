//! An assembler for classic BPF that works from the end of the program to its start.
//!
//! All jumps of classic BPF go forward. Written backwards, every target exists before the jump to it, so that its
//! distance is known and a conditional jump, which reaches 255 instructions at most, gets a stepping stone exactly when
//! it needs one. Owns instruction codes and reach; knows nothing of system calls.

use sys::seccomp::Instruction;

/// Where a jump goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// To an instruction that ends the program with this value; which one, the assembler picks.
    Return(u32),
    /// To an instruction that was emitted earlier.
    At(Label),
}

/// An instruction, counted from the end of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label(usize);

/// What a conditional jump asks of the accumulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    Equal,
    Greater,
    GreaterOrEqual,
}

// `linux/bpf_common.h`: class, mode and source of each operation used here.
const LOAD_WORD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP: u16 = 0x05;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_GREATER: u16 = 0x25;
const JUMP_GREATER_OR_EQUAL: u16 = 0x35;
const RETURN: u16 = 0x06;

/// A conditional jump reaches 255 instructions. Two less, because the stepping stones of its other branch may come in
/// between after a distance was measured.
const REACH: usize = 253;

/// A program under construction.
pub(super) struct Assembler {
    /// The last instruction comes first.
    backwards: Vec<Instruction>,
    /// For each value returned so far, the nearest instruction that returns it.
    returns: Vec<(u32, Label)>,
}

impl Assembler {
    pub(super) fn new() -> Assembler {
        Assembler { backwards: Vec::with_capacity(1024), returns: Vec::with_capacity(8) }
    }

    /// Puts a conditional jump in front of everything emitted so far.
    pub(super) fn jump_if(&mut self, ask: Ask, k: u32, yes: Target, no: Target) -> Target {
        let yes = self.in_reach(yes);
        let no = self.in_reach(no);
        let code = match ask {
            Ask::Equal => JUMP_EQUAL,
            Ask::Greater => JUMP_GREATER,
            Ask::GreaterOrEqual => JUMP_GREATER_OR_EQUAL,
        };
        let skip = |to| u8::try_from(self.distance(to)).expect("a target in reach stays within 255 instructions");
        let (jump_true, jump_false) = (skip(yes), skip(no));
        Target::At(self.emit(Instruction { code, jump_true, jump_false, k }))
    }

    /// Puts `accumulator &= mask` in front of `next`.
    pub(super) fn mask(&mut self, mask: u32, next: Target) -> Target {
        self.fall_into(next);
        Target::At(self.emit(Instruction { code: AND, jump_true: 0, jump_false: 0, k: mask }))
    }

    /// Puts a load of the word at `offset` of `struct seccomp_data` in front of `next`.
    pub(super) fn load(&mut self, offset: u32, next: Target) -> Target {
        self.fall_into(next);
        Target::At(self.emit(Instruction { code: LOAD_WORD, jump_true: 0, jump_false: 0, k: offset }))
    }

    /// The program, which starts with what was emitted last.
    pub(super) fn finish(mut self) -> Vec<Instruction> {
        self.backwards.reverse();
        self.backwards
    }

    fn emit(&mut self, instruction: Instruction) -> Label {
        self.backwards.push(instruction);
        Label(self.backwards.len() - 1)
    }

    /// How many instructions the next one emitted would have to skip.
    fn distance(&self, to: Label) -> usize {
        self.backwards.len() - 1 - to.0
    }

    /// Makes `target` the instruction that follows the next one emitted.
    fn fall_into(&mut self, target: Target) {
        let at = self.in_reach(target);
        let distance = self.distance(at);
        if distance > 0 {
            self.stepping_stone(distance);
        }
    }

    /// A label for `target` that a conditional jump reaches from here.
    fn in_reach(&mut self, target: Target) -> Label {
        match target {
            Target::At(label) if self.distance(label) <= REACH => label,
            Target::At(label) => self.stepping_stone(self.distance(label)),
            Target::Return(value) => self.returning(value),
        }
    }

    fn stepping_stone(&mut self, distance: usize) -> Label {
        let k = u32::try_from(distance).expect("a program has fewer than 2³² instructions");
        self.emit(Instruction { code: JUMP, jump_true: 0, jump_false: 0, k })
    }

    fn returning(&mut self, value: u32) -> Label {
        let known = self.returns.iter().position(|(returned, _)| *returned == value);
        if let Some(index) = known
            && self.distance(self.returns[index].1) <= REACH
        {
            return self.returns[index].1;
        }
        let label = self.emit(Instruction { code: RETURN, jump_true: 0, jump_false: 0, k: value });
        match known {
            Some(index) => self.returns[index].1 = label,
            None => self.returns.push((value, label)),
        }
        label
    }
}
