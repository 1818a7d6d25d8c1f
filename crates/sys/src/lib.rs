//! System calls that no library wraps safely, and the only crate of the workspace that may hold `unsafe`.
//!
//! Each module is a thin, safe face over one kernel interface. None keeps state, none decides policy. What `rustix`
//! already offers safely is used from there directly and has no twin here.
//!
//! Functions whose documentation says *no allocation* may be called in the child of [`clone::clone3`].

/// Programs in the kernel: which devices a cgroup v2 may use, which socket is given what arrives.
pub mod bpf;
/// Children that have ended.
pub mod child;
/// A child process by `clone3`, with a pidfd, optionally born in a cgroup and in new namespaces.
pub mod clone;
/// Datagrams with the address of this host that they were sent to.
pub mod datagram;
/// Replacing the program of this process, and what must be right just before: descriptors, working directory.
pub mod exec;
/// Points at which a test lets a program die.
pub mod fault;
/// File descriptors sent over unix sockets.
pub mod fdpass;
/// Whole files that have no size before they are read.
pub mod file;
/// Keyrings of sessions.
pub mod keyring;
/// Landlock: access to files that a process forbids itself.
pub mod landlock;
/// Answering system calls for processes whose filter asks for it.
pub mod listener;
/// Bringing up the loopback interface of a new network namespace.
pub mod loopback;
/// Programs in sealed anonymous memory, which nothing can change any more.
pub mod memfd;
/// Memory that this process no longer needs.
pub mod memory;
/// Attributes of mounts, recursively: `mount_setattr`.
pub mod mount;
/// What kind of namespace a file is, and threads in network namespaces.
pub mod namespace;
/// Options of netlink sockets.
pub mod netlink;
/// The file that this program runs from, and leaving it.
pub mod program;
/// Scheduling, processors, priority of input and output, memory nodes and execution domain of this process.
pub mod schedule;
/// The kernel's filter of system calls: installing a compiled program.
pub mod seccomp;
/// Signals as file descriptors, masks and dispositions.
pub mod signal;
/// Sockets of datagrams that take none.
pub mod socket;
/// Starting a program from a descriptor, in a session of its own.
pub mod spawn;
