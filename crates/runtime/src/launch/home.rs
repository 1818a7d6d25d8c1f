//! The home directory of the process's user, from the container's `/etc/passwd` (`passwd(5)`). No allocation.
//!
//! The file is the image's: whatever it is, reading it ends soon. A device, a FIFO or a directory is none; only the
//! beginning of a long one is read (CVE-2024-9676, CVE-2026-47262).

use std::ffi::CStr;
use std::os::fd::BorrowedFd;

use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;
use sys::exec::StringArray;

use super::resolve;

const PASSWD: &CStr = c"/etc/passwd";
/// How much of the file is looked at: room for a hundred thousand users.
const MOST: usize = 8 << 20;
/// Longer lines are no users.
const LINE: usize = 1024;

/// Makes the home directory of a user the last variable of the environment, if the container names one.
pub(super) fn set(root: BorrowedFd<'_>, uid: u32, environment: &StringArray) {
    // Images need not have the file, and what cannot be read says nothing: the variable stays what it is.
    look_up(root, uid, environment).ok();
}

fn look_up(root: BorrowedFd<'_>, uid: u32, environment: &StringArray) -> rustix::io::Result<()> {
    // Opening a device can do something already, so what it is comes first. In /proc, files that look like any other
    // are none: reading kmsg takes messages of the kernel away.
    let looked_at = resolve::open(root, PASSWD, OFlags::PATH)?;
    let regular = FileType::from_raw_mode(rustix::fs::fstat(&looked_at)?.st_mode) == FileType::RegularFile;
    if !regular || rustix::fs::fstatfs(&looked_at)?.f_type == rustix::fs::PROC_SUPER_MAGIC {
        return Err(Errno::INVAL);
    }
    let file = resolve::open(root, PASSWD, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?;
    let mut lines = Lines::new();
    let mut block = [0; 4096];
    let mut left = MOST;
    while left > 0 {
        let count = match rustix::io::read(&file, &mut block) {
            Ok(0) => break,
            Ok(count) => count.min(left),
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(errno),
        };
        left -= count;
        for byte in block.get(..count).unwrap_or_default() {
            if lines.take(*byte) && found(lines.line(), uid, environment) {
                return Ok(());
            }
        }
    }
    found(lines.line(), uid, environment);
    Ok(())
}

/// Whether this line is the user's.
fn found(line: &[u8], uid: u32, environment: &StringArray) -> bool {
    let Some(home) = home(line, uid) else { return false };
    // A directory that no program could be told of is none.
    environment.fill(&[b"HOME=", home]).ok();
    true
}

/// The sixth field of a line whose third is this number; an empty one is none.
fn home(line: &[u8], uid: u32) -> Option<&[u8]> {
    let mut fields = line.split(|byte| *byte == b':');
    let number = fields.nth(2)?;
    if std::str::from_utf8(number).ok()?.parse::<u32>().ok()? != uid {
        return None;
    }
    fields.nth(2).filter(|home| !home.is_empty())
}

/// Collects bytes until a line is whole.
struct Lines {
    bytes: [u8; LINE],
    length: usize,
    /// The line before is done; the next byte begins a new one.
    done: bool,
    long: bool,
}

impl Lines {
    fn new() -> Lines {
        Lines { bytes: [0; LINE], length: 0, done: false, long: false }
    }

    /// Takes a byte; true when a line is whole.
    fn take(&mut self, byte: u8) -> bool {
        if self.done {
            *self = Lines { length: 0, done: false, long: false, bytes: self.bytes };
        }
        if byte == b'\n' {
            self.done = true;
            return !self.long;
        }
        match self.bytes.get_mut(self.length) {
            Some(place) => {
                *place = byte;
                self.length += 1;
            }
            None => self.long = true,
        }
        false
    }

    /// What was collected.
    fn line(&self) -> &[u8] {
        let length = if self.long { 0 } else { self.length };
        self.bytes.get(..length).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::path::Path;

    use super::*;

    fn looked_up(uid: u32, make: impl Fn(&Path)) -> String {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(root.path().join("etc")).expect("made");
        make(&root.path().join("etc/passwd"));
        let fd = std::fs::File::open(root.path()).expect("opens");
        let environment = StringArray::with_room(Vec::new(), c"HOME=/", 64);
        set(fd.as_fd(), uid, &environment);
        String::from_utf8(environment.last().expect("has room")).expect("text")
    }

    #[test]
    fn the_first_line_with_the_number_counts() {
        let long = "x".repeat(5000);
        let text = format!(
            "root:x:0:0:root:/root:/bin/sh\n# {long}:x:7:0::/long:\nbroken\nno:x:8:8::\n\
             a:x:7:7:A:/home/a:/bin/sh\nb:x:7:7:B:/home/b:/bin/sh\nd:x:10:1:D:/{long}:\nc:x:9:9:C:/home/c"
        );
        let write = |path: &Path| std::fs::write(path, &text).expect("written");
        for (uid, home) in [(0, "/root"), (7, "/home/a"), (8, "/"), (9, "/home/c"), (10, "/"), (11, "/")] {
            assert_eq!(looked_up(uid, write), format!("HOME={home}"), "{uid}");
        }
        assert_eq!(looked_up(0, |_| ()), "HOME=/");
    }

    #[test]
    fn what_is_no_file_of_users_is_none_and_soon() {
        let fifo = |path: &Path| {
            let mode = rustix::fs::Mode::from_raw_mode(0o644);
            rustix::fs::mknodat(rustix::fs::CWD, path, FileType::Fifo, mode, 0).expect("made");
        };
        let zero = |path: &Path| std::os::unix::fs::symlink("/dev/zero", path).expect("linked");
        let huge = |path: &Path| std::fs::File::create(path).and_then(|file| file.set_len(1 << 40)).expect("made");
        let directory = |path: &Path| std::fs::create_dir(path).expect("made");
        let link = |path: &Path| std::os::unix::fs::symlink("passwd", path).expect("linked");
        let kinds: [&dyn Fn(&Path); 5] = [&fifo, &zero, &huge, &directory, &link];
        for make in kinds {
            assert_eq!(looked_up(0, make), "HOME=/");
        }
    }
}
