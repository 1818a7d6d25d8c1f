//! Matches on interfaces, hardware addresses and routes: `addrtype`, `rpfilter`, `physdev`, `mac`, `pkttype`, `devgroup`,
//! `policy`.

use super::super::evaluate::{Judgement, Surroundings};
use super::super::packet::{Device, Packet};
use super::info::Info;

/// `-m addrtype`: both revisions begin with the types that are wanted, one bit each.
pub(super) fn addrtype(revision: u32, info: Info<'_>, packet: &Packet, around: &dyn Surroundings) -> Option<Judgement> {
    let (source, destination) = (info.u16(0)?, info.u16(2)?);
    let (invert_source, invert_destination, device) = match revision {
        0 => (info.u32(4)? != 0, info.u32(8)? != 0, None),
        1 => {
            let flags = info.u32(4)?;
            let device = match flags & 0xc {
                0x4 => packet.input.as_ref(),
                0x8 => packet.output.as_ref(),
                _ => None,
            };
            (flags & 1 != 0, flags & 2 != 0, device)
        }
        _ => return None,
    };
    let is = |wanted: u16, inverted: bool, address| {
        wanted == 0 || (1 << around.address_type(address, device) & u32::from(wanted) != 0) != inverted
    };
    Some(Judgement::of(
        is(source, invert_source, packet.flow.source) && is(destination, invert_destination, packet.flow.destination),
    ))
}

/// `-m rpfilter`: whether answers would leave by the interface that the packet came in by.
pub(super) fn rpfilter(info: Info<'_>, packet: &Packet, around: &dyn Surroundings) -> Option<Judgement> {
    let flags = info.u8(0)?;
    let (loose, with_mark, inverted) = (flags & 1 != 0, flags & 2 != 0, flags & 8 != 0);
    let Some(input) = packet.input.as_ref() else { return Some(Judgement::of(!inverted)) };
    if input.name == "lo" {
        return Some(Judgement::of(!inverted));
    }
    let mark = if with_mark { packet.mark } else { 0 };
    let back = around.way(packet.flow.source, mark);
    Some(Judgement::of(back.is_some_and(|device| loose || device.index == input.index) != inverted))
}

/// `-m physdev` (`net/netfilter/xt_physdev.c`): without a port of a bridge, only what is inverted matches.
pub(super) fn physdev(info: Info<'_>, packet: &Packet) -> Option<Judgement> {
    const IN: u8 = 1;
    const OUT: u8 = 2;
    const BRIDGED: u8 = 4;
    const IS_IN: u8 = 8;
    const IS_OUT: u8 = 16;
    let (inverted, asked) = (info.u8(64)?, info.u8(65)?);
    let holds = |option: u8, is: bool| asked & option == 0 || is != (inverted & option != 0);
    let (input, output) = (packet.input_port.as_ref(), packet.output_port.as_ref());
    if input.is_none() && output.is_none() {
        return Some(Judgement::of([IN, OUT, BRIDGED, IS_IN, IS_OUT].into_iter().all(|option| holds(option, false))));
    }
    let same = |device: &Device, at: usize| Some(matches_name(&device.name, info.bytes(at)?, info.bytes(at + 16)?));
    let in_holds = match input {
        Some(device) => holds(IN, same(device, 0)?),
        None => true,
    };
    let out_holds = match output {
        Some(device) => holds(OUT, same(device, 32)?),
        None => holds(OUT, true),
    };
    let all = holds(BRIDGED, output.is_some())
        && holds(IS_IN, input.is_some())
        && holds(IS_OUT, output.is_some())
        && in_holds
        && out_holds;
    Some(Judgement::of(all))
}

/// Whether a name is the wanted one, as far as the mask says.
fn matches_name(name: &str, wanted: [u8; 16], mask: [u8; 16]) -> bool {
    let own = name.bytes().chain(std::iter::repeat(0));
    own.zip(wanted).zip(mask).all(|((own, wanted), mask)| (own ^ wanted) & mask == 0)
}

/// `-m mac`: of what came in on Ethernet.
pub(super) fn mac(info: Info<'_>, packet: &Packet) -> Option<Judgement> {
    let (wanted, inverted): ([u8; 6], _) = (info.bytes(0)?, info.u32(8)? != 0);
    let Some((from, _)) = packet.hardware.filter(|_| packet.input.is_some()) else { return Some(Judgement::No) };
    Some(Judgement::of((from.0 == wanted) != inverted))
}

/// `-m pkttype`: traced packets are for one host.
pub(super) fn pkttype(info: Info<'_>) -> Option<Judgement> {
    let (wanted, inverted) = (info.u32(0)?, info.u32(4)? != 0);
    Some(Judgement::of((wanted == 0) != inverted))
}

/// `-m devgroup`.
pub(super) fn devgroup(info: Info<'_>, packet: &Packet) -> Option<Judgement> {
    let flags = info.u32(0)?;
    let holds = |asked: u32, invert: u32, device: Option<&Device>, at: usize| {
        let (wanted, mask) = (info.u32(at)?, info.u32(at + 4)?);
        let group = device.map_or(0, |device| device.group);
        Some(flags & asked == 0 || (group & mask == wanted) != (flags & invert != 0))
    };
    let (source, destination) = (holds(1, 2, packet.input.as_ref(), 4)?, holds(4, 8, packet.output.as_ref(), 12)?);
    Some(Judgement::of(source && destination))
}

/// `-m policy`: nothing that is traced goes by `IPsec`.
pub(super) fn policy(info: Info<'_>) -> Option<Judgement> {
    /// Behind four of `struct xt_policy_elem`.
    const FLAGS: usize = 4 * 76;
    const NONE: u16 = 4;
    Some(Judgement::of(info.u16(FLAGS)? & NONE != 0))
}
