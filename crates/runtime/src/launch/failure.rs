//! A failed step, from the child's fixed-size report to words a person can act on.

use rustix::io::Errno;

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

/// Words the report.
pub(super) fn describe(plan: &Plan, report: Report) -> Error {
    let errno = Errno::from_raw_os_error(report.errno);
    let step = usize::try_from(report.step).ok().and_then(|number| plan.steps.get(number));
    match step {
        None => Error::system("the connection to the new process", errno),
        Some(Step::Execute | Step::FindProgram) => execute(plan, errno),
        Some(step) => {
            let error = Error::system(step, errno);
            match hint(step, errno) {
                Some(hint) => error.with_hint(hint),
                None => error,
            }
        }
    }
}

fn execute(plan: &Plan, errno: Errno) -> Error {
    let name = plan.program.arguments.strings().first().map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    let searched = !name.contains('/');
    match errno {
        Errno::NOENT if searched => {
            Error::new(ErrorKind::CommandNotFound, format!("exec {name:?}: executable file not found in $PATH"))
                .with_hint("check the spelling, the image's PATH, or give the full path of the program")
        }
        Errno::NOENT => Error::new(ErrorKind::CommandNotFound, format!("exec {name:?}: no such file or directory"))
            .with_hint("the file is missing in the image, or the interpreter it names (#! line, dynamic loader) is"),
        Errno::NOTDIR => Error::new(ErrorKind::CommandNotFound, format!("exec {name:?}: not a directory")),
        Errno::ACCESS => Error::new(ErrorKind::CommandNotExecutable, format!("exec {name:?}: permission denied"))
            .with_hint("the file needs the x permission for the container's user, and must not be a directory"),
        Errno::NOEXEC => Error::new(ErrorKind::CommandNotExecutable, format!("exec {name:?}: exec format error"))
            .with_hint("it was built for another architecture, or is a script without a #! line"),
        errno => Error::new(ErrorKind::CommandNotExecutable, format!("exec {name:?}: {errno}")),
    }
}

/// What to do about the commonest causes.
fn hint(step: &Step, errno: Errno) -> Option<&'static str> {
    Some(match (step, errno) {
        (Step::Limit { .. }, Errno::PERM) => {
            "this host does not let it be raised above its own hard limit (needs CAP_SYS_RESOURCE): give a lower value"
        }
        (Step::Attach { .. }, Errno::NOTDIR) => {
            "a directory can be mounted only on a directory, a file only on a file: check source and target"
        }
        (Step::Mount(_), Errno::NODEV) => "this kernel does not have that file system",
        (Step::Mount(_), Errno::INVAL) => "the file system does not take one of the options",
        (Step::Mount(_) | Step::Attach { .. }, Errno::LOOP | Errno::NOTDIR) => {
            "the mount point is a symbolic link or no directory in the image"
        }
        (Step::JoinCgroup { .. }, Errno::NOSPC) => "the cpuset of the parent cgroup is empty",
        (Step::WorkingDirectory(_), Errno::NOENT) => "the directory does not exist in the container",
        (Step::WorkingDirectory(_) | Step::MakeWorkingDirectory(_), Errno::NOTDIR) => {
            "that path is a file in the container"
        }
        (Step::OomScore(_), Errno::ACCESS) => "lowering it needs CAP_SYS_RESOURCE",
        (Step::Credentials(_), Errno::PERM) => "a capability was asked for that this host does not have to give",
        (Step::Affinity { .. }, Errno::INVAL) => {
            "none of these processors may be used in this cgroup: see Cpus_allowed_list in /proc/self/status"
        }
        (Step::AppArmor(_), Errno::NOENT) => "the profile is not loaded: see /sys/kernel/security/apparmor/profiles",
        (Step::Hooks { .. }, Errno::CHILD) => "a hook ended with another status than 0",
        (Step::Hooks { .. }, Errno::TIMEDOUT) => "a hook was killed because its time was over",
        (Step::Seccomp, Errno::ACCESS) => "installing a filter needs no_new_privs or CAP_SYS_ADMIN",
        _ => return None,
    })
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
