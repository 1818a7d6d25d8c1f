//! `phial network create`.

use std::process::ExitCode;

use clap::Args;
use engine::NetworkConfig;
use engine::config::parse_label;

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  phial network create web
  phial network create --subnet 10.9.0.0/16 --gateway 10.9.0.1 --ip-range 10.9.5.0/24 web
  phial network create --internal --label stage=test db      nothing outside can be reached
  phial network create -o com.docker.network.bridge.enable_icc=false apart
  phial network create -d macvlan -o parent=eth0 --subnet 192.168.1.0/24 --gateway 192.168.1.1 lan";

/// What `phial network create` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own, which is there or not")]
pub(crate) struct Create {
    /// Docker's; containers can always be connected by hand
    #[arg(long, hide = true)]
    attachable: bool,
    /// An address that is somebody else's
    #[arg(long, value_name = "NAME=ADDRESS")]
    aux_address: Vec<String>,
    /// Docker's, for swarms
    #[arg(long, value_name = "NETWORK", hide = true)]
    config_from: Option<String>,
    /// Docker's, for swarms
    #[arg(long, hide = true)]
    config_only: bool,
    /// How containers are connected: bridge, macvlan or ipvlan
    #[arg(short, long, default_value = "bridge")]
    driver: String,
    /// The way out of a subnet
    #[arg(long, value_name = "ADDRESS")]
    gateway: Vec<String>,
    /// Docker's, for swarms
    #[arg(long, hide = true)]
    ingress: bool,
    /// Let nothing outside be reached
    #[arg(long)]
    internal: bool,
    /// The part of a subnet that containers get addresses from
    #[arg(long, value_name = "SUBNET")]
    ip_range: Vec<String>,
    /// Docker's, for plugins
    #[arg(long, value_name = "DRIVER", hide = true, default_value = "default")]
    ipam_driver: String,
    /// Docker's, for plugins
    #[arg(long, value_name = "KEY=VALUE", hide = true)]
    ipam_opt: Vec<String>,
    /// Whether there are addresses of IPv4
    #[arg(long, value_name = "BOOL")]
    ipv4: Option<bool>,
    /// Whether there are addresses of IPv6: of a bridge there are, if the host has any
    #[arg(long, value_name = "BOOL")]
    ipv6: Option<bool>,
    /// Set a label
    #[arg(long, value_name = "NAME[=VALUE]")]
    label: Vec<String>,
    /// Set an option of the driver
    #[arg(short, long, value_name = "KEY=VALUE")]
    opt: Vec<String>,
    /// Docker's, for swarms
    #[arg(long, hide = true, default_value = "local")]
    scope: String,
    /// Its addresses, one subnet of IPv4 and one of IPv6; free ones otherwise
    #[arg(long, value_name = "SUBNET")]
    subnet: Vec<String>,
    /// The network's name
    #[arg(value_name = "NAME")]
    name: String,
}

impl Execute for Create {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let name = self.name.clone();
        let doing = || format!("create network {name}");
        self.refuse().cannot(doing)?;
        let labels = self.label.iter().map(|text| parse_label(text)).collect::<engine::Result<_>>().cannot(doing)?;
        let pair = |text: &String| {
            let (key, value) = text.split_once('=').unwrap_or((text, ""));
            (key.to_owned(), value.to_owned())
        };
        let config = NetworkConfig {
            name: self.name,
            driver: Some(self.driver),
            internal: self.internal,
            ipv4: self.ipv4,
            ipv6: self.ipv6,
            subnets: parts(&self.subnet),
            ranges: parts(&self.ip_range),
            gateways: parts(&self.gateway),
            aux: self.aux_address,
            options: self.opt.iter().map(pair).collect(),
            labels,
        };
        let network = context.engine()?.create_network(&config).cannot(doing)?;
        output::print_line(&network.id)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Create {
    /// Docker's flags for clusters and plugins, by name.
    fn refuse(&self) -> engine::Result<()> {
        let swarm = "it is for networks of several hosts, and there is no swarm";
        let plugin = "addresses are given by the engine itself, and there are no plugins";
        let refused = [
            ("--config-from", self.config_from.is_some(), swarm),
            ("--config-only", self.config_only, swarm),
            ("--ingress", self.ingress, swarm),
            ("--scope", self.scope != "local", swarm),
            ("--ipam-driver", !matches!(self.ipam_driver.as_str(), "default" | ""), plugin),
            ("--ipam-opt", !self.ipam_opt.is_empty(), plugin),
        ];
        match refused.into_iter().find(|(_, given, _)| *given) {
            Some((flag, _, why)) => Err(engine::Error::of_flag(format!("{flag} is not supported: {why}"))),
            None => Ok(()),
        }
    }
}

/// As docker: several in one value, separated by commas.
fn parts(values: &[String]) -> Vec<String> {
    values.iter().flat_map(|value| value.split(',')).map(str::to_owned).collect()
}
