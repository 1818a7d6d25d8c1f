//! `phial run`: docker's flags, an image, a container, and staying with it.

use std::process::ExitCode;

use clap::{ArgAction, Args};
use engine::{Engine, PullPolicy, Unstarted};
use image::PullOptions;
use store::ImageRecord;

use super::flags::Flags;
use super::{Execute, foreground};
use crate::context::Context;
use crate::failure::{Cannot, Result};
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
pub(crate) struct Run {
    /// Run in the background and print the container's id
    #[arg(short, long)]
    detach: bool,
    #[command(flatten)]
    flags: Flags,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
}

impl Execute for Run {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let image = self.flags.image().to_owned();
        let doing = || format!("run {image}");
        let policy = self.flags.pull.as_deref().map_or(Ok(PullPolicy::default()), PullPolicy::parse).cannot(doing)?;
        let mut config = self.flags.config(doing)?;
        config.detach = self.detach;
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
