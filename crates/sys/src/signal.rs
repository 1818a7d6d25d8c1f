//! Signals: which are blocked, which are ignored, and reading them from a descriptor.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use rustix::io::Errno;

/// Highest signal number of Linux.
const HIGHEST: i32 = 64;

/// A set of signals.
#[derive(Clone, Copy)]
pub struct Set(libc::sigset_t);

impl std::fmt::Debug for Set {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries((1..=HIGHEST).filter(|number| self.contains(*number))).finish()
    }
}

#[expect(unsafe_code, reason = "sigset_t is filled by the C library only")]
impl Set {
    /// No signal.
    pub fn empty() -> Set {
        let mut set = std::mem::MaybeUninit::uninit();
        // SAFETY: sigemptyset initialises the whole set.
        unsafe { libc::sigemptyset(set.as_mut_ptr()) };
        // SAFETY: initialised just above.
        Set(unsafe { set.assume_init() })
    }

    /// Every signal.
    pub fn full() -> Set {
        let mut set = Set::empty();
        // SAFETY: the set is initialised.
        unsafe { libc::sigfillset(&raw mut set.0) };
        set
    }

    /// With one signal more; a number that is no signal changes nothing.
    #[must_use]
    pub fn with(mut self, signal: i32) -> Set {
        // SAFETY: the set is initialised; a bad number is answered with EINVAL.
        unsafe { libc::sigaddset(&raw mut self.0, signal) };
        self
    }

    /// With one signal less.
    #[must_use]
    pub fn without(mut self, signal: i32) -> Set {
        // SAFETY: as above.
        unsafe { libc::sigdelset(&raw mut self.0, signal) };
        self
    }

    /// Whether the signal is in it.
    pub fn contains(&self, signal: i32) -> bool {
        // SAFETY: the set is initialised.
        unsafe { libc::sigismember(&raw const self.0, signal) == 1 }
    }

    /// Makes this the set of blocked signals of the calling thread; returns the one before. No allocation.
    #[expect(clippy::return_self_not_must_use, reason = "most callers never go back to the mask before")]
    pub fn block(&self) -> Set {
        let mut before = Set::empty();
        // SAFETY: both pointers are to initialised sets; SIG_SETMASK with a valid set cannot fail.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, &raw mut before.0) };
        before
    }

    /// Waits for one of these (blocked) signals and takes it. No allocation.
    pub fn wait(&self) -> i32 {
        let mut signal = 0;
        // SAFETY: both pointers are valid for the call.
        unsafe { libc::sigwait(&raw const self.0, &raw mut signal) };
        signal
    }

    /// A non-blocking, close-on-exec descriptor from which these (blocked) signals are read with [`take`].
    ///
    /// # Errors
    /// Those of `signalfd(2)`.
    pub fn descriptor(&self) -> Result<OwnedFd, Errno> {
        // SAFETY: the set is initialised; -1 asks for a new descriptor.
        let fd = unsafe { libc::signalfd(-1, &raw const self.0, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if fd < 0 {
            return Err(crate::exec::last_errno());
        }
        // SAFETY: the call returned a new descriptor that nothing else owns.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

/// The next signal pending on a descriptor made by [`Set::descriptor`], or None.
pub fn take(descriptor: &OwnedFd) -> Option<i32> {
    let mut info = std::mem::MaybeUninit::<libc::signalfd_siginfo>::uninit();
    let size = size_of::<libc::signalfd_siginfo>();
    // SAFETY: the kernel writes at most `size` bytes, which the buffer has.
    #[expect(unsafe_code, reason = "the kernel fills a C structure")]
    let count = unsafe { libc::read(descriptor.as_raw_fd(), info.as_mut_ptr().cast(), size) };
    if usize::try_from(count) != Ok(size) {
        return None;
    }
    // SAFETY: a whole structure was written.
    #[expect(unsafe_code, reason = "initialised by the kernel")]
    let info = unsafe { info.assume_init() };
    i32::try_from(info.ssi_signo).ok()
}

/// A signal of the kernel's by number: 1 to 31, and the real-time ones that the C library leaves to programs.
pub fn number(signal: i32) -> Option<rustix::process::Signal> {
    // SAFETY: the number is one that can be sent; the C library's own ones (32 to 34) are left out.
    #[expect(unsafe_code, reason = "the wrapper leaves the check to the caller")]
    let known = |signal| unsafe { rustix::process::Signal::from_raw_unchecked(signal) };
    matches!(signal, 1..=31 | 35..=HIGHEST).then(|| known(signal))
}

/// Gives a signal its default disposition; numbers that cannot be changed are passed over. No allocation.
pub fn set_default(signal: i32) {
    // SAFETY: SIG_DFL installs no handler of ours.
    #[expect(unsafe_code, reason = "no library changes dispositions without a handler")]
    unsafe {
        libc::signal(signal, libc::SIG_DFL)
    };
}

/// Ignores a signal.
pub fn ignore(signal: i32) {
    // SAFETY: SIG_IGN installs no handler of ours.
    #[expect(unsafe_code, reason = "no library changes dispositions without a handler")]
    unsafe {
        libc::signal(signal, libc::SIG_IGN)
    };
}

/// Gives every signal that this process ignores its default disposition, so that what it starts inherits none
/// (Rust's runtime ignores SIGPIPE, nohup SIGHUP).
pub fn reset_ignored() {
    for signal in 1..=HIGHEST {
        let mut now = std::mem::MaybeUninit::<libc::sigaction>::uninit();
        // SAFETY: a null new action only asks; the kernel fills `now` when it returns 0.
        #[expect(unsafe_code, reason = "asking for a disposition has no safe wrapper")]
        let known = unsafe { libc::sigaction(signal, std::ptr::null(), now.as_mut_ptr()) } == 0;
        if !known {
            continue;
        }
        // SAFETY: filled, as the call succeeded.
        #[expect(unsafe_code, reason = "initialised by the kernel")]
        let now = unsafe { now.assume_init() };
        if now.sa_sigaction == libc::SIG_IGN {
            set_default(signal);
        }
    }
}
