//! `phial system boot` and `phial system shutdown`: what a service of the host's init does for containers.

use std::process::ExitCode;

use clap::Args;
use engine::Outcome;

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Failure, Result};
use crate::output;

/// The unit, as it is installed with the program in `/usr/local/bin`.
const UNIT: &str = include_str!("../../../../../packaging/systemd/phial.service");
/// The program's place in it.
const PROGRAM: &str = "/usr/local/bin/phial";

const BOOT_EXAMPLES: &str = "\
Examples:
  phial system boot
  phial system boot --print-unit > /etc/systemd/system/phial.service
  systemctl enable --now phial";

/// What `phial system boot` takes.
#[derive(Debug, Args)]
#[command(after_help = BOOT_EXAMPLES)]
pub(crate) struct Boot {
    /// Print a unit for systemd that does this at every boot, and stops containers at every shutdown
    #[arg(long)]
    print_unit: bool,
}

/// What `phial system shutdown` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  phial system shutdown")]
pub(crate) struct Shutdown {}

impl Execute for Boot {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        if self.print_unit {
            output::print(&unit(context))?;
            return Ok(ExitCode::SUCCESS);
        }
        let outcomes = context.engine()?.boot().cannot(|| "bring containers back")?;
        report(outcomes, "start")
    }
}

impl Execute for Shutdown {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let outcomes = context.engine()?.shutdown().cannot(|| "stop containers")?;
        report(outcomes, "stop")
    }
}

/// The unit for this program, with the directories that it was given.
fn unit(context: &Context) -> String {
    let mut command = std::env::current_exe().map_or_else(|_| PROGRAM.to_owned(), |path| path.display().to_string());
    for (flag, directory) in [("--root", &context.root), ("--run", &context.run)] {
        if let Some(directory) = directory {
            let directory = std::path::absolute(directory).unwrap_or_else(|_| directory.clone());
            command = format!("{command} {flag} {}", directory.display());
        }
    }
    UNIT.replace(PROGRAM, &command)
}

/// Names what was done, says what was not and goes on.
fn report(outcomes: Vec<Outcome>, verb: &str) -> Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for Outcome { name, result } in outcomes {
        match result.cannot(|| format!("{verb} {name}")) {
            Ok(()) => output::print_line(&name)?,
            Err(failure) => {
                Failure::print(&failure);
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}
