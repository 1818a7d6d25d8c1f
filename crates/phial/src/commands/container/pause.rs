//! `phial pause` and `phial unpause`.

use std::process::ExitCode;

use clap::Args;

use super::{Execute, each};
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output;

/// What `phial pause` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  phial pause web          all its processes stand still")]
pub(crate) struct Pause {
    /// Names or ids of containers
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
}

/// What `phial unpause` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  phial unpause web        all its processes go on")]
pub(crate) struct Unpause {
    /// Names or ids of containers
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
}

impl Execute for Pause {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let engine = context.engine()?;
        each(&self.containers, |name| {
            let container = engine.container(name);
            container.and_then(|container| engine.pause(&container)).cannot(|| format!("pause {name}"))?;
            output::print_line(name)
        })
    }
}

impl Execute for Unpause {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let engine = context.engine()?;
        each(&self.containers, |name| {
            let container = engine.container(name);
            container.and_then(|container| engine.unpause(&container)).cannot(|| format!("unpause {name}"))?;
            output::print_line(name)
        })
    }
}
