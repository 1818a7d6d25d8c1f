//! `bpf(2)`: programs that decide which devices a cgroup v2 may use, and which socket is given what arrives.

mod steer;

pub use steer::{SocketMap, Steering, steer};

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::Errno;

/// One instruction of an eBPF program, as the kernel lays it out.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// Operation.
    pub code: u8,
    /// Destination register in the low four bits, source in the high ones.
    pub registers: u8,
    /// Distance of a jump, or offset into memory.
    pub offset: i16,
    /// Constant operand.
    pub immediate: i32,
}

const PROG_LOAD: libc::c_int = 5;
const PROG_ATTACH: libc::c_int = 8;
const PROG_DETACH: libc::c_int = 9;
const PROG_GET_FD_BY_ID: libc::c_int = 13;
const PROG_QUERY: libc::c_int = 16;
const TYPE_CGROUP_DEVICE: u32 = 15;
const ATTACH_CGROUP_DEVICE: u32 = 6;
/// Programs of the container's own descendants are asked too; all must allow.
const ALLOW_MULTI: u32 = 2;

/// The part of `union bpf_attr` that `BPF_PROG_LOAD` reads, up to where a program will be attached.
#[repr(C)]
struct Load {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buffer: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    expected_attach: u32,
}

#[repr(C)]
struct Attach {
    target: u32,
    program: u32,
    kind: u32,
    flags: u32,
}

#[repr(C)]
struct Query {
    target: u32,
    kind: u32,
    flags: u32,
    attach_flags: u32,
    ids: u64,
    count: u32,
}

#[repr(C)]
struct ById {
    id: u32,
    next: u32,
    flags: u32,
}

/// Most programs that the kernel attaches to one cgroup (`BPF_CGROUP_MAX_PROGS`).
const MOST_PROGRAMS: usize = 64;

/// Loads a device program and attaches it to the cgroup v2 directory given, in place of those that are attached to it. At
/// every moment either the old ones decide, or both.
///
/// # Errors
/// As of [`attach_device_program`].
pub fn replace_device_program(cgroup: BorrowedFd<'_>, program: &[Instruction]) -> Result<(), Errno> {
    let mut ids = [0_u32; MOST_PROGRAMS];
    let query = Query {
        target: number(cgroup.as_raw_fd())?,
        kind: ATTACH_CGROUP_DEVICE,
        flags: 0,
        attach_flags: 0,
        ids: ids.as_mut_ptr() as u64,
        count: u32::try_from(MOST_PROGRAMS).map_err(|_| Errno::TOOBIG)?,
    };
    bpf(PROG_QUERY, &query)?;
    attach_device_program(cgroup, program)?;
    // The kernel fills from the front; no program has the id zero.
    for id in ids.into_iter().take_while(|id| *id != 0) {
        let old = match bpf(PROG_GET_FD_BY_ID, &ById { id, next: 0, flags: 0 }) {
            // It went by itself.
            Err(Errno::NOENT) => continue,
            other => owned(other?),
        };
        let program = number(old.as_raw_fd())?;
        bpf(PROG_DETACH, &Attach { target: query.target, program, kind: ATTACH_CGROUP_DEVICE, flags: 0 })?;
    }
    Ok(())
}

/// Loads a device program and attaches it to the cgroup v2 directory given.
///
/// # Errors
/// `EPERM` without the privilege, `EINVAL` for a program that the verifier refuses, `ENOSYS` without bpf.
pub fn attach_device_program(cgroup: BorrowedFd<'_>, program: &[Instruction]) -> Result<(), Errno> {
    let loaded = load(TYPE_CGROUP_DEVICE, 0, program)?;
    let attach = Attach {
        target: number(cgroup.as_raw_fd())?,
        program: number(loaded.as_raw_fd())?,
        kind: ATTACH_CGROUP_DEVICE,
        flags: ALLOW_MULTI,
    };
    bpf(PROG_ATTACH, &attach).map(drop)
}

/// Loads a program of a kind; of some kinds, the verifier asks where it will be attached.
fn load(kind: u32, expected_attach: u32, program: &[Instruction]) -> Result<OwnedFd, Errno> {
    let load = Load {
        kind,
        count: u32::try_from(program.len()).map_err(|_| Errno::TOOBIG)?,
        instructions: program.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log_buffer: 0,
        kernel_version: 0,
        flags: 0,
        name: [0; 16],
        interface: 0,
        expected_attach,
    };
    bpf(PROG_LOAD, &load).map(owned)
}

fn number(descriptor: i32) -> Result<u32, Errno> {
    u32::try_from(descriptor).map_err(|_| Errno::BADF)
}

/// A descriptor that `bpf(2)` has just returned.
fn owned(descriptor: i32) -> OwnedFd {
    // SAFETY: the kernel returned a new descriptor that nothing else owns.
    #[expect(unsafe_code, reason = "a raw descriptor from the kernel")]
    unsafe {
        OwnedFd::from_raw_fd(descriptor)
    }
}

fn bpf<T>(command: libc::c_int, attributes: &T) -> Result<i32, Errno> {
    // SAFETY: the attributes are a #[repr(C)] prefix of union bpf_attr of the size given; the pointers in it refer to
    // data that outlives the call.
    #[expect(unsafe_code, reason = "no library in use wraps bpf")]
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw const *attributes, size_of::<T>()) };
    if result < 0 { Err(crate::exec::last_errno()) } else { i32::try_from(result).map_err(|_| Errno::BADF) }
}
