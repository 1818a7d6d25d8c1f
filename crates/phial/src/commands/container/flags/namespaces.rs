//! Which namespaces a container has of its own, and what it is called in them.

use clap::Args;
use engine::config::{self, ContainerConfig, Network};

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Flags {
    /// The container's host name
    #[arg(short = 'h', long, value_name = "NAME")]
    hostname: Option<String>,
    /// The container's network: none or host
    #[arg(long, visible_alias = "net")]
    network: Option<String>,
}

impl Flags {
    pub(super) fn apply(self, config: &mut ContainerConfig) -> engine::Result<()> {
        config.hostname = self.hostname.as_deref().map(config::parse_hostname).transpose()?;
        config.network = self.network.as_deref().map_or(Ok(Network::default()), Network::parse)?;
        Ok(())
    }
}
