//! `phial exec`.

use std::process::ExitCode;

use clap::Args;
use engine::config::ExecConfig;

use super::flags::Environment;
use super::{Execute, foreground};
use crate::context::Context;
use crate::failure::{Cannot, Result};

const EXAMPLES: &str = "\
Examples:
  phial exec -it web sh
  phial exec -u nobody -w /tmp web id
  phial exec -i db psql < dump.sql";

/// What `phial exec` takes.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own, which is there or not")]
#[derive(Debug, Args)]
#[command(override_usage = "phial exec [OPTIONS] CONTAINER COMMAND [ARG...]", after_help = EXAMPLES)]
pub(crate) struct Exec {
    /// Do not wait for the command
    #[arg(short, long)]
    detach: bool,
    #[command(flatten)]
    keys: foreground::Keys,
    #[command(flatten)]
    environment: Environment,
    /// Keep standard input open
    #[arg(short, long)]
    interactive: bool,
    /// Give the command all capabilities
    #[arg(long)]
    privileged: bool,
    /// Give the command a terminal
    #[arg(short, long)]
    tty: bool,
    /// User and group, names or numbers
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Working directory in the container
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,
    /// The container, then the command and its arguments
    #[arg(value_name = "CONTAINER COMMAND", required = true, num_args = 2.., trailing_var_arg = true, hide = true)]
    words: Vec<String>,
}

impl Execute for Exec {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let mut words = self.words.into_iter();
        let name = words.next().unwrap_or_default();
        let doing = || format!("run a command in container {name}");
        let keys = self.keys.parse().cannot(doing)?;
        let config = ExecConfig {
            command: words.collect(),
            env: self.environment.list(&doing)?,
            working_dir: self.workdir,
            user: self.user,
            tty: self.tty,
            open_stdin: self.interactive,
            detach: self.detach,
            privileged: self.privileged,
        };
        let terminal = foreground::Terminal { stdin: config.open_stdin && !config.detach, tty: config.tty };
        terminal.check()?;
        let doing = || format!("run {} in container {name}", config.command.join(" "));
        let engine = context.engine()?;
        let container = engine.container(&name).cannot(doing)?;
        if config.detach {
            engine.exec_detached(&container, &config).cannot(doing)?;
            return Ok(ExitCode::SUCCESS);
        }
        let signals = foreground::hold_signals()?;
        let session = engine.exec(&container, &config, terminal.window()).cannot(doing)?;
        let ways = foreground::Ways { keys, ..foreground::Ways::default() };
        Ok(terminal.pump(session, signals, &container.record.name, ways)?.code)
    }
}
