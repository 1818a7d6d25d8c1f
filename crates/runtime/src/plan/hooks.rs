//! Steps that run hooks (runtime-spec `config.md`, "POSIX-platform Hooks").
//!
//! Those of the host are run by the parent while the container's process waits; the others by that process itself, by
//! then in the container's namespaces.

use oci_spec::runtime::Spec;
use sys::exec::StringArray;

use super::c_string;
use super::step::{Hook, HookPoint, Source, Step};
use crate::error::{Error, ErrorKind, Result};

/// Adds what is run before the root is entered.
pub(super) fn before_root(spec: &Spec, steps: &mut Vec<Step>) -> Result<()> {
    let Some(hooks) = spec.hooks() else { return Ok(()) };
    let some = |list: &Option<Vec<oci_spec::runtime::Hook>>| list.as_ref().is_some_and(|list| !list.is_empty());
    let of_host = some(hooks.prestart()) || some(hooks.create_runtime());
    let of_container = some(hooks.create_container()) || some(hooks.start_container());
    // Those of the container need the parent as well: it knows the pid that they read.
    if of_host || of_container {
        steps.push(Step::HostHooks);
    }
    steps.extend(step(HookPoint::CreateContainer, hooks.create_container().as_deref(), &[])?);
    Ok(())
}

/// What is run just before the container's program.
///
/// They are programs of the container, in its root: without an environment of their own they have its program's. Those
/// that run on the host's files get nothing of the container's (CVE-2025-23266).
pub(super) fn before_program(spec: &Spec) -> Result<Option<Step>> {
    let hooks = spec.hooks().as_ref().and_then(|hooks| hooks.start_container().as_deref());
    let inherited = spec.process().as_ref().and_then(|process| process.env().as_deref());
    step(HookPoint::StartContainer, hooks, inherited.unwrap_or_default())
}

fn step(point: HookPoint, hooks: Option<&[oci_spec::runtime::Hook]>, inherited: &[String]) -> Result<Option<Step>> {
    let hooks = hooks.unwrap_or_default().iter();
    let hooks = hooks.map(|hook| compile(point, hook, inherited)).collect::<Result<Vec<_>>>()?;
    Ok((!hooks.is_empty()).then_some(Step::Hooks { point, state: Source::HookState(point), hooks }))
}

fn compile(point: HookPoint, hook: &oci_spec::runtime::Hook, inherited: &[String]) -> Result<Hook> {
    let field = format!("hooks.{}", point.name());
    let path = hook.path();
    if !path.is_absolute() {
        let message = format!("{field}: path {}: is not absolute", path.display());
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    let timeout = match hook.timeout() {
        None => None,
        Some(seconds) => Some(u32::try_from(seconds).ok().filter(|seconds| *seconds > 0).ok_or_else(|| {
            Error::new(ErrorKind::Invalid, format!("{field}: timeout {seconds}: is no number of seconds above 0"))
        })?),
    };
    let bytes = path.as_os_str().as_encoded_bytes();
    let strings =
        |list: &[String]| list.iter().map(|text| c_string(text.as_bytes(), &field)).collect::<Result<Vec<_>>>();
    let arguments = match hook.args().as_deref() {
        None | Some([]) => vec![c_string(bytes, &field)?],
        Some(arguments) => strings(arguments)?,
    };
    Ok(Hook {
        path: c_string(bytes, &field)?,
        arguments: StringArray::new(arguments),
        environment: StringArray::new(strings(hook.env().as_deref().unwrap_or(inherited))?),
        timeout,
    })
}
