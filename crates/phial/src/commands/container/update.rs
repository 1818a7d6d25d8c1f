//! `phial update`.

use std::process::ExitCode;

use clap::Args;
use engine::Update as Changes;
use engine::config::{self, ContainerConfig};

use super::flags::Limits;
use super::{Execute, each};
use crate::context::Context;
use crate::failure::{Cannot, Failure, Result};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  phial update -m 512m --memory-swap 1g web
  phial update --cpus 1.5 --restart unless-stopped web db";

/// What `phial update` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Update {
    #[command(flatten)]
    limits: Limits,
    /// Start the container again when it has ended: no, on-failure[:MAX], always or unless-stopped
    #[arg(long, value_name = "POLICY")]
    restart: Option<String>,
    /// Names or ids of containers
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
}

impl Execute for Update {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let doing = || format!("update {}", self.containers.join(" "));
        let changes = self.changes().cannot(doing)?;
        let Some(changes) = changes else {
            return Err(Failure::new("you must provide one or more flags when using this command")
                .with_hint("phial update --help lists them"));
        };
        let engine = context.engine()?;
        each(&self.containers, |name| {
            let container = engine.container(name);
            let updated = container.and_then(|container| engine.update(&container, &changes));
            updated.cannot(|| format!("update {name}"))?;
            output::print_line(name)
        })
    }
}

impl Update {
    /// What the flags ask for; None if there are none.
    fn changes(&self) -> engine::Result<Option<Changes>> {
        let mut new = ContainerConfig::default();
        self.limits.apply(&mut new)?;
        let pids_limit = self.limits.pids_limit.as_deref().map(config::parse_pids_limit).transpose()?;
        let restart = self.restart.as_deref().map(config::restart::parse_restart).transpose()?;
        let given = pids_limit.is_some() || restart.is_some() || new != ContainerConfig::default();
        Ok(given.then_some(Changes { limits: new, pids_limit, restart }))
    }
}
