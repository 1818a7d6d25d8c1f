//! What is in a regular file, copied to another one. Owns how: small files through a buffer, large ones by the kernel, which on
//! some file systems lets both share their blocks, and without what is not there (holes).

use std::os::fd::BorrowedFd;

use rustix::fs::SeekFrom;
use rustix::io::{Errno, Result};

/// Up to here a file is read and written: two calls, where the kernel's own copying needs no fewer.
const SMALL: usize = 128 * 1024;
/// How much the kernel copies at once.
const AT_ONCE: usize = 1 << 30;

/// Copies contents, of one file after another.
#[derive(Debug)]
pub struct Contents {
    buffer: Vec<u8>,
    /// Whether the kernel has said that it cannot copy between these file systems.
    is_by_hand: bool,
}

impl Default for Contents {
    fn default() -> Contents {
        Contents { buffer: vec![0; SMALL], is_by_hand: false }
    }
}

impl Contents {
    /// Copies `size` bytes to a new file, or as many as there are.
    ///
    /// # Errors
    /// Those of `lseek(2)`, `copy_file_range(2)`, `pread(2)` and `pwrite(2)`.
    pub fn copy(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, size: u64) -> Result<()> {
        if size <= SMALL as u64 {
            return self.piece(from, to, 0, size);
        }
        let mut at = 0;
        while at < size {
            let (start, end) = match rustix::fs::seek(from, SeekFrom::Data(at)) {
                Err(Errno::NXIO) => break,
                // The file system does not know holes.
                Err(Errno::INVAL | Errno::OPNOTSUPP) => (at, size),
                Err(other) => return Err(other),
                Ok(start) => (start, rustix::fs::seek(from, SeekFrom::Hole(start))?),
            };
            self.piece(from, to, start, end.min(size))?;
            at = end;
        }
        rustix::fs::ftruncate(to, size)
    }

    fn piece(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, mut at: u64, end: u64) -> Result<()> {
        while at < end {
            let count = usize::try_from(end - at).unwrap_or(usize::MAX).min(AT_ONCE);
            let copied = if self.is_by_hand || count <= SMALL {
                self.by_hand(from, to, at, count)?
            } else {
                let (mut read, mut written) = (at, at);
                match rustix::fs::copy_file_range(from, Some(&mut read), to, Some(&mut written), count) {
                    Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                        self.is_by_hand = true;
                        continue;
                    }
                    copied => copied?,
                }
            };
            if copied == 0 {
                break;
            }
            at += copied as u64;
        }
        Ok(())
    }

    fn by_hand(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, at: u64, count: usize) -> Result<usize> {
        let count = count.min(self.buffer.len());
        let count = rustix::io::retry_on_intr(|| rustix::io::pread(from, &mut self.buffer[..count], at))?;
        let mut written = 0;
        while written < count {
            let rest = &self.buffer[written..count];
            written += rustix::io::retry_on_intr(|| rustix::io::pwrite(to, rest, at + written as u64))?;
        }
        Ok(count)
    }
}
