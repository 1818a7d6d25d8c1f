//! What is mounted in a container.

use clap::Args;
use engine::config::{ContainerConfig, Mount, VolumesFrom};

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Flags {
    /// Mount something, such as type=bind,source=/src,target=/dst,readonly
    #[arg(long, value_name = "KEY=VALUE,…")]
    mount: Vec<String>,
    /// Mount the container's root file system read-only
    #[arg(long)]
    read_only: bool,
    /// Mount a tmpfs
    #[arg(long, value_name = "DIR[:OPTS]")]
    tmpfs: Vec<String>,
    /// Mount a directory of the host, or a volume
    #[arg(short, long, value_name = "[SRC:]DST[:OPTS]")]
    volume: Vec<String>,
    /// The driver of new volumes: local
    #[arg(long, value_name = "DRIVER")]
    volume_driver: Option<String>,
    /// Mount what another container has mounted
    #[arg(long, value_name = "CONTAINER[:OPTS]")]
    volumes_from: Vec<String>,
}

impl Flags {
    pub(super) fn apply(self, config: &mut ContainerConfig) -> engine::Result<()> {
        let here = std::env::current_dir().unwrap_or_default();
        let volumes = self.volume.iter().map(|text| Mount::parse_volume(text, &here));
        let mounts = self.mount.iter().map(|text| Mount::parse_mount(text, &here));
        let tmpfs = self.tmpfs.iter().map(|text| Mount::parse_tmpfs(text));
        config.mounts = volumes.chain(mounts).chain(tmpfs).collect::<engine::Result<_>>()?;
        config.volumes_from =
            self.volumes_from.iter().map(|text| VolumesFrom::parse(text)).collect::<engine::Result<_>>()?;
        config.volume_driver = self.volume_driver;
        config.read_only = self.read_only;
        Ok(())
    }
}
