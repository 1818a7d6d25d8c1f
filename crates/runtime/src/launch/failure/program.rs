//! Why a program cannot be executed: what the kernel says in one number, looked up in the file itself.
//!
//! The file is the container's and may be anything; only a regular one is read, and of that a few pages.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use rustix::fs::{FileType, Mode, StatVfsMountFlags};
use rustix::io::Errno;

use crate::error::{Error, ErrorKind};
use crate::plan::{Plan, Step};

/// How much of the file is looked at.
const BEGINNING: usize = 4096;
const PATH_MAX: usize = 4096;

/// Says what is wrong with the program that a plan should have executed. `file` is what was found under its name.
pub(super) fn explain(plan: &Plan, errno: Errno, file: Option<BorrowedFd<'_>>) -> Error {
    let name = plan.program.arguments.strings().first().map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    let said = |kind, why: &dyn std::fmt::Display| Error::new(kind, format!("exec: {name:?}: {why}"));
    let seen = file.map(|file| Seen::look(file).unwrap_or(Seen::Unreadable));
    match (errno, seen) {
        (Errno::NOENT, None) if !name.contains('/') => {
            said(ErrorKind::CommandNotFound, &"executable file not found in $PATH")
                .with_hint("check the spelling, the image's PATH, or give the full path of the program")
        }
        (Errno::NOENT, seen) => {
            let error = said(ErrorKind::CommandNotFound, &"no such file or directory");
            error.with_hint(seen.map_or_else(|| "the file is missing in the image".to_owned(), Seen::lacks))
        }
        (Errno::NOTDIR, _) => said(ErrorKind::CommandNotFound, &"not a directory")
            .with_hint("a part of its path is a file in the container"),
        (Errno::ACCESS, seen) => {
            let error = said(ErrorKind::CommandNotExecutable, &"permission denied");
            error.with_hint(seen.map_or_else(|| OUT_OF_REACH.to_owned(), |seen| seen.forbids(plan)))
        }
        (Errno::NOEXEC, seen) => {
            let error = said(ErrorKind::CommandNotExecutable, &"exec format error");
            error.with_hint(seen.unwrap_or(Seen::Unreadable).damage())
        }
        (errno, _) => {
            let error = said(ErrorKind::CommandNotExecutable, &errno);
            match hint(errno) {
                Some(hint) => error.with_hint(hint),
                None => error,
            }
        }
    }
}

const OUT_OF_REACH: &str = "the container's user may not enter one of the directories above it";

fn hint(errno: Errno) -> Option<&'static str> {
    Some(match errno {
        Errno::TOOBIG => "process.args and process.env together are longer than the kernel takes: pass a file instead",
        Errno::TXTBSY => "somebody has the file open for writing",
        Errno::LOOP => "its interpreters name one another, or its path has too many symbolic links",
        Errno::NOMEM => "memory ran out: is linux.resources.memory.limit too low for this program?",
        Errno::AGAIN => "the user has more processes than process.rlimits RLIMIT_NPROC lets him",
        Errno::INVAL | Errno::LIBBAD => "the program or its dynamic loader is damaged",
        Errno::PERM => "a filter of system calls or a security module forbids it",
        _ => return None,
    })
}

/// What is under the program's name.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Directory,
    /// A device, a socket, …
    Special,
    OnNoExec,
    /// Nobody may execute it.
    NotExecutable(u32),
    Empty,
    Script {
        interpreter: String,
    },
    Program {
        machine: u16,
        loader: Option<String>,
    },
    /// Neither of both.
    Other,
    Unreadable,
}

impl Seen {
    /// Looks at a file that was opened only by name (`O_PATH`).
    fn look(file: BorrowedFd<'_>) -> std::io::Result<Seen> {
        let found = rustix::fs::fstat(file)?;
        match FileType::from_raw_mode(found.st_mode) {
            FileType::Directory => return Ok(Seen::Directory),
            FileType::RegularFile => {}
            _ => return Ok(Seen::Special),
        }
        if rustix::fs::fstatvfs(file)?.f_flag.contains(StatVfsMountFlags::NOEXEC) {
            return Ok(Seen::OnNoExec);
        }
        let mode = Mode::from_raw_mode(found.st_mode);
        if !mode.intersects(Mode::XUSR | Mode::XGRP | Mode::XOTH) {
            return Ok(Seen::NotExecutable(mode.bits() & 0o7777));
        }
        // It is known to be regular, so opening it for good does nothing else.
        let path = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
        let flags = i32::try_from(flags.bits()).unwrap_or_default();
        Seen::read(&File::options().read(true).custom_flags(flags).open(path)?)
    }

    fn read(file: &File) -> std::io::Result<Seen> {
        let mut bytes = [0; BEGINNING];
        let count = file.read_at(&mut bytes, 0)?;
        let bytes = bytes.get(..count).unwrap_or_default();
        Ok(match bytes {
            [] => Seen::Empty,
            [b'#', b'!', rest @ ..] => Seen::Script { interpreter: interpreter(rest) },
            [0x7f, b'E', b'L', b'F', ..] => {
                Seen::Program { machine: half(bytes, 18).unwrap_or_default(), loader: loader(file, bytes) }
            }
            _ => Seen::Other,
        })
    }

    /// It is there, so what is not there is what it needs.
    fn lacks(self) -> String {
        match self {
            Seen::Script { interpreter } if interpreter.ends_with('\r') => {
                "its first line ends with a carriage return, which counts as part of the interpreter's name: convert \
                 its lines from CRLF to LF"
                    .to_owned()
            }
            Seen::Script { interpreter } => {
                format!("its first line names the interpreter {interpreter}, which the container does not have")
            }
            Seen::Program { loader: Some(loader), .. } => format!(
                "it needs the dynamic loader {loader}, which the container does not have: another C library \
                 (glibc, musl), or link it statically"
            ),
            _ => "the file is missing in the image, or what it is executed with is".to_owned(),
        }
    }

    fn forbids(self, plan: &Plan) -> String {
        let uid = plan.steps.iter().find_map(|step| match step {
            Step::Credentials(ids) => Some(ids.uid),
            _ => None,
        });
        match self {
            Seen::Directory => "it is a directory".to_owned(),
            Seen::Special => "it is no regular file".to_owned(),
            Seen::OnNoExec => "it lies on a mount with the option noexec".to_owned(),
            Seen::NotExecutable(mode) => format!("its mode is {mode:04o}: give it the x permission (chmod +x)"),
            _ if plan.confinement.landlock.is_some() => {
                "the user may not execute it, or no rule of Landlock allows it".to_owned()
            }
            Seen::Script { interpreter } => format!(
                "user {} may not execute it or its interpreter {interpreter}: check owner and mode",
                uid.unwrap_or_default()
            ),
            _ => format!("user {} may not execute it: check owner and mode", uid.unwrap_or_default()),
        }
    }

    fn damage(self) -> String {
        match self {
            Seen::Empty => "the file is empty".to_owned(),
            Seen::Other => {
                "it is neither a program nor a script: a script begins with #! and its interpreter".to_owned()
            }
            Seen::Program { machine, .. } if machine != NATIVE => format!(
                "it was built for {}, and this machine is {}: take the image of this platform",
                machine_name(machine),
                std::env::consts::ARCH
            ),
            Seen::Script { interpreter } => format!("its interpreter {interpreter} is no program of this machine"),
            _ => "it was built for another architecture, or is damaged".to_owned(),
        }
    }
}

/// The word after `#!` (`execve(2)`, "Interpreter scripts").
fn interpreter(rest: &[u8]) -> String {
    let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let word = line.split(|byte| matches!(byte, b' ' | b'\t')).find(|word| !word.is_empty()).unwrap_or_default();
    String::from_utf8_lossy(word).into_owned()
}

/// `PT_INTERP` of a program (`elf(5)`). Programs of both sizes, of this machine's byte order.
fn loader(file: &File, head: &[u8]) -> Option<String> {
    const PT_INTERP: u32 = 3;
    let wide = head.get(4)? == &2;
    let at = |narrow, of_wide| if wide { of_wide } else { narrow };
    let word = |bytes: &[u8], offset: usize| {
        let bytes = bytes.get(offset..)?;
        if wide { bytes.first_chunk().map(|bytes| u64::from_le_bytes(*bytes)) } else { whole(bytes, 0).map(u64::from) }
    };
    let table = word(head, at(28, 32))?;
    let size = u64::from(half(head, at(42, 54))?);
    let count = half(head, at(44, 56))?.min(64);
    for number in 0..u64::from(count) {
        let mut entry = [0; 56];
        let length = file.read_at(&mut entry, table.checked_add(number.checked_mul(size)?)?).ok()?;
        let entry = entry.get(..length)?;
        if whole(entry, 0)? == PT_INTERP {
            let mut path = [0; PATH_MAX];
            let length = file.read_at(&mut path, word(entry, at(4, 8))?).ok()?;
            let length = length.min(usize::try_from(word(entry, at(16, 32))?).ok()?);
            let path = path.get(..length)?.split(|byte| *byte == 0).next()?;
            return Some(String::from_utf8_lossy(path).into_owned());
        }
    }
    None
}

fn half(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}

fn whole(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

/// `e_machine` of programs of this machine.
const NATIVE: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };

fn machine_name(machine: u16) -> String {
    match machine {
        3 => "x86 (32 bit)".to_owned(),
        8 => "mips".to_owned(),
        20 | 21 => "powerpc".to_owned(),
        22 => "s390x".to_owned(),
        40 => "arm (32 bit)".to_owned(),
        62 => "x86_64".to_owned(),
        183 => "aarch64".to_owned(),
        243 => "riscv".to_owned(),
        258 => "loongarch".to_owned(),
        other => format!("machine {other}"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn seen(content: &[u8]) -> Seen {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(content).expect("written");
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o755)).expect("changed");
        let by_name = rustix::fs::open(file.path(), rustix::fs::OFlags::PATH, Mode::empty()).expect("opens");
        Seen::look(by_name.as_fd()).expect("looked at")
    }

    #[test]
    fn files_are_what_they_are() {
        let script = |interpreter: &str| Seen::Script { interpreter: interpreter.to_owned() };
        assert_eq!(seen(b""), Seen::Empty);
        assert_eq!(seen(b"hello"), Seen::Other);
        assert_eq!(seen(b"#! \t/bin/sh -e\necho"), script("/bin/sh"));
        assert_eq!(seen(b"#!/bin/sh\r\necho"), script("/bin/sh\r"));
        assert_eq!(seen(b"#!"), script(""));
        assert_eq!(seen(b"\x7fELF"), Seen::Program { machine: 0, loader: None });
        let directory = File::open("/").expect("opens");
        assert_eq!(Seen::look(directory.as_fd()).expect("looked at"), Seen::Directory);
        let null = File::open("/dev/null").expect("opens");
        assert_eq!(Seen::look(null.as_fd()).expect("looked at"), Seen::Special);
    }

    #[test]
    fn a_real_program_names_its_loader() {
        let program = std::fs::read("/bin/ls").expect("every Debian has it");
        let Seen::Program { machine, loader } = seen(&program) else { panic!("no program") };
        assert_eq!(machine, NATIVE);
        assert!(loader.is_some_and(|loader| loader.contains("ld-linux")));
    }

    proptest::proptest! {
        #[test]
        fn whatever_a_file_holds_it_can_be_looked_at(tail in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            for head in [&b"\x7fELF\x02"[..], b"\x7fELF\x01", b"#!", b""] {
                seen(&[head, &tail].concat());
            }
        }
    }
}
