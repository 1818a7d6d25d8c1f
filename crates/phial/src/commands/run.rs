//! `phial run`: docker's flags, an image, a container, and staying with it.

use std::process::ExitCode;

use clap::{ArgAction, Args};
use engine::config::{
    self, CapabilityChoice, ContainerConfig, Mount, Network, SecurityOption, Signal, Ulimit, env, size,
};
use engine::{Engine, PullPolicy, Unstarted};
use image::PullOptions;
use store::ImageRecord;

use super::{Execute, foreground};
use crate::context::Context;
use crate::failure::{Cannot, Failure, Result};
use crate::output;
use crate::output::progress::{PullProgress, Target};

const EXAMPLES: &str = "\
Examples:
  phial run --rm hello                             what isolates a container, told from inside
  phial run --rm -it alpine sh                     a shell; Ctrl-P Ctrl-Q leaves it running
  phial run -d --name web -m 64m nginx             in the background, with at most 64 MiB of memory
  phial run --rm -v \"$PWD:/src\" -w /src gcc make   with a directory of the host";

/// What `phial run` takes.
#[derive(Debug, Args)]
#[command(
    override_usage = "phial run [OPTIONS] IMAGE [COMMAND] [ARG...]",
    after_help = EXAMPLES,
    disable_help_flag = true
)]
#[expect(clippy::struct_excessive_bools, reason = "docker's switches")]
pub(crate) struct Run {
    /// Add a capability, or ALL
    #[arg(long, value_name = "CAPABILITY")]
    cap_add: Vec<String>,
    /// Drop a capability, or ALL
    #[arg(long, value_name = "CAPABILITY")]
    cap_drop: Vec<String>,
    /// Number of CPUs, such as 1.5
    #[arg(long, value_name = "NUMBER")]
    cpus: Option<String>,
    /// Run in the background and print the container's id
    #[arg(short, long)]
    detach: bool,
    /// Replace the image's ENTRYPOINT
    #[arg(long, value_name = "PROGRAM")]
    entrypoint: Option<String>,
    /// Set an environment variable; NAME alone takes the value it has here
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// Read environment variables from a file
    #[arg(long, value_name = "FILE")]
    env_file: Vec<String>,
    /// The container's host name
    #[arg(short = 'h', long, value_name = "NAME")]
    hostname: Option<String>,
    /// Run a small init as the first process, which forwards signals and reaps processes
    #[arg(long)]
    init: bool,
    /// Keep standard input open
    #[arg(short, long)]
    interactive: bool,
    /// Set a label
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    label: Vec<String>,
    /// Limit the memory, such as 64m or 1.5g
    #[arg(short, long, value_name = "SIZE")]
    memory: Option<String>,
    /// Mount something, such as type=bind,source=/src,target=/dst,readonly
    #[arg(long, value_name = "KEY=VALUE,…")]
    mount: Vec<String>,
    /// Name the container
    #[arg(long)]
    name: Option<String>,
    /// The container's network: none or host
    #[arg(long, visible_alias = "net")]
    network: Option<String>,
    /// Limit the number of processes; -1 for no limit
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pids_limit: Option<String>,
    /// When to ask the registry for the image: always, missing or never
    #[arg(long, value_name = "WHEN")]
    pull: Option<String>,
    /// Mount the container's root file system read-only
    #[arg(long)]
    read_only: bool,
    /// Remove the container when it ends
    #[arg(long)]
    rm: bool,
    /// Security options: seccomp=unconfined, seccomp=FILE, no-new-privileges
    #[arg(long, value_name = "OPTION")]
    security_opt: Vec<String>,
    /// The signal that stops the container
    #[arg(long, value_name = "SIGNAL")]
    stop_signal: Option<String>,
    /// Seconds between that signal and SIGKILL
    #[arg(long, value_name = "SECONDS")]
    stop_timeout: Option<u32>,
    /// Mount a tmpfs
    #[arg(long, value_name = "DIR[:OPTS]")]
    tmpfs: Vec<String>,
    /// Give the container a terminal
    #[arg(short, long)]
    tty: bool,
    /// Set a resource limit, such as nofile=1024:2048
    #[arg(long, value_name = "NAME=SOFT[:HARD]")]
    ulimit: Vec<String>,
    /// User and group, names or numbers
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Mount a directory of the host
    #[arg(short, long, value_name = "SRC:DST[:OPTS]")]
    volume: Vec<String>,
    /// Working directory in the container
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
    /// The image, then the command and its arguments
    #[arg(value_name = "IMAGE", required = true, num_args = 1.., trailing_var_arg = true, hide = true)]
    words: Vec<String>,
}

impl Execute for Run {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let image = self.words[0].clone();
        let doing = || format!("run {image}");
        let policy = self.pull.as_deref().map_or(Ok(PullPolicy::default()), PullPolicy::parse).cannot(doing)?;
        let environment = environment(&self.env_file, &self.env)?;
        let config = self.config(environment).cannot(doing)?;
        let terminal = foreground::Terminal { stdin: config.open_stdin && !config.detach, tty: config.tty };
        terminal.check()?;
        let engine = context.engine()?;
        let record = find_or_pull(&engine, &image, policy)?;
        // From here on signals are the container's, so that a Ctrl-C during the start is not lost.
        let signals = if config.detach { None } else { Some(foreground::hold_signals()?) };
        let created = engine.create(&config, &record, Unstarted::Collect).cannot(doing)?;
        let Some(signals) = signals else {
            let id = created.id().hex();
            engine.start_detached(created).cannot(doing)?;
            output::print_line(&id)?;
            return Ok(ExitCode::SUCCESS);
        };
        let (id, name) = (*created.id(), created.name().to_owned());
        let session = engine.start(created, terminal.window()).cannot(doing)?;
        let left = terminal.pump(session, signals, &name)?;
        if config.auto_remove && left.has_ended {
            engine.forget(&id);
        }
        Ok(left.code)
    }
}

/// The image, pulled if it must be; the pull is shown on standard error, as standard output is the container's.
fn find_or_pull(engine: &Engine, name: &str, policy: PullPolicy) -> Result<ImageRecord> {
    let progress = PullProgress::new(Target::Stderr { missing: policy == PullPolicy::Missing }, name);
    engine.ensure_image(name, policy, &PullOptions::default(), &progress).cannot(|| format!("run {name}"))
}

impl Run {
    fn config(self, env: Vec<String>) -> engine::Result<ContainerConfig> {
        let mounts = self.mounts()?;
        let mut words = self.words.into_iter();
        let security = |text: &String| SecurityOption::parse(text, |path| std::fs::read_to_string(path));
        let parsed = |flag, values: &[String]| {
            values.iter().map(|text| CapabilityChoice::parse(flag, text)).collect::<engine::Result<_>>()
        };
        Ok(ContainerConfig {
            image: words.next().unwrap_or_default(),
            command: words.collect(),
            entrypoint: self.entrypoint.map(|program| vec![program]),
            env,
            working_dir: self.workdir,
            user: self.user,
            hostname: self.hostname.as_deref().map(config::parse_hostname).transpose()?,
            tty: self.tty,
            open_stdin: self.interactive,
            detach: self.detach,
            name: self.name,
            auto_remove: self.rm,
            mounts,
            read_only: self.read_only,
            network: self.network.as_deref().map_or(Ok(Network::default()), Network::parse)?,
            memory: self.memory.as_deref().map(size::parse_memory).transpose()?.flatten(),
            nano_cpus: self.cpus.as_deref().map(size::parse_cpus).transpose()?.flatten(),
            pids_limit: self.pids_limit.as_deref().map(config::parse_pids_limit).transpose()?.flatten(),
            cap_add: parsed("--cap-add", &self.cap_add)?,
            cap_drop: parsed("--cap-drop", &self.cap_drop)?,
            security_opt: self.security_opt.iter().map(security).collect::<engine::Result<_>>()?,
            ulimits: self.ulimit.iter().map(|text| Ulimit::parse(text)).collect::<engine::Result<_>>()?,
            init: self.init,
            labels: self.label.iter().map(|text| config::parse_label(text)).collect::<engine::Result<_>>()?,
            stop_signal: self.stop_signal.as_deref().map(|text| Signal::parse("--stop-signal", text)).transpose()?,
            stop_timeout: self.stop_timeout,
        })
    }

    fn mounts(&self) -> engine::Result<Vec<Mount>> {
        let here = std::env::current_dir().unwrap_or_default();
        let volumes = self.volume.iter().map(|text| Mount::parse_volume(text, &here));
        let mounts = self.mount.iter().map(|text| Mount::parse_mount(text, &here));
        let tmpfs = self.tmpfs.iter().map(|text| Mount::parse_tmpfs(text));
        volumes.chain(mounts).chain(tmpfs).collect()
    }
}

/// `--env-file`, then `-e`, as docker orders them.
pub(super) fn environment(files: &[String], variables: &[String]) -> Result<Vec<String>> {
    let here = |name: &str| std::env::var(name).ok();
    let mut list = Vec::new();
    for file in files {
        let content =
            std::fs::read(file).map_err(|error| Failure::new(format!("cannot read --env-file {file}: {error}")))?;
        list.extend(env::parse_file(file, &content, here).cannot(|| "use --env-file")?);
    }
    for variable in variables {
        list.push(env::parse(variable, here).cannot(|| "use --env")?);
    }
    Ok(list)
}
