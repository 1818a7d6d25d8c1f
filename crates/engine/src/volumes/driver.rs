//! The driver `local`: what its options say about where a volume's files lie. Pure, but for the address of a server.
//!
//! Without options a volume is a directory of the store. With them it is a file system that is mounted in each container
//! that uses it, by the container's own runtime: nothing is mounted on the host, so there is nothing to unmount. Options
//! and rules are docker's (`docker volume create`, "Driver-specific options").

use std::collections::BTreeMap;
use std::net::ToSocketAddrs;
use std::path::PathBuf;

use store::VolumeRecord;

use crate::error::{Error, Result};

/// The only driver there is.
pub(crate) const LOCAL: &str = "local";

/// Where the files of a volume lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a directory of the host.
    Directory {
        /// Which.
        path: PathBuf,
        /// Whether file systems mounted below come along.
        recursive: bool,
        /// Further mount options.
        options: Vec<String>,
    },
    /// In a file system that is mounted for each container.
    FileSystem {
        /// Its type.
        kind: String,
        /// What is mounted.
        device: String,
        /// Its options, and those of the mount.
        options: Vec<String>,
    },
}

/// Refuses drivers other than the local one.
///
/// # Errors
/// `Unsupported`.
pub(crate) fn check_driver(driver: &str) -> Result<()> {
    if driver == LOCAL {
        return Ok(());
    }
    Err(Error::unsupported(format!("volume driver {driver}: there are no plugins"))
        .with_hint("the only driver is local"))
}

/// Refuses options that the local driver has not, or that need others.
///
/// # Errors
/// `Invalid`; `Unsupported` for a size that nobody would keep to.
pub(crate) fn check_options(options: &BTreeMap<String, String>) -> Result<()> {
    let has = |key: &str| options.contains_key(key);
    if let Some(key) = options.keys().find(|key| !matches!(key.as_str(), "type" | "o" | "device" | "size")) {
        return Err(Error::invalid(format!("invalid option: '{key}'"))
            .with_hint("the options of the local driver are type, o, device and size"));
    }
    for (given, needed) in [("o", "device"), ("o", "type"), ("type", "device"), ("device", "type")] {
        if has(given) && !has(needed) {
            return Err(Error::invalid(format!("missing required option: '{needed}' ('{given}' is given)")));
        }
    }
    if let Some(size) = options.get("size") {
        crate::config::size::parse_size("size", size).map_err(|error| Error::invalid(error.to_string()))?;
        return Err(Error::unsupported(format!(
            "size={size}: quota size requested but no quota support: a directory of the store has no quota of its own"
        ))
        .with_hint("a tmpfs has a size: --opt type=tmpfs --opt device=tmpfs --opt o=size=100m"));
    }
    if is_bind(options) && !options.get("device").is_some_and(|device| device.starts_with('/')) {
        return Err(Error::invalid("device: a directory of the host needs an absolute path"));
    }
    Ok(())
}

/// Where the files of a volume lie; `data` is its directory in the store.
///
/// # Errors
/// `Invalid` for a server that has no address.
pub(crate) fn place(volume: &VolumeRecord, data: PathBuf) -> Result<Place> {
    let options = &volume.options;
    let (Some(kind), Some(device)) = (options.get("type"), options.get("device")) else {
        return Ok(Place::Directory { path: data, recursive: true, options: Vec::new() });
    };
    let words: Vec<String> = words(options).map(str::to_owned).collect();
    if is_bind(options) {
        let recursive = words.iter().any(|word| word == "rbind");
        let options = words.into_iter().filter(|word| word != "bind" && word != "rbind").collect();
        return Ok(Place::Directory { path: PathBuf::from(device), recursive, options });
    }
    let resolved = words.into_iter().map(|word| match word.strip_prefix("addr=") {
        Some(server) => address(server).map(|address| format!("addr={address}")),
        None => Ok(word),
    });
    let options = resolved.collect::<Result<_>>()?;
    Ok(Place::FileSystem { kind: kind.clone(), device: device.clone(), options })
}

/// The kernel's file systems take no names of servers.
fn address(server: &str) -> Result<String> {
    let mut found = (server, 0)
        .to_socket_addrs()
        .map_err(|error| Error::invalid(format!("addr={server}: {error}")))?
        .map(|address| address.ip().to_string());
    found.next().ok_or_else(|| Error::invalid(format!("addr={server}: has no address")))
}

fn words(options: &BTreeMap<String, String>) -> impl Iterator<Item = &str> {
    options.get("o").map(String::as_str).unwrap_or_default().split(',').filter(|word| !word.is_empty())
}

fn is_bind(options: &BTreeMap<String, String>) -> bool {
    words(options).any(|word| matches!(word, "bind" | "rbind"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> BTreeMap<String, String> {
        let pair = |word: &str| word.split_once(':').map(|(key, value)| (key.to_owned(), value.to_owned()));
        text.split(' ').filter_map(pair).collect()
    }

    fn check(text: &str, expected: Result<&str, &str>) {
        let found = check_options(&options(text)).and_then(|()| {
            let volume = VolumeRecord {
                name: "v".into(),
                driver: LOCAL.into(),
                created: String::new(),
                anonymous: false,
                labels: BTreeMap::new(),
                options: options(text),
            };
            place(&volume, PathBuf::from("/data"))
        });
        let shown = found.map(|place| match place {
            Place::Directory { path, recursive, options } => format!("{} {recursive} {options:?}", path.display()),
            Place::FileSystem { kind, device, options } => format!("{kind} {device} {options:?}"),
        });
        assert_eq!(
            shown.map_err(|error| error.to_string()),
            expected.map(str::to_owned).map_err(str::to_owned),
            "{text}"
        );
    }

    #[test]
    fn options_say_where_a_volume_lies() {
        check("", Ok("/data true []"));
        check("type:tmpfs device:tmpfs o:size=1m,uid=5", Ok("tmpfs tmpfs [\"size=1m\", \"uid=5\"]"));
        check("type:none device:/srv o:bind,ro", Ok("/srv false [\"ro\"]"));
        check("type:none device:/srv o:rbind", Ok("/srv true []"));
        check("type:nfs device::/share o:addr=127.0.0.1,rw", Ok("nfs :/share [\"addr=127.0.0.1\", \"rw\"]"));
        check("type:tmpfs", Err("missing required option: 'device' ('type' is given)"));
        check("device:/srv", Err("missing required option: 'type' ('device' is given)"));
        check("color:red", Err("invalid option: 'color'"));
        check("type:none device:srv o:bind", Err("device: a directory of the host needs an absolute path"));
    }

    #[test]
    fn a_size_without_quotas_is_refused() {
        let error = check_options(&options("size:10m")).expect_err("nobody would keep to it");
        assert!(error.to_string().contains("no quota support"), "{error}");
        assert!(check_options(&options("size:big")).is_err());
    }
}
