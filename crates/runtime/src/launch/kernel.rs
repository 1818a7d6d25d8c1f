//! What a plan needs of the kernel at hand, found out by the parent before anything is made: there an error can still
//! name field, value and kernel.

use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::plan::{Handled, LANDLOCK_ANNOTATION, Plan, Step};

use super::source::Resource;

/// The kernel's name and release, for errors.
pub(super) fn name() -> String {
    let release = rustix::system::uname();
    format!("Linux {}", release.release().to_string_lossy())
}

/// Whether `openat2(2)` is missing, or refused as if it were.
pub(super) fn lacks_openat2() -> bool {
    use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
    let opened = openat2(CWD, c"/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::empty());
    opened.is_err_and(|errno| errno == rustix::io::Errno::NOSYS)
}

/// Refuses a plan with a step that this kernel has not got what it takes for.
pub(super) fn check(plan: &Plan) -> Result<()> {
    plan.steps.iter().try_for_each(|step| match step {
        // Where there is no AppArmor everything is unconfined.
        Step::AppArmor(profile) if profile.as_c_str() == c"unconfined" || has_app_armor() => Ok(()),
        Step::AppArmor(profile) => {
            Err(lacking("AppArmor", &format!("process.apparmorProfile {:?}", profile.to_string_lossy())))
        }
        Step::SelinuxLabel(label) | Step::KeyLabel(label) if !has_selinux() => {
            Err(lacking("SELinux", &format!("process.selinuxLabel {:?}", label.to_string_lossy())))
        }
        Step::Mount(mount) => match mount.options.iter().find(|(key, _)| key.as_c_str() == c"context") {
            Some((_, label)) if !has_selinux() => {
                let label = label.as_deref().map(|label| label.to_string_lossy()).unwrap_or_default();
                Err(lacking("SELinux", &format!("linux.mountLabel {label:?} (context={label})")))
            }
            _ => Ok(()),
        },
        _ => Ok(()),
    })
}

fn lacking(module: &str, what: &str) -> Error {
    let message = format!("{what}: this kernel ({}) runs without {module}", name());
    Error::new(ErrorKind::Unsupported, message).with_hint(format!("leave it out, or boot the host with {module}"))
}

/// Whether AppArmor is on: as it says itself. Its files in /proc are there as soon as it was built.
pub(super) fn has_app_armor() -> bool {
    std::fs::read("/sys/module/apparmor/parameters/enabled").is_ok_and(|text| text.first() == Some(&b'Y'))
}

/// Whether SELinux is on: only then has it registered its file system.
fn has_selinux() -> bool {
    Path::new("/sys/fs/selinux").is_dir()
        && std::fs::read_to_string("/proc/filesystems").is_ok_and(|text| text.contains("selinuxfs"))
}

/// An empty set of Landlock rules.
pub(super) fn ruleset(handled: Handled) -> Result<Resource> {
    let version = sys::landlock::version().map_err(|errno| {
        let message = format!("annotation {LANDLOCK_ANNOTATION}: this kernel ({}) has no Landlock: {errno}", name());
        Error::new(ErrorKind::Unsupported, message)
            .with_hint("it is there since Linux 5.13, where 'lsm=' at boot lists it")
    })?;
    let access = handled.on(version, &name())?;
    let ruleset = sys::landlock::ruleset(access)
        .map_err(|errno| Error::system(format!("annotation {LANDLOCK_ANNOTATION}: ruleset"), errno))?;
    Ok(Resource::Ruleset(ruleset, access))
}

/// Other processors for this process, until dropped.
#[derive(Debug)]
pub(super) struct Affinity(Vec<u64>);

impl Affinity {
    /// Changes to those of a mask.
    pub(super) fn change(mask: &[u64]) -> Result<Affinity> {
        let failed = |errno| {
            Error::system("process.execCPUAffinity.initial", errno)
                .with_hint("none of these processors may be used here: see Cpus_allowed_list in /proc/self/status")
        };
        let mut before = vec![0; 128];
        sys::schedule::affinity(&mut before).map_err(failed)?;
        sys::schedule::set_affinity(mask).map_err(failed)?;
        Ok(Affinity(before))
    }
}

impl Drop for Affinity {
    fn drop(&mut self) {
        // What was allowed a moment ago is allowed now, unless the cgroup was changed; then that decides.
        sys::schedule::set_affinity(&self.0).ok();
    }
}
