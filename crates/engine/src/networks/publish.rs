//! `-p` and `-P`: which ports of the host a container that is about to start wants.

use std::net::IpAddr;

use image::ImageConfig;
use net::port::Wanted;

use crate::config::{ContainerConfig, PortMapping};
use crate::containers::create::Created;
use crate::engine::Engine;
use crate::error::Result;
use crate::inspect::exposed_ports;

impl Engine {
    /// Which ports of the host are wanted.
    pub(super) fn ports(&self, created: &Created) -> Result<Vec<Wanted>> {
        let config = &created.config;
        let mut wanted: Vec<Wanted> = config.ports.iter().flat_map(wanted).collect();
        if config.publish_all {
            let image = ImageConfig::parse(&self.store().blob(&created.record.image)?)?.config;
            let exposed = exposed_ports(config, &image).into_iter().filter_map(|text| PortMapping::parse(&text).ok());
            for mapping in exposed.filter(|exposed| !is_mapped(config, exposed)) {
                wanted.extend(self::wanted(&mapping));
            }
        }
        Ok(wanted)
    }
}

/// The ports of the host that a value of `-p` asks for.
fn wanted(mapping: &PortMapping) -> Vec<Wanted> {
    let hosts: Vec<IpAddr> = mapping.host.into_iter().collect();
    let one = |port| {
        let host_ports = mapping.host_ports_of(port).map(|(first, last)| first..=last);
        Wanted { protocol: mapping.protocol, hosts: hosts.clone(), host_ports, port }
    };
    mapping.container_ports().map(one).collect()
}

fn is_mapped(config: &ContainerConfig, exposed: &PortMapping) -> bool {
    let covers = |mapping: &PortMapping| {
        mapping.protocol == exposed.protocol && mapping.ports.0 <= exposed.ports.0 && exposed.ports.1 <= mapping.ports.1
    };
    config.ports.iter().any(covers)
}
