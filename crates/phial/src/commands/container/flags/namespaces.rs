//! Which namespaces a container has of its own, and what it and others are called in them.

use clap::Args;
use engine::config::{self, ContainerConfig, Dns, ExtraHost, Ipc, Sharing, names, namespace};

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Flags {
    /// Add a name to /etc/hosts
    #[arg(long, value_name = "NAME:ADDRESS")]
    add_host: Vec<String>,
    /// Whose cgroup namespace: private or host
    #[arg(long, value_name = "WHOSE")]
    cgroupns: Option<String>,
    /// Ask this server for names
    #[arg(long, value_name = "ADDRESS")]
    dns: Vec<String>,
    /// Set an option of the resolver
    #[arg(long, value_name = "OPTION", visible_alias = "dns-opt")]
    dns_option: Vec<String>,
    /// Look names up in this domain; . for none
    #[arg(long, value_name = "DOMAIN")]
    dns_search: Vec<String>,
    /// The container's NIS domain name
    #[arg(long, value_name = "NAME")]
    domainname: Option<String>,
    /// Note a port that the container listens on
    #[arg(long, value_name = "PORT[-PORT][/PROTOCOL]")]
    expose: Vec<String>,
    /// The container's host name
    #[arg(short = 'h', long, value_name = "NAME")]
    hostname: Option<String>,
    /// Whose shared memory: private, none, shareable, host or container:NAME
    #[arg(long, value_name = "WHOSE")]
    ipc: Option<String>,
    /// Whose processes are seen: host or container:NAME
    #[arg(long, value_name = "WHOSE")]
    pid: Option<String>,
    /// Whose user ids: host
    #[arg(long, value_name = "WHOSE")]
    userns: Option<String>,
    /// Whose host name: host
    #[arg(long, value_name = "WHOSE")]
    uts: Option<String>,
}

impl Flags {
    pub(super) fn apply(self, config: &mut ContainerConfig) -> engine::Result<()> {
        config.hostname = self.hostname.as_deref().map(config::parse_hostname).transpose()?;
        config.domainname = self.domainname.as_deref().map(names::parse_domainname).transpose()?;
        config.pid = self.pid.as_deref().map_or(Ok(Sharing::Own), Sharing::parse_pid)?;
        config.ipc = self.ipc.as_deref().map_or(Ok(Ipc::Private), Ipc::parse)?;
        config.uts = self.uts.as_deref().map_or(Ok(Sharing::Own), Sharing::parse_uts)?;
        config.cgroup_namespace = self.cgroupns.as_deref().map_or(Ok(Sharing::Own), Sharing::parse_cgroup)?;
        config.userns_host = self.userns.as_deref().map_or(Ok(false), namespace::parse_userns)?;
        config.extra_hosts = self.add_host.iter().map(|text| ExtraHost::parse(text)).collect::<engine::Result<_>>()?;
        config.dns = Dns {
            servers: self.dns.iter().map(|text| names::parse_dns(text)).collect::<engine::Result<_>>()?,
            search: self.dns_search.iter().map(|text| names::parse_dns_search(text)).collect::<engine::Result<_>>()?,
            options: self.dns_option.iter().map(|text| names::parse_dns_option(text)).collect::<engine::Result<_>>()?,
        };
        let ports = self.expose.iter().map(|text| names::parse_expose(text));
        config.exposed_ports = ports.collect::<engine::Result<Vec<_>>>()?.concat();
        config.check_namespaces()
    }
}
