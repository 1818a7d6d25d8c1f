//! `--cpu-shares`, `--cpuset-cpus`, `--memory-swap` and the like: numbers with docker's ranges, and what they may not be
//! together.

use runtime::plan::namespace_of_sysctl;
use sys::clone::namespace;

use super::ContainerConfig;
use super::size::parse_size;
use crate::error::{Error, Result};

/// Parses `--pids-limit`: 0 and -1 are no limit.
///
/// # Errors
/// `Invalid` for what is not a number or too large for one.
pub fn parse_pids_limit(text: &str) -> Result<Option<u32>> {
    let invalid = || Error::invalid(format!("--pids-limit {text}: not a number of processes, and not -1"));
    match text.parse::<i64>().map_err(|_| invalid())? {
        -1 | 0 => Ok(None),
        number => u32::try_from(number).map(Some).map_err(|_| invalid()),
    }
}

/// Parses `--cpu-shares`: 0 is the default; the kernel takes 2 to 262144.
///
/// # Errors
/// `Invalid` for anything else.
pub fn parse_cpu_shares(text: &str) -> Result<Option<u64>> {
    match text.parse() {
        Ok(0) => Ok(None),
        Ok(shares @ 2..=262_144) => Ok(Some(shares)),
        _ => Err(Error::invalid(format!("--cpu-shares {text}: not a number between 2 and 262144"))),
    }
}

/// Parses `--cpu-period`: 0 is the default, else 1000 to 1000000 microseconds.
///
/// # Errors
/// `Invalid` for anything else.
pub fn parse_cpu_period(text: &str) -> Result<Option<u64>> {
    match text.parse() {
        Ok(0) => Ok(None),
        Ok(period @ 1_000..=1_000_000) => Ok(Some(period)),
        _ => Err(Error::invalid(format!("--cpu-period {text}: not a number of microseconds between 1000 and 1000000"))),
    }
}

/// Parses `--cpu-quota`: 0 is none, -1 no limit, else at least 1000 microseconds.
///
/// # Errors
/// `Invalid` for anything else.
pub fn parse_cpu_quota(text: &str) -> Result<Option<i64>> {
    match text.parse() {
        Ok(0) => Ok(None),
        Ok(quota) if quota == -1 || quota >= 1_000 => Ok(Some(quota)),
        _ => Err(Error::invalid(format!("--cpu-quota {text}: not a number of microseconds from 1000 on"))),
    }
}

/// Parses a number of microseconds of `--cpu-rt-period` and `--cpu-rt-runtime`; 0 is none.
///
/// # Errors
/// `Invalid` for what is not a number.
pub fn parse_microseconds(flag: &str, text: &str) -> Result<Option<u64>> {
    let number: u64 =
        text.parse().map_err(|_| Error::invalid(format!("{flag} {text}: not a number of microseconds")))?;
    Ok((number > 0 && i64::try_from(number).is_ok()).then_some(number))
}

/// Parses `--cpuset-cpus` and `--cpuset-mems`: numbers and ranges, such as `0-2,4`.
///
/// # Errors
/// `Invalid` for anything else.
pub fn parse_set(flag: &str, text: &str) -> Result<String> {
    match numbers(text) {
        Some(set) if !set.is_empty() => Ok(text.to_owned()),
        _ => Err(Error::invalid(format!("{flag} {text}: not a list of numbers")).with_hint("give 0-2 or 0,1")),
    }
}

/// The ranges of a set, as cpuset(7) writes them.
pub(crate) fn numbers(text: &str) -> Option<Vec<std::ops::RangeInclusive<u32>>> {
    // The kernel counts less than ten thousand of either.
    const MOST: u32 = 65_536;
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u32>().ok())?;
        let (first, last) = (digits(first)?, digits(last)?);
        (first <= last && last < MOST).then_some(first..=last)
    };
    text.trim_end().split(',').filter(|part| !part.is_empty()).map(range).collect()
}

/// Parses `--memory-swap`: 0 is the default, -1 no limit, else memory and swap together.
///
/// # Errors
/// `Invalid` for what is not a size.
pub fn parse_memory_swap(text: &str) -> Result<Option<i64>> {
    if text == "-1" {
        return Ok(Some(-1));
    }
    let size = parse_size("--memory-swap", text)?;
    let size = i64::try_from(size).map_err(|_| Error::invalid(format!("--memory-swap {text}: too large")))?;
    Ok((size > 0).then_some(size))
}

/// Parses `--memory-swappiness`: -1 is the host's, else 0 to 100.
///
/// # Errors
/// `Invalid` for anything else.
pub fn parse_swappiness(text: &str) -> Result<Option<u64>> {
    match text.parse::<i64>() {
        Ok(-1) => Ok(None),
        Ok(number @ 0..=100) => Ok(Some(number.unsigned_abs())),
        _ => Err(Error::invalid(format!("--memory-swappiness {text}: not a number between 0 and 100"))),
    }
}

/// Parses `--oom-score-adj`, -1000 to 1000.
///
/// # Errors
/// `Invalid` for anything else.
pub fn parse_oom_score(text: &str) -> Result<i32> {
    text.parse()
        .ok()
        .filter(|score| (-1000..=1000).contains(score))
        .ok_or_else(|| Error::invalid(format!("--oom-score-adj {text}: not a number between -1000 and 1000")))
}

/// Parses `--shm-size`; 0 is the default.
///
/// # Errors
/// `Invalid` for what is not a size.
pub fn parse_shm_size(text: &str) -> Result<Option<u64>> {
    if text.starts_with('-') {
        return Err(Error::invalid(format!("--shm-size {text}: not a size")));
    }
    Ok(Some(parse_size("--shm-size", text)?).filter(|size| *size > 0))
}

/// Parses `--cgroup-parent`: a path below the roots of the hierarchies.
///
/// # Errors
/// `Invalid` for `..`, control characters and slices of systemd: cgroups are made as directories.
pub fn parse_cgroup_parent(text: &str) -> Result<String> {
    let invalid = |why: &str| Error::invalid(format!("--cgroup-parent {text}: {why}"));
    if text.split('/').any(|part| part == "..") || text.chars().any(char::is_control) {
        return Err(invalid("not a path of a cgroup"));
    }
    if text.split('/').all(|part| matches!(part, "" | ".")) {
        return Err(invalid("names no cgroup"));
    }
    Ok(text.to_owned())
}

/// Parses `--sysctl KEY=VALUE`.
///
/// # Errors
/// `Invalid` for what has no value, and for a parameter that belongs to no namespace: it would change the host.
pub fn parse_sysctl(text: &str) -> Result<(String, String)> {
    let invalid = |why: &str| Error::invalid(format!("--sysctl {text}: {why}"));
    let (key, value) = text.split_once('=').ok_or_else(|| invalid("no value").with_hint("give KEY=VALUE"))?;
    if key.is_empty() || text.contains('\0') {
        return Err(invalid("no name of a parameter"));
    }
    if namespace_of_sysctl(key).is_none_or(|needed| needed == namespace::USER) {
        return Err(invalid("not a parameter of a namespace of the container, but of the host")
            .with_hint("net.*, fs.mqueue.*, kernel.domainname and those of System V IPC can be set"));
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// Parses `--annotation KEY=VALUE`.
///
/// # Errors
/// `Invalid` without a value or a name.
pub fn parse_annotation(text: &str) -> Result<(String, String)> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(Error::invalid(format!("--annotation {text}: not KEY=VALUE"))),
    }
}

impl ContainerConfig {
    /// Whether the limits go together.
    ///
    /// # Errors
    /// `Invalid`, naming both, for those that contradict each other.
    pub fn check_limits(&self) -> Result<()> {
        let invalid = |message: String| Err(Error::invalid(message));
        let memory = self.memory.unwrap_or(0);
        match (self.memory_swap, self.memory) {
            (Some(swap), None) if swap > 0 => {
                return invalid(format!("--memory-swap {swap}: needs --memory as well"));
            }
            (Some(swap), Some(memory)) if swap > 0 && swap.unsigned_abs() < memory => {
                return Err(Error::invalid(format!("--memory-swap {swap}: less than --memory {memory}"))
                    .with_hint("it counts memory and swap together"));
            }
            _ => {}
        }
        if let Some(reservation) = self.memory_reservation.filter(|reservation| memory > 0 && *reservation > memory) {
            return invalid(format!("--memory-reservation {reservation}: more than --memory {memory}"));
        }
        if self.nano_cpus.is_some() && (self.cpu_period.is_some() || self.cpu_quota.is_some()) {
            let other = if self.cpu_period.is_some() { "--cpu-period" } else { "--cpu-quota" };
            return invalid(format!("--cpus and {other}: both set the share of CPU time"));
        }
        if let (Some(runtime), Some(period)) = (self.cpu_rt_runtime, self.cpu_rt_period)
            && runtime > period
        {
            return invalid(format!("--cpu-rt-runtime {runtime}: more than --cpu-rt-period {period}"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::size::NANO;

    #[test]
    fn pids_limits() {
        let cases = [
            ("-1", Some(None)),
            ("0", Some(None)),
            ("17", Some(Some(17))),
            ("4294967296", None),
            ("-2", None),
            ("x", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_pids_limit(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn numbers_have_docker_s_ranges() {
        let shares = |text| parse_cpu_shares(text).ok();
        assert_eq!((shares("0"), shares("2"), shares("1"), shares("262145")), (Some(None), Some(Some(2)), None, None));
        let period = |text| parse_cpu_period(text).ok();
        assert_eq!((period("0"), period("1000"), period("999")), (Some(None), Some(Some(1000)), None));
        let quota = |text| parse_cpu_quota(text).ok();
        assert_eq!((quota("-1"), quota("1000"), quota("999")), (Some(Some(-1)), Some(Some(1000)), None));
        let swap = |text| parse_memory_swap(text).ok();
        assert_eq!(
            (swap("-1"), swap("0"), swap("1k"), swap("-2")),
            (Some(Some(-1)), Some(None), Some(Some(1024)), None)
        );
        let swappiness = |text| parse_swappiness(text).ok();
        assert_eq!((swappiness("-1"), swappiness("0"), swappiness("101")), (Some(None), Some(Some(0)), None));
        assert_eq!((parse_oom_score("-1000").ok(), parse_oom_score("1001").ok()), (Some(-1000), None));
    }

    #[test]
    fn sets() {
        for text in ["0", "0-2", "0,1", "0-1,4"] {
            assert_eq!(parse_set("--cpuset-cpus", text).ok().as_deref(), Some(text));
        }
        for text in ["", "a", "2-1", "-1", "0-", "0,x", "99999999"] {
            assert!(parse_set("--cpuset-cpus", text).is_err(), "{text}");
        }
    }

    #[test]
    fn parameters_of_the_kernel() {
        assert!(parse_sysctl("net.ipv4.ip_forward=1").is_ok());
        for text in ["net.ipv4.ip_forward", "vm.swappiness=1", "=1", "kernel.core_pattern=|/x", "net.../../vm.x=1"] {
            assert!(parse_sysctl(text).is_err(), "{text}");
        }
    }

    #[test]
    fn parents_of_cgroups() {
        for (text, fine) in
            [("/phial", true), ("a/b", true), ("/", false), ("", false), ("../x", false), ("a\nb", false)]
        {
            assert_eq!(parse_cgroup_parent(text).is_ok(), fine, "{text}");
        }
    }

    #[test]
    fn limits_that_contradict_each_other() {
        let config = |change: fn(&mut ContainerConfig)| {
            let mut config = ContainerConfig { memory: Some(16 << 20), ..ContainerConfig::default() };
            change(&mut config);
            config.check_limits().is_ok()
        };
        assert!(config(|config| config.memory_swap = Some(16 << 20)));
        assert!(config(|config| config.memory_swap = Some(-1)));
        assert!(!config(|config| config.memory_swap = Some(8 << 20)));
        assert!(!config(|config| config.memory_reservation = Some(17 << 20)));
        assert!(!config(|config| (config.memory, config.memory_swap) = (None, Some(1 << 30))));
        assert!(!config(|config| (config.nano_cpus, config.cpu_quota) = (Some(NANO), Some(1000))));
        assert!(!config(|config| (config.cpu_rt_period, config.cpu_rt_runtime) = (Some(10), Some(11))));
    }
}
