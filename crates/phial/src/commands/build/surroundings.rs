//! How the commands of a build run: whom they reach, and what they may use up.

use build::Options;
use clap::Args;
use engine::config::{ExtraHost, Ulimit, limits, size};

use super::invalid;
use crate::failure::{Cannot, Result};

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Flags {
    /// Whom commands reach: default, none, host, or a network
    #[arg(long, value_name = "NETWORK")]
    network: Option<String>,
    /// Give a host a name: NAME:ADDRESS, or NAME:host-gateway
    #[arg(long, value_name = "NAME:ADDRESS")]
    add_host: Vec<String>,
    /// Set a resource limit, such as nofile=1024:2048
    #[arg(long, value_name = "NAME=SOFT[:HARD]")]
    ulimit: Vec<String>,
    /// Size of /dev/shm
    #[arg(long, value_name = "SIZE")]
    shm_size: Option<String>,
    /// Put the cgroups of commands below this one
    #[arg(long, value_name = "PATH")]
    cgroup_parent: Option<String>,
    /// Limit the memory, such as 64m or 1.5g
    #[arg(short, long, value_name = "SIZE")]
    memory: Option<String>,
    /// Limit memory and swap together; -1 for no limit
    #[arg(long, value_name = "SIZE")]
    memory_swap: Option<String>,
    /// Weight among those who want the CPUs; 1024 by default
    #[arg(short, long, value_name = "WEIGHT")]
    cpu_shares: Option<String>,
    /// Microseconds after which the CPU time is counted anew
    #[arg(long, value_name = "MICROSECONDS")]
    cpu_period: Option<String>,
    /// Microseconds of CPU time in each period
    #[arg(long, value_name = "MICROSECONDS")]
    cpu_quota: Option<String>,
    /// CPUs that may be used, such as 0-2,4
    #[arg(long, value_name = "CPUS")]
    cpuset_cpus: Option<String>,
    /// Memory nodes that may be used, such as 0,1
    #[arg(long, value_name = "NODES")]
    cpuset_mems: Option<String>,
}

impl Flags {
    /// Puts all of them into `options`.
    pub(super) fn apply(&self, options: &mut Options) -> Result<()> {
        options.network = match self.network.as_deref() {
            None | Some("" | "default") => None,
            Some(text) if text.starts_with("container:") => {
                return Err(invalid("--network", text, "a build cannot be in a container's network"));
            }
            Some(text) => Some(text.to_owned()),
        };
        self.limit(options).cannot(|| "build")
    }

    fn limit(&self, options: &mut Options) -> engine::Result<()> {
        options.extra_hosts = self.add_host.iter().map(|text| ExtraHost::parse(text)).collect::<engine::Result<_>>()?;
        options.ulimits = self.ulimit.iter().map(|text| Ulimit::parse(text)).collect::<engine::Result<_>>()?;
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        options.cgroup_parent =
            given(&self.cgroup_parent).map(|path| limits::parse_cgroup_parent(&path)).transpose()?;
        let number = |text: &Option<String>, parse: fn(&str) -> engine::Result<Option<u64>>| {
            given(text).map_or(Ok(None), |text| parse(&text))
        };
        let signed = |text: &Option<String>, parse: fn(&str) -> engine::Result<Option<i64>>| {
            given(text).map_or(Ok(None), |text| parse(&text))
        };
        let set = |flag, text: &Option<String>| given(text).map(|text| limits::parse_set(flag, &text)).transpose();
        options.shm_size = number(&self.shm_size, limits::parse_shm_size)?;
        options.limits = build::Limits {
            memory: number(&self.memory, size::parse_memory)?,
            memory_swap: signed(&self.memory_swap, limits::parse_memory_swap)?,
            cpu_shares: number(&self.cpu_shares, limits::parse_cpu_shares)?,
            cpu_period: number(&self.cpu_period, limits::parse_cpu_period)?,
            cpu_quota: signed(&self.cpu_quota, limits::parse_cpu_quota)?,
            cpuset_cpus: set("--cpuset-cpus", &self.cpuset_cpus)?,
            cpuset_mems: set("--cpuset-mems", &self.cpuset_mems)?,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches};

    use super::*;

    fn applied(words: &[&str]) -> Result<Options> {
        let command = Flags::augment_args(Command::new("build").no_binary_name(true));
        let command = command.mut_args(|argument| argument.allow_hyphen_values(true));
        let matches = command.try_get_matches_from(words).expect("these are flags");
        let mut options = Options::default();
        Flags::from_arg_matches(&matches).expect("these are flags").apply(&mut options)?;
        Ok(options)
    }

    #[test]
    fn limits_of_commands() {
        let words = ["-m", "64m", "--memory-swap", "-1", "-c", "512", "--cpu-quota", "50000", "--cpuset-cpus", "0-1"];
        let options = applied(&words).expect("all make sense");
        let expected = build::Limits {
            memory: Some(64 << 20),
            memory_swap: Some(-1),
            cpu_shares: Some(512),
            cpu_quota: Some(50_000),
            cpuset_cpus: Some("0-1".to_owned()),
            ..build::Limits::default()
        };
        assert_eq!(options.limits, expected);
        let options = applied(&[
            "--shm-size",
            "1g",
            "--add-host",
            "db:10.0.0.5",
            "--ulimit",
            "nofile=1:2",
            "--network",
            "default",
        ]);
        let options = options.expect("all make sense");
        assert_eq!((options.shm_size, options.extra_hosts.len(), options.ulimits.len()), (Some(1 << 30), 1, 1));
        assert_eq!(options.network, None);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (words, why) in [
            (["--memory", "much"], "cannot build: --memory much: not a size"),
            (
                ["--network", "container:x"],
                "cannot build: --network container:x: a build cannot be in a container's network",
            ),
            (["--add-host", "x"], "cannot build: --add-host x: no address"),
        ] {
            assert_eq!(applied(&words).expect_err("it makes no sense").said().0, why);
        }
    }
}
