//! `phial ps`.

use std::process::ExitCode;

use clap::Args;
use engine::ContainerSummary;

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output::{human, print, table};

/// Characters of a command that are shown, as docker's.
const COMMAND: usize = 20;

const EXAMPLES: &str = "\
Examples:
  phial ps
  phial ps -a          also those that have ended";

/// What `phial ps` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Ps {
    /// Show all containers, not only those that run
    #[arg(short, long)]
    all: bool,
    /// Show ids and commands whole
    #[arg(long)]
    no_trunc: bool,
}

impl Execute for Ps {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let containers = context.engine()?.list(self.all).cannot(|| "list containers")?;
        let heading = ["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"];
        let heading = heading.map(str::to_owned).to_vec();
        let rows = containers.iter().map(|container| row(container, self.no_trunc));
        print(&table::layout(&std::iter::once(heading).chain(rows).collect::<Vec<_>>()))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn row(container: &ContainerSummary, whole: bool) -> Vec<String> {
    let command = human::harmless(&container.command);
    let (id, command) = if whole {
        (container.id.as_str(), command)
    } else {
        (&container.id[..12], human::shortened(&command, COMMAND))
    };
    vec![
        id.to_owned(),
        container.image.clone(),
        format!("\"{command}\""),
        container.created.clone(),
        container.status.clone(),
        container.ports.clone(),
        container.name.clone(),
    ]
}
