//! How a process is scheduled, where it runs, and where its memory comes from: `sched_setattr(2)`,
//! `sched_setaffinity(2)`, `ioprio_set(2)`, `set_mempolicy(2)`, `personality(2)`.
//!
//! Everything here concerns the calling thread and allocates nothing.

use rustix::io::Errno;

use crate::exec::last_errno;

/// Attributes of scheduling (`struct sched_attr`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attributes {
    /// `SCHED_OTHER` (0), `SCHED_FIFO` (1), …
    pub policy: u32,
    /// `SCHED_FLAG_*`.
    pub flags: u64,
    /// -20 to 19, for `SCHED_OTHER` and `SCHED_BATCH`.
    pub nice: i32,
    /// 1 to 99, for `SCHED_FIFO` and `SCHED_RR`.
    pub priority: u32,
    /// Nanoseconds, for `SCHED_DEADLINE`.
    pub runtime: u64,
    /// Nanoseconds, for `SCHED_DEADLINE`.
    pub deadline: u64,
    /// Nanoseconds, for `SCHED_DEADLINE`.
    pub period: u64,
}

/// Of the kernel's structure in its first version: without the clamps that came with Linux 5.3.
const SIZE: u32 = 48;

/// Applies attributes of scheduling. No allocation.
///
/// # Errors
/// Those of `sched_setattr(2)`: `EPERM` without `CAP_SYS_NICE`, `EINVAL`, `EBUSY` when the processors have no time left for
/// `SCHED_DEADLINE`.
pub fn set_attributes(attributes: &Attributes) -> Result<(), Errno> {
    // SAFETY: the structure consists of integers, for which zero is a value.
    #[expect(unsafe_code, reason = "fields that this kernel's headers add stay zero")]
    let mut raw: libc::sched_attr = unsafe { std::mem::zeroed() };
    raw.size = SIZE;
    raw.sched_policy = attributes.policy;
    raw.sched_flags = attributes.flags;
    raw.sched_nice = attributes.nice;
    raw.sched_priority = attributes.priority;
    raw.sched_runtime = attributes.runtime;
    raw.sched_deadline = attributes.deadline;
    raw.sched_period = attributes.period;
    // SAFETY: the structure has the size that it says, and is only read during the call; 0 is the calling thread.
    #[expect(unsafe_code, reason = "no library wraps sched_setattr")]
    let result = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const raw, 0) };
    check(result)
}

/// Restricts the calling thread to the processors of a mask; those that do not exist are left out. No allocation.
///
/// # Errors
/// `EINVAL` when none of them exists, or none may be used by the thread's cpuset.
pub fn set_affinity(mask: &[u64]) -> Result<(), Errno> {
    // SAFETY: the kernel reads as many bytes as the slice has.
    #[expect(unsafe_code, reason = "the library's set ends at processor 1023")]
    let result = unsafe { libc::syscall(libc::SYS_sched_setaffinity, 0, size_of_val(mask), mask.as_ptr()) };
    check(result)
}

/// Reads the processors that the calling thread may use into a mask.
///
/// # Errors
/// `EINVAL` when the mask is too short for this machine.
pub fn affinity(mask: &mut [u64]) -> Result<(), Errno> {
    // SAFETY: the kernel writes at most as many bytes as the slice has.
    #[expect(unsafe_code, reason = "the library's set ends at processor 1023")]
    let result = unsafe { libc::syscall(libc::SYS_sched_getaffinity, 0, size_of_val(mask), mask.as_mut_ptr()) };
    check(result)
}

/// Gives the calling thread a priority of input and output: class in the upper three bits, level in the lower thirteen.
/// No allocation.
///
/// # Errors
/// `EPERM` for the real-time class without `CAP_SYS_ADMIN` or `CAP_SYS_NICE`.
pub fn set_io_priority(priority: u16) -> Result<(), Errno> {
    const WHO_PROCESS: libc::c_int = 1;
    // SAFETY: takes integers only; 0 is the calling thread.
    #[expect(unsafe_code, reason = "no library wraps ioprio_set")]
    let result = unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0, libc::c_int::from(priority)) };
    check(result)
}

/// Where the memory of the calling thread comes from: a mode with its flags, and a mask of nodes. No allocation.
///
/// # Errors
/// `ENOSYS` on a kernel without NUMA, `EINVAL` for a mode or flag it does not know or nodes that it does not have.
pub fn set_memory_policy(mode: i32, nodes: &[u64]) -> Result<(), Errno> {
    // The kernel takes one bit fewer than it is told.
    let bits = if nodes.is_empty() { 0 } else { nodes.len() * 64 + 1 };
    let nodes = if nodes.is_empty() { std::ptr::null() } else { nodes.as_ptr() };
    // SAFETY: the kernel reads as many words as the mask has.
    #[expect(unsafe_code, reason = "no library wraps set_mempolicy")]
    let result = unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, nodes, bits) };
    check(result)
}

/// Sets the execution domain of the calling process. No allocation.
///
/// # Errors
/// `EINVAL` where the kernel refuses it.
pub fn set_personality(persona: u32) -> Result<(), Errno> {
    // SAFETY: takes an integer only.
    #[expect(unsafe_code, reason = "no library wraps personality")]
    let result = unsafe { libc::syscall(libc::SYS_personality, libc::c_ulong::from(persona)) };
    check(result)
}

fn check(result: libc::c_long) -> Result<(), Errno> {
    if result < 0 { Err(last_errno()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_the_kernels() {
        let clamps = size_of::<u32>() * 2;
        let whole = size_of::<libc::sched_attr>();
        assert!(u32::try_from(whole) == Ok(SIZE) || u32::try_from(whole - clamps) == Ok(SIZE), "{whole}");
    }

    #[test]
    fn what_is_set_is_read_back() {
        // A thread of its own: nothing of this is to stay.
        let thread = std::thread::spawn(|| {
            let mut mask = [0; 128];
            affinity(&mut mask)?;
            set_affinity(&mask)?;
            assert_eq!(set_affinity(&[0; 16]), Err(Errno::INVAL));
            set_attributes(&Attributes { policy: 3, nice: 5, ..Attributes::default() })?;
            set_io_priority(3 << 13)?;
            set_memory_policy(0, &[])
        });
        assert_eq!(thread.join().expect("does not panic"), Ok(()));
    }
}
