//! Small programs in machine code: an ELF file that makes the system calls it was built for, one after the other, and
//! prints the answers. No tool in an image would make them with these arguments, or through the 32-bit gate.
//!
//! x86-64 only: where processors are others, such a file cannot be executed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use end_to_end::Result;

/// Through which gate a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    /// `syscall`: the numbers of x86-64.
    Native,
    /// `int 0x80`: the numbers of i386.
    Compat,
}

/// A system call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) gate: Gate,
    pub(crate) number: u32,
    pub(crate) arguments: [u64; 6],
}

/// Where the code is in memory.
const CODE: u32 = 0x40_0000;
/// Where the answers are collected.
const ANSWERS: u32 = 0x60_0000;
/// Where the bytes lie that calls may point to.
pub(crate) const DATA: u32 = 0x60_8000;

/// Writes an executable file that makes these calls and prints their answers, four bytes each. `data` is at [`DATA`].
///
/// # Errors
/// The file cannot be written.
pub(crate) fn program(file: &Path, calls: &[Call], data: &[u8]) -> Result {
    fs::write(file, elf(&instructions(calls), data))?;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).map_err(Into::into)
}

/// The answers in what such a program printed.
pub(crate) fn answers(output: &[u8]) -> Vec<i32> {
    output.chunks_exact(4).map(|bytes| i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])).collect()
}

fn instructions(calls: &[Call]) -> Vec<u8> {
    let mut code = Vec::new();
    for (call, place) in calls.iter().zip((ANSWERS..).step_by(4)) {
        make(call, &mut code);
        // mov [place], eax
        code.extend([0x89, 0x04, 0x25]);
        code.extend(place.to_le_bytes());
    }
    let length = u64::try_from(calls.len() * 4).expect("a small number");
    let native = |number, arguments| Call { gate: Gate::Native, number, arguments };
    make(&native(1, [1, u64::from(ANSWERS), length, 0, 0, 0]), &mut code);
    make(&native(60, [0; 6]), &mut code);
    code
}

/// Loads the registers and goes through the gate.
fn make(call: &Call, code: &mut Vec<u8>) {
    // mov eax, number
    code.push(0xb8);
    code.extend(call.number.to_le_bytes());
    match call.gate {
        Gate::Native => {
            // mov rdi, rsi, rdx, r10, r8, r9
            let registers = [[0x48, 0xbf], [0x48, 0xbe], [0x48, 0xba], [0x49, 0xba], [0x49, 0xb8], [0x49, 0xb9]];
            for (register, value) in registers.iter().zip(call.arguments) {
                code.extend(register);
                code.extend(value.to_le_bytes());
            }
            code.extend([0x0f, 0x05]);
        }
        Gate::Compat => {
            // mov ebx, ecx, edx, esi, edi
            for (register, value) in [0xbb, 0xb9, 0xba, 0xbe, 0xbf].iter().zip(call.arguments) {
                code.push(*register);
                code.extend(value.to_le_bytes().iter().take(4));
            }
            code.extend([0xcd, 0x80]);
        }
    }
}

/// `elf(5)`: a header, and two segments, for code and for data.
fn elf(code: &[u8], data: &[u8]) -> Vec<u8> {
    const HEADERS: u64 = 64 + 2 * 56;
    const PAGE: u64 = 0x1000;
    let code_size = HEADERS + u64::try_from(code.len()).expect("a small number");
    let data_offset = code_size.next_multiple_of(PAGE);
    let data_size = u64::try_from(data.len()).expect("a small number");
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    // An executable for x86-64, version 1.
    file.extend([2, 0, 62, 0, 1, 0, 0, 0]);
    file.extend((u64::from(CODE) + HEADERS).to_le_bytes());
    file.extend(64_u64.to_le_bytes());
    file.extend([0; 12]);
    // Sizes of this header and of one segment, and the number of segments.
    file.extend([64, 0, 56, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
    let mut segment = |flags: u8, offset: u64, address: u32, size: u64, memory: u64| {
        file.extend([1, 0, 0, 0, flags, 0, 0, 0]);
        for value in [offset, u64::from(address), u64::from(address), size, memory, PAGE] {
            file.extend(value.to_le_bytes());
        }
    };
    segment(5, 0, CODE, code_size, code_size);
    // The answers come first, so the data is loaded to its place behind them.
    let before = usize::try_from(DATA - ANSWERS).expect("a small number");
    segment(6, data_offset, ANSWERS, data_size + u64::from(DATA - ANSWERS), PAGE * 16);
    file.extend(code);
    file.resize(usize::try_from(data_offset).expect("a small number") + before, 0);
    file.extend(data);
    file
}
