//! The tests once more in a virtual machine: a stock Debian 12 with its cloud kernel 6.1, systemd, cgroup v2 alone and
//! a root with every capability. That is the host most people have, and seldom the one that the tests run on: there,
//! overlays are mounted by mount(2), devices are guarded by an eBPF program, and limits are files of the one hierarchy.
//!
//! The machine is emulated in software, never by KVM: the same everywhere, and ten times slower, so [`suites`] says
//! what is left out.

/// The machine's disks and kernel: Debian's packages, made once.
mod debian;
/// QEMU, from the start of the machine to its end.
mod machine;
/// What the machine prints, read and counted.
mod report;
/// What is tested inside, on a disk of its own that is made for every run.
mod suites;

use std::path::Path;

use end_to_end::{Failure, Result, target};

use self::debian::Debian;
use self::machine::{End, Machine};
use self::report::Report;
use super::Count;
use crate::say;

/// Makes the machine's system, which takes minutes, unless it is there.
pub(super) fn prepare() -> Result {
    debian::prepare().map(drop)
}

/// Runs the tests whose names have one of these words, or all, in a machine that is started for it.
pub(super) fn run(program: &Path, filter: &[String]) -> Count {
    let phase = say::Phase::begin("tests on Debian 12, in a virtual machine");
    let count = run_and_count(program, filter).unwrap_or_else(|failure| {
        say::error(&failure.to_string());
        Count { failed: 1, ..Count::default() }
    });
    phase.end(if count.failed == 0 { "passed" } else { "FAILED" });
    count
}

fn run_and_count(program: &Path, filter: &[String]) -> Result<Count> {
    let debian = debian::prepare()?;
    let work = tempfile::Builder::new().prefix("run-").tempdir_in(target().join("vm"))?;
    let disk = suites::disk(program, filter, work.path())?;
    // An emulated machine hangs once in a while, which is nothing that Phial could do. Once only: what hangs twice is
    // to be looked at.
    match boot(&debian, &disk)? {
        (End::Off, report) => report.count(),
        (End::Silent, _) => {
            say::line("the virtual machine has gone silent: it is ended, and started once more");
            let (_, report) = boot(&debian, &disk)?;
            report.count()
        }
    }
    .map_err(|failure| Failure::new(format!("{failure}\n{}", machine::last_words())))
}

fn boot(debian: &Debian, disk: &Path) -> Result<(End, Report)> {
    let mut report = Report::default();
    let mut machine = Machine::start(debian, disk)?;
    let end = machine.follow(|line| {
        say::line(line);
        report.read(line);
    })?;
    Ok((end, report))
}
