//! `--ulimit`: resource limits of the container's processes (setrlimit(2)).

use oci_spec::runtime::PosixRlimitType;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// One resource limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// Which resource.
    pub resource: PosixRlimitType,
    /// What is enforced; `u64::MAX` is unlimited.
    pub soft: u64,
    /// How far a process may raise the soft limit; `u64::MAX` is unlimited.
    pub hard: u64,
}

/// Names of `--ulimit`, and what they limit.
const RESOURCES: [(&str, PosixRlimitType); 16] = [
    ("as", PosixRlimitType::RlimitAs),
    ("core", PosixRlimitType::RlimitCore),
    ("cpu", PosixRlimitType::RlimitCpu),
    ("data", PosixRlimitType::RlimitData),
    ("fsize", PosixRlimitType::RlimitFsize),
    ("locks", PosixRlimitType::RlimitLocks),
    ("memlock", PosixRlimitType::RlimitMemlock),
    ("msgqueue", PosixRlimitType::RlimitMsgqueue),
    ("nice", PosixRlimitType::RlimitNice),
    ("nofile", PosixRlimitType::RlimitNofile),
    ("nproc", PosixRlimitType::RlimitNproc),
    ("rss", PosixRlimitType::RlimitRss),
    ("rtprio", PosixRlimitType::RlimitRtprio),
    ("rttime", PosixRlimitType::RlimitRttime),
    ("sigpending", PosixRlimitType::RlimitSigpending),
    ("stack", PosixRlimitType::RlimitStack),
];

impl Ulimit {
    /// Parses `--ulimit NAME=SOFT[:HARD]`; -1 is unlimited; without HARD both are SOFT.
    ///
    /// # Errors
    /// `Invalid` for an unknown name, what is not a number, and a soft limit above the hard one.
    pub fn parse(text: &str) -> Result<Ulimit> {
        let invalid = |why: String| Error::invalid(format!("--ulimit {text}: {why}"));
        let (name, limits) = text
            .split_once('=')
            .ok_or_else(|| invalid("no '='".to_owned()).with_hint("give name=soft[:hard], such as nofile=1024:2048"))?;
        let resource =
            RESOURCES.iter().find(|(known, _)| *known == name).map(|(_, resource)| *resource).ok_or_else(|| {
                let known = RESOURCES.map(|(known, _)| known).join(", ");
                invalid(format!("unknown resource '{name}'")).with_hint(format!("one of {known}"))
            })?;
        let number = |number: &str| match number {
            "-1" | "unlimited" => Ok(u64::MAX),
            number => number.parse().map_err(|_| invalid(format!("'{number}' is not a limit"))),
        };
        let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
        let (soft, hard) = (number(soft)?, number(hard)?);
        if soft > hard {
            return Err(invalid("the soft limit is above the hard limit".to_owned()));
        }
        Ok(Ulimit { resource, soft, hard })
    }

    /// The name `--ulimit` has for it.
    pub fn name(&self) -> &'static str {
        RESOURCES.iter().find(|(_, resource)| *resource == self.resource).map_or("", |(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ulimits() {
        let cases = [
            ("nofile=1024:2048", Ok(("nofile", 1024, 2048))),
            ("nofile=1024", Ok(("nofile", 1024, 1024))),
            ("core=-1", Ok(("core", u64::MAX, u64::MAX))),
            ("stack=8:-1", Ok(("stack", 8, u64::MAX))),
            ("nofile", Err("--ulimit nofile: no '='")),
            ("files=1", Err("--ulimit files=1: unknown resource 'files'")),
            ("nofile=2:1", Err("--ulimit nofile=2:1: the soft limit is above the hard limit")),
            ("nofile=-1:1", Err("--ulimit nofile=-1:1: the soft limit is above the hard limit")),
            ("nofile=a", Err("--ulimit nofile=a: 'a' is not a limit")),
            ("nofile=", Err("--ulimit nofile=: '' is not a limit")),
            ("nofile=1:2:3", Err("--ulimit nofile=1:2:3: '2:3' is not a limit")),
        ];
        for (text, expected) in cases {
            let found = Ulimit::parse(text).map_err(|error| error.to_string());
            let found = found.as_ref().map(|limit| (limit.name(), limit.soft, limit.hard)).map_err(String::as_str);
            assert_eq!(found, expected, "{text}");
        }
    }
}
