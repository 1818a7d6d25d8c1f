//! What containers use: `stats`. Numbers come from the cgroups and from the network devices of the first process; what
//! people read is computed as docker computes it.

use std::path::Path;
use std::time::Instant;

use runtime::cgroup::Cgroups;
use runtime::cgroup::stats::{BlockIoEntry, Stats};
use runtime::protocol::first_process;

use crate::config::Network;
use crate::containers::lifecycle::{Container, State};
use crate::engine::Engine;
use crate::error::Result;

/// What a container has used up to one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// When it was taken.
    at: Instant,
    /// Nanoseconds of processor time.
    cpu: u64,
    /// Memory in bytes, without pages of files that are not in use.
    pub memory: u64,
    /// Bytes of memory there may be: the host's, if it has no limit.
    pub memory_limit: u64,
    /// Bytes received and sent on its own network devices.
    pub network: (u64, u64),
    /// Bytes read from and written to block devices.
    pub block: (u64, u64),
    /// Processes and threads.
    pub pids: u64,
}

impl Sample {
    /// Percent of one processor that was used since `before`, an earlier sample; 0 without one.
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    pub fn cpu_percent(&self, before: Option<&Sample>) -> f64 {
        let Some(before) = before else { return 0.0 };
        let time = self.at.saturating_duration_since(before.at).as_nanos();
        if time == 0 { 0.0 } else { self.cpu.saturating_sub(before.cpu) as f64 / time as f64 * 100.0 }
    }

    /// Percent of the limit that is used.
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    pub fn memory_percent(&self) -> f64 {
        if self.memory_limit == 0 { 0.0 } else { self.memory as f64 / self.memory_limit as f64 * 100.0 }
    }
}

impl Engine {
    /// What a container has used up to now; None of one that does not run.
    ///
    /// # Errors
    /// `System` when a file of a cgroup cannot be read.
    pub fn sample(&self, container: &Container) -> Result<Option<Sample>> {
        let (State::Running(status) | State::Paused(status)) = &container.state else { return Ok(None) };
        let counted = Cgroups::open(&status.cgroups)?.stats()?;
        let network = match container.config.network {
            // Those devices are the host's.
            Network::Host => (0, 0),
            _ => network(&self.paths().run_container(&container.record.id)),
        };
        let host = rustix::system::sysinfo();
        let host = u64::from(host.mem_unit) * host.totalram;
        Ok(Some(sample(&counted, network, host)))
    }
}

fn sample(stats: &Stats, network: (u64, u64), host_memory: u64) -> Sample {
    Sample {
        at: Instant::now(),
        cpu: stats.cpu.usage.total,
        memory: used_memory(stats),
        memory_limit: match stats.memory.usage.limit {
            0 => host_memory,
            limit => limit.min(host_memory),
        },
        network,
        block: (sum(stats, 'r'), sum(stats, 'w')),
        pids: stats.pids.current,
    }
}

/// What docker's command line shows: without inactive pages of files, which the kernel takes back when it needs them.
fn used_memory(stats: &Stats) -> u64 {
    let usage = stats.memory.usage.usage;
    let raw = &stats.memory.raw;
    let inactive = raw.get("total_inactive_file").or_else(|| raw.get("inactive_file")).copied().unwrap_or(0);
    if inactive < usage { usage - inactive } else { usage }
}

fn sum(stats: &Stats, operation: char) -> u64 {
    let is = |entry: &&BlockIoEntry| entry.op.to_ascii_lowercase().starts_with(operation);
    stats.blkio.io_service_bytes_recursive.iter().filter(is).map(|entry| entry.value).sum()
}

/// Bytes received and sent by all devices but loopback, in the network namespace of the container's first process; none
/// of one that has ended meanwhile.
fn network(run_dir: &Path) -> (u64, u64) {
    let Ok(Some(process)) = first_process(run_dir) else { return (0, 0) };
    let text = sys::file::read(process, "net/dev").unwrap_or_default();
    devices(&String::from_utf8_lossy(&text))
}

/// The sums of `/proc/net/dev` (`proc_pid_net(5)`).
fn devices(text: &str) -> (u64, u64) {
    let device = |line: &str| {
        let (name, numbers) = line.split_once(':')?;
        let numbers: Vec<u64> = numbers.split_whitespace().map_while(|number| number.parse().ok()).collect();
        (name.trim() != "lo").then_some((*numbers.first()?, *numbers.get(8)?))
    };
    text.lines().filter_map(device).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn devices_are_summed_without_loopback() {
        let text = "Inter-|   Receive                                                |  Transmit\n \
            face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n    \
            lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0\n  \
            eth0: 1500      10    0    0    0     0          0         0     2500      20    0    0    0     0       0          0\n  \
            eth1:5 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0\n";
        assert_eq!(devices(text), (1505, 2507));
        assert_eq!(devices("nonsense\n:\neth0: x"), (0, 0));
    }

    #[test]
    fn numbers_are_dockers() {
        let mut stats = Stats::default();
        stats.memory.usage.usage = 1000;
        stats.memory.usage.limit = u64::MAX;
        stats.memory.raw.insert("inactive_file".to_owned(), 300);
        stats.cpu.usage.total = 250_000_000;
        stats.blkio.io_service_bytes_recursive =
            [("Read", 5), ("Write", 7), ("read", 1), ("Sync", 100), ("Total", 100)]
                .map(|(op, value)| BlockIoEntry { op: op.to_owned(), value, ..BlockIoEntry::default() })
                .into();
        let later = sample(&stats, (1, 2), 2800);
        assert_eq!((later.memory, later.memory_limit, later.block), (700, 2800, (6, 7)));
        assert!((later.memory_percent() - 25.0).abs() < 1e-9);
        let earlier = Sample {
            at: later.at.checked_sub(Duration::from_millis(500)).expect("is long after boot"),
            cpu: 0,
            ..later.clone()
        };
        assert!((later.cpu_percent(Some(&earlier)) - 50.0).abs() < 1e-9);
        assert!(later.cpu_percent(None).abs() < 1e-9);
        stats.memory.raw.insert("total_inactive_file".to_owned(), 2000);
        assert_eq!(used_memory(&stats), 1000);
    }
}
