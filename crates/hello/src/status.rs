//! `/proc/self/status` and `/proc/self/limits` (proc(5)): who this process is and what it may do.

use crate::limit::Limit;
use crate::seen::{Seen, Unseen};

/// Where [`Status`] comes from.
pub(crate) const STATUS: &str = "proc/self/status";
/// Where [`open_files`] comes from.
pub(crate) const LIMITS: &str = "proc/self/limits";

/// The lines of `/proc/self/status` that speak of isolation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Status {
    /// Effective user id.
    pub(crate) uid: u32,
    /// Effective group id.
    pub(crate) gid: u32,
    /// Capabilities that count now, one bit each.
    pub(crate) effective: u64,
    /// Capabilities that this process or a child could ever have.
    pub(crate) bounding: u64,
    /// `execve` can no longer raise privileges.
    pub(crate) no_new_privs: bool,
    /// Which system calls are filtered.
    pub(crate) seccomp: Seccomp,
    /// How many processors it may run on.
    pub(crate) cpus: usize,
}

/// The seccomp mode of a process (seccomp(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seccomp {
    /// Every system call is open.
    Off,
    /// Only `read`, `write`, `exit` and `sigreturn`.
    Strict,
    /// Programs decide on each system call. Kernels before 5.9 do not tell how many.
    Filter { programs: Option<u32> },
}

impl Status {
    /// Parses the text of `/proc/self/status`.
    pub(crate) fn parse(text: &str) -> Seen<Status> {
        let status = || {
            Some(Status {
                uid: effective_id(text, "Uid")?,
                gid: effective_id(text, "Gid")?,
                effective: u64::from_str_radix(field(text, "CapEff")?, 16).ok()?,
                bounding: u64::from_str_radix(field(text, "CapBnd")?, 16).ok()?,
                no_new_privs: field(text, "NoNewPrivs")? == "1",
                seccomp: seccomp(text)?,
                cpus: count_of_list(field(text, "Cpus_allowed_list")?)?,
            })
        };
        status().ok_or_else(|| Unseen::strange("/proc/self/status"))
    }
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let of_line = |line: &'a str| line.strip_prefix(name)?.strip_prefix(':').map(str::trim);
    text.lines().find_map(of_line)
}

/// Real, effective, saved, file system: the second is what permission checks ask for.
fn effective_id(text: &str, name: &str) -> Option<u32> {
    field(text, name)?.split_whitespace().nth(1)?.parse().ok()
}

/// A kernel without seccomp has no such line.
fn seccomp(text: &str) -> Option<Seccomp> {
    match field(text, "Seccomp").unwrap_or("0") {
        "0" => Some(Seccomp::Off),
        "1" => Some(Seccomp::Strict),
        "2" => Some(Seccomp::Filter { programs: field(text, "Seccomp_filters").and_then(|n| n.parse().ok()) }),
        _ => None,
    }
}

/// How many numbers a list such as `0-3,7` names (cpuset(7), "List format").
fn count_of_list(list: &str) -> Option<usize> {
    let of_part = |part: &str| {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        high.parse::<usize>().ok()?.checked_sub(low.parse().ok()?)?.checked_add(1)
    };
    list.split(',').map(of_part).sum()
}

/// How many files may be open at once: now, and after the process raises that itself.
pub(crate) fn open_files(limits: &str) -> Seen<(Limit, Limit)> {
    let number = |word| Limit::parse(word, "unlimited");
    let found = || {
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
        let mut words = line.split_whitespace();
        Some((number(words.next()?)?, number(words.next()?)?))
    };
    found().ok_or_else(|| Unseen::strange("/proc/self/limits"))
}

#[cfg(test)]
mod tests {
    use super::{Limit, Seccomp, Status, count_of_list, open_files};

    const STATUS: &str = "Name:\thello\nUid:\t1000\t1001\t1000\t1000\nGid:\t5\t6\t5\t5\nCapInh:\t0000000000000000\n\
        CapEff:\t00000000a80425fb\nCapBnd:\t000001ffffffffff\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\n\
        Cpus_allowed:\tff\nCpus_allowed_list:\t0-3,7\n";

    #[test]
    fn status() {
        let want = Status {
            uid: 1001,
            gid: 6,
            effective: 0xa804_25fb,
            bounding: 0x1ff_ffff_ffff,
            no_new_privs: true,
            seccomp: Seccomp::Filter { programs: Some(3) },
            cpus: 5,
        };
        assert_eq!(Status::parse(STATUS), Ok(want));
    }

    #[test]
    fn seccomp() {
        let check = |from: &str, to: &str, want: Option<Seccomp>| {
            let got = Status::parse(&STATUS.replace(from, to)).ok().map(|status| status.seccomp);
            assert_eq!(got, want, "{to:?}");
        };
        check("Seccomp_filters:\t3\n", "", Some(Seccomp::Filter { programs: None }));
        check("Seccomp:\t2", "Seccomp:\t0", Some(Seccomp::Off));
        check("Seccomp:\t2", "Seccomp:\t1", Some(Seccomp::Strict));
        check("Seccomp:\t2\n", "", Some(Seccomp::Off));
        check("Seccomp:\t2", "Seccomp:\t9", None);
    }

    #[test]
    fn what_is_not_a_status_is_said_so() {
        for text in ["", "Uid:\t0\n", "Uid: x y\nGid: 0 0\n"] {
            let answer = Status::parse(text).map_err(|unseen| unseen.to_string());
            assert_eq!(answer, Err("cannot see: /proc/self/status has a form I do not know".to_owned()), "{text:?}");
        }
    }

    #[test]
    fn lists() {
        let check = |list: &str, want: Option<usize>| assert_eq!(count_of_list(list), want, "{list:?}");
        check("0", Some(1));
        check("0-1", Some(2));
        check("0-3,8-11,15", Some(9));
        check("", None);
        check("3-1", None);
        check("0-18446744073709551615", None);
    }

    #[test]
    fn limits() {
        let check = |line: &str, want: Option<(Limit, Limit)>| {
            assert_eq!(open_files(&format!("Limit  Soft Limit  Hard Limit  Units\n{line}\n")).ok(), want, "{line:?}");
        };
        check("Max open files       1024        524288     files     ", Some((Limit::Of(1024), Limit::Of(524_288))));
        check("Max open files   1024   unlimited   files", Some((Limit::Of(1024), Limit::None)));
        check("Max open files", None);
        check("Max processes   1 1   processes", None);
    }
}
