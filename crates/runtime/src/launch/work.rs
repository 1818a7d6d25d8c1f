//! What a child works with: what its parent prepared, and what its steps have made so far. No allocation.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::held::{Brief, Parent, Root, split};
use super::procfs::Procfs;
use super::source::Resource;
use super::{Stdio, Target, resolve};
use crate::plan::Plan;

/// What the parent prepared.
pub(super) struct Work<'a> {
    pub(super) plan: &'a Plan,
    /// One per step.
    pub(super) resources: &'a [Option<Resource>],
    pub(super) stdio: Option<&'a Stdio>,
    pub(super) target: Option<Target<'a>>,
    /// For plans that write files of /proc.
    pub(super) procfs: Option<&'a Procfs>,
    /// Where failures and the terminal are sent. Closed by the execution of the program.
    pub(super) report: BorrowedFd<'a>,
    /// The parent's end of that, of which this process has a copy.
    pub(super) parents_end: BorrowedFd<'a>,
    pub(super) die_with_parent: bool,
    /// Whether the parent wants to know how long each step takes.
    pub(super) traces: bool,
    /// Whether the target's pid namespace has yet to be entered, because the parent may not.
    pub(super) born_outside: bool,
}

impl Work<'_> {
    /// Whether the process ends up in a user namespace that was made for the container.
    pub(super) fn has_user_namespace(&self) -> bool {
        let entered = self.target.map_or(0, |target| target.namespaces);
        (self.plan.all_namespaces() | entered) & sys::clone::namespace::USER != 0
    }
}

/// What the steps have made so far.
#[derive(Default)]
pub(super) struct State<'a> {
    /// The container's root, once it is there.
    pub(super) root: Option<Root<'a>>,
    /// What the last step worked in.
    pub(super) parent: Option<Parent<'a>>,
    /// What hides files, once one is hidden.
    pub(super) null: Option<Brief>,
    /// What hides directories, once one is hidden.
    pub(super) empty: Option<Brief>,
}

impl<'a> State<'a> {
    /// The container's root.
    pub(super) fn root(&self) -> rustix::io::Result<BorrowedFd<'_>> {
        self.root.as_ref().map(AsFd::as_fd).ok_or(Errno::BADF)
    }

    /// The directory that a path lies in, if the last step worked there, and the last component.
    pub(super) fn known_parent<'p>(&self, path: &'p CStr) -> rustix::io::Result<Option<(BorrowedFd<'_>, &'p CStr)>> {
        let (directory, name) = split(path)?;
        let known = self.parent.as_ref().and_then(|parent| parent.at(directory));
        Ok(known.map(|directory| (directory, name)))
    }

    /// The directory that a path lies in, made if it is missing, and the last component.
    pub(super) fn parent_of(&mut self, path: &'a CStr) -> rustix::io::Result<(BorrowedFd<'_>, &'a CStr)> {
        let (directory, name) = split(path)?;
        if self.parent.as_ref().is_none_or(|parent| parent.at(directory).is_none()) {
            let (opened, _) = resolve::open_parent(self.root()?, path)?;
            self.parent = Some(Parent::new(directory, opened));
        }
        let known = self.parent.as_ref().and_then(|parent| parent.at(directory));
        known.map(|directory| (directory, name)).ok_or(Errno::BADF)
    }
}

/// The root that this process has now.
pub(super) fn open_root() -> rustix::io::Result<OwnedFd> {
    rustix::fs::open(c"/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// Asks to be killed when the parent ends. Only now: a change of ids would have undone it (`prctl(2)`).
pub(super) fn die_with_parent() -> rustix::io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
}
