//! `--security-opt`: what of a container's fences is lowered, raised or replaced.

use serde::{Deserialize, Serialize};

use super::ContainerConfig;
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
    /// This profile of `AppArmor`, which must be loaded.
    Apparmor(String),
    /// No `SELinux` label.
    LabelDisable,
    /// A part of the `SELinux` label, where the host has `SELinux`: `user:…`, `role:…`, `type:…`, `level:…`.
    Label(String),
    /// What of /proc and /sys is hidden and read-only otherwise is not.
    SystempathsUnconfined,
    /// Whether the container may change its own cgroups.
    WritableCgroups(bool),
}

/// A choice about `AppArmor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Apparmor<'a> {
    /// None shall apply.
    Unconfined,
    /// This one shall.
    Profile(&'a str),
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
            ("writable-cgroups", "" | "true") => Ok(SecurityOption::WritableCgroups(true)),
            ("writable-cgroups", "false") => Ok(SecurityOption::WritableCgroups(false)),
            ("no-new-privileges" | "writable-cgroups", _) => Err(invalid("neither true nor false")),
            ("seccomp", "unconfined") => Ok(SecurityOption::Seccomp(Seccomp::Unconfined)),
            ("seccomp", "builtin") => Ok(SecurityOption::Seccomp(Seccomp::Builtin)),
            ("seccomp", "") => {
                Err(invalid("no profile").with_hint("give seccomp=unconfined, seccomp=builtin or seccomp=FILE"))
            }
            ("seccomp", file) => profile(text, file, read),
            ("apparmor", "unconfined") => Ok(SecurityOption::ApparmorUnconfined),
            ("apparmor", "") => Err(invalid("no profile")),
            ("apparmor", profile) if profile.chars().any(char::is_control) => Err(invalid("not a name of a profile")),
            ("apparmor", profile) => Ok(SecurityOption::Apparmor(profile.to_owned())),
            ("label", "disable") => Ok(SecurityOption::LabelDisable),
            ("label", part) => match part.split_once(':') {
                Some(("user" | "role" | "type" | "level", value)) if is_label(value) => {
                    Ok(SecurityOption::Label(part.to_owned()))
                }
                _ => Err(invalid("not a part of a label")
                    .with_hint("one of label=disable, label=user:…, label=role:…, label=type:…, label=level:…")),
            },
            ("systempaths", "unconfined") => Ok(SecurityOption::SystempathsUnconfined),
            ("systempaths", _) => Err(invalid("not unconfined")),
            _ => Err(invalid("no such option").with_hint(
                "one of no-new-privileges, seccomp=…, apparmor=…, label=…, systempaths=unconfined, writable-cgroups",
            )),
        }
    }
}

fn is_label(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:,-".contains(&byte))
}

impl ContainerConfig {
    /// What the last of the options says about `AppArmor`.
    pub(crate) fn apparmor(&self) -> Option<Apparmor<'_>> {
        self.security_opt.iter().rev().find_map(|option| match option {
            SecurityOption::ApparmorUnconfined => Some(Apparmor::Unconfined),
            SecurityOption::Apparmor(profile) => Some(Apparmor::Profile(profile)),
            _ => None,
        })
    }

    /// Whether nothing of /proc and /sys is hidden or read-only.
    pub(crate) fn shows_system_paths(&self) -> bool {
        self.privileged || self.security_opt.contains(&SecurityOption::SystempathsUnconfined)
    }

    /// Whether the container may change its own cgroups.
    pub(crate) fn writes_cgroups(&self) -> bool {
        let said = self.security_opt.iter().rev().find_map(|option| match option {
            SecurityOption::WritableCgroups(writable) => Some(*writable),
            _ => None,
        });
        said.unwrap_or(self.privileged)
    }

    /// The label of processes and that of files, put together from its parts; None when there are none, or when labels
    /// are off.
    pub(crate) fn selinux_labels(&self) -> Option<(String, String)> {
        let [mut user, mut role, mut kind, mut level] = ["system_u", "system_r", "container_t", "s0"];
        let mut given = false;
        for option in &self.security_opt {
            match option {
                SecurityOption::LabelDisable => given = false,
                SecurityOption::Label(part) => {
                    given = true;
                    match part.split_once(':') {
                        Some(("user", value)) => user = value,
                        Some(("role", value)) => role = value,
                        Some(("type", value)) => kind = value,
                        Some((_, value)) => level = value,
                        None => {}
                    }
                }
                _ => {}
            }
        }
        let labels = || (format!("{user}:{role}:{kind}:{level}"), format!("{user}:object_r:container_file_t:{level}"));
        (given && !self.privileged).then(labels)
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
            ("apparmor=mine", Ok(SecurityOption::Apparmor("mine".to_owned()))),
            ("apparmor=", Err("--security-opt apparmor=: no profile")),
            ("label=disable", Ok(SecurityOption::LabelDisable)),
            ("label=type:x", Ok(SecurityOption::Label("type:x".to_owned()))),
            ("label:level:s0:c1,c2", Ok(SecurityOption::Label("level:s0:c1,c2".to_owned()))),
            ("label=colour:x", Err("--security-opt label=colour:x: not a part of a label")),
            ("systempaths=unconfined", Ok(SecurityOption::SystempathsUnconfined)),
            ("writable-cgroups=true", Ok(SecurityOption::WritableCgroups(true))),
            ("magic", Err("--security-opt magic: no such option")),
        ];
        for (text, expected) in cases {
            let found = SecurityOption::parse(text, read).map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(str::to_owned), "{text}");
        }
    }
    #[test]
    fn labels_are_put_together() {
        let labels = |parts: &[&str]| {
            let part = |part: &&str| SecurityOption::parse(part, |_| Ok(String::new())).expect("is an option");
            let config = ContainerConfig { security_opt: parts.iter().map(part).collect(), ..Default::default() };
            config.selinux_labels().map(|(process, file)| format!("{process} {file}"))
        };
        let expected = "system_u:system_r:web_t:s0:c1,c2 system_u:object_r:container_file_t:s0:c1,c2";
        assert_eq!(labels(&["label=type:web_t", "label=level:s0:c1,c2"]).as_deref(), Some(expected));
        assert_eq!(labels(&["label=type:web_t", "label=disable"]), None);
        assert_eq!(labels(&[]), None);
    }
}
