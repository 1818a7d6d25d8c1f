//! Bridges (`net/bridge/br_input.c`, `br_forward.c`), with their own hooks, and those of IP where the host wants bridged packets
//! to pass them (`br_netfilter_hooks.c`).

use crate::link::{Link, RouteKind};
use crate::nft::Hook;

use super::super::evaluate::Hooked;
use super::super::hook::Layer;
use super::super::packet::Packet;
use super::super::space::Space;
use super::super::step::{End, Kind};
use super::neighbour::Found;
use super::{Walk, dropped, unreachable};

impl Walk<'_> {
    /// A frame arrives at a port.
    pub(super) fn bridge_receives(
        &mut self,
        number: usize,
        port: &Link,
        bridge: &Link,
        packet: &mut Packet,
    ) -> Result<End, Box<End>> {
        let space = self.space(number)?;
        if !bridge.up {
            return Err(dropped(space, format!("is dropped: the bridge {} is down", bridge.name), None));
        }
        if !space.detail(port.index).forwards {
            return Err(dropped(
                space,
                format!("is dropped: {} as a port of {} does not forward", port.name, bridge.name),
                None,
            ));
        }
        self.bridge_hook(number, Hook::Prerouting, Some(port), None, packet)?;
        let calls_ip = space.bridge_calls_ip(bridge.index, packet.is_ipv4());
        packet.input = Some(space.device(bridge.index));
        if calls_ip {
            packet.input_port = Some(space.device(port.index));
            let before = packet.flow.destination;
            self.hook(number, Hook::Prerouting, packet)?;
            if packet.flow.destination != before {
                self.redirect_in_bridge(number, bridge, packet)?;
            }
        }
        let Some((_, to)) = packet.hardware else { return Err(unreachable(space, "a frame has no hardware address")) };
        let is_own = bridge.mac == Some(to) || space.ports(bridge.index).any(|own| own.mac == Some(to));
        if is_own {
            self.step(
                space,
                Kind::Bridge,
                format!("the bridge {} takes it for {}", bridge.name, space.place.name),
                packet,
            );
            self.bridge_hook(number, Hook::Input, Some(port), None, packet)?;
            packet.input = Some(space.device(bridge.index));
            return Ok(self.arrive(number, packet, calls_ip));
        }
        let Some(out) = self.port_towards(number, bridge, Some(port), to) else {
            return Err(dropped(space, format!("is dropped: no port of {} leads to {to}", bridge.name), None));
        };
        self.bridge_forwards(number, port, bridge, &out, packet)
    }

    /// A packet whose destination was translated in a bridge: where it goes now.
    fn redirect_in_bridge(&mut self, number: usize, bridge: &Link, packet: &mut Packet) -> Result<(), Box<End>> {
        let space = self.space(number)?;
        let Some((from, _)) = packet.hardware else { return Ok(()) };
        let route = space.route(packet.flow.way(Some(bridge.index), packet.mark));
        let on_bridge = route.is_ok_and(|route| route.kind == RouteKind::Unicast && route.link == Some(bridge.index));
        if on_bridge {
            return match self.neighbour(number, bridge, packet.flow.destination) {
                Found::Here(mac) => {
                    packet.hardware = Some((from, mac));
                    Ok(())
                }
                Found::Outside => Ok(()),
                Found::Nobody(why) => Err(unreachable(space, why)),
            };
        }
        packet.hardware = bridge.mac.map(|own| (from, own));
        Ok(())
    }

    /// A frame goes from port to port.
    fn bridge_forwards(
        &mut self,
        number: usize,
        port: &Link,
        bridge: &Link,
        out: &Link,
        packet: &mut Packet,
    ) -> Result<End, Box<End>> {
        let space = self.space(number)?;
        let (from, to) = (space.detail(port.index), space.detail(out.index));
        self.step(
            space,
            Kind::Bridge,
            format!("the bridge {} takes it from {} to {}", bridge.name, port.name, out.name),
            packet,
        );
        if port.index == out.index && !from.hairpin {
            let hint = format!("`bridge link set dev {} hairpin on` lets it go back", port.name);
            return Err(dropped(
                space,
                format!("is dropped: {} gets nothing back that came in by it", port.name),
                Some(hint),
            ));
        }
        if from.isolated && to.isolated {
            let reason = format!(
                "is dropped by the bridge {}: {} and {} are isolated from each other",
                bridge.name, port.name, out.name
            );
            return Err(dropped(space, reason, Some("the network was created with ICC off".to_owned())));
        }
        if !to.forwards {
            return Err(dropped(
                space,
                format!("is dropped: {} as a port of {} does not forward", out.name, bridge.name),
                None,
            ));
        }
        let calls_ip = space.bridge_calls_ip(bridge.index, packet.is_ipv4());
        self.bridge_hook(number, Hook::Forward, Some(port), Some(out), packet)?;
        if calls_ip {
            self.ip_in_bridge(space, bridge, Some(port), out, packet);
            self.hook(number, Hook::Forward, packet)?;
        }
        self.bridge_hook(number, Hook::Postrouting, None, Some(out), packet)?;
        if calls_ip {
            self.ip_in_bridge(space, bridge, None, out, packet);
            self.hook(number, Hook::Postrouting, packet)?;
        }
        self.transmit(number, out, packet)
    }

    /// What the host sends by its bridge.
    pub(super) fn bridge_sends(&mut self, number: usize, bridge: &Link, packet: &mut Packet) -> Result<End, Box<End>> {
        let space = self.space(number)?;
        self.egress(number, &bridge.name, packet)?;
        let Some((_, to)) = packet.hardware else { return Err(unreachable(space, "a frame has no hardware address")) };
        let Some(out) = self.port_towards(number, bridge, None, to) else {
            return Err(dropped(space, format!("is dropped: no port of {} leads to {to}", bridge.name), None));
        };
        self.step(space, Kind::Bridge, format!("the bridge {} gives it to {}", bridge.name, out.name), packet);
        let detail = space.detail(out.index);
        if !detail.forwards {
            return Err(dropped(
                space,
                format!("is dropped: {} as a port of {} does not forward", out.name, bridge.name),
                None,
            ));
        }
        self.bridge_hook(number, Hook::Output, None, Some(&out), packet)?;
        self.bridge_hook(number, Hook::Postrouting, None, Some(&out), packet)?;
        self.transmit(number, &out, packet)
    }

    /// How rules of IP see a bridged packet: by the bridge, and the ports besides.
    fn ip_in_bridge(&self, space: &Space, bridge: &Link, port: Option<&Link>, out: &Link, packet: &mut Packet) {
        let _ = self;
        packet.input = port.map(|_| space.device(bridge.index));
        packet.output = Some(space.device(bridge.index));
        packet.output_port = Some(space.device(out.index));
    }

    /// Lets rules of bridges see a frame, with the ports as interfaces.
    fn bridge_hook(
        &mut self,
        number: usize,
        hook: Hook,
        input: Option<&Link>,
        output: Option<&Link>,
        packet: &mut Packet,
    ) -> Result<(), Box<End>> {
        let space = self.space(number)?;
        let name =
            |port: Option<&Link>| port.and_then(|port| space.link(port.master?)).map(|bridge| bridge.name.as_str());
        let hooked = Hooked { hook, in_bridge: true, input_bridge: name(input), output_bridge: name(output) };
        let kept = (packet.input.take(), packet.output.take());
        packet.input = input.map(|port| space.device(port.index));
        packet.output = output.map(|port| space.device(port.index));
        let passed = self.rules(number, Layer::Bridge, &hooked, packet);
        (packet.input, packet.output) = kept;
        passed.map(|_| ())
    }
}
