//! What a container may use up.

use clap::Args;
use engine::config::{BlockIo, ContainerConfig, OfDisk, Ulimit, limits};

use super::changeable::Limits;

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Flags {
    #[command(flatten)]
    changeable: Limits,
    /// Weight of its accesses to one disk
    #[arg(long, value_name = "DEVICE:WEIGHT")]
    blkio_weight_device: Vec<String>,
    /// Put the container's cgroup below this one
    #[arg(long, value_name = "PATH")]
    cgroup_parent: Option<String>,
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
    /// How readily memory is swapped, 0 to 100
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    memory_swappiness: Option<String>,
    /// Have processes wait for memory instead of being killed for it
    #[arg(long)]
    oom_kill_disable: bool,
    /// How readily its processes are killed when the host is out of memory, -1000 to 1000
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    oom_score_adj: Option<String>,
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
        self.changeable.apply(config)?;
        config.pids_limit = self.changeable.pids_limit.as_deref().map(limits::parse_pids_limit).transpose()?.flatten();
        config.cgroup_parent = self
            .cgroup_parent
            .filter(|path| !path.is_empty())
            .map(|path| limits::parse_cgroup_parent(&path))
            .transpose()?;
        let flag = |text: &Option<String>, parse: fn(&str) -> engine::Result<Option<u64>>| {
            text.as_deref().map_or(Ok(None), parse)
        };
        config.memory_swappiness = flag(&self.memory_swappiness, limits::parse_swappiness)?;
        config.oom_kill_disable = self.oom_kill_disable;
        config.oom_score_adj = self.oom_score_adj.as_deref().map(limits::parse_oom_score).transpose()?;
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
            weight_devices: weights.collect::<engine::Result<_>>()?,
            read_bps: bytes("--device-read-bps", &self.device_read_bps)?,
            write_bps: bytes("--device-write-bps", &self.device_write_bps)?,
            read_iops: operations("--device-read-iops", &self.device_read_iops)?,
            write_iops: operations("--device-write-iops", &self.device_write_iops)?,
            ..BlockIo::default()
        })
    }
}
