//! Device rules as a program for cgroup v2 (`BPF_PROG_TYPE_CGROUP_DEVICE`): a pure function.
//!
//! The kernel runs it for each use of a device with type, access and numbers; it answers 1 to allow. Rules are tested
//! from the last to the first, because a later rule overrides an earlier one.

use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};
use sys::bpf::Instruction;

/// Opcodes of `bpf(2)` that are used here.
const LOAD_WORD: u8 = 0x61;
const MOVE: u8 = 0xb7;
const MOVE_REGISTER: u8 = 0xbf;
const AND: u8 = 0x54;
const SHIFT_RIGHT: u8 = 0x74;
const JUMP_UNEQUAL: u8 = 0x55;
const JUMP_UNEQUAL_REGISTER: u8 = 0x5d;
const EXIT: u8 = 0x95;

/// What the registers hold once loaded.
const TYPE: u8 = 2;
const ACCESS: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;
const SCRATCH: u8 = 1;
const RESULT: u8 = 0;

/// All three kinds of access: read, write, mknod.
const EVERY_ACCESS: i32 = 7;

/// The program for these rules; without a matching rule it denies.
pub(super) fn compile(rules: &[LinuxDeviceCgroup]) -> Vec<Instruction> {
    const CONTEXT: u8 = 1;
    let mut program = vec![
        instruction(LOAD_WORD, TYPE, CONTEXT, 0, 0),
        instruction(AND, TYPE, 0, 0, 0xffff),
        instruction(LOAD_WORD, ACCESS, CONTEXT, 0, 0),
        instruction(SHIFT_RIGHT, ACCESS, 0, 0, 16),
        instruction(LOAD_WORD, MAJOR, CONTEXT, 4, 0),
        instruction(LOAD_WORD, MINOR, CONTEXT, 8, 0),
    ];
    for rule in rules.iter().rev() {
        let conditions = conditions(rule);
        let always_decides = conditions.is_empty();
        // Past the other conditions, the move and the exit, to the next rule.
        let mut left = conditions.len() + 2;
        for mut condition in conditions {
            left -= 1;
            if condition.code == JUMP_UNEQUAL || condition.code == JUMP_UNEQUAL_REGISTER {
                condition.offset = i16::try_from(left).unwrap_or(i16::MAX);
            }
            program.push(condition);
        }
        program.push(instruction(MOVE, RESULT, 0, 0, i32::from(rule.allow())));
        program.push(instruction(EXIT, 0, 0, 0, 0));
        if always_decides {
            // The kernel's verifier refuses a program with instructions that are never reached.
            return program;
        }
    }
    program.push(instruction(MOVE, RESULT, 0, 0, 0));
    program.push(instruction(EXIT, 0, 0, 0, 0));
    program
}

fn conditions(rule: &LinuxDeviceCgroup) -> Vec<Instruction> {
    let mut list = Vec::new();
    let kind = match rule.typ() {
        Some(LinuxDeviceType::B) => Some(1),
        Some(LinuxDeviceType::C | LinuxDeviceType::U) => Some(2),
        _ => None,
    };
    if let Some(kind) = kind {
        list.push(instruction(JUMP_UNEQUAL, TYPE, 0, 0, kind));
    }
    let access = rule.access().as_deref().map_or(EVERY_ACCESS, access_bits);
    if access != EVERY_ACCESS {
        list.push(instruction(MOVE_REGISTER, SCRATCH, ACCESS, 0, 0));
        list.push(instruction(AND, SCRATCH, 0, 0, access));
        list.push(instruction(JUMP_UNEQUAL_REGISTER, SCRATCH, ACCESS, 0, 0));
    }
    for (register, number) in [(MAJOR, rule.major()), (MINOR, rule.minor())] {
        if let Some(number) = number.filter(|number| *number >= 0) {
            let number = i32::try_from(number).unwrap_or(i32::MAX);
            list.push(instruction(JUMP_UNEQUAL, register, 0, 0, number));
        }
    }
    list
}

fn access_bits(letters: &str) -> i32 {
    let bit = |letter| match letter {
        'm' => 1,
        'r' => 2,
        'w' => 4,
        _ => 0,
    };
    letters.chars().map(bit).fold(0, |all, one| all | one)
}

fn instruction(code: u8, destination: u8, source: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction { code, registers: destination | source << 4, offset, immediate }
}

#[cfg(test)]
mod tests {
    use oci_spec::runtime::LinuxDeviceCgroupBuilder;

    use super::*;

    fn rule(allow: bool, kind: LinuxDeviceType, major: i64, minor: i64, access: &str) -> LinuxDeviceCgroup {
        let builder = LinuxDeviceCgroupBuilder::default().allow(allow).typ(kind).access(access);
        builder.major(major).minor(minor).build().expect("complete")
    }

    /// Runs a program as the kernel would.
    fn allows(program: &[Instruction], kind: u64, access: u64, major: u64, minor: u64) -> bool {
        let mut registers = [0_u64; 8];
        let mut at = 0;
        loop {
            let Instruction { code, registers: pair, offset, immediate } = program[at];
            let (to, from) = (usize::from(pair & 15), usize::from(pair >> 4));
            let value = u64::try_from(immediate).expect("no negative numbers are used");
            at += 1;
            let jump = match code {
                LOAD_WORD => {
                    registers[to] = [access << 16 | kind, major, minor][usize::try_from(offset).expect("positive") / 4];
                    false
                }
                MOVE => {
                    registers[to] = value;
                    false
                }
                MOVE_REGISTER => {
                    registers[to] = registers[from];
                    false
                }
                AND => {
                    registers[to] &= value;
                    false
                }
                SHIFT_RIGHT => {
                    registers[to] >>= value;
                    false
                }
                JUMP_UNEQUAL => registers[to] != value,
                JUMP_UNEQUAL_REGISTER => registers[to] != registers[from],
                EXIT => return registers[0] == 1,
                other => panic!("opcode {other:#x} is not one of ours"),
            };
            if jump {
                at += usize::try_from(offset).expect("jumps go forward");
            }
        }
    }

    #[test]
    fn the_last_matching_rule_decides() {
        let rules = [
            rule(false, LinuxDeviceType::A, -1, -1, "rwm"),
            rule(true, LinuxDeviceType::C, -1, -1, "m"),
            rule(true, LinuxDeviceType::C, 1, 3, "rwm"),
            rule(true, LinuxDeviceType::C, 136, -1, "rw"),
            rule(false, LinuxDeviceType::C, 136, 7, "rwm"),
        ];
        let program = compile(&rules);
        for (kind, access, major, minor, expected) in [
            (2, 6, 1, 3, true),
            (2, 1, 9, 9, true),
            (2, 2, 9, 9, false),
            (1, 1, 9, 9, false),
            (1, 2, 1, 3, false),
            (2, 6, 136, 5, true),
            (2, 6, 136, 7, false),
        ] {
            assert_eq!(allows(&program, kind, access, major, minor), expected, "{kind} {access} {major}:{minor}");
        }
        assert!(!allows(&compile(&[]), 2, 2, 1, 3));
    }

    /// How many instructions some input reaches; all jumps go forward.
    fn reached(program: &[Instruction]) -> usize {
        let mut reached = vec![false; program.len() + 1];
        reached[0] = true;
        for (at, instruction) in program.iter().enumerate().filter(|(_, instruction)| instruction.code != EXIT) {
            let here = reached[at];
            reached[at + 1] |= here;
            if matches!(instruction.code, JUMP_UNEQUAL | JUMP_UNEQUAL_REGISTER) {
                reached[at + 1 + usize::try_from(instruction.offset).expect("jumps go forward")] |= here;
            }
        }
        reached.into_iter().filter(|reached| *reached).count()
    }

    #[test]
    fn every_instruction_is_reached() {
        let everything = |allow| rule(allow, LinuxDeviceType::A, -1, -1, "rwm");
        let null = rule(true, LinuxDeviceType::C, 1, 3, "rw");
        let lists =
            [vec![], vec![everything(false)], vec![everything(false), null.clone()], vec![null, everything(true)]];
        for rules in lists {
            let program = compile(&rules);
            assert_eq!(reached(&program), program.len(), "{rules:?}");
        }
    }
}
