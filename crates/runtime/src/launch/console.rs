//! Standard streams: a terminal of the container's own, or descriptors of the parent. No allocation.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

use super::mounting::bind_file;
use super::talk::{self, Question};
use super::{Stdio, resolve};
use crate::protocol::WindowSize;

/// `/dev/ptmx` of any devpts: character device 5:2.
const PTMX: (u32, u32) = (5, 2);
/// `/dev/null` anywhere: character device 1:3.
const NULL: (u32, u32) = (1, 3);

/// Opens a terminal in the container's devpts, makes it the controlling terminal and all three streams, and sends the
/// master to the parent. The slave is opened through the master, so that nothing the image put at /dev/pts/N can take
/// its place (CVE-2025-52565).
pub(super) fn open(
    root: BorrowedFd<'_>,
    parent: BorrowedFd<'_>,
    window: Option<WindowSize>,
    device: bool,
) -> rustix::io::Result<()> {
    let master = resolve::open(root, c"/dev/pts/ptmx", OFlags::RDWR | OFlags::NOCTTY | OFlags::NOFOLLOW)?;
    let found = rustix::fs::fstat(&master)?;
    let numbers = (rustix::fs::major(found.st_rdev), rustix::fs::minor(found.st_rdev));
    if FileType::from_raw_mode(found.st_mode) != FileType::CharacterDevice || numbers != PTMX {
        return Err(Errno::NOTTY);
    }
    rustix::pty::unlockpt(&master)?;
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let slave = rustix::pty::ioctl_tiocgptpeer(&master, flags)?;
    if let Some(WindowSize { rows, columns }) = window {
        rustix::termios::tcsetwinsize(&slave, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })?;
    }
    if device {
        bind_file(root, slave.as_fd(), c"/dev/console")?;
    }
    rustix::process::ioctl_tiocsctty(&slave)?;
    take(slave.as_fd(), slave.as_fd(), slave.as_fd())?;
    talk::hand_over(parent, Question::Terminal, master.as_fd())
}

/// Takes the parent's descriptors as streams.
pub(super) fn take_stdio(stdio: &Stdio, uid: u32) -> rustix::io::Result<()> {
    take(stdio.stdin.as_fd(), stdio.stdout.as_fd(), stdio.stderr.as_fd())?;
    own_stdio(uid)
}

/// Keeps the caller's streams; the host's `/dev/null` among them becomes the container's. It is the same device, but a file
/// of the host's is not to be found in a container, and criu cannot write down where it is.
pub(super) fn keep_stdio(root: BorrowedFd<'_>, uid: u32) -> rustix::io::Result<()> {
    let streams = [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()];
    let hosts = streams.map(is_null);
    if hosts.contains(&true)
        // A container without one keeps what it has.
        && let Ok(null) = resolve::open(root, c"/dev/null", OFlags::RDWR | OFlags::NOCTTY | OFlags::NOFOLLOW)
        && is_null(&null)
    {
        if hosts[0] {
            rustix::stdio::dup2_stdin(&null)?;
        }
        if hosts[1] {
            rustix::stdio::dup2_stdout(&null)?;
        }
        if hosts[2] {
            rustix::stdio::dup2_stderr(&null)?;
        }
    }
    own_stdio(uid)
}

/// Whether it is the device that a `/dev/null` should be.
pub(super) fn is_null(stream: impl AsFd) -> bool {
    let numbers = |found: u64| (rustix::fs::major(found), rustix::fs::minor(found));
    rustix::fs::fstat(stream).is_ok_and(|found| {
        FileType::from_raw_mode(found.st_mode) == FileType::CharacterDevice && numbers(found.st_rdev) == NULL
    })
}

/// Makes the streams the user's, so that `/dev/stdout` can be opened.
pub(super) fn own_stdio(uid: u32) -> rustix::io::Result<()> {
    if uid == 0 {
        return Ok(());
    }
    for stream in [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()] {
        let found = rustix::fs::fstat(stream)?;
        // /dev/null and the terminals of others stay theirs.
        if FileType::from_raw_mode(found.st_mode) != FileType::CharacterDevice {
            match rustix::fs::fchown(stream, Some(rustix::fs::Uid::from_raw(uid)), None) {
                // A stream of somebody whom this user namespace does not know stays his.
                Ok(()) | Err(Errno::PERM | Errno::INVAL) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
    Ok(())
}

fn take(stdin: BorrowedFd<'_>, stdout: BorrowedFd<'_>, stderr: BorrowedFd<'_>) -> rustix::io::Result<()> {
    rustix::stdio::dup2_stdin(stdin)?;
    rustix::stdio::dup2_stdout(stdout)?;
    rustix::stdio::dup2_stderr(stderr)
}
