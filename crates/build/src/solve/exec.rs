//! Commands: each runs in a container on the layers below it, and what it has changed is its layer. Nothing is packed and
//! nothing is copied.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};

use engine::config::{
    CapabilityChoice, ContainerConfig, Device, ExtraHost, Mount as EngineMount, MountKind, Network, Origin,
    Propagation, RecursiveReadOnly, Ulimit,
};
use engine::session::Leash;
use engine::{Access, RunningStep, StepCommand, StepFile, StepSocket, StepTree};
use store::LayerWriter;

use super::cache_mount::Kept;
use super::prepare::{Prepared, nth};
use super::{Job, Outcome, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::inputs::{Inputs, Kind};
use crate::llb::Vertex;
use crate::llb::message::Kind as Operation;
use crate::llb::message::exec::{ExecOp, Grant, Meta, Mount, MountType, NetMode, ProxyEnv, SecurityMode};
use crate::options::Limits;
use crate::progress::{StepId, Stream};
use crate::stubs::Stubs;
use crate::surroundings::{HOST_NETWORK, INSECURE};
use crate::tree::Tree;

/// What the host is called for commands, so that none can leave another name in each build.
const HOST_NAME: &str = "buildkitsandbox";

/// A command with all that it sees.
#[derive(Default)]
struct Command {
    step: StepCommand,
    /// Directories that are kept between builds, by their ids. Their locks are held as long as it runs.
    kept: BTreeMap<String, Kept>,
}

impl<'a> Job<'a> {
    /// Runs a command.
    ///
    /// # Errors
    /// `Command` when it fails; `Invalid` for what it may not have.
    pub(super) fn run(&'a self, number: usize, inputs: &[Value<'a>], prepared: &Prepared<'a>) -> Result<Outcome<'a>> {
        let vertex = &self.graph.vertices[number];
        let Some(Operation::Exec(exec)) = &vertex.operation.op else {
            return Err(Error::invalid("an operation runs nothing"));
        };
        let base = base(exec, inputs)?.map(|value| self.tree(value)).transpose()?.unwrap_or_default();
        let making = self.making(number, prepared, &base);
        self.make(&making, |writer| {
            let mut command = self.command(vertex, exec, inputs, prepared)?;
            command.step.layers = base.directories(self.store());
            (command.step.upper, command.step.work) = (writer.path(), writer.make_work()?);
            let stubs = Stubs::before(&base, self.store(), &targets(exec))?;
            let code = self.run_command(number, &command)?;
            self.judge(exec, code, &command, writer)?;
            drop(command);
            stubs.remove(writer)
        })
    }

    /// Refuses what a command may not have. Of all commands, before anything is looked up: what somebody was allowed to do once
    /// is in the cache, and is for nobody else.
    ///
    /// # Errors
    /// `Invalid`.
    pub(super) fn check_grants(&self, vertex: &Vertex) -> Result<()> {
        let Some(Operation::Exec(exec)) = &vertex.operation.op else { return Ok(()) };
        if exec.security() == SecurityMode::Insecure {
            self.grants.check(INSECURE, "RUN --security=insecure")?;
        }
        if exec.network() == NetMode::Host && !self.grants.is_host_network {
            self.grants.check(HOST_NETWORK, "RUN --network=host")?;
        }
        for device in &exec.cdi_devices {
            self.grants.check_device(&device.name)?;
        }
        Ok(())
    }

    /// Starts it, tells what it says, and waits for its end.
    fn run_command(&self, number: usize, command: &Command) -> Result<i32> {
        let RunningStep { id, session, forwards } = self.engine.start_step(&command.step, None)?;
        let step = self.step(number);
        self.leashes().insert(step, session.leash()?);
        if self.is_canceled() {
            self.cancel();
        }
        let heard = session.hear(|is_error, bytes| {
            self.reporter.output(step, if is_error { Stream::Stderr } else { Stream::Stdout }, bytes);
        });
        self.leashes().remove(&step);
        drop(forwards);
        // What it has mounted is its own as long as it runs.
        let ended = self.engine.end_step(&id);
        if self.is_canceled() {
            return Err(Self::canceled());
        }
        let code = heard?;
        ended?;
        Ok(code)
    }

    /// Whether the exit code is one of success.
    fn judge(&self, exec: &ExecOp, code: i32, command: &Command, writer: &LayerWriter) -> Result<()> {
        let valid = exec.meta.as_ref().map(|meta| meta.valid_exit_codes.as_slice()).unwrap_or_default();
        if valid.contains(&code) || (valid.is_empty() && code == 0) {
            return Ok(());
        }
        let arguments = exec.meta.as_ref().map(|meta| meta.args.join(" ")).unwrap_or_default();
        let failed = format!("the command {arguments:?} has ended with the exit code {code}");
        let error = Error::new(ErrorKind::Command, failed);
        if !self.grants.shell_on_error {
            return Err(error.with_hint("--on-error=shell opens a shell there"));
        }
        Err(match self.open_shell(&command.step, writer) {
            Ok(()) => error,
            Err(why) if why.kind() == ErrorKind::Canceled => why,
            Err(why) => error.with_hint(format!("no shell was opened: {why}")),
        })
    }

    fn leashes(&self) -> MutexGuard<'_, BTreeMap<StepId, Leash>> {
        self.leashes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing new is begun, and commands that run are ended.
    pub(super) fn cancel(&self) {
        self.is_canceled.store(true, Ordering::SeqCst);
        self.leashes().values().for_each(Leash::cut);
    }

    /// Whether nothing new is begun.
    pub(super) fn is_canceled(&self) -> bool {
        self.is_canceled.load(Ordering::SeqCst)
    }

    fn command(
        &'a self,
        vertex: &Vertex,
        exec: &ExecOp,
        inputs: &[Value<'a>],
        prepared: &Prepared<'a>,
    ) -> Result<Command> {
        let mut command = Command::default();
        command.step.config = self.config(vertex, exec)?;
        command.kept = self.keep_all(exec, inputs)?;
        for mount in exec.mounts.iter().filter(|mount| mount.dest != "/") {
            let is_tree = matches!(mount.mount_type(), MountType::Bind | MountType::Cache);
            if is_tree && mount.output >= 0 {
                return Err(Error::invalid(format!("what is written to {} cannot be a result", mount.dest)));
            }
            self.add_mount(&mut command, mount, inputs, &prepared.inputs)?;
        }
        for secret in &exec.secretenv {
            match self.grants.secret(&secret.id)? {
                Some(value) => {
                    let value = String::from_utf8(value).map_err(|_| {
                        Error::invalid(format!("the secret {} is no text, and cannot be a variable", secret.id))
                    })?;
                    command.step.config.env.push(format!("{}={value}", secret.name));
                }
                None if secret.optional => {}
                None => return Err(missing_secret(&secret.id)),
            }
        }
        Ok(command)
    }

    fn config(&self, vertex: &Vertex, exec: &ExecOp) -> Result<ContainerConfig> {
        let meta = exec.meta.clone().unwrap_or_default();
        if meta.args.is_empty() {
            return Err(Error::invalid("RUN has no command"));
        }
        let privileged = exec.security() == SecurityMode::Insecure;
        let network = match exec.network() {
            NetMode::Unset => self.grants.network.clone(),
            NetMode::None => Network::None,
            NetMode::Host => Network::Host,
        };
        // What they are was looked at before. One that is not required may be absent.
        let there = exec.cdi_devices.iter().filter(|device| !device.optional || engine::has_cdi_device(&device.name));
        let devices = there.map(|device| Device::Cdi(device.name.clone())).collect();
        crate::foreign::check(vertex.operation.platform.as_ref())?;
        let extra_hosts = meta.extra_hosts.iter().map(|host| ExtraHost::parse(&format!("{}:{}", host.host, host.ip)));
        let ulimits = meta.ulimit.iter().map(|one| Ulimit::parse(&format!("{}={}:{}", one.name, one.soft, one.hard)));
        Ok(ContainerConfig {
            image: "the build".to_owned(),
            env: environment(&meta),
            entrypoint: Some(Vec::new()),
            command: meta.args.clone(),
            working_dir: Some(if meta.cwd.is_empty() { "/".to_owned() } else { meta.cwd.clone() }),
            user: Some(meta.user.clone()),
            hostname: Some(if meta.hostname.is_empty() { HOST_NAME.to_owned() } else { meta.hostname.clone() }),
            network,
            extra_hosts: extra_hosts.collect::<engine::Result<_>>()?,
            ulimits: ulimits.collect::<engine::Result<_>>()?,
            cgroup_parent: (!meta.cgroup_parent.is_empty()).then(|| meta.cgroup_parent.clone()),
            devices,
            privileged,
            cap_add: if privileged { vec![CapabilityChoice::All] } else { Vec::new() },
            ..limited(&self.grants.limits)
        })
    }

    fn add_mount(&'a self, command: &mut Command, mount: &Mount, inputs: &[Value<'a>], known: &Inputs) -> Result<()> {
        let directory = command.step.config.working_dir.as_deref().unwrap_or("/");
        let target = PathBuf::from(dockerfile::path::below(directory, &mount.dest));
        let step = &mut command.step;
        match mount.mount_type() {
            MountType::Bind => {
                let tree = match nth(inputs, mount.input) {
                    Some(Value::Tree(tree)) => tree.clone(),
                    Some(Value::Local(local)) => {
                        let (tree, sum) = self.brought_in(local, &mount.selector)?;
                        // The result is found by what was there when it was looked up.
                        if !known.has(Kind::Taken, &mount.dest, &sum.hex()) {
                            let what = format!("{} of the context changes while it is read", mount.selector);
                            return Err(Error::new(ErrorKind::Changed, what));
                        }
                        tree
                    }
                    None => Tree::default(),
                };
                if tree.layers.is_empty() {
                    step.config.mounts.push(in_memory(target, None));
                    return Ok(());
                }
                let subpath = mount.selector.trim_matches('/');
                step.trees.push(StepTree {
                    target,
                    layers: tree.directories(self.store()),
                    subpath: (!subpath.is_empty()).then(|| PathBuf::from(subpath)),
                    writable: !mount.readonly,
                });
            }
            MountType::Tmpfs => {
                let size = mount.tmpfs_opt.as_ref().and_then(|options| u64::try_from(options.size).ok());
                step.config.mounts.push(in_memory(target, size.filter(|size| *size > 0)));
            }
            MountType::Cache => {
                let id = mount.cache_opt.as_ref().map(|options| options.id.as_str()).unwrap_or_default();
                if let Some(kept) = command.kept.get(id) {
                    step.config.mounts.push(of_host(target, kept.path().to_owned(), mount.readonly));
                }
            }
            MountType::Secret => {
                let grant = mount.secret_opt.clone().unwrap_or_default();
                match self.grants.secret(&grant.id)? {
                    Some(content) => step.files.push(StepFile { target, content, access: access(&grant) }),
                    None if grant.optional => {}
                    None => return Err(missing_secret(&grant.id)),
                }
            }
            MountType::Ssh => {
                let grant = mount.ssh_opt.clone().unwrap_or_default();
                match self.grants.agent(&grant.id) {
                    Some(socket) => {
                        let (connects_to, access) = (socket.clone(), access(&grant));
                        step.sockets.push(StepSocket { target, connects_to, access });
                    }
                    None if grant.optional => {}
                    None => return Err(missing_agent(&grant.id)),
                }
            }
        }
        Ok(())
    }
}

/// The tree that a command changes.
fn base<'v, 'a>(exec: &ExecOp, inputs: &'v [Value<'a>]) -> Result<Option<&'v Value<'a>>> {
    let root = exec.mounts.iter().find(|mount| mount.dest == "/");
    let root = root.ok_or_else(|| Error::invalid("a command without a root cannot be run"))?;
    Ok(nth(inputs, root.input))
}

/// Where something is mounted that is nothing of the result.
fn targets(exec: &ExecOp) -> Vec<PathBuf> {
    let directory = exec.meta.as_ref().map_or("/", |meta| meta.cwd.as_str());
    let below = |mount: &Mount| PathBuf::from(dockerfile::path::below(directory, &mount.dest));
    exec.mounts.iter().filter(|mount| mount.dest != "/").map(below).collect()
}

/// The variables of a command, and those that say how others are reached.
fn environment(meta: &Meta) -> Vec<String> {
    let mut env = meta.env.clone();
    let ProxyEnv { http_proxy, https_proxy, ftp_proxy, no_proxy, all_proxy } =
        meta.proxy_env.clone().unwrap_or_default();
    let proxies = [
        ("HTTP_PROXY", http_proxy),
        ("HTTPS_PROXY", https_proxy),
        ("FTP_PROXY", ftp_proxy),
        ("NO_PROXY", no_proxy),
        ("ALL_PROXY", all_proxy),
    ];
    for (name, value) in proxies.into_iter().filter(|(_, value)| !value.is_empty()) {
        for name in [name.to_owned(), name.to_ascii_lowercase()] {
            if !env.iter().any(|variable| variable.split('=').next() == Some(&name)) {
                env.push(format!("{name}={value}"));
            }
        }
    }
    env
}

fn in_memory(target: PathBuf, size: Option<u64>) -> EngineMount {
    // Commands of builds are run from there.
    let kind = MountKind::Tmpfs { size, mode: None, options: vec!["exec".to_owned()] };
    EngineMount { target, read_only: false, kind, mode: String::new(), origin: Origin::Mount }
}

fn of_host(target: PathBuf, source: PathBuf, read_only: bool) -> EngineMount {
    let kind = MountKind::Bind {
        source,
        create_source: false,
        propagation: Propagation::default(),
        recursive: false,
        read_only_below: RecursiveReadOnly::TopOnly,
    };
    EngineMount { target, read_only, kind, mode: String::new(), origin: Origin::Mount }
}

/// A configuration with what a command may use up, and nothing else.
fn limited(limits: &Limits) -> ContainerConfig {
    let limits = limits.clone();
    ContainerConfig {
        memory: limits.memory,
        memory_swap: limits.memory_swap,
        cpu_shares: limits.cpu_shares,
        cpu_period: limits.cpu_period,
        cpu_quota: limits.cpu_quota,
        cpuset_cpus: limits.cpuset_cpus,
        cpuset_mems: limits.cpuset_mems,
        ..ContainerConfig::default()
    }
}

fn access(grant: &Grant) -> Access {
    Access { uid: grant.uid, gid: grant.gid, mode: grant.mode }
}

fn missing_secret(id: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("the secret {id} is not given"))
        .with_hint(format!("--secret id={id},src=FILE, or --secret id={id},env=NAME"))
}

fn missing_agent(id: &str) -> Error {
    let id = if id.is_empty() { "default" } else { id };
    Error::new(ErrorKind::NotFound, format!("the agent {id} is not given"))
        .with_hint(format!("--ssh {id}, with an agent that runs (ssh-agent)"))
}
