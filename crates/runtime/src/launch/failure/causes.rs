//! The commonest causes of failed steps, as a table: which step, which errno, what to do about it.
//!
//! The first row that fits counts, so what concerns one kind of step stands above what concerns all.

use rustix::io::Errno;

use crate::plan::Step;

/// What a full file system says.
pub(in crate::launch) const DISK_FULL: &str = "the disk is full, or has no inode left";

/// A row.
pub(super) struct Cause {
    is: fn(&Step) -> bool,
    errnos: &'static [Errno],
    hint: &'static str,
}

const fn cause(is: fn(&Step) -> bool, errnos: &'static [Errno], hint: &'static str) -> Cause {
    Cause { is, errnos, hint }
}

/// The hint of the first row that fits.
pub(super) fn hint(step: &Step, errno: Errno) -> Option<&'static str> {
    CAUSES.iter().find(|cause| cause.errnos.contains(&errno) && (cause.is)(step)).map(|cause| cause.hint)
}

/// Steps that need a place in the container's file system.
fn makes(step: &Step) -> bool {
    use Step::{Attach, Device, Link, MakeWorkingDirectory, Mount};
    matches!(step, Mount(_) | Attach { .. } | Device(_) | Link { .. } | MakeWorkingDirectory(_))
}

const CAUSES: &[Cause] = &[
    cause(
        |step| matches!(step, Step::Mount(mount) if mount.file_system.as_c_str() == c"sysfs"),
        &[Errno::PERM],
        "a user namespace may mount sysfs only together with a network namespace of its own: bind /sys instead",
    ),
    cause(
        |step| matches!(step, Step::Mount(mount) if mount.file_system.as_c_str() == c"proc"),
        &[Errno::PERM],
        "a user namespace may mount proc only with a pid namespace of its own, where nothing of the visible /proc is \
         hidden: not inside of a container that masks parts of it",
    ),
    cause(
        |step| matches!(step, Step::Mount(_) | Step::Attach { .. } | Step::AttachRoot { .. } | Step::Remount { .. }),
        &[Errno::PERM, Errno::ACCESS],
        "mounting needs CAP_SYS_ADMIN, and a security module that lets it; options that the host's mount has locked \
         cannot be taken back in a user namespace",
    ),
    cause(|step| matches!(step, Step::Mount(_)), &[Errno::NODEV], "this kernel does not have that file system"),
    cause(|step| matches!(step, Step::Mount(_)), &[Errno::INVAL], "the file system does not take one of the options"),
    cause(
        |step| matches!(step, Step::Mount(_) | Step::Attach { .. }),
        &[Errno::XDEV],
        "a link in the image, or '..', leads it into /proc, where only proc itself may be mounted",
    ),
    cause(
        makes,
        &[Errno::ROFS],
        "it does not exist there, and that file system is read-only: make it in the image, or mount what is above \
         it writable",
    ),
    cause(
        |step| matches!(step, Step::Attach { .. }),
        &[Errno::NOTDIR, Errno::INVAL],
        "a directory can be mounted only on a directory, a file only on a file: check source and target",
    ),
    cause(
        |step| matches!(step, Step::Mount(_) | Step::Attach { .. }),
        &[Errno::LOOP, Errno::NOTDIR],
        "it must be mounted on ordinary directory; the mount point is a symbolic link or no directory in the image",
    ),
    cause(
        |step| matches!(step, Step::WorkingDirectory(_) | Step::MakeWorkingDirectory(_)),
        &[Errno::NOTDIR, Errno::EXIST],
        "process.cwd, or a part of it, is a file in the container",
    ),
    cause(
        |step| matches!(step, Step::WorkingDirectory(_)),
        &[Errno::NOENT],
        "the directory does not exist in the container: make it, or give another process.cwd (--cwd)",
    ),
    cause(
        |step| matches!(step, Step::WorkingDirectory(_)),
        &[Errno::XDEV, Errno::LOOP],
        "it leads out of the container",
    ),
    cause(
        |step| matches!(step, Step::Limit { .. }),
        &[Errno::PERM],
        "this host does not let it be raised above its own hard limit (needs CAP_SYS_RESOURCE): give a lower value; \
         nofile ends at /proc/sys/fs/nr_open",
    ),
    cause(|step| matches!(step, Step::JoinCgroup { .. }), &[Errno::NOSPC], "the cpuset of the parent cgroup is empty"),
    cause(
        |step| matches!(step, Step::JoinCgroup { .. }),
        &[Errno::PERM, Errno::ACCESS, Errno::ROFS],
        "this cgroup is not the caller's: it must be delegated to him, or he must be root",
    ),
    cause(
        |step| matches!(step, Step::JoinNamespace { .. }),
        &[Errno::NOENT],
        "nothing is there: whose namespace it was has ended",
    ),
    cause(
        |step| matches!(step, Step::JoinNamespace { .. } | Step::NewNamespaces { .. }),
        &[Errno::PERM],
        "it needs CAP_SYS_ADMIN in the user namespace that the namespace belongs to",
    ),
    cause(
        |step| matches!(step, Step::EnterUserNamespace),
        &[Errno::INVAL],
        "the user namespace maps no id to 0, and a container begins as that",
    ),
    cause(
        |step| matches!(step, Step::TimeNamespace { .. }),
        &[Errno::INVAL],
        "this kernel has no time namespaces (Linux 5.6, CONFIG_TIME_NS)",
    ),
    cause(
        |step| matches!(step, Step::AttachRoot { .. } | Step::EnterRoot { .. }),
        &[Errno::NOENT],
        "the directory is not there in the mount namespace that was entered",
    ),
    cause(
        |step| matches!(step, Step::EnterRoot { .. }),
        &[Errno::INVAL, Errno::BUSY],
        "the host's own root is an initramfs (--no-pivot is for that), or the root directory is shared in a way that \
         cannot be undone",
    ),
    cause(
        |step| matches!(step, Step::Sysctl { .. }),
        &[Errno::NOENT],
        "this kernel has no such parameter, or not for a namespace of its own: is the module loaded?",
    ),
    cause(
        |step| matches!(step, Step::Sysctl { .. }),
        &[Errno::ACCESS, Errno::PERM, Errno::ROFS],
        "it can be read only, or only on the host",
    ),
    cause(
        |step| matches!(step, Step::Sysctl { .. }),
        &[Errno::INVAL, Errno::RANGE],
        "the kernel does not take this value for it",
    ),
    cause(
        |step| matches!(step, Step::Console { .. }),
        &[Errno::NOENT, Errno::NODEV, Errno::NOTTY, Errno::NXIO],
        "a terminal needs a mount of type devpts on /dev/pts, and nothing else at /dev/pts/ptmx",
    ),
    cause(
        |step| matches!(step, Step::Device(_)),
        &[Errno::EXIST],
        "something that is not this device is there: remove it from the image, or mount a tmpfs on /dev",
    ),
    cause(
        |step| matches!(step, Step::Attach { .. }),
        &[Errno::EXIST],
        "copy-symlink makes a link there, and something else is there already",
    ),
    cause(
        |step| matches!(step, Step::Device(_)),
        &[Errno::PERM],
        "making device files needs CAP_MKNOD, outside of user namespaces",
    ),
    cause(
        |step| matches!(step, Step::OomScore(_)),
        &[Errno::ACCESS, Errno::PERM],
        "lowering it below the caller's needs CAP_SYS_RESOURCE",
    ),
    cause(
        |step| matches!(step, Step::Scheduler { .. }),
        &[Errno::PERM],
        "real-time policies and lower nice values need CAP_SYS_NICE; SCHED_DEADLINE needs every processor of the \
         machine; in a cpu cgroup of v1 real-time needs cpu.rt_runtime_us",
    ),
    cause(
        |step| matches!(step, Step::Scheduler { .. }),
        &[Errno::BUSY],
        "the processors have not that much time left for SCHED_DEADLINE",
    ),
    cause(
        |step| matches!(step, Step::Scheduler { .. }),
        &[Errno::INVAL, Errno::OPNOTSUPP, Errno::TOOBIG],
        "process.scheduler: this kernel does not take that policy with these flags and numbers",
    ),
    cause(
        |step| matches!(step, Step::IoPriority { .. }),
        &[Errno::PERM],
        "IOPRIO_CLASS_RT needs CAP_SYS_NICE or CAP_SYS_ADMIN on the host",
    ),
    cause(
        |step| matches!(step, Step::MemoryPolicy { .. }),
        &[Errno::INVAL],
        "linux.memoryPolicy: this machine does not have these nodes (see /sys/devices/system/node/online), or its kernel not that mode",
    ),
    cause(
        |step| matches!(step, Step::MemoryPolicy { .. }),
        &[Errno::NOSYS],
        "linux.memoryPolicy: this kernel was built without NUMA",
    ),
    cause(
        |step| matches!(step, Step::Affinity { .. }),
        &[Errno::INVAL],
        "none of these processors may be used in this cgroup: see Cpus_allowed_list in /proc/self/status",
    ),
    cause(
        |step| matches!(step, Step::AppArmor(_)),
        &[Errno::NOENT],
        "the profile is not loaded: see /sys/kernel/security/apparmor/profiles",
    ),
    cause(
        |step| matches!(step, Step::SelinuxLabel(_) | Step::KeyLabel(_) | Step::LabelFile { .. }),
        &[Errno::INVAL, Errno::ACCESS],
        "the policy of this host does not have that label, or does not let this program use it",
    ),
    cause(
        |step| matches!(step, Step::LandlockAllow { .. }),
        &[Errno::NOENT],
        "every path of the annotation must exist in the container",
    ),
    cause(
        |step| matches!(step, Step::Landlock(_)),
        &[Errno::PERM],
        "it needs noNewPrivileges, or CAP_SYS_ADMIN until then",
    ),
    cause(
        |step| matches!(step, Step::Credentials(_)),
        &[Errno::INVAL],
        "linux.uidMappings and gidMappings have no such user or group: map it, or be another one",
    ),
    cause(
        |step| matches!(step, Step::Credentials(_)),
        &[Errno::PERM],
        "a capability was asked for that this host does not have to give",
    ),
    cause(|step| matches!(step, Step::Hooks { .. }), &[Errno::CHILD], "a hook ended with another status than 0"),
    cause(|step| matches!(step, Step::Hooks { .. }), &[Errno::TIMEDOUT], "a hook was killed because its time was over"),
    cause(
        |step| matches!(step, Step::Hooks { .. }),
        &[Errno::NOENT, Errno::ACCESS, Errno::NOEXEC],
        "a hook's program is missing, or cannot be executed; those of startContainer are sought in the container",
    ),
    cause(
        |step| matches!(step, Step::Seccomp),
        &[Errno::ACCESS],
        "installing a filter needs no_new_privs or CAP_SYS_ADMIN",
    ),
    cause(
        |step| matches!(step, Step::Seccomp),
        &[Errno::INVAL],
        "this kernel does not know one of linux.seccomp.flags",
    ),
    cause(
        |_| true,
        &[Errno::NOMEM],
        "memory ran out: is linux.resources.memory.limit too low to start anything, or the host full?",
    ),
    cause(
        |_| true,
        &[Errno::MFILE, Errno::NFILE],
        "too many open files: raise the limit (ulimit -n) of who calls this",
    ),
    cause(|_| true, &[Errno::AGAIN], "a limit of processes is reached: linux.resources.pids.limit, or ulimit -u"),
    cause(|_| true, &[Errno::NOSPC, Errno::DQUOT], DISK_FULL),
    cause(
        |_| true,
        &[Errno::NOSYS],
        "this kernel is too old for it, or a filter of system calls around this runtime forbids it: openat2 (Linux 5.6) \
         keeps paths of the container inside it, close_range (5.11) closes what is the host's, mount_setattr (5.12) \
         changes mounts with all below them; without these nothing is safe to start",
    ),
    cause(|_| true, &[Errno::NAMETOOLONG], "a path or a name in it is longer than the kernel takes"),
];
