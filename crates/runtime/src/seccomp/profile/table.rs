//! Which system calls the default profile lets through, grouped by what they are for, and by the capability that opens
//! the rest. Says for what is held back why. Only names: how they become a profile is `profile`.
//!
//! The decisions are those of Docker's default profile (moby, `profiles/seccomp`), which programs in images have been
//! tested against for years; a test compares them. What neither list below contains is refused whatever capabilities a
//! container has:
//!
//! - `io_uring_setup`, `io_uring_enter`, `io_uring_register`: a large surface with a long record (CVE-2022-29582,
//!   CVE-2023-2598), and what its requests do no filter sees.
//! - `add_key`, `keyctl`, `request_key`: keyrings know no namespaces, and had CVE-2016-0728.
//! - `userfaultfd`: lets a program halt the kernel in the middle of a copy, which makes races exploitable at leisure.
//! - `kexec_load`, `kexec_file_load`, `swapon`, `swapoff`, `pivot_root`, `nfsservctl`: the machine's business.
//! - `migrate_pages`, `move_pages`: move memory of other processes, and tell where it lies.
//! - `_sysctl`, `sysfs`, `uselib`, `ustat`, `vm86`, `vm86old`, `create_module`, `get_kernel_syms`, `query_module`: history.

use super::Unlock;
use crate::seccomp::syscalls::Architecture;

/// Names in the file system: finding, making, removing them and what is known about them.
const FILES: &str = "
    access chdir chmod chown chown32 creat faccessat faccessat2 fchdir fchmod fchmodat fchmodat2 fchown fchown32
    fchownat fstat fstat64 fstatat64 fstatfs fstatfs64 futimesat getcwd getdents getdents64 lchown lchown32 link
    linkat lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat openat2 readlink
    readlinkat rename renameat renameat2 rmdir stat stat64 statfs statfs64 statx symlink symlinkat umask unlink
    unlinkat utime utimensat utimensat_time64 utimes
";

/// Attributes of files beyond those that `stat` shows.
const EXTENDED_ATTRIBUTES: &str = "
    fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr listxattrat llistxattr
    lremovexattr lsetxattr removexattr removexattrat setxattr setxattrat
";

/// Looking at mounts, which changes none.
const MOUNT_QUERIES: &str = "listmount statmount";

/// Being told about changes to files. `fanotify_init` needs a capability, marks on a given descriptor do not.
const WATCHES: &str = "fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch";

/// Open files: data, position, locks, size, write-back.
const DESCRIPTORS: &str = "
    _llseek cachestat close close_range copy_file_range dup dup2 dup3 fadvise64 fadvise64_64 fallocate fcntl
    fcntl64 fdatasync flock fsync ftruncate ftruncate64 ioctl lseek pipe pipe2 pread64 preadv preadv2 pwrite64
    pwritev pwritev2 read readahead readv sendfile sendfile64 splice sync sync_file_range syncfs tee truncate
    truncate64 vmsplice write writev
";

/// Waiting for many descriptors, and descriptors that exist to be waited for.
const WAITING: &str = "
    _newselect epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait
    epoll_wait_old eventfd eventfd2 poll ppoll ppoll_time64 pselect6 pselect6_time64 select signalfd signalfd4
    timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64
";

/// The old interface of Linux for asynchronous input and output; the new one, `io_uring`, is held back.
const ASYNCHRONOUS_IO: &str = "
    io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit
";

/// Networking, except the choice of an address family, see [`SOCKET_FAMILIES`]. `socketcall` is how old i386 programs
/// reach all of these.
const SOCKETS: &str = "
    accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64
    recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair
";

/// System V and POSIX message queues, semaphores, shared memory: the IPC namespace confines them.
const INTERPROCESS: &str = "
    ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64
    mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt
    shmget
";

/// The address space of the caller.
const MEMORY: &str = "
    brk madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2
    mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease
    remap_file_pages
";

/// What mutexes and thread libraries are made of.
const LOCKS: &str = "
    futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake get_robust_list get_thread_area
    restart_syscall rseq set_robust_list set_thread_area set_tid_address
";

/// Making, replacing, awaiting and ending processes. `clone` and `clone3` are apart, see [`NAMESPACE_FLAGS`].
const PROCESSES: &str = "
    execve execveat exit exit_group fork getpgid getpgrp getpid getppid getsid gettid pidfd_open prctl setpgid
    setsid vfork wait4 waitid waitpid
";

/// Sending, blocking and awaiting signals; the PID namespace confines whom they reach.
const SIGNALS: &str = "
    kill pause pidfd_send_signal rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn
    rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack sigprocmask sigreturn
    tgkill tkill
";

/// Users, groups and capabilities. The kernel grants a change to who holds the capability for it.
const IDENTITY: &str = "
    capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getresgid getresgid32
    getresuid getresuid32 getuid getuid32 setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups
    setgroups32 setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setuid
    setuid32
";

/// Priorities, processors, limits and what was used of them.
const SCHEDULING: &str = "
    getcpu getpriority getrlimit getrusage ioprio_get ioprio_set prlimit64 sched_get_priority_max
    sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
    sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield
    setpriority setrlimit times ugetrlimit
";

/// Clocks and timers. `adjtimex` and `clock_adjtime` also read; the kernel asks for `CAP_SYS_TIME` when they write.
const TIME: &str = "
    adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64
    clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time timer_create
    timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64
";

/// Ways to give up rights, which nobody should be kept from.
const CONFINEMENT: &str = "landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp";

/// Facts about the machine, and calls that the kernel or the C library makes on its own account.
const SYSTEM: &str = "getrandom riscv_hwprobe sysinfo uname uretprobe";

/// Everything any container may call.
pub(super) const ALWAYS: &[&str] = &[
    FILES,
    EXTENDED_ATTRIBUTES,
    MOUNT_QUERIES,
    WATCHES,
    DESCRIPTORS,
    WAITING,
    ASYNCHRONOUS_IO,
    SOCKETS,
    INTERPROCESS,
    MEMORY,
    LOCKS,
    PROCESSES,
    SIGNALS,
    IDENTITY,
    SCHEDULING,
    TIME,
    CONFINEMENT,
    SYSTEM,
];

/// What is held back until its condition holds. A group whose capability is granted is let through whole.
pub(super) const UNLOCKED: &[(Unlock, &str)] = {
    use oci_spec::runtime::Capability as Cap;
    &[
        // Before Linux 4.8 a filter ran before a tracer changed the call, so that `ptrace` undid the filter.
        (Unlock::Kernel(4, 8), TRACING),
        (Unlock::Capability(Cap::SysPtrace), TRACING),
        (
            Unlock::Capability(Cap::SysPtrace),
            // Looks into other processes, and takes their open files.
            "kcmp pidfd_getfd process_madvise",
        ),
        (
            Unlock::Capability(Cap::SysAdmin),
            // Mounts and namespaces. In a user namespace of its own a program would be root for much of the kernel
            // that was written for root: CVE-2022-0185 (fsconfig), CVE-2022-0492 (cgroup v1 release_agent),
            // CVE-2024-1086 (nf_tables) all begin with `unshare`.
            "clone clone3 fsconfig fsmount fsopen fspick mount mount_setattr move_mount open_tree setns umount \
             umount2 unshare",
        ),
        (
            Unlock::Capability(Cap::SysAdmin),
            // Settings and observation of the whole machine.
            "bpf fanotify_init lookup_dcookie lsm_get_self_attr lsm_list_modules lsm_set_self_attr \
             perf_event_open quotactl quotactl_fd setdomainname sethostname syslog",
        ),
        // Opens any file of a file system by its number, around all mounts: the "shocker" escape of 2014.
        (Unlock::Capability(Cap::DacReadSearch), "open_by_handle_at"),
        (Unlock::Capability(Cap::SysBoot), "reboot"),
        (Unlock::Capability(Cap::SysChroot), "chroot"),
        (Unlock::Capability(Cap::SysModule), "delete_module finit_module init_module"),
        (Unlock::Capability(Cap::SysPacct), "acct"),
        (Unlock::Capability(Cap::SysRawio), "ioperm iopl"),
        // The clock of the machine is the clock of everyone; there is a namespace for offsets, none for the clock.
        (Unlock::Capability(Cap::SysTime), "clock_settime clock_settime64 settimeofday stime"),
        (Unlock::Capability(Cap::SysTtyConfig), "vhangup"),
        // Where memory lies on a machine with several nodes, which one container could use against the others.
        (Unlock::Capability(Cap::SysNice), "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"),
        // The kernel's log has addresses that defeat its randomised layout.
        (Unlock::Capability(Cap::Syslog), "syslog"),
        // The verifier was wrong more than once: CVE-2020-8835, CVE-2021-3490.
        (Unlock::Capability(Cap::Bpf), "bpf"),
        // CVE-2013-2094, and measurements precise enough for side channels.
        (Unlock::Capability(Cap::Perfmon), "perf_event_open"),
        (
            Unlock::Architecture(&[Architecture::Arm, Architecture::Aarch64]),
            // The C library of 32-bit programs makes these by itself.
            "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2",
        ),
        // Thread-local storage and 16-bit segments, set for the calling thread alone.
        (Unlock::Architecture(&[Architecture::X86_64, Architecture::X32]), "arch_prctl"),
        (Unlock::Architecture(&[Architecture::X86_64, Architecture::X32, Architecture::X86]), "modify_ldt"),
    ]
};

/// Reading and steering other processes of the same user.
const TRACING: &str = "process_vm_readv process_vm_writev ptrace";

/// Bits of `clone`'s flags that make namespaces: mount, cgroup, UTS, IPC, user, PID, network.
pub(super) const NAMESPACE_FLAGS: u64 = 0x7e02_0000;

/// Personalities: Linux and Linux32, each with or without a kernel version that says 2.6, and the value that only asks.
/// Others switch off the random layout or make all memory executable.
pub(super) const PERSONALITIES: [u64; 5] = [0, 0x0008, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// Address families that sockets may have, as value and mask.
///
/// All but 38, `AF_ALG` (the kernel's cryptography: CVE-2026-31431 wrote into the page cache, which containers of one
/// image share), and 40, `AF_VSOCK` (knows no network namespace, and reaches the host of a virtual machine).
///
/// The list ends at 63; the kernel has 46. "Everything above 40" would be a hole: the kernel takes the family as 32
/// bits, but a filter compares all 64, so that 2³² + 38 passes as a large number and makes an `AF_ALG` socket.
pub(super) const SOCKET_FAMILIES: [(u64, u64); 8] =
    [(0, !31), (32, !3), (36, !1), (39, !0), (41, !0), (42, !1), (44, !3), (48, !15)];
