//! What of the host a configuration depends on, read once.

use std::path::Path;

use runtime::seccomp::KernelVersion;

use super::Peer;
use super::devices::{self, Disk, Found};
use crate::config::limits::numbers;
use crate::config::{Apparmor, ContainerConfig, SecurityOption};
use crate::error::{Context, Error, Result};
use crate::host::cdi::{self, Edits};

/// Facts about the host. Those that a configuration does not need are left at zero.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    /// CPUs this process may run on.
    pub(crate) cpus: u64,
    /// Capabilities this process can give to a container, as bits.
    pub(crate) capabilities: u64,
    /// How many CPUs have counters of throttling below /sys; 0 on virtual machines.
    pub(crate) throttled_cpus: usize,
    /// The running kernel.
    pub(crate) kernel: KernelVersion,
    /// The host's name.
    pub(crate) hostname: String,
    /// The devices that were asked for.
    pub(crate) devices: Vec<Found>,
    /// The disks that limits are about.
    pub(crate) disks: Vec<Disk>,
    /// What specifications of vendors add.
    pub(crate) edits: Edits,
    /// Whether labels of `SELinux` mean something.
    pub(crate) selinux: bool,
    /// The container whose network is shared.
    pub(crate) peer: Option<Peer>,
}

impl Host {
    /// Reads the facts that `config` needs.
    ///
    /// # Errors
    /// `System` when the host does not tell; `Invalid`, `NotFound` and `Unsupported`, naming the flag, for what the host
    /// has not.
    pub(crate) fn read(config: &ContainerConfig, peer: Option<Peer>) -> Result<Host> {
        check_cgroups(config)?;
        check_set("--cpuset-cpus", config.cpuset_cpus.as_deref(), "/sys/devices/system/cpu/online")?;
        check_set("--cpuset-mems", config.cpuset_mems.as_deref(), "/sys/devices/system/node/online")?;
        check_apparmor(config)?;
        let labels = |option: &SecurityOption| matches!(option, SecurityOption::Label(_));
        Ok(Host {
            cpus: if config.nano_cpus.is_some() { cpus()? } else { 0 },
            capabilities: runtime::capability::available().context(|| "reading this process's capabilities")?,
            throttled_cpus: throttled_cpus(),
            kernel: KernelVersion::running(),
            hostname: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            devices: devices::find(config)?,
            disks: devices::disks(config)?,
            edits: cdi::edits(config)?,
            selinux: config.security_opt.iter().any(labels) && Path::new("/sys/fs/selinux/enforce").exists(),
            peer,
        })
    }
}

fn cpus() -> Result<u64> {
    let set = rustix::thread::sched_getaffinity(None).context(|| "asking for the CPUs of this process")?;
    Ok(u64::from(set.count()))
}

/// One look says whether there are such counters at all; only then the CPUs are counted.
fn throttled_cpus() -> usize {
    if !Path::new("/sys/devices/system/cpu/cpu0/thermal_throttle").exists() {
        return 0;
    }
    // "0-7", or "0" on a machine with one CPU.
    let possible = std::fs::read_to_string("/sys/devices/system/cpu/possible").unwrap_or_default();
    let last = possible.trim_end().rsplit(['-', ',']).next().and_then(|last| last.parse::<usize>().ok());
    last.map_or(1, |last| last + 1)
}

/// Everything in a set must be online. A kernel without NUMA has the node 0 and no file.
fn check_set(flag: &str, asked: Option<&str>, file: &str) -> Result<()> {
    let Some(asked) = asked else { return Ok(()) };
    let online = std::fs::read_to_string(file).unwrap_or_else(|_| "0".to_owned());
    let (wanted, there) = (numbers(asked).unwrap_or_default(), numbers(&online).unwrap_or_default());
    let is_there = |number: u32| there.iter().any(|range| range.contains(&number));
    match wanted.into_iter().flatten().find(|number| !is_there(*number)) {
        None => Ok(()),
        Some(missing) => {
            Err(Error::invalid(format!("{flag} {asked}: {missing} is not available: there is {}", online.trim())))
        }
    }
}

/// What cgroups of the host's version have no file for.
fn check_cgroups(config: &ContainerConfig) -> Result<()> {
    let asked = [
        ("--memory-swappiness", config.memory_swappiness.is_some()),
        ("--oom-kill-disable", config.oom_kill_disable),
        ("--cpu-rt-runtime", config.cpu_rt_runtime.is_some()),
        ("--cpu-rt-period", config.cpu_rt_period.is_some()),
    ];
    let Some((flag, _)) = asked.into_iter().find(|(_, asked)| *asked) else { return Ok(()) };
    if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        return Err(Error::unsupported(format!("{flag}: cgroups of version 2 have no such setting"))
            .with_hint("leave it out on this host"));
    }
    let real_time = flag.starts_with("--cpu-rt");
    if real_time && !Path::new("/sys/fs/cgroup/cpu/cpu.rt_runtime_us").exists() {
        return Err(Error::unsupported(format!("{flag}: this kernel has no groups of real-time processes"))
            .with_hint("leave it out on this host"));
    }
    Ok(())
}

/// A profile that the kernel does not have would stop nothing.
fn check_apparmor(config: &ContainerConfig) -> Result<()> {
    let Some(Apparmor::Profile(name)) = config.apparmor() else { return Ok(()) };
    let flag = format!("--security-opt apparmor={name}");
    let enabled = std::fs::read_to_string("/sys/module/apparmor/parameters/enabled").unwrap_or_default();
    if enabled.trim() != "Y" {
        return Err(Error::unsupported(format!("{flag}: this kernel has no AppArmor"))
            .with_hint("use apparmor=unconfined, or leave it out"));
    }
    // Each line is a name and, in brackets, a mode. Where the file cannot be read, the kernel itself will tell.
    let Ok(loaded) = std::fs::read_to_string("/sys/kernel/security/apparmor/profiles") else { return Ok(()) };
    let known = |line: &str| line.rsplit_once(" (").is_some_and(|(known, _)| known == name);
    if loaded.lines().any(known) {
        return Ok(());
    }
    Err(Error::not_found(format!("{flag}: no such profile is loaded")).with_hint("apparmor_parser -r FILE loads one"))
}
