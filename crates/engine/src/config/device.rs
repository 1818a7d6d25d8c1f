//! `--device`, `--device-cgroup-rule` and `--gpus`: devices of the host in a container.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// One value of `--device`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// A device file of the host, or every one below a directory.
    Host {
        /// Its path there.
        source: PathBuf,
        /// Its path in the container.
        target: PathBuf,
        /// What may be done with it: letters of `rwm`.
        access: String,
    },
    /// A device that a vendor's specification describes (Container Device Interface): `vendor.com/class=name`.
    Cdi(String),
}

impl Device {
    /// Parses `--device HOST[:CONTAINER][:rwm]` or `--device vendor.com/class=name`.
    ///
    /// # Errors
    /// `Invalid` for a path that is not absolute, and for letters that are none of `rwm`.
    pub fn parse(text: &str) -> Result<Device> {
        let invalid = |why: &str| Error::invalid(format!("--device {text}: {why}"));
        if is_qualified(text) {
            return Ok(Device::Cdi(text.to_owned()));
        }
        let parts: Vec<&str> = text.split(':').collect();
        let (source, target, access) = match *parts.as_slice() {
            [source] => (source, source, "rwm"),
            [source, access] if is_access(access) => (source, source, access),
            [source, target] => (source, target, "rwm"),
            [source, target, access] => (source, target, access),
            _ => return Err(invalid("not HOST[:CONTAINER][:rwm]")),
        };
        if !is_access(access) {
            return Err(invalid(&format!("'{access}' is not made of r, w and m")));
        }
        if !source.starts_with('/') {
            return Err(invalid("the device's path is not absolute")
                .with_hint("give a path below /dev, or vendor.com/class=name for a device of a CDI specification"));
        }
        let target = if target.is_empty() { source } else { target };
        if !target.starts_with('/') || target.split('/').any(|part| part == "..") {
            return Err(invalid(&format!("{target} is not an absolute path")));
        }
        Ok(Device::Host { source: source.into(), target: target.into(), access: access.to_owned() })
    }
}

fn is_access(text: &str) -> bool {
    let letters = |letter: char| text.matches(letter).count();
    !text.is_empty() && text.chars().all(|letter| "rwm".contains(letter)) && "rwm".chars().all(|one| letters(one) < 2)
}

/// Whether the text is `vendor.com/class=name` (CDI specification, "Kind", "name").
pub(crate) fn is_qualified(text: &str) -> bool {
    split_qualified(text).is_some()
}

/// The kind and the name of `vendor.com/class=name`.
pub(crate) fn split_qualified(text: &str) -> Option<(&str, &str)> {
    let (kind, name) = text.split_once('=')?;
    let (vendor, class) = kind.split_once('/')?;
    let ends = |part: &str, first: fn(&u8) -> bool| {
        part.as_bytes().first().is_some_and(first) && part.as_bytes().last().is_some_and(u8::is_ascii_alphanumeric)
    };
    let made_of = |part: &str, more: &str| {
        part.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.as_bytes().contains(&byte))
    };
    let fits = ends(vendor, u8::is_ascii_alphabetic)
        && made_of(vendor, "_-.")
        && ends(class, u8::is_ascii_alphabetic)
        && made_of(class, "_-.")
        && ends(name, u8::is_ascii_alphanumeric)
        && made_of(name, "_-.:");
    fits.then_some((kind, name))
}

/// One value of `--device-cgroup-rule`: which devices may be used, whether or not there are files of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRule {
    /// `a`, `b` or `c`.
    pub kind: char,
    /// Major number; None is every one.
    pub major: Option<u32>,
    /// Minor number; None is every one.
    pub minor: Option<u32>,
    /// Letters of `rwm`.
    pub access: String,
}

impl DeviceRule {
    /// Parses `c 1:3 rwm`, with `*` for any number.
    ///
    /// # Errors
    /// `Invalid` for anything else.
    pub fn parse(text: &str) -> Result<DeviceRule> {
        let invalid = || {
            Error::invalid(format!("--device-cgroup-rule {text}: not a rule"))
                .with_hint("give type, numbers and access, such as 'c 10:200 rwm' or 'b 8:* r'")
        };
        let words: Vec<&str> = text.split(' ').collect();
        let &[kind, numbers, access] = words.as_slice() else { return Err(invalid()) };
        let kind = match kind {
            "a" => 'a',
            "b" => 'b',
            "c" => 'c',
            _ => return Err(invalid()),
        };
        let number = |text: &str| match text {
            "*" => Ok(None),
            number => number.parse().map(Some).map_err(|_| invalid()),
        };
        let (major, minor) = numbers.split_once(':').ok_or_else(invalid)?;
        if !is_access(access) {
            return Err(invalid());
        }
        Ok(DeviceRule { kind, major: number(major)?, minor: number(minor)?, access: access.to_owned() })
    }

    /// The rule as it was given.
    pub fn text(&self) -> String {
        let number = |number: Option<u32>| number.map_or("*".to_owned(), |number| number.to_string());
        format!("{} {}:{} {}", self.kind, number(self.major), number(self.minor), self.access)
    }
}

/// `--gpus`: which devices of a vendor a container gets. They are found through CDI.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gpus {
    /// `driver=…`; nvidia otherwise.
    pub driver: Option<String>,
    /// How many; None when `devices` says which, -1 for all.
    pub count: Option<i64>,
    /// `device=…`: numbers or ids.
    pub devices: Vec<String>,
    /// `capabilities=…`, besides `gpu`.
    pub capabilities: Vec<String>,
}

impl Gpus {
    /// Parses `all`, a number, or `KEY=VALUE,…` with docker's keys and quotes.
    ///
    /// # Errors
    /// `Invalid` for an unknown key, what is no number, and both a count and devices.
    pub fn parse(text: &str) -> Result<Gpus> {
        let invalid = |why: String| {
            Error::invalid(format!("--gpus {text}: {why}"))
                .with_hint("give all, a number, or device=0,1 in quotes: --gpus '\"device=0,1\"'")
        };
        let count = |text: &str| match text {
            "all" => Ok(-1),
            number => number
                .parse::<i64>()
                .ok()
                .filter(|number| *number >= -1)
                .ok_or_else(|| invalid(format!("'{number}' is neither all nor a number"))),
        };
        let mut gpus = Gpus::default();
        for field in fields(text).ok_or_else(|| invalid("a quote is not closed".to_owned()))? {
            match field.split_once('=').unwrap_or(("count", &field)) {
                ("count", number) => gpus.count = Some(count(number)?),
                ("device", list) => gpus.devices = list.split(',').map(str::to_owned).collect(),
                ("driver", name) => gpus.driver = Some(name.to_owned()),
                ("capabilities", list) => gpus.capabilities = list.split(',').map(str::to_owned).collect(),
                (key, _) => return Err(invalid(format!("unknown key '{key}'"))),
            }
        }
        if gpus.count.is_some() && !gpus.devices.is_empty() {
            return Err(invalid("cannot have both count and device".to_owned()));
        }
        if gpus.devices.iter().any(String::is_empty) {
            return Err(invalid("the name of a device is empty".to_owned()));
        }
        if gpus.devices.is_empty() && gpus.count.is_none() {
            gpus.count = Some(-1);
        }
        Ok(gpus)
    }

    /// The CDI devices that are meant; docker's vendors and their kinds.
    ///
    /// # Errors
    /// `Unsupported` for another driver.
    pub fn devices(&self) -> Result<Vec<String>> {
        let kind = match self.driver.as_deref().unwrap_or("nvidia") {
            "nvidia" | "cdi" => "nvidia.com/gpu",
            "amd" => "amd.com/gpu",
            "intel" => "intel.com/gpu",
            other => {
                return Err(Error::unsupported(format!("--gpus driver={other}: no such driver"))
                    .with_hint("one of nvidia, amd, intel; --device vendor.com/class=name takes any CDI device"));
            }
        };
        let names = match self.count {
            Some(-1) => vec!["all".to_owned()],
            Some(count) => (0..count).map(|number| number.to_string()).collect(),
            None => self.devices.clone(),
        };
        Ok(names.into_iter().map(|name| format!("{kind}={name}")).collect())
    }
}

/// Comma-separated fields, of which one in double quotes may have commas. None for a quote that is not closed.
fn fields(text: &str) -> Option<Vec<String>> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for letter in text.chars() {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            other => fields.last_mut()?.push(other),
        }
    }
    (!quoted).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices() {
        let host = |source: &str, target: &str, access: &str| {
            Some(Device::Host { source: source.into(), target: target.into(), access: access.to_owned() })
        };
        let cases = [
            ("/dev/fuse", host("/dev/fuse", "/dev/fuse", "rwm")),
            ("/dev/fuse:r", host("/dev/fuse", "/dev/fuse", "r")),
            ("/dev/fuse:/dev/x", host("/dev/fuse", "/dev/x", "rwm")),
            ("/dev/fuse:/dev/x:mr", host("/dev/fuse", "/dev/x", "mr")),
            ("/dev/fuse:/dev/x:rr", None),
            ("/dev/fuse:/dev/x:x", None),
            ("/dev/fuse:x", None),
            ("/dev/fuse:/dev/../x", None),
            ("fuse", None),
            ("", None),
            ("/a:/b:r:w", None),
            ("nvidia.com/gpu=all", Some(Device::Cdi("nvidia.com/gpu=all".to_owned()))),
            ("vendor/class=0:1", Some(Device::Cdi("vendor/class=0:1".to_owned()))),
            ("vendor.com/gpu=", None),
            ("-x/gpu=a", None),
        ];
        for (text, expected) in cases {
            assert_eq!(Device::parse(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn rules() {
        for text in ["c 1:3 rwm", "b 8:* r", "a *:* rwm", "c *:7 m"] {
            assert_eq!(DeviceRule::parse(text).expect("is a rule").text(), text);
        }
        for text in ["", "c 1:3", "d 1:3 r", "c 1 r", "c x:3 r", "c 1:3 q", "c 1:3 rwmr", "c  1:3 r"] {
            assert!(DeviceRule::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn gpus() {
        let names = |text: &str| Gpus::parse(text).and_then(|gpus| gpus.devices()).map(|names| names.join(" ")).ok();
        let cases = [
            ("all", Some("nvidia.com/gpu=all")),
            ("2", Some("nvidia.com/gpu=0 nvidia.com/gpu=1")),
            ("\"device=0,2\"", Some("nvidia.com/gpu=0 nvidia.com/gpu=2")),
            ("driver=amd,count=1", Some("amd.com/gpu=0")),
            ("capabilities=gpu", Some("nvidia.com/gpu=all")),
            ("\"device=0,2\",count=1", None),
            ("driver=acme", None),
            ("some", None),
            ("-2", None),
            ("device=", None),
            ("colour=red", None),
            ("\"device=0", None),
        ];
        for (text, expected) in cases {
            assert_eq!(names(text).as_deref(), expected, "{text}");
        }
    }
}
