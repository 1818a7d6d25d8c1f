//! `RUN`: a command on the files so far, with what is mounted while it runs.

use dockerfile::evaluate::{Origin, Step};
use dockerfile::instruction::{Command, MountKind, Network, Owner as MountOwner, Run, Security, Sharing};
use dockerfile::{Error, Lines, path};
use engine::config::change::Changed;

use super::stage::SoFar;
use super::{Conversion, Files, Result};
use crate::llb::message::Kind as Operation;
use crate::llb::message::exec::{
    CacheOpt, CacheSharing, CdiDevice, ExecOp, Grant, Meta, Mount, MountType, NetMode, SecretEnv, SecurityMode,
    TmpfsOpt,
};
use crate::llb::message::file::{Action, Chown, FileAction, FileOp, MakeDirectory, MakeFile, Owner, OwnerKind};
use crate::llb::{Output, called, operation};

/// Where a script lies whose first line says what runs it.
const SCRIPTS: &str = "/dev/pipes/";

/// What is run: the arguments, and a script that has to lie in [`SCRIPTS`].
pub(super) fn arguments(run: &Run, changed: &Changed) -> (Vec<String>, Option<(String, String)>) {
    let (Command::Shell(line), [first, ..]) = (&run.command, run.heredocs.as_slice()) else {
        return (changed.command(&run.command), None);
    };
    let shell = |text: String| changed.command(&Command::Shell(text));
    if is_heredoc_alone(line) {
        let body = first.without_tabs().into_owned();
        if body.starts_with("#!") {
            return (shell(format!("{SCRIPTS}{}", first.name)), Some((first.name.clone(), body)));
        }
        return (shell(body), None);
    }
    // The shell reads it all again, as it was written.
    let bodies = run.heredocs.iter().flat_map(|heredoc| ["\n", &heredoc.body, &heredoc.name]);
    (shell([line.as_str()].into_iter().chain(bodies).collect()), None)
}

fn is_heredoc_alone(line: &str) -> bool {
    dockerfile::statement::Heredoc::parse(line).is_ok_and(|heredoc| heredoc.is_some())
}

/// An operation that runs something, while it is put together.
#[derive(Default)]
struct Exec {
    inputs: Vec<Output>,
    mounts: Vec<Mount>,
    secret_variables: Vec<SecretEnv>,
    agents: Vec<Mount>,
    secrets: Vec<Mount>,
}

impl Exec {
    fn input(&mut self, files: Files) -> i64 {
        let Some(output) = files else { return -1 };
        let number = self.inputs.iter().position(|known| *known == output).unwrap_or_else(|| {
            self.inputs.push(output);
            self.inputs.len() - 1
        });
        i64::try_from(number).unwrap_or(-1)
    }
}

/// What is mounted from somewhere else, before it is known which input that is.
struct Bound {
    mount: Mount,
    files: Files,
}

impl Conversion<'_> {
    pub(super) fn run(&mut self, so_far: &mut SoFar, step: &Step, run: &Run) -> Result<()> {
        let (args, script) = arguments(run, &so_far.changed);
        let mut exec = Exec::default();
        let mut bound = vec![Bound { mount: Mount { dest: "/".to_owned(), ..Mount::default() }, files: so_far.output }];
        if let Some((name, body)) = script {
            let files = Some(self.inline(&name, 0o755, body.into_bytes()));
            let (dest, selector) = (SCRIPTS.to_owned(), "/".to_owned());
            let mount = Mount { dest, selector, output: -1, readonly: true, ..Mount::default() };
            bound.push(Bound { mount, files });
        }
        for (mount, origin) in &step.mounts {
            if let Some(one) = self.mount(so_far, mount, origin, step.instruction.lines, &mut exec)? {
                bound.push(one);
            }
        }
        let shm = self.request.surroundings.shm_size.and_then(|size| i64::try_from(size).ok()).filter(|size| *size > 0);
        if let Some(size) = shm {
            let mount_type = MountType::Tmpfs.into();
            let tmpfs_opt = Some(TmpfsOpt { size });
            let mount = Mount { dest: "/dev/shm".to_owned(), output: -1, mount_type, tmpfs_opt, ..Mount::default() };
            bound.push(Bound { mount, files: None });
        }
        bound.sort_by(|a, b| a.mount.dest.cmp(&b.mount.dest));
        for Bound { mount, files } in bound {
            let input = exec.input(files);
            exec.mounts.push(Mount { input, ..mount });
        }
        let meta = self.meta(so_far, step, args, &exec);
        let op = ExecOp {
            meta: Some(meta),
            mounts: [exec.mounts, exec.secrets, exec.agents].concat(),
            network: self.network(run).into(),
            security: match run.security {
                Security::Sandbox => SecurityMode::Sandbox.into(),
                Security::Insecure => SecurityMode::Insecure.into(),
            },
            secretenv: exec.secret_variables,
            cdi_devices: run
                .devices
                .iter()
                .map(|device| CdiDevice { name: device.name.clone(), optional: !device.required })
                .collect(),
        };
        let mut operation = operation(Operation::Exec(Box::new(op)), Some(&so_far.platform));
        operation.inputs = exec.inputs.into_iter().map(Output::input).collect();
        let metadata = so_far.metadata(&step.instruction.text);
        so_far.output = Some(self.builder.add(&operation, metadata));
        Ok(())
    }

    fn network(&self, run: &Run) -> NetMode {
        match run.network {
            Network::Default => self.request.surroundings.network.unwrap_or(NetMode::Unset),
            Network::None => NetMode::None,
            Network::Host => NetMode::Host,
        }
    }

    fn meta(&self, so_far: &SoFar, step: &Step, args: Vec<String>, exec: &Exec) -> Meta {
        let given = &self.request.surroundings;
        let mut env: Vec<String> = step.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if let Some(agent) = exec.agents.first() {
            const VARIABLE: &str = "SSH_AUTH_SOCK=";
            if !env.iter().any(|variable| variable.starts_with(VARIABLE)) {
                env.push(format!("{VARIABLE}{}", agent.dest));
            }
        }
        Meta {
            args,
            env,
            cwd: so_far.directory().to_owned(),
            user: so_far.changed.config.user.clone(),
            proxy_env: given.proxy.clone(),
            extra_hosts: given.extra_hosts.clone(),
            hostname: given.hostname.clone(),
            ulimit: given.ulimits.clone(),
            cgroup_parent: given.cgroup_parent.clone(),
            remove_mount_stubs_recursive: true,
            valid_exit_codes: Vec::new(),
        }
    }

    /// A file whose content stands in the Dockerfile, in a file system of its own.
    pub(super) fn inline(&mut self, name: &str, mode: i32, data: Vec<u8>) -> Output {
        let file = MakeFile { path: path::below("/", name), mode, data, owner: None, timestamp: -1 };
        let action = FileAction { input: -1, secondary_input: -1, output: 0, action: Some(Action::MakeFile(file)) };
        let operation = operation(Operation::File(FileOp { actions: vec![action] }), None);
        self.builder.add(&operation, called("[internal] preparing inline document"))
    }

    /// One mount, if it is one of files.
    fn mount(
        &mut self,
        so_far: &SoFar,
        mount: &dockerfile::instruction::Mount,
        origin: &Origin,
        lines: Lines,
        exec: &mut Exec,
    ) -> Result<Option<Bound>> {
        let target = mount.target.as_deref();
        let at_root = || Error::meaning("RUN --mount: the target cannot be /").at_word("--mount");
        if target.is_some_and(|target| path::below(so_far.directory(), target) == "/") {
            return Err(at_root());
        }
        let mut bound = Mount { output: -1, readonly: mount.read_only, ..Mount::default() };
        let (files, source, owner) = match &mount.kind {
            MountKind::Secret { id, env, required, owner } => {
                exec.grant_secret(id, env.as_deref(), target, *required, *owner);
                return Ok(None);
            }
            MountKind::Ssh { id, required, owner } => {
                exec.grant_agent(id.as_deref(), target, *required, *owner);
                return Ok(None);
            }
            MountKind::Bind { source, .. } => (self.files(origin, lines)?, source.as_deref(), MountOwner::default()),
            MountKind::Tmpfs { size } => {
                bound.mount_type = MountType::Tmpfs.into();
                let size = size.and_then(|size| i64::try_from(size).ok()).unwrap_or_default();
                bound.tmpfs_opt = Some(TmpfsOpt { size });
                (None, None, MountOwner::default())
            }
            MountKind::Cache { id, sharing, from, source, owner } => {
                bound.mount_type = MountType::Cache.into();
                bound.cache_opt = Some(self.cache(id.as_deref(), target.unwrap_or_default(), *sharing));
                let files = if from.is_some() { self.files(origin, lines)? } else { None };
                (files, source.as_deref(), *owner)
            }
        };
        bound.dest = path::below(so_far.directory(), target.unwrap_or_default());
        if bound.dest == "/" {
            return Err(at_root());
        }
        let source = path::below("/", source.unwrap_or_default());
        let files = if source != "/" {
            bound.selector = source;
            files
        } else if owner == MountOwner::default() {
            files
        } else {
            "/cache".clone_into(&mut bound.selector);
            Some(self.owned_directory(files, owner))
        };
        Ok(Some(Bound { mount: bound, files }))
    }

    fn cache(&self, id: Option<&str>, target: &str, sharing: Sharing) -> CacheOpt {
        let id = id.filter(|id| !id.is_empty()).map_or_else(|| path::clean(target), ToOwned::to_owned);
        let sharing = match sharing {
            Sharing::Shared => CacheSharing::Shared,
            Sharing::Private => CacheSharing::Private,
            Sharing::Locked => CacheSharing::Locked,
        };
        CacheOpt { id: format!("{}/{id}", self.request.surroundings.cache_namespace), sharing: sharing.into() }
    }

    /// A directory in which a cache begins that is somebody's.
    fn owned_directory(&mut self, files: Files, owner: MountOwner) -> Output {
        let one = |number: Option<u32>| Some(Owner { user: Some(OwnerKind::Number(number.unwrap_or_default())) });
        let made = MakeDirectory {
            path: "/cache".to_owned(),
            mode: owner.mode.and_then(|mode| i32::try_from(mode).ok()).unwrap_or(0o755),
            make_parents: false,
            owner: Some(Chown { user: one(owner.uid), group: one(owner.gid) }),
            timestamp: -1,
        };
        let input = if files.is_some() { 0 } else { -1 };
        let action = FileAction { input, secondary_input: -1, output: 0, action: Some(Action::MakeDirectory(made)) };
        let mut operation = operation(Operation::File(FileOp { actions: vec![action] }), None);
        operation.inputs.extend(files.map(Output::input));
        self.builder.add(&operation, called("[internal] setting cache mount permissions"))
    }
}

impl Exec {
    fn grant_secret(&mut self, id: &str, env: Option<&str>, target: Option<&str>, required: bool, owner: MountOwner) {
        if let Some(name) = env {
            let name = if name.is_empty() { id } else { name };
            let variable = SecretEnv { id: id.to_owned(), name: name.to_owned(), optional: !required };
            self.secret_variables.push(variable);
        }
        let dest = match (target, env) {
            (Some(target), _) => target.to_owned(),
            (None, Some(_)) => return,
            (None, None) => format!("/run/secrets/{}", path::base(id)),
        };
        let secret_opt = Some(grant(id, required, owner, 0o400));
        self.secrets.push(Mount {
            input: -1,
            dest,
            mount_type: MountType::Secret.into(),
            secret_opt,
            ..Mount::default()
        });
    }

    fn grant_agent(&mut self, id: Option<&str>, target: Option<&str>, required: bool, owner: MountOwner) {
        let number = self.agents.len();
        let dest = target.map_or_else(|| format!("/run/buildkit/ssh_agent.{number}"), ToOwned::to_owned);
        let ssh_opt = Some(grant(id.unwrap_or_default(), required, owner, 0o600));
        let mount_type = MountType::Ssh.into();
        self.agents.push(Mount { input: -1, dest, mount_type, ssh_opt, ..Mount::default() });
    }
}

fn grant(id: &str, required: bool, owner: MountOwner, mode: u32) -> Grant {
    Grant {
        id: id.to_owned(),
        uid: owner.uid.unwrap_or_default(),
        gid: owner.gid.unwrap_or_default(),
        mode: owner.mode.unwrap_or(mode),
        optional: !required,
    }
}
