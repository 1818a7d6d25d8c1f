//! What of the host a configuration depends on, read once.

use std::path::Path;

use runtime::seccomp::KernelVersion;

use crate::config::ContainerConfig;
use crate::error::{Context, Result};

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
}

impl Host {
    /// Reads the facts that `config` needs.
    ///
    /// # Errors
    /// `System` when the host does not tell.
    pub(crate) fn read(config: &ContainerConfig) -> Result<Host> {
        Ok(Host {
            cpus: if config.nano_cpus.is_some() { cpus()? } else { 0 },
            capabilities: runtime::capability::available().context(|| "reading this process's capabilities")?,
            throttled_cpus: throttled_cpus(),
            kernel: KernelVersion::running(),
            hostname: rustix::system::uname().nodename().to_string_lossy().into_owned(),
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
