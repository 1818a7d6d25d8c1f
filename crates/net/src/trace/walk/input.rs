//! What arrives from a link: rules of the device, a bridge, routes, and then either a socket or another link.

use rustix::io::Errno;

use crate::link::{Link, RouteKind, Way};
use crate::nft::Hook;

use super::super::evaluate::Hooked;
use super::super::hook::Layer;
use super::super::packet::{Packet, Transport};
use super::super::space::Space;
use super::super::step::{End, Kind};
use super::output::{refused_by_route, way_words};
use super::{Walk, dropped, unreachable, unreachable_with_hint};

impl Walk<'_> {
    /// A frame arrives at a link.
    pub(super) fn receive(&mut self, number: usize, link: u32, packet: &mut Packet) -> End {
        self.try_receive(number, link, packet).unwrap_or_else(|end| *end)
    }

    fn try_receive(&mut self, number: usize, index: u32, packet: &mut Packet) -> Result<End, Box<End>> {
        let space = self.space(number)?;
        let Some(link) = space.link(index) else { return Err(unreachable(space, "a link is gone")) };
        if !link.up {
            return Err(dropped(space, format!("is dropped: the link {} is down", link.name), None));
        }
        packet.input = Some(space.device(index));
        if space.detail(index).xdp {
            self.uncertain = true;
            let text = format!("cannot be told: a program (XDP) on {} sees the packet first", link.name);
            self.step(space, Kind::Link, text, packet);
        }
        self.rules(number, Layer::Device(&link.name), &Hooked::ip(Hook::Ingress), packet)?;
        let master = link.master.and_then(|master| space.link(master));
        match master.map(|master| (master, master.kind.as_deref())) {
            Some((bridge, Some("bridge"))) => self.bridge_receives(number, link, bridge, packet),
            Some((master, Some("bond" | "team"))) => {
                packet.input = Some(space.device(master.index));
                Ok(self.arrive(number, packet, false))
            }
            _ => Ok(self.arrive(number, packet, false)),
        }
    }

    /// A packet of IP arrives; `seen` says that the first hook has had it, in a bridge.
    pub(super) fn arrive(&mut self, number: usize, packet: &mut Packet, seen: bool) -> End {
        self.try_arrive(number, packet, seen).unwrap_or_else(|end| *end)
    }

    fn try_arrive(&mut self, number: usize, packet: &mut Packet, seen: bool) -> Result<End, Box<End>> {
        let space = self.space(number)?;
        packet.local = false;
        if !seen {
            self.hook(number, Hook::Prerouting, packet)?;
        }
        let input = packet.input.as_ref().map(|device| device.index);
        let own = packet.input.as_ref().is_some_and(|device| device.name == "lo");
        // What comes back by `lo` was routed when it was sent.
        let route = if own {
            space.route(Way::to(packet.flow.destination))
        } else {
            space.route(packet.flow.way(input, packet.mark))
        };
        let route = route.map_err(|errno| Self::no_route(space, errno, packet))?;
        refused_by_route(space, &route, packet)?;
        if matches!(route.kind, RouteKind::Local | RouteKind::Broadcast | RouteKind::Multicast) || own {
            self.step(
                space,
                Kind::Route,
                format!("{} is {} itself", packet.flow.destination, space.place.name),
                packet,
            );
            self.hook(number, Hook::Input, packet)?;
            return self.deliver(space, packet);
        }
        let forwards = if packet.is_ipv4() { space.settings.forwards_ipv4 } else { space.settings.forwards_ipv6 };
        if !forwards {
            return Err(not_forwarding(space, packet));
        }
        packet.output = route.link.map(|link| space.device(link));
        self.step(space, Kind::Route, format!("goes on {}", way_words(space, &route, packet)), packet);
        packet.hops = packet.hops.saturating_sub(1);
        self.hook(number, Hook::Forward, packet)?;
        self.leave(number, route, packet)
    }

    /// Why the kernel knows no way for what came in.
    fn no_route(space: &Space, errno: Errno, packet: &Packet) -> Box<End> {
        let flow = packet.flow;
        let link = packet.input.as_ref().map(|device| device.name.clone()).unwrap_or_default();
        let back =
            space.route(Way::to(flow.source)).ok().and_then(|route| route.link).map(|link| space.device(link).name);
        let filter = space.reverse_path_filter(&link);
        let is_filtered = packet.is_ipv4()
            && !flow.source.is_loopback()
            && match filter {
                0 => false,
                1 => back.as_deref() != Some(link.as_str()),
                _ => back.is_none(),
            };
        match errno {
            // Newer kernels say the same of both.
            Errno::XDEV | Errno::INVAL if is_filtered => dropped(
                space,
                format!("is dropped by the reverse path filter: answers to {} would not leave by {link}", flow.source),
                Some(format!(
                    "`sysctl net.ipv4.conf.{link}.rp_filter=2` lets it pass; better is a route back by {link}"
                )),
            ),
            Errno::INVAL => {
                let hint = if flow.destination.is_loopback() {
                    format!("`sysctl net.ipv4.conf.{link}.route_localnet=1` lets it pass")
                } else {
                    match back {
                        Some(back) => format!("the way back to {} is by {back}", flow.source),
                        None => format!("there is no way back to {}", flow.source),
                    }
                };
                let reason =
                    format!("is dropped as martian: {} → {} cannot come in by {link}", flow.source, flow.destination);
                dropped(space, reason, Some(hint))
            }
            Errno::HOSTUNREACH if packet.is_ipv4() && !space.settings.forwards_ipv4 => not_forwarding(space, packet),
            Errno::NETUNREACH | Errno::HOSTUNREACH => unreachable_with_hint(
                space,
                format!("there is no route to {}", flow.destination),
                "an internal network has no way out; otherwise a route is missing (`ip route`)",
            ),
            Errno::ACCESS => unreachable(space, format!("the route to {} says prohibited", flow.destination)),
            errno => unreachable(space, format!("no way to {}: {}", flow.destination, std::io::Error::from(errno))),
        }
    }

    /// The packet has arrived: somebody listens, or nobody.
    fn deliver(&mut self, space: &Space, packet: &Packet) -> Result<End, Box<End>> {
        let namespace = space.place.name.clone();
        let flow = packet.flow;
        if packet.answer {
            self.step(space, Kind::Socket, format!("the socket that has asked gets the answer: {flow}"), packet);
            return Ok(End::Delivered { namespace, process: None });
        }
        if flow.protocol == Transport::Icmp {
            let silent = if packet.is_ipv4() { space.settings.silent_ipv4 } else { space.settings.silent_ipv6 };
            if silent {
                let hint = Some("net.ipv4.icmp_echo_ignore_all is on".to_owned());
                return Err(dropped(space, "is not answered: this namespace ignores pings", hint));
            }
            self.step(space, Kind::Socket, "the kernel itself answers the ping", packet);
            return Ok(End::Delivered { namespace, process: None });
        }
        let Some(listener) = space.listener(flow, packet.input.as_ref()) else {
            let reason =
                format!("nobody listens on {} {}:{}", flow.protocol.name(), flow.destination, flow.destination_port);
            self.step(space, Kind::Socket, &reason, packet);
            return Err(Box::new(End::Refused { namespace, reason }));
        };
        let process = listener.process().map(|(pid, name)| format!("{name} ({pid})"));
        let who = process.clone().unwrap_or_else(|| "a socket".to_owned());
        let text = format!("{who} listens on {} {}:{}", flow.protocol.name(), listener.address, listener.port);
        self.step(space, Kind::Socket, text, packet);
        Ok(End::Delivered { namespace, process })
    }

    /// The link of a macvlan that a frame is for: one on the same link below.
    pub(super) fn macvlan_target(&mut self, number: usize, link: &Link, packet: &Packet) -> Option<(usize, u32)> {
        if link.kind.as_deref() != Some("macvlan") {
            return None;
        }
        let (_, to) = packet.hardware?;
        self.macvlan_siblings(number, link)
            .into_iter()
            .find(|(_, _, mac)| *mac == Some(to))
            .map(|(at, link, _)| (at, link))
    }
}

fn not_forwarding(space: &Space, packet: &Packet) -> Box<End> {
    let (family, key) =
        if packet.is_ipv4() { ("IPv4", "net.ipv4.ip_forward") } else { ("IPv6", "net.ipv6.conf.all.forwarding") };
    dropped(
        space,
        format!(
            "is dropped: {} does not forward {family}, and {} is not its own",
            space.place.name, packet.flow.destination
        ),
        Some(format!("`sysctl {key}=1` lets it forward")),
    )
}
