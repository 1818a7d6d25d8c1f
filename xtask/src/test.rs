//! `cargo xtask test`: every check and every test, in the order in which a fault is cheapest to find. All of them are
//! run even if one fails; the last line counts them.

/// The tests themselves, by nextest.
mod nextest;
/// Which crate may know which, and where `unsafe` may stand.
mod rules;
/// The tests once more, on a stock Debian 12 in a virtual machine.
mod vm;

use std::path::PathBuf;
use std::process::Command;

use end_to_end::leftovers::{self, Snapshot};
use end_to_end::{Failure, Result, images, process};

use crate::{programs, say, setup};

/// What was counted.
#[derive(Debug, Default, Clone, Copy)]
struct Count {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Count {
    fn add(&mut self, other: Count) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// What is tested.
struct Programs {
    phial: PathBuf,
    /// The same, but it dies where it is told to.
    with_fault_points: PathBuf,
}

/// What is wanted.
struct Wanted {
    /// Only tests whose names have one of these words; all, if there are none.
    filter: Vec<String>,
    checks: bool,
    on_host: bool,
    in_vm: bool,
}

impl Wanted {
    /// Nothing means everything. A filter alone leaves the virtual machine out: whoever names a test is in a hurry.
    fn parse(words: &[String]) -> Wanted {
        let (options, filter): (Vec<String>, Vec<String>) = words.iter().cloned().partition(|word| word == "--vm");
        let everything = words.is_empty();
        let vm_only = !options.is_empty();
        Wanted { filter, checks: everything, on_host: !vm_only, in_vm: everything || vm_only }
    }
}

/// Installs what the tests need, then checks and tests; with a filter, only the tests whose names have it; with `--vm`,
/// only in the virtual machine.
///
/// # Errors
/// Something failed: what, was printed before.
pub(crate) fn main(words: &[String]) -> Result {
    let wanted = Wanted::parse(words);
    let phase = say::Phase::begin("set-up");
    setup::all()?;
    if wanted.in_vm {
        setup::packages(setup::VM)?;
    }
    phase.end("done");

    let mut count = Count::default();
    for (name, check) in CHECKS.into_iter().filter(|_| wanted.checks) {
        count.add(counted(name, check));
    }
    let mut program = None;
    count.add(counted("build", || {
        program = Some(Programs { phial: programs::build()?, with_fault_points: programs::build_with_fault_points()? });
        Ok(())
    }));
    if let Some(programs) = program {
        count.add(tests(&programs, &wanted)?);
    }
    say::line(&format!("{} passed, {} failed, {} skipped", count.passed, count.failed, count.skipped));
    if count.failed == 0 { Ok(()) } else { Err(Failure::new("not everything passed")) }
}

fn tests(programs: &Programs, wanted: &Wanted) -> Result<Count> {
    let mut count = counted("images for the tests", || images::prepare().map(drop));
    if wanted.in_vm {
        count.add(counted("a Debian 12 for the virtual machine", vm::prepare));
    }
    // From here on, whoever loses its parent becomes a child of this process, and can be found.
    leftovers::adopt_orphans()?;
    let before = Snapshot::take();
    if wanted.on_host {
        count.add(nextest::run(programs, &wanted.filter));
        // Who names a test is in a hurry.
        let without = WITHOUT.iter().filter(|_| wanted.filter.is_empty());
        without.for_each(|calls| count.add(nextest::run_without(programs, calls)));
    }
    if wanted.in_vm {
        count.add(vm::run(&programs.phial, &wanted.filter));
    }
    count.add(counted("nothing is left on the host", || nothing_left(&before)));
    Ok(count)
}

/// System calls that kernels may lack, and filters around a runtime may refuse: one by one, and all.
const WITHOUT: [&str; 4] = ["openat2", "fsopen", "clone3", "openat2,fsopen,clone3"];

type Check = (&'static str, fn() -> Result);

const CHECKS: [Check; 5] = [
    ("format", || cargo(&["fmt", "--all", "--check"])),
    ("house rules", rules::check),
    ("lints", || cargo(&["clippy", "--quiet", "--locked", "--workspace", "--all-targets", "--", "--deny", "warnings"])),
    ("who depends on whom", rules::dependencies),
    ("licenses, bans and sources", || cargo(&["deny", "--log-level", "warn", "check", "bans", "licenses", "sources"])),
];

/// One thing that passes or fails, with its duration.
fn counted(name: &str, check: impl FnOnce() -> Result) -> Count {
    let phase = say::Phase::begin(name);
    match check() {
        Ok(()) => {
            phase.end("passed");
            Count { passed: 1, ..Count::default() }
        }
        Err(failure) => {
            say::error(&failure.to_string());
            phase.end("FAILED");
            Count { failed: 1, ..Count::default() }
        }
    }
}

fn cargo(arguments: &[&str]) -> Result {
    finish(setup::cargo().args(arguments))
}

fn finish(command: &mut Command) -> Result {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("`{}`: {status}", process::words(command)))) }
}

fn nothing_left(before: &Snapshot) -> Result {
    let rest = leftovers::settle(&[]);
    let mut left = Snapshot::take().since(before);
    if left.is_empty() {
        return Ok(());
    }
    leftovers::end(&rest);
    left.insert(0, format!("{} thing(s) are left on the host, {} of them processes:", left.len(), rest.len()));
    Err(Failure::new(left.join("\n  ")))
}
