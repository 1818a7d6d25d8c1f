//! `phial network connect`.

use std::process::ExitCode;

use clap::Args;
use engine::ConnectOptions;
use engine::config::{Connection, Link, network};

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Result};

const EXAMPLES: &str = "\
Examples:
  phial network connect web app
  phial network connect --alias db --ip 10.9.0.5 web database";

/// What `phial network connect` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Connect {
    /// One more name for the container on the network
    #[arg(long, value_name = "NAME")]
    alias: Vec<String>,
    /// Set an option of the connection
    #[arg(long, value_name = "KEY=VALUE")]
    driver_opt: Vec<String>,
    /// The network with the highest is the way out; 0 otherwise
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true, default_value_t = 0)]
    gw_priority: i32,
    /// The container's address of IPv4 on the network
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<String>,
    /// The container's address of IPv6 on the network
    #[arg(long, value_name = "ADDRESS")]
    ip6: Option<String>,
    /// Give another container a name in this one
    #[arg(long, value_name = "CONTAINER[:ALIAS]")]
    link: Vec<String>,
    /// Docker's; the kernel chooses such addresses
    #[arg(long, value_name = "ADDRESS", hide = true)]
    link_local_ip: Vec<String>,
    /// The container's hardware address on the network
    #[arg(long, value_name = "ADDRESS")]
    mac_address: Option<String>,
    /// Name or id of a network
    #[arg(value_name = "NETWORK")]
    network: String,
    /// Name or id of a container
    #[arg(value_name = "CONTAINER")]
    container: String,
}

impl Execute for Connect {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let doing = || format!("connect {} to network {}", self.container, self.network);
        let options = ConnectOptions { connection: self.connection().cannot(doing)? };
        let engine = context.engine()?;
        let connected = engine
            .container(&self.container)
            .and_then(|container| engine.connect_network(&self.network, &container, &options));
        connected.cannot(doing)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Connect {
    fn connection(&self) -> engine::Result<Connection> {
        if let Some(address) = self.link_local_ip.first() {
            return Err(network::link_local(&format!("--link-local-ip {address}")));
        }
        let mut connection = Connection {
            aliases: self.alias.iter().map(|text| network::parse_alias(text)).collect::<engine::Result<_>>()?,
            ipv4: self.ip.as_deref().map(network::parse_ip).transpose()?,
            ipv6: self.ip6.as_deref().map(network::parse_ip6).transpose()?,
            mac: self.mac_address.as_deref().map(network::parse_mac).transpose()?,
            gateway_priority: self.gw_priority,
            links: self.link.iter().map(|text| Link::parse(text)).collect::<engine::Result<_>>()?,
            ..Connection::to(self.network.clone())
        };
        self.driver_opt.iter().try_for_each(|text| connection.add_option("--driver-opt", text))?;
        Ok(connection)
    }
}
