//! Rules of Landlock and labels of security modules, for the process itself. No allocation.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{FileType, OFlags, XattrFlags};
use rustix::io::Errno;

use super::procfs::Procfs;
use super::resolve;
use super::source::Resource;
use super::work::Work;
use crate::plan::Step;

/// Kinds of access that a file can have which is no directory; the others are refused for it (`landlock(7)`).
const OF_FILES: u64 = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15;

/// Has the next program executed under a profile. The file of AppArmor alone came with Linux 5.8; the older one is the
/// first module's.
pub(super) fn app_armor(procfs: &Procfs, profile: &CStr) -> rustix::io::Result<()> {
    const LONGEST: usize = 1024;
    let parts = [&b"exec "[..], profile.to_bytes()];
    let mut command = [0; LONGEST];
    let length = parts.iter().map(|part| part.len()).sum();
    let command = command.get_mut(..length).ok_or(Errno::NAMETOOLONG)?;
    for (place, byte) in command.iter_mut().zip(parts.into_iter().flatten()) {
        *place = *byte;
    }
    let written = match procfs.write(c"thread-self/attr/apparmor/exec", command) {
        Err(Errno::NOENT) => procfs.write(c"thread-self/attr/exec", command),
        other => other,
    };
    match written {
        // Without AppArmor everything is unconfined, and nobody understands the command.
        Err(Errno::NOENT | Errno::INVAL) if profile == c"unconfined" => Ok(()),
        other => other,
    }
}

/// Gives a directory of the container a label of SELinux.
pub(super) fn label_file(root: BorrowedFd<'_>, path: &CStr, label: &CStr) -> rustix::io::Result<()> {
    let directory = resolve::open(root, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW)?;
    rustix::fs::fsetxattr(&directory, c"security.selinux", label.to_bytes(), XattrFlags::empty())
}

/// Allows access to what is at and below a path.
pub(super) fn allow(work: &Work<'_>, root: BorrowedFd<'_>, path: &CStr, access: u64) -> rustix::io::Result<()> {
    let (ruleset, handled) = ruleset(work)?;
    let file = resolve::open(root, path, OFlags::PATH)?;
    let kind = FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode);
    let possible = if kind == FileType::Directory { u64::MAX } else { OF_FILES };
    match access & handled & possible {
        // A rule that allows nothing is refused; and it would change nothing.
        0 => Ok(()),
        access => sys::landlock::allow(ruleset, file.as_fd(), access),
    }
}

/// Comes under the rules.
pub(super) fn restrict(work: &Work<'_>) -> rustix::io::Result<()> {
    sys::landlock::restrict(ruleset(work)?.0)
}

fn ruleset<'a>(work: &Work<'a>) -> rustix::io::Result<(BorrowedFd<'a>, u64)> {
    let of_step = work.plan.steps.iter().position(|step| matches!(step, Step::Landlock(_))).ok_or(Errno::BADF)?;
    match work.resources.get(of_step) {
        Some(Some(Resource::Ruleset(ruleset, handled))) => Ok((ruleset.as_fd(), *handled)),
        _ => Err(Errno::BADF),
    }
}
