//! `linux.resources.pids` (kernel `cgroup-v1/pids.rst`; the file is the same for v2).

/// What `pids.max` is set to. Negative numbers mean no limit.
///
/// Since version 1.3 of the specification zero is a limit. It becomes 1, which lets nothing start either: systemd takes
/// no zero for `TasksMax`, and both drivers shall do the same.
pub(in crate::cgroup) fn value(limit: i64) -> String {
    match limit {
        i64::MIN..=-1 => "max".to_owned(),
        0 => "1".to_owned(),
        limit => limit.to_string(),
    }
}
