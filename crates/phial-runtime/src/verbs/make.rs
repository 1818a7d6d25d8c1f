//! Making a container's process from a bundle, up to the point where it waits for its start.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use oci_spec::runtime::Spec;
use runtime::cgroup::{Cgroups, Hierarchy};
use runtime::launch::{Inputs, Launched, launch};
use runtime::plan::{Context, Plan, StartMode, Streams};
use runtime::protocol::{Rootfs, WindowSize};
use runtime::resctrl::Wanted;

use super::hooks::Hooks;
use super::notify::Notify;
use super::trace::Trace;
use super::{cgroups, root_mount, stay};
use crate::command_line::{Global, Words};
use crate::container::{Container, New, Saved};
use crate::failure::{Failure, Result};

/// A bundle, read.
pub(super) struct Bundle {
    pub(super) path: PathBuf,
    pub(super) config: Vec<u8>,
    pub(super) spec: Spec,
}

/// A container that waits for its start.
pub(super) struct Made {
    pub(super) container: Container,
    pub(super) launched: Launched,
    pub(super) plan: Plan,
    pub(super) spec: Spec,
    pub(super) cgroups: Cgroups,
    pub(super) trace: Trace,
}

impl Bundle {
    /// Reads the bundle that the options name.
    pub(super) fn read(words: &Words) -> Result<Bundle> {
        let path = words.path("bundle").unwrap_or_else(|| PathBuf::from("."));
        let path = path.canonicalize().map_err(|error| Failure::system(format!("bundle {}", path.display()), error))?;
        let file = words.path("config").unwrap_or_else(|| path.join("config.json"));
        let config = crate::files::read(&file).map_err(|error| {
            Failure::system(file.display(), error)
                .with_hint("--bundle names the directory that has it; 'spec' writes one")
        })?;
        let failed = |error| Failure::json(file.display(), &error);
        let mut spec: Spec = serde_json::from_slice(&config).map_err(failed)?;
        check_version(spec.version())?;
        forget_empty_pids(&config, &mut spec).map_err(failed)?;
        as_meant_before_1_3(&mut spec);
        Ok(Bundle { path, config, spec })
    }

    /// The root file system, absolute.
    pub(super) fn rootfs(&self) -> Result<PathBuf> {
        let root = self.spec.root().as_ref().ok_or_else(|| Failure::new("root: is missing in the configuration"))?;
        let path = self.path.join(root.path());
        path.canonicalize().map_err(|error| {
            Failure::system(format!("root.path {}", path.display()), error)
                .with_hint("it names the directory with the container's root file system, from the bundle on")
        })
    }

    /// The plan of its container.
    pub(super) fn plan(&self, rootfs: &Path, hierarchies: &[Hierarchy], choices: Choices) -> Result<Plan> {
        let directory = Rootfs::Directory(rootfs.to_owned());
        let context = Context {
            // Where the root is put until it is the root: hooks look for it there.
            scratch: rootfs,
            may_move_root: choices.may_move_root,
            hierarchies,
            window: choices.window,
            streams: Streams::Inherited { preserved: choices.preserved },
            start: choices.start,
            keyring: choices.keyring.as_deref(),
            ..Context::new(&choices.id, &directory, &self.path)
        };
        Ok(Plan::container(&self.spec, &context)?)
    }
}

/// A limit of processes that is not there reads as zero, which is a limit too, and lets nothing start.
fn forget_empty_pids(config: &[u8], spec: &mut Spec) -> serde_json::Result<()> {
    let resources = spec.linux_mut().as_mut().and_then(|linux| linux.resources_mut().as_mut());
    let Some(resources) = resources.filter(|resources| resources.pids().is_some_and(|pids| pids.limit() == 0)) else {
        return Ok(());
    };
    let config: serde_json::Value = serde_json::from_slice(config)?;
    if config["linux"]["resources"]["pids"]["limit"].is_null() {
        resources.set_pids(None);
    }
    Ok(())
}

/// Of 1.x, every version can be read; of another one, nobody knows.
fn check_version(version: &str) -> Result<()> {
    let mut parts = version.split(['.', '-', '+']).map(str::parse::<u32>);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(Ok(1)), Some(Ok(_)), Some(Ok(_))) => Ok(()),
        _ => Err(Failure::new(format!("ociVersion {version:?}: is no version 1.x.y of the runtime specification"))
            .with_hint(format!("this program knows those up to {}", super::SPEC_VERSION))),
    }
}

/// Zero as the limit of processes became a limit with version 1.3 of the specification; for older callers it is none.
fn as_meant_before_1_3(spec: &mut Spec) {
    let old = is_before_1_3(spec.version());
    let resources = spec.linux_mut().as_mut().and_then(|linux| linux.resources_mut().as_mut());
    if let Some(pids) = resources.and_then(|resources| resources.pids_mut().as_mut())
        && old
        && pids.limit() == 0
    {
        pids.set_limit(-1);
    }
}

/// Whether `ociVersion` is one of those in which zero processes are no limit.
pub(super) fn is_before_1_3(version: &str) -> bool {
    let mut numbers = version.split(['.', '-']).map_while(|number| number.parse::<u32>().ok());
    (numbers.next().unwrap_or(1), numbers.next().unwrap_or(0)) < (1, 3)
}

/// What the configuration leaves to the caller.
#[derive(Debug, Clone)]
pub(super) struct Choices {
    pub(super) id: String,
    /// Descriptors from 3 on that the program keeps.
    pub(super) preserved: u32,
    pub(super) start: StartMode,
    /// `--no-pivot`.
    pub(super) may_move_root: bool,
    /// Name of a new session keyring.
    pub(super) keyring: Option<String>,
    /// Size of its terminal.
    pub(super) window: Option<WindowSize>,
}

/// When a new container is started, and who stays with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// By `start`.
    Later,
    /// By the caller, who stays.
    AtOnce,
    /// By the caller, who leaves.
    Detached,
}

/// Makes the container; what it leaves when that fails is nothing.
pub(super) fn make(global: &Global, words: &Words, id: &str, begin: Begin) -> Result<Made> {
    let mut trace = Trace::new(words.has("trace"));
    let bundle = Bundle::read(words)?;
    trace.mark("read the configuration");
    let terminal = bundle.spec.process().as_ref().and_then(oci_spec::runtime::Process::terminal).unwrap_or(false);
    let notify = Notify::of(words, terminal, begin != Begin::AtOnce)?;
    let rootfs = bundle.rootfs()?;
    let new = New::make(global, id)?;
    new.keep_config(&bundle.config)?;
    let start = match begin {
        Begin::Later => StartMode::Gate(new.make_gate()?),
        Begin::AtOnce | Begin::Detached => StartMode::Asked,
    };
    trace.mark("take the id");
    let hierarchies = cgroups::hierarchies(global)?;
    let keyring = (!words.has("no-new-keyring")).then(|| format!("_ses.{id}"));
    let window = if terminal && begin == Begin::AtOnce { stay::window() } else { None };
    let choices = Choices {
        id: id.to_owned(),
        preserved: preserved(words)?,
        start,
        may_move_root: words.has("no-pivot"),
        keyring,
        window,
    };
    let mut plan = bundle.plan(&rootfs, &hierarchies, choices.clone())?;
    trace.mark("make the plan");
    // Reading and planning take a large part of the program, which is not needed again.
    sys::memory::forget_program();
    let cgroups = if let Some(cgroups) = cgroups::make_if_allowed(global, &hierarchies, &bundle.spec, id)? {
        cgroups
    } else {
        plan = bundle.plan(&rootfs, &[], choices)?;
        Cgroups::none()
    };
    trace.mark("make the cgroups");
    let before = root_mount::id(&rootfs);
    let made = process(new, &bundle, &rootfs, &cgroups, &plan, &notify, &mut trace);
    match made {
        Ok((container, launched)) => Ok(Made { container, launched, plan, spec: bundle.spec, cgroups, trace }),
        Err(failure) => {
            root_mount::remove_new(&plan, &rootfs, before);
            cgroups.remove().ok();
            if let Ok(Some(shares)) = Wanted::of(&bundle.spec, id) {
                shares.remove().ok();
            }
            Err(failure)
        }
    }
}

fn process(
    new: New,
    bundle: &Bundle,
    rootfs: &Path,
    cgroups: &Cgroups,
    plan: &Plan,
    notify: &Notify,
    trace: &mut Trace,
) -> Result<(Container, Launched)> {
    let id = new.id().to_owned();
    let mut hooks = Hooks::new(&id, &bundle.path, &bundle.spec).traced(trace);
    let inputs =
        Inputs { cgroups, stdio: None, target: None, die_with_parent: false, helper: Some(&mut hooks), network: None };
    let mut launched = launch(plan, inputs)?;
    cgroups.settled();
    let mut saved = Saved::new(&id, launched.child.pid, &bundle.path, rootfs, cgroups, plan.all_namespaces());
    saved.root_mount = root_mount::of(plan, rootfs);
    let told = new.keep(saved).and_then(|container| {
        match notify.tell(&launched.child, launched.console.take()) {
            Ok(console) => launched.console = console,
            Err(failure) => return container.forget().and(Err(failure)),
        }
        Ok(container)
    });
    match told {
        Ok(container) => Ok((container, launched)),
        Err(failure) => {
            end(&launched);
            Err(failure)
        }
    }
}

/// Ends a process that nobody will know of.
pub(super) fn end(launched: &Launched) {
    rustix::process::pidfd_send_signal(&launched.child.pidfd, rustix::process::Signal::KILL).ok();
    rustix::process::waitpid(Some(launched.child.pid), rustix::process::WaitOptions::empty()).ok();
}

/// `--preserve-fds`, and what socket activation passes (`sd_listen_fds(3)`).
pub(super) fn preserved(words: &Words) -> Result<u32> {
    let asked: u32 = words.number("preserve-fds")?.unwrap_or(0);
    let listen = std::env::var("LISTEN_FDS").ok().and_then(|number| number.parse().ok()).unwrap_or(0);
    for number in 3..3 + i32::try_from(asked).unwrap_or(i32::MAX - 3) {
        if !Path::new(&format!("/proc/self/fd/{number}")).exists() {
            return Err(Failure::new(format!("--preserve-fds {asked}: descriptor {number} is not open")));
        }
    }
    Ok(asked + listen)
}

impl Made {
    /// Removes the container and everything of it.
    pub(super) fn discard(&self) {
        end(&self.launched);
        root_mount::remove(&self.container.saved);
        self.cgroups.remove().ok();
        self.container.forget().ok();
    }

    /// The terminal's master, if the caller holds it himself.
    pub(super) fn console(&mut self) -> Option<OwnedFd> {
        self.launched.console.take()
    }
}
