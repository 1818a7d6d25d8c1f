//! A failed step, from the child's fixed-size report to words a person can act on.

/// The commonest causes of failed steps.
mod causes;
/// Why a program cannot be executed.
mod program;

use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;

pub(super) use self::causes::DISK_FULL;
use crate::error::{Error, ErrorKind};
use crate::plan::{Plan, Step};

/// What the child sends when a step fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Report {
    step: u32,
    errno: i32,
}

/// The step number of a report that did not come from a step.
const NO_STEP: u32 = u32::MAX;

impl Report {
    /// Bytes on the wire. Other messages of the child are shorter.
    pub(super) const SIZE: usize = 8;

    /// A report of the step with this number.
    pub(super) fn new(step: usize, errno: Errno) -> Report {
        Report { step: u32::try_from(step).unwrap_or(NO_STEP), errno: errno.raw_os_error() }
    }

    /// The connection to the child broke.
    pub(super) fn lost(errno: Errno) -> Report {
        Report { step: NO_STEP, errno: errno.raw_os_error() }
    }

    pub(super) fn to_bytes(self) -> [u8; Report::SIZE] {
        let value = u64::from(self.step) << u32::BITS | u64::from(self.errno.cast_unsigned());
        value.to_le_bytes()
    }

    pub(super) fn from_bytes(bytes: [u8; Report::SIZE]) -> Report {
        let value = u64::from_le_bytes(bytes);
        let low = u32::try_from(value & u64::from(u32::MAX)).unwrap_or_default();
        Report { step: u32::try_from(value >> u32::BITS).unwrap_or(NO_STEP), errno: low.cast_signed() }
    }
}

/// Words the report. With a program that could not be executed comes what was found under its name.
pub(super) fn describe(plan: &Plan, report: Report, file: Option<&OwnedFd>) -> Error {
    let errno = Errno::from_raw_os_error(report.errno);
    let step = usize::try_from(report.step).ok().and_then(|number| plan.steps.get(number));
    match step {
        None => Error::system("the connection to the new process", errno),
        Some(Step::Execute | Step::FindProgram) => program::explain(plan, errno, file.map(AsFd::as_fd)),
        Some(step) => {
            let error = match errno {
                Errno::NOSYS if super::kernel::lacks_openat2() => return without_openat2(step),
                // What another kernel could do: which one this is belongs to the error.
                Errno::NOSYS | Errno::OPNOTSUPP | Errno::NODEV => {
                    let message = format!("{step}: {errno} ({})", super::kernel::name());
                    Error::new(ErrorKind::Unsupported, message)
                }
                errno => Error::system(step, errno),
            };
            match causes::hint(step, errno) {
                Some(hint) => error.with_hint(hint),
                None => error,
            }
        }
    }
}

/// The one call that nothing else is as safe as.
fn without_openat2(step: &Step) -> Error {
    let message = format!("{step}: openat2: {} ({})", Errno::NOSYS, super::kernel::name());
    Error::new(ErrorKind::Unsupported, message).with_hint(
        "without openat2 (Linux 5.6; a filter around this runtime may refuse it too) paths of a container cannot be \
         resolved safely, so nothing is run",
    )
}

/// The process is gone, and has not said why.
pub(super) fn vanished() -> Error {
    Error::new(ErrorKind::System, "the process was killed before it could become the program")
        .with_hint("is linux.resources.memory.limit too low to start anything? 'dmesg' names who ran out of memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_survives_the_wire() {
        for report in [Report::new(0, Errno::PERM), Report::new(70_000, Errno::NOSYS), Report::lost(Errno::PIPE)] {
            assert_eq!(Report::from_bytes(report.to_bytes()), report);
        }
    }
}
