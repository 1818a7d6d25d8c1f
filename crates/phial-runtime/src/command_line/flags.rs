//! Options of verbs that have many, with the words that other runtimes have for them.

use super::Flag;
use super::table::{
    BUNDLE, CONFIG, CONSOLE, DETACH, KEEP, NO_PIVOT, NO_SUBREAPER, PID_FILE, PIDFD_SOCKET, switch, value,
};

pub(super) const UPDATE: &[Flag] = &[
    value("resources", "FILE", "limits as in linux.resources of config.json, from a file or from stdin (-)").or('r'),
    value("blkio-weight", "N", "weight of block IO, 10 to 1000"),
    value("cpu-period", "N", "CPU CFS period in microseconds; 0 leaves it as it is"),
    value("cpu-quota", "N", "CPU CFS hardcap limit in microseconds per period; -1 for none"),
    value("cpu-burst", "N", "microseconds that may be saved up for a later period"),
    value("cpu-share", "N", "CPU shares (relative weight vs. other containers)"),
    value("cpu-rt-period", "N", "CPU realtime period in microseconds"),
    value("cpu-rt-runtime", "N", "CPU realtime hardcap limit in microseconds per period"),
    value("cpu-idle", "0|1", "1 runs the container only when nobody else wants the CPU"),
    value("cpuset-cpus", "LIST", "CPU(s) to use, such as 0-3,7"),
    value("cpuset-mems", "LIST", "memory node(s) to use"),
    value("memory", "SIZE", "memory limit in bytes, or with a unit such as 64m; -1 for none"),
    value("memory-reservation", "SIZE", "memory reservation, or soft limit"),
    value("memory-swap", "SIZE", "memory and swap together; -1 for unlimited swap"),
    value("pids-limit", "N", "maximum number of processes in the container; -1 for no limit"),
    value("kernel-memory", "SIZE", "obsolete: does nothing"),
    value("kernel-memory-tcp", "SIZE", "obsolete: does nothing"),
    value("l3-cache-schema", "SCHEMA", "Intel RDT/CAT L3 cache schema"),
    value("mem-bw-schema", "SCHEMA", "Intel RDT/MBA memory bandwidth schema"),
];

pub(super) const EVENTS: &[Flag] = &[
    value("interval", "DURATION", "how often the use is printed (5s)"),
    switch("stats", "print the use once, and end"),
];

const IMAGES: Flag = value("image-path", "DIR", "where criu's images are (./checkpoint)");
const WORK: Flag = value("work-path", "DIR", "where criu's log and other files go (the image path)");
const TCP: Flag = switch("tcp-established", "allow open TCP connections");
const SOCKETS: Flag = switch("ext-unix-sk", "allow unix sockets whose other end is outside");
const SHELL: Flag = switch("shell-job", "allow shell jobs");
const LOCKS: Flag = switch("file-locks", "handle file locks");
const CGROUPS: Flag = value("manage-cgroups-mode", "MODE", "soft (default), full, strict or ignore");
const EMPTY: Flag = value("empty-ns", "NAMESPACE", "make the namespace (network), and leave it empty");
const DEDUP: Flag = switch("auto-dedup", "free images of memory as they are read");
const LAZY: Flag = switch("lazy-pages", "bring memory when it is needed, by userfaultfd");

pub(super) const CHECKPOINT: &[Flag] = &[
    IMAGES,
    WORK,
    value("parent-path", "DIR", "images of an earlier pre-dump, relative to the image path"),
    switch("leave-running", "let the container go on afterwards"),
    TCP,
    switch("tcp-skip-in-flight", "leave out TCP connections that are not established yet"),
    switch("link-remap", "link files back that have no name any more, where that can be"),
    SOCKETS,
    SHELL,
    LAZY,
    value("status-fd", "FD", "a zero byte is written there when the server of lazy pages is ready"),
    value("page-server", "ADDRESS:PORT", "send memory to this server"),
    LOCKS,
    switch("pre-dump", "write memory alone, and let the container go on"),
    CGROUPS,
    EMPTY,
    DEDUP,
];

pub(super) const RESTORE: &[Flag] = &[
    BUNDLE,
    CONFIG,
    CONSOLE,
    PID_FILE,
    PIDFD_SOCKET,
    DETACH,
    NO_SUBREAPER,
    NO_PIVOT,
    KEEP,
    IMAGES,
    WORK,
    TCP,
    switch("tcp-close", "restore TCP connections closed"),
    SOCKETS,
    SHELL,
    LOCKS,
    CGROUPS,
    EMPTY,
    DEDUP,
    LAZY,
    value("lsm-profile", "TYPE:NAME", "profile of a security module, in place of the one that was written"),
    value("lsm-mount-context", "CONTEXT", "SELinux context of mounts, in place of the one that was written"),
];
