//! Which devices of the host a container has.

use clap::Args;
use engine::config::{ContainerConfig, Device, DeviceRule, Gpus};

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Flags {
    /// Add a device of the host, or one of a CDI specification (vendor.com/class=name)
    #[arg(long, value_name = "HOST[:CONTAINER][:rwm]")]
    device: Vec<String>,
    /// Allow a device, such as 'c 10:200 rwm'
    #[arg(long, value_name = "RULE")]
    device_cgroup_rule: Vec<String>,
    /// Add GPUs: all, a number, or device=…
    #[arg(long, value_name = "GPUS")]
    gpus: Option<String>,
}

impl Flags {
    pub(super) fn apply(self, config: &mut ContainerConfig) -> engine::Result<()> {
        config.devices = self.device.iter().map(|text| Device::parse(text)).collect::<engine::Result<_>>()?;
        config.device_rules =
            self.device_cgroup_rule.iter().map(|text| DeviceRule::parse(text)).collect::<engine::Result<_>>()?;
        config.gpus = self.gpus.as_deref().map(Gpus::parse).transpose()?;
        Ok(())
    }
}
