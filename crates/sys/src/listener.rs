//! Answering system calls for other processes: the listener of a filter with `SECCOMP_RET_USER_NOTIF`
//! (`seccomp_unotify(2)`).

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

use crate::exec::last_errno;

/// A system call that waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// Names it in the answer.
    pub id: u64,
    /// Who makes it, as the listener's pid namespace sees it.
    pub pid: u32,
    /// Its number.
    pub number: i32,
    /// Its arguments. What they point to must be read with care: the caller may change it.
    pub arguments: [u64; 6],
}

/// What becomes of a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is not made, and gives this value.
    Value(i64),
    /// It is not made, and fails.
    Error(Errno),
    /// It is made after all.
    Continue,
}

#[repr(C)]
#[derive(Default)]
struct Notification {
    id: u64,
    pid: u32,
    flags: u32,
    number: i32,
    architecture: u32,
    instruction: u64,
    arguments: [u64; 6],
}

#[repr(C)]
struct Response {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

/// `SECCOMP_IOCTL_NOTIF_RECV`: read and write, of type `!`, number 0, with the size of [`Notification`], 80 bytes.
const RECEIVE: u32 = 0xc050_2100;
/// `SECCOMP_IOCTL_NOTIF_SEND`: number 1, with the size of [`Response`], 24 bytes.
const SEND: u32 = 0xc018_2101;

/// Waits for the next system call.
///
/// # Errors
/// `ENOENT` when the caller has ended meanwhile, or all have.
pub fn receive(listener: BorrowedFd<'_>) -> Result<Call, Errno> {
    let mut found = Notification::default();
    // SAFETY: the structure has the size that the number says; the kernel fills it.
    #[expect(unsafe_code, reason = "no library wraps the listener")]
    let result = unsafe { libc::ioctl(listener.as_raw_fd(), request(RECEIVE), &raw mut found) };
    if result < 0 {
        return Err(last_errno());
    }
    Ok(Call { id: found.id, pid: found.pid, number: found.number, arguments: found.arguments })
}

/// Answers a system call.
///
/// # Errors
/// `ENOENT` when nobody waits for it any more.
pub fn answer(listener: BorrowedFd<'_>, call: &Call, answer: Answer) -> Result<(), Errno> {
    const CONTINUE: u32 = 1;
    let (value, error, flags) = match answer {
        Answer::Value(value) => (value, 0, 0),
        Answer::Error(errno) => (0, -errno.raw_os_error(), 0),
        Answer::Continue => (0, 0, CONTINUE),
    };
    let response = Response { id: call.id, value, error, flags };
    // SAFETY: the structure has the size that the number says; the kernel only reads it.
    #[expect(unsafe_code, reason = "no library wraps the listener")]
    let result = unsafe { libc::ioctl(listener.as_raw_fd(), request(SEND), &raw const response) };
    if result < 0 { Err(last_errno()) } else { Ok(()) }
}

/// In the type of the C library, which differs: only the bits count.
fn request(number: u32) -> libc::Ioctl {
    number.cast_signed() as libc::Ioctl
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn layouts_are_the_kernels() {
        assert_eq!((size_of::<Notification>(), size_of::<Response>()), (80, 24));
    }

    #[test]
    fn calls_of_another_thread_are_answered() {
        use crate::seccomp::{FLAG_NEW_LISTENER, Instruction, install};
        let step = |code, jump_false, k| Instruction { code, jump_true: 0, jump_false, k };
        // Load the number; getpriority is for the listener, everything else is allowed.
        let number = u32::try_from(libc::SYS_getpriority).expect("a small number");
        let filter = [step(0x20, 0, 0), step(0x15, 1, number), step(0x06, 0, 0x7fc0_0000), step(0x06, 0, 0x7fff_0000)];
        let (send, listener) = std::sync::mpsc::channel();
        let caller = std::thread::spawn(move || {
            rustix::thread::set_no_new_privs(true)?;
            let listener = install(&filter, FLAG_NEW_LISTENER)?.ok_or(Errno::INVAL)?;
            send.send(listener).map_err(|_| Errno::PIPE)?;
            let first = rustix::process::getpriority_process(None);
            Ok::<_, Errno>((first, rustix::process::getpriority_process(None)))
        });
        let listener = listener.recv().expect("the listener");
        let call = receive(listener.as_fd()).expect("a call");
        assert_eq!(i64::from(call.number), i64::from(number));
        answer(listener.as_fd(), &call, Answer::Error(Errno::XDEV)).expect("answered");
        let call = receive(listener.as_fd()).expect("a call");
        answer(listener.as_fd(), &call, Answer::Value(7)).expect("answered");
        // The call gives 20 minus the priority (`getpriority(2)`).
        assert_eq!(caller.join().expect("does not panic"), Ok((Err(Errno::XDEV), Ok(13))));
    }
}
