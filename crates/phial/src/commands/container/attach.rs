//! `phial attach`.

use std::process::ExitCode;

use clap::Args;

use super::{Execute, foreground};
use crate::context::Context;
use crate::failure::{Cannot, Result};

const EXAMPLES: &str = "\
Examples:
  phial attach web             Ctrl-C goes to the container; Ctrl-P Ctrl-Q leaves a terminal
  phial attach --no-stdin web";

/// What `phial attach` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Attach {
    /// Do not pass standard input on
    #[arg(long)]
    no_stdin: bool,
    #[command(flatten)]
    leaving: foreground::Leaving,
    /// Name or id of a container
    #[arg(value_name = "CONTAINER")]
    container: String,
}

impl Execute for Attach {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let doing = || format!("attach to {}", self.container);
        let keys = self.leaving.keys.parse().cannot(doing)?;
        let engine = context.engine()?;
        let container = engine.container(&self.container).cannot(doing)?;
        let stdin = !self.no_stdin && container.config.open_stdin;
        let terminal = foreground::Terminal { stdin, tty: container.config.tty };
        terminal.check()?;
        let signals = self.leaving.hold_signals()?;
        let session = engine.attach(&container, stdin, terminal.window()).cannot(doing)?;
        let ways = foreground::Ways { keys, ..foreground::Ways::default() };
        Ok(terminal.pump(session, signals, &container.record.name, ways)?.code)
    }
}
