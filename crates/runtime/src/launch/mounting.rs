//! Steps that mount: new file systems, copies of the host's, changes. No allocation.
//!
//! Mount points are found with [`resolve`] and used by descriptor: nothing is mounted onto a path.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountFlags, MoveMountFlags, OpenTreeFlags};
use sys::mount::{Change, set_attributes};

use super::held::{Brief, Parent};
use super::resolve::{self, Kind};
use super::source::Resource;
use super::work::State;
use super::{classic, copy_up};
use crate::plan::{Bind, Contents, Links, NewMount, Source, SourceLink};

/// Mounts a new file system.
pub(super) fn mount<'a>(state: &mut State<'a>, mount: &'a NewMount) -> rustix::io::Result<()> {
    if mount_in_parent(state, mount)? {
        return Ok(());
    }
    state.parent = None;
    let root = state.root()?;
    let (point, was_there) = mount_point(root, &mount.target, Kind::Directory, mount.links)?;
    let mode = match mount.contents {
        Contents::LikeTarget | Contents::CopyOfTarget { mode: true } if was_there => {
            Some(rustix::fs::fstat(&point)?.st_mode & 0o7777)
        }
        _ => None,
    };
    if mount.classic.only {
        return mount_classic(root, mount, point.as_fd(), mode);
    }
    let tree = match new_tree(mount, mode) {
        Err(Errno::NOSYS) => return mount_classic(root, mount, point.as_fd(), mode),
        other => other?,
    };
    if let Contents::CopyOfTarget { .. } = mount.contents {
        copy_up::copy(point.as_fd(), tree.as_fd())?;
    }
    attach_to(tree.as_fd(), point.as_fd(), c"")?;
    // What is made next is made in here, more often than not.
    state.parent = Some(Parent::new(mount.target.to_bytes(), tree));
    Ok(())
}

/// Mounts in the directory that the last step worked in, where nothing is in the way; else does nothing.
fn mount_in_parent(state: &State<'_>, mount: &NewMount) -> rustix::io::Result<bool> {
    let Some((directory, name)) = state.known_parent(&mount.target)? else { return Ok(false) };
    if mount.classic.only || matches!(mount.contents, Contents::CopyOfTarget { .. }) {
        return Ok(false);
    }
    match new_tree(mount, None) {
        Err(Errno::NOSYS) => Ok(false),
        tree => attach_new(tree?.as_fd(), directory, name),
    }
}

/// Attaches to a directory that is made for it; false if something is there already. A link put in its place meanwhile
/// is not followed.
fn attach_new(tree: BorrowedFd<'_>, directory: BorrowedFd<'_>, name: &CStr) -> rustix::io::Result<bool> {
    match rustix::fs::mkdirat(directory, name, Mode::from_raw_mode(0o755)) {
        Err(Errno::EXIST) => Ok(false),
        other => other.and_then(|()| attach_to(tree, directory, name)).map(|()| true),
    }
}

fn new_tree(mount: &NewMount, mode: Option<u32>) -> rustix::io::Result<Brief> {
    let context = Brief::from(rustix::mount::fsopen(mount.file_system.as_c_str(), FsOpenFlags::FSOPEN_CLOEXEC)?);
    if let Some(mode) = mode {
        rustix::mount::fsconfig_set_string(context.as_fd(), c"mode", Octal::of(mode).as_c_str())?;
    }
    for (key, value) in &mount.options {
        match value {
            Some(value) => rustix::mount::fsconfig_set_string(context.as_fd(), key.as_c_str(), value.as_c_str())?,
            None => rustix::mount::fsconfig_set_flag(context.as_fd(), key.as_c_str())?,
        }
    }
    rustix::mount::fsconfig_create(context.as_fd())?;
    let tree = rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, mount.attributes)?;
    let tree = Brief::from(tree);
    if mount.propagation.is_some() {
        set_attributes(tree.as_fd(), c"", &Change { propagation: mount.propagation, ..Change::NONE })?;
    }
    Ok(tree)
}

fn mount_classic(
    root: BorrowedFd<'_>,
    mount: &NewMount,
    point: BorrowedFd<'_>,
    mode: Option<u32>,
) -> rustix::io::Result<()> {
    classic::mount(&mount.file_system, &mount.classic, &mount.classic.data, point)?;
    if mount.propagation.is_none() && mode.is_none() && !matches!(mount.contents, Contents::CopyOfTarget { .. }) {
        return Ok(());
    }
    let top = classic::top(root, &mount.target, nofollow(mount.links))?;
    if let Contents::CopyOfTarget { .. } = mount.contents {
        copy_up::copy(point, top.as_fd())?;
    }
    if let Some(mode) = mode {
        rustix::fs::chmodat(&top, c".", Mode::from_raw_mode(mode), rustix::fs::AtFlags::empty())?;
    }
    classic::change(top.as_fd(), &Change { propagation: mount.propagation, ..Change::NONE }, true)
}

fn nofollow(links: Links) -> OFlags {
    if links == Links::Keep { OFlags::NOFOLLOW } else { OFlags::empty() }
}

/// What a mount goes on, made if it is missing; and whether it was there.
fn mount_point(root: BorrowedFd<'_>, target: &CStr, kind: Kind, links: Links) -> rustix::io::Result<(Brief, bool)> {
    match resolve::open(root, target, OFlags::PATH | nofollow(links)) {
        // A link that is not followed: the kernel mounts nothing on it, and says so as if it were about an option.
        Ok(point) if kind == Kind::Directory && links == Links::Keep && !is_directory(point.as_fd())? => {
            Err(Errno::NOTDIR)
        }
        Ok(point) => keep_out_of_proc(point.as_fd(), target).map(|()| (point, true)),
        Err(Errno::NOENT) => Ok((resolve::open_or_make(root, target, kind)?, false)),
        Err(errno) => Err(errno),
    }
}

/// What goes on or into /proc is named in the plan, which knows what may. A link in the image, or `..`, must not lead
/// anything else there (CVE-2019-16884).
fn keep_out_of_proc(point: BorrowedFd<'_>, target: &CStr) -> rustix::io::Result<()> {
    let named = target.to_bytes();
    if named == b"/proc" || named.starts_with(b"/proc/") {
        return Ok(());
    }
    let kind = rustix::fs::fstatfs(point)?.f_type;
    if kind == rustix::fs::PROC_SUPER_MAGIC { Err(Errno::XDEV) } else { Ok(()) }
}

/// Attaches what was prepared from the host; the mount point is made to fit.
pub(super) fn attach(
    state: &mut State<'_>,
    resource: &Resource,
    source: &Source,
    target: &CStr,
    links: Links,
) -> rustix::io::Result<()> {
    if let (Resource::Descriptor(tree), Source::CgroupTree { .. }) = (resource, source)
        && let Some((directory, name)) = state.known_parent(target)?
        && attach_new(tree.as_fd(), directory, name)?
    {
        return Ok(());
    }
    state.parent = None;
    let root = state.root()?;
    match resource {
        Resource::Descriptor(tree) => {
            let kind = if is_directory(tree.as_fd())? { Kind::Directory } else { Kind::File };
            let (point, _) = mount_point(root, target, kind, links)?;
            attach_to(tree.as_fd(), point.as_fd(), c"")
        }
        Resource::Path(path, bind) => attach_classic(root, path, bind, target, links),
        Resource::Link(content) => same_link(root, content, target),
        Resource::Overlay { .. } | Resource::Mounts(_) | Resource::Ruleset(..) => Err(Errno::BADF),
    }
}

/// The source is found anew: a descriptor of the parent's belongs to a mount of the host's namespace, which the kernel does
/// not bind here.
fn attach_classic(
    root: BorrowedFd<'_>,
    path: &CStr,
    bind: &Bind,
    target: &CStr,
    links: Links,
) -> rustix::io::Result<()> {
    if bind.ids.is_some() {
        return Err(Errno::NOSYS);
    }
    let keep = if bind.link == SourceLink::Keep { OFlags::NOFOLLOW } else { OFlags::empty() };
    let source = Brief::from(rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC | keep, Mode::empty())?);
    let kind = if is_directory(source.as_fd())? { Kind::Directory } else { Kind::File };
    let (point, _) = mount_point(root, target, kind, links)?;
    match changed_copy(source.as_fd(), bind) {
        Err(Errno::NOSYS) => {}
        tree => return attach_to(tree?.as_fd(), point.as_fd(), c""),
    }
    classic::bind(source.as_fd(), point.as_fd(), bind.recursive)?;
    let top = classic::top(root, target, nofollow(links))?;
    classic::change(top.as_fd(), &bind.everywhere, !bind.recursive)?;
    classic::change(top.as_fd(), &bind.top, true)
}

/// What the parent would have made, had it been allowed to.
fn changed_copy(source: BorrowedFd<'_>, bind: &Bind) -> rustix::io::Result<Brief> {
    let tree = copy_mount(source, bind.recursive)?;
    set_attributes(tree.as_fd(), c"", &bind.everywhere)?;
    if !bind.top.is_none() {
        set_attributes(tree.as_fd(), c"", &bind.top)?;
    }
    Ok(tree)
}

/// Makes a link, or finds just that one.
fn same_link(root: BorrowedFd<'_>, content: &CStr, path: &CStr) -> rustix::io::Result<()> {
    let (directory, name) = resolve::open_parent(root, path)?;
    match rustix::fs::symlinkat(content, &directory, name) {
        Err(Errno::EXIST) => {}
        other => return other,
    }
    let mut buffer = [0; libc::PATH_MAX as usize];
    match rustix::fs::readlinkat_raw(&directory, name, &mut buffer[..]) {
        Ok(length) if buffer[..length] == *content.to_bytes() => Ok(()),
        Ok(_) | Err(Errno::INVAL) => Err(Errno::EXIST),
        Err(errno) => Err(errno),
    }
}

pub(super) fn attach_to(tree: BorrowedFd<'_>, point: BorrowedFd<'_>, path: &CStr) -> rustix::io::Result<()> {
    let mut flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    if path.is_empty() {
        flags |= MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    }
    rustix::mount::move_mount(tree, c"", point, path, flags)
}

/// Changes the mount at a path.
pub(super) fn remount(state: &State<'_>, target: &CStr, change: &Change) -> rustix::io::Result<()> {
    let root = state.root()?;
    let known = state.parent.as_ref().and_then(|parent| parent.at(target.to_bytes()));
    let found;
    let mount = match known {
        _ if target == c"/" => root,
        Some(directory) => directory,
        None => {
            found = resolve::open(root, target, OFlags::PATH)?;
            found.as_fd()
        }
    };
    match set_attributes(mount, c"", change) {
        // The root has no name in the container's own /proc that could be trusted more than this.
        Err(Errno::NOSYS) if target == c"/" && change.recursive => classic::change_at(c"/", mount, change, false),
        Err(Errno::NOSYS) => classic::change(mount, change, false),
        other => other,
    }
}

/// Shows something of this mount namespace at another place of it; with this change, if that is to be made.
pub(super) fn bind(
    from: BorrowedFd<'_>,
    point: BorrowedFd<'_>,
    recursive: bool,
    change: Option<&Change>,
) -> rustix::io::Result<()> {
    let at_once = change.map(|change| sys::mount::open_tree_changed(from, c"", copy_flags(recursive), change));
    if let Some(Ok(tree)) = at_once {
        return attach_to(Brief::from(tree).as_fd(), point, c"");
    }
    let tree = match copy_mount(from, recursive) {
        Err(Errno::NOSYS) if change.is_none() => return classic::bind(from, point, recursive),
        other => other?,
    };
    if let Some(change) = change {
        set_attributes(tree.as_fd(), c"", change)?;
    }
    attach_to(tree.as_fd(), point, c"")
}

/// A detached copy of what is mounted at a descriptor of this mount namespace.
pub(super) fn copy_mount(from: BorrowedFd<'_>, recursive: bool) -> rustix::io::Result<Brief> {
    rustix::mount::open_tree(from, c"", copy_flags(recursive)).map(Brief::from)
}

fn copy_flags(recursive: bool) -> OpenTreeFlags {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if recursive { flags | OpenTreeFlags::AT_RECURSIVE } else { flags }
}

/// Attaches a copy of a descriptor's file onto a path, which is made if it is missing.
pub(super) fn bind_file(root: BorrowedFd<'_>, from: BorrowedFd<'_>, target: &CStr) -> rustix::io::Result<()> {
    let point = resolve::open_or_make(root, target, Kind::File)?;
    bind(from, point.as_fd(), false, None)
}

/// Makes a path read-only by mounting it onto itself, if it exists.
pub(super) fn read_only(state: &mut State<'_>, path: &CStr) -> rustix::io::Result<()> {
    use rustix::mount::MountAttrFlags;
    state.parent = None;
    let root = state.root()?;
    let point = match resolve::open(root, path, OFlags::PATH) {
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
        other => other?,
    };
    let mut change = Change { set: MountAttrFlags::MOUNT_ATTR_RDONLY, recursive: true, ..Change::NONE };
    match bind(point.as_fd(), point.as_fd(), true, Some(&change)) {
        Err(Errno::NOSYS) => {}
        other => return other,
    }
    // By mount(2) only one mount can be made read-only: what is below it does not come along.
    change.recursive = false;
    classic::bind(point.as_fd(), point.as_fd(), false)?;
    classic::change(classic::top(root, path, OFlags::empty())?.as_fd(), &change, true)
}

pub(super) fn is_directory(descriptor: BorrowedFd<'_>) -> rustix::io::Result<bool> {
    let found = rustix::fs::fstat(descriptor)?;
    Ok(FileType::from_raw_mode(found.st_mode) == FileType::Directory)
}

/// A mode as a file system reads it.
struct Octal([u8; 5]);

impl Octal {
    fn of(mode: u32) -> Octal {
        let mut text = [0; 5];
        for (place, digit) in text.iter_mut().take(4).enumerate() {
            let value = mode >> (9 - 3 * place) & 7;
            *digit = b'0' + u8::try_from(value).unwrap_or_default();
        }
        Octal(text)
    }

    fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or(c"0755")
    }
}

/// Mounts an overlay by the options that its layers have as numbers of descriptors.
pub(super) fn overlay(options: &CStr, at: &CStr) -> rustix::io::Result<()> {
    rustix::mount::mount(c"overlay", at, c"overlay", MountFlags::empty(), options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_octal() {
        assert_eq!(Octal::of(0o1777).as_c_str(), c"1777");
        assert_eq!(Octal::of(0o755).as_c_str(), c"0755");
    }
}
