//! Which system calls a container may make: Phial's own profile, none, or the user's.
//!
//! The user's is in docker's format, which adds conditions to OCI's: rules for some architectures, capabilities and
//! kernels, and maps of architectures. A profile in OCI's format is one without conditions.

use oci_spec::runtime::{
    Arch, Capability, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompFilterFlag, LinuxSyscall,
};
use runtime::capability::from_bits;
use runtime::seccomp::syscalls::Architecture;
use runtime::seccomp::{KernelVersion, ProfileContext, default_profile};
use serde::Deserialize;

use crate::config::{CapabilityChoice, ContainerConfig, Seccomp, SecurityOption};
use crate::error::{Error, Result};

/// The profile that the last of the security options asks for; None is unconfined. `capabilities` are the container's.
///
/// # Errors
/// `Invalid` for a profile of the user's that is none.
pub(super) fn profile(
    config: &ContainerConfig,
    capabilities: u64,
    kernel: KernelVersion,
) -> Result<Option<LinuxSeccomp>> {
    let asked = config.security_opt.iter().rev().find_map(|option| match option {
        SecurityOption::Seccomp(profile) => Some(profile),
        _ => None,
    });
    match asked {
        Some(Seccomp::Unconfined) => Ok(None),
        None if config.privileged => Ok(None),
        Some(Seccomp::Profile(text)) => Conditions { capabilities, kernel }.read(text).map(Some),
        Some(Seccomp::Builtin) | None => {
            let capabilities = from_bits(capabilities).into_iter().collect();
            let architecture = Architecture::NATIVE;
            Ok(Some(default_profile(&ProfileContext { capabilities: &capabilities, architecture, kernel })))
        }
    }
}

/// A profile as docker writes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    default_action: LinuxSeccompAction,
    default_errno_ret: Option<u32>,
    architectures: Option<Vec<Arch>>,
    #[serde(default)]
    arch_map: Vec<Family>,
    flags: Option<Vec<LinuxSeccompFilterFlag>>,
    listener_path: Option<std::path::PathBuf>,
    #[serde(default)]
    syscalls: Vec<Rule>,
}

/// An architecture and those whose programs also run there.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Family {
    architecture: Arch,
    sub_architectures: Option<Vec<Arch>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    name: Option<String>,
    names: Option<Vec<String>>,
    action: LinuxSeccompAction,
    errno_ret: Option<u32>,
    args: Option<Vec<LinuxSeccompArg>>,
    includes: Option<Filter>,
    excludes: Option<Filter>,
}

/// When a rule counts.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    #[serde(default)]
    caps: Vec<String>,
    #[serde(default)]
    arches: Vec<String>,
    min_kernel: Option<String>,
}

/// What the conditions of a profile are about.
struct Conditions {
    capabilities: u64,
    kernel: KernelVersion,
}

/// This architecture as docker's conditions call it.
const ARCHITECTURE: &str = match Architecture::NATIVE {
    Architecture::Aarch64 => "arm64",
    _ => "amd64",
};

impl Conditions {
    fn read(&self, text: &str) -> Result<LinuxSeccomp> {
        let invalid =
            |error: serde_json::Error| Error::invalid(format!("--security-opt seccomp: not a profile: {error}"));
        let profile: Profile = serde_json::from_str(text).map_err(invalid)?;
        if profile.listener_path.is_some() {
            return Err(Error::unsupported(
                "--security-opt seccomp: listenerPath: profiles that notify are not supported",
            ));
        }
        let rules = profile.syscalls.into_iter().filter(|rule| self.counts(rule)).map(Rule::into_oci).collect();
        let mut seccomp = LinuxSeccomp::default();
        seccomp
            .set_default_action(profile.default_action)
            .set_default_errno_ret(profile.default_errno_ret)
            .set_architectures(profile.architectures.or_else(|| architectures(profile.arch_map)))
            .set_flags(profile.flags)
            .set_syscalls(Some(rules));
        Ok(seccomp)
    }

    fn counts(&self, rule: &Rule) -> bool {
        let included = rule.includes.as_ref().is_none_or(|filter| {
            filter.caps.iter().all(|name| self.has(name))
                && (filter.arches.is_empty() || filter.arches.iter().any(|name| name == ARCHITECTURE))
                && filter.min_kernel.as_ref().is_none_or(|version| self.is_at_least(version))
        });
        let excluded = rule.excludes.as_ref().is_some_and(|filter| {
            filter.caps.iter().any(|name| self.has(name))
                || filter.arches.iter().any(|name| name == ARCHITECTURE)
                || filter.min_kernel.as_ref().is_some_and(|version| self.is_at_least(version))
        });
        included && !excluded
    }

    fn has(&self, name: &str) -> bool {
        let one = |choice| if let CapabilityChoice::One(one) = choice { Some(one) } else { None };
        let found: Option<Capability> = CapabilityChoice::parse("seccomp", name).ok().and_then(one);
        found.is_some_and(|capability| self.capabilities & runtime::capability::bit(capability) != 0)
    }

    fn is_at_least(&self, version: &str) -> bool {
        KernelVersion::of_release(version).is_some_and(|version| self.kernel >= version)
    }
}

/// The architectures of the family this one leads.
fn architectures(families: Vec<Family>) -> Option<Vec<Arch>> {
    let own = Architecture::NATIVE.oci();
    let family = families.into_iter().find(|family| family.architecture == own)?;
    Some([own].into_iter().chain(family.sub_architectures.unwrap_or_default()).collect())
}

impl Rule {
    fn into_oci(self) -> LinuxSyscall {
        let mut syscall = LinuxSyscall::default();
        syscall
            .set_names(self.name.into_iter().chain(self.names.unwrap_or_default()).collect())
            .set_action(self.action)
            .set_errno_ret(self.errno_ret)
            .set_args(self.args.filter(|args| !args.is_empty()));
        syscall
    }
}

#[cfg(test)]
mod tests {
    use oci_spec::runtime::Capability;

    use super::*;

    const KERNEL: KernelVersion = KernelVersion { major: 5, minor: 4 };

    fn names(options: &[SecurityOption], capabilities: u64) -> Option<Vec<String>> {
        let config = ContainerConfig { security_opt: options.to_vec(), ..ContainerConfig::default() };
        let profile = profile(&config, capabilities, KERNEL).expect("is a profile")?;
        Some(profile.syscalls().iter().flatten().flat_map(|rule| rule.names().clone()).collect())
    }

    #[test]
    fn the_last_option_decides() {
        let unconfined = SecurityOption::Seccomp(Seccomp::Unconfined);
        let builtin = SecurityOption::Seccomp(Seccomp::Builtin);
        assert!(names(&[], 0).is_some_and(|names| names.len() > 300));
        assert_eq!(names(&[builtin.clone(), unconfined.clone()], 0), None);
        assert!(names(&[unconfined, builtin], 0).is_some());
    }

    #[test]
    fn conditions_are_dockers() {
        let text = r#"{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
            "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}, {"architecture": "SCMP_ARCH_S390X"}],
            "syscalls": [
              {"names": ["always"], "action": "SCMP_ACT_ALLOW", "args": [], "comment": "", "includes": {}, "excludes": {}},
              {"name": "old", "action": "SCMP_ACT_ALLOW", "args": null},
              {"names": ["time"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_TIME"]}},
              {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
              {"names": ["arch"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["amd64", "arm64"]}},
              {"names": ["s390"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["s390x"]}},
              {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
              {"names": ["newer"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "6.1"}}
            ]}"#;
        let option = [SecurityOption::Seccomp(Seccomp::Profile(text.to_owned()))];
        let expect = |capabilities, expected: &[&str]| {
            assert_eq!(names(&option, capabilities).expect("is confined"), expected);
        };
        expect(0, &["always", "old", "clone", "arch", "ptrace"]);
        let bits = runtime::capability::bit(Capability::SysTime) | runtime::capability::bit(Capability::SysAdmin);
        expect(bits, &["always", "old", "time", "arch", "ptrace"]);
    }

    #[test]
    fn what_is_no_profile_is_an_error() {
        let option = [SecurityOption::Seccomp(Seccomp::Profile("{}".to_owned()))];
        let config = ContainerConfig { security_opt: option.to_vec(), ..ContainerConfig::default() };
        let error = profile(&config, 0, KERNEL).expect_err("has no default action");
        assert_eq!(
            error.to_string(),
            "--security-opt seccomp: not a profile: missing field `defaultAction` at line 1 column 2"
        );
    }
}
