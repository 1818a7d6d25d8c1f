//! Options of verbs that have many, with the words that other runtimes have for them.

use super::Flag;
use super::table::{switch, value};

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
