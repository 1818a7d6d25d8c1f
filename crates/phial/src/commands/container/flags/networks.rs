//! Which networks a container is on, and which of its ports can be reached from outside.

use clap::Args;
use engine::config::{ContainerConfig, Link, NetworkFlags, PortMapping};

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Flags {
    /// The container's address of IPv4 on its first network
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<String>,
    /// The container's address of IPv6 on its first network
    #[arg(long, value_name = "ADDRESS")]
    ip6: Option<String>,
    /// Give another container a name in this one
    #[arg(long, value_name = "CONTAINER[:ALIAS]")]
    link: Vec<String>,
    /// Docker's; the kernel chooses such addresses
    #[arg(long, value_name = "ADDRESS", hide = true)]
    link_local_ip: Vec<String>,
    /// The container's hardware address on its first network
    #[arg(long, value_name = "ADDRESS")]
    mac_address: Option<String>,
    /// A network of the container, more than once for several: its name, or name=NAME,alias=…,ip=…,ip6=…,mac-address=…,gw-priority=…,driver-opt=…;
    /// or none, host, container:NAME
    #[arg(long, visible_alias = "net")]
    network: Vec<String>,
    /// One more name for the container on its first network
    #[arg(long, value_name = "NAME", visible_alias = "net-alias")]
    network_alias: Vec<String>,
    /// Let a port of this host lead to one of the container
    #[arg(short, long, value_name = "[[ADDRESS:][PORT]:]PORT[/PROTOCOL]")]
    publish: Vec<String>,
    /// Let ports of this host lead to all that the container exposes
    #[arg(short = 'P', long)]
    publish_all: bool,
}

impl Flags {
    pub(super) fn apply(self, config: &mut ContainerConfig) -> engine::Result<()> {
        config.links = self.link.iter().map(|text| Link::parse(text)).collect::<engine::Result<_>>()?;
        config.ports = self.publish.iter().map(|text| PortMapping::parse(text)).collect::<engine::Result<_>>()?;
        config.publish_all = self.publish_all;
        let flags = NetworkFlags {
            networks: self.network,
            aliases: self.network_alias,
            ip: self.ip,
            ip6: self.ip6,
            mac: self.mac_address,
            link_local: self.link_local_ip,
        };
        config.network = flags.parse()?;
        Ok(())
    }
}
