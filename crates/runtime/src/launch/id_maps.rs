//! Mounts that show ids differently (`mount_setattr(2)`, "ID-mapped mounts"). Parent's side.
//!
//! The kernel takes the maps of a user namespace; one is made for them, kept by a process that does nothing.

use std::fmt::Display;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Signal, WaitOptions, pidfd_send_signal, waitpid};
use sys::clone::{Child, namespace, placeholder_in};

use crate::error::{Error, ErrorKind, Result};
use crate::plan::{IdMaps, MappedIds};

/// Namespaces made so far: mounts with the same maps share one.
#[derive(Debug, Default)]
pub(super) struct IdMapped {
    known: Vec<(IdMaps, OwnedFd)>,
}

impl IdMapped {
    /// Maps the ids of a detached mount.
    pub(super) fn apply(&mut self, tree: BorrowedFd<'_>, path: &Path, ids: &MappedIds) -> Result<()> {
        let known = self.known.iter().position(|(maps, _)| *maps == ids.maps);
        if known.is_none() {
            self.known.push((ids.maps.clone(), user_namespace(&ids.maps)?));
        }
        let (_, namespace) = &self.known[known.unwrap_or(self.known.len() - 1)];
        sys::mount::map_ids(tree, namespace.as_fd(), ids.recursive).map_err(|errno| failed(tree, path, errno))
    }
}

fn failed(tree: BorrowedFd<'_>, path: &Path, errno: Errno) -> Error {
    let what = format!("id-mapped mount of {}", path.display());
    match errno {
        Errno::NOSYS => Error::new(
            ErrorKind::Unsupported,
            format!("{what}: needs mount_setattr (Linux 5.12; this is {})", super::kernel::name()),
        ),
        Errno::INVAL => Error::new(
            ErrorKind::Unsupported,
            format!("{what}: {} does not map ids on {}", file_system(tree), super::kernel::name()),
        )
        .with_hint("or it is mapped already; the mounts below it may be the ones that cannot: idmap leaves them alone"),
        Errno::PERM => Error::system(what, errno)
            .with_hint("it needs CAP_SYS_ADMIN in the user namespace that mounted the file system"),
        errno => Error::system(what, errno),
    }
}

/// What kind of file system a descriptor is on, for people.
fn file_system(tree: BorrowedFd<'_>) -> String {
    let kind = rustix::fs::fstatfs(tree).map(|found| found.f_type).unwrap_or_default();
    let known = [
        (0x9fa0, "proc"),
        (0x6265_6572, "sysfs"),
        (0x6969, "nfs"),
        (0x6573_5546, "fuse"),
        (0x794c_7630, "overlay"),
        (0x0102_1994, "tmpfs"),
        (0x6367_7270, "cgroup2"),
        (0x0102_1997, "9p"),
    ];
    let name =
        known.iter().find(|(magic, _)| i128::from(*magic) == i128::from(kind)).map(|(_, name)| (*name).to_owned());
    name.unwrap_or_else(|| format!("its file system (type {kind:#x})"))
}

fn user_namespace(maps: &IdMaps) -> Result<OwnedFd> {
    match maps {
        IdMaps::Namespace(path) => open(path),
        IdMaps::Lines { uids, gids } => {
            let keeper = placeholder_in(namespace::USER)
                .map_err(|errno| Error::system("clone3 (a user namespace for mapped ids)", errno))?;
            let made = write(&keeper, "uid_map", uids)
                .and_then(|()| write(&keeper, "gid_map", gids))
                .and_then(|()| open(Path::new(&format!("/proc/{}/ns/user", keeper.pid.as_raw_nonzero()))));
            pidfd_send_signal(&keeper.pidfd, Signal::KILL).ok();
            while let Err(Errno::INTR) = waitpid(Some(keeper.pid), WaitOptions::empty()) {}
            made
        }
    }
}

fn write(keeper: &Child, file: &str, lines: &str) -> Result<()> {
    let path = format!("/proc/{}/{file}", keeper.pid.as_raw_nonzero());
    std::fs::write(&path, lines).map_err(|error| {
        let maps = lines.trim_end().replace('\n', ", ");
        system(format!("mapped ids of a mount: {file} {maps}"), &error)
            .with_hint("ranges must not overlap, and need privilege over the host's ids that they name")
    })
}

fn open(path: &Path) -> Result<OwnedFd> {
    std::fs::File::open(path).map(OwnedFd::from).map_err(|error| system(path.display().to_string(), &error))
}

fn system(what: String, cause: &dyn Display) -> Error {
    Error::system(what, cause)
}
