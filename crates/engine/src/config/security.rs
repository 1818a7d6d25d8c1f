//! `--security-opt`: what of a container's fences is lowered, raised or replaced.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// One value of `--security-opt`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecurityOption {
    /// Whether programs with the setuid bit or file capabilities gain nothing (prctl(2), `PR_SET_NO_NEW_PRIVS`).
    NoNewPrivileges(bool),
    /// Which system calls the container may make.
    Seccomp(Seccomp),
    /// No `AppArmor` profile.
    ApparmorUnconfined,
    /// No `SELinux` label.
    LabelDisable,
}

/// A seccomp profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seccomp {
    /// The one Phial brings, equal to docker's.
    Builtin,
    /// Every system call is allowed.
    Unconfined,
    /// The content of a profile in docker's or OCI's JSON, which was read from the file the user named.
    Profile(String),
}

impl SecurityOption {
    /// Parses one value; `read` reads the file of `seccomp=FILE`.
    ///
    /// # Errors
    /// `Invalid` for an option that does not exist, `Unsupported` for what needs a security module, and what `read`
    /// answers.
    pub fn parse(text: &str, read: impl Fn(&str) -> std::io::Result<String>) -> Result<SecurityOption> {
        let (name, value) = text.split_once('=').or_else(|| text.split_once(':')).unwrap_or((text, ""));
        let invalid = |why: &str| Error::invalid(format!("--security-opt {text}: {why}"));
        match (name, value) {
            ("no-new-privileges", "" | "true") => Ok(SecurityOption::NoNewPrivileges(true)),
            ("no-new-privileges", "false") => Ok(SecurityOption::NoNewPrivileges(false)),
            ("no-new-privileges", _) => Err(invalid("neither true nor false")),
            ("seccomp", "unconfined") => Ok(SecurityOption::Seccomp(Seccomp::Unconfined)),
            ("seccomp", "builtin") => Ok(SecurityOption::Seccomp(Seccomp::Builtin)),
            ("seccomp", "") => {
                Err(invalid("no profile").with_hint("give seccomp=unconfined, seccomp=builtin or seccomp=FILE"))
            }
            ("seccomp", file) => profile(text, file, read),
            ("apparmor", "unconfined") => Ok(SecurityOption::ApparmorUnconfined),
            ("apparmor", _) => {
                Err(Error::unsupported(format!("--security-opt {text}: profiles of AppArmor are not applied yet"))
                    .with_hint("use apparmor=unconfined, or leave it out"))
            }
            ("label", "disable") => Ok(SecurityOption::LabelDisable),
            ("label", _) => {
                Err(Error::unsupported(format!("--security-opt {text}: labels of SELinux are not applied yet"))
                    .with_hint("use label=disable, or leave it out"))
            }
            _ => Err(invalid("no such option")
                .with_hint("one of no-new-privileges, seccomp=…, apparmor=unconfined, label=disable")),
        }
    }
}

fn profile(text: &str, file: &str, read: impl Fn(&str) -> std::io::Result<String>) -> Result<SecurityOption> {
    let content = read(file).map_err(|error| {
        let kind = if error.kind() == std::io::ErrorKind::NotFound {
            crate::ErrorKind::NotFound
        } else {
            crate::ErrorKind::System
        };
        Error::new(kind, format!("--security-opt {text}: {error}"))
    })?;
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&content)
        .map_err(|error| Error::invalid(format!("--security-opt {text}: not a JSON object: {error}")))?;
    Ok(SecurityOption::Seccomp(Seccomp::Profile(content)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn security_options() {
        let read = |path: &str| match path {
            "profile.json" => Ok("{}".to_owned()),
            "bad.json" => Ok("[".to_owned()),
            _ => Err(std::io::Error::from(std::io::ErrorKind::NotFound)),
        };
        let cases = [
            ("no-new-privileges", Ok(SecurityOption::NoNewPrivileges(true))),
            ("no-new-privileges:true", Ok(SecurityOption::NoNewPrivileges(true))),
            ("no-new-privileges=false", Ok(SecurityOption::NoNewPrivileges(false))),
            ("no-new-privileges=1", Err("--security-opt no-new-privileges=1: neither true nor false")),
            ("seccomp=unconfined", Ok(SecurityOption::Seccomp(Seccomp::Unconfined))),
            ("seccomp:unconfined", Ok(SecurityOption::Seccomp(Seccomp::Unconfined))),
            ("seccomp=builtin", Ok(SecurityOption::Seccomp(Seccomp::Builtin))),
            ("seccomp=profile.json", Ok(SecurityOption::Seccomp(Seccomp::Profile("{}".to_owned())))),
            ("seccomp=none.json", Err("--security-opt seccomp=none.json: entity not found")),
            (
                "seccomp=bad.json",
                Err(
                    "--security-opt seccomp=bad.json: not a JSON object: invalid type: sequence, expected a map at line 1 column 0",
                ),
            ),
            ("seccomp", Err("--security-opt seccomp: no profile")),
            ("apparmor=unconfined", Ok(SecurityOption::ApparmorUnconfined)),
            ("apparmor=mine", Err("--security-opt apparmor=mine: profiles of AppArmor are not applied yet")),
            ("label=disable", Ok(SecurityOption::LabelDisable)),
            ("label=type:x", Err("--security-opt label=type:x: labels of SELinux are not applied yet")),
            ("magic", Err("--security-opt magic: no such option")),
        ];
        for (text, expected) in cases {
            let found = SecurityOption::parse(text, read).map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(str::to_owned), "{text}");
        }
    }
}
