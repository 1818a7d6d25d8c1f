//! A machine for classic BPF, as far as filters use it. Written from `Documentation/networking/filter.rst`, knows
//! nothing of the compiler, and refuses what the kernel's checker refuses for filters.

use sys::seccomp::Instruction;

/// `struct seccomp_data`, without the address of the instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) number: u32,
    pub(crate) audit_architecture: u32,
    pub(crate) arguments: [u64; 6],
}

impl Call {
    fn word(&self, offset: u32) -> u32 {
        let half = |value: u64, upper: bool| u32::try_from(if upper { value >> 32 } else { value & 0xffff_ffff });
        match offset {
            0 => self.number,
            4 => self.audit_architecture,
            16..=60 if offset.is_multiple_of(4) => {
                let index = usize::try_from((offset - 16) / 8).expect("at most 5");
                half(self.arguments[index], !offset.is_multiple_of(8)).expect("a half has 32 bits")
            }
            _ => panic!("load from offset {offset}"),
        }
    }
}

/// What a program returns for a call.
pub(crate) fn run(program: &[Instruction], call: &Call) -> u32 {
    let mut accumulator = 0_u32;
    let mut at = 0;
    loop {
        let Instruction { code, jump_true, jump_false, k } = program[at];
        at += 1;
        let mut branch = |holds: bool| at += usize::from(if holds { jump_true } else { jump_false });
        match code {
            0x20 => accumulator = call.word(k),
            0x54 => accumulator &= k,
            0x05 => at += usize::try_from(k).expect("a distance"),
            0x15 => branch(accumulator == k),
            0x25 => branch(accumulator > k),
            0x35 => branch(accumulator >= k),
            0x45 => branch(accumulator & k != 0),
            0x06 => return k,
            _ => panic!("instruction {code:#x} at {}", at - 1),
        }
    }
}
