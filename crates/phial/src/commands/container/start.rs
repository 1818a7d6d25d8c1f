//! `phial start`.

use std::process::ExitCode;

use clap::Args;
use engine::Engine;

use super::{Execute, each, foreground};
use crate::context::Context;
use crate::failure::{Cannot, Failure, Result};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  phial start web db
  phial start -ai box      and stay with it, as 'phial run -it' does";

/// What `phial start` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Start {
    /// Stay with the container: show its output, pass signals on
    #[arg(short, long)]
    attach: bool,
    #[command(flatten)]
    keys: foreground::Keys,
    /// Stay with the container and pass standard input on
    #[arg(short, long)]
    interactive: bool,
    /// Names or ids of containers
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
}

impl Execute for Start {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let stays = self.attach || self.interactive;
        if stays && self.containers.len() > 1 {
            return Err(Failure::new("cannot start and attach multiple containers at once")
                .with_hint("leave out -a and -i, or start them one by one"));
        }
        let engine = context.engine_to_start()?;
        if stays {
            return self.start_and_stay(&engine);
        }
        each(&self.containers, |name| {
            let doing = || format!("start {name}");
            let container = engine.container(name).cannot(doing)?;
            if let Some(ready) = engine.ready(&container).cannot(doing)? {
                engine.start_detached(ready).cannot(doing)?;
            }
            output::print_line(name)
        })
    }
}

impl Start {
    fn start_and_stay(&self, engine: &Engine) -> Result<ExitCode> {
        let name = &self.containers[0];
        let doing = || format!("start {name}");
        let keys = self.keys.parse().cannot(doing)?;
        let container = engine.container(name).cannot(doing)?;
        let config = &container.config;
        let terminal = foreground::Terminal { stdin: self.interactive && config.open_stdin, tty: config.tty };
        terminal.check()?;
        let signals = foreground::hold_signals()?;
        let ready = engine.ready(&container).cannot(doing)?;
        let is_new = ready.is_some();
        let session = match ready {
            Some(ready) => engine.start(ready, terminal.stdin, terminal.window()),
            None => engine.attach(&container, terminal.stdin, terminal.window()),
        };
        let ways = foreground::Ways { keys, ..foreground::Ways::default() };
        let left = terminal.pump(session.cannot(doing)?, signals, &container.record.name, ways)?;
        if let (true, Some(connection)) = (is_new && config.auto_remove, left.ended) {
            engine.forget(&container.record.id, connection);
        }
        Ok(left.code)
    }
}
