//! Numbers and decisions against libseccomp, through a small C program that is compiled when the test runs.
//!
//! The differences that are meant:
//!
//! - Numbers that are newer than a profile answer `ENOSYS`. libseccomp has nothing of the kind; runc adds it.
//! - On i386, `socketcall` and `ipc` for a rule with conditions: libseccomp compares arguments that are not there.
//! - `ipc` with a version in the upper half of its first argument: libseccomp takes that for another call.
//! - Two rules for one call with the same conditions and different actions: libseccomp refuses them.
//! - Several rules with conditions for one call, where libseccomp errs, see [`is_risky`].

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use oci_spec::runtime::{Capabilities, Capability, LinuxSeccomp, LinuxSeccompArg, LinuxSyscall};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use runtime::seccomp::syscalls::{self, Architecture};
use runtime::seccomp::{KernelVersion, ProfileContext, compile, default_profile};
use sys::seccomp::Instruction;
use tempfile::TempDir;

use crate::decisions::profiles_at_random;
use crate::interpreter::run;
use crate::profiles::{Allow, DOCKER_X86, Eq, Errno, Ge, Gt, Le, Lt, Ne, errno, profile, rule, when};
use crate::reference::{self, ABIS, Reference};
use crate::{probes, profiles};

/// `numbers`: for each line with an architecture and a name, the number. `filter`: for lines that describe a filter,
/// its program. Ends with 2 if libseccomp refuses a rule.
const SOURCE: &str = r#"
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv) {
    char name[64]; unsigned token, action; int count; scmp_filter_ctx filter = 0;
    if (!strcmp(argv[1], "numbers")) {
        while (scanf("%x %63s", &token, name) == 2) printf("%d\n", seccomp_syscall_resolve_name_arch(token, name));
        return 0;
    }
    while (scanf("%63s %x", name, &token) == 2) {
        if (!strcmp(name, "default")) filter = seccomp_init(token);
        else if (!strcmp(name, "optimize")) seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, token);
        else if (!strcmp(name, "architecture")) seccomp_arch_add(filter, token);
        else if (!strcmp(name, "rule")) {
            struct scmp_arg_cmp conditions[6];
            unsigned long long a, b; unsigned index, op;
            action = token;
            if (scanf("%63s %d", name, &count) != 2) return 1;
            for (int i = 0; i < count; i++) {
                if (scanf("%u %u %llx %llx", &index, &op, &a, &b) != 4) return 1;
                conditions[i] = (struct scmp_arg_cmp){ index, op, a, b };
            }
            int refused = seccomp_rule_add_array(filter, action, seccomp_syscall_resolve_name(name), count, conditions);
            if (refused) { fprintf(stderr, "%s: %s\n", name, strerror(-refused)); return 2; }
        }
    }
    return seccomp_export_bpf(filter, STDOUT_FILENO) ? 1 : 0;
}
"#;

/// The C program, compiled.
struct Oracle {
    program: PathBuf,
    known: HashSet<String>,
    _directory: TempDir,
}

impl Oracle {
    fn new() -> Oracle {
        let directory = TempDir::new().expect("a temporary directory");
        let (source, program) = (directory.path().join("oracle.c"), directory.path().join("oracle"));
        std::fs::write(&source, SOURCE).expect("the source is written");
        let compiler = Command::new("gcc").arg(&source).arg("-o").arg(&program).arg("-lseccomp").output();
        if let Some(why) = match &compiler {
            Ok(output) if output.status.success() => None,
            Ok(output) => Some(String::from_utf8_lossy(&output.stderr).into_owned()),
            Err(error) => Some(error.to_string()),
        } {
            panic!(
                "no C compiler with libseccomp (Debian: gcc, libseccomp-dev; 'cargo xtask test' installs it): {why}"
            );
        }
        let mut oracle = Oracle { program, known: HashSet::new(), _directory: directory };
        let questions: Vec<_> = syscalls::names().flat_map(|name| ABIS.map(|abi| (abi, name))).collect();
        let answers = oracle.numbers(questions.iter().copied());
        let known = questions.chunks(ABIS.len()).zip(answers.chunks(ABIS.len())).filter(|(questions, answers)| {
            questions.iter().zip(*answers).all(|((abi, name), answer)| {
                let number = syscalls::numbers(name).and_then(|numbers| numbers.on(*abi));
                number == u32::try_from(*answer).ok() || syscalls::multiplexed(name).is_some()
            })
        });
        oracle.known = known.map(|(questions, _)| questions[0].1.to_owned()).collect();
        oracle
    }

    fn numbers<'a>(&self, questions: impl Iterator<Item = (Architecture, &'a str)>) -> Vec<i32> {
        let input = questions.fold(String::new(), |mut input, (abi, name)| {
            writeln!(input, "{:x} {name}", abi.oci() as u32).expect("strings take everything");
            input
        });
        let output = self.ask("numbers", &input);
        assert!(output.status.success());
        let output = String::from_utf8(output.stdout).expect("numbers");
        output.lines().map(|line| line.parse().expect("a number")).collect()
    }

    /// The program that libseccomp makes of a profile when it is driven as runc drives it.
    fn compile(&self, profile: &LinuxSeccomp) -> Option<Vec<Instruction>> {
        let mut input = String::new();
        let default = reference::default(profile);
        writeln!(input, "default {default:x}").expect("strings take everything");
        if profile.syscalls().iter().flatten().flat_map(LinuxSyscall::names).count() > 32 {
            input.push_str("optimize 2\n");
        }
        for arch in profile.architectures().iter().flatten() {
            writeln!(input, "architecture {:x}", *arch as u32).expect("strings take everything");
        }
        for rule in profile.syscalls().iter().flatten() {
            let answer = reference::answer(rule.action(), rule.errno_ret());
            if answer != default {
                for name in rule.names() {
                    write_rule(&mut input, answer, name, rule);
                }
            }
        }
        let output = self.ask("filter", &input);
        if output.status.code() == Some(2) {
            return None;
        }
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let word = |bytes: &[u8]| bytes.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte));
        let decode = |bytes: &[u8]| Instruction {
            code: u16::from_le_bytes([bytes[0], bytes[1]]),
            jump_true: bytes[2],
            jump_false: bytes[3],
            k: word(&bytes[4..]),
        };
        Some(output.stdout.chunks_exact(8).map(decode).collect())
    }

    fn ask(&self, question: &str, input: &str) -> Output {
        let mut child = Command::new(&self.program)
            .arg(question)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the oracle starts");
        let mut stdin = child.stdin.take().expect("it was asked for");
        let input = input.to_owned();
        let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
        let output = child.wait_with_output().expect("the oracle answers");
        writer.join().expect("no panic").expect("the oracle listens");
        output
    }

    /// The profile without the names that this libseccomp is too old for, on any architecture.
    fn understood(&self, profile: &LinuxSeccomp) -> LinuxSeccomp {
        let mut profile = profile.clone();
        let rules = profile.syscalls().iter().flatten().cloned().map(|mut rule| {
            rule.set_names(rule.names().iter().filter(|name| self.known.contains(*name)).cloned().collect());
            rule
        });
        let rules = rules.collect();
        profile.set_syscalls(Some(rules));
        profile
    }

    /// Whether libseccomp took the profile; if so, it decided as we do.
    fn check(&self, profile: &LinuxSeccomp, meetings: Meetings) -> bool {
        let profile = self.understood(profile);
        let Some(theirs) = self.compile(&profile) else { return false };
        let ours = compile(&profile).expect("the profile compiles");
        let reference = Reference::new(&profile);
        for call in probes::calls(&profile) {
            let abi = reference.abi_of(&call);
            let future = abi.is_some_and(|abi| reference.is_future(abi, call.number));
            if future || differs_behind_multiplexers(&profile, abi, call.number) {
                continue;
            }
            let rules = reference.rules_of(&call);
            if meetings == Meetings::Skip && (reference.decide(&call).is_none() || is_risky(rules)) {
                continue;
            }
            let (ours, theirs) = (run(ours.program(), &call), run(&theirs, &call));
            assert_eq!(ours, theirs, "{call:#x?}, rules {rules:#?}");
        }
        true
    }
}

/// What to do where several rules for one call match or nearly match, which libseccomp is not always right about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meetings {
    Compare,
    Skip,
}

/// Whether libseccomp 2.5.4 can get a call wrong that several rules with conditions speak of.
///
/// - With two bounds on one argument, 2³² − 1 is "below 2³² − 1 or at least 2³² + 5".
/// - With more than one argument in a rule, it can go on to the next rule without loading that one's argument again, and
///   compare the wrong one.
fn is_risky(rules: &[&LinuxSyscall]) -> bool {
    let conditions = || rules.iter().flat_map(|rule| rule.args().iter().flatten());
    let bounds = conditions().filter(|one| [Lt, Le, Ge, Gt].contains(&one.op()));
    let mut indices: Vec<_> = bounds.map(LinuxSeccompArg::index).collect();
    indices.sort_unstable();
    let two_bounds = indices.windows(2).any(|pair| pair[0] == pair[1]);
    let several = rules.iter().filter(|rule| rule.args().as_ref().is_some_and(|all| !all.is_empty())).count() > 1;
    let wide = rules.iter().any(|rule| rule.args().as_ref().is_some_and(|all| all.len() > 1));
    two_bounds || several && wide
}

fn write_rule(input: &mut String, answer: u32, name: &str, rule: &LinuxSyscall) {
    let conditions = rule.args().as_deref().unwrap_or_default();
    let repeated = (0..6).any(|index| conditions.iter().filter(|one| one.index() == index).count() > 1);
    let size = if repeated { 1 } else { conditions.len().max(1) };
    let mut groups: Vec<_> = conditions.chunks(size).collect();
    if groups.is_empty() {
        groups.push(&[]);
    }
    for group in groups {
        write!(input, "rule {answer:x} {name} {}", group.len()).expect("strings take everything");
        for one in group {
            let (value, two) = (one.value(), one.value_two().unwrap_or(0));
            write!(input, " {} {} {value:x} {two:x}", one.index(), one.op() as u32).expect("strings take everything");
        }
        input.push('\n');
    }
}

/// `socketcall` and `ipc`, if a rule with conditions speaks of a call behind them, and `ipc` with a version.
fn differs_behind_multiplexers(profile: &LinuxSeccomp, abi: Option<Architecture>, number: u32) -> bool {
    let conditional = |rule: &&LinuxSyscall| rule.args().as_ref().is_some_and(|conditions| !conditions.is_empty());
    let mut names = profile.syscalls().iter().flatten().filter(conditional).flat_map(LinuxSyscall::names);
    let behind = |name: &String| syscalls::multiplexed(name).is_some_and(|way| way.number == number);
    abi == Some(Architecture::X86) && (number == 117 || names.any(behind))
}

#[test]
fn numbers_are_those_of_libseccomp() {
    let oracle = Oracle::new();
    let questions: Vec<_> = ABIS.iter().flat_map(|abi| syscalls::names().map(move |name| (*abi, name))).collect();
    let answers = oracle.numbers(questions.iter().copied());
    let mut compared = 0;
    for ((abi, name), theirs) in questions.into_iter().zip(answers) {
        let ours = syscalls::numbers(name).and_then(|numbers| numbers.on(abi));
        if theirs >= 0 {
            assert_eq!(ours, u32::try_from(theirs).ok(), "{name} on {abi:?}");
            compared += 1;
        } else if let Some(ours) = ours {
            // What is behind a multiplexer has a pseudo number there. The rest is newer than the oldest libseccomp
            // that is of interest, 2.5.4.
            let pseudo = syscalls::multiplexed(name).is_some();
            assert!(
                pseudo || [335, 336].contains(&(ours & 0xffff)) || ours & 0xffff >= 441,
                "{name} on {abi:?}: {ours}"
            );
        }
    }
    assert!(compared > 1500, "{compared}");
}

#[test]
fn the_default_profile() {
    let oracle = Oracle::new();
    for capabilities in [Capabilities::new(), Capabilities::from([Capability::SysAdmin, Capability::SysPtrace])] {
        let (architecture, kernel) = (Architecture::NATIVE, KernelVersion { major: 6, minor: 1 });
        let ours = default_profile(&ProfileContext { capabilities: &capabilities, architecture, kernel });
        assert!(oracle.check(&ours, Meetings::Compare), "libseccomp takes it");
    }
}

#[test]
fn comparisons_one_by_one() {
    let oracle = Oracle::new();
    for op in [Ne, Lt, Le, Eq, Ge, Gt, profiles::MaskedEq] {
        for value in [0, 5, 0xffff_ffff, 1 << 32, (1 << 32) + 5, u64::MAX] {
            let one = when(rule("ioctl", Allow), &[(1, op, value, value & 0xff)]);
            assert!(oracle.check(&profile(Errno, &DOCKER_X86, vec![one]), Meetings::Compare));
        }
    }
}

#[test]
fn rules_that_meet() {
    let oracle = Oracle::new();
    let one = |number, condition| when(errno("ioctl", number), &[condition]);
    for rules in [
        vec![one(2, (1, Eq, 5, 0)), one(3, (1, Gt, 3, 0))],
        vec![one(2, (1, Gt, 3, 0)), one(3, (1, Gt, 10, 0)), one(4, (1, Lt, 8, 0)), one(5, (1, Lt, 6, 0))],
        vec![one(2, (1, Le, 3, 0)), one(3, (2, Ge, 10, 0)), one(4, (0, Eq, 8, 0))],
        vec![one(2, (1, Ne, 3, 0)), one(3, (1, Eq, 5, 0))],
        vec![one(2, (1, Ne, 5, 0)), one(3, (1, Eq, 3, 0))],
        vec![one(2, (1, Eq, 5, 0)), rule("ioctl", Allow), one(3, (1, Eq, 6, 0))],
        vec![one(2, (1, Eq, 5, 0)), when(errno("ioctl", 3), &[(1, Eq, 5, 0), (2, Eq, 1, 0)])],
    ] {
        assert!(oracle.check(&profile(Errno, &DOCKER_X86, rules), Meetings::Compare));
    }
}

#[test]
fn random_profiles() {
    let oracle = Oracle::new();
    let mut runner = TestRunner::deterministic();
    let cases = 64;
    let taken = (0..cases).filter(|_| {
        let profile = profiles_at_random().new_tree(&mut runner).expect("there is always one").current();
        oracle.check(&profile, Meetings::Skip)
    });
    let taken = taken.count();
    assert!(taken > cases / 2, "libseccomp took {taken} of {cases} profiles");
}
