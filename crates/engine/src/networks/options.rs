//! What `--driver` and `--opt` of a network say. Pure.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use net::Driver;
use net::network::{IpvlanMode, MacvlanMode};

use crate::config::network::is_interface;
use crate::error::{Error, Result};
use notation::similar;

/// The bridge is not the one of all who name no network.
pub(super) const DEFAULT_BRIDGE: &str = "com.docker.network.bridge.default_bridge";
pub(super) const ENABLE_ICC: &str = "com.docker.network.bridge.enable_icc";
pub(super) const ENABLE_MASQUERADE: &str = "com.docker.network.bridge.enable_ip_masquerade";
pub(super) const HOST_BINDING: &str = "com.docker.network.bridge.host_binding_ipv4";
pub(super) const BRIDGE_NAME: &str = "com.docker.network.bridge.name";
pub(super) const MTU: &str = "com.docker.network.driver.mtu";
const GATEWAY_MODES: [&str; 2] =
    ["com.docker.network.bridge.gateway_mode_ipv4", "com.docker.network.bridge.gateway_mode_ipv6"];
const INHIBIT_IPV4: &str = "com.docker.network.bridge.inhibit_ipv4";
const INTERFACE_PREFIX: &str = "com.docker.network.container_iface_prefix";

/// Smallest packet that IPv4 has to carry (RFC 791), and IPv6 (RFC 8200, 5).
const SMALLEST_MTU: (u32, u32) = (68, 1280);
const LARGEST_MTU: u32 = 65535;

/// Of a bridge, also by the short names that docker takes.
const OF_BRIDGE: [&str; 9] = [
    ENABLE_ICC,
    ENABLE_MASQUERADE,
    HOST_BINDING,
    BRIDGE_NAME,
    MTU,
    GATEWAY_MODES[0],
    GATEWAY_MODES[1],
    INHIBIT_IPV4,
    INTERFACE_PREFIX,
];

/// What the options say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) driver: Driver,
    /// The bridge, if it is named; the parent of the other drivers.
    pub(super) link: Option<String>,
    pub(super) icc: bool,
    pub(super) masquerade: bool,
    pub(super) mtu: Option<u32>,
    pub(super) host_binding: Option<IpAddr>,
}

/// Reads driver and options. `ipv6` is whether the network has addresses of IPv6.
///
/// # Errors
/// `Invalid` for an unknown option and a value that is none; `Unsupported` for other drivers, and for what this one lacks.
pub(super) fn settings(driver: Option<&str>, options: &BTreeMap<String, String>, ipv6: bool) -> Result<Settings> {
    let mut settings = Settings {
        driver: Driver::Bridge,
        link: None,
        icc: true,
        masquerade: true,
        mtu: mtu(options, ipv6)?,
        host_binding: None,
    };
    match driver.unwrap_or("bridge") {
        "bridge" => settings.bridge(options)?,
        "macvlan" => {
            settings.link = Some(parent(options, "macvlan")?);
            settings.driver = Driver::Macvlan(macvlan_mode(options)?);
        }
        "ipvlan" => {
            settings.link = Some(parent(options, "ipvlan")?);
            settings.driver = Driver::Ipvlan(ipvlan_mode(options)?);
        }
        other => return Err(no_driver(other)),
    }
    Ok(settings)
}

impl Settings {
    fn bridge(&mut self, options: &BTreeMap<String, String>) -> Result<()> {
        only(options, &OF_BRIDGE)?;
        self.icc = switch(options, ENABLE_ICC)?.unwrap_or(true);
        self.masquerade = switch(options, ENABLE_MASQUERADE)?.unwrap_or(true);
        if let Some(text) = options.get(HOST_BINDING) {
            let address: Ipv4Addr = text.parse().map_err(|_| invalid(HOST_BINDING, text, "not an address of IPv4"))?;
            self.host_binding = Some(address.into());
        }
        if let Some(name) = options.get(BRIDGE_NAME) {
            self.link = Some(interface(BRIDGE_NAME, name)?);
        }
        if let Some(prefix) = options.get(INTERFACE_PREFIX) {
            // A number follows.
            interface(INTERFACE_PREFIX, &format!("{prefix}00"))?;
        }
        for key in GATEWAY_MODES {
            match options.get(key).map(String::as_str) {
                None | Some("nat" | "") => {}
                Some(mode @ ("routed" | "nat-unprotected" | "isolated")) => {
                    return Err(Error::unsupported(format!("--opt {key}={mode}: there is only nat"))
                        .with_hint("com.docker.network.bridge.enable_ip_masquerade=false lets addresses as they are"));
                }
                Some(mode) => return Err(invalid(key, mode, "no such mode")),
            }
        }
        if switch(options, INHIBIT_IPV4)?.unwrap_or(false) {
            return Err(Error::unsupported(format!("--opt {INHIBIT_IPV4}=true: the bridge has the gateway's address"))
                .with_hint("--ipv4=false makes a network without addresses of IPv4"));
        }
        Ok(())
    }
}

fn mtu(options: &BTreeMap<String, String>, ipv6: bool) -> Result<Option<u32>> {
    let Some(text) = options.get(MTU) else { return Ok(None) };
    let wrong = |why: &str| invalid(MTU, text, why);
    let mtu: u32 = text.parse().map_err(|_| wrong("not a number"))?;
    match mtu {
        0 => Ok(None),
        _ if mtu < SMALLEST_MTU.0 || mtu > LARGEST_MTU => Err(wrong("not within 68 and 65535")),
        _ if ipv6 && mtu < SMALLEST_MTU.1 => {
            Err(wrong("IPv6 takes 1280 and more").with_hint("--ipv6=false makes a network without IPv6"))
        }
        _ => Ok(Some(mtu)),
    }
}

fn parent(options: &BTreeMap<String, String>, driver: &str) -> Result<String> {
    let of_driver: &[&str] = match driver {
        "macvlan" => &["parent", "macvlan_mode", MTU],
        _ => &["parent", "ipvlan_mode", MTU],
    };
    only(options, of_driver)?;
    let parent = options.get("parent").filter(|parent| !parent.is_empty()).ok_or_else(|| {
        Error::invalid(format!("driver {driver}: the option parent is missing"))
            .with_hint("name a link of the host: --opt parent=eth0")
    })?;
    interface("parent", parent)
}

fn macvlan_mode(options: &BTreeMap<String, String>) -> Result<MacvlanMode> {
    match options.get("macvlan_mode").map(String::as_str) {
        None | Some("" | "bridge") => Ok(MacvlanMode::Bridge),
        Some("private") => Ok(MacvlanMode::Private),
        Some("vepa") => Ok(MacvlanMode::Vepa),
        Some("passthru") => Ok(MacvlanMode::Passthru),
        Some(other) => Err(invalid("macvlan_mode", other, "none of bridge, private, vepa and passthru")),
    }
}

fn ipvlan_mode(options: &BTreeMap<String, String>) -> Result<IpvlanMode> {
    match options.get("ipvlan_mode").map(String::as_str) {
        None | Some("" | "l2") => Ok(IpvlanMode::L2),
        Some("l3") => Ok(IpvlanMode::L3),
        Some("l3s") => Ok(IpvlanMode::L3s),
        Some(other) => Err(invalid("ipvlan_mode", other, "none of l2, l3 and l3s")),
    }
}

fn no_driver(driver: &str) -> Error {
    let known = "bridge, macvlan and ipvlan";
    match driver {
        "host" | "none" | "null" => Error::invalid(format!("only one instance of \"{driver}\" network is allowed"))
            .with_hint("it is there: --network host, --network none"),
        "overlay" => Error::unsupported("driver overlay: networks of several hosts need an orchestrator")
            .with_hint(format!("drivers are {known}")),
        _ => Error::unsupported(format!("network driver {driver}: there are no plugins"))
            .with_hint(format!("drivers are {known}")),
    }
}

/// Refuses other options than these.
fn only(options: &BTreeMap<String, String>, known: &[&str]) -> Result<()> {
    let Some((key, _)) = options.iter().find(|(key, _)| !known.contains(&key.as_str())) else { return Ok(()) };
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    // Most of an option is the same in all of them: what was meant shows in the last word.
    let words: Vec<String> = known.iter().map(|known| last(known)).collect();
    let near = similar(&last(key), words.iter().map(String::as_str));
    let meant = near.and_then(|word| known.iter().find(|known| last(known) == word));
    let hint =
        meant.map_or_else(|| format!("options are {}", known.join(", ")), |meant| format!("did you mean {meant}?"));
    Err(Error::invalid(format!("--opt {key}: no such option")).with_hint(hint))
}

fn switch(options: &BTreeMap<String, String>, key: &str) -> Result<Option<bool>> {
    let wrong = |text: &str| invalid(key, text, "neither true nor false");
    let parse = |text: &String| notation::truth(&text.to_ascii_lowercase()).ok_or_else(|| wrong(text));
    options.get(key).map(parse).transpose()
}

fn interface(key: &str, name: &str) -> Result<String> {
    if is_interface(name) {
        return Ok(name.to_owned());
    }
    Err(invalid(key, name, "no name of a link").with_hint("at most 15 characters, without blanks, '/' and ':'"))
}

fn invalid(key: &str, value: &str, why: &str) -> Error {
    Error::invalid(format!("--opt {key}={value}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(driver: &str, text: &str) -> Result<Settings> {
        let pair = |word: &str| word.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
        settings(Some(driver), &text.split_whitespace().filter_map(pair).collect(), true)
    }

    #[test]
    fn options_of_each_driver() {
        let text = "com.docker.network.bridge.enable_icc=false com.docker.network.bridge.enable_ip_masquerade=0 \
                    com.docker.network.bridge.host_binding_ipv4=127.0.0.1 com.docker.network.bridge.name=lan0 \
                    com.docker.network.driver.mtu=1400 com.docker.network.bridge.gateway_mode_ipv4=nat \
                    com.docker.network.container_iface_prefix=lan";
        let expected = Settings {
            driver: Driver::Bridge,
            link: Some("lan0".to_owned()),
            icc: false,
            masquerade: false,
            mtu: Some(1400),
            host_binding: Some(Ipv4Addr::LOCALHOST.into()),
        };
        assert_eq!(read("bridge", text).expect("is one"), expected);
        let macvlan = read("macvlan", "parent=eth0.5 macvlan_mode=vepa").expect("is one");
        assert_eq!((macvlan.driver, macvlan.link.as_deref()), (Driver::Macvlan(MacvlanMode::Vepa), Some("eth0.5")));
        assert_eq!(read("ipvlan", "parent=eth0").expect("is one").driver, Driver::Ipvlan(IpvlanMode::L2));
    }

    #[test]
    fn what_is_none_is_refused_by_name() {
        for (driver, text, named) in [
            ("overlay", "", "driver overlay"),
            ("host", "", "only one instance of \"host\""),
            ("weave", "", "network driver weave"),
            ("bridge", "parent=eth0", "--opt parent: no such option"),
            ("bridge", "com.docker.network.bridge.enable_icc=maybe", "neither true nor false"),
            ("bridge", "com.docker.network.bridge.name=a/b", "no name of a link"),
            ("bridge", "com.docker.network.bridge.name=lo", "no name of a link"),
            ("bridge", "com.docker.network.driver.mtu=big", "not a number"),
            ("bridge", "com.docker.network.driver.mtu=67", "not within"),
            ("bridge", "com.docker.network.driver.mtu=1000", "IPv6 takes 1280"),
            ("bridge", "com.docker.network.bridge.host_binding_ipv4=::", "not an address of IPv4"),
            ("bridge", "com.docker.network.bridge.gateway_mode_ipv6=routed", "there is only nat"),
            ("bridge", "com.docker.network.bridge.gateway_mode_ipv6=x", "no such mode"),
            ("bridge", "com.docker.network.bridge.inhibit_ipv4=true", "inhibit_ipv4"),
            ("bridge", "com.docker.network.container_iface_prefix=much-too-long-a-name", "no name of a link"),
            ("macvlan", "", "the option parent is missing"),
            ("macvlan", "parent=eth0 macvlan_mode=x", "none of bridge"),
            ("ipvlan", "parent=eth0 ipvlan_mode=x", "none of l2"),
            ("ipvlan", "parent=eth0 macvlan_mode=bridge", "--opt macvlan_mode"),
        ] {
            let error = read(driver, text).expect_err(text).to_string();
            assert!(error.contains(named), "{driver} {text}: {error}");
        }
        let error = read("bridge", "com.docker.network.bridge.enable_ic=1").expect_err("is unknown");
        assert_eq!(error.hint(), Some("did you mean com.docker.network.bridge.enable_icc?"));
    }
}
