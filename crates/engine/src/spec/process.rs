//! The process of a container, and further ones in it: arguments, environment, directory, ids, capabilities.

use std::path::{Path, PathBuf};

use oci_spec::runtime::{LinuxCapabilities, PosixRlimit, PosixRlimitBuilder, Process, User};

use super::{Identity, Inputs};
use crate::config::{Apparmor, ContainerConfig, ExecConfig, SecurityOption, Ulimit, env};
use crate::error::{Error, Result};

/// Where programs are looked for when neither image nor user says.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The container's first process.
///
/// # Errors
/// `Invalid` when there is nothing to run, and for a working directory that is not absolute.
pub(super) fn process(inputs: &Inputs<'_>, capabilities: u64) -> Result<Process> {
    let config = inputs.config;
    let working_dir = config.working_dir.as_deref().map(|path| absolute("--workdir", path)).transpose()?;
    let mut process = blank();
    process
        .set_terminal(Some(config.tty))
        .set_user(with_groups(user(inputs.identity), &inputs.host.edits.groups))
        .set_args(Some(arguments(config, inputs.image)?))
        .set_env(Some(environment(inputs)))
        .set_cwd(working_dir.unwrap_or_else(|| Path::new("/").join(&inputs.image.working_dir)))
        .set_capabilities(Some(capability_sets(capabilities, inputs.identity.uid)))
        .set_rlimits(rlimits(&config.ulimits))
        .set_oom_score_adj(config.oom_score_adj)
        .set_apparmor_profile(match config.apparmor() {
            Some(Apparmor::Profile(name)) => Some(name.to_owned()),
            Some(Apparmor::Unconfined) | None => None,
        })
        .set_selinux_label(inputs.host.selinux.then(|| config.selinux_labels()).flatten().map(|(label, _)| label))
        .set_no_new_privileges(Some(no_new_privileges(config)));
    Ok(process)
}

/// A further process in a container whose first one is `main`: it has the bounding capabilities of that one at most.
/// `identity` is who it shall be, if that was asked for, and whether the home directory is then his; `privileged` are the
/// host's capabilities, if it shall have them all.
///
/// # Errors
/// `Invalid` when there is nothing to run, and for a working directory that is not absolute.
pub(crate) fn exec_process(
    main: &Process,
    config: &ExecConfig,
    identity: Option<(&Identity, bool)>,
    privileged: Option<u64>,
) -> Result<Process> {
    if config.command.is_empty() {
        return Err(Error::invalid("no command specified"));
    }
    let mut variables = main.env().clone().unwrap_or_default();
    if let Some((identity, true)) = identity {
        env::merge(&mut variables, [format!("HOME={}", identity.home)]);
    }
    if config.tty && env::value(&variables, "TERM").is_none() {
        variables.push("TERM=xterm".to_owned());
    }
    env::merge(&mut variables, config.env.iter().cloned());
    let bounding = main.capabilities().as_ref().and_then(|sets| sets.bounding().as_ref());
    let bounding = match privileged {
        Some(all) => all,
        None => bounding.into_iter().flatten().copied().map(runtime::capability::bit).sum(),
    };
    let confined = |label: &Option<String>| label.clone().filter(|_| privileged.is_none());
    let user = identity.map_or_else(|| main.user().clone(), |(identity, _)| user(identity));
    let working_dir = config.working_dir.as_deref().map(|path| absolute("--workdir", path)).transpose()?;
    let mut process = blank();
    process
        .set_terminal(Some(config.tty))
        .set_capabilities(Some(capability_sets(bounding, user.uid())))
        .set_user(user)
        .set_args(Some(config.command.clone()))
        .set_env(Some(variables))
        .set_cwd(working_dir.unwrap_or_else(|| main.cwd().clone()))
        .set_rlimits(main.rlimits().clone())
        .set_oom_score_adj(main.oom_score_adj())
        .set_apparmor_profile(confined(main.apparmor_profile()))
        .set_selinux_label(confined(main.selinux_label()))
        .set_no_new_privileges(main.no_new_privileges());
    Ok(process)
}

/// A process with none of the library's own defaults.
fn blank() -> Process {
    let mut process = Process::default();
    process.set_args(None).set_env(None).set_rlimits(None).set_capabilities(None);
    process
}

/// Entrypoint and command by docker's rule: an entrypoint of the user's drops the image's command as well.
pub(crate) fn arguments(config: &ContainerConfig, image: &image::Config) -> Result<Vec<String>> {
    let (entrypoint, default) = match &config.entrypoint {
        Some(own) if own.iter().all(String::is_empty) => (&[] as &[String], &[] as &[String]),
        Some(own) => (own.as_slice(), &[] as &[String]),
        None => (image.entrypoint.as_deref().unwrap_or_default(), image.cmd.as_deref().unwrap_or_default()),
    };
    let command = if config.command.is_empty() { default } else { &config.command };
    let arguments: Vec<String> = entrypoint.iter().chain(command).cloned().collect();
    match arguments.first() {
        Some(_) => Ok(arguments),
        None => Err(Error::invalid(format!("image {}: no command specified", config.image))
            .with_hint("the image names none: put one after the image's name")),
    }
}

fn environment(inputs: &Inputs<'_>) -> Vec<String> {
    let mut variables = vec![PATH.to_owned(), format!("HOSTNAME={}", inputs.hostname())];
    if inputs.config.tty {
        variables.push("TERM=xterm".to_owned());
    }
    env::merge(&mut variables, inputs.host.edits.env.iter().cloned());
    env::merge(&mut variables, inputs.image.env.iter().filter_map(|variable| image_variable(variable)));
    env::merge(&mut variables, inputs.config.env.iter().cloned());
    if env::value(&variables, "HOME").is_none() {
        variables.push(format!("HOME={}", inputs.identity.home));
    }
    variables
}

/// A variable of an image: without a value it is empty, and never the host's variable of that name (CVE-2021-3602).
fn image_variable(variable: &str) -> Option<String> {
    match variable.split_once('=') {
        _ if variable.contains('\0') => None,
        Some(("", _)) => None,
        Some(_) => Some(variable.to_owned()),
        None if variable.is_empty() => None,
        None => Some(format!("{variable}=")),
    }
}

fn absolute(flag: &str, path: &str) -> Result<PathBuf> {
    if path.starts_with('/') {
        return Ok(PathBuf::from(path));
    }
    Err(Error::invalid(format!("{flag} {path}: not an absolute path")))
}

fn user(identity: &Identity) -> User {
    let mut user = User::default();
    user.set_uid(identity.uid).set_gid(identity.gid).set_additional_gids(Some(identity.groups.clone()));
    user
}

fn with_groups(mut user: User, more: &[u32]) -> User {
    let mut groups = user.additional_gids().clone().unwrap_or_default();
    groups.extend(more.iter().filter(|gid| !groups.contains(gid)).copied().collect::<Vec<_>>());
    user.set_additional_gids(Some(groups));
    user
}

/// Root has what it is bounded by; others gain capabilities by executing files, as `execve(2)` says. Inheritable
/// capabilities would survive that for anyone, so there are none (CVE-2022-24769).
fn capability_sets(bits: u64, uid: u32) -> LinuxCapabilities {
    let all: oci_spec::runtime::Capabilities = runtime::capability::from_bits(bits).into_iter().collect();
    let own = if uid == 0 { all.clone() } else { oci_spec::runtime::Capabilities::new() };
    let none = Some(oci_spec::runtime::Capabilities::new());
    let mut sets = LinuxCapabilities::default();
    sets.set_bounding(Some(all))
        .set_effective(Some(own.clone()))
        .set_permitted(Some(own))
        .set_inheritable(none.clone())
        .set_ambient(none);
    sets
}

fn rlimits(ulimits: &[Ulimit]) -> Option<Vec<PosixRlimit>> {
    // The last one of a resource counts.
    let is_last = |index: usize| ulimits[index + 1..].iter().all(|later| later.resource != ulimits[index].resource);
    let limits = ulimits.iter().enumerate().filter(|(index, _)| is_last(*index)).map(|(_, ulimit)| {
        let limit = PosixRlimitBuilder::default().typ(ulimit.resource).soft(ulimit.soft).hard(ulimit.hard);
        limit.build().expect("all three fields are given")
    });
    (!ulimits.is_empty()).then(|| limits.collect())
}

fn no_new_privileges(config: &ContainerConfig) -> bool {
    config.security_opt.iter().rev().find_map(|option| match option {
        SecurityOption::NoNewPrivileges(on) => Some(*on),
        _ => None,
    }) == Some(true)
}
