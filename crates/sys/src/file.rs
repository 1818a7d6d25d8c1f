//! Whole files of file systems that the kernel makes up: `/proc`, cgroups.
//!
//! They have no size before they are read, and the standard library then begins with 32 bytes. Here one call reads
//! what is usual, and one more sees the end.

use std::os::fd::AsFd;

use rustix::buffer::spare_capacity;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::path::Arg;

/// What is read at once: most tables fit.
const USUAL: usize = 4096;

/// Reads a file to its end. An absolute path ignores the directory.
///
/// # Errors
/// Those of `openat(2)` and `read(2)`.
pub fn read(directory: impl AsFd, path: impl Arg) -> Result<Vec<u8>, Errno> {
    let file = rustix::fs::openat(directory, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut bytes = Vec::with_capacity(USUAL);
    loop {
        if bytes.len() == bytes.capacity() {
            bytes.reserve(bytes.len());
        }
        match rustix::io::read(&file, spare_capacity(&mut bytes)) {
            Ok(0) => return Ok(bytes),
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::CWD;

    use super::*;

    #[test]
    fn files_of_any_length_are_read_whole() {
        let directory = tempfile::tempdir().expect("a directory");
        for length in [0, 1, USUAL - 1, USUAL, USUAL + 1, 5 * USUAL] {
            let path = directory.path().join("file");
            std::fs::write(&path, vec![b'x'; length]).expect("written");
            assert_eq!(read(CWD, &path).map(|bytes| bytes.len()), Ok(length));
        }
        assert_eq!(read(CWD, "/proc/self/comm").map(|bytes| bytes.ends_with(b"\n")), Ok(true));
        assert_eq!(read(CWD, directory.path().join("none")), Err(Errno::NOENT));
    }
}
