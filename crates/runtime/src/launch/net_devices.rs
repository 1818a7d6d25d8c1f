//! Network devices of the host that become a container's (runtime-spec `config-linux.md`, "Network Devices"). Parent's side.
//!
//! A device loses its addresses when it changes its network namespace, so they are read before and given again after.

/// Messages of rtnetlink.
mod netlink;

use std::fs::File;
use std::os::fd::AsFd;

use rustix::io::Errno;
use rustix::process::Pid;

use super::spaces::join;
use crate::error::{Error, Result};
use crate::plan::NetDevice;
use netlink::{Address, Rtnetlink};

/// Moves them into the network namespace of a process, and brings them up there.
pub(super) fn give(devices: &[NetDevice], to: Pid) -> Result<()> {
    let path = format!("/proc/{}/ns/net", to.as_raw_nonzero());
    let namespace = File::open(&path).map_err(|error| Error::system(&path, error))?;
    let mut host = Rtnetlink::open().map_err(|errno| Error::system("rtnetlink", errno))?;
    let mut container = inside(&namespace).map_err(|errno| Error::system("rtnetlink in the container", errno))?;
    devices.iter().try_for_each(|device| give_one(device, &namespace, &mut host, &mut container))
}

/// A socket stays in the namespace it was made in.
fn inside(namespace: &File) -> rustix::io::Result<Rtnetlink> {
    let own = File::open("/proc/self/ns/net").map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::NOENT))?;
    join(namespace.as_fd())?;
    let socket = Rtnetlink::open();
    join(own.as_fd())?;
    socket
}

fn give_one(device: &NetDevice, namespace: &File, host: &mut Rtnetlink, container: &mut Rtnetlink) -> Result<()> {
    let failed = |what: &'static str| move |errno| failed(device, what, errno);
    let index = host.index(&device.name).map_err(failed("find it"))?;
    let addresses = host.addresses(index).map_err(failed("read its addresses"))?;
    host.move_link(index, namespace.as_fd(), &device.new_name).map_err(failed("move it"))?;
    // The number may be taken there.
    let index = container.index(&device.new_name).map_err(failed("find it in the container"))?;
    for address in addresses.iter().filter(|address| is_kept(address)) {
        container.add_address(index, address).map_err(failed("give it its addresses"))?;
    }
    container.bring_up(index).map_err(failed("bring it up"))
}

/// Addresses that somebody has given it for good. Others were learnt where it was.
fn is_kept(address: &Address) -> bool {
    address.permanent && address.scope == netlink::EVERYWHERE
}

fn failed(device: &NetDevice, what: &str, errno: Errno) -> Error {
    let error = Error::system(format!("linux.netDevices {device}: {what}"), errno);
    match errno {
        Errno::NODEV => error.with_hint("the host has no network device of that name"),
        Errno::EXIST => error.with_hint("the container has a network device of that name already"),
        Errno::INVAL => error.with_hint("this kind of device cannot leave its network namespace"),
        Errno::PERM => error.with_hint("moving a device needs CAP_NET_ADMIN in both network namespaces"),
        _ => error,
    }
}
