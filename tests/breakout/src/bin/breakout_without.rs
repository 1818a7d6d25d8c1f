//! `breakout_without CALLS PROGRAM ARGUMENTS…`: runs a program on a kernel that lacks some system calls. A filter answers
//! `ENOSYS` to them, for this process and everything it starts, and this process becomes the program.
//!
//! Knows the calls that a container runtime may have to do without, and no others. No effect on anything else, if root
//! starts it; for others, the kernel wants `no_new_privs` as well.
#![expect(clippy::print_stderr, reason = "a program: whoever starts it reads its words")]

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use sys::seccomp::{Instruction, install};

/// Calls by name, with the number that they have on every architecture: all came after numbers became the same.
const CALLS: [(&str, u32); 7] = [
    ("openat2", 437),
    ("fsopen", 430),
    ("clone3", 435),
    ("open_tree", 428),
    ("move_mount", 429),
    ("mount_setattr", 442),
    ("open_tree_attr", 467),
];

/// Exit status when the program was not started.
const NOT_STARTED: u8 = 125;

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let (calls, program) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let filter = match filter(&calls.to_string_lossy()) {
        Ok(filter) => filter,
        Err(name) => return refuse(&format!("`{name}` is none of {}", CALLS.map(|(name, _)| name).join(", "))),
    };
    let installed = install(&filter, 0).or_else(|_| {
        rustix::thread::set_no_new_privs(true)?;
        install(&filter, 0)
    });
    if let Err(errno) = installed {
        return refuse(&format!("seccomp: {errno}"));
    }
    let error = Command::new(&program).args(words).exec();
    refuse(&format!("{}: {error}", program.display()))
}

fn refuse(why: &str) -> ExitCode {
    eprintln!("breakout_without: {why}");
    ExitCode::from(NOT_STARTED)
}

/// The filter for a list of names, or the first name that is not known.
fn filter(names: &str) -> Result<Vec<Instruction>, String> {
    const LOAD: u16 = 0x20;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const ALLOW: u32 = 0x7fff_0000;
    const ENOSYS: u32 = 0x0005_0000 + 38;
    let numbers = names.split(',').map(|name| {
        let known = CALLS.iter().find(|(known, _)| *known == name);
        known.map(|(_, number)| *number).ok_or_else(|| name.to_owned())
    });
    // The number of the call is the first word of what a filter sees.
    let mut program = vec![plain(LOAD, 0)];
    for number in numbers {
        program.push(Instruction { code: JUMP_IF_EQUAL, jump_true: 0, jump_false: 1, k: number? });
        program.push(plain(RETURN, ENOSYS));
    }
    program.push(plain(RETURN, ALLOW));
    Ok(program)
}

fn plain(code: u16, k: u32) -> Instruction {
    Instruction { code, jump_true: 0, jump_false: 0, k }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_a_filter() {
        assert_eq!(filter("openat2").map(|program| program.len()), Ok(4));
        assert_eq!(filter("openat2,fsopen,clone3").map(|program| program.len()), Ok(8));
        assert_eq!(filter("openat2,read").map(|program| program.len()), Err("read".to_owned()));
    }
}
