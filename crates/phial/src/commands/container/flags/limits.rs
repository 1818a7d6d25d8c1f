//! What a container may use up.

use clap::Args;
use engine::config::{BlockIo, ContainerConfig, OfDisk, Ulimit, block_io, limits, size};

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Flags {
    /// Weight of the container's disk accesses, 10 to 1000
    #[arg(long, value_name = "WEIGHT")]
    blkio_weight: Option<String>,
    /// Weight of its accesses to one disk
    #[arg(long, value_name = "DEVICE:WEIGHT")]
    blkio_weight_device: Vec<String>,
    /// Put the container's cgroup below this one
    #[arg(long, value_name = "PATH")]
    cgroup_parent: Option<String>,
    /// Microseconds in which the share of CPU time is counted
    #[arg(long, value_name = "MICROSECONDS")]
    cpu_period: Option<String>,
    /// Microseconds of CPU time in each period
    #[arg(long, value_name = "MICROSECONDS", allow_hyphen_values = true)]
    cpu_quota: Option<String>,
    /// Microseconds in which real-time CPU time is counted
    #[arg(long, value_name = "MICROSECONDS")]
    cpu_rt_period: Option<String>,
    /// Microseconds of real-time CPU time in each period
    #[arg(long, value_name = "MICROSECONDS")]
    cpu_rt_runtime: Option<String>,
    /// Weight among those who want the CPUs; 1024 by default
    #[arg(short, long, value_name = "WEIGHT")]
    cpu_shares: Option<String>,
    /// Number of CPUs, such as 1.5
    #[arg(long, value_name = "NUMBER")]
    cpus: Option<String>,
    /// CPUs that may be used, such as 0-2,4
    #[arg(long, value_name = "CPUS")]
    cpuset_cpus: Option<String>,
    /// Memory nodes that may be used, such as 0,1
    #[arg(long, value_name = "NODES")]
    cpuset_mems: Option<String>,
    /// Limit reading from a disk, such as /dev/sda:1m
    #[arg(long, value_name = "DEVICE:BYTES")]
    device_read_bps: Vec<String>,
    /// Limit the number of reads from a disk a second
    #[arg(long, value_name = "DEVICE:NUMBER")]
    device_read_iops: Vec<String>,
    /// Limit writing to a disk, such as /dev/sda:1m
    #[arg(long, value_name = "DEVICE:BYTES")]
    device_write_bps: Vec<String>,
    /// Limit the number of writes to a disk a second
    #[arg(long, value_name = "DEVICE:NUMBER")]
    device_write_iops: Vec<String>,
    /// Limit the memory, such as 64m or 1.5g
    #[arg(short, long, value_name = "SIZE")]
    memory: Option<String>,
    /// Memory that is left to the container when the host is short of it
    #[arg(long, value_name = "SIZE")]
    memory_reservation: Option<String>,
    /// Limit memory and swap together; -1 for no limit
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    memory_swap: Option<String>,
    /// How readily memory is swapped, 0 to 100
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    memory_swappiness: Option<String>,
    /// Have processes wait for memory instead of being killed for it
    #[arg(long)]
    oom_kill_disable: bool,
    /// How readily its processes are killed when the host is out of memory, -1000 to 1000
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    oom_score_adj: Option<String>,
    /// Limit the number of processes; -1 for no limit
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pids_limit: Option<String>,
    /// Size of /dev/shm
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    shm_size: Option<String>,
    /// Set a kernel parameter of the container's namespaces
    #[arg(long, value_name = "NAME=VALUE")]
    sysctl: Vec<String>,
    /// Set a resource limit, such as nofile=1024:2048
    #[arg(long, value_name = "NAME=SOFT[:HARD]")]
    ulimit: Vec<String>,
}

impl Flags {
    pub(super) fn apply(self, config: &mut ContainerConfig) -> engine::Result<()> {
        config.block_io = self.block_io()?;
        config.cgroup_parent = self
            .cgroup_parent
            .filter(|path| !path.is_empty())
            .map(|path| limits::parse_cgroup_parent(&path))
            .transpose()?;
        let flag = |text: &Option<String>, parse: fn(&str) -> engine::Result<Option<u64>>| {
            text.as_deref().map_or(Ok(None), parse)
        };
        config.cpu_shares = flag(&self.cpu_shares, limits::parse_cpu_shares)?;
        config.cpu_period = flag(&self.cpu_period, limits::parse_cpu_period)?;
        config.cpu_quota = self.cpu_quota.as_deref().map(limits::parse_cpu_quota).transpose()?.flatten();
        config.cpu_rt_period = flag(&self.cpu_rt_period, |text| limits::parse_microseconds("--cpu-rt-period", text))?;
        config.cpu_rt_runtime =
            flag(&self.cpu_rt_runtime, |text| limits::parse_microseconds("--cpu-rt-runtime", text))?;
        config.nano_cpus = flag(&self.cpus, size::parse_cpus)?;
        let set = |flag, text: Option<String>| {
            let text = text.filter(|text| !text.is_empty());
            text.map(|text| limits::parse_set(flag, &text)).transpose()
        };
        config.cpuset_cpus = set("--cpuset-cpus", self.cpuset_cpus)?;
        config.cpuset_mems = set("--cpuset-mems", self.cpuset_mems)?;
        config.memory = flag(&self.memory, size::parse_memory)?;
        config.memory_reservation = flag(&self.memory_reservation, size::parse_memory_reservation)?;
        config.memory_swap = self.memory_swap.as_deref().map(limits::parse_memory_swap).transpose()?.flatten();
        config.memory_swappiness = flag(&self.memory_swappiness, limits::parse_swappiness)?;
        config.oom_kill_disable = self.oom_kill_disable;
        config.oom_score_adj = self.oom_score_adj.as_deref().map(limits::parse_oom_score).transpose()?;
        config.pids_limit = self.pids_limit.as_deref().map(limits::parse_pids_limit).transpose()?.flatten();
        config.shm_size = flag(&self.shm_size, limits::parse_shm_size)?;
        config.sysctls = self.sysctl.iter().map(|text| limits::parse_sysctl(text)).collect::<engine::Result<_>>()?;
        config.ulimits = self.ulimit.iter().map(|text| Ulimit::parse(text)).collect::<engine::Result<_>>()?;
        config.check_limits()
    }

    fn block_io(&self) -> engine::Result<BlockIo> {
        let bytes = |flag: &str, list: &[String]| {
            list.iter().map(|text| OfDisk::parse_bytes(flag, text)).collect::<engine::Result<_>>()
        };
        let operations = |flag: &str, list: &[String]| {
            list.iter().map(|text| OfDisk::parse_operations(flag, text)).collect::<engine::Result<_>>()
        };
        let weights = self.blkio_weight_device.iter().map(|text| OfDisk::parse_weight(text));
        Ok(BlockIo {
            weight: self.blkio_weight.as_deref().map(block_io::parse_weight).transpose()?.flatten(),
            weight_devices: weights.collect::<engine::Result<_>>()?,
            read_bps: bytes("--device-read-bps", &self.device_read_bps)?,
            write_bps: bytes("--device-write-bps", &self.device_write_bps)?,
            read_iops: operations("--device-read-iops", &self.device_read_iops)?,
            write_iops: operations("--device-write-iops", &self.device_write_iops)?,
        })
    }
}
