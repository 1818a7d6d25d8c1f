//! `phial run`: docker's flags, an image, a container, and staying with it.

use std::process::ExitCode;

use clap::{ArgAction, Args};
use engine::Unstarted;
use engine::config::Attached;

use super::flags::Flags;
use super::{Execute, foreground};
use crate::context::Context;
use crate::failure::{Cannot, Failure, Result};
use crate::output;

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
    leaving: foreground::Leaving,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
    #[command(flatten)]
    flags: Flags,
}

impl Execute for Run {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let image = self.flags.image().to_owned();
        let doing = || format!("run {image}");
        let fetch = self.flags.fetch.parse().cannot(doing)?;
        let keys = self.leaving.keys.parse().cannot(doing)?;
        let cidfile = self.flags.cidfile();
        let mut config = self.flags.config(doing)?;
        config.detach = self.detach;
        if config.detach && !config.attach.is_empty() {
            return Err(Failure::new(format!("cannot {}: --detach and --attach: conflicting options", doing())));
        }
        let wants = |stream| config.attach.is_empty() || config.attach.contains(&stream);
        let stdin = config.open_stdin && !config.detach && wants(Attached::Stdin);
        let terminal = foreground::Terminal { stdin, tty: config.tty };
        let (stdout, stderr) = (wants(Attached::Stdout), wants(Attached::Stderr));
        terminal.check()?;
        let cidfile = cidfile.map(|path| path.claim(doing)).transpose()?;
        let engine = context.engine_to_start()?;
        let record = fetch.image(&engine, &image, doing)?;
        // From here on signals are the container's, so that a Ctrl-C during the start is not lost.
        let signals = if config.detach { None } else { Some(self.leaving.hold_signals()?) };
        let created = engine.create(&config, &record, Unstarted::Collect).cannot(doing)?;
        if let Some(cidfile) = cidfile {
            cidfile.keep(&created.id().hex(), doing)?;
        }
        let Some(signals) = signals else {
            let id = created.id().hex();
            engine.start_detached(created).cannot(doing)?;
            output::print_line(&id)?;
            return Ok(ExitCode::SUCCESS);
        };
        let (id, name) = (*created.id(), created.name().to_owned());
        let session = engine.start(created, stdin, terminal.window()).cannot(doing)?;
        let left = terminal.pump(session, signals, &name, foreground::Ways { keys, stdout, stderr })?;
        if let (true, Some(connection)) = (config.auto_remove, left.ended) {
            engine.forget(&id, connection);
        }
        Ok(left.code)
    }
}
