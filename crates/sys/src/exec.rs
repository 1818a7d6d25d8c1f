//! The last steps of a process before it becomes another program, and leaving without any ceremony.

use std::cell::Cell;
use std::ffi::{CStr, c_char};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::Errno;

/// A list of C strings with the terminating null pointer that `execve(2)` wants, built before the clone so that the
/// child allocates nothing.
#[derive(Debug)]
pub struct StringArray {
    strings: Vec<std::ffi::CString>,
    /// Ends with a zero byte; the last of the strings, if there is one.
    room: Option<Box<[Cell<u8>]>>,
    pointers: Vec<*const c_char>,
}

impl StringArray {
    /// Takes the strings in order.
    pub fn new(strings: Vec<std::ffi::CString>) -> StringArray {
        let pointers = strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect();
        StringArray { strings, room: None, pointers }
    }

    /// Takes the strings in order, and one more that can still be changed, up to this many bytes ([`StringArray::fill`]).
    pub fn with_room(strings: Vec<std::ffi::CString>, last: &std::ffi::CStr, length: usize) -> StringArray {
        let zeros = std::iter::repeat_n(0, length.saturating_sub(last.to_bytes().len()) + 1);
        let room: Box<[Cell<u8>]> = last.to_bytes().iter().copied().chain(zeros).map(Cell::new).collect();
        let own = strings.iter().map(|string| string.as_ptr());
        let pointers = own.chain([room.as_ptr().cast(), std::ptr::null()]).collect();
        StringArray { strings, room: Some(room), pointers }
    }

    /// Changes the last string. No allocation.
    ///
    /// # Errors
    /// `ENAMETOOLONG` if there is not room enough, `EINVAL` for a zero byte; the string is then what it was.
    pub fn fill(&self, parts: &[&[u8]]) -> Result<(), Errno> {
        let bytes = || parts.iter().copied().flatten();
        let room = self.room.as_deref().ok_or(Errno::NAMETOOLONG)?;
        if bytes().count() >= room.len() {
            return Err(Errno::NAMETOOLONG);
        }
        if bytes().any(|byte| *byte == 0) {
            return Err(Errno::INVAL);
        }
        for (cell, byte) in room.iter().zip(bytes().chain([&0])) {
            cell.set(*byte);
        }
        Ok(())
    }

    /// What the last string is now, if it can be changed.
    pub fn last(&self) -> Option<Vec<u8>> {
        let room = self.room.as_deref()?;
        Some(room.iter().map(Cell::get).take_while(|byte| *byte != 0).collect())
    }

    /// The strings.
    pub fn strings(&self) -> &[std::ffi::CString] {
        &self.strings
    }
}

/// Becomes the program at `path`; returns only if that did not work. No allocation.
pub fn execve(path: &CStr, arguments: &StringArray, environment: &StringArray) -> Errno {
    // SAFETY: the path is a C string, both arrays end with a null pointer and point into strings that they own; the last
    // byte of one that can be changed is always zero.
    #[expect(unsafe_code, reason = "rustix keeps execve out of its safe interface")]
    unsafe {
        libc::execve(path.as_ptr(), arguments.pointers.as_ptr(), environment.pointers.as_ptr())
    };
    last_errno()
}

/// Becomes the program behind a descriptor; returns only if that did not work. No allocation.
pub fn execveat(program: BorrowedFd<'_>, arguments: &StringArray, environment: &StringArray) -> Errno {
    // SAFETY: as for `execve`; the empty path with AT_EMPTY_PATH means the descriptor itself.
    #[expect(unsafe_code, reason = "rustix keeps execveat out of its safe interface")]
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            program.as_raw_fd(),
            c"".as_ptr(),
            arguments.pointers.as_ptr(),
            environment.pointers.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    last_errno()
}

/// Ends this process at once: no handlers, no flushing. No allocation.
pub fn exit(status: i32) -> ! {
    // SAFETY: _exit only ends the process.
    #[expect(unsafe_code, reason = "std::process::exit runs handlers, which a forked child must not")]
    unsafe {
        libc::_exit(status)
    }
}

/// Lets a descriptor stand for what another one stands for, close-on-exec (`dup3(2)`). No allocation.
///
/// # Errors
/// `EINVAL` if both are the same.
pub fn replace(descriptor: BorrowedFd<'_>, by: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: both are open; the number that is replaced stays open, so whoever owns it still does.
    #[expect(unsafe_code, reason = "rustix wants to own what is replaced")]
    let result = unsafe { libc::dup3(by.as_raw_fd(), descriptor.as_raw_fd(), libc::O_CLOEXEC) };
    if result < 0 { Err(last_errno()) } else { Ok(()) }
}

/// Marks every descriptor from `first` on close-on-exec. No allocation.
///
/// # Errors
/// `ENOSYS` before Linux 5.11.
pub fn close_on_exec_from(first: u32) -> Result<(), Errno> {
    close_range(first, libc::CLOSE_RANGE_CLOEXEC)
}

/// Closes every descriptor from `first` on. No allocation. Values that own such a descriptor must not be used again.
///
/// # Errors
/// `ENOSYS` before Linux 5.9.
pub fn close_from(first: u32) -> Result<(), Errno> {
    close_range(first, 0)
}

/// Closes every descriptor from `first` on but these. No allocation. Values that own another one must not be used again.
///
/// # Errors
/// As of [`close_from`].
pub fn close_all_but(first: u32, keep: &mut [u32]) -> Result<(), Errno> {
    keep.sort_unstable();
    let mut next = first;
    for kept in keep.iter().copied().filter(|kept| *kept >= first) {
        if kept > next {
            close_between(next, kept - 1, 0)?;
        }
        next = kept + 1;
    }
    close_from(next)
}

fn close_range(first: u32, flags: libc::c_uint) -> Result<(), Errno> {
    close_between(first, u32::MAX, flags)
}

fn close_between(first: u32, last: u32, flags: libc::c_uint) -> Result<(), Errno> {
    // SAFETY: takes integers only. Callers close what they own, right before an exec or in a child that ends.
    #[expect(unsafe_code, reason = "no library wraps close_range")]
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
    if result == 0 { Ok(()) } else { Err(last_errno()) }
}

/// Whether the working directory lies below this process's root. The kernel writes `(unreachable)` before a path that
/// does not (CVE-2024-21626). No allocation.
///
/// # Errors
/// Those of `getcwd(2)`; `ENOENT` when the directory was removed.
pub fn working_directory_is_reachable() -> Result<bool, Errno> {
    let mut buffer = [0_u8; libc::PATH_MAX as usize];
    // SAFETY: the kernel writes at most the length given into the buffer. The raw call is used because the C library
    // hides the unreachable case behind ENOENT.
    #[expect(unsafe_code, reason = "the raw call tells what the library hides")]
    let result = unsafe { libc::syscall(libc::SYS_getcwd, buffer.as_mut_ptr(), buffer.len()) };
    if result < 0 { Err(last_errno()) } else { Ok(buffer[0] == b'/') }
}

/// The errno of the last failed call of the C library in this thread. No allocation.
pub(crate) fn last_errno() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL)
}

/// Takes over a descriptor that this process was started with, under a number agreed upon, close-on-exec from now on.
///
/// # Errors
/// `EBADF` when nothing was passed under that number.
pub fn inherited(number: i32) -> Result<OwnedFd, Errno> {
    // SAFETY: only asks; a number that is not open gives EBADF.
    #[expect(unsafe_code, reason = "a raw number has no safe type")]
    let result = unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
    if result < 0 {
        return Err(last_errno());
    }
    // SAFETY: it is open, and by the agreement with the starter nothing else in this process knows of it.
    #[expect(unsafe_code, reason = "ownership of an inherited descriptor begins here")]
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_string_can_be_changed_as_far_as_there_is_room() {
        let array = StringArray::with_room(vec![c"A=1".to_owned()], c"HOME=/", 10);
        assert_eq!(array.last().as_deref(), Some(&b"HOME=/"[..]));
        assert_eq!(array.fill(&[b"HOME=", b"/root!"]), Err(Errno::NAMETOOLONG));
        assert_eq!(array.fill(&[b"HOME=", b"/\0"]), Err(Errno::INVAL));
        assert_eq!(array.fill(&[b"HOME=", b"/root"]), Ok(()));
        assert_eq!(array.last().as_deref(), Some(&b"HOME=/root"[..]));
        assert_eq!(array.fill(&[b"HOME=", b"/"]), Ok(()));
        assert_eq!(array.last().as_deref(), Some(&b"HOME=/"[..]));
        assert_eq!(StringArray::new(Vec::new()).fill(&[]), Err(Errno::NAMETOOLONG));
    }
}
