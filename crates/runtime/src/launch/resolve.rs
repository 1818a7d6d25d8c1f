//! Paths in the container's root, resolved by descriptor. No allocation.
//!
//! Whatever a path of an image or of the configuration says, symbolic links and `..` end at the container's root, and
//! magic links of /proc are never followed. The caller gets a descriptor and uses that, so that a link swapped in
//! afterwards changes nothing (CVE-2021-30465).

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::held::Brief;

/// What is to be there, and is made if it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    File,
}

/// Links followed before a path is called a loop, as the kernel does.
const MAX_LINKS: u32 = 40;

/// Opens what is there.
pub(super) fn open(root: BorrowedFd<'_>, path: &CStr, flags: OFlags) -> rustix::io::Result<Brief> {
    let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    loop {
        match rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), how) {
            // A rename elsewhere on the system made the kernel unsure; it asks to be called again.
            Err(Errno::AGAIN | Errno::INTR) => {}
            other => return other.map(Brief::from),
        }
    }
}

/// Opens what is there, or makes it and the directories above it; a dangling link's target is made.
pub(super) fn open_or_make(root: BorrowedFd<'_>, path: &CStr, kind: Kind) -> rustix::io::Result<Brief> {
    match open(root, path, OFlags::PATH) {
        Err(Errno::NOENT) => {
            if !make_last(root, path, kind)? {
                make(root, path, kind)?;
            }
            open(root, path, OFlags::PATH)
        }
        other => other,
    }
}

/// Opens the directory that `path` lies in, making it if needed, and gives the last component.
pub(super) fn open_parent<'a>(root: BorrowedFd<'_>, path: &'a CStr) -> rustix::io::Result<(Brief, &'a CStr)> {
    let (parent, name) = split(path)?;
    let directory = open_or_make(root, parent.as_c_str()?, Kind::Directory)?;
    Ok((directory, name))
}

/// Makes the last component where nothing but that is missing, the usual case; false if more is to be done.
fn make_last(root: BorrowedFd<'_>, path: &CStr, kind: Kind) -> rustix::io::Result<bool> {
    let (parent, name) = split(path)?;
    if matches!(name.to_bytes(), b"" | b"." | b"..") {
        return Ok(false);
    }
    match open(root, parent.as_c_str()?, OFlags::PATH | OFlags::DIRECTORY) {
        // What is there already is a dangling link, or was made at this moment.
        Ok(directory) => match make_new(directory.as_fd(), name, kind) {
            Err(Errno::EXIST) => Ok(false),
            other => other.map(|()| true),
        },
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// The directory that a path lies in, and the last component.
fn split(path: &CStr) -> rustix::io::Result<(PathBuffer, &CStr)> {
    let (directory, name) = super::held::split(path)?;
    let mut parent = PathBuffer::new();
    parent.set(if directory.is_empty() { b"/" } else { directory })?;
    Ok((parent, name))
}

/// Walks the path, component by component, and makes what is missing.
fn make(root: BorrowedFd<'_>, path: &CStr, kind: Kind) -> rustix::io::Result<()> {
    let mut rest = PathBuffer::new();
    rest.set(path.to_bytes())?;
    // The part walked so far: no links, no `..`.
    let mut walked = PathBuffer::new();
    let mut links = 0;
    while let Some((name, last)) = rest.take_component()? {
        if name.bytes() == b".." {
            walked.pop();
            continue;
        }
        let directory = open(root, walked.as_c_str()?, OFlags::PATH | OFlags::DIRECTORY)?;
        let mut target = PathBuffer::new();
        match rustix::fs::readlinkat_raw(directory.as_fd(), name.as_c_str()?, target.space()) {
            Ok(content) => {
                let length = content;
                links += 1;
                if links > MAX_LINKS {
                    return Err(Errno::LOOP);
                }
                target.truncate(length)?;
                if target.bytes().first() == Some(&b'/') {
                    walked.set(b"/")?;
                }
                rest.prepend(&target)?;
                continue;
            }
            Err(Errno::NOENT) => {
                let made = if last && kind == Kind::File { Kind::File } else { Kind::Directory };
                make_one(directory.as_fd(), name.as_c_str()?, made)?;
            }
            // It exists and is no link.
            Err(Errno::INVAL) => {}
            Err(errno) => return Err(errno),
        }
        walked.push(name.bytes())?;
    }
    Ok(())
}

fn make_one(directory: BorrowedFd<'_>, name: &CStr, kind: Kind) -> rustix::io::Result<()> {
    match make_new(directory, name, kind) {
        // Somebody else made it at the same moment.
        Err(Errno::EXIST) => Ok(()),
        other => other,
    }
}

fn make_new(directory: BorrowedFd<'_>, name: &CStr, kind: Kind) -> rustix::io::Result<()> {
    match kind {
        Kind::Directory => rustix::fs::mkdirat(directory, name, Mode::from_raw_mode(0o755)),
        Kind::File => {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
            rustix::fs::openat(directory, name, flags, Mode::from_raw_mode(0o644)).map(drop)
        }
    }
}

/// A path of bounded length on the stack, always followed by a zero byte.
struct PathBuffer {
    bytes: [u8; PathBuffer::SIZE],
    length: usize,
}

impl PathBuffer {
    const SIZE: usize = libc::PATH_MAX as usize;

    fn new() -> PathBuffer {
        PathBuffer { bytes: [0; PathBuffer::SIZE], length: 0 }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn set(&mut self, path: &[u8]) -> rustix::io::Result<()> {
        self.length = 0;
        self.append(path)
    }

    fn append(&mut self, part: &[u8]) -> rustix::io::Result<()> {
        let end = self.length + part.len();
        if end >= PathBuffer::SIZE {
            return Err(Errno::NAMETOOLONG);
        }
        self.bytes[self.length..end].copy_from_slice(part);
        self.bytes[end] = 0;
        self.length = end;
        Ok(())
    }

    fn push(&mut self, name: &[u8]) -> rustix::io::Result<()> {
        self.append(b"/")?;
        self.append(name)
    }

    fn pop(&mut self) {
        self.length = self.bytes().iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        self.bytes[self.length] = 0;
    }

    /// Where the kernel writes a path; [`PathBuffer::truncate`] says how long it became.
    fn space(&mut self) -> &mut [u8] {
        let last = PathBuffer::SIZE - 1;
        &mut self.bytes[..last]
    }

    fn truncate(&mut self, length: usize) -> rustix::io::Result<()> {
        if length >= PathBuffer::SIZE - 1 {
            return Err(Errno::NAMETOOLONG);
        }
        self.length = length;
        self.bytes[length] = 0;
        Ok(())
    }

    /// Puts another path before this one.
    fn prepend(&mut self, before: &PathBuffer) -> rustix::io::Result<()> {
        let mut joined = PathBuffer::new();
        joined.append(before.bytes())?;
        joined.push(self.bytes())?;
        *self = joined;
        Ok(())
    }

    /// Takes the first component off; also tells whether it was the last one.
    fn take_component(&mut self) -> rustix::io::Result<Option<(PathBuffer, bool)>> {
        let mut name = PathBuffer::new();
        let (found, rest) = {
            let bytes = self.bytes();
            let Some(start) = next(bytes, 0, |byte| byte != b'/') else { return Ok(None) };
            let end = next(bytes, start, |byte| byte == b'/').unwrap_or(bytes.len());
            let rest = next(bytes, end, |byte| byte != b'/').unwrap_or(bytes.len());
            name.append(&bytes[start..end])?;
            (&bytes[start..end] != b".", rest)
        };
        let last = rest == self.length;
        self.bytes.copy_within(rest..self.length, 0);
        self.length -= rest;
        self.bytes[self.length] = 0;
        if found { Ok(Some((name, last))) } else { self.take_component() }
    }

    /// The path for a system call; the empty path is the root.
    fn as_c_str(&self) -> rustix::io::Result<&CStr> {
        if self.length == 0 {
            return Ok(c"/");
        }
        CStr::from_bytes_with_nul(&self.bytes[..=self.length]).map_err(|_| Errno::INVAL)
    }
}

fn next(bytes: &[u8], from: usize, wanted: impl Fn(u8) -> bool) -> Option<usize> {
    bytes.get(from..)?.iter().position(|byte| wanted(*byte)).map(|distance| from + distance)
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::*;

    fn root(setup: impl Fn(&Path)) -> (tempfile::TempDir, OwnedFd) {
        let outside = tempfile::tempdir().expect("a directory");
        let root = outside.path().join("root");
        std::fs::create_dir(&root).expect("made");
        setup(&root);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(&root, flags, Mode::empty()).expect("opens");
        (outside, fd)
    }

    /// What exists below the directory that contains the root, sorted.
    fn listing(path: &Path) -> Vec<String> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(path).expect("reads").flatten() {
            let name = entry.path();
            if entry.file_type().expect("known").is_dir() {
                found
                    .extend(listing(&name).into_iter().map(|inner| format!("{}/{inner}", entry.file_name().display())));
            }
            found.push(entry.file_name().display().to_string());
        }
        found.sort();
        found
    }

    type Setup<'a> = &'a dyn Fn(&Path);

    #[test]
    fn what_is_missing_is_made_below_the_root() {
        let nothing = |_: &Path| {};
        let dangling = |root: &Path| {
            std::fs::create_dir(root.join("etc")).expect("made");
            symlink("../run/resolve/stub.conf", root.join("etc/resolv.conf")).expect("linked");
        };
        let absolute = |root: &Path| symlink("/somewhere/else", root.join("data")).expect("linked");
        let up = |root: &Path| symlink("../../../../up", root.join("data")).expect("linked");
        let cases: [(Setup<'_>, &CStr, Kind, &str); 5] = [
            (&nothing, c"/a/b/c", Kind::Directory, "root/a/b/c"),
            (&nothing, c"//a/./b/../f", Kind::File, "root/a/f"),
            (&dangling, c"/etc/resolv.conf", Kind::File, "root/run/resolve/stub.conf"),
            (&absolute, c"/data/x", Kind::Directory, "root/somewhere/else/x"),
            (&up, c"/data/f", Kind::File, "root/up/f"),
        ];
        for (setup, path, kind, expected) in cases {
            let (outside, root) = root(setup);
            open_or_make(root.as_fd(), path, kind).unwrap_or_else(|errno| panic!("{path:?}: {errno}"));
            let made = outside.path().join(expected);
            assert_eq!(made.is_dir(), kind == Kind::Directory, "{path:?} in {:?}", listing(outside.path()));
            assert!(listing(outside.path()).iter().all(|name| name.starts_with("root")), "{path:?}");
        }
    }

    #[test]
    fn loops_and_files_in_the_way_are_errors() {
        let (_outside, directory) = root(|root| {
            symlink("b", root.join("a")).expect("linked");
            symlink("a", root.join("b")).expect("linked");
            std::fs::write(root.join("file"), "").expect("written");
        });
        assert_eq!(open_or_make(directory.as_fd(), c"/a/x", Kind::Directory).err(), Some(Errno::LOOP));
        assert_eq!(open_or_make(directory.as_fd(), c"/file/x", Kind::Directory).err(), Some(Errno::NOTDIR));
    }
}
