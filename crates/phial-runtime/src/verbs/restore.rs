//! `restore`: a container of files that `checkpoint` has written, with criu's help.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::ExitCode;

use runtime::cgroup::Cgroups;
use runtime::launch::Helper;
use runtime::plan::StartMode;
use rustix::mount::{MountPropagationFlags, mount_bind_recursive, mount_change};
use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal, set_child_subreaper};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use sys::clone::{Child, namespace};

use super::criu::{Criu, Kind, Notice, Options};
use super::hooks::Hooks;
use super::make::{Bundle, Choices};
use super::notify::Notify;
use super::{cgroups, delete, outside, stay};
use crate::command_line::{Global, Words};
use crate::container::{Container, New, Saved};
use crate::failure::{Failure, Result};

/// A container that runs again.
struct Restored {
    container: Container,
    child: Child,
    console: Option<OwnedFd>,
    cgroups: Cgroups,
}

/// Restores the container and, unless detached, waits for its end.
pub(crate) fn run(global: &Global, words: &Words) -> Result<ExitCode> {
    let detached = words.has("detach");
    if !detached && !words.has("no-subreaper") {
        // As of 'run': processes that lose their parent become ours to reap.
        set_child_subreaper(Some(getpid())).ok();
    }
    let signals = (!detached).then(stay::Signals::hold).transpose()?;
    let bundle = Bundle::read(words)?;
    let restored = restore(global, words, &bundle)?;
    let Some(signals) = signals else { return Ok(ExitCode::SUCCESS) };
    let Restored { container, child, console, cgroups } = restored;
    let code = stay::until_end(&child, console, &signals)?;
    if !words.has("keep") {
        delete::clear(global, &container, &cgroups, Some(&bundle.spec))?;
    }
    Ok(ExitCode::from(code))
}

fn restore(global: &Global, words: &Words, bundle: &Bundle) -> Result<Restored> {
    if words.has("no-pivot") {
        return Err(Failure::new("--no-pivot: criu changes the root by pivot_root(2) alone"));
    }
    let id = words.argument(0)?;
    if bundle.spec.linux().as_ref().is_some_and(|linux| linux.intel_rdt().is_some()) {
        return Err(Failure::new("linux.intelRdt: criu does not put a restored container into a group of resctrl"));
    }
    let terminal = bundle.spec.process().as_ref().and_then(oci_spec::runtime::Process::terminal).unwrap_or(false);
    let notify = Notify::of(words, terminal, words.has("detach"))?;
    let rootfs = bundle.rootfs()?;
    let new = New::make(global, id)?;
    new.keep_config(&bundle.config)?;
    let hierarchies = cgroups::hierarchies(global)?;
    let choices = Choices {
        id: id.to_owned(),
        preserved: 0,
        start: StartMode::AtOnce,
        keyring: None,
        window: None,
        may_move_root: false,
    };
    let plan = bundle.plan(&rootfs, &hierarchies, choices)?;
    // criu mounts in the directories that it is given: they must be in its mount namespace.
    let (criu, mut options, _namespaces) = with_root_mounted(&rootfs, || {
        let mut options = Options::of(Kind::Restore, words, &bundle.spec)?;
        let namespaces = outside::give_namespaces(&mut options, &bundle.spec)?;
        Ok((Criu::start(global)?, options, namespaces))
    })?;
    options.root(&rootfs);
    outside::give_mounts(&mut options, &bundle.spec, &bundle.path);
    outside::give_streams(&mut options)?;
    let cgroups = cgroups::make(global, &hierarchies, &bundle.spec, id)?;
    let mut hooks = Hooks::new(id, &bundle.path, &bundle.spec);
    let made = process(criu, &mut options, &cgroups, &mut hooks).and_then(|(child, console)| {
        let namespaces = plan.all_namespaces() | time_namespace(child.pid);
        let saved = Saved::new(id, child.pid, &bundle.path, &rootfs, &cgroups, namespaces);
        let told = new.keep(saved).and_then(|container| match notify.tell(&child, console) {
            Ok(console) => Ok((container, console)),
            Err(failure) => container.forget().and(Err(failure)),
        });
        told.inspect_err(|_| {
            pidfd_send_signal(&child.pidfd, Signal::KILL).ok();
        })
        .map(|(container, console)| (container, child, console))
    });
    match made {
        Ok((container, child, console)) => Ok(Restored { container, child, console, cgroups }),
        Err(failure) => {
            cgroups.kill_and_remove().ok();
            Err(failure)
        }
    }
}

/// Has criu make the process. It becomes a child of ours, in the cgroups that criu is put into.
fn process(
    criu: Criu,
    options: &mut Options,
    cgroups: &Cgroups,
    hooks: &mut Hooks<'_>,
) -> Result<(Child, Option<OwnedFd>)> {
    cgroups.attach(criu.process())?;
    cgroups.settled();
    options.restored(&places(criu.process())?);
    let (mut child, mut console) = (None, None);
    criu.ask(options, &mut |Notice { name, process, descriptor }| {
        match (name.as_str(), process) {
            ("setup-namespaces", Some(process)) => hooks.run_hooks(process)?,
            ("post-restore", Some(pid)) => {
                let pidfd = pidfd_open(pid, PidfdFlags::empty());
                let pidfd = pidfd.map_err(|errno| Failure::system("the restored process", errno))?;
                child = Some(Child { pid, pidfd });
            }
            ("orphan-pts-master", _) => console = descriptor,
            _ => {}
        }
        Ok(())
    })?;
    let child = child.ok_or_else(|| Failure::new("criu: it has not told of the process that it has made"))?;
    Ok((child, console))
}

/// The cgroups of a process by their controllers (`cgroups(7)`, "/proc/PID/cgroup").
fn places(process: Pid) -> Result<Vec<(String, String)>> {
    let path = format!("/proc/{}/cgroup", process.as_raw_nonzero());
    let text = std::fs::read_to_string(&path).map_err(|error| Failure::system(path, error))?;
    let place = |line: &str| {
        let mut parts = line.splitn(3, ':').skip(1);
        Some((parts.next()?.to_owned(), parts.next()?.to_owned()))
    };
    Ok(text.lines().filter_map(place).collect())
}

/// criu puts processes into a time namespace where the kernel has these; a further process is to join it.
fn time_namespace(process: Pid) -> u64 {
    let of = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/time")).unwrap_or_default();
    if of(&process.as_raw_nonzero().to_string()) == of("self") { 0 } else { namespace::TIME }
}

/// Does something where the root file system is a mount point, as criu wants it. Only `work`'s children see that: when
/// they are gone, nothing is left mounted, whatever happens.
fn with_root_mounted<T>(rootfs: &Path, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let failed = |what: &str, errno: rustix::io::Errno| Failure::system(format!("{what} {}", rootfs.display()), errno);
    let here = |path: &str| std::fs::File::open(path).map_err(|error| Failure::system(path, error));
    let (own, directory) = (here("/proc/self/ns/mnt")?, here(".")?);
    sys::clone::unshare(namespace::MOUNT).map_err(|errno| failed("new mount namespace for", errno))?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    let mounted = mount_change("/", private).and_then(|()| mount_bind_recursive(rootfs, rootfs));
    let result = mounted.map_err(|errno| failed("mount", errno)).and_then(|()| work());
    // Entering a mount namespace also leaves the working directory.
    let back = move_into_link_name_space(own.as_fd(), Some(LinkNameSpaceType::Mount))
        .and_then(|()| rustix::process::fchdir(&directory));
    back.map_err(|errno| failed("return from the mount namespace of", errno))?;
    result
}
