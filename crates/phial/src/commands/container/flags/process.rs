//! The process: what runs, with which environment, where, as whom, and what it is connected to.

use clap::Args;
use engine::config::{Attached, ContainerConfig, env};

use crate::failure::{Cannot, Failure, Result};

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Flags {
    /// Connect this terminal to one of stdin, stdout and stderr only
    #[arg(short, long, value_name = "STREAM")]
    attach: Vec<String>,
    /// Replace the image's ENTRYPOINT
    #[arg(long, value_name = "PROGRAM")]
    entrypoint: Option<String>,
    #[command(flatten)]
    environment: Environment,
    /// Add a supplementary group
    #[arg(long, value_name = "GROUP")]
    group_add: Vec<String>,
    /// Run a small init as the first process, which forwards signals and reaps processes
    #[arg(long)]
    init: bool,
    /// Keep standard input open
    #[arg(short, long)]
    interactive: bool,
    /// Give the container a terminal
    #[arg(short, long)]
    tty: bool,
    /// User and group, names or numbers
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Working directory in the container
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,
}

/// The environment of a process, of `exec` as well.
#[derive(Debug, Args)]
#[group(skip)]
pub(in crate::commands::container) struct Environment {
    /// Set an environment variable; NAME alone takes the value it has here
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// Read environment variables from a file
    #[arg(long, value_name = "FILE")]
    env_file: Vec<String>,
}

impl Flags {
    pub(super) fn apply(self, config: &mut ContainerConfig, doing: &dyn Fn() -> String) -> Result<()> {
        let attached = self.attach.iter().map(|text| Attached::parse(text));
        config.attach = attached.collect::<engine::Result<_>>().cannot(doing)?;
        config.group_add = self.group_add;
        config.entrypoint = self.entrypoint.map(|program| vec![program]);
        config.env = self.environment.list(doing)?;
        config.init = self.init;
        config.open_stdin = self.interactive;
        config.tty = self.tty;
        config.user = self.user;
        config.working_dir = self.workdir;
        Ok(())
    }
}

impl Environment {
    /// Those of the files, then those of `-e`, as docker orders them.
    ///
    /// # Errors
    /// For a file that cannot be read, and for what is no variable; `doing` says what for.
    pub(in crate::commands::container) fn list(&self, doing: &dyn Fn() -> String) -> Result<Vec<String>> {
        let here = |name: &str| std::env::var(name).ok();
        let mut list = Vec::new();
        for file in &self.env_file {
            let content = std::fs::read(file)
                .map_err(|error| Failure::new(format!("cannot {}: --env-file {file}: {error}", doing())))?;
            list.extend(env::parse_file(file, &content, here).cannot(doing)?);
        }
        for variable in &self.env {
            list.push(env::parse(variable, here).cannot(doing)?);
        }
        Ok(list)
    }
}
