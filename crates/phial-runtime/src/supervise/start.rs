//! From a request to a running process.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use net::attach::Attached;
use oci_spec::runtime::{LinuxMemory, Process, Spec};
use runtime::cgroup::{Cgroups, Hierarchy};
use runtime::launch::{Helper, Inputs, Launched, Stdio, launch};
use runtime::plan::{Confinement, Context, Plan};
use runtime::protocol::{CONFIG_FILE, Request, StdinMode};
use runtime::{Error, Result};
use rustix::pipe::{PipeFlags, pipe_with};

use super::{descriptors, network, record};
use crate::verbs::hooks::Hooks;

/// A container that runs.
pub(super) struct Started {
    pub(super) process: sys::clone::Child,
    pub(super) streams: Streams,
    pub(super) cgroups: Cgroups,
    pub(super) hierarchies: Vec<Hierarchy>,
    /// Namespaces that further processes enter.
    pub(super) namespaces: u64,
    /// What further processes get too.
    pub(super) confinement: Confinement,
    /// RFC 3339.
    pub(super) at: String,
    /// Whether its memory has a limit, which it may reach.
    pub(super) limits_memory: bool,
    /// What health checks are made from, if there are any.
    pub(super) process_for_checks: Option<Process>,
}

/// The supervisor's ends of a container's streams, non-blocking.
#[derive(Debug, Default)]
pub(super) struct Streams {
    /// Master of the terminal: the only stream then.
    pub(super) terminal: Option<OwnedFd>,
    pub(super) stdin: Option<OwnedFd>,
    pub(super) stdout: Option<OwnedFd>,
    pub(super) stderr: Option<OwnedFd>,
}

/// Starts the container. On an error nothing of it is left but its networks. `lock` is the container's, where it is noted
/// what it has.
pub(super) fn start(
    request: &Request,
    hierarchies: Vec<Hierarchy>,
    lock: &OwnedFd,
    mut network: Option<&mut Attached>,
) -> Result<Started> {
    let mut spec = read_config(&request.bundle)?;
    if let Some(process) = spec.process_mut() {
        descriptors::restore(process);
    }
    let joined = super::joins::enter(&mut spec, &request.joins)?;
    let scratch = scratch(&spec, &request.bundle)?;
    let context = Context {
        scratch: &scratch,
        hierarchies: &hierarchies,
        window: request.window,
        init: request.init,
        keyring: Some(&request.id),
        awaits_network: network.is_some(),
        ..Context::new(&request.id, &request.rootfs, &request.bundle)
    };
    let mut plan = Plan::container(&spec, &context)?;
    joined.share_memory(&mut plan);
    let terminal = spec.process().as_ref().and_then(Process::terminal).unwrap_or(false);
    let (stdio, streams) = if terminal { (None, Streams::default()) } else { pipes(request.stdin)? };
    let linux = spec.linux().as_ref();
    let path =
        linux.and_then(|linux| linux.cgroups_path().clone()).unwrap_or_else(|| format!("/{}", request.id).into());
    let resources = linux.and_then(|linux| linux.resources().as_ref());
    record::note(lock, network::note(network.as_deref()).as_deref(), &Cgroups::planned(&hierarchies, &path)?)?;
    let cgroups = Cgroups::create(&hierarchies, &path, resources)?;
    sys::fault::point("supervisor: cgroups made");
    let at = record::now();
    let mut hooks = Hooks::new(&request.id, &request.bundle, &spec);
    let helper = spec.hooks().as_ref().map(|_| &mut hooks as &mut dyn Helper);
    let mut attach = |process| network.as_mut().map_or(Ok(()), |network| network::attach(network, process));
    let inputs =
        Inputs { cgroups: &cgroups, stdio, target: None, die_with_parent: true, helper, network: Some(&mut attach) };
    match launch(&plan, inputs) {
        Ok(Launched { child, console, .. }) => {
            let streams = Streams { terminal: console, ..streams };
            let namespaces = plan.all_namespaces();
            let confinement = plan.confinement;
            sys::fault::point("supervisor: container launched");
            let memory = resources.and_then(|resources| resources.memory().as_ref());
            Ok(Started {
                process: child,
                streams,
                cgroups,
                hierarchies,
                namespaces,
                confinement,
                at,
                limits_memory: memory.and_then(LinuxMemory::limit).is_some_and(|limit| limit > 0),
                process_for_checks: request.health.as_ref().and(spec.process().clone()),
            })
        }
        Err(error) => {
            cgroups.remove().ok();
            Err(error)
        }
    }
}

/// Where the root is put until it is the root. Hooks look for it in the directory that the configuration names.
fn scratch(spec: &Spec, bundle: &Path) -> Result<PathBuf> {
    let root = spec.root().as_ref().filter(|_| spec.hooks().is_some());
    let Some(root) = root else { return Ok(bundle.to_owned()) };
    let path = bundle.join(root.path());
    match std::fs::create_dir(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(Error::system(path.display(), error)),
        _ => Ok(path),
    }
}

fn read_config(bundle: &Path) -> Result<Spec> {
    let path = bundle.join(CONFIG_FILE);
    let bytes = std::fs::read(&path).map_err(|error| Error::system(path.display(), error))?;
    serde_json::from_slice(&bytes).map_err(|error| Error::system(path.display(), error))
}

/// The two ends of three streams.
fn pipes(mode: StdinMode) -> Result<(Option<Stdio>, Streams)> {
    let failed = |errno| Error::system("pipe", errno);
    let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(failed);
    let (stdin, ours) = match mode {
        StdinMode::Closed => {
            let null = File::open("/dev/null").map_err(|error| Error::system("/dev/null", error))?;
            (OwnedFd::from(null), None)
        }
        StdinMode::Once | StdinMode::Keep => {
            let (reader, writer) = pipe()?;
            (reader, Some(writer))
        }
    };
    let (stdout_reader, stdout) = pipe()?;
    let (stderr_reader, stderr) = pipe()?;
    for end in [Some(&stdout_reader), Some(&stderr_reader), ours.as_ref()].into_iter().flatten() {
        super::set_nonblocking(end.as_fd()).map_err(failed)?;
    }
    let streams = Streams { terminal: None, stdin: ours, stdout: Some(stdout_reader), stderr: Some(stderr_reader) };
    Ok((Some(Stdio { stdin, stdout, stderr }), streams))
}
